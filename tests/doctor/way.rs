//! What can be wrong on the way to the server.

use futures_util::future::BoxFuture;
use omnichannel_link::http::{NetworkOptions, Proxy, ProxyResolver};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use url::Url;

use crate::clinic::{Clinic, code, named};
use omnichannel_link::error::Code;

/// What needs a connection, besides the checks of the connection itself.
const BEYOND: &str = "whoAmI clockSkew latency table concurrency navigation privileges limits";

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_shown_with_whose_it_is() {
    let mut clinic = Clinic::secure().await;
    clinic.network.ca_certificates.clear();
    let report = clinic.report().await;
    assert_eq!((named(&report, "failed"), named(&report, "skipped")), ("tls".into(), BEYOND.into()));
    let tls = clinic.shown(&report).lines().skip(3).take(2).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("untrusted", tls);
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_the_names_fault() {
    let mut clinic = Clinic::secure().await;
    // Too long for a label, so that no name server is asked.
    clinic.url = format!("https://{}.invalid", "x".repeat(64));
    let report = clinic.report().await;
    assert_eq!((named(&report, "failed"), named(&report, "skipped")), ("dns".into(), format!("tls {BEYOND}")));
    assert_eq!(code(&report.checks[1]), Some(Code::Unavailable));
}

#[tokio::test]
async fn where_nobody_listens_no_connection_comes_about() {
    let mut clinic = Clinic::secure().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    clinic.url = format!("https://{free}");
    let report = clinic.report().await;
    assert_eq!((named(&report, "failed"), named(&report, "skipped")), ("tls".into(), format!("dns {BEYOND}")));
    assert!(report.checks[2].found().contains("refused the connection"), "{report:?}");
}

/// A proxy that answers so, whatever it is asked.
async fn proxy(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            drop(stream.read(&mut [0; 4096]).await);
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });
    address
}

#[tokio::test]
async fn a_proxy_is_named_without_its_password_and_its_refusal_is_its_own() {
    let clinic = Clinic::secure().await;
    let wants_more = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    for (answer, failed, skipped) in [
        (wants_more, "proxy", format!("dns tls {BEYOND}")),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "tls", format!("dns {BEYOND}")),
    ] {
        let address = proxy(answer).await;
        let url = format!("http://me:s3cret@{address}").parse().unwrap();
        let through = NetworkOptions { proxy: Proxy::Url(url), ..clinic.network.clone() };
        let through = Clinic { network: through, ..Clinic::secure().await };
        let report = through.report().await;
        assert_eq!((named(&report, "failed"), named(&report, "skipped")), (failed.into(), skipped), "{report:#?}");
        assert!(report.checks[0].found().contains(&address), "{report:?}");
        assert!(!format!("{report:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn a_proxy_function_that_fails_is_the_proxys_fault() {
    struct Failing;
    impl ProxyResolver for Failing {
        fn resolve(&self, _: Url) -> BoxFuture<'_, Result<String, String>> {
            Box::pin(std::future::ready(Err("it threw TypeError".into())))
        }
    }
    let mut clinic = Clinic::secure().await;
    clinic.network.proxy = Proxy::Resolver(Arc::new(Failing));
    let report = clinic.report().await;
    assert_eq!((named(&report, "failed"), named(&report, "skipped")), ("proxy".into(), format!("dns tls {BEYOND}")));
    assert!(report.checks[0].found().contains("it threw TypeError"), "{report:?}");
}

/// A PAC script that always answers so.
struct Pac(String);

impl ProxyResolver for Pac {
    fn resolve(&self, _: Url) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

#[tokio::test]
async fn of_a_list_of_proxies_the_one_that_is_taken_is_named_and_why_not_those_before_it() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let blocking = proxy("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await;
    for (list, failed, words) in [
        (
            format!("PROXY {free}; DIRECT"),
            "",
            format!(
                "None: the server is reached directly. What comes before it in the list led nowhere: the proxy {free} refused the connection ("
            ),
        ),
        (
            format!("PROXY {free}; PROXY {blocking}"),
            "tls",
            format!("The proxy {blocking}. What comes before it in the list led nowhere: the proxy {free} refused"),
        ),
        (format!("PROXY {free}"), "tls", format!("The proxy {free}.")),
        ("DIRECT; PROXY a:1".into(), "", "None: the server is reached directly.".into()),
    ] {
        let mut clinic = Clinic::secure().await;
        clinic.network.proxy = Proxy::Resolver(Arc::new(Pac(list.clone())));
        let report = clinic.report().await;
        assert_eq!(
            (named(&report, "failed").as_str(), report.is_healthy()),
            (failed, failed.is_empty()),
            "{list} {report:#?}"
        );
        assert!(report.checks[0].found().starts_with(&words), "{report:#?}");
    }
}
