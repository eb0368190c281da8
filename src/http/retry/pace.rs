//! Estimates the request rate that a throttling server allows, from the requests that it accepted. A limit on requests in flight cannot
//! express "ten per second": with responses in 5 ms, even one request at a time is twenty times too many.
//!
//! Until a request is throttled, the rate is unlimited. Then the estimate is the number of requests accepted since the last pause,
//! divided by the time that they and the new pause take. From there the rate grows with a power of time: slowly at first, so that a
//! good estimate is used for long before a higher rate is tried, and steeply later, so that a poor one does not last. TCP CUBIC finds
//! bandwidth in the same way.

use std::time::{Duration, Instant};

/// Time in which a poor estimate doubles. A server that throttled the first round of requests has only shown how many it accepts at
/// once, so a higher rate is tried soon.
const POOR: Duration = Duration::from_secs(2);
/// Time in which a fair estimate doubles: the server accepted several rounds.
const FAIR: Duration = Duration::from_secs(15);
/// Time in which a good estimate doubles: the server throttled while the client kept to that rate.
const GOOD: Duration = Duration::from_secs(120);
/// After this long without throttling an estimate is dropped. Dataverse counts requests over the same time.
const ESTIMATE_TTL: Duration = Duration::from_secs(300);
/// After this long without a request, counting starts again: idle time says nothing about the server.
const IDLE: Duration = Duration::from_secs(1);
/// Delay of a late timer that is made up for. Timers are exact to a millisecond, and more would be a burst.
const SLACK: Duration = Duration::from_millis(2);
/// Share of a throttled rate that is tried next.
const MARGIN: f64 = 0.97;
/// A rate that is throttled this soon was not too high: another client may have used up the limit, or the server throttles at random.
const SOON: Duration = Duration::from_secs(4);
/// After this many of those in a row, half the rate is tried. With a limit, throttling then becomes rarer; at random it does not.
const HALVE_RATE_AFTER: u32 = 3;
/// How long the rate is unlimited if the server throttles at random, because only the pauses help then.
const UNPACED_FOR: Duration = ESTIMATE_TTL;
/// The rate grows while a request waits, so the wait is computed again after this long.
const RECHECK: Duration = Duration::from_millis(500);

/// The estimate of the server's rate, and when the next request may be sent.
pub(super) struct Pace {
    /// Start of the count `accepted`: the end of the last pause or idle time.
    counted_since: Instant,
    accepted: u32,
    last_seen: Instant,
    last_throttled: Option<Instant>,
    /// Requests accepted between the last two pauses.
    accepted_before: u32,
    /// Pauses in a row that a lower rate did not make rarer.
    useless: u32,
    unpaced_until: Option<Instant>,
    /// The rate to return to while half of it is tried.
    tried_from: Option<f64>,
    /// Requests throttled together the last time.
    throttled: u32,
    /// Times in a row that too many were throttled to be random.
    costly: u32,
    limit: Option<Limit>,
    /// When the last request was due.
    last_due: Instant,
}

#[derive(Clone, Copy)]
struct Limit {
    /// Requests per second at `since`.
    base: f64,
    since: Instant,
    /// Time in which the rate doubles.
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
            last_throttled: None,
            accepted_before: 0,
            useless: 0,
            unpaced_until: None,
            tried_from: None,
            throttled: 0,
            costly: 0,
            limit: None,
            last_due: now,
        }
    }

    /// Whether requests are sent at once.
    pub(super) const fn is_unlimited(&self) -> bool {
        self.limit.is_none()
    }

    /// How long the next request has to wait until it checks again.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        if !self.was_throttled(now) {
            self.limit = None;
        }
        match self.limit {
            Some(limit) => self.due(limit, now).saturating_duration_since(now).min(RECHECK),
            None => Duration::ZERO,
        }
    }

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

    pub(super) fn accepted(&mut self, now: Instant) {
        self.accepted = self.accepted.saturating_add(1);
        self.last_seen = now;
        if self.accepted > self.accepted_before + self.accepted_before / 2
            && let Some(rate) = self.tried_from.take()
        {
            // At half the rate throttling is rarer, so there is a limit.
            self.limit = Some(Limit { base: rate * MARGIN, since: now, period: FAIR });
        }
    }

    /// The server throttled a request and asks for a pause. `at_once`: most requests that were in flight.
    pub(super) fn throttled(&mut self, now: Instant, pause: Duration, at_once: u32) {
        let resumed = now + pause;
        // More than a tenth of the requests were throttled together. Twice in a row, that is a limit after all.
        self.costly = if self.throttled * 10 > self.accepted_before { self.costly + 1 } else { 0 };
        if self.costly >= 2 {
            self.unpaced_until = None;
        }
        self.throttled = 1;
        let elapsed = now.saturating_duration_since(self.counted_since);
        let is_early = self.limit.is_some_and(|limit| limit.period != POOR) && elapsed < SOON;
        let is_as_before = self.accepted <= self.accepted_before.saturating_mul(2);
        self.useless = if is_early && is_as_before { self.useless + 1 } else { 0 };
        if self.useless > HALVE_RATE_AFTER {
            (self.useless, self.limit, self.unpaced_until) = (0, None, Some(now + UNPACED_FOR));
        }
        // If nothing was accepted, this client's rate was not too high.
        if self.accepted > 0 && self.unpaced_until.is_none_or(|until| now >= until) {
            // A burst may use up what the server allows for the whole pause.
            let seen = f64::from(self.accepted) / elapsed.max(pause).as_secs_f64().max(0.001);
            let is_fair = self.accepted > at_once + at_once / 2;
            let found = match self.limit {
                None if is_fair => Some((seen * MARGIN, FAIR)),
                // The first time nothing is limited: fewer requests at once may suffice.
                None if !self.was_throttled(now) => None,
                None => Some((seen, POOR)),
                Some(limit) => {
                    let rate = limit.rate(now);
                    let least = if limit.period == POOR { 0.5 } else { 0.8 };
                    // If the rate was throttled soon, another client interfered or the limit changed.
                    let was_kept = limit.period != POOR && elapsed * 3 > limit.period;
                    let period = if was_kept { GOOD.min(limit.period * 2) } else { FAIR };
                    let base = seen.clamp(rate * least, rate * MARGIN);
                    self.tried_from = (self.useless == HALVE_RATE_AFTER).then_some(rate);
                    Some((self.tried_from.map_or(base, |rate| rate * 0.5), period))
                }
            };
            self.limit = found.map(|(base, period)| Limit { base, since: resumed, period });
        } else if let Some(limit) = &mut self.limit {
            limit.since = resumed;
        }
        (self.last_throttled, self.accepted_before) = (Some(now), self.accepted);
        (self.counted_since, self.accepted, self.last_seen, self.last_due) = (resumed, 0, resumed, resumed);
    }

    /// The server throttled another of the requests that were sent before the pause.
    pub(super) fn also_throttled(&mut self) {
        self.throttled = self.throttled.saturating_add(1);
    }

    fn was_throttled(&self, now: Instant) -> bool {
        self.last_throttled.is_some_and(|last| now.saturating_duration_since(last) <= ESTIMATE_TTL)
    }
}
