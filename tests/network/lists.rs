//! PAC scripts that return several proxies, which are tried in order.

use std::time::Duration;

use omnichannel_link::{clock::Clock as _, http::HttpErrorKind};
use url::Url;

use crate::{
    fails, get, get_by,
    pac::Client,
    servers::{Authority, Does, Server, TestProxy},
    support::http::{ScriptedServer, refused_address},
};

const URL: &str = "https://contoso.test/";
/// How long a proxy that does not connect is tried last.
const AVOIDED_FOR: Duration = Duration::from_secs(300);

#[tokio::test]
async fn an_entry_that_does_not_connect_is_skipped_and_tried_last_for_a_while() {
    let client = Client::new();
    let server = client.server().await;
    let good = TestProxy::to(&[("contoso.test", &server)]).await;
    let untrusted = TestProxy::secure(&Authority::new().issue("127.0.0.1"), &[("contoso.test", &server)]).await;
    let (disconnecting, garbled) =
        (ScriptedServer::disconnecting().await, ScriptedServer::sending("SSH-2.0-OpenSSH_9.6\r\n\r\n\r\n").await);
    let dead = [
        format!("PROXY {}", refused_address().await),
        // Too long for a label, so that no name server is queried.
        format!("PROXY {}.invalid:8080", "x".repeat(64)),
        format!("PROXY {}", disconnecting.address),
        format!("HTTPS {}", garbled.address),
        format!("HTTPS {}", disconnecting.address),
        format!("HTTPS {}", untrusted.address),
    ];
    for (index, dead) in dead.iter().enumerate() {
        client.set(&format!("{dead}; SOCKS5 127.0.0.1:1; PROXY {}; DIRECT", good.address));
        assert_eq!(get(&client.service, URL).await.unwrap(), 200, "{dead}");
        assert_eq!(good.heads().len(), index + 1, "{dead}");
        let url = Url::parse(URL).unwrap();
        assert_eq!(client.service.proxies_of(&url).await.unwrap()[0], Some(good.address.to_string()), "{dead}");
    }
    assert_eq!((disconnecting.connections(), garbled.connections()), (2, 1));

    // In one list, none of them is tried again ...
    client.set(&format!("{}; PROXY {}", dead.join("; "), good.address));
    assert_eq!(get(&client.service, URL).await.unwrap(), 200);
    assert_eq!((disconnecting.connections(), garbled.connections()), (2, 1));
    // ... until the time is over.
    client.clock.advance(AVOIDED_FOR);
    client.set(&format!("PROXY {}; PROXY {}", disconnecting.address, good.address));
    assert_eq!(get(&client.service, URL).await.unwrap(), 200);
    assert_eq!(disconnecting.connections(), 3);
}

#[tokio::test]
async fn a_direct_connection_is_used_if_the_proxy_before_it_refuses() {
    let client = Client::new();
    let near = Server::secure(&client.authority.issue("127.0.0.1")).await;
    client.set(&format!("PROXY {}; DIRECT", refused_address().await));
    let url = format!("https://{}/", near.address);
    assert_eq!(get(&client.service, &url).await.unwrap(), 200);
}

#[tokio::test]
async fn a_proxy_after_direct_is_used_for_a_name_that_this_machine_does_not_know() {
    let client = Client::new();
    let nameless = format!("{}.invalid", "x".repeat(64));
    let proxy = TestProxy::to(&[]).await;
    client.set(&format!("DIRECT; PROXY {}", proxy.address));
    let error = fails(&client.service, &format!("https://{nameless}/")).await;
    assert_eq!((error.kind, proxy.heads().len()), (HttpErrorKind::Connect, 1));
    assert!(error.message.starts_with(&format!("no connection to {nameless}:443 (")), "{error}");
    assert!(error.message.ends_with(&format!("does not connect to {nameless}:443")), "{error}");
}

