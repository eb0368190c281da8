//! The socket: axum in front of the Web API, and nothing else.

use std::{
    future::poll_fn,
    io,
    net::Ipv4Addr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing,
    serve::ListenerExt,
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use uuid::Uuid;

use crate::{
    log::{Log, LoggedRequest},
    organisation::Organisation,
    web_api::{Answer, Request, Service},
};

/// The largest body taken. A larger one is read to its end all the same, so that the client sees the 413.
const MAX_BODY: usize = 1024 * 1024;

/// The emulator's own paths; everything else is the Web API.
const REQUESTS: &str = "/_emulator/requests";

/// A running emulator. It stops when dropped.
#[derive(Debug)]
pub struct Emulator {
    shared: Arc<Shared>,
    // Dropping it is the signal to stop.
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    service: Service,
    state: Mutex<Contents>,
}

#[derive(Debug)]
struct Contents {
    organisation: Organisation,
    log: Log,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        // A test that panicked while it held the organisation must not hide its own message behind ours.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Emulator {
    /// Serves `organisation` on 127.0.0.1, on the caller's Tokio runtime. Port 0 takes a free one; a port in use is an error.
    pub async fn start(organisation: Organisation, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let service = Service {
            url: format!("http://{}", listener.local_addr()?),
            credential: format!("emulator-{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
        };
        let shared = Arc::new(Shared { service, state: Mutex::new(Contents { organisation, log: Log::default() }) });
        let router =
            Router::new().route(REQUESTS, routing::get(requests)).fallback(web_api).with_state(Arc::clone(&shared));
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            // Small answers must not wait for an acknowledgement. A socket that refuses the option works all the same.
            let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
            let stopped = async { drop(stopped.await) };
            // It ends only through the signal: axum itself waits and goes on when accepting a connection fails.
            drop(axum::serve(listener, router).with_graceful_shutdown(stopped).await);
        });
        Ok(Self { shared, stop, server })
    }

    /// Where it listens, `http://127.0.0.1:<port>`, with no slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.service.url
    }

    /// The bearer token it accepts, different for every emulator.
    #[must_use]
    pub fn credential(&self) -> &str {
        &self.shared.service.credential
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

    /// Stops, and returns when the port is closed and the last connection is gone. Idle connections are closed at once; a request
    /// that is still being sent is waited for.
    pub async fn stop(self) {
        drop(self.stop);
        // An error here is a panic of the task, which has been reported already.
        drop(self.server.await);
    }
}

async fn requests(State(shared): State<Arc<Shared>>, request: Parts) -> Response {
    if !shared.service.authorises(&request.headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let entries: Vec<Value> = shared.lock().log.entries().iter().map(LoggedRequest::to_json).collect();
    ([("content-type", "application/json")], Value::from(entries).to_string()).into_response()
}

async fn web_api(State(shared): State<Arc<Shared>>, request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = read(body).await else {
        // The client is gone in the middle of its request.
        return StatusCode::BAD_REQUEST.into_response();
    };
    let request = Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body,
    };
    let mut guard = shared.lock();
    let contents = &mut *guard;
    let answer = shared.service.answer(&mut contents.organisation, &request);
    contents.log.record(&request, &answer);
    drop(guard);
    respond(answer)
}

/// The body, or `None` when it is larger than the limit.
async fn read(mut body: Body) -> Result<Option<Bytes>, axum::Error> {
    let mut read = Vec::new();
    let mut too_large = false;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame?.into_data() else { continue };
        too_large |= read.len() + data.len() > MAX_BODY;
        if !too_large {
            read.extend_from_slice(&data);
        }
    }
    Ok((!too_large).then(|| read.into()))
}

/// Adds what every answer of Dataverse carries.
fn respond(answer: Answer) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let mut headers = vec![
        ("cache-control", "no-cache".to_owned()),
        ("expires", "-1".to_owned()),
        // Twice, as in the documented traces.
        ("x-ms-service-request-id", request_id.clone()),
        ("x-ms-service-request-id", request_id.clone()),
        ("req_id", request_id),
    ];
    if answer.status != 401 {
        let common = [
            ("odata-version", "4.0"),
            ("vary", "Accept-Encoding"),
            ("x-ms-ratelimit-time-remaining-xrm-requests", "1,200.00"),
            ("x-ms-ratelimit-burst-remaining-xrm-requests", "5999"),
            ("x-ms-dop-hint", "48"),
            ("set-cookie", "ARRAffinity=e2b0c4; HttpOnly; Path=/"),
        ];
        headers.extend(common.map(|(name, value)| (name, value.to_owned())));
    }
    let body = answer.body.map_or_else(Body::empty, |body| {
        headers.push(("content-type", "application/json; odata.metadata=minimal".to_owned()));
        Body::from(body.to_string())
    });
    headers.extend(answer.headers);
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        // A value that cannot stand in a header came from the client's own Host or Prefer, which are checked to be ASCII.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}
