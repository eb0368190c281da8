//! Writes whose response is lost or is not the server's, when another writer is about: what is said must be true within the call,
//! and what is not known is `maybeApplied`.

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

/// A client that has linked account 1 and remembers version 8, and what the server answers to its next call.
async fn warm(answers: impl IntoIterator<Item = Reply>) -> Script {
    let exchange = Script::new([empty(), holding(8, account(1))].into_iter().chain(answers));
    exchange.link_more(account(1)).await.unwrap();
    exchange
}

#[expect(clippy::option_option, reason = "nothing known is another thing than nothing held")]
fn told(error: &LinkError) -> (Code, bool, Option<Option<CurrentRecord>>) {
    (error.code(), error.details().maybe_applied, error.details().current.clone())
}

/// Responses that say nothing of the write: lost ones, and a page of something on the way.
fn unproven() -> impl Iterator<Item = Reply> {
    lost().into_iter().chain([reply(200, "<html>Welcome</html>"), reply(408, "")])
}

#[tokio::test]
async fn a_slot_as_wanted_is_no_work_of_a_lost_write_on_a_remembered_row() {
    for answer in unproven() {
        // Another writer linked account 2 before the call, or this call did: the row looks the same.
        let link = warm([answer.clone(), holding(9, account(2))]).await;
        let outcome = link.link(account(2)).await.unwrap();
        assert_eq!((outcome.status, outcome.previous), (LinkStatus::AlreadyLinked, None));
        assert_eq!(link.methods(), "GET PATCH PATCH GET");

        let unlink = warm([answer.clone(), row(9, ACTIVE, None, None)]).await;
        assert_eq!(told(&unlink.unlink(account(1)).await.unwrap_err()), (Code::NotLinked, true, Some(None)));

        let expected = LinkPolicy { expected: Some(Some(account(1))), ..LinkPolicy::default() };
        let conditional = warm([answer.clone(), holding(9, account(2))]).await;
        let error = conditional.link_if(account(2), expected).await.unwrap_err();
        assert_eq!(told(&error), (Code::Conflict, true, Some(Some(account(2).into()))));
        assert!(!error.message().contains("nothing was"), "{error}");

        let closed = warm([answer, row(9, CLOSED, Some(account(2)), None)]).await;
        let error = closed.link(account(2)).await.unwrap_err();
        assert_eq!(told(&error), (Code::ConversationNotActive, true, None));
    }
}

#[tokio::test]
async fn what_dataverse_confirms_proves_that_the_remembered_row_was_current() {
    let warm = warm([reply(204, ""), holding(9, account(2))]).await;
    let outcome = warm.link(account(2)).await.unwrap();
    assert_eq!((outcome.status, outcome.previous), (LinkStatus::Replaced, Some(account(1))));
}

#[tokio::test]
async fn a_remembered_row_that_the_look_finds_unchanged_counts_as_read() {
    for answer in lost() {
        let exchange = warm([answer.clone(), holding(8, account(1)), answer, holding(9, account(2))]).await;
        let outcome = exchange.link(account(2)).await.unwrap();
        assert_eq!((outcome.status, outcome.previous), (LinkStatus::Replaced, Some(account(1))));
        assert_eq!(exchange.methods(), "GET PATCH PATCH GET PATCH GET");
        assert_eq!(exchange.sent().matches("if-match: W/\"8\"").count(), 2);
    }
}

#[tokio::test]
async fn a_change_that_may_have_been_taken_back_stays_in_doubt() {
    for answer in lost() {
        // Stored, and then another writer empties the slot and closes the conversation.
        let closed = Script::new([empty(), answer.clone(), row(9, CLOSED, None, None)]);
        let error = closed.link(account(1)).await.unwrap_err();
        assert_eq!(told(&error), (Code::ConversationNotActive, true, None));
        assert!(error.details().hint.as_deref().is_some_and(|hint| hint.contains("lost")), "{error:?}");

        // The same, but a second write follows, and is refused.
        let refused = fault(403, "0x80040220");
        let exchange = Script::new([empty(), answer.clone(), row(9, ACTIVE, None, None), refused]);
        assert_eq!(told(&exchange.link(account(1)).await.unwrap_err()), (Code::Forbidden, true, None));

        // Or the second one finds no record any more, which the first may have found.
        let again = row(9, ACTIVE, None, None);
        let exchange = Script::new([empty(), answer.clone(), again.clone(), fault(404, MISSING), again]);
        let error = exchange.link(account(1)).await.unwrap_err();
        assert_eq!(told(&error), (Code::RecordNotFound, true, None));
        assert!(!error.message().contains("nothing was"), "{error}");

        // Or others write before it every time.
        let storm = (9..13).flat_map(|version| [row(version, ACTIVE, None, None), fault(412, STALE)]);
        let answers = [empty(), answer].into_iter().chain(storm).chain([row(13, ACTIVE, None, None)]);
        let error = Script::new(answers).link(account(1)).await.unwrap_err();
        assert_eq!(told(&error), (Code::Conflict, true, None));
        assert!(!error.message().contains("nothing was"), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_that_is_not_dataverses_leaves_the_write_in_doubt() {
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
    // A condition is checked by nothing but the server.
    let exchange = Script::new([empty(), reply(412, page), row(8, CLOSED, None, None)]);
    assert!(!exchange.link(account(1)).await.unwrap_err().details().maybe_applied);
}

#[tokio::test]
async fn a_slot_that_holds_something_else_is_a_conflict_in_doubt_whatever_the_call_rested_on() {
    for answer in lost() {
        let exchange = warm([answer, holding(9, contact(3))]).await;
        let error = exchange.link(account(2)).await.unwrap_err();
        assert_eq!(told(&error), (Code::Conflict, true, Some(Some(contact(3).into()))));
    }
}
