//! A credential function of JavaScript as a token provider.

use futures_util::future::BoxFuture;
use napi::{
    Status,
    bindgen_prelude::{Function, Promise},
    threadsafe_function::ThreadsafeFunction,
};
use napi_derive::napi;

use crate::{
    error::{Code, LinkError},
    http::{Token, TokenProvider},
};

/// What index.js makes of whatever the caller's function did: it never throws and never rejects.
#[napi(object, object_to_js = false)]
pub struct CredentialAnswer {
    pub token: Option<String>,
    /// Why there is no token.
    pub failure: Option<String>,
}

/// Weak: a client that nobody uses does not keep the process alive. A pending call does that by itself.
type Provide = ThreadsafeFunction<(), Promise<CredentialAnswer>, (), Status, false, true>;

/// Asks JavaScript.
pub(super) struct CredentialFunction(Provide);

impl CredentialFunction {
    pub(super) fn new(provider: &Function<'_, (), Promise<CredentialAnswer>>) -> napi::Result<Self> {
        provider.build_threadsafe_function::<()>().weak::<true>().callee_handled::<false>().build().map(Self)
    }

    async fn ask(&self) -> Result<Token, LinkError> {
        let failed = |why: String| {
            LinkError::new(Code::AuthenticationFailed, format!("The credential function failed: {why}."))
                .hint("`credential` must return an access token for the environment, or a promise of one.")
        };
        let answer = match self.0.call_async_catch(()).await {
            Ok(promise) => promise.await,
            Err(error) => Err(error),
        };
        match answer.map_err(|error| failed(error.reason.clone()))? {
            CredentialAnswer { token: Some(token), .. } => Token::new(&token),
            CredentialAnswer { failure, .. } => Err(failed(failure.unwrap_or_else(|| "it gave nothing".into()))),
        }
    }
}

impl TokenProvider for CredentialFunction {
    fn token(&self) -> BoxFuture<'_, Result<Token, LinkError>> {
        Box::pin(self.ask())
    }
}
