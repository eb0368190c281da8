//! The choice of a proxy, and what is sent to it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::{BoxFuture, join_all};
use omnichannel_link::http::{
    HttpErrorKind, NetworkOptions, Proxy, ProxyResolver, ProxyVariables, ReqwestService, user_agent,
};
use url::Url;

use crate::{
    fails, get,
    servers::{Authority, Server, TestProxy},
    service,
    support::{clock::TestClock, http::refused_address},
    through, trusting,
};

/// A header with the user and the decoded password of [`USER`].
const AUTHORIZATION: &str = "proxy-authorization: Basic bWU6cEBzczp3JXJkLw==\r\n";
const USER: &str = "me:p%40ss%3Aw%25rd%2F";

#[tokio::test]
async fn a_proxy_gets_the_user_and_the_decoded_password() {
    let authority = Authority::new();
    let server = Server::secure(&authority.issue("contoso.test")).await;
    let proxy = TestProxy::requiring(AUTHORIZATION, &[("contoso.test", &server)]).await;
    let options = through(&format!("http://{USER}@{}", proxy.address), &authority);
    let options = NetworkOptions { user_agent: user_agent("desk/2").unwrap(), ..options };
    let client = service(options);
    assert_eq!(get(&client, "https://contoso.test/").await.unwrap(), 200);
    assert!(proxy.heads()[0].starts_with("CONNECT contoso.test:443 HTTP/1.1\r\n"), "{:?}", proxy.heads());
    let head = &server.heads()[0];
    assert!(head.contains("/0.1.0 desk/2\r\n") && !head.to_lowercase().contains("proxy-"), "{head}");
    let url = Url::parse("https://contoso.test/").unwrap();
    assert_eq!(client.proxy_of(&url).await.unwrap(), Some(proxy.address.to_string()));
}

