//! The gate in front of a throttling server: one 429 shuts it for the whole client, and after the pause one request goes ahead
//! to see. The others wait for what it finds: 50 calls in flight send one probe and none early.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::clock::SharedClock;

/// The gate.
pub(super) struct Gate {
    clock: SharedClock,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// `None` while it is open.
    shut_until: Option<Instant>,
    /// A request has gone ahead.
    probing: bool,
}

/// It stays shut for longer than the caller can wait: for this long.
pub(super) struct Shut(pub(super) Duration);

/// The permission to send one request. Dropped without a finding, because the call was given up, it lets the next one probe.
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    is_probe: bool,
}

impl Gate {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, state: Mutex::default(), changed: Notify::new() }
    }

    /// Waits until a request may be sent.
    pub(super) async fn enter(&self, deadline: Option<Instant>) -> Result<Pass<'_>, Shut> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, or a change in between would be missed.
            changed.as_mut().enable();
            let pause = {
                let mut state = self.lock();
                let Some(until) = state.shut_until else { return Ok(Pass { gate: self, is_probe: false }) };
                let now = self.clock.now();
                let pause = until.saturating_duration_since(now);
                if pause.is_zero() && !state.probing {
                    state.probing = true;
                    return Ok(Pass { gate: self, is_probe: true });
                }
                if deadline.is_some_and(|deadline| until >= deadline) {
                    return Err(Shut(pause));
                }
                (!pause.is_zero()).then_some(pause)
            };
            match pause {
                // The probe's finding, or the caller's deadline, which is not ours to watch.
                None => changed.await,
                Some(pause) => tokio::select! {
                    () = changed => {}
                    () = self.clock.sleep(pause) => {}
                },
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// The server throttles: nobody sends anything for this long.
    pub(super) fn shut(self, pause: Duration) {
        {
            let mut state = self.gate.lock();
            let until = self.gate.clock.now() + pause;
            state.shut_until = Some(state.shut_until.map_or(until, |before| before.max(until)));
        }
        // Dropping it ends the probe.
    }

    /// The server answers. Only the probe's finding opens the gate: an answer to an earlier request says nothing of now.
    pub(super) fn open(self) {
        if self.is_probe {
            self.gate.lock().shut_until = None;
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.gate.lock().probing = false;
        }
        self.gate.changed.notify_waiters();
    }
}
