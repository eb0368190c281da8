//! Adds the token to requests. After a 401 the token is dropped and the request is sent exactly once more.

use std::time::Duration;

use http::{StatusCode, header::AUTHORIZATION};

use super::{Token, cache::TokenCache, challenge::claims};
use crate::{
    error::LinkError,
    http::{
        redact::redact_body,
        retry::RetryingHttp,
        service::{HttpRequest, HttpResponse, error::HttpError},
    },
};

/// The layer that authenticates requests. Responses are redacted, so that no token leaves it.
pub struct AuthorizedHttp {
    http: RetryingHttp,
    tokens: TokenCache,
}

/// Why a call got no response.
#[derive(Debug)]
pub enum CallError {
    /// There was no token, so nothing was sent.
    NoToken(LinkError),
    /// The exchange failed.
    Exchange(HttpError),
}

impl AuthorizedHttp {
    #[must_use]
    pub fn new(http: RetryingHttp, tokens: TokenCache) -> Self {
        Self { http, tokens }
    }

    /// Sends a request. A 401 means that nothing was done, so even a write is sent once more.
    pub async fn call(&self, request: &mut HttpRequest) -> Result<HttpResponse, CallError> {
        let token = self.token().await?;
        let first = self.send(request, &token).await?;
        if first.status != StatusCode::UNAUTHORIZED {
            return Ok(first);
        }
        // Nothing was applied, even if no new token can be obtained.
        request.progress.not_applied();
        self.tokens.reject(&token, claims(&first.headers));
        let next = self.token().await?;
        // The provider may return the rejected token again. Sending it again would not help.
        let last = if next == token { first } else { self.send(request, &next).await? };
        if last.status == StatusCode::UNAUTHORIZED {
            self.tokens.reject(&next, claims(&last.headers));
        }
        Ok(last)
    }

    /// The current token and its remaining lifetime, if known. For diagnosis.
    pub async fn current_token(&self) -> Result<(Token, Option<Duration>), LinkError> {
        let token = self.tokens.token().await?;
        let lifetime = self.tokens.remaining_lifetime(&token);
        Ok((token, lifetime))
    }

    /// For a client that is being closed: see [`RetryingHttp::stop_waiting`].
    pub fn stop_waiting(&self) {
        self.http.stop_waiting();
    }

    /// Cancels a token request that is in progress.
    pub fn close(&self) {
        self.tokens.close();
    }

    async fn token(&self) -> Result<Token, CallError> {
        match self.tokens.current() {
            Some(token) => Ok(token),
            None => Box::pin(self.tokens.token()).await.map_err(CallError::NoToken),
        }
    }

    async fn send(&self, request: &mut HttpRequest, token: &Token) -> Result<HttpResponse, CallError> {
        request.headers.insert(AUTHORIZATION, token.header());
        let response = self.http.exchange(request).await.map_err(CallError::Exchange)?;
        Ok(HttpResponse { body: redact_body(response.body, token.forms()), ..response })
    }
}
