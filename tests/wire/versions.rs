//! Rows with an invalid `ETag`. A write on it could match any row, or never match.

use omnichannel_link::{
    domain::{CallOptions, LinkStatus},
    error::Code,
};

use crate::{
    empty, holding,
    script::{Script, reply},
    support::{CONVERSATION, account, conversation, http::Reply},
};

const INVALID_ETAGS: [&str; 8] =
    ["*", "", "7", "\"\"", "W/\"\"", "w/\"7\"", "W/\"7\", W/\"8\"", "W/\"7\"\r\nif-match: *"];

/// The row with another `ETag`.
fn with_etag(row: Reply, version: u32, etag: &str) -> Reply {
    let Reply::Response(response) = row else { unreachable!("it is a row") };
    let (known, body) = (format!(r#""W/\"{version}\"""#), str::from_utf8(&response.body).unwrap());
    assert!(body.contains(&known));
    reply(200, body.replace(&known, &serde_json::json!(etag).to_string()))
}

#[tokio::test]
async fn a_row_without_an_etag_is_never_written() {
    for etag in INVALID_ETAGS {
        let script = Script::new([with_etag(empty(), 7, etag)]);
        let error = script.link(account(1)).await.unwrap_err();
        assert_eq!((error.code(), error.details().maybe_applied), (Code::Protocol, false), "{etag}");
        assert!(error.message().contains("ETag"), "{error}");
        assert_eq!(script.methods(), "GET");
    }
}

#[tokio::test]
async fn a_row_without_an_etag_is_not_cached_from_a_write() {
    for etag in INVALID_ETAGS {
        let shown = with_etag(holding(8, account(1)), 8, etag);
        let replies = [empty(), shown, holding(8, account(1)), holding(9, account(2))];
        let script = Script::new(replies);
        assert_eq!(script.link_more(account(1)).await.unwrap().status, LinkStatus::Linked, "{etag}");
        assert_eq!(script.link(account(2)).await.unwrap().previous, Some(account(1)));
        assert_eq!(script.methods(), "GET PATCH GET PATCH");
        assert_eq!(script.sent().matches("if-match: W/\"8\"").count(), 1);
    }
}

#[tokio::test]
async fn a_row_without_an_etag_is_not_cached_from_a_read() {
    for etag in INVALID_ETAGS {
        let script = Script::new([with_etag(empty(), 7, etag), empty(), holding(8, account(1))]);
        let read = script.service.read(Some(conversation(CONVERSATION)), CallOptions::default());
        assert_eq!(read.await.unwrap_err().code(), Code::Protocol, "{etag}");
        script.link(account(1)).await.unwrap();
        assert_eq!(script.methods(), "GET GET PATCH");
    }
}
