//! HTTP/2: all requests share one connection, and a refused one is sent again.

use futures_util::future::join_all;
use omnichannel_link::http::HttpErrorKind;

use crate::{
    connections::patch,
    get,
    servers::{Authority, Does, Server},
    service, trusting,
};

/// The server with its URL, and how many connections and requests it had.
struct Http2(Server, String);

impl Http2 {
    async fn start(authority: &Authority, does: impl Fn(usize, usize) -> Does + Send + Sync + 'static) -> Self {
        let server = Server::doing(&authority.issue("127.0.0.1").offering(&["h2"]), does).await;
        let url = format!("https://{}/", server.address);
        Self(server, url)
    }

    fn counts(&self) -> (usize, usize) {
        (self.0.connections(), self.0.heads().len())
    }
}

#[tokio::test]
async fn all_requests_share_one_connection() {
    let authority = Authority::new();
    let server = Http2::start(&authority, |_, _| Does::Responds).await;
    let service = service(trusting(&authority));
    assert_eq!(get(&service, &server.1).await.unwrap(), 200);
    let statuses = join_all((0..20).map(|_| get(&service, &server.1))).await;
    assert!(statuses.into_iter().all(|status| status.unwrap() == 200));
    assert_eq!(server.counts(), (1, 21));
}

#[tokio::test]
async fn of_connections_that_were_opened_at_once_one_is_kept() {
    let authority = Authority::new();
    let server = Http2::start(&authority, |_, _| Does::Responds).await;
    let service = service(trusting(&authority));
    let statuses = join_all((0..5).map(|_| get(&service, &server.1))).await;
    assert!(statuses.into_iter().all(|status| status.unwrap() == 200));
    let opened = server.counts().0;
    if opened > 1 {
        server.0.disconnected().await;
    }
    assert_eq!(get(&service, &server.1).await.unwrap(), 200);
    assert_eq!(server.counts(), (opened, 6));
}

#[tokio::test]
async fn a_refused_request_is_sent_again_twice() {
    let authority = Authority::new();
    for refusals in [1, 2, 3] {
        let does = move |_, request| if request < refusals { Does::Refuses } else { Does::Responds };
        let server = Http2::start(&authority, does).await;
        let outcome = patch(&service(trusting(&authority)), &server.1).await;
        assert_eq!(server.counts(), (1, 3.min(refusals + 1)));
        assert_eq!(outcome.map_err(|error| error.kind).err(), (refusals == 3).then_some(HttpErrorKind::Interrupted));
    }
}

#[tokio::test]
async fn after_a_server_went_away_the_request_is_sent_on_another_connection() {
    let authority = Authority::new();
    let does = |connection, request| if (connection, request) == (0, 1) { Does::GoesAway } else { Does::Responds };
    let server = Http2::start(&authority, does).await;
    let service = service(trusting(&authority));
    assert_eq!(patch(&service, &server.1).await.unwrap().status, 200);
    assert_eq!(patch(&service, &server.1).await.unwrap().status, 200);
    assert_eq!(server.counts(), (2, 3));
}
