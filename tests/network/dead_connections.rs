//! Connections that are dead without notice, and connections that are no longer needed.

use std::{sync::Arc, time::Duration};

use omnichannel_link::http::{HttpErrorKind, HttpService as _, NetworkOptions, NetworkService};
use tokio::sync::Barrier;

use crate::{
    SOON, fails, get,
    servers::{Authority, Does, Server},
    service,
    support::clock::TestClock,
    trusting,
};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn connections_are_not_used_after_the_machine_slept() {
    // As after a sleep: the first connection is dead without notice.
    let server = Server::plain(|connection, request| match (connection, request) {
        (0, 1..) => Does::NeverResponds,
        _ => Does::Responds,
    });
    let server = server.await;
    let url = format!("http://{}/", server.address);
    for sleeps in [true, false] {
        let before = server.connections();
        let clock = Arc::new(TestClock::manual());
        let service = NetworkService::new(NetworkOptions::default(), clock.clone());
        assert_eq!(get(&service, &url).await.unwrap(), 200);
        clock.advance(HOUR / 120);
        if sleeps {
            clock.suspend(HOUR);
        }
        assert_eq!(get(&service, &url).await.unwrap(), 200);
        assert_eq!(server.connections() - before, if sleeps { 2 } else { 1 });
    }

    // Without the sleep the request would have gone to the dead connection.
    let server = Server::plain(|_, request| if request == 0 { Does::Responds } else { Does::NeverResponds }).await;
    let url = format!("http://{}/", server.address);
    let service = NetworkService::new(NetworkOptions::default(), Arc::new(TestClock::manual()));
    assert_eq!(get(&service, &url).await.unwrap(), 200);
    tokio::select! {
        outcome = get(&service, &url) => panic!("{outcome:?} on a dead connection"),
        () = server.unanswered() => assert_eq!(server.connections(), 1),
    }
}

#[tokio::test]
async fn after_one_dead_connection_the_others_are_not_used() {
    for times_out in [true, false] {
        let both = Arc::new(Barrier::new(2));
        let server = Server::plain(move |connection, request| match (connection, request) {
            (0 | 1, 0) => Does::RespondsWith(both.clone()),
            (0 | 1, _) => Does::NeverResponds,
            _ => Does::Responds,
        });
        let server = server.await;
        let url = format!("http://{}/", server.address);
        let clock = Arc::new(TestClock::manual());
        let mut options = NetworkOptions::default();
        if times_out {
            options.read_timeout = SOON;
        }
        let service = NetworkService::new(options, clock.clone());
        let (one, other) = tokio::join!(get(&service, &url), get(&service, &url));
        assert_eq!((one.unwrap(), other.unwrap(), server.connections()), (200, 200, 2));
        if times_out {
            assert_eq!(fails(&service, &url).await.kind, HttpErrorKind::ReadTimeout);
        } else {
            // The call is cancelled after a while.
            tokio::select! {
                outcome = get(&service, &url) => panic!("{outcome:?} on a dead connection"),
                () = async { server.unanswered().await; clock.advance(Duration::from_secs(5)); } => {}
            }
        }
        assert_eq!(get(&service, &url).await.unwrap(), 200);
        assert_eq!(server.connections(), 3);
    }
}

#[tokio::test]
async fn a_service_that_is_closed_keeps_no_connection() {
    let authority = Authority::new();
    let tls = authority.issue("127.0.0.1");
    let plain = Server::plain(|_, _| Does::Responds).await;
    let http1 = Server::secure(&tls).await;
    let http2 = Server::secure(&tls.clone().offering(&["h2"])).await;
    let service = service(trusting(&authority));
    for (server, scheme) in [(&plain, "http"), (&http1, "https"), (&http2, "https")] {
        assert_eq!(get(&service, &format!("{scheme}://{}/", server.address)).await.unwrap(), 200);
    }
    service.close();
    for server in [&plain, &http1, &http2] {
        server.disconnected().await;
    }
    // Requests after the end still work, and keep no connection either.
    for (server, scheme) in [(&plain, "http"), (&http1, "https"), (&http2, "https")] {
        assert_eq!(get(&service, &format!("{scheme}://{}/", server.address)).await.unwrap(), 200);
        server.disconnected().await;
        assert_eq!(server.connections(), 2);
    }
}
