//! One token for all calls of a client: requested once however many wait, refreshed before it expires, dropped when refused.
//!
//! A request for a token is a task of its own, because it must outlive the call that began it: a token that arrives after that
//! call's deadline is what the next call needs.

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

/// How long a token is kept whose provider does not say how long it is good. A refused one is dropped at once anyway.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// Lifetimes that can be meant. Others come from wrong units and wrong clocks, and count as unknown: a token that seems to have
/// expired already would be requested again for every call.
const LIFETIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(366 * 86_400);
/// A token is refreshed this long before it expires, or a quarter of its life if that is less …
const EARLY: Duration = Duration::from_secs(300);
/// … and up to this much earlier still, so that many clients do not refresh at once.
const JITTER: Duration = Duration::from_secs(60);

/// A request that failed is not made again before this time is over: calls that come right afterwards would otherwise ask for
/// what was just refused …
const AGAIN: Duration = Duration::from_secs(1);
/// … and while a token is still good there is no hurry at all.
const REFRESH_AGAIN: Duration = Duration::from_secs(30);
/// A call does not wait longer for a refresh while the old token is still good.
const REFRESH_PATIENCE: Duration = Duration::from_secs(5);

/// The cache. Dropping it ends a request for a token.
pub struct TokenCache(Arc<Shared>);

struct Shared {
    provider: Arc<dyn TokenProvider>,
    clock: SharedClock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// The last request's error, and when it came.
    failure: Option<(LinkError, Instant)>,
    /// What the server demanded of the next token.
    claims: Option<String>,
    request: Option<Request>,
}

struct Held {
    token: Token,
    refresh_at: Instant,
    expires_at: Instant,
    /// Whether its provider said when.
    is_known: bool,
}

type Outcome = Result<Token, Arc<LinkError>>;
type Sender = watch::Sender<Option<Outcome>>;
type Receiver = watch::Receiver<Option<Outcome>>;

/// A request for a token, for which every call waits that needs one.
struct Request {
    claims: Option<String>,
    /// Closed without an outcome if the request was ended.
    outcome: Receiver,
    /// Absent while the call that began it polls it for the first time.
    task: Option<AbortHandle>,
}

impl Request {
    /// Whether its token is the one that is needed now, and may still come.
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
    /// A cache of what the provider gives.
    #[must_use]
    pub fn new(provider: Arc<dyn TokenProvider>, clock: SharedClock) -> Self {
        Self(Arc::new(Shared { provider, clock, state: Mutex::default() }))
    }

    /// A token that is good now, as far as is known. Needs a Tokio runtime.
    ///
    /// # Errors
    /// The provider's. One that fails while a token is still good is ignored, and asked again by a later call.
    pub async fn token(&self) -> Result<Token, LinkError> {
        loop {
            let (mut outcome, usable) = match self.0.at_hand() {
                AtHand::Settled(settled) => return settled,
                AtHand::Requested(outcome) => (outcome, None),
                AtHand::ToRequest { claims, sender, outcome, usable } => {
                    Arc::clone(&self.0).begin(claims.as_deref(), sender);
                    (outcome, usable)
                }
            };
            let Some(usable) = usable else {
                match settled(&mut outcome).await {
                    Some(outcome) => return outcome.map_err(|failure| failure.repeated()),
                    // Ended because another token is needed by now.
                    None => continue,
                }
            };
            return tokio::select! {
                biased;
                outcome = settled(&mut outcome) => Ok(outcome.and_then(Result::ok).unwrap_or(usable)),
                () = self.0.clock.sleep(REFRESH_PATIENCE) => Ok(usable),
            };
        }
    }

    /// Ends a request for a token.
    pub fn close(&self) {
        lock(&self.0.state).request = None;
    }

    /// The server did not accept the token: it is not given out again. `claims` goes to the provider with the next request.
    pub fn refuse(&self, token: &Token, claims: Option<String>) {
        let mut state = lock(&self.0.state);
        // Another call may have brought a new one in the meantime.
        if state.held.as_ref().is_some_and(|held| held.token == *token) {
            state.held = None;
            state.claims = claims;
        }
    }

    /// For how long the token is good from now on, if it is the one that is held and its provider said so.
    #[must_use]
    pub fn good_for(&self, token: &Token) -> Option<Duration> {
        let state = lock(&self.0.state);
        let held = state.held.as_ref().filter(|held| held.token == *token && held.is_known)?;
        Some(held.expires_at.saturating_duration_since(self.0.clock.now()))
    }
}

