//! How connections are kept, used again and given up, and when a request is sent again on another one.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, Method};
use omnichannel_link::http::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService as _, MAX_BODY, NetworkOptions, NetworkService,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Barrier,
    time::Instant,
};

use crate::{
    Authority, SOON, get,
    servers::{Does, Server},
    service, trusting,
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

fn direct() -> NetworkOptions {
    trusting(&Authority::new())
}

/// A request that must not be applied twice.
pub(crate) async fn patch(service: &NetworkService, url: &str) -> Result<HttpResponse, HttpError> {
    let (uri, body) = (url.parse().unwrap(), Bytes::from_static(b"{\"a\":1}"));
    let (method, headers, repeatable) = (Method::PATCH, HeaderMap::new(), false);
    service
        .call(&HttpRequest { method, uri, headers, body, repeatable, deadline: None, progress: Arc::default() })
        .await
}

#[tokio::test]
async fn a_request_has_the_headers_that_every_request_needs() {
    let server = Server::plain(|_, _| Does::Responds).await;
    let url = format!("http://{}/api/data?$select=a&$filter=b%20eq%201#fragment", server.address);
    assert_eq!(get(&service(direct()), &url).await.unwrap(), 200);
    let head = &server.heads()[0];
    assert!(head.starts_with("GET /api/data?$select=a&$filter=b%20eq%201 HTTP/1.1\r\n"), "{head}");
    let host = format!("host: {}\r\n", server.address);
    for line in [&*host, "accept: */*\r\n", "accept-encoding: gzip\r\n", "user-agent: omnichannel-link/0.1.0\r\n"] {
        assert!(head.contains(line), "{line} in {head}");
    }
}

/// The server closes the connection after its first response. The second request is sent before the connection's task runs again.
#[tokio::test]
async fn a_request_that_meets_a_closed_connection_is_sent_again_on_another_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (closed, is_closed) = mpsc::channel();
    let mut signal = TcpStream::connect(address).await.unwrap();
    let server = thread::spawn(move || {
        let (mut signals, _) = listener.accept().unwrap();
        let respond = || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(OK.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        };
        respond();
        signals.write_all(b"!").unwrap();
        closed.send(()).unwrap();
        respond()
    });
    let (service, url) = (service(direct()), format!("http://{address}/"));
    assert_eq!(get(&service, &url).await.unwrap(), 200);
    // Blocks the runtime's only thread, so that it learns of both at once: the end of the connection and the signal. It runs the test
    // before any task.
    is_closed.recv().unwrap();
    signal.read_u8().await.unwrap();
    assert_eq!(patch(&service, &url).await.unwrap().status, 200);
    let request = server.join().unwrap();
    assert!(request.starts_with("PATCH / HTTP/1.1\r\n") && request.ends_with("\r\n\r\n{\"a\":1}"), "{request}");
}

#[tokio::test]
async fn a_request_that_may_have_been_sent_is_not_sent_again() {
    // The first request on the first connection is answered, the second one is received.
    let server = Server::plain(|connection, request| match (connection, request) {
        (0, 1) => Does::Disconnects,
        _ => Does::Responds,
    });
    let server = server.await;
    let (service, url) = (service(direct()), format!("http://{}/", server.address));
    assert_eq!(get(&service, &url).await.unwrap(), 200);
    let error = patch(&service, &url).await.unwrap_err();
    assert_eq!(error.kind, HttpErrorKind::Interrupted);
    assert_eq!((server.heads().len(), server.connections()), (2, 1));
}