#[tokio::test]
async fn a_missing_or_wrong_password_of_a_proxy_is_named() {
    let authority = Authority::new();
    let proxy = TestProxy::requiring(AUTHORIZATION, &[]).await;
    for (user, reason) in [("", "requires a"), ("me:p%40ss%3Awrong@", "did not accept the")] {
        let error =
            fails(&service(through(&format!("http://{user}{}", proxy.address), &authority)), "https://contoso.test/")
                .await;
        assert_eq!(error.kind, HttpErrorKind::ProxyRefused);
        assert!(!error.kind.may_have_been_sent() && error.kind.is_configuration());
        assert_eq!(error.message, format!("the proxy {} {reason} user and password", proxy.address));
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_connect_to_the_server_is_named() {
    let authority = Authority::new();
    let proxy = TestProxy::requiring(AUTHORIZATION, &[]).await;
    let options = through(&format!("http://{USER}@{}", proxy.address), &authority);
    let error = fails(&service(options), "https://elsewhere.test/").await;
    assert_eq!(error.kind, HttpErrorKind::Connect);
    assert_eq!(error.message, format!("the proxy {} does not connect to elsewhere.test:443", proxy.address));
}

#[tokio::test]
async fn a_proxy_may_speak_tls_itself() {
    let authority = Authority::new();
    let server = Server::secure(&authority.issue("contoso.test")).await;
    let proxy = TestProxy::secure(&authority.issue("127.0.0.1"), &[("contoso.test", &server)]).await;
    let url = format!("https://me:p%40ss@{}", proxy.address);
    assert_eq!(get(&service(through(&url, &authority)), "https://contoso.test/").await.unwrap(), 200);
    let error = fails(&service(through(&url, &Authority::new())), "https://contoso.test/").await;
    assert_eq!(error.kind, HttpErrorKind::Untrusted);
    assert!(
        error.message.starts_with(&format!("the certificate of the proxy {} was issued", proxy.address)),
        "{error}"
    );
}

#[tokio::test]
async fn variables_apply_except_to_loopback_addresses_and_no_proxy() {
    let authority = Authority::new();
    let (near, far) = (authority.issue("127.0.0.1"), authority.issue("contoso.test"));
    let (near, far) = (Server::secure(&near).await, Server::secure(&far).await);
    let proxy = TestProxy::to(&[("contoso.test", &far), ("127.0.0.1", &near)]).await;
    // Without a scheme, and in upper case only.
    let variable = |name: &str| match name {
        "HTTPS_PROXY" => Some(format!("me:p%40ss@{}", proxy.address)),
        "NO_PROXY" => Some("excepted.test".into()),
        _ => None,
    };
    let proxied = Proxy::Environment(ProxyVariables::look_up(variable));
    let variables = service(NetworkOptions { proxy: proxied, ..trusting(&authority) });
    assert_eq!(get(&variables, "https://contoso.test/").await.unwrap(), 200);
    assert_eq!(get(&variables, &format!("https://{}/", near.address)).await.unwrap(), 200);
    assert_eq!(proxy.heads().len(), 1);
    let excepted = Url::parse("https://a.excepted.test/").unwrap();
    assert_eq!(variables.proxy_of(&excepted).await.unwrap(), None);
}

#[tokio::test]
async fn a_proxy_in_the_options_is_used_for_loopback_addresses_except_over_plain_http() {
    let authority = Authority::new();
    let near = Server::secure(&authority.issue("127.0.0.1")).await;
    let proxy = TestProxy::to(&[("127.0.0.1", &near)]).await;
    let explicit = service(through(&format!("http://{}", proxy.address), &authority));
    assert_eq!(get(&explicit, &format!("https://{}/", near.address)).await.unwrap(), 200);
    assert_eq!(proxy.heads().len(), 1);
    let error = fails(&explicit, "http://127.0.0.1:1/").await;
    assert_eq!(error.kind, HttpErrorKind::NoRoute);
    assert!(error.message.starts_with("plain HTTP through a proxy would show it the token"), "{error}");
}

/// A PAC script with a result that the test sets. Counts its calls.
#[derive(Default)]
pub(crate) struct Pac(Mutex<(String, usize)>);

impl Pac {
    pub(crate) fn set(&self, result: impl Into<String>) {
        self.0.lock().unwrap().0 = result.into();
    }

    pub(crate) fn calls(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

impl ProxyResolver for Pac {
    fn resolve(&self, server: Url) -> BoxFuture<'_, Result<String, String>> {
        assert_eq!(server.path(), "/");
        Box::pin(async {
            tokio::task::yield_now().await;
            let mut pac = self.0.lock().unwrap();
            pac.1 += 1;
            if pac.0 == "throws" { Err("resolveProxy is not a function".into()) } else { Ok(pac.0.clone()) }
        })
    }
}

const URL: &str = "https://contoso.test/api?$select=a";
/// A little longer than a result is used.
const MINUTE: Duration = Duration::from_secs(61);

/// A client with a function, and the server that it trusts.
struct Scripted {
    pac: Arc<Pac>,
    clock: Arc<TestClock>,
    server: Server,
    service: ReqwestService,
}

impl Scripted {
    async fn new() -> Self {
        let authority = Authority::new();
        let server = Server::secure(&authority.issue("contoso.test")).await;
        let (pac, clock) = (Arc::<Pac>::default(), Arc::new(TestClock::manual()));
        let options = NetworkOptions { proxy: Proxy::Resolver(pac.clone()), ..trusting(&authority) };
        let service = ReqwestService::new(options, clock.clone());
        Self { pac, clock, server, service }
    }

    async fn proxy(&self) -> TestProxy {
        TestProxy::to(&[("contoso.test", &self.server)]).await
    }
}

#[tokio::test]
async fn a_function_is_called_once_a_minute() {
    let client = Scripted::new().await;
    let Scripted { pac, clock, server, service } = &client;
    let (first, second) = (client.proxy().await, client.proxy().await);
    pac.set(format!("SOCKS5 127.0.0.1:1; PROXY {}; DIRECT", first.address));
    for outcome in join_all((0..5).map(|_| get(service, URL))).await {
        assert_eq!(outcome.unwrap(), 200);
    }
    assert_eq!((pac.calls(), second.heads().len()), (1, 0));

    // The same result a minute later: the same connections.
    let connections = server.connections();
    clock.advance(MINUTE);
    assert_eq!(get(service, URL).await.unwrap(), 200);
    assert_eq!((pac.calls(), server.connections()), (2, connections));

    // A new result takes effect after a minute.
    pac.set(format!("PROXY {}", second.address));
    assert_eq!(get(service, URL).await.unwrap(), 200);
    assert_eq!((pac.calls(), second.heads().len()), (2, 0));
    clock.advance(MINUTE);
    assert_eq!(get(service, URL).await.unwrap(), 200);
    assert_eq!((pac.calls(), second.heads().len()), (3, 1));
}

#[tokio::test]
async fn a_function_is_called_again_at_once_after_a_connection_error() {
    let client = Scripted::new().await;
    let Scripted { pac, service, .. } = &client;
    let proxy = client.proxy().await;
    pac.set(format!("PROXY {}", refused_address().await));
    let error = fails(service, "https://contoso.test/").await;
    assert_eq!(error.kind, HttpErrorKind::Connect);
    assert!(error.message.starts_with("the proxy 127.0.0.1:"), "{error}");
    assert!(error.message.contains(" refused the connection ("), "{error}");
    pac.set(format!("http://me:p%40ss@{}", proxy.address));
    assert_eq!(get(service, URL).await.unwrap(), 200);
    assert_eq!(pac.calls(), 2);
}

#[tokio::test]
async fn an_error_of_a_function_is_named() {
    let Scripted { pac, clock, service, .. } = Scripted::new().await;
    for (result, message) in [
        ("SOCKS5 127.0.0.1:1", "the proxy function's result: SOCKS proxies are not supported"),
        ("throws", "the proxy function failed: resolveProxy is not a function"),
    ] {
        pac.set(result);
        clock.advance(MINUTE);
        let error = fails(&service, "https://contoso.test/").await;
        assert_eq!(error.kind, HttpErrorKind::NoRoute);
        assert!(error.message.starts_with(message), "{error}");
    }
}
