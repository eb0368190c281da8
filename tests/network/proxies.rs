//! Which way a request takes, and what a proxy is told.

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
    StillClock, fails, get, refusing,
    servers::{Authority, Server, TestProxy},
    service, through, trusting,
};

#[tokio::test]
async fn a_proxy_gets_the_user_and_the_decoded_password() {
    let authority = Authority::new();
    let server = Server::secure(&authority.issue("contoso.test")).await;
    // me:p@ss:w%rd/
    let wanted = "proxy-authorization: Basic bWU6cEBzczp3JXJkLw==\r\n";
    let proxy = TestProxy::wanting(wanted, &[("contoso.test", &server)]).await;
    let options = through(&format!("http://me:p%40ss%3Aw%25rd%2F@{}", proxy.address), &authority);
    let options = NetworkOptions { user_agent: user_agent("desk/2").unwrap(), ..options };
    let asked = service(options.clone());
    assert_eq!(get(&asked, "https://contoso.test/").await.unwrap(), 200);
    assert!(proxy.heads()[0].starts_with("CONNECT contoso.test:443 HTTP/1.1\r\n"), "{:?}", proxy.heads());
    let head = &server.heads()[0];
    assert!(head.contains("/0.1.0 desk/2\r\n") && !head.to_lowercase().contains("proxy-"), "{head}");
    let url = Url::parse("https://contoso.test/").unwrap();
    assert_eq!(asked.proxy_of(&url).await.unwrap(), Some(proxy.address.to_string()));

    for (user, reason) in [("", "wants a"), ("me:p%40ss%3Awrong@", "did not accept the")] {
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
async fn variables_send_all_but_loopback_and_what_they_except_through_the_proxy() {
    let authority = Authority::new();
    let (near, far) = (authority.issue("127.0.0.1"), authority.issue("contoso.test"));
    let (near, far) = (Server::secure(&near).await, Server::secure(&far).await);
    let proxy = TestProxy::to(&[("contoso.test", &far), ("127.0.0.1", &near)]).await;
    // Without a scheme, and only the upper case.
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

    // A proxy that is named for everything is used for everything, except in plain text.
    let explicit = service(through(&format!("http://{}", proxy.address), &authority));
    assert_eq!(get(&explicit, &format!("https://{}/", near.address)).await.unwrap(), 200);
    assert_eq!(proxy.heads().len(), 2);
    let error = fails(&explicit, "http://127.0.0.1:1/").await;
    assert_eq!(error.kind, HttpErrorKind::NoRoute);
    assert!(error.message.starts_with("plain HTTP through a proxy would show it the token"), "{error}");
}

/// Answers what it is told to, and counts.
#[derive(Default)]
pub(crate) struct Pac(Mutex<(String, usize)>);

impl Pac {
    pub(crate) fn says(&self, answer: impl Into<String>) {
        self.0.lock().unwrap().0 = answer.into();
    }

    pub(crate) fn asked(&self) -> usize {
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
async fn a_function_is_asked_once_a_minute_and_after_a_failure() {
    const URL: &str = "https://contoso.test/api?$select=a";
    let authority = Authority::new();
    let server = Server::secure(&authority.issue("contoso.test")).await;
    let (first, second) =
        (TestProxy::to(&[("contoso.test", &server)]).await, TestProxy::to(&[("contoso.test", &server)]).await);
    let (pac, clock) = (Arc::<Pac>::default(), StillClock::new());
    let options = NetworkOptions { proxy: Proxy::Resolver(pac.clone()), ..trusting(&authority) };
    let service = ReqwestService::new(options, clock.clone());

    pac.says(format!("SOCKS5 127.0.0.1:1; PROXY {}; DIRECT", first.address));
    for outcome in join_all((0..5).map(|_| get(&service, URL))).await {
        assert_eq!(outcome.unwrap(), 200);
    }
    assert_eq!((pac.asked(), second.heads().len()), (1, 0));

    // The same answer a minute later: the same connections.
    let connections = server.connections();
    clock.pass(Duration::from_secs(61));
    assert_eq!(get(&service, URL).await.unwrap(), 200);
    assert_eq!((pac.asked(), server.connections()), (2, connections));

    // Another answer, asked for when the first has had its time.
    pac.says(format!("PROXY {}", second.address));
    assert_eq!(get(&service, URL).await.unwrap(), 200);
    assert_eq!((pac.asked(), second.heads().len()), (2, 0));
    clock.pass(Duration::from_secs(61));
    assert_eq!(get(&service, URL).await.unwrap(), 200);
    assert_eq!((pac.asked(), second.heads().len()), (3, 1));

    // A proxy that is gone is asked about again at once.
    pac.says(format!("PROXY {}", refusing().await));
    clock.pass(Duration::from_secs(61));
    let error = fails(&service, "https://contoso.test/").await;
    assert_eq!(error.kind, HttpErrorKind::Connect);
    assert!(error.message.starts_with("the proxy 127.0.0.1:"), "{error}");
    assert!(error.message.contains(" refused the connection ("), "{error}");
    pac.says(format!("http://me:p%40ss@{}", first.address));
    assert_eq!(get(&service, URL).await.unwrap(), 200);
    assert_eq!(pac.asked(), 5);

    for (answer, message) in [
        ("SOCKS5 127.0.0.1:1", "the proxy function's answer: SOCKS proxies are not supported"),
        ("throws", "the proxy function failed: resolveProxy is not a function"),
    ] {
        pac.says(answer);
        clock.pass(Duration::from_secs(61));
        let error = fails(&service, "https://contoso.test/").await;
        assert_eq!(error.kind, HttpErrorKind::NoRoute);
        assert!(error.message.starts_with(message), "{error}");
    }
}
