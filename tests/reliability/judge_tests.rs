//! Tests of the judge: each takes a valid observation and changes one thing in it.

use std::time::Duration;

use omnichannel_link::error::{Code, LinkError};

use crate::{
    cases,
    fixture::{other, previous},
    judge::broken,
    network::Ending,
    observe::{Call, End, Observation},
};

type Change = (&'static str, fn(&mut Observation));

/// Replaces the error.
fn error(seen: &mut Observation, change: impl FnOnce(LinkError) -> LinkError) {
    let end = std::mem::replace(&mut seen.end, End::Done("", None));
    let End::Failed(error) = end else { unreachable!("the call failed") };
    seen.end = End::Failed(change(error));
}

/// The same error with another code.
fn code(error: &LinkError, code: Code) -> LinkError {
    LinkError::new(code, "").with(|details| *details = error.details().clone())
}

async fn reports(fault: &str, hits: &str, call: Call, changes: &[Change]) {
    let all = cases::groups().into_iter().flat_map(|group| group.cases).collect::<Vec<_>>();
    let case = all.iter().find(|case| case.fault == fault && case.hits == hits).expect("a case of that name");
    for (what, change) in changes {
        let mut seen = Observation::of(case, call).await;
        assert_eq!(broken(case, &seen), [""; 0], "{fault}");
        change(&mut seen);
        assert_ne!(broken(case, &seen), [""; 0], "{fault}: {what}");
    }
}

#[tokio::test]
async fn a_false_success_is_reported() {
    let changes: [Change; 15] = [
        ("it was applied twice", |seen| seen.writes += 1),
        ("nothing was stored", |seen| seen.writes -= 1),
        ("the slot is empty", |seen| seen.after.customer = None),
        ("the slot holds something else", |seen| seen.after.customer = Some(other())),
        ("the other slot was emptied", |seen| seen.after.is_bystander_there = false),
        ("the conversation is gone", |seen| seen.after.status = None),
        ("the status of another outcome", |seen| seen.end = End::Done("alreadyLinked", None)),
        ("the status of another call", |seen| seen.end = End::Done("unlinked", None)),
        ("a record that was never there", |seen| seen.end = End::Done("replaced", Some(previous()))),
        ("a missing request", |seen| drop(seen.seen.exchanges.pop())),
        ("a write on any condition", |seen| {
            seen.log.iter_mut().for_each(|sent| sent.headers.retain(|(name, _)| name != "if-match"));
        }),
        ("a request of another call", |seen| seen.request_id = Some("0".into())),
        ("a request for something else", |seen| seen.log[0].path = "/elsewhere".into()),
        ("a write of something else", |seen| seen.log[1].body = "{}".into()),
        ("more than the call's time", |seen| seen.took = Duration::from_secs(31)),
    ];
    reports("Connection reset", "the write, stored", Call::Link, &changes).await;
    let unsaid: [Change; 1] = [("the replaced record is not reported", |seen| seen.end = End::Done("linked", None))];
    reports("Connection reset", "the write, stored", Call::Replace, &unsaid).await;
    let early: [Change; 1] = [("too early", |seen| seen.seen.exchanges[2].began = Duration::ZERO)];
    reports("429, `Retry-After: 7`", "the write", Call::Unlink, &early).await;
}

#[tokio::test]
async fn a_false_error_is_reported() {
    let changes: [Change; 6] = [
        ("maybeApplied is missing", |seen| {
            error(seen, |error| error.with(|details| details.maybe_applied = false));
        }),
        ("it is not retryable", |seen| {
            error(seen, |error| error.with(|details| details.retryable = Some(false)));
        }),
        ("the server's id is missing", |seen| {
            error(seen, |error| error.with(|details| details.service_request_id = None));
        }),
        ("the call's id is missing", |seen| error(seen, |error| error.with(|details| details.request_id = None))),
        ("it shows a secret", |seen| {
            let secret = seen.secrets[0].clone();
            error(seen, |error| error.hint(secret));
        }),
        ("current is not in the slot", |seen| {
            error(seen, |error| error.with(|details| details.current = Some(Some(other().into()))));
        }),
    ];
    reports("Connection reset", "the write, stored, and every read after it", Call::Unlink, &changes).await;
    let doubts: [Change; 5] = [
        ("the conversation is there", |seen| error(seen, |error| code(&error, Code::ConversationNotFound))),
        ("nothing was throttled", |seen| error(seen, |error| code(&error, Code::Throttled))),
        ("nothing timed out", |seen| error(seen, |error| code(&error, Code::Timeout))),
        ("no write was in doubt", |seen| error(seen, |error| error.with(|details| details.maybe_applied = true))),
        ("nothing was lost", |seen| seen.seen.exchanges.iter_mut().for_each(|sent| sent.ending = Ending::Unsent)),
    ];
    reports("Connection reset", "every read", Call::Link, &doubts).await;
}

#[tokio::test]
async fn a_lost_change_of_another_writer_is_reported() {
    let gone: [Change; 2] = [
        ("its link was cleared", |seen| seen.after.customer = None),
        ("its write was not stored", |seen| seen.writes = 0),
    ];
    reports("Another record is linked", "between read and write", Call::Unlink, &gone).await;
    let unseen: [Change; 1] = [("replaced unseen", |seen| seen.end = End::Done("linked", None))];
    reports("Another record is linked", "between read and write", Call::Link, &unseen).await;
    let back: [Change; 1] = [("another column was set back", |seen| seen.after.subject = None)];
    reports("Another column is changed", "between read and write", Call::Link, &back).await;
    let closed: [Change; 2] = [
        ("opened again", |seen| seen.after.status = Some(2)),
        ("linked although closed", |seen| {
            (seen.end, seen.after.customer, seen.writes) =
                (End::Done("linked", None), Some(crate::fixture::record()), 2);
            drop(seen.seen.exchanges.pop());
            drop(seen.log.pop());
        }),
    ];
    reports("The conversation is closed", "between read and write", Call::Link, &closed).await;
}
