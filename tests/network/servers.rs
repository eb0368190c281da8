//! A server, a certificate authority and a proxy on real sockets, in the test's process.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use omnichannel_link::http::CaCertificate;
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::{Barrier, Notify},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A certificate authority that is not trusted by default.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let mut params = CertificateParams::default();
        // Two authorities with the same name would be taken for one.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        params.distinguished_name.push(DnType::CommonName, format!("Authority {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn trusted(&self) -> Vec<CaCertificate> {
        CaCertificate::read_pem(self.pem().as_bytes()).unwrap()
    }

    /// A server's certificate for this name.
    pub(crate) fn issue(&self, name: &str) -> Tls {
        self.sign(&CertificateParams::new([name.to_owned()]).unwrap())
    }

    pub(crate) fn issue_expired(&self, name: &str) -> Tls {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        self.sign(&params)
    }

    /// With a common name and no alternative name.
    pub(crate) fn issue_by_common_name(&self, name: &str) -> Tls {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Tls {
        let key = KeyPair::generate().unwrap();
        Tls::of(&params.signed_by(&key, &self.0).unwrap(), &key)
    }
}

/// A server's TLS configuration and certificate.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) config: ServerConfig,
    /// DER.
    pub(crate) certificate: Vec<u8>,
    pub(crate) pem: String,
}

impl Tls {
    pub(crate) fn self_signed(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Self::of(&params.clone().self_signed(&key).unwrap(), &key)
    }

    fn of(certificate: &Certificate, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        Self { config, certificate: certificate.der().to_vec(), pem: certificate.pem() }
    }

    pub(crate) fn offering(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::new(self.config.clone()))
    }
}

/// How the server handles a request.
#[derive(Clone)]
pub(crate) enum Does {
    Responds,
    /// Responds once all requests of the barrier are waiting.
    RespondsWith(Arc<Barrier>),
    /// Sends these bytes.
    Sends(String),
    /// Never responds, and keeps the connection open.
    NeverResponds,
    Disconnects,
    /// HTTP/2: refuses the request alone.
    Refuses,
    /// HTTP/2: announces that neither this request nor any later one is processed on this connection.
    GoesAway,
}

/// A server for HTTP/1.1, or HTTP/2 if TLS negotiates it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: Mutex<usize>,
    heads: Mutex<Vec<String>>,
    unanswered: Notify,
    disconnected: Notify,
}

impl Server {
    /// `does` receives the number of the connection and that of the request on it.
    pub(crate) async fn plain(does: impl Fn(usize, usize) -> Does + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(does)).await
    }

    /// Responds to every request.
    pub(crate) async fn secure(tls: &Tls) -> Self {
        Self::start(Some(tls.acceptor()), Arc::new(|_, _| Does::Responds)).await
    }

    /// As `plain`, over TLS.
    pub(crate) async fn doing(tls: &Tls, does: impl Fn(usize, usize) -> Does + Send + Sync + 'static) -> Self {
        Self::start(Some(tls.acceptor()), Arc::new(does)).await
    }

    async fn start(tls: Option<TlsAcceptor>, does: Arc<dyn Fn(usize, usize) -> Does + Send + Sync>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Seen>::default();
        let server = Self { address, seen: Arc::clone(&seen) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, does, seen) = (tls.clone(), Arc::clone(&does), Arc::clone(&seen));
                let number = {
                    let mut connections = seen.connections.lock().unwrap();
                    *connections += 1;
                    *connections - 1
                };
                tokio::spawn(async move {
                    serve(stream, tls, |request| does(number, request), &seen).await;
                    seen.disconnected.notify_one();
                });
            }
        });
        server
    }

    pub(crate) fn connections(&self) -> usize {
        *self.seen.connections.lock().unwrap()
    }

    /// The heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().unwrap().clone()
    }

    /// Waits until a request arrived that gets no response.
    pub(crate) async fn unanswered(&self) {
        self.seen.unanswered.notified().await;
    }

    /// Waits until a connection ended.
    pub(crate) async fn disconnected(&self) {
        self.seen.disconnected.notified().await;
    }
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, does: impl Fn(usize) -> Does, seen: &Seen) {
    let Some(tls) = tls else { return respond(stream, does, seen).await };
    let Ok(stream) = tls.accept(stream).await else { return };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        respond_h2(stream, does, seen).await;
    } else {
        respond(stream, does, seen).await;
    }
}

