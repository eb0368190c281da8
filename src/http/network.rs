//! The network: hyper with rustls. An [`Upstream`] holds the open connections to one server.

pub(super) mod address;
pub(super) mod certificate;
mod connection;
mod connector;
mod encoding;
mod exits;
mod failure;
pub(super) mod inspection;
pub(super) mod options;
mod pool;
pub(super) mod proxy;
mod receive;
mod threads;
pub(super) mod trust;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use futures_util::future::BoxFuture;
use http::{
    Uri,
    uri::{Authority, Scheme},
};
use rustls::ClientConfig;
use url::Url;

use self::{
    address::server_of,
    exits::{Avoided, Exit, Tried},
    failure::{Route, describe_tls_error, invalid_settings},
    options::NetworkOptions,
    proxy::ProxyUrl,
    receive::send,
    trust::{Trust, verifier::Recording},
};
use super::service::{
    HttpRequest, HttpResponse, HttpService,
    error::{HttpError, HttpErrorKind},
};
use crate::{clock::SharedClock, sync::lock};

/// How long an upstream is used before its proxies are determined again.
const UPSTREAM_TTL: Duration = Duration::from_secs(60);
/// A larger jump between the wall clock and the monotonic clock means that the machine slept. Time servers correct clocks by less,
/// and connections survive a shorter sleep.
const SLEEP_THRESHOLD: Duration = Duration::from_secs(15);
/// A request that is cancelled after this long may have waited on a dead connection, so the next one does not use it.
const STALE_CONNECTION_AFTER: Duration = Duration::from_secs(2);

/// Requests over the network. Nothing is read or opened before the first call.
pub struct NetworkService {
    options: NetworkOptions,
    clock: SharedClock,
    /// Read by the first connection.
    trust: Mutex<Option<Arc<Trust>>>,
    state: Mutex<State>,
    /// Held while an upstream is determined, so that simultaneous calls do it once.
    determining: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// With the time until which each is used. Two at most in practice: the environment's and the token endpoint's.
    upstreams: Vec<(Arc<Upstream>, Instant)>,
    /// When the last request began, by both clocks.
    last_request: Option<(Instant, SystemTime)>,
    avoided: Avoided,
    /// If so, upstreams are no longer kept.
    is_closed: bool,
}

struct Upstream {
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    /// The same as a URL.
    server: Url,
    /// In the order in which they are tried.
    exits: Vec<Exit>,
}

impl Upstream {
    fn serves(&self, uri: &Uri) -> bool {
        self.scheme.as_ref() == uri.scheme() && self.authority.as_ref() == uri.authority()
    }

    fn has(&self, proxies: &[Option<ProxyUrl>]) -> bool {
        self.exits.iter().map(|exit| &exit.proxy).eq(proxies)
    }
}