/// A server that sends one of these responses per connection, to the first request. Later ones get [`OK`].
async fn responding(responses: &[&str]) -> Server {
    let responses: Vec<_> = responses.iter().map(|response| (*response).to_owned()).collect();
    Server::plain(move |connection, request| match responses.get(connection) {
        Some(response) if request == 0 => Does::Sends(response.clone()),
        _ => Does::Responds,
    })
    .await
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_complete_response_only() {
    let beyond = "x".repeat(MAX_BODY + 1);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for (response, body, is_kept) in [
        (OK.to_owned(), Some("{}"), true),
        (format!("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n{OK}"), Some("{}"), true),
        (format!("{chunked}1\r\n{{\r\n1;a=b\r\n}}\r\n0\r\n\r\n"), Some("{}"), true),
        (format!("{chunked}2\r\n{{}}\r\n0\r\na-trailer: b\r\n\r\n"), Some("{}"), true),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), Some(""), true),
        ("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_owned(), Some(""), true),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}".to_owned(), Some("{}"), false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned(), Some("{}"), false),
        // Bytes that belong to no response.
        (format!("{OK}{OK}"), Some("{}"), false),
        (format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{beyond}", beyond.len()), None, false),
        (format!("{chunked}{:x}\r\n{beyond}\r\n0\r\n\r\n", beyond.len()), None, false),
    ] {
        let shown = &response[..response.len().min(99)];
        let server = responding(&[&response]).await;
        let (service, url) = (service(direct()), format!("http://{}/", server.address));
        match (patch(&service, &url).await, body) {
            (Ok(response), Some(body)) => assert_eq!(response.body, body, "{shown}"),
            (Err(error), None) => assert_eq!(error.kind, HttpErrorKind::TooLarge, "{shown}"),
            (outcome, _) => panic!("{outcome:?} after {shown}"),
        }
        assert_eq!(patch(&service, &url).await.unwrap().status, 200, "{shown}");
        assert_eq!(server.connections(), if is_kept { 1 } else { 2 }, "{shown}");
    }
}

#[tokio::test]
async fn a_body_that_stops_is_a_timeout() {
    for part in ["HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{"] {
        let server = responding(&[part]).await;
        let options = NetworkOptions { read_timeout: SOON, ..direct() };
        let error = patch(&service(options), &format!("http://{}/", server.address)).await.unwrap_err();
        assert_eq!(error.kind, HttpErrorKind::ReadTimeout, "{part}");
        assert_eq!(error.message, "127.0.0.1 was silent for 50 ms");
    }
}

#[tokio::test]
async fn each_part_of_a_body_gets_the_whole_read_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (end, ends) = mpsc::channel::<()>();
    // While it waits, paused time moves only by `advance`.
    let waiting = tokio::task::spawn_blocking(move || ends.recv());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::time::pause();
        for part in ["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", "a", "b", "c"] {
            stream.write_all(part.as_bytes()).await.unwrap();
            // Lets the client read it.
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            tokio::time::advance(Duration::from_secs(15)).await;
        }
    };
    let service = service(NetworkOptions { read_timeout: Duration::from_secs(20), ..direct() });
    let (response, ()) = tokio::join!(patch(&service, &url), server);
    assert_eq!(response.unwrap().body, "abc");
    drop(end);
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_a_minute() {
    let server = Server::plain(|_, _| Does::Responds).await;
    let (service, url) = (service(direct()), format!("http://{}/", server.address));
    assert_eq!(get(&service, &url).await.unwrap(), 200);
    tokio::time::pause();
    let began = Instant::now();
    server.disconnected().await;
    let idle = began.elapsed().as_secs();
    assert!((59..=120).contains(&idle), "{idle} s");
    tokio::time::resume();
    assert_eq!(get(&service, &url).await.unwrap(), 200);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn at_most_64_idle_connections_are_kept() {
    const REQUESTS: usize = 70;
    let all = Arc::new(Barrier::new(REQUESTS));
    let server = Server::plain(move |_, _| Does::RespondsWith(all.clone())).await;
    let (service, url) = (service(direct()), format!("http://{}/", server.address));
    for connections in [REQUESTS, REQUESTS + REQUESTS - 64] {
        let statuses = join_all((0..REQUESTS).map(|_| get(&service, &url))).await;
        assert!(statuses.into_iter().all(|status| status.unwrap() == 200));
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn a_cancelled_request_takes_its_connection_with_it() {
    let server = Server::plain(|connection, request| match (connection, request) {
        (0, 1) => Does::NeverResponds,
        _ => Does::Responds,
    });
    let server = server.await;
    let (service, url) = (service(direct()), format!("http://{}/", server.address));
    assert_eq!(get(&service, &url).await.unwrap(), 200);
    tokio::select! {
        outcome = patch(&service, &url) => panic!("{outcome:?}"),
        () = server.unanswered() => {}
    }
    assert_eq!(get(&service, &url).await.unwrap(), 200);
    assert_eq!(server.connections(), 2);
}
