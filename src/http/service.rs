//! The request, the response, and the trait of the layers that exchange them.

pub(super) mod error;
pub(super) mod headers;
mod retry_after;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode, Uri};

use self::{error::HttpError, retry_after::retry_after};
use crate::progress::Progress;

/// One request. Its headers may hold a token, so `Debug` shows neither them nor the query.
#[derive(Clone)]
pub struct HttpRequest {
    pub method: Method,
    /// Absolute. Its scheme and authority are shared, not copied, by all requests to one server.
    pub uri: Uri,
    /// Complete, except that [`AuthorizedHttp`](super::AuthorizedHttp) adds the token.
    pub headers: HeaderMap,
    /// Empty if the request has none.
    pub body: Bytes,
    /// Whether it may be sent again although it may have arrived: it only reads, or a second one does no harm.
    pub repeatable: bool,
    /// When the caller stops waiting, if ever. No wait beyond it is begun.
    pub deadline: Option<Instant>,
    /// Records whether the server may have acted on the request, and the id of its last response.
    pub progress: Arc<Progress>,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.uri.path())
    }
}

/// Longest body that is read. A row has about a thousand bytes.
pub const MAX_BODY: usize = 4 << 20;

/// One response, read to its end.
#[derive(Clone)]
pub struct HttpResponse {
    pub status: StatusCode,
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
        retry_after(&self.headers, self.received)
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} bytes", self.status, self.body.len())
    }
}

/// Sends requests. Implemented by the network, by layers above it such as retries, and by the doubles of tests.
pub trait HttpService: Send + Sync {
    /// Sends one request and reads its whole response. Dropping the future cancels the exchange.
    fn call<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, HttpError>>;

    /// Closes idle connections now, and every other one as soon as it is idle.
    fn close(&self) {}
}
