//! A client with a PAC script, and how often the script is called.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::{BoxFuture, join_all};
use omnichannel_link::http::{HttpErrorKind, NetworkOptions, NetworkService, Proxy, ProxyResolver};
use url::Url;

use crate::{
    fails, get,
    servers::{Authority, Server, TestProxy},
    support::{clock::TestClock, http::refused_address},
    trusting,
};

const URL: &str = "https://contoso.test/api?$select=a";
/// A little longer than a result is used.
const MINUTE: Duration = Duration::from_secs(61);

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

/// A client with a PAC script.
pub(crate) struct Client {
    pub(crate) authority: Authority,
    pub(crate) pac: Arc<Pac>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) service: NetworkService,
}

impl Client {
    pub(crate) fn new() -> Self {
        let (authority, pac, clock) = (Authority::new(), Arc::<Pac>::default(), Arc::new(TestClock::manual()));
        let options = NetworkOptions { proxy: Proxy::Resolver(pac.clone()), ..trusting(&authority) };
        let service = NetworkService::new(options, clock.clone());
        Self { authority, pac, clock, service }
    }

    pub(crate) async fn server(&self) -> Server {
        Server::secure(&self.authority.issue("contoso.test")).await
    }

    /// Sets the result of the script. The next request calls it.
    pub(crate) fn set(&self, result: &str) {
        self.pac.set(result);
        self.clock.advance(MINUTE);
    }
}

#[tokio::test]
async fn a_function_is_called_once_a_minute() {
    let client = Client::new();
    let Client { pac, clock, service, .. } = &client;
    let server = client.server().await;
    let (first, second) =
        (TestProxy::to(&[("contoso.test", &server)]).await, TestProxy::to(&[("contoso.test", &server)]).await);
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
    let client = Client::new();
    let Client { pac, service, .. } = &client;
    let server = client.server().await;
    let proxy = TestProxy::to(&[("contoso.test", &server)]).await;
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
    let client = Client::new();
    for (result, message) in [
        ("SOCKS5 127.0.0.1:1", "the proxy function's result: SOCKS proxies are not supported"),
        ("throws", "the proxy function failed: resolveProxy is not a function"),
    ] {
        client.set(result);
        let error = fails(&client.service, "https://contoso.test/").await;
        assert_eq!(error.kind, HttpErrorKind::NoRoute);
        assert!(error.message.starts_with(message), "{error}");
    }
}
