//! Requests that got no response.

use std::{error::Error, time::Duration};

use crate::error::{Code, LinkError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpErrorKind {
    /// No connection: name, address, proxy or TLS. Nothing was sent.
    Connect,
    /// No connection in time. Nothing was sent.
    ConnectTimeout,
    /// The server's certificate is not trusted. Nothing was sent.
    Untrusted,
    /// The proxy responded with 407: it requires a user and password, or other ones. Nothing was sent.
    ProxyRefused,
    /// The options or the proxy function give no usable route. Nothing was sent.
    NoRoute,
    ReadTimeout,
    Interrupted,
    /// The server throttles this client for longer than the caller can wait. Nothing was sent.
    Throttled,
    /// The body is longer than [`MAX_BODY`](super::MAX_BODY).
    TooLarge,
    /// The body has an encoding that was not requested, or cannot be decoded.
    Encoding,
}

impl HttpErrorKind {
    /// Whether the server may have acted on the request.
    #[must_use]
    pub const fn may_have_been_sent(self) -> bool {
        match self {
            Self::Connect
            | Self::ConnectTimeout
            | Self::Untrusted
            | Self::ProxyRefused
            | Self::NoRoute
            | Self::Throttled => false,
            Self::ReadTimeout | Self::Interrupted | Self::TooLarge | Self::Encoding => true,
        }
    }

    /// Whether only a change of the configuration helps: another attempt would fail in the same way.
    #[must_use]
    pub const fn is_configuration(self) -> bool {
        matches!(self, Self::Untrusted | Self::ProxyRefused | Self::NoRoute)
    }

    /// How to change the configuration.
    const fn hint(self) -> Option<&'static str> {
        match self {
            Self::Untrusted => Some(
                "If TLS is inspected on the way, trust the certificate of the inspecting authority: with `caCertificates`, or as a file in NODE_EXTRA_CA_CERTS.",
            ),
            Self::ProxyRefused => Some(
                "Add user and password to the proxy's URL: http://user:password@host:port, percent-encoded. Proxies that insist on NTLM or Kerberos (Negotiate) are not supported.",
            ),
            Self::NoRoute => Some("Check the option `proxy`, or HTTPS_PROXY, HTTP_PROXY and NO_PROXY."),
            _ => None,
        }
    }
}

/// A request without a response. Its message holds no URL.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct HttpError {
    pub kind: HttpErrorKind,
    /// Names the cause and the host concerned.
    pub message: String,
    /// How long the server asks the client to wait.
    pub retry_after: Option<Duration>,
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl HttpError {
    pub(in crate::http) fn new(kind: HttpErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, source: None }
    }

    pub(in crate::http) fn caused_by(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }

    /// The error of a call. `who` begins its message, such as "The server".
    #[must_use]
    pub fn into_link_error(self, who: &str) -> LinkError {
        let (code, what) = match self.kind {
            HttpErrorKind::Connect => (Code::Unavailable, format!("{who} cannot be reached")),
            HttpErrorKind::ConnectTimeout => (Code::Unavailable, format!("{who} could not be reached in time")),
            HttpErrorKind::Untrusted => (Code::InvalidConfiguration, format!("{who} cannot be trusted")),
            HttpErrorKind::ProxyRefused => {
                (Code::InvalidConfiguration, format!("The proxy rejected the connection to {}", lower(who)))
            }
            HttpErrorKind::NoRoute => (Code::InvalidConfiguration, format!("No usable route to {}", lower(who))),
            HttpErrorKind::ReadTimeout => (Code::Unavailable, format!("{who} did not respond")),
            HttpErrorKind::Interrupted => {
                (Code::Unavailable, format!("{who} closed the connection before its response was complete"))
            }
            HttpErrorKind::Throttled => (Code::Throttled, format!("{who} is throttling this user")),
            HttpErrorKind::TooLarge => (Code::Protocol, format!("{who} sent a response that is too long")),
            HttpErrorKind::Encoding => (Code::Protocol, format!("{who} sent a response that cannot be decoded")),
        };
        let (after, hint) = (self.retry_after, self.kind.hint());
        let error = LinkError::new(code, format!("{what}: {}.", self.message)).caused_by(self);
        let error = error.with(|details| details.retry_after = after);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

fn lower(who: &str) -> String {
    who.replacen("The ", "the ", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_code_message_and_hint() {
        for (kind, code, message, hint) in [
            (HttpErrorKind::Connect, Code::Unavailable, "The server cannot be reached: lost.", ""),
            (HttpErrorKind::ReadTimeout, Code::Unavailable, "The server did not respond: lost.", ""),
            (
                HttpErrorKind::Untrusted,
                Code::InvalidConfiguration,
                "The server cannot be trusted: lost.",
                "`caCertificates`",
            ),
            (
                HttpErrorKind::ProxyRefused,
                Code::InvalidConfiguration,
                "The proxy rejected the connection to the server: lost.",
                "NTLM or Kerberos",
            ),
            (HttpErrorKind::Encoding, Code::Protocol, "The server sent a response that cannot be decoded: lost.", ""),
            (HttpErrorKind::NoRoute, Code::InvalidConfiguration, "No usable route to the server: lost.", "`proxy`"),
        ] {
            let error = HttpError::new(kind, "lost").into_link_error("The server");
            assert_eq!((error.code(), error.message()), (code, message));
            assert!(error.details().hint.as_deref().unwrap_or_default().contains(hint), "{kind:?}");
        }
    }
}
