//! A credential of JavaScript as a token provider.

use std::time::Duration;

use futures_util::future::BoxFuture;
use napi::{
    Status,
    bindgen_prelude::{Function, Promise},
    threadsafe_function::ThreadsafeFunction,
};
use napi_derive::napi;

use crate::{
    error::{Code, LinkError},
    http::{AccessToken, Token, TokenProvider},
};

/// What a credential is asked for.
#[napi(object, object_from_js = false)]
pub struct TokenRequest {
    pub scope: String,
    /// In base64, as the server's challenge has it.
    pub claims: Option<String>,
}

/// What index.js makes of whatever the credential did: it never throws and never rejects.
#[napi(object, object_to_js = false)]
pub struct CredentialAnswer {
    pub token: Option<String>,
    /// Milliseconds from now.
    pub good_for_in_ms: Option<f64>,
    /// Why there is no token.
    pub failure: Option<String>,
}

/// Weak: a client that nobody uses does not keep the process alive. A pending call does that by itself.
type Provide = ThreadsafeFunction<TokenRequest, Promise<CredentialAnswer>, TokenRequest, Status, false, true>;

/// Asks JavaScript.
pub(super) struct CredentialFunction {
    provide: Provide,
    scope: String,
}

impl CredentialFunction {
    pub(super) fn new(
        provider: &Function<'_, TokenRequest, Promise<CredentialAnswer>>,
        scope: String,
    ) -> napi::Result<Self> {
        let provide = provider.build_threadsafe_function().weak::<true>().callee_handled::<false>().build()?;
        Ok(Self { provide, scope })
    }

    async fn ask(&self, claims: Option<String>) -> Result<AccessToken, LinkError> {
        let failed = |why: String| {
            LinkError::new(Code::AuthenticationFailed, format!("The credential failed: {why}.")).hint(
                "`credential` must give an access token for the environment; see dataverse.d.ts for what it may be.",
            )
        };
        let answer = match self.provide.call_async_catch(TokenRequest { scope: self.scope.clone(), claims }).await {
            Ok(promise) => promise.await,
            Err(error) => Err(error),
        };
        match answer.map_err(|error| failed(error.reason.clone()))? {
            CredentialAnswer { token: Some(token), good_for_in_ms, .. } => {
                let good_for = good_for_in_ms.map(|ms| Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default());
                Ok(AccessToken { token: Token::new(&token)?, good_for })
            }
            CredentialAnswer { failure, .. } => Err(failed(failure.unwrap_or_else(|| "it gave nothing".into()))),
        }
    }
}

impl TokenProvider for CredentialFunction {
    fn token(&self, claims: Option<String>) -> BoxFuture<'_, Result<AccessToken, LinkError>> {
        Box::pin(self.ask(claims))
    }
}
