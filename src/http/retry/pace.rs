//! The rate that a throttling server allows, learned from what it accepted. A limit on requests in flight cannot express "ten a
//! second": with answers in 5 ms, even one request at a time is twenty times too many.
//!
//! Until the first refusal nothing is paced. A refusal gives an estimate: the requests accepted since the last pause, over the time
//! they and the new pause take. From there the rate grows with the cube of time: flat at first, so that a good estimate is used for
//! long before it is tried again, and steep later, so that a poor one does not last. This is how TCP CUBIC looks for bandwidth.

use std::time::{Duration, Instant};

/// An estimate is doubled after this long without a refusal. A server that refused within its first round of requests has shown only
/// how many it takes at once, so it is tried again soon.
const POOR: Duration = Duration::from_secs(2);
/// A server that accepted several rounds has shown its rate.
const FAIR: Duration = Duration::from_secs(15);
/// A rate that was refused while it was kept is the server's limit.
const GOOD: Duration = Duration::from_secs(120);
/// After this long without a refusal an estimate says nothing any more. Dataverse counts over as long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);
/// A client without requests for this long begins anew: its idle time says nothing about the server.
const IDLE: Duration = Duration::from_secs(1);
/// A timer that fires late is made up for, up to this much: timers are exact to a millisecond, and more would be a burst.
const SLACK: Duration = Duration::from_millis(2);
/// The share of a refused rate that is tried next.
const MARGIN: f64 = 0.97;
/// A rate that is refused this soon was not too high: another client may have used the limit up, or the refusals come by chance.
const SOON: Duration = Duration::from_secs(4);
/// After so many of those in a row, half the rate is tried. Refusals by chance then come after as many requests as before, those
/// of a limit do not.
const TRIED_AFTER: u32 = 3;
/// If they come by chance, nothing is paced for this long, because only the pauses help.
const UNPACED_FOR: Duration = FORGOTTEN_AFTER;
/// The rate grows while a request waits, so the wait is computed anew after this long.
const RECHECK: Duration = Duration::from_millis(500);

/// What is known of the server's rate, and when the next request may be sent.
pub(super) struct Pace {
    /// Since when `accepted` counts: the last pause, or the last idle time.
    counted_since: Instant,
    accepted: u32,
    last_seen: Instant,
    last_refused: Option<Instant>,
    /// Requests accepted between the last two refusals.
    accepted_before: u32,
    /// Refusals in a row that lower rates did not make rarer.
    useless: u32,
    unpaced_until: Option<Instant>,
    /// The rate to return to while half of it is tried.
    tried_from: Option<f64>,
    /// Requests refused together the last time.
    refused: u32,
    /// Times in a row that so many were refused that it was no chance.
    costly: u32,
    limit: Option<Limit>,
    /// When the last request was due.
    last_due: Instant,
}

#[derive(Clone, Copy)]
struct Limit {
    /// Requests per second, at `since`.
    base: f64,
    since: Instant,
    /// The time in which the rate doubles.
    period: Duration,
}

impl Limit {
    fn rate(self, now: Instant) -> f64 {
        let share = now.saturating_duration_since(self.since).as_secs_f64() / self.period.as_secs_f64();
        self.base * (1.0 + share.powi(5))
    }
}

