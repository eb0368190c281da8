//! The network over real sockets: trust, proxies, error messages, dead connections.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod connections;
mod dead_connections;
mod encodings;
mod http2;
mod lists;
mod pac;
mod proxies;
mod servers;
#[path = "../support/mod.rs"]
mod support;
mod threads;
mod trust;

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use omnichannel_link::http::{
    HttpError, HttpErrorKind, HttpRequest, HttpService, NetworkOptions, NetworkService, Proxy,
};
use servers::{Authority, Does, Server, TestProxy};
use support::{
    clock::TestClock,
    http::{ScriptedServer, refused_address},
};
use url::Url;

/// For requests that must time out.
const SOON: Duration = Duration::from_millis(50);

fn service(options: NetworkOptions) -> NetworkService {
    NetworkService::new(options, Arc::new(TestClock::manual()))
}

fn trusting(authority: &Authority) -> NetworkOptions {
    NetworkOptions { ca_certificates: authority.trusted(), proxy: Proxy::Direct, ..NetworkOptions::default() }
}

fn through(proxy: &str, authority: &Authority) -> NetworkOptions {
    NetworkOptions { proxy: Proxy::Url(proxy.parse().unwrap()), ..trusting(authority) }
}

async fn get(service: &NetworkService, url: &str) -> Result<u16, HttpError> {
    get_by(service, url, None).await
}

async fn get_by(service: &NetworkService, url: &str, deadline: Option<Instant>) -> Result<u16, HttpError> {
    let (uri, method) = (url.parse().unwrap(), Method::GET);
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    let repeatable = method == Method::GET;
    let request = HttpRequest { method, uri, headers, body, repeatable, deadline, progress: Arc::default() };
    service.call(&request).await.map(|response| response.status.as_u16())
}

/// The error of a request whose query holds a secret, which must not appear in any form of the error.
async fn fails(service: &NetworkService, url: &str) -> HttpError {
    let error = get(service, &format!("{url}?code=s3cret")).await.unwrap_err();
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let causes = causes.map(|cause| format!("{cause} {cause:?}")).collect::<Vec<_>>();
    let shown = format!("{error} {error:?} {error:#?} {causes:?}");
    for secret in ["s3cret", "%40", "p@ss", "bWU6cEBzczp3", "code="] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    error
}

#[tokio::test]
async fn an_authority_is_trusted_when_named_in_the_options_or_in_a_file() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::secure(&authority.issue("127.0.0.1")).await;
    let url = format!("https://{}/", server.address);
    assert_eq!(get(&service(trusting(&authority)), &url).await.unwrap(), 200);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let from_file = NetworkOptions { extra_ca_file: Some(file), ..trusting(&other) };
    assert_eq!(get(&service(from_file), &url).await.unwrap(), 200);
}