async fn respond(mut stream: impl AsyncRead + AsyncWrite + Unpin, does: impl Fn(usize) -> Does, seen: &Seen) {
    for request in 0.. {
        let Some(head) = read_head(&mut stream).await else { return };
        let is_head = head.starts_with("HEAD");
        seen.heads.lock().unwrap().push(head);
        match does(request) {
            Does::Responds => {}
            Does::RespondsWith(others) => {
                others.wait().await;
            }
            Does::Sends(bytes) => {
                if stream.write_all(bytes.as_bytes()).await.is_err() {
                    return;
                }
                continue;
            }
            Does::NeverResponds => {
                seen.unanswered.notify_one();
                std::future::pending::<()>().await;
            }
            Does::Disconnects | Does::Refuses | Does::GoesAway => return,
        }
        let body = if is_head { "" } else { "{}" };
        let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", 2);
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The minimum of HTTP/2: settings, their acknowledgement, and for each HEADERS frame status 200 or a refusal.
async fn respond_h2(mut stream: impl AsyncRead + AsyncWrite + Unpin, does: impl Fn(usize) -> Does, seen: &Seen) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    // The client may have closed the connection meanwhile.
    if stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.is_err() {
        return;
    }
    let (mut head, mut requests) = ([0; 9], 0);
    while stream.read_exact(&mut head).await.is_ok() {
        let [a, b, c, kind, flags, stream_id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await.unwrap();
        let frame: &[u8] = match (kind, flags) {
            (4, 0) => &[0, 0, 0, 4, 1, 0, 0, 0, 0],
            (1, _) => {
                seen.heads.lock().unwrap().push(String::new());
                requests += 1;
                match does(requests - 1) {
                    // RST_STREAM with REFUSED_STREAM.
                    Does::Refuses => &[&[0, 0, 4, 3, 0][..], &stream_id, &[0, 0, 0, 7]].concat(),
                    // GOAWAY after the last stream before this one, with NO_ERROR.
                    Does::GoesAway => {
                        let last = u32::from_be_bytes(stream_id).saturating_sub(2).to_be_bytes();
                        &[&[0, 0, 8, 7, 0, 0, 0, 0, 0][..], &last, &[0, 0, 0, 0]].concat()
                    }
                    // END_STREAM and END_HEADERS; 0x88 is `:status: 200`.
                    _ => &[&[0, 0, 1, 1, 5][..], &stream_id, &[0x88]].concat(),
                }
            }
            _ => continue,
        };
        if stream.write_all(frame).await.is_err() {
            return;
        }
    }
}

/// Reads up to the empty line, and the body, which is left out.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut body).await.ok()?;
    Some(head)
}

/// A proxy that maps host names to servers, and may require a certain `Proxy-Authorization`.
pub(crate) struct TestProxy {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDrop,
}

/// Stops a proxy that is dropped from accepting connections.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl TestProxy {
    pub(crate) async fn to(hosts: &[(&str, &Server)]) -> Self {
        Self::start(hosts, None, None).await
    }

    pub(crate) async fn requiring(authorization: &'static str, hosts: &[(&str, &Server)]) -> Self {
        Self::start(hosts, Some(authorization), None).await
    }

    pub(crate) async fn secure(tls: &Tls, hosts: &[(&str, &Server)]) -> Self {
        Self::start(hosts, None, Some(tls.acceptor())).await
    }

    /// At an address that another proxy had.
    pub(crate) async fn at(address: &str, hosts: &[(&str, &Server)]) -> Self {
        Self::serve(TcpListener::bind(address).await.unwrap(), hosts, None, None)
    }

    async fn start(hosts: &[(&str, &Server)], authorization: Option<&'static str>, tls: Option<TlsAcceptor>) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), hosts, authorization, tls)
    }

    fn serve(
        listener: TcpListener,
        hosts: &[(&str, &Server)],
        authorization: Option<&'static str>,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let hosts: HashMap<_, _> = hosts.iter().map(|(name, server)| ((*name).to_owned(), server.address)).collect();
        let (address, heads) = (listener.local_addr().unwrap(), Arc::<Mutex<_>>::default());
        Self {
            address,
            heads: Arc::clone(&heads),
            _task: AbortOnDrop(tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (hosts, heads, tls) = (hosts.clone(), Arc::clone(&heads), tls.clone());
                    tokio::spawn(async move {
                        let Some(tls) = tls else { return tunnel(stream, &hosts, authorization, &heads).await };
                        if let Ok(stream) = tls.accept(stream).await {
                            tunnel(stream, &hosts, authorization, &heads).await;
                        }
                    });
                }
            })),
        }
    }

    /// The heads of the requests so far, one per connection.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn tunnel(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    hosts: &HashMap<String, SocketAddr>,
    authorization: Option<&str>,
    heads: &Mutex<Vec<String>>,
) {
    let Some(head) = read_head(&mut stream).await else { return };
    let name = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(':').next()).unwrap_or_default();
    let is_allowed = authorization.is_none_or(|required| head.contains(required));
    let server = hosts.get(name).copied();
    heads.lock().unwrap().push(head);
    let (head, server) = match server {
        _ if !is_allowed => ("407 Proxy Authentication Required\r\nproxy-authenticate: NTLM\r\n", None),
        None => ("502 Bad Gateway\r\n", None),
        found => ("200 Connection established\r\n", found),
    };
    stream.write_all(format!("HTTP/1.1 {head}\r\n").as_bytes()).await.unwrap();
    if let Some(server) = server {
        let mut server = TcpStream::connect(server).await.unwrap();
        drop(copy_bidirectional(&mut stream, &mut server).await);
    }
}
