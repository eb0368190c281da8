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

use reqwest::Client;
use rustls::ClientConfig;

use super::{
    connector::{self, Connected},
    failure::{self, Route, SendError},
    options::NetworkOptions,
    proxy::ProxyUrl,
};
use crate::{
    clock::Clock,
    http::service::error::{HttpError, HttpErrorKind},
};

/// How long a proxy that could not be connected to is tried last, as in Chromium.
const AVOIDED_FOR: Duration = Duration::from_secs(5 * 60);
/// With less time than this to connect, a working proxy may fail too ...
const FAIR_TIME_TO_CONNECT: Duration = Duration::from_secs(1);
/// ... so it is avoided for less long.
const AVOIDED_BRIEFLY_FOR: Duration = Duration::from_secs(30);
const MAX_AVOIDED: usize = 64;

/// One entry of the list, and its open connections.
pub(super) struct Exit {
    pub(super) proxy: Option<ProxyUrl>,
    pub(super) client: Client,
    has_connected: Arc<AtomicBool>,
}

impl Exit {
    pub(super) fn new(options: &NetworkOptions, proxy: Option<ProxyUrl>, tls: ClientConfig) -> Result<Self, HttpError> {
        let has_connected = Arc::<AtomicBool>::default();
        let client = connector::client(options, proxy.as_ref(), tls, Connected(Arc::clone(&has_connected)))?;
        Ok(Self { proxy, client, has_connected })
    }

    /// Awaits `send`, but its first connection no longer than `limit`, if there is one. Until this exit has had a connection nothing
    /// was sent, so `send` can be dropped.
    async fn connect_within<T>(
        &self,
        limit: Option<Duration>,
        clock: &dyn Clock,
        send: impl Future<Output = reqwest::Result<T>>,
    ) -> Result<T, SendError> {
        let mut send = pin!(send);
        if let Some(limit) = limit.filter(|_| !self.has_connected()) {
            tokio::select! {
                biased;
                outcome = &mut send => return outcome.map_err(SendError::Reqwest),
                () = clock.sleep(limit) => {}
            }
            if !self.has_connected() {
                return Err(SendError::NotConnected(limit));
            }
        }
        send.await.map_err(SendError::Reqwest)
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
pub(super) async fn try_in_order<'a, T, F: Future<Output = reqwest::Result<T>>>(
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
