//! Requests of the Dataverse store, byte for byte, and its reaction to each response.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../support/mod.rs"]
mod support;

mod doubt;
mod pages;
mod script;
mod tolerance;
mod unsent;
mod versions;

use std::time::Duration;

use http::Method;
use omnichannel_link::{
    dataverse::Concurrency,
    domain::{CallOptions, LinkPolicy, LinkStatus, RecordReference},
    error::{Code, CurrentRecord, LinkError},
    http::HttpErrorKind,
};
use script::{Script, client, fault, reply, row};
use support::{
    CONVERSATION, account, contact, conversation,
    http::{Reply, ScriptedHttp},
    incident,
};

const ACTIVE: i32 = 2;
const STALE: &str = "0x80060882";
const MISSING: &str = "0x80040217";

/// An active conversation at version 7, with nothing linked.
fn empty() -> Reply {
    row(7, ACTIVE, None, None)
}

/// The same at a later version, with this record linked.
fn holding(version: u32, record: RecordReference) -> Reply {
    match record.entity.slot() {
        omnichannel_link::domain::Slot::Customer => row(version, ACTIVE, Some(record), None),
        omnichannel_link::domain::Slot::Case => row(version, ACTIVE, None, Some(record)),
    }
}

#[tokio::test]
async fn every_request_is_what_the_web_api_documents() {
    for (name, record) in [("account", account(1)), ("contact", contact(1)), ("incident", incident(1))] {
        let link = Script::new([empty(), holding(8, record)]);
        assert_eq!(link.link(record).await.unwrap().status, LinkStatus::Linked);
        insta::assert_snapshot!(format!("link_{name}"), link.sent());
        let unlink = Script::new([holding(8, record), row(9, ACTIVE, None, None)]);
        unlink.unlink(record).await.unwrap();
        insta::assert_snapshot!(format!("unlink_{name}"), unlink.sent());
    }
}

#[tokio::test]
async fn an_impersonating_call_names_the_user_and_uses_no_cached_row_of_another() {
    let script = Script::new([empty(), holding(8, account(1)), row(8, ACTIVE, None, None), holding(9, account(2))]);
    script.link_as("CA11E400-0000-4000-8000-00000000000A", account(1)).await.unwrap();
    insta::assert_snapshot!("link_on_behalf", script.sent());
    script.link_as("ca11e400-0000-4000-8000-00000000000b", account(2)).await.unwrap();
    assert_eq!(script.methods(), "GET PATCH GET PATCH");
}

#[tokio::test]
async fn a_stale_row_is_read_again_and_decided_again() {
    let script = Script::new([empty(), fault(412, STALE), holding(8, account(2)), holding(9, account(1))]);
    let outcome = script.link(account(1)).await.unwrap();
    assert_eq!((outcome.status, outcome.previous), (LinkStatus::Replaced, Some(account(2))));
    assert_eq!(script.methods(), "GET PATCH GET PATCH");
}

#[tokio::test]
async fn a_conversation_that_closed_meanwhile_is_not_linked() {
    let script = Script::new([empty(), fault(412, STALE), row(8, 4, None, None)]);
    let error = script.link(account(1)).await.unwrap_err();
    assert_eq!((error.code(), error.details().maybe_applied), (Code::ConversationNotActive, false));
}

#[tokio::test]
async fn another_writers_link_is_never_cleared() {
    let script = Script::new([holding(7, account(1)), fault(412, STALE), holding(8, account(2))]);
    let error = script.unlink(account(1)).await.unwrap_err();
    assert_eq!(error.code(), Code::NotLinked);
    assert_eq!(error.details().current, Some(Some(CurrentRecord::from(account(2)))));
}

#[tokio::test]
async fn repeated_conflicts_end_in_conflict_after_growing_pauses() {
    let storm = (0..5).flat_map(|_| [empty(), fault(412, STALE)]);
    let script = Script::new(storm.chain([empty()]));
    let error = script.link(account(1)).await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable(), error.details().maybe_applied), (Code::Conflict, true, false));
    let pauses = script.clock.pauses();
    assert_eq!(pauses.len(), 4);
    for (attempt, pause) in pauses.iter().enumerate() {
        assert!(*pause <= Duration::from_millis(50 << attempt), "{pauses:?}");
    }
}

#[tokio::test]
async fn after_a_404_of_a_link_the_conversation_is_read_to_find_which_one_is_missing() {
    let missing = fault(404, MISSING);
    let script = Script::new([empty(), missing.clone(), empty()]);
    assert_eq!(script.link(account(1)).await.unwrap_err().code(), Code::RecordNotFound);

    let script = Script::new([empty(), missing.clone(), missing]);
    assert_eq!(script.link(account(1)).await.unwrap_err().code(), Code::ConversationNotFound);
}

