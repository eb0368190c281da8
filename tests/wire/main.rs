//! What the Dataverse store sends, to the letter, and what it makes of each answer.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../support/mod.rs"]
mod support;

mod script;

use std::time::Duration;

use omnichannel_link::{
    domain::{LinkStatus, RecordReference},
    error::{Code, CurrentRecord, LinkError},
    http::HttpErrorKind,
};
use script::{Answer, Conversation, fault, row};
use support::{account, contact, incident};

const ACTIVE: i32 = 2;
const STALE: &str = "0x80060882";
const MISSING: &str = "0x80040217";

/// An active conversation at version 7, with nothing linked.
fn empty() -> Answer {
    row(7, ACTIVE, None, None)
}

/// The same at a later version, holding this.
fn holding(version: u32, record: RecordReference) -> Answer {
    match record.entity.slot() {
        omnichannel_link::domain::Slot::Customer => row(version, ACTIVE, Some(record), None),
        omnichannel_link::domain::Slot::Case => row(version, ACTIVE, None, Some(record)),
    }
}

#[tokio::test]
async fn every_request_is_what_the_web_api_documents() {
    for (name, record) in [("account", account(1)), ("contact", contact(1)), ("incident", incident(1))] {
        let link = Conversation::with([empty(), holding(8, record)]);
        assert_eq!(link.link(record).await.unwrap().status, LinkStatus::Linked);
        insta::assert_snapshot!(format!("link_{name}"), link.sent());
        let unlink = Conversation::with([holding(8, record), row(9, ACTIVE, None, None)]);
        unlink.unlink(record).await.unwrap();
        insta::assert_snapshot!(format!("unlink_{name}"), unlink.sent());
    }
}

#[tokio::test]
async fn a_stale_row_is_read_and_decided_again() {
    let exchange = Conversation::with([empty(), fault(412, STALE), holding(8, account(2)), holding(9, account(1))]);
    let outcome = exchange.link(account(1)).await.unwrap();
    assert_eq!((outcome.status, outcome.previous), (LinkStatus::Replaced, Some(account(2))));
    assert_eq!(exchange.verbs(), "GET PATCH GET PATCH");
}

#[tokio::test]
async fn a_conversation_that_closed_meanwhile_is_not_linked() {
    let exchange = Conversation::with([empty(), fault(412, STALE), row(8, 4, None, None)]);
    let error = exchange.link(account(1)).await.unwrap_err();
    assert_eq!((error.code(), error.details().maybe_applied), (Code::ConversationNotActive, false));
}

#[tokio::test]
async fn another_writers_link_is_never_cleared() {
    let exchange = Conversation::with([holding(7, account(1)), fault(412, STALE), holding(8, account(2))]);
    let error = exchange.unlink(account(1)).await.unwrap_err();
    assert_eq!(error.code(), Code::NotLinked);
    assert_eq!(error.details().current, Some(Some(CurrentRecord::from(account(2)))));
}

#[tokio::test]
async fn a_storm_of_conflicts_ends_in_conflict_with_growing_pauses() {
    let storm = (0..5).flat_map(|_| [empty(), fault(412, STALE)]);
    let exchange = Conversation::with(storm);
    let error = exchange.link(account(1)).await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable(), error.details().maybe_applied), (Code::Conflict, true, false));
    let pauses = exchange.clock.pauses();
    assert_eq!(pauses.len(), 4);
    for (attempt, pause) in pauses.iter().enumerate() {
        assert!(*pause <= Duration::from_millis(50 << attempt), "{pauses:?}");
    }
}

#[tokio::test]
async fn a_404_on_the_write_is_explained_by_asking_for_the_conversation() {
    let missing = fault(404, MISSING);
    let exchange = Conversation::with([empty(), missing.clone(), empty()]);
    assert_eq!(exchange.link(account(1)).await.unwrap_err().code(), Code::RecordNotFound);

    let exchange = Conversation::with([empty(), missing.clone(), missing.clone()]);
    assert_eq!(exchange.link(account(1)).await.unwrap_err().code(), Code::ConversationNotFound);

    // An unlink names no record: the conversation was gone and is back, so it is read and decided again.
    let back = holding(9, account(1));
    let exchange = Conversation::with([back.clone(), missing, back.clone(), back, row(10, ACTIVE, None, None)]);
    exchange.unlink(account(1)).await.unwrap();
    assert_eq!(exchange.verbs(), "GET PATCH GET GET PATCH");
}

