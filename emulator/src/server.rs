//! The server: where it listens, which paths are its own, when it ends.

use std::{io, net::Ipv4Addr, sync::Arc};

use axum::{Router, routing};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use uuid::Uuid;

use crate::{
    control, exchange,
    handles::{Clock, Faults},
    log::LoggedRequest,
    organisation::Organisation,
    state::{Opening, Shared},
    tls::Tls,
    token::Application,
    web_api::Service,
    wire::{self, Connections},
};

/// A running emulator. It stops when dropped.
#[derive(Debug)]
pub struct Emulator {
    shared: Arc<Shared>,
    ca_certificate: Option<String>,
    stop: Stop,
    server: JoinHandle<()>,
}

/// Dropping it is the signal to stop, also for requests that hang.
#[derive(Debug)]
struct Stop {
    shared: Arc<Shared>,
    _signal: oneshot::Sender<()>,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.shared.gate.open(Opening::Ended);
    }
}

impl Emulator {
    /// Serves `organisation` on 127.0.0.1, on the caller's Tokio runtime. Port 0 takes a free one; a port in use is an error.
    pub async fn start(organisation: Organisation, port: u16) -> io::Result<Self> {
        Self::serve(organisation, port, None).await
    }

    /// The same over https, and nothing else, under a certificate authority of its own that is a new one at every start: see
    /// [`Emulator::ca_certificate`]. The certificate is good for `localhost`, `127.0.0.1`, `::1` and `hosts`, so that a proxy can map
    /// the names of production to it; the token endpoint gives tokens for `https://<any of them>/.default`.
    ///
    /// A host that is no name and no address is an error of the kind `InvalidInput`.
    pub async fn start_tls(organisation: Organisation, port: u16, hosts: &[&str]) -> io::Result<Self> {
        Self::serve(organisation, port, Some(Tls::new(hosts)?)).await
    }

    async fn serve(organisation: Organisation, port: u16, tls: Option<Tls>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let (acceptor, ca_certificate, hosts) = match tls {
            Some(tls) => (Some(tls.acceptor), Some(tls.ca_certificate), tls.hosts),
            None => (None, None, Vec::new()),
        };
        let service = Service {
            url: match acceptor {
                // By name, because not every client holds an address against a certificate.
                Some(_) => format!("https://localhost:{}", address.port()),
                None => format!("http://{address}"),
            },
            hosts,
            credential: format!("emulator-{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
            application: Application::new(),
        };
        let shared = Arc::new(Shared::new(service, organisation));
        let router = Router::new()
            .route(control::REQUESTS, routing::get(control::requests))
            .route(control::METHODS, routing::post(control::call))
            .fallback(exchange::exchange)
            .with_state(Arc::clone(&shared));
        let (signal, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let server = tokio::spawn(wire::serve(Connections(listener, acceptor), router, stopped));
        let stop = Stop { shared: Arc::clone(&shared), _signal: signal };
        Ok(Self { shared, ca_certificate, stop, server })
    }

    /// Where it listens, `http://127.0.0.1:<port>` or `https://localhost:<port>`, with no slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.service.url
    }

    /// The certificate of its own authority as PEM, for clients to trust; `None` without TLS.
    #[must_use]
    pub fn ca_certificate(&self) -> Option<&str> {
        self.ca_certificate.as_deref()
    }

    /// The bearer token it accepts, different for every emulator. It never expires.
    #[must_use]
    pub fn credential(&self) -> &str {
        &self.shared.service.credential
    }

    /// The application to which the token endpoint, `POST <url>/<tenant>/oauth2/v2.0/token`, gives tokens that do expire.
    #[must_use]
    pub fn application(&self) -> &Application {
        &self.shared.service.application
    }

    /// The newest 10,000 requests, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.lock().log.entries()
    }

    /// Reads or alters the organisation. No request is answered meanwhile, and `work` must not call the emulator.
    pub fn with_organisation<R>(&self, work: impl FnOnce(&mut Organisation) -> R) -> R {
        work(&mut self.shared.lock().organisation)
    }

    /// The faults that requests meet.
    #[must_use]
    pub fn faults(&self) -> Faults<'_> {
        Faults(&self.shared)
    }

    /// The clock by which limits open and tokens expire.
    #[must_use]
    pub fn clock(&self) -> Clock<'_> {
        Clock(&self.shared)
    }

    /// Everything as it was right after the start: rows, no faults, default conditions, an empty log, no tokens, the clock at 0.
    /// Connections on which a request hangs are closed.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Stops, and returns when the port is closed and the last connection is gone. Idle connections and those on which a request
    /// hangs are closed at once; a request that is still being sent is waited for.
    pub async fn stop(self) {
        drop(self.stop);
        // An error here is a panic of the task, which has been reported already.
        drop(self.server.await);
    }
}