#[tokio::test]
async fn an_unlink_with_a_404_is_decided_again_if_the_conversation_exists() {
    // An unlink names no record, so the conversation was missing and exists again: it is read and decided again.
    let back = holding(9, account(1));
    let script = Script::new([back.clone(), fault(404, MISSING), back.clone(), back, row(10, ACTIVE, None, None)]);
    script.unlink(account(1)).await.unwrap();
    assert_eq!(script.methods(), "GET PATCH GET GET PATCH");
}

#[tokio::test]
async fn a_404_that_is_not_from_dataverse_is_an_invalid_configuration() {
    for response in [reply(404, "<html>"), fault(404, "0x8006088a"), reply(404, "")] {
        assert_eq!(Script::new([response]).link(account(1)).await.unwrap_err().code(), Code::InvalidConfiguration);
    }
}

#[tokio::test]
async fn a_write_without_a_representation_is_read_back() {
    for shown in [reply(204, ""), reply(200, "{\"statuscode\":2}")] {
        let script = Script::new([empty(), shown, holding(8, account(1))]);
        assert_eq!(script.link(account(1)).await.unwrap().status, LinkStatus::Linked);
        assert_eq!(script.methods(), "GET PATCH GET");
    }
}

#[tokio::test]
async fn a_different_value_after_a_write_may_be_late_and_is_read_once_more() {
    let late = Script::new([empty(), empty(), holding(8, account(1))]);
    assert_eq!(late.link(account(1)).await.unwrap().status, LinkStatus::Linked);
}

#[tokio::test]
async fn a_write_without_an_effect_fails_and_is_not_repeated() {
    let ignored = Script::new([empty(), reply(204, ""), empty(), holding(9, contact(3))]);
    let error = ignored.link(account(1)).await.unwrap_err();
    assert_eq!((error.code(), error.details().maybe_applied), (Code::VerificationFailed, true));
    assert_eq!(error.details().current, Some(Some(CurrentRecord::from(contact(3)))));
    assert_eq!(ignored.methods(), "GET PATCH GET GET");
}

#[tokio::test]
async fn only_a_write_that_may_have_arrived_is_maybe_applied() {
    use HttpErrorKind::{Connect, ConnectTimeout, Interrupted, TooLarge};
    for (response, code, in_doubt) in [
        (Reply::Fails(Connect), Code::Unavailable, false),
        (Reply::Fails(ConnectTimeout), Code::Unavailable, false),
        (Reply::Fails(Interrupted), Code::Unavailable, true),
        (Reply::Fails(TooLarge), Code::Protocol, true),
        (reply(502, "<html>Bad gateway</html>"), Code::Unavailable, true),
        (fault(503, ""), Code::Unavailable, true),
        (fault(403, "0x80040220"), Code::Forbidden, false),
        (fault(429, "0x80072322"), Code::Throttled, false),
        (fault(400, "0x80040265"), Code::Rejected, false),
        (reply(401, ""), Code::AuthenticationFailed, false),
    ] {
        let on_read = Script::new([response.clone()]).link(account(1)).await.unwrap_err();
        assert_eq!((on_read.code(), on_read.details().maybe_applied), (code, false), "{on_read}");
        // If the write is in doubt, the row is read, and that fails here too.
        let read = in_doubt.then_some(Reply::Fails(Connect));
        let written = Script::new([empty(), response].into_iter().chain(read)).link(account(1)).await.unwrap_err();
        assert_eq!((written.code(), written.details().maybe_applied), (code, in_doubt), "{written}");
    }
}

/// Failures after which the result of a write is unknown.
fn lost() -> [Reply; 3] {
    [Reply::Fails(HttpErrorKind::Interrupted), fault(503, ""), reply(504, "<html>")]
}

#[tokio::test]
async fn a_write_with_a_lost_response_is_found_applied() {
    for response in lost() {
        let link = Script::new([holding(7, account(2)), response.clone(), holding(8, account(1))]);
        let outcome = link.link(account(1)).await.unwrap();
        assert_eq!(
            (outcome.status, outcome.previous),
            (LinkStatus::Replaced, Some(account(2))),
            "the original outcome"
        );
        assert_eq!(link.methods(), "GET PATCH GET");
        let unlink = Script::new([holding(7, account(1)), response, row(9, ACTIVE, None, None)]);
        unlink.unlink(account(1)).await.unwrap();
        assert_eq!(unlink.methods(), "GET PATCH GET");
    }
}

