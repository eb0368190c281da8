//! A client that sees raw bytes and when connections are closed.

use omnichannel_link_emulator::Emulator;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::client::conversation_path;

pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    /// Connects and sends one request for the conversation: with a body, a PATCH with `If-Match: *` that requests the row back.
    pub(crate) async fn send(emulator: &Emulator, body: Option<Value>) -> Self {
        let address = emulator.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let method = if body.is_some() { "PATCH" } else { "GET" };
        let body = body.map_or_else(String::new, |body| body.to_string());
        let request = format!(
            "{method} /api/data/v9.2/{}?$select=subject HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nif-match: *\r\n\
             prefer: return=representation\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            conversation_path(),
            emulator.credential(),
            body.len()
        );
        // A row is read without conditions.
        let request = if method == "GET" { request.replace("if-match: *\r\n", "") } else { request };
        stream.write_all(request.as_bytes()).await.unwrap();
        // Large, so that the number of reads depends only on how the bytes arrive.
        Self { stream, received: Vec::with_capacity(64 * 1024) }
    }

    /// All bytes until the connection is closed.
    pub(crate) async fn until_closed(mut self) -> String {
        // A reset counts as a close.
        drop(self.stream.read_to_end(&mut self.received).await);
        String::from_utf8(self.received).unwrap()
    }

    /// All bytes up to this string.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        loop {
            let received = String::from_utf8_lossy(&self.received).into_owned();
            if received.contains(text) {
                return received;
            }
            let count = self.stream.read_buf(&mut self.received).await.unwrap();
            assert!(count > 0, "closed before '{text}': {received}");
        }
    }

    /// Number of reads until this string has arrived.
    pub(crate) async fn reads_until(&mut self, text: &str) -> usize {
        let mut reads = 0;
        while !String::from_utf8_lossy(&self.received).contains(text) {
            assert!(self.stream.read_buf(&mut self.received).await.unwrap() > 0);
            reads += 1;
        }
        reads
    }
}
