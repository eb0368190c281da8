//! Passes requests on to the server, or holds them back while it throttles. One refusal pauses the whole client for as long as the
//! server asks; then one request goes ahead, and the others wait for its response. Afterwards they go at the pace that the server
//! was seen to accept.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::pace::Pace;
use crate::{
    clock::{SharedClock, jitter},
    sync::lock,
};

/// After this long without a response the request that went ahead no longer holds up the others: one more goes ahead.
const PROBE_PATIENCE: Duration = Duration::from_secs(2);
/// A pause lasts up to this part of it longer.
const JITTER_SHARE: u32 = 20;

/// The gate.
pub(super) struct Gate {
    clock: SharedClock,
    state: Mutex<State>,
    /// Held by the first in line, who alone watches the clock.
    line: tokio::sync::Mutex<()>,
    changed: Notify,
}

struct State {
    /// `None` while requests may be sent.
    paused_until: Option<Instant>,
    /// Pauses so far, to tell a refusal that caused one from a refusal that belongs to it.
    pauses: u64,
    /// When the request after the pause was sent that is still in flight.
    probe: Option<Instant>,
    /// The client is being closed, so nothing waits any more.
    is_closing: bool,
    pace: Pace,
}

/// The pause ends after the caller's deadline; this much of it is left.
pub(super) struct Shut(pub(super) Duration);

/// The permission to send one request. Dropping it without a result, because the call was cancelled, lets another request probe.
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    pauses: u64,
    is_probe: bool,
}

impl Gate {
    pub(super) fn new(clock: SharedClock) -> Self {
        let pace = Pace::new(clock.now());
        let state = Mutex::new(State { paused_until: None, pauses: 0, probe: None, is_closing: false, pace });
        Self { clock, state, line: tokio::sync::Mutex::default(), changed: Notify::new() }
    }

    /// Waits until a request may be sent.
    pub(super) async fn enter(&self, deadline: Option<Instant>) -> Result<Pass<'_>, Shut> {
        if let Some(pass) = self.pass_unlimited() {
            return Ok(pass);
        }
        let _first = tokio::select! {
            biased;
            first = self.line.lock() => first,
            shut = self.shut_beyond(deadline) => return Err(shut),
        };
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, or a change in between would be missed.
            changed.as_mut().enable();
            let wait = {
                let mut state = lock(&self.state);
                let now = self.clock.now();
                state.check(now, deadline)?;
                match state.wait(now) {
                    Duration::ZERO => return Ok(self.pass(&mut state, now)),
                    wait if state.is_closing => return Err(Shut(wait)),
                    wait => wait,
                }
            };
            tokio::select! {
                biased;
                () = changed => {}
                () = self.clock.sleep(wait) => {}
            }
        }
    }

    /// The client is being closed: whatever waits for the server ends, and so does what would have to wait from now on.
    pub(super) fn close(&self) {
        lock(&self.state).is_closing = true;
        self.changed.notify_waiters();
    }

    /// Completes when the server asks for a pause that ends after the deadline.
    pub(super) async fn shut_beyond(&self, deadline: Option<Instant>) -> Shut {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Err(shut) = lock(&self.state).check(self.clock.now(), deadline) {
                return shut;
            }
            changed.await;
        }
    }

    fn pass_unlimited(&self) -> Option<Pass<'_>> {
        let mut state = lock(&self.state);
        (state.paused_until.is_none() && state.pace.is_unlimited()).then(|| self.pass(&mut state, self.clock.now()))
    }

    fn pass(&self, state: &mut State, now: Instant) -> Pass<'_> {
        state.pace.sent(now);
        let is_probe = state.paused_until.is_some();
        if is_probe {
            state.probe = Some(now);
        }
        Pass { gate: self, pauses: state.pauses, is_probe }
    }
}

impl State {
    /// Refuses to wait for a pause that ends after the deadline, or while the client is being closed.
    fn check(&self, now: Instant, deadline: Option<Instant>) -> Result<(), Shut> {
        let is_too_late = |until| self.is_closing || deadline.is_some_and(|deadline| until >= deadline);
        match self.paused_until {
            Some(until) if until > now && is_too_late(until) => Err(Shut(until - now)),
            _ => Ok(()),
        }
    }

    /// How long the first in line has to wait; after that this is asked again.
    fn wait(&mut self, now: Instant) -> Duration {
        match (self.paused_until, self.probe) {
            (Some(until), _) if until > now => until - now,
            (Some(_), Some(sent)) => (sent + PROBE_PATIENCE).saturating_duration_since(now),
            (Some(_), None) => Duration::ZERO,
            (None, _) => self.pace.wait(now),
        }
    }
}

impl Pass<'_> {
    /// The server refused the request and asks for this pause. Returns whether the pause is a new one: the requests that were sent
    /// together with the first that is refused are refused as well, and say nothing more than it does.
    pub(super) fn refused(self, pause: Duration, at_once: u32) -> bool {
        let (now, mut state) = (self.gate.clock.now(), lock(&self.gate.state));
        // A little longer, so that clients that are refused together do not come back together.
        let pause = pause + jitter(&*self.gate.clock, pause / JITTER_SHARE);
        let is_new = self.pauses == state.pauses;
        if is_new {
            state.pauses += 1;
            state.pace.refused(now, pause, at_once);
        } else {
            state.pace.refused_as_well();
        }
        let until = now + pause;
        state.paused_until = Some(state.paused_until.map_or(until, |before| before.max(until)));
        drop(state);
        // A call whose deadline is before the end of the pause need not wait for it.
        self.gate.changed.notify_waiters();
        is_new
    }

    /// The server accepted the request. Only the probe ends a pause: a response to an earlier request says nothing about now.
    pub(super) fn accepted(self) {
        let mut state = lock(&self.gate.state);
        if self.pauses == state.pauses {
            state.pace.accepted(self.gate.clock.now());
        }
        if self.is_probe && self.pauses == state.pauses {
            state.paused_until = None;
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            lock(&self.gate.state).probe = None;
            self.gate.changed.notify_waiters();
        }
    }
}
