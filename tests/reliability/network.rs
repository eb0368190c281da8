//! The real network of one client, recorded: its requests and how each of them ended for the client.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName};
use omnichannel_link::http::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, NetworkOptions, NetworkService,
};

use crate::support::clock::TestClock;

const SERVICE_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-service-request-id");

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Answered(u16),
    /// It did not reach the server.
    Unsent,
    /// No response, or a part of one.
    Lost,
    TooLong,
    /// Not over yet, or the client stopped waiting.
    Waiting,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// The method, or `token`.
    pub(crate) what: String,
    pub(crate) ending: Ending,
    /// Whether the response to a write proves that it was stored or that it was not.
    pub(crate) is_the_servers: bool,
    /// When it began and ended.
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
    inner: NetworkService,
    clock: Arc<TestClock>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) exchanges: Vec<Exchange>,
    /// The service request id of the last response that had one.
    pub(crate) service_request_id: Option<String>,
    pub(crate) in_flight: usize,
}

impl Network {
    pub(crate) fn new(options: NetworkOptions, clock: Arc<TestClock>) -> Self {
        Self { inner: NetworkService::new(options, clock.clone()), clock, seen: Mutex::default() }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Clears the record.
    pub(crate) fn clear(&self) {
        *self.seen.lock().unwrap() = Seen::default();
    }

    fn begin(&self, request: &HttpRequest) -> InFlight<'_> {
        let has_claims = request.body.windows(7).any(|text| text == b"claims=");
        let what = match request.uri.path().contains("/oauth2/") {
            true if has_claims => "token with claims",
            true => "token",
            false => request.method.as_str(),
        };
        let mut seen = self.seen.lock().unwrap();
        let (what, ending, began) = (what.to_owned(), Ending::Waiting, self.clock.elapsed());
        seen.exchanges.push(Exchange { what, ending, is_the_servers: false, began, ended: began });
        seen.in_flight += 1;
        InFlight { network: self, number: seen.exchanges.len() - 1 }
    }
}

/// One exchange. Dropping it cancels it.
struct InFlight<'a> {
    network: &'a Network,
    number: usize,
}

impl InFlight<'_> {
    fn end(self, result: &Result<HttpResponse, HttpError>) {
        let mut seen = self.network.seen.lock().unwrap();
        let ending = match result {
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
        exchange.is_the_servers = result.as_ref().is_ok_and(is_the_servers);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.network.seen.lock().unwrap().in_flight -= 1;
    }
}

/// Whether Dataverse itself sent it: by a status that no gateway sends, or by its body. A 5xx with any body may come from a gateway.
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
    fn call<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            let in_flight = self.begin(request);
            let result = self.inner.call(request).await;
            in_flight.end(&result);
            result
        })
    }
}