impl Pace {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            counted_since: now,
            accepted: 0,
            last_seen: now,
            last_refused: None,
            accepted_before: 0,
            useless: 0,
            unpaced_until: None,
            tried_from: None,
            refused: 0,
            costly: 0,
            limit: None,
            last_due: now,
        }
    }

    /// Whether requests are sent as they come.
    pub(super) const fn is_unlimited(&self) -> bool {
        self.limit.is_none()
    }

    /// How long the next request has to wait; after that this is asked again.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        if !self.was_refused(now) {
            self.limit = None;
        }
        match self.limit {
            Some(limit) => self.due(limit, now).saturating_duration_since(now).min(RECHECK),
            None => Duration::ZERO,
        }
    }

    /// A request is sent.
    pub(super) fn sent(&mut self, now: Instant) {
        if now.saturating_duration_since(self.last_seen) > IDLE {
            (self.counted_since, self.accepted) = (now, 0);
        }
        self.last_seen = now;
        if let Some(limit) = self.limit {
            self.last_due = self.due(limit, now).max(now.checked_sub(SLACK).unwrap_or(now));
        }
    }

    fn due(&self, limit: Limit, now: Instant) -> Instant {
        self.last_due + Duration::from_secs_f64(1.0 / limit.rate(now))
    }

    /// The server accepted a request.
    pub(super) fn accepted(&mut self, now: Instant) {
        self.accepted = self.accepted.saturating_add(1);
        self.last_seen = now;
        if self.accepted > self.accepted_before + self.accepted_before / 2
            && let Some(rate) = self.tried_from.take()
        {
            // Half the rate makes refusals rarer, so there is a limit.
            self.limit = Some(Limit { base: rate * MARGIN, since: now, period: FAIR });
        }
    }

    /// The server refused a request and asks for a pause. `at_once` is how many requests were in flight at the most.
    pub(super) fn refused(&mut self, now: Instant, pause: Duration, at_once: u32) {
        let resumed = now + pause;
        // The last refusal took more than a tenth of the requests before it. Twice in a row, that is a limit after all.
        self.costly = if self.refused * 10 > self.accepted_before { self.costly + 1 } else { 0 };
        if self.costly >= 2 {
            self.unpaced_until = None;
        }
        self.refused = 1;
        let elapsed = now.saturating_duration_since(self.counted_since);
        let is_early = self.limit.is_some_and(|limit| limit.period != POOR) && elapsed < SOON;
        let is_as_before = self.accepted <= self.accepted_before.saturating_mul(2);
        self.useless = if is_early && is_as_before { self.useless + 1 } else { 0 };
        if self.useless > TRIED_AFTER {
            (self.useless, self.limit, self.unpaced_until) = (0, None, Some(now + UNPACED_FOR));
        }
        // Without anything accepted, it was not this client's rate that was too high.
        if self.accepted > 0 && self.unpaced_until.is_none_or(|until| now >= until) {
            // A burst used up what the whole pause brings.
            let seen = f64::from(self.accepted) / elapsed.max(pause).as_secs_f64().max(0.001);
            let is_fair = self.accepted > at_once + at_once / 2;
            let found = match self.limit {
                None if is_fair => Some((seen * MARGIN, FAIR)),
                // Fewer at once may be all that is needed, so the first time is forgiven.
                None if !self.was_refused(now) => None,
                None => Some((seen, POOR)),
                Some(limit) => {
                    let rate = limit.rate(now);
                    let least = if limit.period == POOR { 0.5 } else { 0.8 };
                    // A rate that was refused soon is another client's doing, or the limit has changed.
                    let was_kept = limit.period != POOR && elapsed * 3 > limit.period;
                    let period = if was_kept { GOOD.min(limit.period * 2) } else { FAIR };
                    let base = seen.clamp(rate * least, rate * MARGIN);
                    self.tried_from = (self.useless == TRIED_AFTER).then_some(rate);
                    Some((self.tried_from.map_or(base, |rate| rate * 0.5), period))
                }
            };
            self.limit = found.map(|(base, period)| Limit { base, since: resumed, period });
        } else if let Some(limit) = &mut self.limit {
            limit.since = resumed;
        }
        (self.last_refused, self.accepted_before) = (Some(now), self.accepted);
        (self.counted_since, self.accepted, self.last_seen, self.last_due) = (resumed, 0, resumed, resumed);
    }

    /// The server refused another of the requests that were sent before the pause.
    pub(super) fn refused_as_well(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    fn was_refused(&self, now: Instant) -> bool {
        self.last_refused.is_some_and(|last| now.saturating_duration_since(last) <= FORGOTTEN_AFTER)
    }
}
