//! HTTP doubles that reply by script and record what they were sent: one below the client's layers, one on a real socket.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use omnichannel_link::http::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// How a [`ScriptedHttp`] ends one exchange.
#[derive(Clone)]
pub(crate) enum Reply {
    Response(HttpResponse),
    Fails(HttpErrorKind),
    Hangs,
}

impl Reply {
    pub(crate) fn response(status: u16, headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        let status = StatusCode::from_u16(status).unwrap();
        Self::Response(HttpResponse { status, headers, body: body.into(), received: SystemTime::UNIX_EPOCH })
    }
}

type Script = Box<dyn Fn(usize, &HttpRequest) -> Reply + Send + Sync>;

/// A service whose script gets the number of each request, from 0, and the request.
pub(crate) struct ScriptedHttp {
    script: Script,
    requests: Mutex<Vec<HttpRequest>>,
}

impl ScriptedHttp {
    pub(crate) fn new(script: impl Fn(usize, &HttpRequest) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { script: Box::new(script), requests: Mutex::default() })
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<HttpRequest> {
        self.requests.lock().unwrap().clone()
    }
}

impl HttpService for ScriptedHttp {
    fn call<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            let reply = {
                let mut requests = self.requests.lock().unwrap();
                requests.push(request.clone());
                (self.script)(requests.len() - 1, &requests[requests.len() - 1])
            };
            match reply {
                Reply::Response(response) => Ok(response),
                Reply::Fails(kind) => {
                    Err(HttpError { kind, message: "it broke".into(), retry_after: None, source: None })
                }
                Reply::Hangs => pending().await,
            }
        })
    }
}

/// A server on a real socket that treats every connection alike.
pub(crate) struct ScriptedServer {
    pub(crate) address: String,
    received: Arc<Mutex<Vec<String>>>,
    accepted: Arc<Notify>,
}

impl ScriptedServer {
    /// Sends these bytes as soon as something was received, then ends the connection.
    pub(crate) async fn sending(bytes: impl Into<Vec<u8>>) -> Self {
        Self::start(Some(bytes.into())).await
    }

    /// Ends each connection as soon as something was received.
    pub(crate) async fn disconnecting() -> Self {
        Self::sending("").await
    }

    /// Keeps connections open and sends nothing.
    pub(crate) async fn silent() -> Self {
        Self::start(None).await
    }

    async fn start(bytes: Option<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (received, accepted) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Notify>::default());
        let server = Self { address, received: Arc::clone(&received), accepted: Arc::clone(&accepted) };
        tokio::spawn(async move {
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                received.lock().unwrap().push(String::new());
                accepted.notify_one();
                tokio::spawn(converse(stream, bytes.clone(), number, Arc::clone(&received)));
            }
        });
        server
    }

    /// The first bytes that each connection received.
    pub(crate) fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// Waits for the next connection.
    pub(crate) async fn accepted(&self) {
        self.accepted.notified().await;
    }
}

async fn converse(mut stream: TcpStream, bytes: Option<Vec<u8>>, number: usize, received: Arc<Mutex<Vec<String>>>) {
    let mut buffer = vec![0; 8192];
    let length = stream.read(&mut buffer).await.unwrap_or_default();
    received.lock().unwrap()[number] = String::from_utf8_lossy(&buffer[..length]).into_owned();
    let Some(bytes) = bytes else { return pending().await };
    // The client may have closed the connection meanwhile.
    drop(stream.write_all(&bytes).await);
    drop(stream.shutdown().await);
    // A connection that is closed with unread data is reset, and the client may lose what was sent.
    while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
}

/// An address that refuses connections.
pub(crate) async fn refused_address() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}
