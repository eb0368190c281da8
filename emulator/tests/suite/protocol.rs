//! The server speaks only HTTP/1.1, although HTTP/2 is compiled into this program.

use std::sync::Arc;

use omnichannel_link_emulator::{Emulator, Organisation};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

/// The first bytes of an HTTP/2 client: the preface and its settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

async fn connect(emulator: &Emulator) -> TcpStream {
    let port = emulator.url().rsplit(':').next().unwrap().parse().unwrap();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

async fn connect_tls(emulator: &Emulator, protocols: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(emulator.ca_certificate().unwrap().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, connect(emulator).await).await
}

/// The first bytes, enough to tell the protocols apart, or all bytes until the connection is closed.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> Vec<u8> {
    let mut received = Vec::new();
    // A reset counts as a close.
    drop(stream.write_all(bytes).await);
    drop(stream.take(16).read_to_end(&mut received).await);
    received
}

/// Neither an HTTP/2 frame nor an upgrade.
fn assert_no_http2(received: &[u8]) {
    let text = String::from_utf8_lossy(received);
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{received:?}");
}

#[tokio::test]
async fn the_preface_of_http2_is_rejected() {
    let emulator = Emulator::start(Organisation::new(), 0).await.unwrap();
    assert_no_http2(&exchange(connect(&emulator).await, PREFACE).await);
    let emulator = Emulator::start_tls(Organisation::new(), 0, &[]).await.unwrap();
    for protocols in [&[][..], &["http/1.1"]] {
        assert_no_http2(&exchange(connect_tls(&emulator, protocols).await.unwrap(), PREFACE).await);
    }
}

#[tokio::test]
async fn an_upgrade_to_http2_is_ignored() {
    let emulator = Emulator::start(Organisation::new(), 0).await.unwrap();
    let request = b"GET /api/data/v9.2/WhoAmI HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings, close\r\n\
                    upgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
    let received = exchange(connect(&emulator).await, request).await;
    assert!(received.starts_with(b"HTTP/1.1 401 "), "{}", String::from_utf8_lossy(&received));
}

#[tokio::test]
async fn tls_negotiates_only_http11() {
    let emulator = Emulator::start_tls(Organisation::new(), 0, &[]).await.unwrap();
    assert!(connect_tls(&emulator, &["h2"]).await.is_err());
    let stream = connect_tls(&emulator, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}
