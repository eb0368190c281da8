//! Exits: the proxies of a PAC script's result, or a direct connection. They are tried in order. As in Chromium
//! (`net/http/proxy_fallback.cc`), the next one is tried only if no connection was made, so nothing was sent, and neither proxy nor
//! server rejected it.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, HOST, USER_AGENT},
};
use http_body_util::Full;
use hyper::body::Incoming;
use rustls::ClientConfig;
use url::Url;

use super::{
    address::host_header,
    connection::{Connection, Sender},
    connector::Connector,
    encoding,
    failure::{self, Route, SendError},
    options::NetworkOptions,
    pool::Pool,
    proxy::ProxyUrl,
};
use crate::{
    clock::{Clock, SystemClock},
    http::service::{
        HttpRequest,
        error::{HttpError, HttpErrorKind},
    },
};

/// How long a proxy that could not be connected to is tried last, as in Chromium.
const AVOIDED_FOR: Duration = Duration::from_secs(5 * 60);
/// With less time than this to connect, a working proxy may fail too ...
const FAIR_TIME_TO_CONNECT: Duration = Duration::from_secs(1);
/// ... so it is avoided for less long.
const AVOIDED_BRIEFLY_FOR: Duration = Duration::from_secs(30);
const MAX_AVOIDED: usize = 64;
/// How often a request is sent again that a server of HTTP/2 refused.
const MAX_REFUSALS: usize = 2;

/// One entry of the list, and its open connections.
pub(super) struct Exit {
    pub(super) proxy: Option<ProxyUrl>,
    connector: Connector,
    pool: Arc<Pool>,
    host: HeaderValue,
    user_agent: HeaderValue,
    connect_timeout: Duration,
    pub(super) read_timeout: Duration,
    /// Whether there has been a connection, through the proxy and with TLS.
    has_connected: AtomicBool,
}

impl Exit {
    pub(super) fn new(
        options: &NetworkOptions,
        server: &Url,
        proxy: Option<ProxyUrl>,
        tls: ClientConfig,
    ) -> Result<Self, HttpError> {
        let connector = Connector::new(options, server, proxy.as_ref(), tls)?;
        let host = host_header(server).map_err(failure::invalid_settings)?;
        let NetworkOptions { connect_timeout, read_timeout, ref user_agent, .. } = *options;
        let (pool, user_agent, has_connected) = (Arc::default(), user_agent.clone(), AtomicBool::default());
        Ok(Self { proxy, connector, pool, host, user_agent, connect_timeout, read_timeout, has_connected })
    }

