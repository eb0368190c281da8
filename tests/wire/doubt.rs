//! Writes whose response is lost or does not come from the server, while another writer is active. The outcome must be true within the
//! call; if the result is unknown, the error is `maybeApplied`.

use omnichannel_link::{
    domain::{LinkPolicy, LinkStatus},
    error::{Code, CurrentRecord, LinkError},
};

use crate::{
    ACTIVE, MISSING, STALE, empty, fault, holding, lost, row,
    script::{Script, reply},
    support::{account, contact, http::Reply},
};

const CLOSED: i32 = 4;

/// A client that has linked account 1 and caches version 8, with the replies to its next call.
async fn warm(replies: impl IntoIterator<Item = Reply>) -> Script {
    let script = Script::new([empty(), holding(8, account(1))].into_iter().chain(replies));
    script.link_more(account(1)).await.unwrap();
    script
}

#[expect(clippy::option_option, reason = "unknown and empty are different")]
fn facts(error: &LinkError) -> (Code, bool, Option<Option<CurrentRecord>>) {
    (error.code(), error.details().maybe_applied, error.details().current.clone())
}

/// Responses that prove nothing: lost ones, and pages of a proxy.
fn unproven() -> impl Iterator<Item = Reply> {
    lost().into_iter().chain([reply(200, "<html>Welcome</html>"), reply(408, "")])
}

#[tokio::test]
async fn a_matching_slot_does_not_prove_a_lost_link_that_was_based_on_a_cached_row() {
    for response in unproven() {
        // Another writer linked account 2 before the call, or this call did: the row looks the same.
        let link = warm([response, holding(9, account(2))]).await;
        let outcome = link.link(account(2)).await.unwrap();
        assert_eq!((outcome.status, outcome.previous), (LinkStatus::AlreadyLinked, None));
        assert_eq!(link.methods(), "GET PATCH PATCH GET");
    }
}

#[tokio::test]
async fn an_empty_slot_does_not_prove_a_lost_unlink_that_was_based_on_a_cached_row() {
    for response in unproven() {
        let unlink = warm([response, row(9, ACTIVE, None, None)]).await;
        assert_eq!(facts(&unlink.unlink(account(1)).await.unwrap_err()), (Code::NotLinked, true, Some(None)));
    }
}

#[tokio::test]
async fn an_unexpected_record_after_a_lost_conditional_link_is_a_conflict_in_doubt() {
    for response in unproven() {
        let expected = LinkPolicy { expected: Some(Some(account(1))), ..LinkPolicy::default() };
        let conditional = warm([response, holding(9, account(2))]).await;
        let error = conditional.link_if(account(2), expected).await.unwrap_err();
        assert_eq!(facts(&error), (Code::Conflict, true, Some(Some(account(2).into()))));
        assert!(!error.message().contains("nothing was"), "{error}");
    }
}

#[tokio::test]
async fn a_conversation_that_is_closed_after_a_lost_link_is_an_error_in_doubt() {
    for response in unproven() {
        let closed = warm([response, row(9, CLOSED, Some(account(2)), None)]).await;
        let error = closed.link(account(2)).await.unwrap_err();
        assert_eq!(facts(&error), (Code::ConversationNotActive, true, None));
    }
}

#[tokio::test]
async fn a_success_of_dataverse_proves_that_the_cached_row_was_current() {
    let warm = warm([reply(204, ""), holding(9, account(2))]).await;
    let outcome = warm.link(account(2)).await.unwrap();
    assert_eq!((outcome.status, outcome.previous), (LinkStatus::Replaced, Some(account(1))));
}

#[tokio::test]
async fn a_cached_row_that_a_read_finds_unchanged_counts_as_fresh() {
    for response in lost() {
        let script = warm([response.clone(), holding(8, account(1)), response, holding(9, account(2))]).await;
        let outcome = script.link(account(2)).await.unwrap();
        assert_eq!((outcome.status, outcome.previous), (LinkStatus::Replaced, Some(account(1))));
        assert_eq!(script.methods(), "GET PATCH PATCH GET PATCH GET");
        assert_eq!(script.sent().matches("if-match: W/\"8\"").count(), 2);
    }
}

