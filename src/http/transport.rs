//! The network: reqwest with rustls. A *way* leads to one server, and has the connections that are kept open to it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use futures_util::future::BoxFuture;
use http::HeaderValue;
use rustls::ClientConfig;
use url::Url;

use super::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    exits::{self, Avoided, Exit, Taken},
    failure::{Route, tls_fault, unusable},
    proxy::{Proxy, ProxyUrl, ProxyVariables},
    receive::send,
    threads,
    trust::{self, CaCertificate, Trust, Witness},
};
use crate::clock::SharedClock;

/// How long the answer to which proxy is kept.
const ROUTE_AGE: Duration = Duration::from_secs(60);
/// Clocks are set right by less than this, and who sleeps less has not lost connections.
const NAP: Duration = Duration::from_secs(15);
/// Whoever gave up after this long may have waited on a dead connection, and the next must not.
const SUSPICIOUS: Duration = Duration::from_secs(2);

/// How the network is reached.
#[derive(Clone)]
pub struct NetworkOptions {
    /// Trusted besides the platform's store.
    pub ca_certificates: Vec<CaCertificate>,
    /// `NODE_EXTRA_CA_CERTS`: a PEM file, trusted besides, read by the first call. As in Node, it is not an error if it cannot be
    /// read, and each of its entries counts by itself; an error about trust says what does not count.
    pub extra_ca_file: Option<PathBuf>,
    /// Which proxy.
    pub proxy: Proxy,
    /// See [`user_agent`].
    pub user_agent: HeaderValue,
    /// For name, connection, proxy and TLS together.
    pub connect_timeout: Duration,
    /// How long a server may be silent; before its answer begins, the time to connect counts. Longer than the other one.
    pub read_timeout: Duration,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            ca_certificates: Vec::new(),
            extra_ca_file: None,
            proxy: Proxy::Environment(ProxyVariables::default()),
            user_agent: HeaderValue::from_static(USER_AGENT),
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(20),
        }
    }
}

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// What requests say of their sender: this library, and the application if it is 1 to 256 printable ASCII characters.
#[must_use]
pub fn user_agent(application: &str) -> Option<HeaderValue> {
    let is_text = application.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let is_sized = !application.trim().is_empty() && application.len() <= 256;
    (is_text && is_sized).then(|| HeaderValue::try_from(format!("{USER_AGENT} {}", application.trim())).ok())?
}

