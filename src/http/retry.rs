//! Requests that are repeated when that is right. Three questions, in this order: may it be repeated, can we afford it, how long
//! do we wait. Throttling is the whole client's business: see [`Gate`].

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::StatusCode;

use super::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    budget::RetryBudget,
    gate::{Gate, Shut},
    observe::{Ending, Event, Observer, Subject, Watched, service_request_id},
    retry_after::retry_after,
    slots::Slots,
};
use crate::clock::{SharedClock, jitter};

/// How often, how patiently, and how much at once. The names and defaults are those of the Azure SDKs.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Attempts after the first.
    pub max_retries: u32,
    /// The shortest pause. Each is drawn between this and three times the one before.
    pub delay: Duration,
    /// The longest pause, unless the server asks for more.
    pub max_delay: Duration,
    /// Requests under way at once, whatever the server recommends.
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

/// What an answer, or its absence, says about another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is the outcome, good or bad.
    Final,
    /// The server refused before it acted: any request may be repeated, but all of them have to wait.
    Throttled,
    /// It may go better the next time, and the request may be repeated.
    Transient,
}

/// One attempt, and what it means.
struct Attempt {
    answer: Result<HttpResponse, HttpError>,
    verdict: Verdict,
    /// How long to wait before the next.
    pause: Duration,
    /// Whether all requests have to.
    everybody: bool,
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

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut retries = 0;
        let mut own = Duration::ZERO;
        let mut throttled: Option<HttpResponse> = None;
        loop {
            own = self.pause(own);
            let Attempt { answer, verdict, pause, everybody } = match self.attempt(&request, retries + 1, own).await {
                Ok(attempt) => attempt,
                // Shut for longer than the caller can wait: the server's own word says it best.
                Err(Shut(left)) => return throttled.ok_or_else(|| shut(left)),
            };
            if verdict == Verdict::Final || retries == self.policy.max_retries || !self.affords(verdict) {
                if answer.as_ref().is_ok_and(|response| response.status.is_success()) {
                    self.budget.refund();
                }
                return answer;
            }
            retries += 1;
            let too_late = !everybody && request.deadline.is_some_and(|deadline| self.clock.now() + pause >= deadline);
            if too_late {
                return answer;
            }
            if self.observer.is_listening() {
                let (subject, ending) = (Subject::of(&request, retries), Ending::of(&answer));
                self.observer.observe(Event::Retry { subject, ending, delay: pause });
            }
            throttled = answer.ok().filter(|_| everybody);
            if !everybody {
                self.clock.sleep(pause).await;
            }
            // Otherwise the gate is where the waiting is done.
        }
    }

    async fn attempt(&self, request: &HttpRequest, number: u32, own: Duration) -> Result<Attempt, Shut> {
        // First a slot, then the gate: what waits for a slot while the gate shuts must not be sent.
        let _slot = self.slots.take().await;
        let pass = self.gate.enter(request.deadline).await?;
        request.in_flight.store(true, Ordering::SeqCst);
        let watched = Watched::begin(&*self.observer, &*self.clock, request, number);
        let answer = self.http.call(request.clone()).await;
        watched.end(&answer);
        if let Ok(response) = &answer {
            self.slots.follow(&response.headers);
            // Now, because the next attempt may bring no answer and nobody else sees this one.
            if let Some(id) = service_request_id(&response.headers) {
                *request.answered_as.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
            }
        }
        let verdict = judge(request, &answer);
        if !may_have_acted(&answer) {
            request.in_flight.store(false, Ordering::SeqCst);
        }
        let wish = answer.as_ref().ok().and_then(|response| retry_after(&response.headers, self.clock.wall()));
        let pause = wish.map_or(own, |wish| wish.max(own));
        // A 503 that names a time means everybody, too.
        let everybody = verdict == Verdict::Throttled || (wish.is_some() && is_unavailable(&answer));
        if everybody {
            if self.observer.is_listening() {
                self.observer.observe(Event::Throttle { subject: Subject::of(request, number), delay: pause });
            }
            pass.shut(pause);
        } else {
            pass.open();
        }
        Ok(Attempt { answer, verdict, pause, everybody })
    }

    /// Our own pause, after one of this length: jitter that is not correlated, so that who collided does not collide again.
    fn pause(&self, before: Duration) -> Duration {
        let least = self.policy.delay.min(self.policy.max_delay);
        let most = before.max(least).saturating_mul(3).min(self.policy.max_delay);
        least + jitter(&*self.clock, most.saturating_sub(least))
    }

    fn affords(&self, verdict: Verdict) -> bool {
        let price = if verdict == Verdict::Throttled { RetryBudget::THROTTLED } else { RetryBudget::FAILED };
        self.budget.spend(price)
    }
}

impl HttpService for RetryingHttp {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(self.exchange(request))
    }
}

fn shut(left: Duration) -> HttpError {
    let message = format!("the server asked this client to wait, for {} ms more", left.as_millis());
    HttpError { kind: HttpErrorKind::Throttled, message, retry_after: Some(left), source: None }
}

/// A 429 is given before anything is done, and a connection that did not come about carried nothing.
fn may_have_acted(answer: &Result<HttpResponse, HttpError>) -> bool {
    match answer {
        Ok(response) => response.status != StatusCode::TOO_MANY_REQUESTS,
        Err(error) => error.kind.may_have_been_sent(),
    }
}

fn is_unavailable(answer: &Result<HttpResponse, HttpError>) -> bool {
    answer.as_ref().is_ok_and(|response| response.status == StatusCode::SERVICE_UNAVAILABLE)
}

/// May it be repeated? Of a write whose answer is missing only the caller can find out what became of it, so it is not.
fn judge(request: &HttpRequest, answer: &Result<HttpResponse, HttpError>) -> Verdict {
    let harmless = request.repeatable;
    match answer {
        Ok(response) => match response.status.as_u16() {
            429 => Verdict::Throttled,
            408 | 500 | 502 | 503 | 504 if harmless => Verdict::Transient,
            _ => Verdict::Final,
        },
        // It would fail alike.
        Err(error) if error.kind.is_configuration() => Verdict::Final,
        Err(error) if harmless || !error.kind.may_have_been_sent() => Verdict::Transient,
        Err(_) => Verdict::Final,
    }
}
