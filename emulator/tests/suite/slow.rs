//! Clients that stop in the middle. Time is simulated: it passes as soon as nothing else happens.

use std::time::Duration;

use omnichannel_link_emulator::{Emulator, Organisation};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

/// Sends bytes, and returns the response and the seconds until the server closed the connection.
async fn until_closed(emulator: &Emulator, sent: &str) -> (String, u64) {
    let start = Instant::now();
    let port = emulator.url().rsplit(':').next().unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    // A reset counts as a close.
    drop(stream.read_to_end(&mut received).await);
    (String::from_utf8(received).unwrap(), start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_whole_header_is_disconnected() {
    let emulator = Emulator::start(Organisation::new(), 0).await.unwrap();
    for sent in ["", "GET /api/da", "GET / HTTP/1.1\r\nhost: x\r\nauthorization: Bea"] {
        assert_eq!(until_closed(&emulator, sent).await, (String::new(), 30), "{sent}");
    }
    let tls = Emulator::start_tls(Organisation::new(), 0, &[]).await.unwrap();
    assert_eq!(until_closed(&tls, "").await, (String::new(), 30), "the handshake");
    assert!(emulator.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_whole_body_is_disconnected() {
    let emulator = Emulator::start(Organisation::new(), 0).await.unwrap();
    for path in ["/api/data/v9.2/accounts", "/_emulator/reset"] {
        let credential = emulator.credential();
        let header = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {credential}\r\ncontent-length: 9\r\n\r\n"
        );
        let (response, seconds) = until_closed(&emulator, &format!("{header}{{")).await;
        assert!(response.starts_with("HTTP/1.1 40"), "{path}: {response}");
        assert_eq!(seconds, 60, "{path}");
    }
    assert!(emulator.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_may_hang_for_long() {
    let emulator = Emulator::start(Organisation::new(), 0).await.unwrap();
    emulator.faults().add(serde_json::json!({ "fault": { "kind": "hang" } })).unwrap();
    let release = async {
        emulator.faults().hanging(1).await;
        tokio::time::advance(Duration::from_secs(3600)).await;
        emulator.faults().release();
    };
    let request = "GET /x HTTP/1.1\r\nhost: x\r\n\r\n";
    let ((response, seconds), ()) = tokio::join!(until_closed(&emulator, request), release);
    assert!(response.starts_with("HTTP/1.1 401 "), "{response}");
    assert_eq!(seconds, 3630, "the connection is kept for another request, but not forever");
}
