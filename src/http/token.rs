//! The bearer token, and who provides it.

pub(super) mod authorized;
pub(super) mod cache;
mod challenge;
pub(super) mod claims;
pub(super) mod client_secret;

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;
use http::HeaderValue;

use crate::error::{Code, LinkError};

/// A bearer token, ready to be sent. Shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(HeaderValue);

impl Token {
    /// Takes the bare token, without `Bearer`. What files add is left out: a byte order mark, and a line's end.
    ///
    /// # Errors
    /// `AUTHENTICATION_FAILED` if it is empty or holds what no header may hold.
    pub fn new(token: &str) -> Result<Self, LinkError> {
        let refused = |what| {
            LinkError::new(Code::AuthenticationFailed, format!("The credential gave {what} instead of a token."))
                .hint("`credential` is the bare access token, or something that gives it; see dataverse.d.ts.")
        };
        let token = token.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}');
        if token.is_empty() {
            return Err(refused("an empty text"));
        }
        if token.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(refused("a text with spaces or control characters"));
        }
        let mut value =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| refused("a text no header can carry"))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// The bare token.
    #[must_use]
    pub fn reveal(&self) -> &str {
        // Checked to be graphic ASCII when it was made.
        self.0.to_str().map_or("", |value| value.trim_start_matches("Bearer "))
    }

    /// The value of the `Authorization` header, marked as sensitive.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// A token, and how long it is good for from now on, if its provider says so.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub token: Token,
    /// Absent if it is not known. A lifetime that cannot be meant counts as not known: see [`TokenCache`](super::TokenCache).
    pub good_for: Option<Duration>,
}

/// Where tokens come from. Asked by the token cache alone, one question at a time.
pub trait TokenProvider: Send + Sync {
    /// A new token. `claims` is what the server demanded of it in a challenge, as JSON.
    ///
    /// Fails with `AUTHENTICATION_FAILED`.
    fn token(&self, claims: Option<String>) -> BoxFuture<'_, Result<AccessToken, LinkError>>;

    /// How long a request may take. Longer than a credential function is told it may, because what it throws then says more.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// A token that never changes.
#[derive(Clone, Debug)]
pub struct StaticToken(pub Token);

impl TokenProvider for StaticToken {
    fn token(&self, _claims: Option<String>) -> BoxFuture<'_, Result<AccessToken, LinkError>> {
        Box::pin(std::future::ready(Ok(AccessToken { token: self.0.clone(), good_for: None })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_to_nobody() {
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
    fn what_no_header_may_carry_is_refused_without_showing_it() {
        for wrong in ["", "s3cret\r\nX: y", "Bearer s3cret", "s3crét", "s3cret\0"] {
            let error = Token::new(wrong).unwrap_err();
            assert_eq!(error.code(), Code::AuthenticationFailed);
            assert!(!format!("{error:?}").contains("s3cr"), "{error:?}");
        }
    }
}
