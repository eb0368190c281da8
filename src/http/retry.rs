//! Sends requests again when that is right. Three questions, in this order: may it be sent again, can the budget afford it, how long
//! is the pause. Throttling is another matter: a refusal pauses the whole client, see [`Gate`], and is waited out.

pub(super) mod budget;
mod gate;
mod pace;
mod slots;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::StatusCode;

use self::{
    budget::RetryBudget,
    gate::{Gate, Shut},
    slots::Slots,
};
use super::{
    observe::{Ending, Event, Observer, Subject, Watched, service_request_id},
    service::{
        HttpRequest, HttpResponse, HttpService,
        error::{HttpError, HttpErrorKind},
    },
};
use crate::clock::{SharedClock, jitter};

/// How often, how patiently, and how much at once. The names and defaults are those of the Azure SDKs.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Attempts after the first, of a request that fails. Those that the server refuses with a request to wait do not count.
    pub max_retries: u32,
    /// The shortest pause. Each is drawn between this and three times the one before.
    pub delay: Duration,
    /// The longest pause, unless the server asks for a longer one.
    pub max_delay: Duration,
    /// The most requests in flight, whatever the server recommends.
    pub max_concurrency: usize,
}

impl RetryPolicy {
    /// Dataverse refuses the 53rd concurrent request of a user (`dataverse-wire.md` 6.1); the margin is for a second client.
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

/// A service that repeats what may be repeated.
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
    /// It may not, or need not.
    Final,
    /// It may, because it may succeed the next time.
    Transient,
    /// It may, after the pause that the server asks all requests of this client for.
    Throttled,
}

/// One attempt, and what it means.
struct Attempt {
    answer: Result<HttpResponse, HttpError>,
    verdict: Verdict,
    /// How long to wait before the next.
    pause: Duration,
}

impl RetryingHttp {
    /// Repeats what `http` does, as far as the budget goes, and tells the observer.
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

    /// The client is being closed: requests no longer wait for a throttling server, and fail with `Throttled`.
    pub fn stop_waiting(&self) {
        self.gate.close();
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (mut attempts, mut retries, mut was_paid) = (0, 0, false);
        let mut backoff = Duration::ZERO;
        let mut refused: Option<HttpResponse> = None;
        loop {
            backoff = self.backoff(backoff);
            attempts += 1;
            let Attempt { answer, verdict, pause } = match self.attempt(&request, attempts, backoff).await {
                Ok(attempt) => attempt,
                // The server's own words say it best.
                Err(Shut(left)) => return refused.ok_or_else(|| shut(left)),
            };
            match verdict {
                Verdict::Final => {
                    if answer.as_ref().is_ok_and(|response| response.status.is_success()) {
                        self.budget.succeeded(was_paid);
                    }
                    return answer;
                }
                // The gate is where this pause is waited out. It ends with the caller's deadline, and costs neither retries nor budget.
                Verdict::Throttled => was_paid = false,
                Verdict::Transient => {
                    let too_late = request.deadline.is_some_and(|deadline| self.clock.now() + pause >= deadline);
                    if retries == self.policy.max_retries || too_late || !self.budget.affords_retry() {
                        return answer;
                    }
                    (retries, was_paid) = (retries + 1, true);
                }
            }
            if self.observer.is_listening() {
                let (subject, ending) = (Subject::of(&request, attempts), Ending::of(&answer));
                self.observer.observe(Event::Retry { subject, ending, delay: pause });
            }
            if verdict == Verdict::Transient {
                self.clock.sleep(pause).await;
            }
            refused = answer.ok().filter(|_| verdict == Verdict::Throttled);
        }
    }

    async fn attempt(&self, request: &HttpRequest, number: u32, backoff: Duration) -> Result<Attempt, Shut> {
        // First a slot, then the gate: a request that waits for a slot while the gate shuts must not be sent.
        let _slot = tokio::select! {
            biased;
            slot = self.slots.take() => slot,
            shut = self.gate.shut_beyond(request.deadline) => return Err(shut),
        };
        let pass = self.gate.enter(request.deadline).await?;
        request.progress.sending();
        let watched = Watched::begin(&*self.observer, &*self.clock, request, number);
        let answer = self.http.call(request.clone()).await;
        watched.end(&answer);
        if let Ok(response) = &answer {
            self.slots.follow(&response.headers);
            // Now, because the next attempt may bring no answer and nobody else sees this one.
            if let Some(id) = service_request_id(&response.headers) {
                request.progress.responded(id);
            }
        }
        if !may_have_acted(&answer) {
            request.progress.not_applied();
        }
        let Some(asked) = refusal(&answer) else {
            pass.accepted();
            self.slots.grow();
            let verdict = judge(request, &answer);
            return Ok(Attempt { answer, verdict, pause: backoff });
        };
        // A server that names no time gets the one that grows with each attempt.
        let pause = if asked.is_zero() { backoff } else { asked };
        if self.observer.is_listening() {
            self.observer.observe(Event::Throttle { subject: Subject::of(request, number), delay: pause });
        }
        if pass.refused(pause, self.slots.total()) {
            self.slots.shrink();
        }
        let may_repeat = request.repeatable || !may_have_acted(&answer);
        let verdict = if may_repeat { Verdict::Throttled } else { Verdict::Final };
        Ok(Attempt { answer, verdict, pause })
    }

    /// The pause before the next attempt, after one of this length. The jitter is decorrelated, so that requests that failed together
    /// are not sent again together.
    fn backoff(&self, before: Duration) -> Duration {
        let least = self.policy.delay.min(self.policy.max_delay);
        let most = before.max(least).saturating_mul(3).min(self.policy.max_delay);
        least + jitter(&*self.clock, most.saturating_sub(least))
    }
}

impl HttpService for RetryingHttp {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(self.exchange(request))
    }
}

fn shut(left: Duration) -> HttpError {
    let message = format!("the server asked this client to wait, for {} ms more", left.as_millis());
    HttpError { retry_after: Some(left), ..HttpError::new(HttpErrorKind::Throttled, message) }
}

/// The pause that the server asks the whole client for, if it does: a 429 always does, with or without a time, and a 503 with a
/// time. Zero means that it names no time.
fn refusal(answer: &Result<HttpResponse, HttpError>) -> Option<Duration> {
    let response = answer.as_ref().ok()?;
    match response.status {
        StatusCode::TOO_MANY_REQUESTS => Some(response.retry_after().unwrap_or_default()),
        StatusCode::SERVICE_UNAVAILABLE => response.retry_after(),
        _ => None,
    }
}

/// A 429 is given before anything is done, and a connection that did not come about carried nothing.
fn may_have_acted(answer: &Result<HttpResponse, HttpError>) -> bool {
    match answer {
        Ok(response) => response.status != StatusCode::TOO_MANY_REQUESTS,
        Err(error) => error.kind.may_have_been_sent(),
    }
}

/// May it be sent again? Of a write without a response only the caller can find out what became of it, so it is not.
fn judge(request: &HttpRequest, answer: &Result<HttpResponse, HttpError>) -> Verdict {
    match answer {
        Ok(response) => match response.status.as_u16() {
            408 | 500 | 502 | 503 | 504 if request.repeatable => Verdict::Transient,
            _ => Verdict::Final,
        },
        // It would fail alike.
        Err(error) if error.kind.is_configuration() => Verdict::Final,
        Err(error) if request.repeatable || !error.kind.may_have_been_sent() => Verdict::Transient,
        Err(_) => Verdict::Final,
    }
}
