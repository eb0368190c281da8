//! Whether the judge sees what is wrong: a small history that is in order, each time with one thing changed.

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
    support::{account, contact},
    world::History,
};

type Change = (&'static str, fn(&mut History));

/// Call 0 replaces account 2, which another writer had linked, by account 1; call 1 finds that; call 2 is refused.
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

/// A call's write, or another writer's.
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

fn retold(history: &mut History, call: usize, end: End) {
    history.calls[call].end.as_mut().unwrap().1 = end;
}

#[test]
fn the_judge_sees_each_thing_that_is_wrong() {
    assert_eq!(broken(&in_order()), [""; 0]);
    let changes: [Change; 13] = [
        ("another record was replaced", |it| retold(it, 0, linked(LinkStatus::Replaced, Some(contact(1))))),
        ("the slot was empty", |it| retold(it, 0, linked(LinkStatus::Linked, None))),
        ("it was linked already, and yet written", |it| retold(it, 0, linked(LinkStatus::AlreadyLinked, None))),
        ("a change that was not made", |it| retold(it, 1, linked(LinkStatus::Replaced, Some(account(2))))),
        ("no doubt about a write", |it| retold(it, 0, refused(account(2), false))),
        ("a doubt without a write", |it| retold(it, 2, refused(account(1), true))),
        ("a refusal for what was there before the call", |it| retold(it, 2, refused(account(2), false))),
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
fn what_a_lost_write_leaves_open_is_no_violation() {
    let lost = |history: &mut History, tried: Option<(Tick, Applied)>| {
        let mut sent = history.sent[0].clone();
        (sent.write.call, sent.is_proven, sent.tried) = (1, false, tried);
        history.sent.push(sent);
    };
    // Nothing tells whether a lost write was applied and taken back, or never applied.
    let mut history = in_order();
    lost(&mut history, None);
    assert_eq!(broken(&history), [""; 0]);
    let lost_to_another = LinkError::new(Code::Conflict, "").with(|details| {
        (details.current, details.maybe_applied) = (Some(Some(account(1).into())), true);
    });
    retold(&mut history, 1, End::Failed(lost_to_another));
    assert_eq!(broken(&history), [""; 0]);
    // But what is said must have been true while the call ran.
    retold(&mut history, 1, linked(LinkStatus::Replaced, Some(account(2))));
    assert_ne!(broken(&history), [""; 0]);
    retold(&mut history, 1, refused(account(1), false));
    assert_ne!(broken(&history), [""; 0]);
}