#[tokio::test]
async fn a_write_that_did_not_arrive_is_sent_again_with_the_same_condition() {
    for response in lost() {
        let script = Script::new([empty(), response, empty(), holding(8, account(1))]);
        assert_eq!(script.link(account(1)).await.unwrap().status, LinkStatus::Linked);
        assert_eq!(script.methods(), "GET PATCH GET PATCH");
        assert_eq!(script.sent().matches("if-match: W/\"7\"").count(), 2);
    }
}

#[tokio::test]
async fn a_write_that_arrived_late_makes_the_second_one_stale_and_counts_as_applied() {
    let lost = Reply::Fails(HttpErrorKind::Interrupted);
    let script = Script::new([empty(), lost, empty(), fault(412, STALE), holding(8, account(1))]);
    assert_eq!(script.link(account(1)).await.unwrap().status, LinkStatus::Linked);
    assert_eq!(script.methods(), "GET PATCH GET PATCH GET");
}

#[tokio::test]
async fn a_lost_write_on_a_changed_row_is_decided_again() {
    let lost = Reply::Fails(HttpErrorKind::Interrupted);
    let script = Script::new([empty(), lost, row(8, ACTIVE, None, None), holding(9, account(1))]);
    assert_eq!(script.link(account(1)).await.unwrap().status, LinkStatus::Linked);
    assert_eq!(script.methods(), "GET PATCH GET PATCH");
}

#[tokio::test]
async fn a_lost_write_on_a_closed_row_is_in_doubt() {
    let lost = Reply::Fails(HttpErrorKind::Interrupted);
    let closed = Script::new([empty(), lost, row(8, 4, None, None)]);
    let error = closed.link(account(1)).await.unwrap_err();
    assert_eq!((error.code(), error.details().maybe_applied), (Code::ConversationNotActive, true));
}

#[tokio::test]
async fn another_record_in_the_slot_after_a_lost_write_is_a_conflict_in_doubt() {
    for response in lost() {
        let script = Script::new([empty(), response, holding(9, contact(3))]);
        let error = script.link(account(1)).await.unwrap_err();
        assert_eq!((error.code(), error.details().maybe_applied), (Code::Conflict, true));
        assert_eq!(error.details().current, Some(Some(CurrentRecord::from(contact(3)))));
        assert_eq!(script.methods(), "GET PATCH GET");
    }
}

#[tokio::test]
async fn a_deleted_conversation_after_a_lost_write_is_not_found_and_in_doubt() {
    for response in lost() {
        let script = Script::new([empty(), response, fault(404, MISSING)]);
        let error = script.link(account(1)).await.unwrap_err();
        assert_eq!((error.code(), error.details().maybe_applied), (Code::ConversationNotFound, true));
    }
}

#[tokio::test]
async fn a_rejected_second_write_leaves_the_first_in_doubt() {
    let lost = Reply::Fails(HttpErrorKind::Interrupted);
    for refusal in [fault(403, "0x80040220"), Reply::Fails(HttpErrorKind::Connect)] {
        let script = Script::new([empty(), lost.clone(), empty(), refusal]);
        assert!(script.link(account(1)).await.unwrap_err().details().maybe_applied);
    }
}

#[tokio::test]
async fn a_write_is_repeated_a_limited_number_of_times() {
    let outage = (0..5).flat_map(|_| [empty(), fault(503, "")]).chain([empty()]);
    let script = Script::new(outage);
    let error = script.link(account(1)).await.unwrap_err();
    assert_eq!((error.code(), error.details().maybe_applied), (Code::Unavailable, true));
}

#[tokio::test]
async fn an_outage_of_writes_does_not_multiply_them() {
    let server = ScriptedHttp::new(|_, request| match request.method {
        Method::PATCH => Reply::Fails(HttpErrorKind::Interrupted),
        _ => empty(),
    });
    let (_, service) = client(Concurrency::CompareAndSwap, server.clone());
    for _ in 0..500 {
        let call =
            service.link(account(1), Some(conversation(CONVERSATION)), LinkPolicy::default(), CallOptions::default());
        assert!(call.await.unwrap_err().details().maybe_applied);
    }
    // The retry budget and what the reads add to it. Without a budget there would be five times as many.
    let writes = server.requests().iter().filter(|request| request.method == Method::PATCH).count();
    assert!((520..700).contains(&writes), "{writes}");
}

