//! A call resolves only once its transaction is on the disk, and calls that wait together share one sync.

#[path = "support/embedded.rs"]
mod embedded;

use std::{pin::Pin, process::Command, sync::Arc, time::Duration};

use futures_util::FutureExt;
use omnichannel_link::{
    clock::SystemClock,
    domain::{Call, CallOptions, Decide, Decision, LinkPolicy, LinkStatus, LinkStore, RecordReference, StoreFuture},
    embedded::EmbeddedStore,
    error::Code,
};
use rusqlite::Connection;

use self::embedded::{
    CLOSED, DatabaseFixture, MISSING, Pending, SEEDED, UNLINKED, account, active, beside, conversation, incident, only,
    settled, vfs::Step,
};

fn is_pending<T>(call: &mut Pin<Box<dyn Future<Output = T> + Send>>) -> bool {
    call.now_or_never().is_none()
}

/// Calls of every kind with their expected outcome: `Ok(true)` if something was written.
fn every_kind(db: &DatabaseFixture) -> Vec<(Pending<bool>, Result<bool, Code>)> {
    let link = |number, record| -> Pending<bool> {
        Box::pin(db.link(number, record).map(|done| Ok(done?.status != LinkStatus::AlreadyLinked)))
    };
    let unlink =
        |number, record| -> Pending<bool> { Box::pin(db.unlink(number, record).map(|done| done.map(|_| true))) };
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
    let db = DatabaseFixture::seeded().await;
    let queue = db.hold_writer().await;
    let (mut batch, expected): (Vec<_>, Vec<_>) = every_kind(&db).into_iter().unzip();
    let gate = queue.finish_first().await;
    let held = gate.entered();
    let syncs = db.disk.total(Step::WalSync);
    for (call, expected) in batch.iter_mut().zip(&expected) {
        assert!(is_pending(call), "resolved before the sync: {expected:?}");
    }
    for number in 2..=3 {
        assert_eq!(db.slots(number), Some(UNLINKED), "other connections see a link that is not on the disk");
    }
    drop(held);

    let outcomes: Vec<_> =
        settled(batch).await.into_iter().map(|outcome| outcome.map_err(|error| error.code())).collect();
    assert_eq!(outcomes, expected);
    assert_eq!(db.disk.total(Step::WalSync), syncs, "the held sync is the only one of the batch");
    assert_eq!(db.slots(2), Some(UNLINKED));
    assert_eq!(db.slots(3), Some((Some(account(3).to_string()), Some(incident(3).to_string()))));
}

#[tokio::test]
async fn one_link_takes_one_sync_and_a_call_that_writes_nothing_takes_none() {
    let db = DatabaseFixture::seeded().await;
    let before = db.disk.total(Step::WalSync);
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::Linked);
    assert_eq!(db.disk.total(Step::WalSync), before + 1);
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
    assert_eq!(db.link(CLOSED, account(1)).await.unwrap_err().code(), Code::ConversationNotActive);
    assert_eq!(db.disk.total(Step::WalSync), before + 1);
}

#[test]
fn the_test_vfs_counts_every_sync() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raw.db");
    let disk = embedded::vfs::watch(&path);
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE t (n)").unwrap();
    for (synchronous, syncs) in [("off", 0), ("normal", 0), ("full", 1), ("off", 0)] {
        let (before, writes) = (disk.total(Step::WalSync), disk.total(Step::WalWrite));
        connection.execute_batch(&format!("PRAGMA synchronous = {synchronous}; INSERT INTO t VALUES (1)")).unwrap();
        assert_eq!(disk.total(Step::WalSync) - before, syncs, "{synchronous}");
        assert!(disk.total(Step::WalWrite) > writes);
    }
}

#[tokio::test]
async fn an_idle_store_copies_the_wal_into_the_file() {
    let db = DatabaseFixture::seeded().await.reopened().await;
    let idle = DatabaseFixture::checkpointing_after(Duration::ZERO, &db.path, Arc::new(SystemClock));
    let gate = db.disk.hold(Step::DatabaseSync);
    idle.linked(1, account(1)).await;
    let _checkpoint = gate.entered();
    let copy = db.path.with_extension("copy");
    std::fs::copy(&db.path, &copy).unwrap();
    DatabaseFixture::at(&copy).shows_links([1]);
}

