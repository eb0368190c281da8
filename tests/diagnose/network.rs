//! Faults of the connection: certificates, names and proxies.

use futures_util::future::BoxFuture;
use omnichannel_link::error::Code;
use omnichannel_link::http::{NetworkOptions, Proxy, ProxyResolver};
use std::sync::Arc;
use url::Url;

use crate::{
    fixture::{DiagnoseFixture, code, named},
    support::http::{ScriptedServer, refused_address},
};

/// Checks that need a connection, besides those of the connection itself.
const BEYOND: &str = "whoAmI clockSkew latency table concurrency navigation privileges limits";

#[tokio::test]
async fn an_untrusted_certificate_is_described() {
    let mut fixture = DiagnoseFixture::secure().await;
    fixture.network.ca_certificates.clear();
    let report = fixture.report().await;
    assert_eq!((named(&report, "failed"), named(&report, "skipped")), ("tls".into(), BEYOND.into()));
    let tls = fixture.shown(&report).lines().skip(3).take(2).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("untrusted", tls);
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_fails_dns() {
    let mut fixture = DiagnoseFixture::secure().await;
    // Too long for a label, so that no name server is asked.
    fixture.url = format!("https://{}.invalid", "x".repeat(64));
    let report = fixture.report().await;
    assert_eq!((named(&report, "failed"), named(&report, "skipped")), ("dns".into(), format!("tls {BEYOND}")));
    assert_eq!(code(&report.checks[1]), Some(Code::Unavailable));
}

#[tokio::test]
async fn a_refused_connection_fails_tls() {
    let mut fixture = DiagnoseFixture::secure().await;
    let free = refused_address().await;
    fixture.url = format!("https://{free}");
    let report = fixture.report().await;
    assert_eq!((named(&report, "failed"), named(&report, "skipped")), ("tls".into(), format!("dns {BEYOND}")));
    assert!(report.checks[2].found().contains("refused the connection"), "{report:?}");
}

#[tokio::test]
async fn a_proxy_is_named_without_its_password_and_fails_its_own_check() {
    let fixture = DiagnoseFixture::secure().await;
    let wants_more = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    for (answer, failed, skipped) in [
        (wants_more, "proxy", format!("dns tls {BEYOND}")),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "tls", format!("dns {BEYOND}")),
    ] {
        let address = ScriptedServer::sending(answer).await.address;
        let url = format!("http://me:s3cret@{address}").parse().unwrap();
        let through = NetworkOptions { proxy: Proxy::Url(url), ..fixture.network.clone() };
        let through = DiagnoseFixture { network: through, ..DiagnoseFixture::secure().await };
        let report = through.report().await;
        assert_eq!((named(&report, "failed"), named(&report, "skipped")), (failed.into(), skipped), "{report:#?}");
        assert!(report.checks[0].found().contains(&address), "{report:?}");
        assert!(!format!("{report:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn a_proxy_function_that_fails_fails_the_proxy_check() {
    struct Failing;
    impl ProxyResolver for Failing {
        fn resolve(&self, _: Url) -> BoxFuture<'_, Result<String, String>> {
            Box::pin(std::future::ready(Err("it threw TypeError".into())))
        }
    }
    let mut fixture = DiagnoseFixture::secure().await;
    fixture.network.proxy = Proxy::Resolver(Arc::new(Failing));
    let report = fixture.report().await;
    assert_eq!((named(&report, "failed"), named(&report, "skipped")), ("proxy".into(), format!("dns tls {BEYOND}")));
    assert!(report.checks[0].found().contains("it threw TypeError"), "{report:?}");
}

/// A PAC script that always returns this list.
struct Pac(String);

impl ProxyResolver for Pac {
    fn resolve(&self, _: Url) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

#[tokio::test]
async fn the_proxy_of_a_list_that_is_used_is_named_with_the_errors_of_those_before_it() {
    let free = refused_address().await;
    let blocking = ScriptedServer::sending("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await.address;
    for (list, failed, words) in [
        (
            format!("PROXY {free}; DIRECT"),
            "",
            format!(
                "None: the server is reached directly. Earlier entries of the list failed: the proxy {free} refused the connection ("
            ),
        ),
        (
            format!("PROXY {free}; PROXY {blocking}"),
            "tls",
            format!("The proxy {blocking}. Earlier entries of the list failed: the proxy {free} refused"),
        ),
        (format!("PROXY {free}"), "tls", format!("The proxy {free}.")),
        ("DIRECT; PROXY a:1".into(), "", "None: the server is reached directly.".into()),
    ] {
        let mut fixture = DiagnoseFixture::secure().await;
        fixture.network.proxy = Proxy::Resolver(Arc::new(Pac(list.clone())));
        let report = fixture.report().await;
        assert_eq!(
            (named(&report, "failed").as_str(), report.is_healthy()),
            (failed, failed.is_empty()),
            "{list} {report:#?}"
        );
        assert!(report.checks[0].found().starts_with(&words), "{report:#?}");
    }
}
