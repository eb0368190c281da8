//! Lets requests through, or holds them back while the server throttles. One throttled request pauses the whole client for as long as
//! the server asks. Then one request is sent as a probe, and the others wait for its response. After that they are sent at the rate
//! that the server was seen to accept.

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

/// How long the others wait for the response to a probe. Then another probe is sent.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// A pause is extended by a random time of up to a twentieth of it.
const JITTER_DIVISOR: u32 = 20;

pub(super) struct Gate {
    clock: SharedClock,
    state: Mutex<State>,
    /// Held by the first waiting request, the only one that waits for the clock.
    queue: tokio::sync::Mutex<()>,
    changed: Notify,
}

struct State {
    /// `None` while requests may be sent.
    paused_until: Option<Instant>,
    /// Pauses so far. Distinguishes a throttled request that starts a pause from one that was sent before it.
    pauses: u64,
    /// When the probe in flight was sent.
    probe: Option<Instant>,
    /// The client is being closed, so requests no longer wait.
    is_closing: bool,
    pace: Pace,
}

/// The gate stays closed past the caller's deadline. Holds the time left.
pub(super) struct Closed(pub(super) Duration);

/// Permission to send one request. If it is dropped without a result, because the call was cancelled, another request may probe.
pub(super) struct Permit<'a> {
    gate: &'a Gate,
    pauses: u64,
    is_probe: bool,
}

impl Gate {
    pub(super) fn new(clock: SharedClock) -> Self {
        let pace = Pace::new(clock.now());
        let state = Mutex::new(State { paused_until: None, pauses: 0, probe: None, is_closing: false, pace });
        Self { clock, state, queue: tokio::sync::Mutex::default(), changed: Notify::new() }
    }

    /// Waits until the request may be sent.
    pub(super) async fn enter(&self, deadline: Option<Instant>) -> Result<Permit<'_>, Closed> {
        let _first = tokio::select! {
            biased;
            first = self.queue.lock() => first,
            closed = self.closed_beyond(deadline) => return Err(closed),
        };
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the check, so that no change in between is missed.
            changed.as_mut().enable();
            let wait = {
                let mut state = lock(&self.state);
                let now = self.clock.now();
                state.check(now, deadline)?;
                match state.wait(now) {
                    Duration::ZERO => return Ok(self.permit(&mut state, now)),
                    wait if state.is_closing => return Err(Closed(wait)),
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

    /// For a client that is being closed: requests that wait fail now, and later ones fail instead of waiting.
    pub(super) fn close(&self) {
        lock(&self.state).is_closing = true;
        self.changed.notify_waiters();
    }

    /// Completes once the gate is closed past the deadline.
    pub(super) async fn closed_beyond(&self, deadline: Option<Instant>) -> Closed {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Err(closed) = lock(&self.state).check(self.clock.now(), deadline) {
                return closed;
            }
            changed.await;
        }
    }

    /// Permission without a wait, unless the server has throttled lately.
    pub(super) fn permit_if_unlimited(&self) -> Option<Permit<'_>> {
        let mut state = lock(&self.state);
        (state.paused_until.is_none() && state.pace.is_unlimited()).then(|| self.permit(&mut state, self.clock.now()))
    }

    fn permit(&self, state: &mut State, now: Instant) -> Permit<'_> {
        state.pace.sent(now);
        let is_probe = state.paused_until.is_some();
        if is_probe {
            state.probe = Some(now);
        }
        Permit { gate: self, pauses: state.pauses, is_probe }
    }
}

impl State {
    /// Fails if the pause ends after the deadline, or the client is being closed during a pause.
    fn check(&self, now: Instant, deadline: Option<Instant>) -> Result<(), Closed> {
        let is_too_late = |until| self.is_closing || deadline.is_some_and(|deadline| until >= deadline);
        match self.paused_until {
            Some(until) if until > now && is_too_late(until) => Err(Closed(until - now)),
            _ => Ok(()),
        }
    }

    /// How long the first waiting request has to wait until it checks again.
    fn wait(&mut self, now: Instant) -> Duration {
        match (self.paused_until, self.probe) {
            (Some(until), _) if until > now => until - now,
            (Some(_), Some(sent)) => (sent + PROBE_TIMEOUT).saturating_duration_since(now),
            (Some(_), None) => Duration::ZERO,
            (None, _) => self.pace.wait(now),
        }
    }
}

impl Permit<'_> {
    /// The server throttled the request and asks for this pause. Returns whether that starts a pause. It does not if the request was
    /// sent together with one that already did.
    pub(super) fn throttled(self, pause: Duration, at_once: u32) -> bool {
        let (now, mut state) = (self.gate.clock.now(), lock(&self.gate.state));
        // A little longer, so that clients that are throttled together do not return together.
        let pause = pause + jitter(&*self.gate.clock, pause / JITTER_DIVISOR);
        let is_new = self.pauses == state.pauses;
        if is_new {
            state.pauses += 1;
            state.pace.throttled(now, pause, at_once);
        } else {
            state.pace.also_throttled();
        }
        let until = now + pause;
        state.paused_until = Some(state.paused_until.map_or(until, |current| current.max(until)));
        drop(state);
        // A call whose deadline is before the end of the pause fails at once.
        self.gate.changed.notify_waiters();
        is_new
    }

    /// The server accepted the request. Only a probe ends a pause, because other responses belong to earlier requests.
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

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            lock(&self.gate.state).probe = None;
            self.gate.changed.notify_waiters();
        }
    }
}
