//! Retries. A failed request is sent again if that is safe and the budget allows it, after a pause with jitter. Throttling is handled
//! separately: a response that asks for a pause pauses the whole client, see [`Gate`], and is waited out.

pub(super) mod budget;
mod gate;
mod pace;
mod slots;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::StatusCode;

use self::{
    budget::RetryBudget,
    gate::{Closed, Gate},
    slots::{Slot, Slots},
};
use super::{
    observe::{AttemptTimer, Ending, Event, Observer, Subject, service_request_id},
    service::{
        HttpRequest, HttpResponse, HttpService,
        error::{HttpError, HttpErrorKind},
    },
};
use crate::clock::{SharedClock, jitter};

/// Limits of retries and concurrency. Names and defaults are those of the Azure SDKs.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Attempts after the first. Those that the server throttles do not count.
    pub max_retries: u32,
    /// Shortest pause. Each is random between this and three times the previous one.
    pub delay: Duration,
    /// Longest pause, unless the server asks for a longer one.
    pub max_delay: Duration,
    /// Most requests in flight, even if the server recommends more.
    pub max_concurrency: usize,
}

impl RetryPolicy {
    /// Dataverse rejects the 53rd concurrent request of a user. The margin is for a second client.
    pub const MAX_CONCURRENCY: usize = 48;
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            delay: Duration::from_millis(800),
            max_delay: Duration::from_secs(60),
            max_concurrency: Self::MAX_CONCURRENCY,
        }
    }
}

/// A layer that retries requests and limits how many are in flight.
pub struct RetryingHttp {
    http: Arc<dyn HttpService>,
    clock: SharedClock,
    policy: RetryPolicy,
    budget: Arc<RetryBudget>,
    gate: Gate,
    slots: Slots,
    observer: Arc<dyn Observer>,
}

/// Whether a request may be sent again after this outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is not sent again, and the outcome is returned.
    Final,
    /// It may succeed if it is sent again.
    Transient,
    /// It may succeed after the pause that the server asks the whole client for.
    Throttled,
}

struct Attempt {
    outcome: Result<HttpResponse, HttpError>,
    verdict: Verdict,
    /// Delay before the next attempt.
    pause: Duration,
}

impl RetryingHttp {
    /// Retries requests of `http` as far as the budget allows, and reports them to the observer.
    #[must_use]
    pub fn new(
        http: Arc<dyn HttpService>,
        clock: SharedClock,
        policy: RetryPolicy,
        budget: Arc<RetryBudget>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let (gate, slots) = (Gate::new(Arc::clone(&clock)), Slots::new(policy.max_concurrency));
        Self { http, clock, policy, budget, gate, slots, observer }
    }

    /// For a client that is being closed: requests no longer wait for a throttling server, but fail with `Throttled`.
    pub fn stop_waiting(&self) {
        self.gate.close();
    }

