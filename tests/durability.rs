//! A call resolves when its transaction is on the disk and not before, and calls that wait together share one sync.

#[path = "support/embedded.rs"]
#[allow(dead_code, reason = "shared by several suites")]
mod embedded;
#[path = "support/vfs.rs"]
#[allow(dead_code, reason = "shared by several suites")]
mod vfs;

use std::{pin::Pin, process::Command, sync::Arc};

use futures_util::FutureExt;
use omnichannel_link::{
    domain::{Call, CallOptions, Decide, Decision, LinkPolicy, LinkStatus, LinkStore, RecordReference, StoreFuture},
    embedded::EmbeddedStore,
    error::Code,
};
use rusqlite::Connection;

use self::{
    embedded::{
        CLOSED, MISSING, Office, Pending, SEEDED, UNLINKED, account, active, conversation, incident, only, settled,
    },
    vfs::Step,
};

fn is_pending<T>(call: &mut Pin<Box<dyn Future<Output = T> + Send>>) -> bool {
    call.now_or_never().is_none()
}

/// Every kind of call, as one type of outcome: `Ok(true)` if something was written.
fn every_kind(office: &Office) -> Vec<(Pending<bool>, Result<bool, Code>)> {
    let link = |number, record| -> Pending<bool> {
        Box::pin(office.link(number, record).map(|done| Ok(done?.status != LinkStatus::AlreadyLinked)))
    };
    let unlink =
        |number, record| -> Pending<bool> { Box::pin(office.unlink(number, record).map(|done| done.map(|_| true))) };
    vec![
        (link(2, account(2)), Ok(true)),
        (link(CLOSED, account(2)), Err(Code::ConversationNotActive)),
        (link(3, incident(3)), Ok(true)),
        (link(4, account(MISSING)), Err(Code::RecordNotFound)),
        (link(MISSING, account(1)), Err(Code::ConversationNotFound)),
        (unlink(5, account(5)), Err(Code::NotLinked)),
        (link(SEEDED, account(SEEDED)), Ok(false)),
        (link(3, account(3)), Ok(true)),
        (unlink(2, account(2)), Ok(true)),
    ]
}

#[tokio::test]
async fn calls_that_wait_together_share_one_sync_and_none_resolves_before_it() {
    let office = Office::seeded().await;
    let queue = office.hold_the_writer().await;
    let (mut batch, expected): (Vec<_>, Vec<_>) = every_kind(&office).into_iter().unzip();
    let gate = queue.moves_on().await;
    let held = gate.entered();
    let syncs = office.disk.total(Step::LogSync);
    for (call, expected) in batch.iter_mut().zip(&expected) {
        assert!(is_pending(call), "resolved before the sync: {expected:?}");
    }
    for number in 2..=3 {
        assert_eq!(office.slots(number), Some(UNLINKED), "others see what is not on the disk");
    }
    drop(held);

    let outcomes: Vec<_> =
        settled(batch).await.into_iter().map(|outcome| outcome.map_err(|error| error.code())).collect();
    assert_eq!(outcomes, expected);
    assert_eq!(office.disk.total(Step::LogSync), syncs, "one sync, the one that was held, is enough for the batch");
    assert_eq!(office.slots(2), Some(UNLINKED));
    assert_eq!(office.slots(3), Some((Some(account(3).to_string()), Some(incident(3).to_string()))));
}

#[tokio::test]
async fn one_link_takes_one_sync_and_a_call_that_writes_nothing_takes_none() {
    let office = Office::seeded().await;
    let before = office.disk.total(Step::LogSync);
    assert_eq!(office.linked(1, account(1)).await, LinkStatus::Linked);
    assert_eq!(office.disk.total(Step::LogSync), before + 1);
    assert_eq!(office.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
    assert_eq!(office.link(CLOSED, account(1)).await.unwrap_err().code(), Code::ConversationNotActive);
    assert_eq!(office.disk.total(Step::LogSync), before + 1);
}

#[test]
fn the_instrument_sees_a_sync_exactly_where_sqlite_makes_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raw.db");
    let disk = vfs::watch(&path);
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE t (n)").unwrap();
    for (synchronous, syncs) in [("off", 0), ("normal", 0), ("full", 1), ("off", 0)] {
        let (before, writes) = (disk.total(Step::LogSync), disk.total(Step::LogWrite));
        connection.execute_batch(&format!("PRAGMA synchronous = {synchronous}; INSERT INTO t VALUES (1)")).unwrap();
        assert_eq!(disk.total(Step::LogSync) - before, syncs, "{synchronous}");
        assert!(disk.total(Step::LogWrite) > writes);
    }
}

