//! Bearer tokens and their providers.

pub(super) mod authorized;
pub(super) mod cache;
mod challenge;
pub(super) mod claims;
pub(super) mod client_secret;

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use http::HeaderValue;

use super::redact::SecretForms;
use crate::error::{Code, LinkError};

/// A bearer token, ready to be sent. `Debug` does not show it.
#[derive(Clone)]
pub struct Token {
    header: HeaderValue,
    /// Computed once, because every response is searched for them.
    forms: Arc<SecretForms>,
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header
    }
}

impl Eq for Token {}

impl Token {
    /// Takes the bare token, without `Bearer`. A byte order mark and white space around it, as files add them, are removed.
    ///
    /// # Errors
    /// `AUTHENTICATION_FAILED` if it is empty or holds a character that a header must not hold.
    pub fn new(token: &str) -> Result<Self, LinkError> {
        let invalid = |what| {
            LinkError::new(Code::AuthenticationFailed, format!("The credential returned {what}."))
                .hint("The credential must be the bare access token, without `Bearer`, or return it.")
        };
        let token = token.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}');
        if token.is_empty() {
            return Err(invalid("an empty string"));
        }
        if token.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(invalid("a string with spaces or control characters instead of a token"));
        }
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| invalid("a string that is not valid in a header"))?;
        value.set_sensitive(true);
        Ok(Self { header: value, forms: Arc::new(SecretForms::new(token)) })
    }

    #[must_use]
    pub fn reveal(&self) -> &str {
        // `new` ensures that it is ASCII.
        self.header.to_str().map_or("", |value| value.trim_start_matches("Bearer "))
    }

    /// The value of the `Authorization` header, marked as sensitive.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    pub(super) fn forms(&self) -> &SecretForms {
        &self.forms
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[derive(Clone, Debug)]
pub struct AccessToken {
    pub token: Token,
    /// `None` if unknown. [`TokenCache`](super::TokenCache) treats an implausible lifetime as unknown.
    pub lifetime: Option<Duration>,
}

/// A source of tokens. Only the token cache calls it, once at a time.
pub trait TokenProvider: Send + Sync {
    /// Requests a new token. `claims` is JSON that the server demanded in a challenge.
    ///
    /// Fails with `AUTHENTICATION_FAILED`.
    fn token(&self, claims: Option<String>) -> BoxFuture<'_, Result<AccessToken, LinkError>>;

    /// How long a request may take. Longer than the time until a credential function's `abortSignal` fires, so that the more specific
    /// error of the function is reported.
    fn timeout(&self) -> Duration {
        Duration::from_secs(60)
    }
}

#[derive(Clone, Debug)]
pub struct StaticToken(pub Token);

impl TokenProvider for StaticToken {
    fn token(&self, _claims: Option<String>) -> BoxFuture<'_, Result<AccessToken, LinkError>> {
        Box::pin(std::future::ready(Ok(AccessToken { token: self.0.clone(), lifetime: None })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_token() {
        let token = Token::new("s3cret").unwrap();
        assert_eq!(format!("{token:?} {:?}", token.header()), "Token Sensitive");
        assert_eq!(token.header().as_bytes(), b"Bearer s3cret");
        assert_eq!(token.reveal(), "s3cret");
    }

    #[test]
    fn a_token_may_come_from_a_file() {
        for text in ["\u{feff}s3cret", "s3cret\r\n", " \t\u{feff}s3cret", "\u{feff} s3cret\n"] {
            assert_eq!(Token::new(text).unwrap().reveal(), "s3cret", "{text:?}");
        }
    }

    #[test]
    fn an_invalid_token_is_rejected_without_showing_it() {
        for invalid in ["", "s3cret\r\nX: y", "Bearer s3cret", "s3crét", "s3cret\0"] {
            let error = Token::new(invalid).unwrap_err();
            assert_eq!(error.code(), Code::AuthenticationFailed);
            assert!(!format!("{error:?}").contains("s3cr"), "{error:?}");
        }
    }
}