#[tokio::test]
async fn after_a_rejection_the_next_entry_is_not_tried() {
    let client = Client::new();
    let server = client.server().await;
    let good = TestProxy::to(&[("contoso.test", &server)]).await;
    let strangers = Server::secure(&Authority::new().issue("contoso.test")).await;
    let closed = TestProxy::requiring("proxy-authorization: x", &[("contoso.test", &server)]).await;
    let (blocking, elsewhere) = (TestProxy::to(&[]).await, TestProxy::to(&[("contoso.test", &strangers)]).await);
    for (proxy, kind, message) in [
        (&closed, HttpErrorKind::ProxyRefused, "requires a user and password"),
        (&blocking, HttpErrorKind::Connect, "does not connect to contoso.test:443"),
        (&elsewhere, HttpErrorKind::Untrusted, "the certificate of contoso.test was"),
    ] {
        client.set(&format!("PROXY {}; PROXY {}; DIRECT", proxy.address, good.address));
        let error = fails(&client.service, URL).await;
        assert_eq!((error.kind, proxy.heads().len()), (kind, 1));
        assert!(error.message.contains(message), "{error}");

        let dead = refused_address().await;
        client.set(&format!("PROXY {dead}; PROXY {}; PROXY {}", proxy.address, good.address));
        let error = fails(&client.service, URL).await;
        assert_eq!(error.kind, kind);
        let begins = format!("the proxy {dead} refused the connection (");
        assert!(error.message.starts_with(&begins) && error.message.contains(message), "{error}");
    }
    assert_eq!((server.heads().len(), good.heads().len()), (0, 0));
}

#[tokio::test]
async fn if_no_entry_connects_the_error_names_all_and_none_is_avoided() {
    let client = Client::new();
    let server = client.server().await;
    let (one, other) = (refused_address().await, ScriptedServer::disconnecting().await);
    let untrusted = TestProxy::secure(&Authority::new().issue("127.0.0.1"), &[]).await;
    client.set(&format!("PROXY {one}; PROXY {}; HTTPS {}", other.address, untrusted.address));
    for _ in 0..2 {
        let error = fails(&client.service, URL).await;
        // Two of the errors are temporary.
        assert_eq!(error.kind, HttpErrorKind::Connect);
        let parts: Vec<_> = error.message.split("; then ").collect();
        assert!(parts[0].starts_with(&format!("the proxy {one} refused the connection (")), "{error}");
        assert!(parts[1].starts_with(&format!("the proxy {} closed the connection", other.address)), "{error}");
        assert!(parts[2].starts_with(&format!("the certificate of the proxy {}", untrusted.address)), "{error}");
    }
    assert_eq!((client.pac.calls(), other.connections()), (2, 2));
    // The first is tried first again, and now it works.
    let proxy = TestProxy::at(&one, &[("contoso.test", &server)]).await;
    assert_eq!(get(&client.service, URL).await.unwrap(), 200);
    assert_eq!((proxy.heads().len(), other.connections()), (1, 2));

    client.set(&format!("HTTPS {}; HTTPS {0}.", untrusted.address));
    assert_eq!(fails(&client.service, URL).await.kind, HttpErrorKind::Untrusted);
}

#[tokio::test]
async fn a_proxy_that_is_avoided_is_the_last_resort() {
    let client = Client::new();
    let server = client.server().await;
    let first = refused_address().await;
    let second = TestProxy::to(&[("contoso.test", &server)]).await;
    let (list, address) = (format!("PROXY {first}; PROXY {}", second.address), second.address.to_string());
    client.set(&list);
    assert_eq!(get(&client.service, URL).await.unwrap(), 200);
    drop(second);
    let first = TestProxy::at(&first, &[("contoso.test", &server)]).await;
    // A new list, because connections outlive their proxy.
    client.set(&format!("PROXY {address}; PROXY {}", first.address));
    assert_eq!(get(&client.service, URL).await.unwrap(), 200);
    assert_eq!(first.heads().len(), 1);
    // A proxy that connects is no longer avoided.
    client.set(&list);
    let url = Url::parse(URL).unwrap();
    assert_eq!(client.service.proxies_of(&url).await.unwrap()[0], Some(first.address.to_string()));
}

