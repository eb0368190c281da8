//! HTTP as everything above it sees it: one method. Knows no domain.

mod authorized;
mod budget;
mod certificate;
mod challenge;
mod claims;
mod client_secret;
mod connector;
mod encoding;
mod exits;
mod failure;
mod fields;
mod gate;
mod inspection;
mod observe;
mod pace;
mod pem;
mod proxy;
mod receive;
mod redact;
mod retry;
mod retry_after;
mod self_signed;
mod slots;
mod threads;
mod token;
mod token_cache;
mod transport;
mod trust;
mod unreachable;

use std::{
    error::Error,
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::progress::Progress;

pub use authorized::{AuthorizedHttp, CallError};
pub use budget::RetryBudget;
pub use certificate::Certificate;
pub use claims::{Audience, Claims};
pub use client_secret::{ClientSecret, ClientSecretCredential};
pub use fields::field_lines;
pub use inspection::{Inspection, Inspector};
pub use observe::{Ending, Event, Nobody, Observer, Subject};
pub use proxy::{Proxy, ProxyResolver, ProxyUrl, ProxyVariables, UnusableProxy};
pub use redact::{Secret, redact};
pub use retry::{RetryPolicy, RetryingHttp};
pub use token::{AccessToken, StaticToken, Token, TokenProvider};
pub use token_cache::TokenCache;
pub use transport::{NetworkOptions, ReqwestService, is_safe_for_secrets, user_agent};
pub use trust::{CaCertificate, UnusableCertificates};
pub use unreachable::unreachable;

/// One request. Its headers may hold a token, so `Debug` shows neither them nor the query.
#[derive(Clone)]
pub struct HttpRequest {
    /// The verb.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// Complete, the authorization included.
    pub headers: HeaderMap,
    /// Empty for none.
    pub body: Bytes,
    /// Whether it may be sent again although it may have arrived: it reads, or a second one does no harm.
    pub repeatable: bool,
    /// When the caller stops waiting, if ever: a wait beyond it is not begun.
    pub deadline: Option<Instant>,
    /// Records whether the server may have acted on the request, and the id of its last response.
    pub progress: Arc<Progress>,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url.path())
    }
}

/// One answer, read to its end.
#[derive(Clone)]
pub struct HttpResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// At most [`MAX_BODY`] bytes, decoded.
    pub body: Bytes,
    /// When it was complete, by this machine's clock.
    pub received: SystemTime,
}

impl HttpResponse {
    /// How long the server asks the client to wait, if it does.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after::retry_after(&self.headers, self.received)
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} bytes", self.status, self.body.len())
    }
}

/// The longest body that is read; a row has about a thousand bytes.
pub const MAX_BODY: usize = 4 << 20;

/// How an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpErrorKind {
    /// No connection came about: name, address, proxy or TLS. The server has seen nothing.
    Connect,
    /// No connection came about in time. The server has seen nothing.
    ConnectTimeout,
    /// The server's certificate is not trusted. The server has seen nothing.
    Untrusted,
    /// The proxy answered 407: it wants a user and password, or others. The server has seen nothing.
    ProxyRefused,
    /// The options or the proxy function name no way that can be taken. The server has seen nothing.
    NoRoute,
    /// The server was silent for too long.
    ReadTimeout,
    /// The connection ended before the answer did.
    Interrupted,
    /// The server throttles this client, and for longer than the caller can wait. The server has not seen this request.
    Throttled,
    /// The body is longer than [`MAX_BODY`].
    TooLarge,
    /// The body is encoded in a way that was not requested, or its encoding is damaged.
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

    /// Whether it stays so until somebody changes the configuration: another attempt would fail alike.
    #[must_use]
    pub const fn is_configuration(self) -> bool {
        matches!(self, Self::Untrusted | Self::ProxyRefused | Self::NoRoute)
    }

    /// What to change, where changing something helps.
    #[must_use]
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            Self::Untrusted => Some(
                "If TLS is inspected on the way, pass the certificate of the inspecting authority in `caCertificates`, or as a file in NODE_EXTRA_CA_CERTS.",
            ),
            Self::ProxyRefused => Some(
                "Put user and password into `proxy`: http://user:password@host:port, percent-encoded. Proxies that insist on NTLM or Kerberos (Negotiate) are not supported.",
            ),
            Self::NoRoute => Some("Check `proxy`, or HTTPS_PROXY, HTTP_PROXY and NO_PROXY."),
            _ => None,
        }
    }
}

/// An exchange without an answer. Its message holds no URL.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct HttpError {
    /// How it failed.
    pub kind: HttpErrorKind,
    /// What happened, in words that name the host it happened with.
    pub message: String,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
    /// What the library reported.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl HttpError {
    fn too_large() -> Self {
        let message = format!("the answer is longer than {MAX_BODY} bytes");
        Self { kind: HttpErrorKind::TooLarge, message, retry_after: None, source: None }
    }
}

/// The seam between this client and the network: retries, throttling and tests sit on it.
pub trait HttpService: Send + Sync {
    /// Sends one request and reads its whole answer. Dropping the future closes the exchange.
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>>;

    /// Closes the connections that are idle, and from now on each as soon as it is.
    fn close(&self) {}
}
