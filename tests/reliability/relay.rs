//! A gateway in front of the emulator that stops after some responses, or delivers a request late.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// One request per connection, one connection at a time.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    orders: Arc<Orders>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Orders {
    /// Responses left before it stops.
    responses: AtomicUsize,
    leaves: AtomicBool,
    /// Whether the next PATCH is late: delivered right before or right after the one that follows it.
    late: AtomicBool,
    last: AtomicBool,
    holds: AtomicBool,
}

impl Relay {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let orders = Arc::<Orders>::default();
        let task = tokio::spawn(relay(listener, server, Arc::clone(&orders)));
        Self { address, orders, task }
    }

    /// Refuses connections after this many more responses.
    pub(crate) async fn leave_after(&mut self, responses: usize) {
        self.orders.responses.store(responses, Ordering::Relaxed);
        self.orders.leaves.store(true, Ordering::Relaxed);
        if responses == 0 {
            self.task.abort();
            drop((&mut self.task).await);
        }
    }

    /// Holds the next PATCH until its sender cancels it and sends another. Delivers it right before or right after that one.
    pub(crate) fn deliver_late(&self, is_last: bool) {
        self.orders.last.store(is_last, Ordering::Relaxed);
        self.orders.late.store(true, Ordering::Relaxed);
    }

    /// Whether a request is held whose sender still waits.
    pub(crate) fn holds(&self) -> bool {
        self.orders.holds.load(Ordering::Relaxed)
    }
}

async fn relay(listener: TcpListener, server: SocketAddr, orders: Arc<Orders>) {
    let mut listener = Some(listener);
    let mut held = None;
    while let Some(open) = &listener {
        let (mut client, _) = open.accept().await.unwrap();
        let Some(request) = message(&mut client).await else { continue };
        let is_write = request.starts_with(b"PATCH");
        if is_write && orders.late.swap(false, Ordering::Relaxed) {
            orders.holds.store(true, Ordering::Relaxed);
            // Until the client closes the connection.
            drop(client.read(&mut [0]).await);
            orders.holds.store(false, Ordering::Relaxed);
            held = Some(request);
            continue;
        }
        let (first, then) = match held.take_if(|_| is_write) {
            Some(late) if orders.last.load(Ordering::Relaxed) => (None, Some(late)),
            late => (late, None),
        };
        if let Some(late) = first {
            exchange(server, &late).await;
        }
        let response = exchange(server, &request).await;
        if let Some(late) = then {
            exchange(server, &late).await;
        }
        let is_last = orders.leaves.load(Ordering::Relaxed) && orders.responses.fetch_sub(1, Ordering::Relaxed) == 1;
        listener.take_if(|_| is_last);
        client.write_all(&response).await.unwrap();
    }
}

/// The response, with `connection: close`.
async fn exchange(server: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(request).await.unwrap();
    let response = message(&mut stream).await.unwrap();
    let line = response.windows(2).position(|end| end == b"\r\n").unwrap();
    [&response[..line], b"\r\nconnection: close", &response[line..]].concat()
}

/// Head and body, by `content-length`.
async fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    while !message.ends_with(b"\r\n\r\n") {
        message.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(message.clone()).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    message.append(&mut body);
    Some(message)
}