impl NetworkService {
    /// A service with these options. The clock serves to notice that the machine slept; timeouts are the runtime's.
    #[must_use]
    pub fn new(options: NetworkOptions, clock: SharedClock) -> Self {
        let (trust, state, determining) = Default::default();
        Self { options, clock, trust, state, determining }
    }

    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let (upstream, began) = self.upstream(&request.uri).await?;
        let mut guard = ExchangeGuard { service: self, upstream: &upstream, began, is_over: false };
        let outcome = self.send(&upstream, request, began).await;
        guard.is_over = true;
        outcome.unwrap_or_else(|error| {
            self.discard(&upstream);
            Err(error)
        })
    }

    /// Sends the request through the first exit that connects. Proxies that do not are tried last for a while.
    async fn send(
        &self,
        upstream: &Upstream,
        request: &HttpRequest,
        began: Instant,
    ) -> Result<Result<HttpResponse, HttpError>, HttpError> {
        let exits = self.in_order(upstream, began);
        let Tried { outcome, exit, none_connects, .. } = exits::try_in_order(
            &exits,
            &*self.clock,
            || self.time_to_connect(request.deadline),
            |exit| self.route(&upstream.server, exit.proxy.as_ref()),
            |exit| send(exit, request, &*self.clock),
            |exit, time| lock(&self.state).avoided.add(exit.proxy.as_ref(), self.clock.now(), time),
        )
        .await;
        if exits.len() > 1 {
            let mut state = lock(&self.state);
            let no_longer_avoided = if none_connects { &exits[..] } else { &exits[exit..=exit] };
            for exit in no_longer_avoided {
                state.avoided.remove(exit.proxy.as_ref());
            }
        }
        outcome
    }

    /// The exits in the order in which to try them now. Most upstreams have one.
    fn in_order<'u>(&self, upstream: &'u Upstream, now: Instant) -> Vec<&'u Exit> {
        if let [exit] = upstream.exits.as_slice() {
            return vec![exit];
        }
        let order = lock(&self.state).avoided.order(upstream.exits.iter().map(|exit| exit.proxy.as_ref()), now);
        order.into_iter().map(|index| &upstream.exits[index]).collect()
    }

    /// Time left for a connection: that of the call, but no more than the options allow.
    fn time_to_connect(&self, deadline: Option<Instant>) -> Duration {
        let most = self.options.connect_timeout;
        deadline.map_or(most, |deadline| deadline.saturating_duration_since(self.clock.now()).min(most))
    }

    /// The upstream of this URI, and the current time.
    async fn upstream(&self, uri: &Uri) -> Result<(Arc<Upstream>, Instant), HttpError> {
        let now = self.clock.now();
        self.discard_after_sleep(now);
        if let Some(upstream) = self.kept(uri, Some(now)) {
            return Ok((upstream, now));
        }
        let _alone = self.determining.lock().await;
        if let Some(upstream) = self.kept(uri, Some(now)) {
            return Ok((upstream, now));
        }
        let server = server_of(uri).map_err(invalid_settings)?;
        let proxies = self.options.proxy.exits_to(&server).await?;
        // With the same proxies as before, the connections can still be used.
        let same = self.kept(uri, None).filter(|upstream| upstream.has(&proxies));
        let upstream = if let Some(upstream) = same {
            upstream
        } else {
            let tls = self.tls(&server).await?;
            let exit = |proxy| Exit::new(&self.options, &server, proxy, tls.clone());
            let exits = proxies.into_iter().map(exit).collect::<Result<_, _>>()?;
            let (scheme, authority) = (uri.scheme().cloned(), uri.authority().cloned());
            Arc::new(Upstream { scheme, authority, server, exits })
        };
        let mut state = lock(&self.state);
        state.upstreams.retain(|(old, _)| !old.serves(uri));
        if !state.is_closed {
            state.upstreams.push((Arc::clone(&upstream), now + UPSTREAM_TTL));
        }
        Ok((upstream, now))
    }

    /// The upstream that is kept for this URI. With a time, only if it may still be used then.
    fn kept(&self, uri: &Uri, now: Option<Instant>) -> Option<Arc<Upstream>> {
        let state = lock(&self.state);
        let (upstream, until) = state.upstreams.iter().find(|(upstream, _)| upstream.serves(uri))?;
        now.is_none_or(|now| now < *until).then(|| Arc::clone(upstream))
    }

    /// Connections do not survive the machine's sleep, but nothing reports that: the next request would wait until it times out.
    /// On systems whose monotonic clock advances during sleep, such as Windows, the idle timeout has closed them.
    fn discard_after_sleep(&self, now: Instant) {
        let wall = self.clock.wall();
        let mut state = lock(&self.state);
        if let Some((last, last_wall)) = state.last_request.replace((now, wall)) {
            let awake = now.saturating_duration_since(last);
            if wall.duration_since(last_wall).is_ok_and(|elapsed| elapsed > awake + SLEEP_THRESHOLD) {
                state.upstreams.clear();
                state.avoided.clear();
            }
        }
    }

    /// Makes the next request determine the proxies again and open a new connection. Exchanges in progress are not affected.
    fn discard(&self, upstream: &Arc<Upstream>) {
        lock(&self.state).upstreams.retain(|(kept, _)| !Arc::ptr_eq(kept, upstream));
    }

    fn route<'a>(&'a self, server: &'a Url, proxy: Option<&'a ProxyUrl>) -> Route<'a> {
        let unreadable_ca_file = self.loaded_trust().and_then(|trust| trust.unreadable_ca_file.clone());
        Route { server, proxy, options: &self.options, unreadable_ca_file }
    }

    async fn tls(&self, server: &Url) -> Result<ClientConfig, HttpError> {
        match server.scheme() {
            "https" => Ok(self.trust().await?.config()),
            _ => trust::no_trust().map_err(invalid_settings),
        }
    }

    async fn recording_tls(&self, server: &Url) -> Result<(ClientConfig, Option<Arc<Recording>>), HttpError> {
        let host = server.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match server.scheme() {
            "https" => self.trust().await?.recording(host).map(|(tls, recording)| (tls, Some(recording))),
            _ => trust::no_trust().map(|tls| (tls, None)),
        }
        .map_err(invalid_settings)
    }

    fn loaded_trust(&self) -> Option<Arc<Trust>> {
        lock(&self.trust).clone()
    }

    /// The trusted certificates. A CA file that could not be read is tried again, because it may be there now.
    async fn trust(&self) -> Result<Arc<Trust>, HttpError> {
        if let Some(trust) = self.loaded_trust().filter(|trust| trust.unreadable_ca_file.is_none()) {
            return Ok(trust);
        }
        let (certificates, file) = (self.options.ca_certificates.clone(), self.options.extra_ca_file.clone());
        // On a thread of its own: a disk may be slow, and a network drive may never respond.
        let read = async { tokio::task::spawn_blocking(move || Trust::read(&certificates, file.as_deref())).await };
        let read = threads::catch_no_thread(read).await.map_err(|no_thread| {
            let message = format!("the trusted certificates cannot be read ({no_thread})");
            HttpError::new(HttpErrorKind::Connect, message).caused_by(no_thread)
        })?;
        let trust = read.map_err(invalid_settings)?.map_err(|error| {
            let message = format!("the trusted certificates cannot be read ({})", describe_tls_error(&error));
            HttpError::new(HttpErrorKind::Untrusted, message).caused_by(error)
        })?;
        let trust = Arc::new(trust);
        *lock(&self.trust) = Some(Arc::clone(&trust));
        Ok(trust)
    }
}

impl HttpService for NetworkService {
    fn call<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, HttpError>> {
        Box::pin(self.exchange(request))
    }

    /// Connections are closed with their upstream.
    fn close(&self) {
        let mut state = lock(&self.state);
        state.is_closed = true;
        state.upstreams.clear();
    }
}

/// Discards the upstream of an exchange that is cancelled after a long wait.
struct ExchangeGuard<'a> {
    service: &'a NetworkService,
    upstream: &'a Arc<Upstream>,
    began: Instant,
    is_over: bool,
}

impl Drop for ExchangeGuard<'_> {
    fn drop(&mut self) {
        let waited = || self.service.clock.now().saturating_duration_since(self.began);
        if !self.is_over && waited() >= STALE_CONNECTION_AFTER {
            self.service.discard(self.upstream);
        }
    }
}
