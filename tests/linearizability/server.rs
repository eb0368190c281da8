//! The clients' real connections, and a server that holds every request until the run decides its fate. So the order of all events
//! depends on the seed alone, and not on the timing of sockets.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue};
use omnichannel_link::http::{HttpError, HttpRequest, HttpResponse, HttpService, NetworkService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

const EXCHANGE: HeaderName = HeaderName::from_static("x-exchange");

/// A request that has arrived.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) is_write: bool,
    pub(crate) path: String,
    /// The number of the call, sent as its trace id.
    pub(crate) call: usize,
    /// The value of `If-Match`.
    pub(crate) condition: Option<String>,
    pub(crate) body: String,
}

impl Request {
    fn new(method: &str, path: &str, header: impl Fn(&str) -> Option<String>, body: String) -> Self {
        let trace = header("traceparent").expect("the number of the call");
        let call = usize::from_str_radix(&trace[3..35], 16).unwrap() - 1;
        let (is_write, path, condition) = (method == "PATCH", path.to_owned(), header("if-match"));
        Self { is_write, path, call, condition, body }
    }
}

#[derive(Debug)]
pub(crate) enum Reply {
    /// Head and body.
    Response(String),
    /// The connection ends without a response.
    Lost,
}

/// The state of an exchange that its client waits for.
enum Exchange {
    /// The request is in flight.
    Coming(Arc<Request>),
    Held {
        request: Arc<Request>,
        reply: oneshot::Sender<Reply>,
        /// Whether it is held until its client cancels it.
        hangs: bool,
    },
    /// The response is in flight.
    Going,
}

#[derive(Default)]
struct State {
    /// By number, in the order of their starts.
    exchanges: BTreeMap<u64, Exchange>,
    begun: u64,
    /// Cancelled by their clients before they were served.
    cancelled: Vec<Arc<Request>>,
    /// Counts all events.
    events: u64,
}

/// All exchanges of a run.
#[derive(Default)]
pub(crate) struct Wire(Mutex<State>);

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap();
        state.events += 1;
        state
    }

    /// Records an event outside of the exchanges.
    pub(crate) fn note(&self) {
        drop(self.state());
    }

    /// The held requests that do not hang, by number.
    pub(crate) fn held(&self) -> Vec<(u64, Arc<Request>)> {
        let state = self.0.lock().unwrap();
        let held = state.exchanges.iter().filter_map(|(number, exchange)| match exchange {
            Exchange::Held { request, hangs: false, .. } => Some((*number, Arc::clone(request))),
            _ => None,
        });
        held.collect()
    }

    /// Requests that clients cancelled since the last call.
    pub(crate) fn cancelled(&self) -> Vec<Arc<Request>> {
        std::mem::take(&mut self.0.lock().unwrap().cancelled)
    }

    /// Lets a request wait until its client cancels it.
    pub(crate) fn hang(&self, number: u64) {
        if let Some(Exchange::Held { hangs, .. }) = self.state().exchanges.get_mut(&number) {
            *hangs = true;
        }
    }

    /// Ends an exchange that is held.
    pub(crate) fn release(&self, number: u64, reply: Reply) {
        if let Some(Exchange::Held { reply: to, .. }) = self.state().exchanges.insert(number, Exchange::Going) {
            to.send(reply).expect("the connection waits for it");
        }
    }

    /// Waits until every exchange is held and no event happens, so that the clients wait only for the run.
    pub(crate) async fn is_idle(&self) {
        let (mut times, mut before) = (0, 0);
        // More than once: one task wakes another.
        while times < 4 {
            tokio::task::yield_now().await;
            let state = self.0.lock().unwrap();
            let is_still = state.exchanges.values().all(|exchange| matches!(exchange, Exchange::Held { .. }));
            times = if is_still && state.events == before { times + 1 } else { 0 };
            before = state.events;
        }
    }

    /// Serves the connections of one run.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(Arc::clone(&self).converse(stream));
        }
    }

    async fn converse(self: Arc<Self>, mut stream: TcpStream) {
        let mut read = Vec::new();
        while let Some((number, request)) = next(&mut stream, &mut read).await {
            let (reply, replied) = oneshot::channel();
            {
                let mut state = self.state();
                // Its client may have cancelled it.
                let Some(exchange) = state.exchanges.get_mut(&number) else { return };
                *exchange = Exchange::Held { request: Arc::new(request), reply, hangs: false };
            }
            let Ok(Reply::Response(response)) = replied.await else { return };
            if stream.write_all(response.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// Reads a request and the number of its exchange.
async fn next(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<(u64, Request)> {
    loop {
        // From behind: bodies are short.
        if let Some(end) = read.windows(4).rposition(|end| end == b"\r\n\r\n") {
            let head = str::from_utf8(&read[..end]).unwrap();
            let fields: Vec<_> = head.split('\n').filter_map(|line| line.trim_end().split_once(':')).collect();
            let header = |name: &str| {
                let field = fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
                field.map(|(_, value)| value.trim_start().to_owned())
            };
            let length = header("content-length").map_or(0, |length| length.parse().unwrap());
            if read.len() == end + 4 + length {
                let body = str::from_utf8(&read[end + 4..]).unwrap().to_owned();
                let number = header(EXCHANGE.as_str()).unwrap().parse().unwrap();
                let mut line = head.split(' ');
                let (method, path) = (line.next().unwrap(), line.next().unwrap());
                let request = Request::new(method, path, header, body);
                read.clear();
                return Some((number, request));
            }
        }
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
}

/// The client's side: the real network, with numbered exchanges.
pub(crate) struct NumberedHttp {
    pub(crate) network: NetworkService,
    pub(crate) wire: Arc<Wire>,
}

struct InFlight<'a>(&'a Wire, u64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        // The connection of a cancelled exchange is closed as well.
        let mut state = self.0.state();
        let ended = state.exchanges.remove(&self.1);
        if let Some(Exchange::Coming(request) | Exchange::Held { request, hangs: false, .. }) = ended {
            state.cancelled.push(request);
        }
    }
}

impl HttpService for NumberedHttp {
    fn call<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            let mut request = request.clone();
            let header = |name: &str| Some(request.headers.get(name)?.to_str().unwrap().to_owned());
            let body = String::from_utf8(request.body.to_vec()).unwrap();
            let described = Request::new(request.method.as_str(), request.uri.path(), header, body);
            let number = {
                let mut state = self.wire.state();
                state.begun += 1;
                let number = state.begun;
                state.exchanges.insert(number, Exchange::Coming(Arc::new(described)));
                number
            };
            let _underway = InFlight(&self.wire, number);
            request.headers.insert(EXCHANGE, HeaderValue::from(number));
            self.network.call(&request).await
        })
    }
}