#[tokio::test]
async fn a_silent_proxy_gets_a_share_of_the_time() {
    let client = Client::new();
    let server = client.server().await;
    let (silent, good) = (ScriptedServer::silent().await, TestProxy::to(&[("contoso.test", &server)]).await);
    client.set(&format!("PROXY {}; PROXY {}; DIRECT", silent.address, good.address));
    let in_time = async {
        silent.accepted().await;
        // A third of the ten seconds that a connection may take.
        client.clock.advance(Duration::from_millis(3_334));
    };
    let (outcome, ()) = tokio::join!(get(&client.service, URL), in_time);
    assert_eq!(outcome.unwrap(), 200);
    assert_eq!(get(&client.service, URL).await.unwrap(), 200);
    assert_eq!((silent.connections(), good.heads().len()), (1, 1));
}

#[tokio::test]
async fn a_call_with_little_time_avoids_a_proxy_for_less_long() {
    let client = Client::new();
    let server = client.server().await;
    let good = TestProxy::to(&[("contoso.test", &server)]).await;
    for (share, avoided_for) in [(Duration::from_millis(500), 30), (Duration::from_secs(2), 300)] {
        let silent = ScriptedServer::silent().await;
        client.set(&format!("PROXY {}; PROXY {}", silent.address, good.address));
        let in_time = async {
            silent.accepted().await;
            client.clock.advance(share);
        };
        let deadline = client.clock.now() + 2 * share;
        let (outcome, ()) = tokio::join!(get_by(&client.service, URL, Some(deadline)), in_time);
        assert_eq!(outcome.unwrap(), 200);
        let url = Url::parse(URL).unwrap();
        client.clock.advance(Duration::from_secs(avoided_for - 1));
        assert_eq!(client.service.proxies_of(&url).await.unwrap()[0], Some(good.address.to_string()));
        client.clock.advance(Duration::from_secs(1));
        assert_eq!(client.service.proxies_of(&url).await.unwrap()[0], Some(silent.address));
    }
}

#[tokio::test]
async fn a_request_that_may_have_been_sent_is_not_sent_again_through_the_next_entry() {
    let client = Client::new();
    for does in [Does::Disconnects, Does::NeverResponds] {
        let tls = client.authority.issue("contoso.test");
        let is_silent = matches!(does, Does::NeverResponds);
        let server = Server::doing(&tls, move |_, _| does.clone()).await;
        let (one, other) =
            (TestProxy::to(&[("contoso.test", &server)]).await, TestProxy::to(&[("contoso.test", &server)]).await);
        client.set(&format!("PROXY {}; PROXY {}", one.address, other.address));
        if is_silent {
            // There is a connection, so no time limit applies.
            tokio::select! {
                outcome = get(&client.service, URL) => panic!("{outcome:?}"),
                () = async {
                    server.unanswered().await;
                    client.clock.advance(Duration::from_secs(60));
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                } => {}
            }
        } else {
            let error = fails(&client.service, URL).await;
            assert!(error.kind.may_have_been_sent(), "{error}");
        }
        assert_eq!((server.heads().len(), other.heads().len()), (1, 0));
    }
}

#[tokio::test]
async fn an_inspection_shows_which_entry_was_used_and_why() {
    let client = Client::new();
    let server = client.server().await;
    let (dead, good) = (refused_address().await, TestProxy::to(&[("contoso.test", &server)]).await);
    client.set(&format!("PROXY {dead}; PROXY {}; DIRECT", good.address));
    for _ in 0..2 {
        let inspection = client.service.inspect(&Url::parse(URL).unwrap()).await;
        assert_eq!(inspection.proxy, Some(good.address.to_string()));
        assert!(inspection.version.is_ok() && inspection.certificate.is_some());
        let [skipped] = inspection.skipped.as_slice() else { panic!("{inspection:?}") };
        assert!(skipped.starts_with(&format!("the proxy {dead} refused the connection (")), "{skipped}");
    }
}
