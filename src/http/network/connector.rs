//! The reqwest client of one exit, which keeps its connections.

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

use super::{encoding, failure::invalid_settings, options::NetworkOptions, proxy::ProxyUrl, threads};
use crate::http::service::error::HttpError;

/// Idle connections are closed before load balancers or routers drop them silently.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_IDLE: usize = 64;
/// Silence after which the kernel, or HTTP/2, sends a keep-alive probe.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How long a probe may remain unanswered.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn client(
    options: &NetworkOptions,
    proxy: Option<&ProxyUrl>,
    tls: ClientConfig,
    connected: Connected,
) -> Result<Client, HttpError> {
    let NetworkOptions { user_agent, connect_timeout, read_timeout, .. } = options;
    // `no_proxy` keeps reqwest from choosing a proxy by itself.
    let mut builder = Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(tls)
        .connector_layer(connected)
        .connect_timeout(*connect_timeout)
        .read_timeout(*read_timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(MAX_IDLE)
        .tcp_keepalive(KEEPALIVE_INTERVAL)
        .tcp_keepalive_interval(KEEPALIVE_TIMEOUT)
        .tcp_keepalive_retries(2)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .http2_keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(user_agent)
        .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, encoding::ACCEPTED)]));
    #[cfg(target_os = "linux")]
    {
        builder = builder.tcp_user_timeout(KEEPALIVE_INTERVAL + KEEPALIVE_TIMEOUT);
    }
    if let Some(proxy) = proxy {
        let proxy = reqwest::Proxy::all(proxy.with_secrets().clone()).map_err(reqwest::Error::without_url);
        builder = builder.proxy(proxy.map_err(invalid_settings)?);
    }
    builder.build().map_err(invalid_settings)
}

/// Set once the first connection is established, including proxy and TLS.
#[derive(Clone)]
pub(super) struct Connected(pub(super) Arc<AtomicBool>);

impl<S> Layer<S> for Connected {
    type Service = SetsConnected<S>;

    fn layer(&self, inner: S) -> SetsConnected<S> {
        SetsConnected { inner, connected: self.clone() }
    }
}

#[derive(Clone)]
pub(super) struct SetsConnected<S> {
    inner: S,
    connected: Connected,
}

impl<S: Service<R>, R> Service<R> for SetsConnected<S>
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
            // Names are resolved on a thread of their own.
            let connection = threads::catch_no_thread(connecting).await??;
            connected.store(true, Ordering::SeqCst);
            Ok(connection)
        })
    }
}
