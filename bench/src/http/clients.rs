//! Three ways to send a request: reqwest's client, hyper's connections without a pool, and bytes on a socket.

use std::{io, sync::Arc};

use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use memchr::memmem::find;
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::spawn_local,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use super::{Row, Settings};
use crate::Failed;

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Client {
    Reqwest,
    Hyper,
    Sockets,
}

/// Headers that every request has.
const HEADERS: [(&str, &str); 6] = [
    ("accept", "application/json"),
    ("authorization", "Bearer token"),
    ("odata-maxversion", "4.0"),
    ("odata-version", "4.0"),
    ("prefer", PREFER),
    ("x-ms-client-request-id", "00000000-0000-4000-8000-000000000000"),
];
const PREFER: &str = r#"return=representation,odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname""#;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Made once per run and used by all lanes.
pub(super) struct Shared {
    reqwest: reqwest::Client,
    tls: TlsConnector,
}

/// The connection of one lane.
pub(super) enum Exchange {
    Reqwest(reqwest::Client, String),
    Hyper(SendRequest<Full<Bytes>>),
    Sockets(Box<dyn Stream>, Vec<u8>),
}

pub(super) fn shared(settings: &Settings) -> Result<Shared, Failed> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(settings.certificate.as_bytes())?)?;
    let mut tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let reqwest = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(settings.certificate.as_bytes())?])
        .no_proxy()
        .build()?;
    Ok(Shared { reqwest, tls: Arc::new(tls).into() })
}

impl Exchange {
    pub(super) async fn open(settings: &Settings, shared: &Shared) -> Result<Self, Failed> {
        if let Client::Reqwest = settings.client {
            let scheme = if settings.tls { "https" } else { "http" };
            return Ok(Self::Reqwest(shared.reqwest.clone(), format!("{scheme}://127.0.0.1:{}", settings.port)));
        }
        let stream = TcpStream::connect(("127.0.0.1", settings.port)).await?;
        stream.set_nodelay(true)?;
        let is_hyper = matches!(settings.client, Client::Hyper);
        if settings.tls {
            let name = ServerName::try_from("127.0.0.1")?;
            return Self::over(shared.tls.connect(name, stream).await?, is_hyper).await;
        }
        Self::over(stream, is_hyper).await
    }

    async fn over(stream: impl Stream + 'static, is_hyper: bool) -> Result<Self, Failed> {
        if !is_hyper {
            return Ok(Self::Sockets(Box::new(stream), Vec::with_capacity(4096)));
        }
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        spawn_local(connection);
        Ok(Self::Hyper(sender))
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<Row, Failed> {
        self.send("GET", path, None, String::new()).await
    }

    pub(super) async fn patch(&mut self, path: &str, etag: &str, body: String) -> Result<Row, Failed> {
        self.send("PATCH", path, Some(etag), body).await
    }

    async fn send(
        &mut self,
        method: &'static str,
        path: &str,
        etag: Option<&str>,
        body: String,
    ) -> Result<Row, Failed> {
        match self {
            Self::Reqwest(client, origin) => {
                let mut request = client.request(method.parse()?, format!("{origin}{path}"));
                for (name, value) in HEADERS {
                    request = request.header(name, value);
                }
                if let Some(etag) = etag {
                    request = request.header("if-match", etag).header("content-type", "application/json").body(body);
                }
                let response = request.send().await?.error_for_status()?;
                Ok(serde_json::from_slice(&response.bytes().await?)?)
            }
            Self::Hyper(sender) => {
                let mut request = hyper::Request::builder().method(method).uri(path).header("host", "127.0.0.1");
                for (name, value) in HEADERS {
                    request = request.header(name, value);
                }
                if let Some(etag) = etag {
                    request = request.header("if-match", etag).header("content-type", "application/json");
                }
                sender.ready().await?;
                let response = sender.send_request(request.body(Full::from(body))?).await?;
                if response.status() != 200 {
                    return Err(io::Error::other(response.status().to_string()).into());
                }
                Ok(serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?)
            }
            Self::Sockets(stream, buffer) => {
                let mut text = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
                for (name, value) in HEADERS {
                    text.extend([name, ": ", value, "\r\n"]);
                }
                if let Some(etag) = etag {
                    text.extend(["if-match: ", etag, "\r\ncontent-type: application/json\r\ncontent-length: "]);
                    text.push_str(&body.len().to_string());
                    text.push_str("\r\n");
                }
                text.extend(["\r\n", &body]);
                stream.write_all(text.as_bytes()).await?;
                stream.flush().await?;
                Ok(serde_json::from_slice(read(stream, buffer).await?)?)
            }
        }
    }
}

/// The body of a response with status 200 and a length.
async fn read<'a>(stream: &mut impl Stream, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], Failed> {
    buffer.clear();
    let (at, end) = loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err("the server closed the connection".into());
        }
        let Some(at) = find(buffer, b"\r\n\r\n").map(|at| at + 4) else { continue };
        let name = find(buffer, b"Content-Length: ").ok_or("a response without a length")? + 16;
        let digits = buffer[name..].split(|byte| *byte == b'\r').next().unwrap_or_default();
        let end = at + str::from_utf8(digits)?.parse::<usize>()?;
        if buffer.len() >= end {
            break (at, end);
        }
    };
    if !buffer.starts_with(b"HTTP/1.1 200") {
        return Err(String::from_utf8_lossy(buffer).into());
    }
    Ok(&buffer[at..end])
}
