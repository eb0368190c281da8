//! Tests of the judge: a small valid history, each time with one thing changed.

use omnichannel_link::{
    domain::{LinkOutcome, LinkPolicy, LinkStatus, RecordReference, Slot},
    error::{Code, LinkError, StoreName},
};

use crate::{
    calls::{Call, End, Kind},
    dice::Dice,
    fates::Sent,
    judge::broken,
    rows::{Applied, Rows, Tick, Write, conversation_id},
    run::History,
    support::{account, contact},
};

type Change = (&'static str, fn(&mut History));

/// Call 0 replaces account 2, which another writer linked, by account 1. Call 1 finds account 1. Call 2 is rejected.
fn in_order() -> History {
    let mut dice = Dice::new(0);
    let mut history = History { rows: Rows::new(1, &mut dice), calls: Vec::new(), sent: Vec::new() };
    store(&mut history, None, account(2));
    begin(&mut history, account(1));
    store(&mut history, Some(0), account(1));
    end(&mut history, 0, linked(LinkStatus::Replaced, Some(account(2))));
    begin(&mut history, account(1));
    end(&mut history, 1, linked(LinkStatus::AlreadyLinked, None));
    begin(&mut history, contact(1));
    history.calls[2].kind =
        Kind::Link(contact(1), LinkPolicy { expected: Some(Some(account(2))), ..LinkPolicy::default() });
    end(&mut history, 2, refused(account(1), false));
    history
}

fn begin(history: &mut History, record: RecordReference) {
    let (kind, begin) = (Kind::Link(record, LinkPolicy::default()), history.rows.tick());
    history.calls.push(Call { client: 0, conversation: 0, kind, is_dry: false, begin, end: None });
}

fn end(history: &mut History, call: usize, end: End) {
    history.calls[call].end = Some((history.rows.tick(), end));
}

/// Stores a write of a call, or of another writer.
fn store(history: &mut History, call: Option<usize>, record: RecordReference) {
    let write = |call| {
        let (condition, slot) = (history.rows.etag(0), Slot::Customer);
        Write { conversation: 0, call, condition, slot, after: Some(record) }
    };
    let write = write(call.unwrap_or(usize::MAX));
    assert_eq!(history.rows.apply(&write, &mut Dice::new(1)), Applied::Yes);
    match call {
        Some(_) => history.sent.push(Sent { write, is_proven: true, tried: Some((history.rows.now, Applied::Yes)) }),
        None => history.rows.histories[0].last_mut().unwrap().by = crate::rows::By::AnotherWriter,
    }
}

fn linked(status: LinkStatus, previous: Option<RecordReference>) -> End {
    End::Linked(LinkOutcome {
        status,
        conversation_id: conversation_id(0),
        record: account(1),
        previous,
        current: None,
        store: StoreName::Dataverse,
        request_id: [0; 16].into(),
        dry_run: false,
    })
}

fn refused(current: RecordReference, maybe: bool) -> End {
    let error = LinkError::new(Code::Conflict, "").with(|details| {
        (details.current, details.retryable, details.maybe_applied) = (Some(Some(current.into())), Some(false), maybe);
    });
    End::Failed(error)
}

fn replace_end(history: &mut History, call: usize, end: End) {
    history.calls[call].end.as_mut().unwrap().1 = end;
}

#[test]
fn the_judge_reports_every_violation() {
    assert_eq!(broken(&in_order()), [""; 0]);
    let changes: [Change; 13] = [
        ("another record was replaced", |it| replace_end(it, 0, linked(LinkStatus::Replaced, Some(contact(1))))),
        ("the slot was empty", |it| replace_end(it, 0, linked(LinkStatus::Linked, None))),
        ("it was linked already, and yet written", |it| replace_end(it, 0, linked(LinkStatus::AlreadyLinked, None))),
        ("a change that was not made", |it| replace_end(it, 1, linked(LinkStatus::Replaced, Some(account(2))))),
        ("no doubt about a write", |it| replace_end(it, 0, refused(account(2), false))),
        ("a doubt without a write", |it| replace_end(it, 2, refused(account(1), true))),
        ("an error about the state before the call", |it| replace_end(it, 2, refused(account(2), false))),
        ("an outcome of another kind of call", |it| it.calls[1].kind = Kind::Unlink(account(1))),
        ("an outcome of another call", |it| it.calls[1].kind = Kind::Link(account(2), LinkPolicy::default())),
        ("a dry call that wrote", |it| it.calls[0].is_dry = true),
        ("a version without a write", |it| drop(it.sent.pop())),
        ("a version of two writes", |it| it.sent.push(it.sent[0].clone())),
        ("a write on another version", |it| "*".clone_into(&mut it.sent[0].write.condition)),
    ];
    for (what, change) in changes {
        let mut history = in_order();
        change(&mut history);
        assert_ne!(broken(&history), [""; 0], "{what}");
    }
}

#[test]
fn unknown_results_of_a_lost_write_are_not_violations() {
    let lost = |history: &mut History, tried: Option<(Tick, Applied)>| {
        let mut sent = history.sent[0].clone();
        (sent.write.call, sent.is_proven, sent.tried) = (1, false, tried);
        history.sent.push(sent);
    };
    // A lost write may have been applied and reverted, or never applied.
    let mut history = in_order();
    lost(&mut history, None);
    assert_eq!(broken(&history), [""; 0]);
    let lost_to_another = LinkError::new(Code::Conflict, "").with(|details| {
        (details.current, details.maybe_applied) = (Some(Some(account(1).into())), true);
    });
    replace_end(&mut history, 1, End::Failed(lost_to_another));
    assert_eq!(broken(&history), [""; 0]);
    // But every claim must have been true at some time during the call.
    replace_end(&mut history, 1, linked(LinkStatus::Replaced, Some(account(2))));
    assert_ne!(broken(&history), [""; 0]);
    replace_end(&mut history, 1, refused(account(1), false));
    assert_ne!(broken(&history), [""; 0]);
}