    /// Sends a request and waits for the head of the response. It is sent again only if the server provably did not act on it: a
    /// connection that was kept ended before anything was sent, or the server refused it.
    pub(super) async fn exchange(&self, request: &HttpRequest) -> Result<(Response<Incoming>, Connection), SendError> {
        let until = tokio::time::Instant::now() + self.read_timeout;
        let mut refusals = 0;
        loop {
            let (mut connection, is_older) = match self.pool.take() {
                Some(connection) => (connection, true),
                None => self.pool.share(Box::pin(self.connect()).await?),
            };
            match connection.send(self.complete(request, &connection.sender), until).await {
                Ok(response) => return Ok((response, connection)),
                Err(SendError::NotSent(_)) if is_older => {}
                Err(error) if error.is_refusal() && refusals < MAX_REFUSALS => refusals += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps a connection whose response was read to its end.
    pub(super) fn keep(&self, connection: Connection) {
        self.pool.put(connection);
    }

    async fn connect(&self) -> Result<Connection, SendError> {
        let connecting = async {
            let (stream, is_http2) = self.connector.connect().await?;
            Ok(Connection::open(stream, is_http2).await?)
        };
        let connection = tokio::select! {
            biased;
            connection = connecting => connection.map_err(SendError::Connect)?,
            () = SystemClock.sleep(self.connect_timeout) => return Err(SendError::NotConnected(self.connect_timeout)),
        };
        self.has_connected.store(true, Ordering::SeqCst);
        Ok(connection)
    }

    /// The request in the form of its connection's HTTP version, with the headers that every request has.
    fn complete(&self, request: &HttpRequest, sender: &Sender) -> Request<Full<Bytes>> {
        let mut complete = Request::new(Full::new(request.body.clone()));
        *complete.method_mut() = request.method.clone();
        let mut headers = request.headers.clone();
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.entry(ACCEPT_ENCODING).or_insert(encoding::ACCEPTED);
        headers.entry(USER_AGENT).or_insert_with(|| self.user_agent.clone());
        *complete.uri_mut() = match sender {
            Sender::Http1(_) => {
                headers.insert(HOST, self.host.clone());
                request.uri.path_and_query().cloned().map(Uri::from).unwrap_or_default()
            }
            Sender::Http2(_) => request.uri.clone(),
        };
        *complete.headers_mut() = headers;
        complete
    }

    /// Awaits `send`, but its first connection no longer than `limit`, if there is one. Until this exit has had a connection nothing
    /// was sent, so `send` can be dropped.
    async fn connect_within<T>(
        &self,
        limit: Option<Duration>,
        clock: &dyn Clock,
        send: impl Future<Output = Result<T, SendError>>,
    ) -> Result<T, SendError> {
        let mut send = pin!(send);
        if let Some(limit) = limit.filter(|_| !self.has_connected()) {
            tokio::select! {
                biased;
                outcome = &mut send => return outcome,
                () = clock.sleep(limit) => {}
            }
            if !self.has_connected() {
                return Err(SendError::NotConnected(limit));
            }
        }
        send.await
    }

    fn has_connected(&self) -> bool {
        self.has_connected.load(Ordering::SeqCst)
    }
}

pub(super) struct Tried<T> {
    pub(super) outcome: Result<T, HttpError>,
    /// Index of the last exit that was tried.
    pub(super) exit: usize,
    /// Errors of those before it.
    pub(super) skipped: Vec<String>,
    /// Whether no exit connects.
    pub(super) none_connects: bool,
}

/// Tries the exits in this order. An exit that is not the last may use a share of `time` to connect, so that time is left for the
/// others. `on_skip` receives each exit that does not connect, and how long to avoid it.
pub(super) async fn try_in_order<'a, T, F: Future<Output = Result<T, SendError>>>(
    exits: &[&'a Exit],
    clock: &dyn Clock,
    time: impl Fn() -> Duration,
    route: impl Fn(&'a Exit) -> Route<'a>,
    send: impl Fn(&'a Exit) -> F,
    on_skip: impl Fn(&'a Exit, Duration),
) -> Tried<T> {
    let mut skipped: Vec<HttpError> = Vec::new();
    for (index, exit) in exits.iter().enumerate() {
        let left = exits.len() - index;
        let limit = (left > 1).then(|| time() / u32::try_from(left).unwrap_or(u32::MAX));
        let error = match exit.connect_within(limit, clock, send(exit)).await {
            Ok(outcome) => {
                let skipped = skipped.into_iter().map(|error| error.message).collect();
                return Tried { outcome: Ok(outcome), exit: index, skipped, none_connects: false };
            }
            Err(error) => error,
        };
        let allows_next = error.allows_next_exit();
        let error = failure::explain(error, &route(exit));
        if allows_next && left > 1 {
            let had_little_time =
                error.kind == HttpErrorKind::ConnectTimeout && limit.is_some_and(|limit| limit < FAIR_TIME_TO_CONNECT);
            on_skip(exit, if had_little_time { AVOIDED_BRIEFLY_FOR } else { AVOIDED_FOR });
            skipped.push(error);
            continue;
        }
        let messages: Vec<_> = skipped.iter().map(|error| error.message.clone()).collect();
        let error = if skipped.is_empty() { error } else { combined(&skipped, error, allows_next) };
        return Tried { outcome: Err(error), exit: index, skipped: messages, none_connects: allows_next };
    }
    let error = HttpError::new(HttpErrorKind::NoRoute, "the proxy function returned an empty list");
    Tried { outcome: Err(error), exit: 0, skipped: Vec::new(), none_connects: true }
}

/// One error for all exits. Its kind is that of the last, but if none connects, a retryable kind of any of them.
fn combined(skipped: &[HttpError], last: HttpError, none_connects: bool) -> HttpError {
    let messages =
        skipped.iter().chain([&last]).map(|error| error.message.as_str()).collect::<Vec<_>>().join("; then ");
    let occurs = |kind: &HttpErrorKind| skipped.iter().chain([&last]).any(|error| error.kind == *kind);
    let retryable = [HttpErrorKind::Connect, HttpErrorKind::ConnectTimeout].into_iter().find(occurs);
    let kind = retryable.filter(|_| none_connects).unwrap_or(last.kind);
    HttpError { kind, message: messages, ..last }
}

/// Proxies that recently could not be connected to. They are tried last rather than never, because the others may fail by then.
#[derive(Default)]
pub(super) struct Avoided(Vec<(ProxyUrl, Instant)>);

impl Avoided {
    /// Indexes of the proxies, in the order in which to try them now.
    pub(super) fn order<'p>(&self, proxies: impl Iterator<Item = Option<&'p ProxyUrl>>, now: Instant) -> Vec<usize> {
        let mut order: Vec<_> = proxies.map(|proxy| self.has(proxy, now)).enumerate().collect();
        order.sort_by_key(|(_, is_avoided)| *is_avoided);
        order.into_iter().map(|(index, _)| index).collect()
    }

    fn has(&self, proxy: Option<&ProxyUrl>, now: Instant) -> bool {
        self.0.iter().any(|(avoided, until)| Some(avoided) == proxy && now < *until)
    }

    /// Avoids a proxy for this time. Direct connections are never avoided.
    pub(super) fn add(&mut self, proxy: Option<&ProxyUrl>, now: Instant, time: Duration) {
        let Some(proxy) = proxy else { return };
        self.0.retain(|(avoided, until)| avoided != proxy && now < *until);
        if self.0.len() < MAX_AVOIDED {
            self.0.push((proxy.clone(), now + time));
        }
    }

    /// No longer avoids a proxy: it connects again, or no other one does.
    pub(super) fn remove(&mut self, proxy: Option<&ProxyUrl>) {
        self.0.retain(|(avoided, _)| Some(avoided) != proxy);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