impl Drop for TokenCache {
    fn drop(&mut self) {
        self.close();
    }
}

/// The token that a call needs, or how it gets there.
enum AtHand {
    /// The token, or why there is none.
    Settled(Result<Token, LinkError>),
    /// A request to wait for.
    Requested(Receiver),
    /// A request to begin, and the token that is still good meanwhile.
    ToRequest { claims: Option<String>, sender: Sender, outcome: Receiver, usable: Option<Token> },
}

impl Shared {
    fn at_hand(&self) -> AtHand {
        let mut state = lock(&self.state);
        let now = self.clock.now();
        let usable = state.held.as_ref().filter(|held| now < held.expires_at);
        if let Some(held) = usable.filter(|held| now < held.refresh_at) {
            return AtHand::Settled(Ok(held.token.clone()));
        }
        let usable = usable.map(|held| held.token.clone());
        let again = if usable.is_some() { REFRESH_AGAIN } else { AGAIN };
        if let Some((failure, _)) = state.failure.as_ref().filter(|(_, since)| now < *since + again) {
            return AtHand::Settled(usable.ok_or_else(|| failure.repeated()));
        }
        let claims = state.claims.clone();
        match (state.request.as_ref().filter(|request| request.serves(claims.as_deref())), usable) {
            // It is being refreshed; the old one is good that long.
            (Some(_), Some(token)) => AtHand::Settled(Ok(token)),
            (Some(request), None) => AtHand::Requested(request.outcome.clone()),
            (None, usable) => {
                let (sender, outcome) = watch::channel(None);
                state.request = Some(Request { claims: claims.clone(), outcome: outcome.clone(), task: None });
                AtHand::ToRequest { claims, sender, outcome, usable }
            }
        }
    }

    /// Asks the provider, in a task of its own unless it has a token at hand.
    fn begin(self: Arc<Self>, claims: Option<&str>, outcome: Sender) {
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
        let given = tokio::select! {
            biased;
            given = AssertUnwindSafe(async { self.provider.token(claims.clone()).await }).catch_unwind() => {
                given.unwrap_or_else(|_| Err(defect()))
            }
            () = self.clock.sleep(self.provider.patience()) => Err(impatient(self.provider.patience())),
        };
        outcome.send_replace(Some(self.settle(given, claims.as_deref())));
    }

    fn settle(&self, given: Result<AccessToken, LinkError>, claims: Option<&str>) -> Outcome {
        let mut state = lock(&self.state);
        // Its own: a request for other claims may have taken its place.
        state.request.take_if(|request| request.claims.as_deref() == claims);
        match given {
            Ok(AccessToken { token, good_for }) => {
                state.held = Some(self.held(token.clone(), good_for));
                state.failure = None;
                state.claims.take_if(|demanded| Some(demanded.as_str()) == claims);
                Ok(token)
            }
            Err(failure) => {
                state.failure = Some((failure.repeated(), self.clock.now()));
                Err(Arc::new(failure))
            }
        }
    }

    fn held(&self, token: Token, said: Option<Duration>) -> Held {
        let now = self.clock.now();
        let said = said.filter(|lifetime| LIFETIMES.contains(lifetime));
        let good_for = said.unwrap_or(GOOD_FOR);
        let early = EARLY.min(good_for / 4) + jitter(&*self.clock, JITTER.min(good_for / 8));
        Held {
            token,
            refresh_at: now + good_for.saturating_sub(early),
            expires_at: now + good_for,
            is_known: said.is_some(),
        }
    }
}

/// The end of a request; `None` if it was ended before.
async fn settled(outcome: &mut Receiver) -> Option<Outcome> {
    outcome.wait_for(Option::is_some).await.ok()?.clone()
}

fn impatient(patience: Duration) -> LinkError {
    let message = format!("The credential gave no token within {} ms.", patience.as_millis());
    LinkError::new(Code::AuthenticationFailed, message)
        .hint("A credential function is told by `abortSignal` to stop earlier; what it throws then says more.")
}

fn defect() -> LinkError {
    LinkError::new(Code::Internal, "A defect of omnichannel-link stopped the request for a token; please report it.")
}
