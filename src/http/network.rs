//! The network: reqwest with rustls. A *way* leads to one server, and has the connections that are kept open to it.

pub(super) mod address;
pub(super) mod certificate;
mod connector;
mod encoding;
mod exits;
mod failure;
pub(super) mod inspection;
pub(super) mod options;
pub(super) mod proxy;
mod receive;
mod threads;
pub(super) mod trust;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use futures_util::future::BoxFuture;
use rustls::ClientConfig;
use url::Url;

use self::{
    address::{is_of, server_of},
    exits::{Avoided, Exit, Taken},
    failure::{Route, tls_fault, unusable},
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

/// How long the answer to which proxy is kept.
const ROUTE_AGE: Duration = Duration::from_secs(60);
/// Clocks are set right by less than this, and who sleeps less has not lost connections.
const NAP: Duration = Duration::from_secs(15);
/// Whoever gave up after this long may have waited on a dead connection, and the next must not.
const SUSPICIOUS: Duration = Duration::from_secs(2);

/// Requests over the network. Nothing is read or opened before the first call.
pub struct ReqwestService {
    options: NetworkOptions,
    clock: SharedClock,
    /// Read when it is first needed.
    trust: Mutex<Option<Arc<Trust>>>,
    state: Mutex<State>,
    /// Held while asking for the way, so that calls that begin together ask once.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Two at most in practice: the environment's and the token authority's.
    ways: Vec<(Arc<Way>, Instant)>,
    /// When the last request began, by both clocks.
    seen: Option<(Instant, SystemTime)>,
    avoided: Avoided,
    /// No way is kept any more.
    is_closed: bool,
}

struct Way {
    /// Without path and query.
    server: Url,
    /// In the order in which they are to be tried.
    exits: Vec<Exit>,
}

impl Way {
    fn has(&self, proxies: &[Option<ProxyUrl>]) -> bool {
        self.exits.iter().map(|exit| &exit.proxy).eq(proxies)
    }
}

impl ReqwestService {
    /// A service with these options. The clock tells when the machine has slept; timeouts are the runtime's.
    #[must_use]
    pub fn new(options: NetworkOptions, clock: SharedClock) -> Self {
        Self { options, clock, trust: Mutex::default(), state: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// Host and port of the proxy through which this URL is requested first, if any.
    pub async fn proxy_of(&self, url: &Url) -> Result<Option<String>, HttpError> {
        let (way, now) = self.way(url).await?;
        let first = lock(&self.state).avoided.order(&way.exits, now)[0];
        Ok(way.exits[first].proxy.as_ref().map(ToString::to_string))
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (way, began) = self.way(&request.url).await?;
        let mut trial = Trial { service: self, way: &way, began, is_over: false };
        let outcome = self.take(&way, &request, began).await;
        trial.is_over = true;
        outcome.unwrap_or_else(|error| {
            self.forget(&way);
            Err(error)
        })
    }

    /// Sends the request through the first exit that leads anywhere. Those that do not come last for a while.
    async fn take(
        &self,
        way: &Way,
        request: &HttpRequest,
        began: Instant,
    ) -> Result<Result<HttpResponse, HttpError>, HttpError> {
        let order = lock(&self.state).avoided.order(&way.exits, began);
        let exits: Vec<_> = order.iter().map(|&index| &way.exits[index]).collect();
        let Taken { outcome, exit, is_stuck, .. } = exits::first_open(
            &exits,
            &*self.clock,
            || self.time_to_connect(request.deadline),
            |exit| self.route(&way.server, exit.proxy.as_ref()),
            |exit| send(exit, request, &*self.clock),
            |exit, time| lock(&self.state).avoided.add(exit.proxy.as_ref(), self.clock.now(), time),
        )
        .await;
        if exits.len() > 1 {
            let mut state = lock(&self.state);
            let forgiven = if is_stuck { &exits[..] } else { &exits[exit..=exit] };
            for exit in forgiven {
                state.avoided.remove(exit.proxy.as_ref());
            }
        }
        outcome
    }

    /// What is left of the call's time, and no more than one connection may take.
    fn time_to_connect(&self, deadline: Option<Instant>) -> Duration {
        let most = self.options.connect_timeout;
        deadline.map_or(most, |deadline| deadline.saturating_duration_since(self.clock.now()).min(most))
    }

    /// The way to this server, and the time.
    async fn way(&self, url: &Url) -> Result<(Arc<Way>, Instant), HttpError> {
        let now = self.clock.now();
        self.drop_stale(now);
        if let Some(way) = self.known(url, Some(now)) {
            return Ok((way, now));
        }
        let _turn = self.asking.lock().await;
        if let Some(way) = self.known(url, Some(now)) {
            return Ok((way, now));
        }
        let server = server_of(url);
        let proxies = self.options.proxy.exits_to(&server).await?;
        let same = self.known(url, None).filter(|way| way.has(&proxies));
        // The same way as before, so its connections are good.
        let way = if let Some(way) = same {
            way
        } else {
            let tls = self.tls(&server).await?;
            let exit = |proxy| Exit::new(&self.options, proxy, tls.clone());
            let exits = proxies.into_iter().map(exit).collect::<Result<_, _>>()?;
            Arc::new(Way { server, exits })
        };
        let mut state = lock(&self.state);
        state.ways.retain(|(old, _)| !is_of(&old.server, url));
        if !state.is_closed {
            state.ways.push((Arc::clone(&way), now + ROUTE_AGE));
        }
        Ok((way, now))
    }

    /// The way to this server that is kept, if it still counts at this time.
    fn known(&self, url: &Url, now: Option<Instant>) -> Option<Arc<Way>> {
        let state = lock(&self.state);
        let (way, until) = state.ways.iter().find(|(way, _)| is_of(&way.server, url))?;
        now.is_none_or(|now| now < *until).then(|| Arc::clone(way))
    }

    /// Connections do not outlive a sleep, and nobody says so: the first to use one would wait until it times out. Where
    /// the monotonic clock goes on during a sleep, as on Windows, they are simply too old after it.
    fn drop_stale(&self, now: Instant) {
        let wall = self.clock.wall();
        let mut state = lock(&self.state);
        if let Some((last, last_wall)) = state.seen.replace((now, wall)) {
            let awake = now.saturating_duration_since(last);
            if wall.duration_since(last_wall).is_ok_and(|elapsed| elapsed > awake + NAP) {
                state.ways.clear();
                state.avoided.clear();
            }
        }
    }

    /// The next request asks for the way again and takes a new connection. Exchanges on the old ones go on.
    fn forget(&self, way: &Arc<Way>) {
        lock(&self.state).ways.retain(|(kept, _)| !Arc::ptr_eq(kept, way));
    }

    fn route<'a>(&'a self, server: &'a Url, proxy: Option<&'a ProxyUrl>) -> Route<'a> {
        let gap = self.known_trust().and_then(|trust| trust.gap.clone());
        Route { server, proxy, options: &self.options, gap }
    }

    async fn tls(&self, server: &Url) -> Result<ClientConfig, HttpError> {
        match server.scheme() {
            "https" => Ok(self.trust().await?.config()),
            _ => trust::no_trust().map_err(unusable),
        }
    }

    async fn recording_tls(&self, server: &Url) -> Result<(ClientConfig, Option<Arc<Recording>>), HttpError> {
        let host = server.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match server.scheme() {
            "https" => self.trust().await?.recording(host).map(|(tls, recording)| (tls, Some(recording))),
            _ => trust::no_trust().map(|tls| (tls, None)),
        }
        .map_err(unusable)
    }

    fn known_trust(&self) -> Option<Arc<Trust>> {
        lock(&self.trust).clone()
    }

    /// What is trusted. A file that could not be read may be there by the next connection.
    async fn trust(&self) -> Result<Arc<Trust>, HttpError> {
        if let Some(trust) = self.known_trust().filter(|trust| trust.gap.is_none()) {
            return Ok(trust);
        }
        let (certificates, file) = (self.options.ca_certificates.clone(), self.options.extra_ca_file.clone());
        // Not on the runtime's thread: a disk may be slow, and a network's may not answer at all.
        let read = async { tokio::task::spawn_blocking(move || Trust::read(&certificates, file.as_deref())).await };
        let read = threads::unless_refused(read).await.map_err(|refused| {
            let message = format!("what is trusted here cannot be read ({refused})");
            HttpError::new(HttpErrorKind::Connect, message).caused_by(refused)
        })?;
        let trust = read.map_err(unusable)?.map_err(|error| {
            let message = format!("what is trusted here cannot be read ({})", tls_fault(&error));
            HttpError::new(HttpErrorKind::Untrusted, message).caused_by(error)
        })?;
        let trust = Arc::new(trust);
        *lock(&self.trust) = Some(Arc::clone(&trust));
        Ok(trust)
    }
}

impl HttpService for ReqwestService {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(self.exchange(request))
    }

    /// Connections go with the way that they are kept for.
    fn close(&self) {
        let mut state = lock(&self.state);
        state.is_closed = true;
        state.ways.clear();
    }
}

/// An exchange that may be given up on.
struct Trial<'a> {
    service: &'a ReqwestService,
    way: &'a Arc<Way>,
    began: Instant,
    is_over: bool,
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if !self.is_over && self.service.clock.now().saturating_duration_since(self.began) >= SUSPICIOUS {
            self.service.forget(self.way);
        }
    }
}
