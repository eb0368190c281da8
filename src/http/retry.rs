//! Requests that are repeated when that is right. Three questions, in this order: may it be repeated, can we afford it, how long
//! do we wait. Throttling is the whole client's business: see [`Gate`].

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{Method, StatusCode};

use super::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    gate::{Gate, Shut},
    retry_after::retry_after,
};
use crate::clock::{SharedClock, jitter};

/// How often and how patiently. The names and defaults are those of the Azure SDKs.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Attempts after the first.
    pub max_retries: u32,
    /// The longest first pause; it doubles with every further one, and a share of it is taken at random.
    pub delay: Duration,
    /// The longest pause, unless the server asks for more.
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_retries: 3, delay: Duration::from_millis(800), max_delay: Duration::from_secs(60) }
    }
}

/// A service that repeats what may be repeated.
pub struct RetryingHttp {
    http: Arc<dyn HttpService>,
    clock: SharedClock,
    policy: RetryPolicy,
    budget: Budget,
    gate: Gate,
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

impl RetryingHttp {
    /// Repeats what `http` does.
    #[must_use]
    pub fn new(http: Arc<dyn HttpService>, clock: SharedClock, policy: RetryPolicy) -> Self {
        let gate = Gate::new(Arc::clone(&clock));
        Self { http, clock, policy, budget: Budget::default(), gate }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut retries = 0;
        let mut throttled: Option<HttpResponse> = None;
        loop {
            let pass = match (self.gate.enter(request.deadline).await, throttled.take()) {
                (Ok(pass), _) => pass,
                // Shut for longer than the caller can wait.
                (Err(_), Some(answer)) => return Ok(answer),
                (Err(Shut(left)), None) => return Err(shut(left)),
            };
            request.in_flight.store(true, Ordering::SeqCst);
            let answer = self.http.call(request.clone()).await;
            let verdict = judge(&request, &answer);
            if !may_have_acted(&answer) {
                request.in_flight.store(false, Ordering::SeqCst);
            }
            let wish = answer.as_ref().ok().and_then(|response| retry_after(&response.headers));
            let pause = self.pause(retries, wish);
            // A 503 that names a time means everybody, too.
            let everybody = verdict == Verdict::Throttled || (wish.is_some() && is_unavailable(&answer));
            if everybody {
                pass.shut(pause);
            } else {
                pass.open();
            }
            if verdict == Verdict::Final || retries == self.policy.max_retries || !self.budget.spend(verdict) {
                if answer.as_ref().is_ok_and(|response| response.status.is_success()) {
                    self.budget.refund();
                }
                return answer;
            }
            retries += 1;
            if everybody {
                // The gate is where the waiting is done.
                throttled = answer.ok();
                continue;
            }
            if request.deadline.is_some_and(|deadline| self.clock.now() + pause >= deadline) {
                return answer;
            }
            self.clock.sleep(pause).await;
        }
    }

    /// The server's wish or our own pause, whichever is longer.
    fn pause(&self, retries: u32, wish: Option<Duration>) -> Duration {
        let most = self.policy.delay.saturating_mul(2_u32.saturating_pow(retries)).min(self.policy.max_delay);
        // Never nothing, or a burst would come back as a burst.
        let own = most / 2 + jitter(&*self.clock, most / 2);
        wish.map_or(own, |wish| wish.max(own))
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
    let reads = request.method == Method::GET;
    match answer {
        Ok(response) => match response.status.as_u16() {
            429 => Verdict::Throttled,
            408 | 500 | 502 | 503 | 504 if reads => Verdict::Transient,
            _ => Verdict::Final,
        },
        Err(error) if reads || !error.kind.may_have_been_sent() => Verdict::Transient,
        Err(_) => Verdict::Final,
    }
}

/// Can we afford it? Retries draw on what successes pay in, so that an outage never multiplies traffic.
struct Budget(Mutex<u32>);

impl Budget {
    const FULL: u32 = 500;

    fn spend(&self, verdict: Verdict) -> bool {
        let price = if verdict == Verdict::Throttled { 5 } else { 10 };
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = *left >= price;
        if enough {
            *left -= price;
        }
        enough
    }

    fn refund(&self) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *left = (*left + 1).min(Self::FULL);
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self(Mutex::new(Self::FULL))
    }
}
