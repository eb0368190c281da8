//! One token for all calls of a client: fetched once however many wait, refreshed before it expires, dropped when refused.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::token::{AccessToken, Token, TokenProvider};
use crate::{
    clock::{SharedClock, jitter},
    error::{Code, LinkError},
};

/// How long a token is kept whose provider does not say how long it is good. A refused one is dropped at once anyway.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// A token is refreshed this long before it expires, or a quarter of its life if that is less …
const EARLY: Duration = Duration::from_secs(300);
/// … and up to this much earlier still, so that many clients do not refresh at once.
const JITTER: Duration = Duration::from_secs(60);

/// A question that failed is not asked again before this time is over: calls that waited in line for each other would otherwise ask
/// one after the other what was just refused …
const AGAIN: Duration = Duration::from_secs(1);
/// … and while a token is still good there is no hurry at all.
const REFRESH_AGAIN: Duration = Duration::from_secs(30);
/// A refresh that takes longer is given up while the old token is still good: the call shall not wait for it.
const REFRESH_PATIENCE: Duration = Duration::from_secs(5);

/// The cache.
pub struct TokenCache {
    provider: Arc<dyn TokenProvider>,
    clock: SharedClock,
    state: Mutex<State>,
    /// Whoever holds it asks the provider.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// How and when the last question ended in failure, and how many questions there were: who waited for it need not ask again.
    failure: Option<(LinkError, Instant)>,
    asked: u64,
    /// What the server demanded of the next token.
    claims: Option<String>,
}

struct Held {
    token: Token,
    refresh_at: Instant,
    expires_at: Instant,
    /// Whether its provider said when.
    is_known: bool,
}

impl TokenCache {
    /// A cache of what the provider gives.
    #[must_use]
    pub fn new(provider: Arc<dyn TokenProvider>, clock: SharedClock) -> Self {
        Self { provider, clock, state: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// A token that is good now, as far as anybody knows.
    ///
    /// # Errors
    /// The provider's. One that fails while a token is still good is ignored, and asked again by a later call.
    pub async fn token(&self) -> Result<Token, LinkError> {
        let (asked_before, usable) = {
            let state = self.lock();
            let now = self.clock.now();
            let usable = state.held.as_ref().filter(|held| now < held.expires_at);
            if let Some(held) = usable.filter(|held| now < held.refresh_at) {
                return Ok(held.token.clone());
            }
            let usable = usable.map(|held| held.token.clone());
            let again = if usable.is_some() { REFRESH_AGAIN } else { AGAIN };
            if let Some((failure, _)) = state.failure.as_ref().filter(|(_, since)| now < *since + again) {
                return usable.ok_or_else(|| failure.repeated());
            }
            (state.asked, usable)
        };
        let _asking = match (self.asking.try_lock(), &usable) {
            (Ok(asking), _) => asking,
            // Somebody refreshes it already; the old one is good that long.
            (Err(_), Some(token)) => return Ok(token.clone()),
            (Err(_), None) => self.asking.lock().await,
        };
        if let Some(answer) = self.answered_since(asked_before) {
            return answer;
        }
        let claims = self.lock().claims.clone();
        let answer = if usable.is_some() { self.refreshed(claims).await } else { self.provider.token(claims).await };
        let mut state = self.lock();
        state.asked += 1;
        match answer {
            Ok(AccessToken { token, good_for }) => {
                state.held = Some(self.held(token.clone(), good_for));
                (state.failure, state.claims) = (None, None);
                Ok(token)
            }
            Err(failure) => {
                state.failure = Some((failure.repeated(), self.clock.now()));
                usable.ok_or(failure)
            }
        }
    }

    async fn refreshed(&self, claims: Option<String>) -> Result<AccessToken, LinkError> {
        tokio::select! {
            biased;
            answer = self.provider.token(claims) => answer,
            () = self.clock.sleep(REFRESH_PATIENCE) => {
                Err(LinkError::new(Code::AuthenticationFailed, "The credential takes too long to give a token."))
            }
        }
    }

    /// The server did not accept the token: it is not given out again. `claims` goes to the provider with the next question.
    pub fn refuse(&self, token: &Token, claims: Option<String>) {
        let mut state = self.lock();
        // Another call may have brought a new one in the meantime.
        if state.held.as_ref().is_some_and(|held| held.token == *token) {
            state.held = None;
            state.claims = claims;
        }
    }

    /// For how long the token is good from now on, if it is the one that is held and its provider said so.
    #[must_use]
    pub fn good_for(&self, token: &Token) -> Option<Duration> {
        let state = self.lock();
        let held = state.held.as_ref().filter(|held| held.token == *token && held.is_known)?;
        Some(held.expires_at.saturating_duration_since(self.clock.now()))
    }

    /// What somebody else found out while this call waited for its turn to ask.
    fn answered_since(&self, asked_before: u64) -> Option<Result<Token, LinkError>> {
        let state = self.lock();
        if state.asked == asked_before {
            return None;
        }
        match (&state.held, &state.failure) {
            (Some(held), _) if self.clock.now() < held.expires_at => Some(Ok(held.token.clone())),
            (_, Some((failure, _))) => Some(Err(failure.repeated())),
            _ => None,
        }
    }

    fn held(&self, token: Token, said: Option<Duration>) -> Held {
        let now = self.clock.now();
        let good_for = said.unwrap_or(GOOD_FOR);
        let early = EARLY.min(good_for / 4) + jitter(&*self.clock, JITTER.min(good_for / 8));
        Held {
            token,
            refresh_at: now + good_for.saturating_sub(early),
            expires_at: now + good_for,
            is_known: said.is_some(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