    /// [`HttpService::call`] for the layer above, without a box.
    pub(super) async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let (mut attempts, mut retries, mut was_paid) = (0, 0, false);
        let mut backoff = Duration::ZERO;
        let mut throttled: Option<HttpResponse> = None;
        loop {
            backoff = self.backoff(backoff);
            attempts += 1;
            let Attempt { outcome, verdict, pause } = match self.attempt(request, attempts, backoff).await {
                Ok(attempt) => attempt,
                // The server's own response is more specific.
                Err(Closed(left)) => return throttled.ok_or_else(|| throttled_for(left)),
            };
            match verdict {
                Verdict::Final => {
                    if outcome.as_ref().is_ok_and(|response| response.status.is_success()) {
                        self.budget.succeeded(was_paid);
                    }
                    return outcome;
                }
                // The gate waits for the pause to end, up to the caller's deadline. It costs neither retries nor budget.
                Verdict::Throttled => was_paid = false,
                Verdict::Transient => {
                    let too_late = request.deadline.is_some_and(|deadline| self.clock.now() + pause >= deadline);
                    if retries == self.policy.max_retries || too_late || !self.budget.affords_retry() {
                        return outcome;
                    }
                    (retries, was_paid) = (retries + 1, true);
                }
            }
            if self.observer.is_listening() {
                let (subject, ending) = (Subject::new(request, attempts), Ending::from(&outcome));
                self.observer.observe(Event::Retry { subject, ending, delay: pause });
            }
            if verdict == Verdict::Transient {
                self.clock.sleep(pause).await;
            }
            throttled = outcome.ok().filter(|_| verdict == Verdict::Throttled);
        }
    }

    async fn attempt(&self, request: &HttpRequest, number: u32, backoff: Duration) -> Result<Attempt, Closed> {
        // First a slot, then the gate: the gate may close while the request waits for a slot.
        let _slot = self.slot(request).await?;
        let permit = match self.gate.permit_if_unlimited() {
            Some(permit) => permit,
            None => Box::pin(self.gate.enter(request.deadline)).await?,
        };
        request.progress.sending();
        let timer = AttemptTimer::start(&*self.observer, &*self.clock, request, number);
        let outcome = self.http.call(request).await;
        timer.stop(&outcome);
        if let Ok(response) = &outcome {
            self.slots.follow(&response.headers);
            // Recorded now, because a retry may get no response.
            if let Some(id) = service_request_id(&response.headers) {
                request.progress.responded(id);
            }
        }
        if !may_have_acted(&outcome) {
            request.progress.not_applied();
        }
        let Some(delay) = throttle_delay(&outcome) else {
            permit.accepted();
            self.slots.grow();
            let verdict = judge(request, &outcome);
            return Ok(Attempt { outcome, verdict, pause: backoff });
        };
        // If the server states no time, the pause grows with each attempt.
        let pause = if delay.is_zero() { backoff } else { delay };
        if self.observer.is_listening() {
            self.observer.observe(Event::Throttle { subject: Subject::new(request, number), delay: pause });
        }
        if permit.throttled(pause, self.slots.total()) {
            self.slots.shrink();
        }
        let may_repeat = request.repeatable || !may_have_acted(&outcome);
        let verdict = if may_repeat { Verdict::Throttled } else { Verdict::Final };
        Ok(Attempt { outcome, verdict, pause })
    }

    /// Waits for a slot, unless the gate closes first.
    async fn slot(&self, request: &HttpRequest) -> Result<Slot<'_>, Closed> {
        tokio::select! {
            biased;
            slot = self.slots.take() => Ok(slot),
            closed = self.gate.closed_beyond(request.deadline) => Err(closed),
        }
    }

    /// The pause before the next attempt, after a pause of `previous`. The jitter is decorrelated, so that requests that failed together
    /// are not sent again together.
    fn backoff(&self, previous: Duration) -> Duration {
        let least = self.policy.delay.min(self.policy.max_delay);
        let most = previous.max(least).saturating_mul(3).min(self.policy.max_delay);
        least + jitter(&*self.clock, most.saturating_sub(least))
    }
}

impl HttpService for RetryingHttp {
    fn call<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, HttpError>> {
        Box::pin(self.exchange(request))
    }
}

fn throttled_for(left: Duration) -> HttpError {
    let message = format!("the server asked this client to wait for another {} ms", left.as_millis());
    HttpError { retry_after: Some(left), ..HttpError::new(HttpErrorKind::Throttled, message) }
}

/// The pause that the server asks the whole client for, if it does: with a 429, or with a 503 that states a time. Zero means that it
/// states none.
fn throttle_delay(outcome: &Result<HttpResponse, HttpError>) -> Option<Duration> {
    let response = outcome.as_ref().ok()?;
    match response.status {
        StatusCode::TOO_MANY_REQUESTS => Some(response.retry_after().unwrap_or_default()),
        StatusCode::SERVICE_UNAVAILABLE => response.retry_after(),
        _ => None,
    }
}

/// Whether the server may have acted on the request. A 429 is sent before anything is done, and without a connection nothing is sent.
fn may_have_acted(outcome: &Result<HttpResponse, HttpError>) -> bool {
    match outcome {
        Ok(response) => response.status != StatusCode::TOO_MANY_REQUESTS,
        Err(error) => error.kind.may_have_been_sent(),
    }
}

/// Whether to send the request again. A write without a response is not retried here: only the caller can find out whether it was
/// applied.
fn judge(request: &HttpRequest, outcome: &Result<HttpResponse, HttpError>) -> Verdict {
    match outcome {
        Ok(response) => match response.status.as_u16() {
            408 | 500 | 502 | 503 | 504 if request.repeatable => Verdict::Transient,
            _ => Verdict::Final,
        },
        // It would fail in the same way.
        Err(error) if error.kind.is_configuration() => Verdict::Final,
        Err(error) if request.repeatable || !error.kind.may_have_been_sent() => Verdict::Transient,
        Err(_) => Verdict::Final,
    }
}