#[tokio::test]
async fn a_lost_write_stays_in_doubt_if_the_conversation_is_closed_afterwards() {
    for response in lost() {
        // It may have been applied before another writer emptied the slot.
        let closed = Script::new([empty(), response, row(9, CLOSED, None, None)]);
        let error = closed.link(account(1)).await.unwrap_err();
        assert_eq!(facts(&error), (Code::ConversationNotActive, true, None));
        assert!(error.details().hint.as_deref().is_some_and(|hint| hint.contains("lost")), "{error:?}");
    }
}

#[tokio::test]
async fn a_lost_write_stays_in_doubt_if_a_second_write_is_rejected() {
    for response in lost() {
        let refused = fault(403, "0x80040220");
        let script = Script::new([empty(), response, row(9, ACTIVE, None, None), refused]);
        assert_eq!(facts(&script.link(account(1)).await.unwrap_err()), (Code::Forbidden, true, None));
    }
}

#[tokio::test]
async fn a_lost_write_stays_in_doubt_if_a_second_write_does_not_find_the_record() {
    for response in lost() {
        // The first write may have found it.
        let again = row(9, ACTIVE, None, None);
        let script = Script::new([empty(), response, again.clone(), fault(404, MISSING), again]);
        let error = script.link(account(1)).await.unwrap_err();
        assert_eq!(facts(&error), (Code::RecordNotFound, true, None));
        assert!(!error.message().contains("nothing was"), "{error}");
    }
}

#[tokio::test]
async fn a_lost_write_stays_in_doubt_if_other_writers_are_faster_at_every_attempt() {
    for response in lost() {
        let storm = (9..13).flat_map(|version| [row(version, ACTIVE, None, None), fault(412, STALE)]);
        let replies = [empty(), response].into_iter().chain(storm).chain([row(13, ACTIVE, None, None)]);
        let error = Script::new(replies).link(account(1)).await.unwrap_err();
        assert_eq!(facts(&error), (Code::Conflict, true, None));
        assert!(!error.message().contains("nothing was"), "{error}");
    }
}

#[tokio::test]
async fn an_error_that_is_not_from_dataverse_leaves_the_write_in_doubt() {
    let page = "<html>Blocked by policy</html>";
    for (status, body, in_doubt) in [
        (302, "", true),
        (400, page, true),
        (403, page, true),
        (404, page, true),
        (413, "", true),
        (400, r#"{"error":{"code":"","message":"No HTTP resource was found."}}"#, false),
        (403, r#"{"error":{"code":"0x80040220","message":"No."}}"#, false),
        (401, page, false),
        (429, page, false),
    ] {
        let error = Script::new([empty(), reply(status, body)]).link(account(1)).await.unwrap_err();
        assert_eq!(error.details().maybe_applied, in_doubt, "{status} {body}");
    }
}

#[tokio::test]
async fn a_failed_condition_leaves_no_doubt_even_if_the_error_is_not_from_dataverse() {
    // Only the server itself checks a condition.
    let script = Script::new([empty(), reply(412, "<html>Blocked by policy</html>"), row(8, CLOSED, None, None)]);
    assert!(!script.link(account(1)).await.unwrap_err().details().maybe_applied);
}

#[tokio::test]
async fn another_record_in_the_slot_is_a_conflict_in_doubt_also_after_a_cached_row() {
    for response in lost() {
        let script = warm([response, holding(9, contact(3))]).await;
        let error = script.link(account(2)).await.unwrap_err();
        assert_eq!(facts(&error), (Code::Conflict, true, Some(Some(contact(3).into()))));
    }
}
