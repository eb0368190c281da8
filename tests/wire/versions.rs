//! Rows whose version is none. A write on it might match any row, or none for ever.

use omnichannel_link::{
    domain::{CallOptions, LinkStatus},
    error::Code,
};

use crate::{
    empty, holding,
    script::{Script, reply},
    support::{CONVERSATION, account, conversation, http::Reply},
};

const ODD: [&str; 8] = ["*", "", "7", "\"\"", "W/\"\"", "w/\"7\"", "W/\"7\", W/\"8\"", "W/\"7\"\r\nif-match: *"];

/// The answer with another version.
fn with_version(answer: Reply, version: u32, odd: &str) -> Reply {
    let Reply::Response(response) = answer else { unreachable!("it is a row") };
    let (known, body) = (format!(r#""W/\"{version}\"""#), str::from_utf8(&response.body).unwrap());
    assert!(body.contains(&known));
    reply(200, body.replace(&known, &serde_json::json!(odd).to_string()))
}

#[tokio::test]
async fn a_row_without_a_version_is_never_written_to() {
    for odd in ODD {
        let exchange = Script::new([with_version(empty(), 7, odd)]);
        let error = exchange.link(account(1)).await.unwrap_err();
        assert_eq!((error.code(), error.details().maybe_applied), (Code::Protocol, false), "{odd}");
        assert!(error.message().contains("ETag"), "{error}");
        assert_eq!(exchange.methods(), "GET");
    }
}

#[tokio::test]
async fn a_row_without_a_version_is_not_remembered_from_a_write() {
    for odd in ODD {
        let shown = with_version(holding(8, account(1)), 8, odd);
        let answers = [empty(), shown, holding(8, account(1)), holding(9, account(2))];
        let exchange = Script::new(answers);
        assert_eq!(exchange.link_more(account(1)).await.unwrap().status, LinkStatus::Linked, "{odd}");
        assert_eq!(exchange.link(account(2)).await.unwrap().previous, Some(account(1)));
        assert_eq!(exchange.methods(), "GET PATCH GET PATCH");
        assert_eq!(exchange.sent().matches("if-match: W/\"8\"").count(), 1);
    }
}

#[tokio::test]
async fn a_row_without_a_version_is_not_remembered_from_a_read() {
    for odd in ODD {
        let exchange = Script::new([with_version(empty(), 7, odd), empty(), holding(8, account(1))]);
        let read = exchange.service.read(Some(conversation(CONVERSATION)), CallOptions::default());
        assert_eq!(read.await.unwrap_err().code(), Code::Protocol, "{odd}");
        exchange.link(account(1)).await.unwrap();
        assert_eq!(exchange.methods(), "GET GET PATCH");
    }
}
