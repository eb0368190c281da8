//! One token for all calls of a client: requested once for all that wait, refreshed before it expires, dropped when rejected.
//!
//! A token request is a task of its own, because it must outlive the call that started it: the next call needs a token that arrives
//! after that call's deadline.

use std::{
    ops::RangeInclusive,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use tokio::{sync::watch, task::AbortHandle};

use super::{AccessToken, Token, TokenProvider};
use crate::{
    clock::{SharedClock, jitter},
    error::{Code, LinkError},
    sync::lock,
};

/// Lifetime of a token whose provider states none. A rejected token is dropped at once anyway.
const DEFAULT_TTL: Duration = Duration::from_secs(60);
/// Plausible lifetimes. Others come from wrong units and wrong clocks, and count as unknown: a token that seems to have expired would be
/// requested again for every call.
const PLAUSIBLE_LIFETIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(366 * 86_400);
/// A token is refreshed this long before it expires, or a quarter of its lifetime if that is less ...
const REFRESH_EARLY_BY: Duration = Duration::from_secs(300);
/// ... and up to this much earlier, so that many clients do not refresh at once.
const REFRESH_JITTER: Duration = Duration::from_secs(60);

/// A failed request is not repeated within this time, so that simultaneous calls do not repeat it one after the other ...
const RETRY_FAILED_AFTER: Duration = Duration::from_secs(1);
/// ... and within this time while the current token is valid.
const RETRY_REFRESH_AFTER: Duration = Duration::from_secs(30);
/// How long a call waits for a refresh while the current token is valid.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(5);

/// The cache. Dropping it cancels a token request.
pub struct TokenCache(Arc<Shared>);

struct Shared {
    provider: Arc<dyn TokenProvider>,
    clock: SharedClock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cached: Option<Cached>,
    /// Error of the last request, and when it occurred.
    failure: Option<(LinkError, Instant)>,
    /// Claims that the server requires of the next token.
    claims: Option<String>,
    request: Option<Request>,
}

struct Cached {
    token: Token,
    refresh_at: Instant,
    expires_at: Instant,
    is_known: bool,
}

type Outcome = Result<Token, Arc<LinkError>>;
type Sender = watch::Sender<Option<Outcome>>;
type Receiver = watch::Receiver<Option<Outcome>>;

/// A token request that all calls wait for.
struct Request {
    claims: Option<String>,
    /// Closed without an outcome if the request was cancelled.
    outcome: Receiver,
    /// `None` while the call that started it polls it for the first time.
    task: Option<AbortHandle>,
}

impl Request {
    /// Whether it may still return a token with these claims.
    fn serves(&self, claims: Option<&str>) -> bool {
        self.claims.as_deref() == claims && self.task.as_ref().is_none_or(|task| !task.is_finished())
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl TokenCache {
    #[must_use]
    pub fn new(provider: Arc<dyn TokenProvider>, clock: SharedClock) -> Self {
        Self(Arc::new(Shared { provider, clock, state: Mutex::default() }))
    }

    /// The current token, unless it is about to expire.
    pub(super) fn current(&self) -> Option<Token> {
        let state = lock(&self.0.state);
        let cached = state.cached.as_ref().filter(|cached| self.0.clock.now() < cached.refresh_at)?;
        Some(cached.token.clone())
    }

    /// A valid token. Needs a Tokio runtime.
    ///
    /// Fails with the error of the provider. While the current token is valid that error is ignored, and a later call tries again.
    pub async fn token(&self) -> Result<Token, LinkError> {
        loop {
            let (mut outcome, usable) = match self.0.look_up() {
                Lookup::Settled(settled) => return settled,
                Lookup::InProgress(outcome) => (outcome, None),
                Lookup::ToRequest { claims, sender, outcome, usable } => {
                    Arc::clone(&self.0).start(claims.as_deref(), sender);
                    (outcome, usable)
                }
            };
            let Some(usable) = usable else {
                match settled(&mut outcome).await {
                    Some(outcome) => return outcome.map_err(|failure| failure.repeated()),
                    // Cancelled, because a token with other claims is needed now.
                    None => continue,
                }
            };
            return tokio::select! {
                biased;
                outcome = settled(&mut outcome) => Ok(outcome.and_then(Result::ok).unwrap_or(usable)),
                () = self.0.clock.sleep(REFRESH_TIMEOUT) => Ok(usable),
            };
        }
    }

    /// Cancels a token request that is in progress.
    pub fn close(&self) {
        lock(&self.0.state).request = None;
    }

    /// Drops a token that the server did not accept. `claims` is passed to the provider with the next request.
    pub fn reject(&self, token: &Token, claims: Option<String>) {
        let mut state = lock(&self.0.state);
        // Another call may have got a new token in the meantime.
        if state.cached.as_ref().is_some_and(|cached| cached.token == *token) {
            state.cached = None;
            state.claims = claims;
        }
    }

    /// Remaining lifetime of the token, if it is the current one and its provider stated a lifetime.
    #[must_use]
    pub fn remaining_lifetime(&self, token: &Token) -> Option<Duration> {
        let state = lock(&self.0.state);
        let cached = state.cached.as_ref().filter(|cached| cached.token == *token && cached.is_known)?;
        Some(cached.expires_at.saturating_duration_since(self.0.clock.now()))
    }
}

impl Drop for TokenCache {
    fn drop(&mut self) {
        self.close();
    }
}

enum Lookup {
    /// It is known, or known to be unavailable.
    Settled(Result<Token, LinkError>),
    InProgress(Receiver),
    /// The call must start a request. `usable` is valid in the meantime.
    ToRequest {
        claims: Option<String>,
        sender: Sender,
        outcome: Receiver,
        usable: Option<Token>,
    },
}

impl Shared {
    fn look_up(&self) -> Lookup {
        let mut state = lock(&self.state);
        let now = self.clock.now();
        let usable = state.cached.as_ref().filter(|cached| now < cached.expires_at);
        if let Some(cached) = usable.filter(|cached| now < cached.refresh_at) {
            return Lookup::Settled(Ok(cached.token.clone()));
        }
        let usable = usable.map(|cached| cached.token.clone());
        let retry_after = if usable.is_some() { RETRY_REFRESH_AFTER } else { RETRY_FAILED_AFTER };
        if let Some((failure, _)) = state.failure.as_ref().filter(|(_, since)| now < *since + retry_after) {
            return Lookup::Settled(usable.ok_or_else(|| failure.repeated()));
        }
        let claims = state.claims.clone();
        match (state.request.as_ref().filter(|request| request.serves(claims.as_deref())), usable) {
            // A refresh is in progress, and the current token is valid.
            (Some(_), Some(token)) => Lookup::Settled(Ok(token)),
            (Some(request), None) => Lookup::InProgress(request.outcome.clone()),
            (None, usable) => {
                let (sender, outcome) = watch::channel(None);
                state.request = Some(Request { claims: claims.clone(), outcome: outcome.clone(), task: None });
                Lookup::ToRequest { claims, sender, outcome, usable }
            }
        }
    }

    /// Calls the provider, in a task of its own unless it returns at once.
    fn start(self: Arc<Self>, claims: Option<&str>, outcome: Sender) {
        let mut request = Box::pin(Arc::clone(&self).request(claims.map(str::to_owned), outcome));
        if request.as_mut().now_or_never().is_some() {
            return;
        }
        let task = tokio::spawn(request).abort_handle();
        match &mut lock(&self.state).request {
            Some(request) if request.claims.as_deref() == claims && request.task.is_none() => request.task = Some(task),
            _ => task.abort(),
        }
    }

    async fn request(self: Arc<Self>, claims: Option<String>, outcome: Sender) {
        let result = tokio::select! {
            biased;
            result = AssertUnwindSafe(async { self.provider.token(claims.clone()).await }).catch_unwind() => {
                result.unwrap_or_else(|_| Err(panicked()))
            }
            () = self.clock.sleep(self.provider.timeout()) => Err(timed_out(self.provider.timeout())),
        };
        outcome.send_replace(Some(self.settle(result, claims.as_deref())));
    }

    fn settle(&self, result: Result<AccessToken, LinkError>, claims: Option<&str>) -> Outcome {
        let mut state = lock(&self.state);
        // A request for other claims may have taken its place.
        state.request.take_if(|request| request.claims.as_deref() == claims);
        match result {
            Ok(AccessToken { token, lifetime }) => {
                state.cached = Some(self.cached(token.clone(), lifetime));
                state.failure = None;
                state.claims.take_if(|required| Some(required.as_str()) == claims);
                Ok(token)
            }
            Err(failure) => {
                state.failure = Some((failure.repeated(), self.clock.now()));
                Err(Arc::new(failure))
            }
        }
    }

    fn cached(&self, token: Token, stated: Option<Duration>) -> Cached {
        let now = self.clock.now();
        let stated = stated.filter(|lifetime| PLAUSIBLE_LIFETIMES.contains(lifetime));
        let lifetime = stated.unwrap_or(DEFAULT_TTL);
        let early = REFRESH_EARLY_BY.min(lifetime / 4) + jitter(&*self.clock, REFRESH_JITTER.min(lifetime / 8));
        Cached {
            token,
            refresh_at: now + lifetime.saturating_sub(early),
            expires_at: now + lifetime,
            is_known: stated.is_some(),
        }
    }
}

/// Outcome of a request. `None` if it was cancelled.
async fn settled(outcome: &mut Receiver) -> Option<Outcome> {
    outcome.wait_for(Option::is_some).await.ok()?.clone()
}

fn timed_out(timeout: Duration) -> LinkError {
    let message = format!("The credential returned no token within {} ms.", timeout.as_millis());
    LinkError::new(Code::AuthenticationFailed, message)
        .hint("A credential function should stop earlier, when `abortSignal` fires, and throw a more specific error.")
}

fn panicked() -> LinkError {
    LinkError::new(Code::Internal, "A bug of omnichannel-link stopped the token request; please report it.")
}
