//! The shared state of a running emulator, and the gate for requests that hang.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::watch;

use crate::{
    api::{context::ConcurrentWriter, route::Service},
    contents::Contents,
    faults::{Fault, RequestView},
    log::Ticket,
    message::{ApiResponse, Request},
    organisation::Organisation,
    webhooks::Deliveries,
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) service: Service,
    pub(crate) gate: Gate,
    pub(crate) deliveries: Arc<Deliveries>,
    /// Counts changes of everything that the console shows.
    revision: watch::Sender<u64>,
    in_flight: AtomicU64,
    contents: Mutex<Contents>,
}

/// Counts a request in flight until it is dropped.
pub(crate) struct InFlight<'a> {
    counter: &'a AtomicU64,
    /// Number of other requests in flight.
    pub(crate) others: u64,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(crate) fn new(service: Service, organisation: Organisation, deliveries: Deliveries) -> Self {
        let contents = Contents { seed: organisation.clone(), organisation, ..Contents::default() };
        Self {
            service,
            gate: Gate::new(),
            deliveries: Arc::new(deliveries),
            revision: watch::Sender::new(1),
            in_flight: AtomicU64::new(0),
            contents: Mutex::new(contents),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Contents> {
        // Ignores the poisoning after a test panicked while it held the organisation: its own message matters.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self) -> InFlight<'_> {
        InFlight { others: self.in_flight.fetch_add(1, Ordering::Relaxed), counter: &self.in_flight }
    }

    /// Adds a request to the log and returns its fault.
    pub(crate) fn arrive(&self, request: &Request) -> (Ticket, Option<Fault>) {
        let mut contents = self.lock();
        let target = request.target();
        let fault = contents.plan.next(&RequestView { method: request.method.as_str(), target: &target });
        (contents.log.begin(request, fault.as_ref().map(Fault::name)), fault)
    }

    pub(crate) fn execute(&self, request: &Request, writer: &ConcurrentWriter, others: u64) -> ApiResponse {
        let mut contents = self.lock();
        let response = self.service.respond(&mut contents, request, writer, others);
        self.tell(&mut contents);
        response
    }

    /// Runs `work` on the organisation.
    pub(crate) fn with_organisation<R>(&self, work: impl FnOnce(&mut Organisation) -> R) -> R {
        let mut contents = self.lock();
        let result = work(&mut contents.organisation);
        self.tell(&mut contents);
        result
    }

    pub(crate) fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    /// Says that something changed.
    pub(crate) fn touch(&self) {
        self.revision.send_modify(|revision| *revision += 1);
    }

    /// Waits until the revision is newer than this one, or the emulator stops.
    pub(crate) async fn changed_after(&self, revision: u64) {
        let mut changed = self.revision.subscribe();
        tokio::select! {
            _ = changed.wait_for(|now| *now > revision) => {}
            () = self.gate.stopped() => {}
        }
    }

    /// Tells the webhooks of the changes since the last time.
    fn tell(&self, contents: &mut Contents) {
        self.touch();
        let changes = contents.organisation.take_changes();
        if !changes.is_empty() {
            self.deliveries.add(&contents.webhooks, &contents.organisation, &changes);
        }
    }

    /// Restores the state after the start, and disconnects requests that hang.
    pub(crate) fn reset(&self) {
        let mut contents = self.lock();
        let Contents { seed, mut log, .. } = std::mem::take(&mut *contents);
        log.clear();
        *contents = Contents { organisation: seed.clone(), seed, log, ..Contents::default() };
        self.gate.open(Release::Disconnect);
        self.touch();
    }
}

/// Holds requests that hang.
#[derive(Debug)]
pub(crate) struct Gate {
    opened: watch::Sender<Release>,
    hanging: watch::Sender<usize>,
}

/// How a request that hangs ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// The request continues normally.
    Continue,
    /// Its connection is closed.
    Disconnect,
    /// Its connection is closed, and later requests do not hang: the emulator stops.
    Stop,
}

struct Hanging<'a>(&'a watch::Sender<usize>);

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Gate {
    fn new() -> Self {
        Self { opened: watch::Sender::new(Release::Continue), hanging: watch::Sender::new(0) }
    }

    /// Waits until the gate is opened the next time.
    pub(crate) async fn wait(&self) -> Release {
        let mut opened = self.opened.subscribe();
        if *opened.borrow_and_update() == Release::Stop {
            return Release::Stop;
        }
        self.hanging.send_modify(|count| *count += 1);
        let _hanging = Hanging(&self.hanging);
        // This is the owner of the sender, so it cannot be gone.
        drop(opened.changed().await);
        *opened.borrow()
    }

    pub(crate) fn open(&self, how: Release) {
        self.opened.send_modify(|last| {
            if *last != Release::Stop {
                *last = how;
            }
        });
    }

    /// Waits until the emulator stops.
    pub(crate) async fn stopped(&self) {
        drop(self.opened.subscribe().wait_for(|how| *how == Release::Stop).await);
    }

    pub(crate) fn has_ended(&self) -> bool {
        *self.opened.borrow() == Release::Stop
    }

    /// Waits until at least `count` requests hang; with 0, until none does. Also ends when the emulator stops.
    pub(crate) async fn until_hanging(&self, count: usize) {
        let (mut hanging, mut opened) = (self.hanging.subscribe(), self.opened.subscribe());
        tokio::select! {
            _ = hanging.wait_for(|now| if count == 0 { *now == 0 } else { *now >= count }) => {}
            _ = opened.wait_for(|how| *how == Release::Stop) => {}
        }
    }
}