#[tokio::test]
async fn a_404_that_is_not_dataverses_is_a_wrong_address() {
    for answer in [Answer::Is(404, "<html>".into()), fault(404, "0x8006088a"), Answer::Is(404, String::new())] {
        assert_eq!(Conversation::with([answer]).link(account(1)).await.unwrap_err().code(), Code::InvalidConfiguration);
    }
}

#[tokio::test]
async fn a_write_that_shows_nothing_is_read_back() {
    for shown in [Answer::Is(204, String::new()), Answer::Is(200, "{\"statuscode\":2}".into())] {
        let exchange = Conversation::with([empty(), shown, holding(8, account(1))]);
        assert_eq!(exchange.link(account(1)).await.unwrap().status, LinkStatus::Linked);
        assert_eq!(exchange.verbs(), "GET PATCH GET");
    }
}

#[tokio::test]
async fn a_value_that_differs_is_looked_at_once_more_and_never_written_again() {
    let late = Conversation::with([empty(), empty(), holding(8, account(1))]);
    assert_eq!(late.link(account(1)).await.unwrap().status, LinkStatus::Linked);

    let ignored = Conversation::with([empty(), Answer::Is(204, String::new()), empty(), holding(9, contact(3))]);
    let error = ignored.link(account(1)).await.unwrap_err();
    assert_eq!((error.code(), error.details().maybe_applied), (Code::VerificationFailed, true));
    assert_eq!(error.details().current, Some(Some(CurrentRecord::from(contact(3)))));
    assert_eq!(ignored.verbs(), "GET PATCH GET GET");
}

#[tokio::test]
async fn only_a_write_that_may_have_arrived_is_maybe_applied() {
    use HttpErrorKind::{Connect, ConnectTimeout, Interrupted, TooLarge};
    for (answer, code, on_write) in [
        (Answer::Fails(Connect), Code::Unavailable, false),
        (Answer::Fails(ConnectTimeout), Code::Unavailable, false),
        (Answer::Fails(Interrupted), Code::Unavailable, true),
        (Answer::Fails(TooLarge), Code::Protocol, true),
        (Answer::Is(502, "<html>Bad gateway</html>".into()), Code::Unavailable, true),
        (fault(503, ""), Code::Unavailable, true),
        (fault(403, "0x80040220"), Code::Forbidden, false),
        (fault(429, "0x80072322"), Code::Throttled, false),
        (fault(400, "0x80040265"), Code::Rejected, false),
        (Answer::Is(401, String::new()), Code::AuthenticationFailed, false),
    ] {
        let on_read = Conversation::with([answer.clone()]).link(account(1)).await.unwrap_err();
        assert_eq!((on_read.code(), on_read.details().maybe_applied), (code, false), "{on_read}");
        let written = Conversation::with([empty(), answer]).link(account(1)).await.unwrap_err();
        assert_eq!((written.code(), written.details().maybe_applied), (code, on_write), "{written}");
    }
}

#[tokio::test]
async fn a_deadline_during_the_write_says_maybe_applied() {
    async fn expire(answers: impl IntoIterator<Item = Answer>) -> LinkError {
        let exchange = Conversation::with(answers);
        let clock = exchange.clock.clone();
        let call = exchange.link(account(1));
        tokio::pin!(call);
        // As far as it goes: to the answer that never comes.
        for _ in 0..8 {
            assert!(futures_util::FutureExt::now_or_never(call.as_mut()).is_none());
        }
        clock.expire();
        call.await.unwrap_err()
    }
    let reading = expire([Answer::Hangs]).await;
    assert_eq!((reading.code(), reading.details().maybe_applied), (Code::Timeout, false));
    let writing = expire([empty(), Answer::Hangs]).await;
    assert_eq!((writing.code(), writing.details().maybe_applied), (Code::Timeout, true));
}

#[tokio::test]
async fn concurrency_switched_off_says_what_to_switch_on() {
    for answer in [fault(412, "0x80060883"), fault(400, "0x8006088d")] {
        let error = Conversation::with([empty(), answer]).link(account(1)).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfiguration);
        assert!(error.details().hint.as_deref().is_some_and(|hint| hint.contains("optimistic concurrency")));
    }
}
