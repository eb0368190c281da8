//! What the parts of a running emulator share, and the gate at which requests hang.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::watch;

use crate::{
    conditions::{Conditions, Throttle},
    faults::{Plan, Sight},
    log::{Log, Ticket},
    organisation::Organisation,
    token::Tokens,
    web_api::{Answer, Interference, Request, Service},
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) service: Service,
    pub(crate) gate: Gate,
    in_flight: AtomicU64,
    contents: Mutex<Contents>,
}

/// All that a request may read or change.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) organisation: Organisation,
    /// What a reset goes back to.
    seed: Organisation,
    pub(crate) log: Log,
    pub(crate) plan: Plan,
    pub(crate) conditions: Conditions,
    pub(crate) throttle: Throttle,
    pub(crate) tokens: Tokens,
    /// The emulator's only time: it stands still until it is moved.
    pub(crate) now_in_ms: u64,
}

/// Counts one request in flight for as long as it lives.
pub(crate) struct InFlight<'a> {
    counter: &'a AtomicU64,
    /// How many there were before.
    pub(crate) others: u64,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(crate) fn new(service: Service, organisation: Organisation) -> Self {
        let contents = Contents { seed: organisation.clone(), organisation, ..Contents::default() };
        Self { service, gate: Gate::new(), in_flight: AtomicU64::new(0), contents: Mutex::new(contents) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Contents> {
        // A test that panicked while it held the organisation must not hide its own message behind ours.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self) -> InFlight<'_> {
        InFlight { others: self.in_flight.fetch_add(1, Ordering::Relaxed), counter: &self.in_flight }
    }

    /// Enters a request into the log and says which fault it meets.
    pub(crate) fn arrive(&self, request: &Request) -> (Ticket, Option<crate::faults::Kind>) {
        let mut contents = self.lock();
        let target = request.target();
        let fault = contents.plan.next(&Sight { method: request.method.as_str(), target: &target });
        (contents.log.begin(request, fault.as_ref().map(crate::faults::Kind::name)), fault)
    }

    /// Executes a request.
    pub(crate) fn execute(&self, request: &Request, interference: &Interference, others: u64) -> Answer {
        self.service.answer(&mut self.lock(), request, interference, others)
    }

    /// Everything as it was right after the start; requests that hang are cut off.
    pub(crate) fn reset(&self) {
        let mut contents = self.lock();
        let Contents { seed, mut log, .. } = std::mem::take(&mut *contents);
        log.clear();
        *contents = Contents { organisation: seed.clone(), seed, log, ..Contents::default() };
        self.gate.open(Opening::Cut);
    }
}

/// Where requests hang.
#[derive(Debug)]
pub(crate) struct Gate {
    opened: watch::Sender<Opening>,
    hanging: watch::Sender<usize>,
}

/// How a request that hung goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// As if nothing had been.
    Released,
    /// Its connection is closed.
    Cut,
    /// Its connection is closed, and nothing hangs any more: the emulator ends.
    Ended,
}

struct Hanging<'a>(&'a watch::Sender<usize>);

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Gate {
    fn new() -> Self {
        Self { opened: watch::Sender::new(Opening::Released), hanging: watch::Sender::new(0) }
    }

    /// Waits until the gate is opened the next time.
    pub(crate) async fn wait(&self) -> Opening {
        let mut opened = self.opened.subscribe();
        if *opened.borrow_and_update() == Opening::Ended {
            return Opening::Ended;
        }
        self.hanging.send_modify(|count| *count += 1);
        let _hanging = Hanging(&self.hanging);
        // The sender is ours, so it cannot be gone.
        drop(opened.changed().await);
        *opened.borrow()
    }

    pub(crate) fn open(&self, how: Opening) {
        self.opened.send_modify(|last| {
            if *last != Opening::Ended {
                *last = how;
            }
        });
    }

    pub(crate) fn has_ended(&self) -> bool {
        *self.opened.borrow() == Opening::Ended
    }

    /// Waits until at least so many requests hang; with 0, until none does. The end of the emulator ends it too.
    pub(crate) async fn until_hanging(&self, count: usize) {
        let (mut hanging, mut opened) = (self.hanging.subscribe(), self.opened.subscribe());
        tokio::select! {
            _ = hanging.wait_for(|now| if count == 0 { *now == 0 } else { *now >= count }) => {}
            _ = opened.wait_for(|how| *how == Opening::Ended) => {}
        }
    }
}
