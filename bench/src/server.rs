//! A server that stores what is bound and answers every request with the same row of 1 KB. Every conversation exists, is active, and is not
//! linked at first. Hand-written on sockets, so that the clients are the bottleneck.

mod request;
mod row;

use std::{
    cell::RefCell,
    collections::HashMap,
    io::{self, BufRead, Write},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
    task::{LocalSet, spawn_local},
    time::sleep,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

use crate::Failed;
use request::{Action, Request};
use row::Row;

/// The longer latency of the two.
const LATENCY: Duration = Duration::from_millis(5);

#[derive(Default)]
struct Store {
    rows: HashMap<u128, Row>,
    reads: u64,
    writes: u64,
}

type Shared = Rc<RefCell<Store>>;

/// Listens on four ports, prints them and the certificate of the authority as a line of JSON, and serves until stdin ends. A line of input is
/// answered with the requests counted so far.
pub(crate) fn run() -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let (certificate, acceptor) = tls()?;
        let store = Shared::default();
        let mut ports = Vec::new();
        for (tls, latency) in
            [(None, Duration::ZERO), (None, LATENCY), (Some(&acceptor), Duration::ZERO), (Some(&acceptor), LATENCY)]
        {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            ports.push(listener.local_addr()?.port());
            spawn_local(accept(listener, tls.cloned(), latency, store.clone()));
        }
        print(&json!({ "http": ports[..2], "tls": ports[2..], "certificate": certificate }))?;
        let mut lines = lines();
        while lines.recv().await.is_some() {
            let Store { reads, writes, .. } = &*store.borrow();
            print(&json!({ "reads": reads, "writes": writes }))?;
        }
        Ok(())
    })
}

fn print(line: &serde_json::Value) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// The lines of stdin. They are read on a thread of their own, because a read of stdin blocks.
fn lines() -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if line.is_err() || sender.blocking_send(()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// An authority made for this run, and a server certificate by it.
fn tls() -> Result<(String, TlsAcceptor), Failed> {
    let mut authority = CertificateParams::default();
    // Without a name of its own it would have the server's, which then looks self-signed.
    authority.distinguished_name.push(DnType::CommonName, "omnichannel-link-bench");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der())?)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((authority.pem(), Arc::new(config).into()))
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, latency: Duration, store: Shared) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, store) = (tls.clone(), store.clone());
        spawn_local(async move {
            stream.set_nodelay(true)?;
            match tls {
                None => serve(stream, latency, store).await,
                Some(tls) => serve(tls.accept(stream).await?, latency, store).await,
            }
        });
    }
}

/// Answers the requests of one connection in turn, until the client closes it.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, latency: Duration, store: Shared) -> io::Result<()> {
    let (mut input, mut output) = (Vec::with_capacity(4096), Vec::with_capacity(4096));
    loop {
        while let Some((request, length)) = Request::parse(&input) {
            answer(&request, &store, &mut output);
            input.drain(..length);
            if !latency.is_zero() {
                sleep(latency).await;
            }
            stream.write_all(&output).await?;
            stream.flush().await?;
            output.clear();
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

fn answer(request: &Request, store: &Shared, output: &mut Vec<u8>) {
    let store = &mut *store.borrow_mut();
    match request.action {
        Action::Read => {
            store.reads += 1;
            store.rows.get(&request.conversation).copied().unwrap_or_default().write(request.conversation, output);
        }
        Action::Write { version, contact, wants_row } => {
            let row = store.rows.entry(request.conversation).or_default();
            if version.is_some_and(|version| version != row.version) {
                return row::refuse(412, "Precondition Failed", output);
            }
            store.writes += 1;
            row.version += 1;
            row.contact = Some(contact);
            if wants_row { row.write(request.conversation, output) } else { row.confirm(request.conversation, output) }
        }
        Action::Unknown => row::refuse(400, "Bad Request", output),
    }
}
