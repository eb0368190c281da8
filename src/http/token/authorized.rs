//! Requests with a token: attached here, and here alone; a 401 drops it and tries exactly once more.

use std::{sync::Arc, time::Duration};

use http::{StatusCode, header::AUTHORIZATION};

use super::{Token, cache::TokenCache, challenge::claims};
use crate::{
    error::LinkError,
    http::{
        redact::redact_body,
        service::{HttpRequest, HttpResponse, HttpService, error::HttpError},
    },
};

/// A service that knows who is calling.
pub struct AuthorizedHttp {
    http: Arc<dyn HttpService>,
    tokens: TokenCache,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum CallError {
    /// No token could be had; nothing was sent.
    NoToken(LinkError),
    /// The exchange failed.
    Exchange(HttpError),
}

impl AuthorizedHttp {
    /// Sends with tokens of the cache.
    #[must_use]
    pub fn new(http: Arc<dyn HttpService>, tokens: TokenCache) -> Self {
        Self { http, tokens }
    }

    /// Sends a request. A 401 means that nothing was done, whatever the request, so it may be sent once more. The response does not
    /// repeat the token.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call(&self, request: HttpRequest) -> Result<HttpResponse, CallError> {
        let token = self.token().await?;
        let first = self.send(request.clone(), &token).await?;
        if first.status != StatusCode::UNAUTHORIZED {
            return Ok(first);
        }
        // Nothing was done, so nothing is in doubt while the token is renewed, or if it cannot be.
        request.progress.not_applied();
        self.tokens.refuse(&token, claims(&first.headers));
        let next = self.token().await?;
        // A provider that insists on the token that was just refused will not do better the second time.
        let last = if next == token { first } else { self.send(request, &next).await? };
        if last.status == StatusCode::UNAUTHORIZED {
            self.tokens.refuse(&next, claims(&last.headers));
        }
        Ok(last)
    }

    /// A token as requests get it, and for how long it is good, if its provider said so. For diagnosis.
    ///
    /// # Errors
    /// As [`TokenCache::token`].
    pub async fn current_token(&self) -> Result<(Token, Option<Duration>), LinkError> {
        let token = self.tokens.token().await?;
        let good_for = self.tokens.good_for(&token);
        Ok((token, good_for))
    }

    /// Ends a request for a token that no call waits for any more.
    pub fn close(&self) {
        self.tokens.close();
    }

    async fn token(&self) -> Result<Token, CallError> {
        self.tokens.token().await.map_err(CallError::NoToken)
    }

    async fn send(&self, mut request: HttpRequest, token: &Token) -> Result<HttpResponse, CallError> {
        request.headers.insert(AUTHORIZATION, token.header());
        let response = self.http.call(request).await.map_err(CallError::Exchange)?;
        Ok(HttpResponse { body: redact_body(response.body, token.reveal()), ..response })
    }
}