#[tokio::test]
async fn a_write_without_a_response_is_cancelled_early_enough_to_read_the_row() {
    // Three quarters of the thirty seconds have passed, then all of them.
    fn wait(replies: impl IntoIterator<Item = Reply>) -> Result<LinkStatus, LinkError> {
        let script = Script::new(replies);
        let clock = script.clock.clone();
        let call = script.link(account(1));
        tokio::pin!(call);
        for time in [Duration::ZERO, Duration::from_secs(25), Duration::from_secs(5)] {
            clock.advance(time);
            for _ in 0..8 {
                if let Some(outcome) = futures_util::FutureExt::now_or_never(call.as_mut()) {
                    assert!(time > Duration::ZERO, "too early");
                    return outcome.map(|outcome| outcome.status);
                }
            }
        }
        unreachable!("every deadline has passed")
    }
    let reading = wait([Reply::Hangs]).unwrap_err();
    assert_eq!((reading.code(), reading.details().maybe_applied), (Code::Timeout, false));
    let found = wait([empty(), Reply::Hangs, holding(8, account(1))]);
    assert_eq!(found.unwrap(), LinkStatus::Linked);
    let in_doubt = wait([empty(), Reply::Hangs, Reply::Hangs]).unwrap_err();
    assert_eq!((in_doubt.code(), in_doubt.details().maybe_applied), (Code::Timeout, true));
}

#[tokio::test]
async fn a_link_with_a_cached_row_is_one_round_trip() {
    let script = Script::new([empty(), holding(8, account(1)), holding(9, account(2)), row(10, ACTIVE, None, None)]);
    script.link_more(account(1)).await.unwrap();
    assert_eq!(script.link_more(account(2)).await.unwrap().previous, Some(account(1)));
    script.unlink(account(2)).await.unwrap();
    assert_eq!(script.methods(), "GET PATCH PATCH PATCH");
    assert!(script.sent().contains("if-match: W/\"9\""));
}

#[tokio::test]
async fn a_decision_that_writes_nothing_is_never_based_on_a_cached_row() {
    let taken = holding(9, account(2));
    let script =
        Script::new([empty(), holding(8, account(1)), taken.clone(), holding(10, account(1)), row(11, 4, None, None)]);
    script.link_more(account(1)).await.unwrap();
    // Cached as linked, but replaced by another writer in the meantime.
    assert_eq!(script.link_more(account(1)).await.unwrap().status, LinkStatus::Replaced);
    // Cached as linked, but unlinked and closed in the meantime.
    assert_eq!(script.unlink(account(3)).await.unwrap_err().details().current, Some(None));
    assert_eq!(script.methods(), "GET PATCH GET PATCH GET");
}

#[tokio::test]
async fn a_stale_cached_row_costs_no_pause() {
    let script = Script::new([
        empty(),
        holding(8, account(1)),
        fault(412, STALE),
        holding(9, contact(2)),
        holding(10, account(3)),
    ]);
    script.link_more(account(1)).await.unwrap();
    assert_eq!(script.link(account(3)).await.unwrap().previous, Some(contact(2)));
    assert_eq!(script.methods(), "GET PATCH PATCH GET PATCH");
    assert!(script.clock.pauses().is_empty());
}

#[tokio::test]
async fn a_failed_call_drops_the_cached_row() {
    let failures = [
        (fault(403, "0x80040220"), vec![]),
        (fault(404, MISSING), vec![empty()]),
        (Reply::Fails(HttpErrorKind::Interrupted), vec![Reply::Fails(HttpErrorKind::Connect)]),
    ];
    for (failure, reads) in failures {
        let replies = [empty(), holding(8, account(1)), failure].into_iter().chain(reads);
        let script = Script::new(replies.chain([holding(9, account(1)), holding(10, account(3))]));
        script.link_more(account(1)).await.unwrap();
        script.link_more(account(2)).await.unwrap_err();
        script.link(account(3)).await.unwrap();
        assert!(script.methods().ends_with("GET PATCH"), "{}", script.methods());
    }
}

#[tokio::test]
async fn read_check_write_always_reads_and_requires_only_that_the_row_exists() {
    let script = [empty(), holding(8, account(1)), holding(9, contact(2)), row(10, ACTIVE, None, None)];
    let script = Script::with_concurrency(Concurrency::ReadCheckWrite, script);
    script.link_more(account(1)).await.unwrap();
    script.unlink(contact(2)).await.unwrap();
    assert_eq!(script.methods(), "GET PATCH GET PATCH");
    assert_eq!(script.sent().matches("if-match: *").count(), 2, "never without a condition");
    // An unlink still depends on the record that it names, according to the read.
    let other = Script::with_concurrency(Concurrency::ReadCheckWrite, [holding(9, contact(2))]);
    assert_eq!(other.unlink(contact(3)).await.unwrap_err().code(), Code::NotLinked);
}

#[tokio::test]
async fn the_error_of_a_table_without_versions_states_what_to_turn_on() {
    for response in [fault(412, "0x80060883"), fault(400, "0x8006088d")] {
        let error = Script::new([empty(), response]).link(account(1)).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfiguration);
        assert!(error.details().hint.as_deref().is_some_and(|hint| hint.contains("optimistic concurrency")));
    }
}
