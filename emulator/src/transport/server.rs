//! Starts and stops the server, and routes its paths.

use std::{io, net::Ipv4Addr, sync::Arc};

use axum::{Router, middleware, routing};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use uuid::Uuid;

use super::{
    connection::{self, Connections},
    deadline, exchange,
    tls::Tls,
};
use crate::{
    api::route::Service,
    authority::token::Application,
    console,
    log::LoggedRequest,
    organisation::Organisation,
    state::{Release, Shared},
    test_api::{self, Clock, Faults, Webhooks},
    webhooks::{self, Deliveries},
};

/// A running emulator. It stops when dropped.
#[derive(Debug)]
pub struct Emulator {
    shared: Arc<Shared>,
    ca_certificate: Option<String>,
    stop: Stop,
    server: JoinHandle<()>,
}

/// Stops the server when dropped, and releases requests that hang.
#[derive(Debug)]
struct Stop {
    shared: Arc<Shared>,
    _signal: oneshot::Sender<()>,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.shared.gate.open(Release::Stop);
    }
}

impl Emulator {
    /// Serves `organisation` on 127.0.0.1, on the caller's Tokio runtime, whose time must be enabled. Port 0 takes a free one; a port in use is an error.
    pub async fn start(organisation: Organisation, port: u16) -> io::Result<Self> {
        Self::serve(organisation, port, None).await
    }

    /// Serves only https, under a certificate authority that is created at every start: see [`Emulator::ca_certificate`]. The certificate
    /// is valid for `localhost`, `127.0.0.1`, `::1` and `hosts`, so that a proxy can map production names to the emulator. The token
    /// endpoint issues tokens for `https://<any of them>/.default`.
    ///
    /// A host that is neither a name nor an address is an error of the kind `InvalidInput`.
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
                // A name, because not every client compares an address with a certificate.
                Some(_) => format!("https://localhost:{}", address.port()),
                None => format!("http://{address}"),
            },
            hosts,
            credential: format!("emulator-{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
            application: Application::new(),
        };
        let (deliveries, queue) = Deliveries::new();
        let shared = Arc::new(Shared::new(service, organisation, deliveries));
        tokio::spawn(webhooks::run(Arc::clone(&shared.deliveries), queue));
        let router = Router::new()
            .route(console::PAGE, routing::get(console::page))
            .route(console::SCRIPT, routing::get(console::script))
            .route(console::STYLE, routing::get(console::style))
            .route(console::STATE, routing::get(console::state))
            .route(test_api::http::REQUESTS, routing::get(test_api::http::requests))
            .route(test_api::http::METHODS, routing::post(test_api::http::call))
            .fallback(exchange::exchange)
            .layer(middleware::from_fn_with_state(Arc::clone(&shared), console::refuse_others))
            // The last layer is the first that sees a request.
            .layer(middleware::map_request(deadline::limit))
            .with_state(Arc::clone(&shared));
        let (signal, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let server = tokio::spawn(connection::serve(Connections(listener, acceptor), router, stopped));
        let stop = Stop { shared: Arc::clone(&shared), _signal: signal };
        Ok(Self { shared, ca_certificate, stop, server })
    }

    /// The base URL, `http://127.0.0.1:<port>` or `https://localhost:<port>`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.service.url
    }

    /// The certificate of the authority as PEM, which clients have to trust; `None` without TLS.
    #[must_use]
    pub fn ca_certificate(&self) -> Option<&str> {
        self.ca_certificate.as_deref()
    }

    /// The accepted bearer token, different for every emulator. It never expires.
    #[must_use]
    pub fn credential(&self) -> &str {
        &self.shared.service.credential
    }

    /// The application that gets tokens, which expire, from the token endpoint `POST <url>/<tenant>/oauth2/v2.0/token`.
    #[must_use]
    pub fn application(&self) -> &Application {
        &self.shared.service.application
    }

    /// The newest requests, oldest first: at most 10,000, and at most 32 MiB of them.
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.lock().log.entries()
    }

    /// Reads or changes the organisation. No request is handled meanwhile, and `work` must not call the emulator.
    pub fn with_organisation<R>(&self, work: impl FnOnce(&mut Organisation) -> R) -> R {
        self.shared.with_organisation(work)
    }

    /// The injected faults.
    #[must_use]
    pub fn faults(&self) -> Faults<'_> {
        Faults(&self.shared)
    }

    /// The webhooks that are told of changes.
    #[must_use]
    pub fn webhooks(&self) -> Webhooks<'_> {
        Webhooks(&self.shared)
    }

    /// The clock for limits and the expiry of tokens.
    #[must_use]
    pub fn clock(&self) -> Clock<'_> {
        Clock(&self.shared)
    }

    /// Restores the state after the start: rows, no faults, default conditions, an empty log, no tokens, the clock at 0. Closes connections
    /// with a request that hangs.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Stops the server, and returns when the port and the last connection are closed. Idle connections, and those with a request that
    /// hangs, are closed at once. A request that is still being sent is completed first.
    pub async fn stop(self) {
        drop(self.stop);
        // An error here is a panic of the task, which was already reported.
        drop(self.server.await);
    }
}
