//! Sends the contexts of changes, one after the other and in their order.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::{Body, Bytes};
use hyper::{Request, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
};

use super::{
    context::{Context, columns, context},
    registration::{Message, Webhook},
};
use crate::organisation::{Changed, Organisation};

/// A receiver that takes longer has failed, as documented.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Most results that are kept.
const KEPT: usize = 1000;

/// A request that waits to be sent.
#[derive(Debug)]
pub(crate) struct Delivery {
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    message: &'static str,
    table: String,
}

/// The result of a delivery.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivered {
    url: String,
    message: &'static str,
    table: String,
    /// Status of the response; 0 if there was none.
    status: u16,
    /// The reason if there was no response.
    error: Option<String>,
}

/// The webhooks of an emulator, and the results of their deliveries.
#[derive(Debug)]
pub(crate) struct Deliveries {
    waiting: watch::Sender<usize>,
    queue: mpsc::UnboundedSender<Delivery>,
    results: Mutex<VecDeque<Delivered>>,
}

impl Deliveries {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Delivery>) {
        let (queue, receiver) = mpsc::unbounded_channel();
        (Self { waiting: watch::Sender::new(0), queue, results: Mutex::default() }, receiver)
    }

    /// Queues the deliveries of these changes.
    pub(crate) fn add(&self, webhooks: &[Webhook], organisation: &Organisation, changes: &[Changed]) {
        for changed in changes {
            let columns = columns(changed);
            for webhook in webhooks.iter().filter(|webhook| webhook.asks_for(changed, &columns)) {
                let Some(context) = context(organisation, changed, &columns) else { continue };
                self.waiting.send_modify(|count| *count += 1);
                // The receiver is gone only when the emulator stops.
                if self.queue.send(delivery(webhook, changed, context)).is_err() {
                    self.waiting.send_modify(|count| *count -= 1);
                }
            }
        }
    }

    /// Waits until nothing waits to be sent.
    pub(crate) async fn settled(&self) {
        drop(self.waiting.subscribe().wait_for(|count| *count == 0).await);
    }

    /// The newest results, oldest first.
    pub(crate) fn results(&self) -> Vec<Delivered> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Delivered>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self, result: Delivered) {
        let mut results = self.lock();
        if results.len() == KEPT {
            results.pop_front();
        }
        results.push_back(result);
        drop(results);
        self.waiting.send_modify(|count| *count -= 1);
    }
}

fn delivery(webhook: &Webhook, changed: &Changed, context: Context) -> Delivery {
    let Context { body, correlation, exceeds } = context;
    let message = Message::of(changed).name();
    let mut headers = vec![
        ("content-type".to_owned(), "application/json; charset=utf-8".to_owned()),
        ("x-ms-dynamics-organization".to_owned(), "emulator".to_owned()),
        ("x-ms-dynamics-entity-name".to_owned(), changed.table.clone()),
        ("x-ms-dynamics-request-name".to_owned(), message.to_owned()),
        ("x-ms-correlation-request-id".to_owned(), correlation.to_string()),
    ];
    if exceeds {
        headers.push(("x-ms-dynamics-msg-size-exceeded".to_owned(), "true".to_owned()));
    }
    headers.extend(webhook.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())));
    Delivery { url: webhook.url.clone(), headers, body, message, table: changed.table.clone() }
}

/// Sends deliveries until the emulator stops.
pub(crate) async fn run(deliveries: Arc<Deliveries>, mut queue: mpsc::UnboundedReceiver<Delivery>) {
    #[expect(
        clippy::disallowed_methods,
        reason = "receivers are other programs, which do not follow the emulator's clock"
    )]
    let in_time = async |delivery| tokio::time::timeout(TIMEOUT, send(delivery)).await;
    while let Some(delivery) = queue.recv().await {
        let Delivery { url, message, table, .. } = &delivery;
        let (url, message, table) = (url.clone(), *message, table.clone());
        let (status, error) = match in_time(delivery).await {
            Ok(Ok(status)) => (status, None),
            Ok(Err(error)) => (0, Some(error)),
            Err(_) => (0, Some(format!("no response in {} seconds", TIMEOUT.as_secs()))),
        };
        deliveries.done(Delivered { url, message, table, status, error });
    }
}

async fn send(delivery: Delivery) -> Result<u16, String> {
    let uri: Uri = delivery.url.parse().map_err(|error| format!("{error}"))?;
    let host = uri.host().unwrap_or_default();
    let address = (host.trim_start_matches('[').trim_end_matches(']').to_owned(), uri.port_u16().unwrap_or(80));
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let stream = TcpStream::connect(address).await.map_err(|error| text(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| text(&error))?;
    let exchange = async {
        let path = uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str);
        let mut request = Request::post(path);
        let authority = uri.authority().map_or(host, hyper::http::uri::Authority::as_str);
        request = request.header(header::HOST, authority);
        for (name, value) in &delivery.headers {
            request = request.header(name, value);
        }
        let body = Bytes::from(delivery.body);
        let request =
            request.header(header::CONTENT_LENGTH, body.len()).body(Body::from(body)).map_err(|error| text(&error))?;
        let response = sender.send_request(request).await.map_err(|error| text(&error))?;
        Ok(response.status().as_u16())
    };
    tokio::pin!(connection, exchange);
    // The connection is driven until the response has begun, and closed then.
    tokio::select! {
        result = &mut exchange => result,
        _ = &mut connection => exchange.await,
    }
}
