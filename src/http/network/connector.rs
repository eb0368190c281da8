//! Opens connections to a server: directly or through a proxy, with TLS or without.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Uri, header::USER_AGENT};
use hyper_util::{
    client::legacy::connect::{HttpConnector, dns::Name, proxy::Tunnel},
    rt::TokioIo,
};
use rustls::{
    ClientConfig,
    pki_types::{InvalidDnsNameError, ServerName},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tower_service::Service;
use url::Url;

use super::{
    failure::{BoxError, Unresolved, invalid_settings},
    options::NetworkOptions,
    proxy::ProxyUrl,
    threads,
};
use crate::http::service::error::HttpError;

/// Silence after which the kernel, or HTTP/2, sends a keep-alive probe.
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How long a probe may remain unanswered.
pub(super) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// An open connection, with TLS if the server's URL asks for it.
pub(super) type Stream = Box<dyn Io>;

pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The way to one server.
pub(super) struct Connector {
    server: Uri,
    tcp: HttpConnector<Resolver>,
    tunnel: Option<Tunnel<ToProxy>>,
    tls: Option<TlsConnector>,
}

impl Connector {
    pub(super) fn new(
        options: &NetworkOptions,
        server: &Url,
        proxy: Option<&ProxyUrl>,
        tls: ClientConfig,
    ) -> Result<Self, HttpError> {
        let server: Uri = server.as_str().parse().map_err(invalid_settings)?;
        let tcp = tcp(options);
        let tunnel = proxy.map(|proxy| tunnel(options, proxy, tcp.clone(), &tls)).transpose()?;
        let tls = connector_of(&server, tls);
        Ok(Self { server, tcp, tunnel, tls })
    }

    /// Opens a connection. True if the server chose HTTP/2 during the TLS handshake.
    pub(super) async fn connect(&self) -> Result<(Stream, bool), BoxError> {
        let stream: Stream = match &self.tunnel {
            None => {
                if self.tls.is_some() {
                    // A name that no certificate can have is not looked up.
                    host_of(&self.server)?;
                }
                Box::new(self.tcp.clone().call(self.server.clone()).await?.into_inner())
            }
            Some(tunnel) => tunnel.clone().call(self.server.clone()).await?.into_inner(),
        };
        match &self.tls {
            None => Ok((stream, false)),
            Some(tls) => encrypt(tls, &self.server, stream).await,
        }
    }
}

/// Resolves names, tries their addresses, and lets the kernel notice connections that are dead.
fn tcp(options: &NetworkOptions) -> HttpConnector<Resolver> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver);
    tcp.enforce_http(false);
    // Shared among the addresses of a name.
    tcp.set_connect_timeout(Some(options.connect_timeout));
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEPALIVE_INTERVAL));
    tcp.set_keepalive_interval(Some(KEEPALIVE_TIMEOUT));
    tcp.set_keepalive_retries(Some(2));
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(KEEPALIVE_INTERVAL + KEEPALIVE_TIMEOUT));
    tcp
}

fn tunnel(
    options: &NetworkOptions,
    proxy: &ProxyUrl,
    tcp: HttpConnector<Resolver>,
    tls: &ClientConfig,
) -> Result<Tunnel<ToProxy>, HttpError> {
    let proxy = proxy.read().map_err(invalid_settings)?;
    let mut tls = tls.clone();
    // A tunnel is requested by HTTP/1.1.
    tls.alpn_protocols.clear();
    let tls = connector_of(proxy.uri(), tls);
    let headers = HeaderMap::from_iter([(USER_AGENT, options.user_agent.clone())]);
    let tunnel = Tunnel::new(proxy.uri().clone(), ToProxy { tcp, tls }).with_headers(headers);
    Ok(match proxy.basic_auth() {
        Some(authorization) => tunnel.with_auth(authorization.clone()),
        None => tunnel,
    })
}

/// Connects to a proxy.
#[derive(Clone)]
struct ToProxy {
    tcp: HttpConnector<Resolver>,
    tls: Option<TlsConnector>,
}

impl Service<Uri> for ToProxy {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        let (connecting, tls) = (self.tcp.call(proxy.clone()), self.tls.clone());
        Box::pin(async move {
            let stream: Stream = Box::new(connecting.await?.into_inner());
            let stream = match tls {
                None => stream,
                Some(tls) => encrypt(&tls, &proxy, stream).await?.0,
            };
            Ok(TokioIo::new(stream))
        })
    }
}

/// `None` if the URL begins with `http://`.
fn connector_of(url: &Uri, config: ClientConfig) -> Option<TlsConnector> {
    (url.scheme_str() == Some("https")).then(|| Arc::new(config).into())
}

fn host_of(url: &Uri) -> Result<ServerName<'static>, InvalidDnsNameError> {
    url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned().try_into()
}

async fn encrypt(tls: &TlsConnector, host: &Uri, stream: Stream) -> Result<(Stream, bool), BoxError> {
    let stream = tls.connect(host_of(host)?, stream).await?;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok((Box::new(stream), is_http2))
}

/// Resolves names as the system does, on a thread of their own.
#[derive(Clone)]
struct Resolver;

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<std::net::SocketAddr>;
    type Error = Unresolved;
    type Future = BoxFuture<'static, Result<Self::Response, Unresolved>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let addresses = threads::resolve(name.as_str(), 0).await.map_err(Unresolved)?;
            Ok(addresses.into_iter())
        })
    }
}
