//! The network of one client, watched: what was sent, and how each exchange ended as the client saw it.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName};
use omnichannel_link::http::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, NetworkOptions, ReqwestService,
};

use crate::support::clock::TestClock;

const SERVICE_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-service-request-id");

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Answered(u16),
    /// The server has not seen it.
    Unsent,
    /// No answer, or a part of one.
    Lost,
    TooLong,
    /// Not over yet, or the client stopped waiting.
    Waiting,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// The verb, or `token`.
    pub(crate) what: String,
    pub(crate) ending: Ending,
    /// Whether the response to a write proves that it was stored or that it was not.
    pub(crate) is_the_servers: bool,
    /// When it began, and when it was answered.
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.what)?;
        match self.ending {
            Ending::Answered(status) => write!(f, "{status}"),
            Ending::Unsent => f.write_str("unsent"),
            Ending::Lost => f.write_str("lost"),
            Ending::TooLong => f.write_str("too long"),
            Ending::Waiting => f.write_str("hung"),
        }
    }
}

pub(crate) struct Network {
    inner: ReqwestService,
    clock: Arc<TestClock>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) exchanges: Vec<Exchange>,
    /// The id in the last answer that had one.
    pub(crate) service_request_id: Option<String>,
    pub(crate) in_flight: usize,
}

impl Network {
    pub(crate) fn new(options: NetworkOptions, clock: Arc<TestClock>) -> Self {
        Self { inner: ReqwestService::new(options, clock.clone()), clock, seen: Mutex::default() }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Forgets what was seen.
    pub(crate) fn clear(&self) {
        *self.seen.lock().unwrap() = Seen::default();
    }

    fn begin(&self, request: &HttpRequest) -> Underway<'_> {
        let has_claims = request.body.windows(7).any(|text| text == b"claims=");
        let what = match request.url.path().contains("/oauth2/") {
            true if has_claims => "token with claims",
            true => "token",
            false => request.method.as_str(),
        };
        let mut seen = self.seen.lock().unwrap();
        let (what, ending, began) = (what.to_owned(), Ending::Waiting, self.clock.elapsed());
        seen.exchanges.push(Exchange { what, ending, is_the_servers: false, began, ended: began });
        seen.in_flight += 1;
        Underway { network: self, number: seen.exchanges.len() - 1 }
    }
}

/// One exchange, which may be given up.
struct Underway<'a> {
    network: &'a Network,
    number: usize,
}

impl Underway<'_> {
    fn end(self, answer: &Result<HttpResponse, HttpError>) {
        let mut seen = self.network.seen.lock().unwrap();
        let ending = match answer {
            Ok(response) => {
                let id = text(&response.headers, &SERVICE_REQUEST_ID);
                seen.service_request_id = id.or(seen.service_request_id.take());
                Ending::Answered(response.status.as_u16())
            }
            Err(error) if error.kind == HttpErrorKind::TooLarge => Ending::TooLong,
            Err(error) if error.kind.may_have_been_sent() => Ending::Lost,
            Err(_) => Ending::Unsent,
        };
        let exchange = &mut seen.exchanges[self.number];
        (exchange.ending, exchange.ended) = (ending, self.network.clock.elapsed());
        exchange.is_the_servers = answer.as_ref().is_ok_and(is_the_servers);
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.network.seen.lock().unwrap().in_flight -= 1;
    }
}

/// By a status that nothing else gives, or by its body. A 5xx may come from a gateway, whatever is in it.
fn is_the_servers(response: &HttpResponse) -> bool {
    let holds = |text: &[u8]| response.body.windows(text.len()).any(|part| part == text);
    match response.status.as_u16() {
        204 | 401 | 412 | 429 => true,
        200 => holds(b"@odata.etag"),
        400..=499 => holds(b"\"error\""),
        _ => false,
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

impl HttpService for Network {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            let underway = self.begin(&request);
            let answer = self.inner.call(request).await;
            underway.end(&answer);
            answer
        })
    }
}
