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

#[tokio::test]
async fn a_proxy_gets_the_user_and_the_decoded_password() {
    let authority = Authority::new();
    let server = Server::secure(&authority.issue("contoso.test")).await;
    // me:p@ss:w%rd/
    let expected = "proxy-authorization: Basic bWU6cEBzczp3JXJkLw==\r\n";
    let proxy = TestProxy::requiring(expected, &[("contoso.test", &server)]).await;
    let options = through(&format!("http://me:p%40ss%3Aw%25rd%2F@{}", proxy.address), &authority);
    let options = NetworkOptions { user_agent: user_agent("desk/2").unwrap(), ..options };
    let client = service(options.clone());
    assert_eq!(get(&client, "https://contoso.test/").await.unwrap(), 200);
    assert!(proxy.heads()[0].starts_with("CONNECT contoso.test:443 HTTP/1.1\r\n"), "{:?}", proxy.heads());
    let head = &server.heads()[0];
    assert!(head.contains("/0.1.0 desk/2\r\n") && !head.to_lowercase().contains("proxy-"), "{head}");
    let url = Url::parse("https://contoso.test/").unwrap();
    assert_eq!(client.proxy_of(&url).await.unwrap(), Some(proxy.address.to_string()));

    for (user, reason) in [("", "requires a"), ("me:p%40ss%3Awrong@", "did not accept the")] {
        let error =
            fails(&service(through(&format!("http://{user}{}", proxy.address), &authority)), url.as_str()).await;
        assert_eq!(error.kind, HttpErrorKind::ProxyRefused);
        assert!(!error.kind.may_have_been_sent() && error.kind.is_configuration());
        assert_eq!(error.message, format!("the proxy {} {reason} user and password", proxy.address));
    }

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

    // A proxy in the options is used for loopback addresses too, except over plain HTTP.
    let explicit = service(through(&format!("http://{}", proxy.address), &authority));
    assert_eq!(get(&explicit, &format!("https://{}/", near.address)).await.unwrap(), 200);
    assert_eq!(proxy.heads().len(), 2);
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

#[tokio::test]
async fn a_function_is_called_once_a_minute_and_after_an_error() {
    const URL: &str = "https://contoso.test/api?$select=a";
    let authority = Authority::new();
    let server = Server::secure(&authority.issue("contoso.test")).await;
    let (first, second) =
        (TestProxy::to(&[("contoso.test", &server)]).await, TestProxy::to(&[("contoso.test", &server)]).await);
    let (pac, clock) = (Arc::<Pac>::default(), Arc::new(TestClock::manual()));
    let options = NetworkOptions { proxy: Proxy::Resolver(pac.clone()), ..trusting(&authority) };
    let service = ReqwestService::new(options, clock.clone());

    pac.set(format!("SOCKS5 127.0.0.1:1; PROXY {}; DIRECT", first.address));
    for outcome in join_all((0..5).map(|_| get(&service, URL))).await {
        assert_eq!(outcome.unwrap(), 200);
    }
    assert_eq!((pac.calls(), second.heads().len()), (1, 0));

    // The same result a minute later: the same connections.
    let connections = server.connections();
    clock.advance(Duration::from_secs(61));
    assert_eq!(get(&service, URL).await.unwrap(), 200);
    assert_eq!((pac.calls(), server.connections()), (2, connections));

    // A new result takes effect after a minute.
    pac.set(format!("PROXY {}", second.address));
    assert_eq!(get(&service, URL).await.unwrap(), 200);
    assert_eq!((pac.calls(), second.heads().len()), (2, 0));
    clock.advance(Duration::from_secs(61));
    assert_eq!(get(&service, URL).await.unwrap(), 200);
    assert_eq!((pac.calls(), second.heads().len()), (3, 1));

    // After a connection error the function is called again at once.
    pac.set(format!("PROXY {}", refused_address().await));
    clock.advance(Duration::from_secs(61));
    let error = fails(&service, "https://contoso.test/").await;
    assert_eq!(error.kind, HttpErrorKind::Connect);
    assert!(error.message.starts_with("the proxy 127.0.0.1:"), "{error}");
    assert!(error.message.contains(" refused the connection ("), "{error}");
    pac.set(format!("http://me:p%40ss@{}", first.address));
    assert_eq!(get(&service, URL).await.unwrap(), 200);
    assert_eq!(pac.calls(), 5);

    for (result, message) in [
        ("SOCKS5 127.0.0.1:1", "the proxy function's result: SOCKS proxies are not supported"),
        ("throws", "the proxy function failed: resolveProxy is not a function"),
    ] {
        pac.set(result);
        clock.advance(Duration::from_secs(61));
        let error = fails(&service, "https://contoso.test/").await;
        assert_eq!(error.kind, HttpErrorKind::NoRoute);
        assert!(error.message.starts_with(message), "{error}");
    }
}