#[tokio::test]
async fn the_error_of_an_unknown_authority_names_a_file_that_was_ignored() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::secure(&authority.issue("127.0.0.1")).await;
    let url = format!("https://{}/", server.address);
    let error = fails(&service(trusting(&other)), &url).await;
    assert_eq!(error.kind, HttpErrorKind::Untrusted);
    assert_eq!(error.message, "the certificate of 127.0.0.1 was issued by an authority that is not trusted here");
    let options = NetworkOptions { extra_ca_file: Some("/nowhere/missing.pem".into()), ..trusting(&other) };
    let error = fails(&service(options), &url).await;
    assert_eq!(error.kind, HttpErrorKind::Untrusted);
    assert!(error.message.contains("not trusted here; NODE_EXTRA_CA_CERTS was ignored: "), "{error}");
    assert!(error.message.contains("missing.pem cannot be read: "), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_or_time_is_rejected() {
    let authority = Authority::new();
    for (tls, reason) in [
        (authority.issue("other.example"), "was issued for another name"),
        // The common name does not count.
        (authority.issue_by_common_name("127.0.0.1"), "names no host (it has no Subject Alternative Name"),
        (authority.issue_expired("127.0.0.1"), "has expired, or this machine's clock is wrong"),
    ] {
        let server = Server::secure(&tls).await;
        let error = fails(&service(trusting(&authority)), &format!("https://{}/", server.address)).await;
        assert_eq!(error.kind, HttpErrorKind::Untrusted);
        assert!(!error.kind.may_have_been_sent() && error.kind.is_configuration());
        assert!(error.message.starts_with(&format!("the certificate of 127.0.0.1 {reason}")), "{error}");
    }
}

#[tokio::test]
async fn http_2_is_used_if_both_sides_support_it() {
    let authority = Authority::new();
    for (offered, version) in
        [(&["h2", "http/1.1"][..], Version::HTTP_2), (&["http/1.1"], Version::HTTP_11), (&[], Version::HTTP_11)]
    {
        let tls = authority.issue("127.0.0.1").offering(offered);
        let server = Server::secure(&tls).await;
        let url = Url::parse(&format!("https://{}/", server.address)).unwrap();
        let service = service(trusting(&authority));
        let inspection = service.inspect(&url).await;
        assert_eq!(inspection.version.unwrap(), version);
        assert_eq!(inspection.certificate, Some(tls.certificate));
        assert_eq!(inspection.proxy, None);
        assert_eq!(get(&service, url.as_str()).await.unwrap(), 200);
    }
}

#[tokio::test]
async fn an_inspection_shows_the_certificate_that_was_rejected() {
    let authority = Authority::new();
    let tls = authority.issue("contoso.test");
    let server = Server::secure(&tls).await;
    let proxy = TestProxy::to(&[("contoso.test", &server)]).await;
    let service = service(through(&format!("http://{}", proxy.address), &Authority::new()));
    let inspection = service.inspect(&Url::parse("https://contoso.test/").unwrap()).await;
    assert_eq!(inspection.version.unwrap_err().kind, HttpErrorKind::Untrusted);
    assert_eq!(inspection.certificate, Some(tls.certificate));
    assert_eq!(inspection.proxy, Some(proxy.address.to_string()));
}

#[tokio::test]
async fn each_cause_has_its_message() {
    use HttpErrorKind::{Connect, ConnectTimeout, Interrupted, ReadTimeout};

    let authority = Authority::new();
    let patient = NetworkOptions { connect_timeout: Duration::from_secs(60), ..trusting(&authority) };
    let hasty = NetworkOptions { connect_timeout: SOON, ..trusting(&authority) };
    let strict = NetworkOptions { read_timeout: SOON, ..trusting(&authority) };
    let silent = Server::plain(|_, _| Does::NeverResponds).await;
    let leaving = Server::plain(|_, _| Does::Disconnects).await;
    let mute = ScriptedServer::silent().await.address;
    let no_tls = ScriptedServer::sending("HTTP/1.1 400 Bad Request\r\n\r\n").await.address;
    let deaf = ScriptedServer::disconnecting().await.address;
    // Too long for a label, so that no name server is queried.
    let nameless = format!("http://{}.invalid/", "x".repeat(64));
    let by = |proxy: &str| through(&format!("http://me:p%40ss@{proxy}"), &authority);
    let (by_deaf, by_nameless) = (by(&deaf), by(&"x".repeat(64)));
    let by_mute = NetworkOptions { connect_timeout: SOON, ..by(&mute) };
    let contoso = || "https://contoso.test/".to_owned();
    for (options, url, kind, message) in [
        (&by_deaf, contoso(), Connect, " closed the connection while tunnelling to contoso.test:443"),
        (&by_nameless, contoso(), Connect, "xx:80 cannot be resolved ("),
        (&by_mute, contoso(), ConnectTimeout, "no connection to contoso.test:443 through the proxy 127.0.0.1:"),
        (&patient, format!("http://{}/", refused_address().await), Connect, "refused the connection ("),
        (&patient, nameless, Connect, ".invalid cannot be resolved ("),
        (&patient, format!("https://{no_tls}/"), Connect, "the TLS handshake with 127.0.0.1 failed ("),
        (&patient, format!("https://{deaf}/"), Connect, "closed the connection during the TLS handshake"),
        (&hasty, format!("https://{mute}/"), ConnectTimeout, " within 50 ms"),
        (&strict, format!("http://{}/", silent.address), ReadTimeout, "127.0.0.1 was silent for 50 ms"),
        (&patient, format!("http://{}/", leaving.address), Interrupted, "connection closed before message completed"),
    ] {
        let error = fails(&service(options.clone()), &url).await;
        assert_eq!(error.kind, kind, "{url} {error}");
        assert!(error.message.contains(message), "{error}");
        assert_eq!(error.kind.may_have_been_sent(), matches!(kind, ReadTimeout | Interrupted));
    }
}