#[tokio::test]
async fn single_calls_in_a_row_do_not_let_the_wal_grow() {
    let db = DatabaseFixture::seeded().await.reopened().await;
    for number in 0..1_100 {
        db.linked(1, account(1 + number % 2)).await;
    }
    let len = std::fs::metadata(beside(&db.path, "-wal")).unwrap().len();
    assert!(len < 1_010 * (4_096 + 24), "{len}");
}

#[tokio::test]
async fn the_next_connection_sees_every_confirmed_link() {
    let db = DatabaseFixture::seeded().await;
    let links = (1..=SEEDED).map(|number| db.link(number, incident(number))).collect();
    assert!(settled(links).await.iter().all(Result::is_ok));
    for number in 1..=SEEDED {
        assert_eq!(db.slots(number), Some(only(incident(number))));
    }
    let db = db.reopened().await;
    assert_eq!(db.linked(SEEDED, incident(SEEDED)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn calls_cancelled_before_their_turn_write_nothing() {
    let db = DatabaseFixture::seeded().await;
    let queue = db.hold_writer().await;
    let (cancelled, call) = update(&db.store, 2, account(2));
    let kept = db.link(3, account(3));
    let imported = db.import(active([MISSING], "New"));
    drop((cancelled, imported));
    drop(queue.finish_first().await);
    assert!(kept.await.is_ok());
    // This call runs after the import.
    db.linked(4, account(4)).await;
    assert!(!call.progress().maybe_applied());
    assert_eq!(db.slots(2), Some(UNLINKED));
    assert_eq!(db.slots(3), Some(only(account(3))));
    assert_eq!(db.slots(MISSING), None);
}

#[tokio::test]
async fn a_call_cancelled_during_its_commit_may_have_been_applied() {
    let db = DatabaseFixture::seeded().await;
    let gate = db.disk.hold(Step::WalSync);
    let (cancelled, call) = update(&db.store, 1, account(1));
    let held = gate.entered();
    drop(cancelled);
    assert!(call.progress().maybe_applied());
    drop((held, gate));
    assert_eq!(db.linked(2, account(2)).await, LinkStatus::Linked);
    assert_eq!(db.slots(1), Some(only(account(1))));
}

#[tokio::test]
async fn calls_on_one_conversation_take_effect_in_call_order_however_they_are_polled() {
    let db = DatabaseFixture::seeded().await;
    let queue = db.hold_writer().await;
    let mut calls: Vec<_> = (1..=SEEDED).map(|number| db.link(1, account(number))).collect();
    drop(queue.finish_first().await);
    for number in (1..=SEEDED).rev() {
        let outcome = calls.pop().unwrap().await.unwrap();
        assert_eq!(outcome.record, account(number));
        assert_eq!(outcome.previous, (number > 1).then(|| account(number - 1)));
    }
    assert_eq!(db.slots(1), Some(only(account(SEEDED))));
}

const CHILD: &str = "OMNICHANNEL_LINK_TEST_CHILD";

#[tokio::test]
#[ignore = "run as a child process by the test below"]
async fn child_that_links_and_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let db = DatabaseFixture::at(path.as_ref());
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::Linked);
    std::process::abort();
}

#[tokio::test]
async fn the_link_of_a_killed_process_is_recovered_from_the_wal() {
    let db = DatabaseFixture::seeded().await.reopened().await;
    let database = std::fs::read(&db.path).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_that_links_and_is_killed"])
        .env(CHILD, &db.path)
        .output()
        .unwrap();
    assert!(!child.status.success());
    assert!(std::fs::metadata(beside(&db.path, "-wal")).unwrap().len() > 0);
    assert_eq!(std::fs::read(&db.path).unwrap(), database, "the link is only in the WAL");
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
    assert_eq!(db.slots(1), Some(only(account(1))));
}

/// A link by a direct call of the store, and its `Call`.
fn update(store: &EmbeddedStore, number: u16, record: RecordReference) -> (StoreFuture<Decision>, Arc<Call>) {
    let call = Arc::new(Call::new([0; 16].into(), None, CallOptions::default()));
    let decide = Decide::Link(record, LinkPolicy::default());
    (store.update(conversation(number), decide, Arc::clone(&call)), call)
}
