//! The choice of a proxy, and what is sent to it.

use omnichannel_link::http::{HttpErrorKind, NetworkOptions, Proxy, ProxyVariables, user_agent};
use url::Url;

use crate::{
    fails, get,
    servers::{Authority, Server, TestProxy},
    service, through, trusting,
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
    assert_eq!(client.proxies_of(&url).await.unwrap()[0], Some(proxy.address.to_string()));
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
    assert_eq!(variables.proxies_of(&excepted).await.unwrap()[0], None);
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