/// Requests over the network. Nothing is read or opened before the first call.
pub struct ReqwestService {
    pub(super) options: NetworkOptions,
    pub(super) clock: SharedClock,
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
        let first = self.state().avoided.order(&way.exits, now)[0];
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
        let order = self.state().avoided.order(&way.exits, began);
        let exits: Vec<_> = order.iter().map(|&index| &way.exits[index]).collect();
        let Taken { outcome, exit, is_stuck, .. } = exits::first_open(
            &exits,
            &*self.clock,
            || self.time_to_connect(request.deadline),
            |exit| self.route(&way.server, exit.proxy.as_ref()),
            |exit| send(exit, request, &*self.clock),
            |exit, time| self.state().avoided.add(exit.proxy.as_ref(), self.clock.now(), time),
        )
        .await;
        if exits.len() > 1 {
            let mut state = self.state();
            let forgiven = if is_stuck { &exits[..] } else { &exits[exit..=exit] };
            for exit in forgiven {
                state.avoided.remove(exit.proxy.as_ref());
            }
        }
        outcome
    }

    /// What is left of the call's time, and no more than one connection may take.
    pub(super) fn time_to_connect(&self, deadline: Option<Instant>) -> Duration {
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
        let mut state = self.state();
        state.ways.retain(|(old, _)| !is_of(&old.server, url));
        if !state.is_closed {
            state.ways.push((Arc::clone(&way), now + ROUTE_AGE));
        }
        Ok((way, now))
    }

    /// The way to this server that is kept, if it still counts at this time.
    fn known(&self, url: &Url, now: Option<Instant>) -> Option<Arc<Way>> {
        let state = self.state();
        let (way, until) = state.ways.iter().find(|(way, _)| is_of(&way.server, url))?;
        now.is_none_or(|now| now < *until).then(|| Arc::clone(way))
    }

    /// Connections do not outlive a sleep, and nobody says so: the first to use one would wait until it times out. Where
    /// the monotonic clock goes on during a sleep, as on Windows, they are simply too old after it.
    fn drop_stale(&self, now: Instant) {
        let wall = self.clock.wall();
        let mut state = self.state();
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
        self.state().ways.retain(|(kept, _)| !Arc::ptr_eq(kept, way));
    }

    pub(super) fn route<'a>(&'a self, server: &'a Url, proxy: Option<&'a ProxyUrl>) -> Route<'a> {
        let gap = self.known_trust().and_then(|trust| trust.gap.clone());
        Route { server, proxy, options: &self.options, gap }
    }

    async fn tls(&self, server: &Url) -> Result<ClientConfig, HttpError> {
        match server.scheme() {
            "https" => Ok(self.trust().await?.config()),
            _ => trust::no_trust().map_err(unusable),
        }
    }

    pub(super) async fn witnessed_tls(&self, server: &Url) -> Result<(ClientConfig, Option<Arc<Witness>>), HttpError> {
        let host = server.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match server.scheme() {
            "https" => self.trust().await?.witnessed(host).map(|(tls, witness)| (tls, Some(witness))),
            _ => trust::no_trust().map(|tls| (tls, None)),
        }
        .map_err(unusable)
    }

    fn known_trust(&self) -> Option<Arc<Trust>> {
        self.trust.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is trusted. A file that could not be read may be there by the next connection.
    async fn trust(&self) -> Result<Arc<Trust>, HttpError> {
        if let Some(trust) = self.known_trust().filter(|trust| trust.gap.is_none()) {
            return Ok(trust);
        }
        let (certificates, file) = (self.options.ca_certificates.clone(), self.options.extra_ca_file.clone());
        // Not on the runtime's thread: a disk may be slow, and a network's may not answer at all.
        let read = async { tokio::task::spawn_blocking(move || Trust::read(&certificates, file.as_deref())).await };
        let read = threads::unless_refused(read).await.map_err(|refused| HttpError {
            kind: HttpErrorKind::Connect,
            message: format!("what is trusted here cannot be read ({refused})"),
            retry_after: None,
            source: Some(Box::new(refused)),
        })?;
        let trust = read.map_err(unusable)?.map_err(|error| HttpError {
            kind: HttpErrorKind::Untrusted,
            message: format!("what is trusted here cannot be read ({})", tls_fault(&error)),
            ..unusable(error)
        })?;
        let trust = Arc::new(trust);
        *self.trust.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&trust));
        Ok(trust)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpService for ReqwestService {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(self.exchange(request))
    }

    /// Connections go with the way that they are kept for.
    fn close(&self) {
        let mut state = self.state();
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

pub(super) fn server_of(url: &Url) -> Url {
    let mut server = url.clone();
    server.set_path("/");
    server.set_query(None);
    server.set_fragment(None);
    server
}

fn is_of(server: &Url, url: &Url) -> bool {
    server.scheme() == url.scheme()
        && server.host_str() == url.host_str()
        && server.port_or_known_default() == url.port_or_known_default()
}

/// Whether a secret may be sent there: encrypted, or without leaving this machine.
#[must_use]
pub fn is_safe_for_secrets(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// Whether the host is this machine, by address or by the name that always means it.
#[must_use]
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for url in ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:8", "http://localhost:80"] {
            assert!(is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
        for url in [
            "http://10.0.0.1",
            "http://localhost.example",
            "http://[::2]",
            "http://127.0.0.1.example",
            "http://0.0.0.0",
        ] {
            assert!(!is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
    }

    #[test]
    fn an_application_is_text_that_a_header_can_hold() {
        let agent = user_agent("contoso-desk/2.1 (Electron)").unwrap();
        assert_eq!(agent, format!("{USER_AGENT} contoso-desk/2.1 (Electron)"));
        for text in ["", " ", "a\r\nb: c", "caf\u{e9}", &"x".repeat(257)] {
            assert_eq!(user_agent(text), None, "{text:?}");
        }
    }
}
