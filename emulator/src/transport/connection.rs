//! Accepts connections, serves them, and can abort each of them at any time.

use std::{
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{Extension, Router, extract::ConnectInfo, serve::Listener};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpListener,
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;

use super::tls::Secured;

/// Most open connections. Others wait to be accepted.
const MOST_CONNECTIONS: usize = 1000;

/// Time for the headers of a request, since the connection was opened or the last response was sent. The TLS handshake is part of it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Aborts one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct AbortHandle(Arc<AtomicBool>);

impl AbortHandle {
    /// Stops sending. The next attempt to write closes the connection.
    pub(crate) fn abort(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    abort_handle: AbortHandle,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.abort_handle.check()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.abort_handle.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A listener. With an acceptor it serves only https.
pub(crate) struct Connections(pub(crate) TcpListener, pub(crate) Option<TlsAcceptor>);

impl Connections {
    async fn accept(&mut self) -> Connection {
        // axum retries when accepting a connection fails.
        let (stream, _) = Listener::accept(&mut self.0).await;
        // Small responses must not wait for an acknowledgement. Failure of this option is harmless.
        drop(stream.set_nodelay(true));
        let stream: Box<dyn Stream> = match &self.1 {
            Some(acceptor) => Box::new(Secured::new(acceptor, stream)),
            None => Box::new(stream),
        };
        Connection { stream, abort_handle: AbortHandle::default() }
    }
}

/// Serves only HTTP/1.1, until `stopped`. Returns when the last connection is closed.
pub(crate) async fn serve(mut connections: Connections, router: Router, stopped: impl Future<Output = ()>) {
    let open = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut stopped = pin!(stopped);
    loop {
        let next = async { (Arc::clone(&free).acquire_owned().await, connections.accept().await) };
        let (permit, connection) = tokio::select! {
            next = next => next,
            () = &mut stopped => break,
        };
        let service = router.clone().layer(Extension(ConnectInfo(connection.abort_handle.clone())));
        let exchanges = http1::Builder::new()
            .title_case_headers(true)
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(connection), TowerToHyperService::new(service));
        // An error ends one connection, and its client notices that.
        let exchanges = open.watch(exchanges);
        tokio::spawn(async move {
            drop(exchanges.await);
            drop(permit);
        });
    }
    drop(connections);
    open.shutdown().await;
}
