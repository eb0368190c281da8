//! The client of reqwest that keeps the connections of one exit.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, header::ACCEPT_ENCODING};
use reqwest::{Client, redirect};
use rustls::ClientConfig;
use tower_layer::Layer;
use tower_service::Service;

use super::{encoding, failure::unusable, options::NetworkOptions, proxy::ProxyUrl, threads};
use crate::http::service::error::HttpError;

/// Idle connections are closed before the balancers in front of Dataverse, or a router in between, forget them in silence.
const IDLE_AGE: Duration = Duration::from_secs(60);
const MAX_IDLE: usize = 64;
/// After so much silence the kernel, or HTTP/2, asks whether the other side is still there,
const KEEPALIVE: Duration = Duration::from_secs(10);
/// and after so much more it is not.
const KEEPALIVE_PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn client(
    options: &NetworkOptions,
    proxy: Option<&ProxyUrl>,
    tls: ClientConfig,
    connected: Connected,
) -> Result<Client, HttpError> {
    let NetworkOptions { user_agent, connect_timeout, read_timeout, .. } = options;
    // No proxy that we did not choose.
    let mut builder = Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(tls)
        .connector_layer(connected)
        .connect_timeout(*connect_timeout)
        .read_timeout(*read_timeout)
        .pool_idle_timeout(IDLE_AGE)
        .pool_max_idle_per_host(MAX_IDLE)
        .tcp_keepalive(KEEPALIVE)
        .tcp_keepalive_interval(KEEPALIVE_PATIENCE)
        .tcp_keepalive_retries(2)
        .http2_keep_alive_interval(KEEPALIVE)
        .http2_keep_alive_timeout(KEEPALIVE_PATIENCE)
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(user_agent)
        .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, encoding::ACCEPTED)]));
    #[cfg(target_os = "linux")]
    {
        builder = builder.tcp_user_timeout(KEEPALIVE + KEEPALIVE_PATIENCE);
    }
    if let Some(proxy) = proxy {
        let proxy = reqwest::Proxy::all(proxy.with_secrets().clone()).map_err(reqwest::Error::without_url);
        builder = builder.proxy(proxy.map_err(unusable)?);
    }
    builder.build().map_err(unusable)
}

/// Set when the first connection stands, with proxy and TLS.
#[derive(Clone)]
pub(super) struct Connected(pub(super) Arc<AtomicBool>);

impl<S> Layer<S> for Connected {
    type Service = Noting<S>;

    fn layer(&self, inner: S) -> Noting<S> {
        Noting { inner, connected: self.clone() }
    }
}

/// Connects like another, and notes it.
#[derive(Clone)]
pub(super) struct Noting<S> {
    inner: S,
    connected: Connected,
}

impl<S: Service<R>, R> Service<R> for Noting<S>
where
    S::Error: From<io::Error>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, destination: R) -> Self::Future {
        let (connecting, Connected(connected)) = (self.inner.call(destination), self.connected.clone());
        Box::pin(async move {
            // A name is looked up on a thread of its own.
            let connection = threads::unless_refused(connecting).await??;
            connected.store(true, Ordering::SeqCst);
            Ok(connection)
        })
    }
}