#[tokio::test]
async fn whoever_opens_the_file_next_sees_what_was_confirmed() {
    let office = Office::seeded().await;
    let links = (1..=SEEDED).map(|number| office.link(number, incident(number))).collect();
    assert!(settled(links).await.iter().all(Result::is_ok));
    for number in 1..=SEEDED {
        assert_eq!(office.slots(number), Some(only(incident(number))));
    }
    let office = office.reopened().await;
    assert_eq!(office.linked(SEEDED, incident(SEEDED)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn calls_given_up_before_their_turn_write_nothing() {
    let office = Office::seeded().await;
    let queue = office.hold_the_writer().await;
    let (abandoned, call) = update(&office.store, 2, account(2));
    let kept = office.link(3, account(3));
    let imported = office.import(active([MISSING], "New"));
    drop((abandoned, imported));
    drop(queue.moves_on().await);
    assert!(kept.await.is_ok());
    // The queue is done when a call behind the import is.
    office.linked(4, account(4)).await;
    assert!(!call.progress().maybe_applied());
    assert_eq!(office.slots(2), Some(UNLINKED));
    assert_eq!(office.slots(3), Some(only(account(3))));
    assert_eq!(office.slots(MISSING), None);
}

#[tokio::test]
async fn a_call_given_up_during_its_commit_knows_that_it_may_have_been_applied() {
    let office = Office::seeded().await;
    let gate = office.disk.hold(Step::LogSync);
    let (abandoned, call) = update(&office.store, 1, account(1));
    let held = gate.entered();
    drop(abandoned);
    assert!(call.progress().maybe_applied());
    drop((held, gate));
    assert_eq!(office.linked(2, account(2)).await, LinkStatus::Linked);
    assert_eq!(office.slots(1), Some(only(account(1))));
}

#[tokio::test]
async fn calls_on_one_conversation_take_effect_in_call_order_however_they_are_polled() {
    let office = Office::seeded().await;
    let queue = office.hold_the_writer().await;
    let mut calls: Vec<_> = (1..=SEEDED).map(|number| office.link(1, account(number))).collect();
    drop(queue.moves_on().await);
    for number in (1..=SEEDED).rev() {
        let outcome = calls.pop().unwrap().await.unwrap();
        assert_eq!(outcome.record, account(number));
        assert_eq!(outcome.previous, (number > 1).then(|| account(number - 1)));
    }
    assert_eq!(office.slots(1), Some(only(account(SEEDED))));
}

const CHILD: &str = "OMNICHANNEL_LINK_TEST_CHILD";

#[tokio::test]
#[ignore = "run as a child process by the test below"]
async fn child_that_links_and_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let office = Office::at(path.as_ref());
    assert_eq!(office.linked(1, account(1)).await, LinkStatus::Linked);
    std::process::abort();
}

#[tokio::test]
async fn what_a_killed_process_left_in_its_log_is_there_again() {
    let office = Office::seeded().await.reopened().await;
    let database = std::fs::read(&office.path).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_that_links_and_is_killed"])
        .env(CHILD, &office.path)
        .output()
        .unwrap();
    assert!(!child.status.success());
    assert!(std::fs::metadata(office.log()).unwrap().len() > 0);
    assert_eq!(std::fs::read(&office.path).unwrap(), database, "the link is in the log alone");
    assert_eq!(office.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
    assert_eq!(office.slots(1), Some(only(account(1))));
}

/// A link as the port sees it, with the call that it was made with.
fn update(store: &EmbeddedStore, number: u16, record: RecordReference) -> (StoreFuture<Decision>, Arc<Call>) {
    let call = Arc::new(Call::new([0; 16].into(), None, CallOptions::default()));
    let decide = Decide::Link(record, LinkPolicy::default());
    (store.update(conversation(number), decide, Arc::clone(&call)), call)
}
