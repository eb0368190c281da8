//! The exits to one server: what a PAC script's answer lists, to be tried in order. Which errors lead to the next entry is Chromium's
//! choice (`net/http/proxy_fallback.cc`): no connection came about, so nothing was sent, and neither proxy nor server has refused.

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
    failure::{self, Lost, Route},
    options::NetworkOptions,
    proxy::ProxyUrl,
};
use crate::{
    clock::Clock,
    http::service::error::{HttpError, HttpErrorKind},
};

/// For how long a proxy that could not be connected to comes last, as in Chromium.
const AVOIDED_FOR: Duration = Duration::from_secs(5 * 60);
/// In less time than this a good one may not connect either,
const FAIR_SHARE: Duration = Duration::from_secs(1);
/// so that it does not come last for long.
const AVOIDED_IN_HASTE_FOR: Duration = Duration::from_secs(30);
const MAX_AVOIDED: usize = 64;

/// One entry of the list, and the connections that are kept through it.
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

    /// What `send` comes to. Where a limit is set, the first connection has to be there within it. As long as no connection was
    /// ever made through this exit, nothing was sent, and `send` can be dropped.
    async fn connect_within<T>(
        &self,
        limit: Option<Duration>,
        clock: &dyn Clock,
        send: impl Future<Output = reqwest::Result<T>>,
    ) -> Result<T, Lost> {
        let mut send = pin!(send);
        if let Some(limit) = limit.filter(|_| !self.has_connected()) {
            tokio::select! {
                biased;
                outcome = &mut send => return outcome.map_err(Lost::Error),
                () = clock.sleep(limit) => {}
            }
            if !self.has_connected() {
                return Err(Lost::NotConnected(limit));
            }
        }
        send.await.map_err(Lost::Error)
    }

    fn has_connected(&self) -> bool {
        self.has_connected.load(Ordering::SeqCst)
    }
}

/// What came of a request, or of a look.
pub(super) struct Taken<T> {
    pub(super) outcome: Result<T, HttpError>,
    /// The exit that decided it, by its number.
    pub(super) exit: usize,
    /// Why those before it led nowhere.
    pub(super) passed: Vec<String>,
    /// Whether none of them leads anywhere.
    pub(super) is_stuck: bool,
}

/// Tries the exits in this order. An exit that is not the last has its share of `time` to connect, so that the others can be
/// tried, too. `passing` is told of each before the next is tried, and for how long it is to be avoided.
pub(super) async fn first_open<'a, T, F: Future<Output = reqwest::Result<T>>>(
    exits: &[&'a Exit],
    clock: &dyn Clock,
    time: impl Fn() -> Duration,
    route: impl Fn(&'a Exit) -> Route<'a>,
    send: impl Fn(&'a Exit) -> F,
    passing: impl Fn(&'a Exit, Duration),
) -> Taken<T> {
    let mut passed: Vec<HttpError> = Vec::new();
    for (index, exit) in exits.iter().enumerate() {
        let left = exits.len() - index;
        let limit = (left > 1).then(|| time() / u32::try_from(left).unwrap_or(u32::MAX));
        let lost = match exit.connect_within(limit, clock, send(exit)).await {
            Ok(outcome) => {
                let passed = passed.into_iter().map(|error| error.message).collect();
                return Taken { outcome: Ok(outcome), exit: index, passed, is_stuck: false };
            }
            Err(lost) => lost,
        };
        let leads_nowhere = lost.leads_nowhere();
        let error = failure::explain(lost, &route(exit));
        if leads_nowhere && left > 1 {
            let is_in_haste =
                error.kind == HttpErrorKind::ConnectTimeout && limit.is_some_and(|limit| limit < FAIR_SHARE);
            passing(exit, if is_in_haste { AVOIDED_IN_HASTE_FOR } else { AVOIDED_FOR });
            passed.push(error);
            continue;
        }
        let messages: Vec<_> = passed.iter().map(|error| error.message.clone()).collect();
        let error = if passed.is_empty() { error } else { all_of(&passed, error, leads_nowhere) };
        return Taken { outcome: Err(error), exit: index, passed: messages, is_stuck: leads_nowhere };
    }
    let error = HttpError::new(HttpErrorKind::NoRoute, "the proxy function's answer lists nothing");
    Taken { outcome: Err(error), exit: 0, passed: Vec::new(), is_stuck: true }
}

/// Whoever refused decides what it is. If none leads anywhere, it is a question of time as long as it is for one of them.
fn all_of(passed: &[HttpError], last: HttpError, leads_nowhere: bool) -> HttpError {
    let messages = passed.iter().chain([&last]).map(|error| error.message.as_str()).collect::<Vec<_>>().join("; then ");
    let is_one = |kind: &HttpErrorKind| passed.iter().chain([&last]).any(|error| error.kind == *kind);
    let common = [HttpErrorKind::Connect, HttpErrorKind::ConnectTimeout].into_iter().find(is_one);
    let kind = common.filter(|_| leads_nowhere).unwrap_or(last.kind);
    HttpError { kind, message: messages, ..last }
}

/// The proxies that could not be connected to lately. They come last, and not never: the others may be gone by then.
#[derive(Default)]
pub(super) struct Avoided(Vec<(ProxyUrl, Instant)>);

impl Avoided {
    /// The numbers of the exits, in the order in which they are tried now.
    pub(super) fn order(&self, exits: &[Exit], now: Instant) -> Vec<usize> {
        let mut order: Vec<_> = (0..exits.len()).collect();
        order.sort_by_key(|&index| self.has(exits[index].proxy.as_ref(), now));
        order
    }

    fn has(&self, proxy: Option<&ProxyUrl>, now: Instant) -> bool {
        self.0.iter().any(|(avoided, until)| Some(avoided) == proxy && now < *until)
    }

    /// Direct connections are never avoided.
    pub(super) fn add(&mut self, proxy: Option<&ProxyUrl>, now: Instant, time: Duration) {
        let Some(proxy) = proxy else { return };
        self.0.retain(|(avoided, until)| avoided != proxy && now < *until);
        if self.0.len() < MAX_AVOIDED {
            self.0.push((proxy.clone(), now + time));
        }
    }

    /// What connects is not avoided any more, and neither is one of those of which none does.
    pub(super) fn remove(&mut self, proxy: Option<&ProxyUrl>) {
        self.0.retain(|(avoided, _)| Some(avoided) != proxy);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
