//! `Content-Encoding` in the forms that servers and proxies send.

use std::{io::Write as _, sync::Arc};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, Method, header};
use omnichannel_link::http::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService as _, MAX_BODY};

use crate::{Authority, service, support::http::ScriptedServer, trusting};

/// The response of a server that sends these headers and this body, and the request it received.
async fn receive(head: &str, body: Vec<u8>) -> (Result<HttpResponse, HttpError>, String) {
    let response = [format!("HTTP/1.1 200 OK\r\n{head}content-length: {}\r\n\r\n", body.len()).into(), body].concat();
    receive_bytes(response).await
}

async fn receive_bytes(response: Vec<u8>) -> (Result<HttpResponse, HttpError>, String) {
    let server = ScriptedServer::sending(response).await;
    let request = HttpRequest {
        method: Method::GET,
        uri: format!("http://{}/", server.address).parse().unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        repeatable: true,
        deadline: None,
        progress: Arc::default(),
    };
    let response = service(trusting(&Authority::new())).call(&request).await;
    (response, server.received().remove(0))
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_body_is_decoded_in_every_spelling_of_its_encoding() {
    let plain = b"{\"a\":1}".to_vec();
    let (once, twice) = (gzip(&plain), gzip(&gzip(&plain)));
    let (head, tail) = plain.split_at(3);
    let members = [gzip(head), gzip(tail)].concat();
    let padded = [gzip(&plain), vec![0; 16]].concat();
    for (head, body) in [
        ("", &plain),
        ("content-encoding: gzip\r\n", &once),
        ("Content-Encoding: GZIP\r\n", &once),
        ("content-encoding: GZip\r\n", &once),
        ("content-encoding: x-gzip\r\n", &once),
        ("content-encoding: X-GZIP \r\n", &once),
        ("content-encoding:\t gzip ,\r\n", &once),
        ("content-encoding: identity\r\n", &plain),
        ("content-encoding: Identity\r\n", &plain),
        ("content-encoding: none\r\n", &plain),
        ("content-encoding: \r\n", &plain),
        ("content-encoding: ,,\r\n", &plain),
        ("content-encoding: identity, gzip\r\n", &once),
        ("content-encoding: gzip,identity\r\n", &once),
        ("content-encoding: identity\r\ncontent-encoding: gzip\r\n", &once),
        ("content-encoding: gzip, x-gzip\r\n", &twice),
        ("content-encoding: gzip\r\ncontent-encoding: GZIP\r\n", &twice),
        ("content-encoding: gzip\r\n", &members),
        ("content-encoding: gzip\r\n", &padded),
    ] {
        let response = receive(head, body.clone()).await.0.unwrap();
        assert_eq!(response.body, plain, "{head:?}");
        assert_eq!(response.headers.get(header::CONTENT_ENCODING), None, "{head:?}");
    }
}

#[tokio::test]
async fn a_response_without_a_body_may_name_an_encoding() {
    for head in ["content-encoding: gzip\r\n", "content-encoding: br\r\n"] {
        assert_eq!(receive(head, Vec::new()).await.0.unwrap().body, "");
    }
}

#[tokio::test]
async fn a_request_accepts_gzip() {
    let (_, request) = receive("", b"{}".to_vec()).await;
    assert!(request.contains("accept-encoding: gzip\r\n"), "{request}");
}

#[tokio::test]
async fn an_unsupported_encoding_is_named_in_the_error() {
    let gzipped = gzip(&[7; 4096]);
    let cut = gzipped[..gzipped.len() - 12].to_vec();
    let mut wrong = gzipped.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let many = "content-encoding: gzip, gzip, gzip, gzip, gzip\r\n";
    for (head, body, name) in [
        ("content-encoding: br\r\n", &gzipped, "br"),
        ("content-encoding: deflate\r\n", &gzipped, "deflate"),
        ("content-encoding: gzip, zstd\r\n", &gzipped, "zstd"),
        ("content-encoding: ZSTD, gzip\r\n", &gzipped, "zstd"),
        ("content-encoding: gzip;q=1\r\n", &gzipped, "gzip;q=1"),
        ("content-encoding: gzip\r\n", &b"{}".to_vec(), "gzip"),
        ("content-encoding: gzip\r\n", &cut, "gzip"),
        ("content-encoding: gzip\r\n", &wrong, "gzip"),
        (many, &gzipped, "gzip"),
        ("content-encoding: \u{e9}\r\n", &gzipped, "Content-Encoding"),
    ] {
        let error = receive(head, body.clone()).await.0.unwrap_err();
        assert_eq!(error.kind, HttpErrorKind::Encoding, "{head:?} {error}");
        assert!(error.kind.may_have_been_sent() && !error.kind.is_configuration());
        assert!(error.message.contains(name), "{head:?} {error}");
    }
}

#[tokio::test]
async fn the_length_of_a_body_is_limited_before_and_after_decoding() {
    let (full, beyond) = (vec![0; MAX_BODY], vec![0; MAX_BODY + 1]);
    assert_eq!(receive("content-encoding: gzip\r\n", gzip(&full)).await.0.unwrap().body.len(), MAX_BODY);
    for (head, body) in [
        ("", beyond.clone()),
        ("content-encoding: gzip\r\n", gzip(&beyond)),
        ("content-encoding: GZIP\r\n", gzip(&vec![0; 64 * MAX_BODY])),
        ("content-encoding: gzip, gzip\r\n", gzip(&gzip(&beyond))),
        ("content-encoding: gzip\r\n", [gzip(&full), gzip(&full)].concat()),
    ] {
        let error = receive(head, body).await.0.unwrap_err();
        assert_eq!(error.kind, HttpErrorKind::TooLarge, "{head:?} {error}");
    }
}

#[tokio::test]
async fn an_error_status_counts_even_if_its_body_cannot_be_read() {
    let beyond = vec![b'x'; MAX_BODY + 1];
    let all = usize::MAX;
    for (head, body, sent) in [
        ("content-encoding: br\r\n", &b"..."[..], all),
        ("content-encoding: gzip\r\n", b"{}", all),
        ("content-encoding: gzip, gzip, gzip, gzip, gzip\r\n", b"{}", all),
        ("", &beyond, all),
        ("content-encoding: gzip\r\n", &gzip(&beyond), all),
        // The connection ends within the body.
        ("", b"{\"error\":{}}", 4),
        ("", b"{\"error\":{}}", 0),
    ] {
        let respond = async |status: u16| {
            let head = format!(
                "HTTP/1.1 {status} X\r\nretry-after: 7\r\nwww-authenticate: Bearer\r\n{head}content-length: {}\r\n\r\n",
                body.len()
            );
            receive_bytes([head.as_bytes(), &body[..sent.min(body.len())]].concat()).await.0
        };
        for status in [302, 400, 401, 403, 408, 412, 429, 500, 503] {
            let response = respond(status).await.unwrap();
            assert_eq!((response.status.as_u16(), response.body.len()), (status, 0), "{head:?}");
            assert_eq!(response.headers[header::RETRY_AFTER], "7", "{head:?}");
        }
        assert!(respond(200).await.is_err(), "{head:?}");
        // Only the body of a 404 states what is missing. If it was cut off, the next attempt may receive it.
        assert_eq!(respond(404).await.is_err(), sent != all, "{head:?}");
    }
}
