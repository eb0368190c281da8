//! Reading from the embedded store: pages, cancelled reads, and the order of reads and updates.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "support/embedded.rs"]
mod embedded;

use std::collections::HashSet;

use futures_util::FutureExt;
use omnichannel_link::{
    dataverse::tables::record_key,
    domain::{
        AgentId, CallOptions, ConversationDetails, ConversationId, ConversationQuery, EntityLogicalName, KeyValue,
        LinkOutcome, LinkStatus, Listing, Order, Property, RecordKey,
    },
    embedded::Source,
    error::Code,
};
use rusqlite::{OpenFlags, ffi};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use self::embedded::{DatabaseFixture, Pending, SEEDED, account, active, conversation, page, vfs::Step};

const AGENT: &str = "9f6c1f8e-5f0a-4c1d-8d2b-6a1f0f3c7e11";

/// Conversations with equal and missing times and subjects, which make the order difficult.
fn difficult(numbers: std::ops::Range<u16>) -> Source {
    let subjects = [Some("b"), None, Some("É"), Some("é"), Some(""), Some("B"), Some("a")];
    let row = |number: u16| {
        json!({
            "activityid": conversation(number).to_string(), "statuscode": number % 3 + 1,
            "subject": subjects[usize::from(number) % subjects.len()],
            "createdon": (!number.is_multiple_of(5)).then(|| format!("2026-11-21T10:00:{:02}Z", number % 5)),
            "_msdyn_activeagentid_value": (!number.is_multiple_of(4)).then_some(AGENT),
        })
    };
    page("msdyn_ocliveworkitems", numbers.map(row))
}

/// Lists all conversations, or those of the agent, and calls `meanwhile` after the first page.
async fn listed(
    db: &DatabaseFixture,
    agent: Option<AgentId>,
    order: &[Order],
    meanwhile: impl FnOnce(&[ConversationId]),
) -> Vec<ConversationId> {
    let query = ConversationQuery { agent, order: order.to_vec(), ..ConversationQuery::default() };
    let first = db.service.list(Listing::new(query, None), CallOptions::default()).await.unwrap();
    let (mut found, mut rest) = first;
    meanwhile(&found.iter().map(|details| details.conversation.id).collect::<Vec<_>>());
    while let Some(listing) = rest {
        let (more, after) = db.service.list(listing, CallOptions::default()).await.unwrap();
        found.extend(more);
        rest = after;
    }
    found.into_iter().map(|details| details.conversation.id).collect()
}

#[tokio::test]
async fn inserted_and_deleted_conversations_do_not_shift_the_pages() {
    use Property::{CreatedOn, Status, Subject};
    let by = |by, descending| Order { by, descending };
    let orders: [&[Order]; 6] = [
        &[by(CreatedOn, true)],
        &[by(CreatedOn, false)],
        &[by(Subject, true)],
        &[by(Subject, false), by(CreatedOn, true)],
        &[by(Status, true), by(CreatedOn, false), by(Subject, true)],
        &[],
    ];
    let agents = [(None, 999), (Some(AGENT.parse().unwrap()), 750)];
    for (order, (agent, count)) in orders.into_iter().flat_map(|order| agents.map(|agent| (order, agent))) {
        let db = DatabaseFixture::empty();
        db.imported(difficult(1..1_000)).await;
        let whole = listed(&db, agent, order, |_| {}).await;
        assert_eq!(whole.len(), count);
        let found = listed(&db, agent, order, |shown| {
            let other = db.other_connection(OpenFlags::SQLITE_OPEN_READ_WRITE);
            for id in shown.iter().step_by(3) {
                other.execute("DELETE FROM conversation WHERE id = ?1", [id.as_bytes()]).unwrap();
            }
            let columns = "statuscode, subject, created_on, agent_id";
            let copied = format!("SELECT randomblob(16), {columns} FROM conversation ORDER BY id LIMIT 600");
            other.execute(&format!("INSERT INTO conversation (id, {columns}) {copied}"), []).unwrap();
        })
        .await;
        assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len(), "{order:?}");
        let known: Vec<_> = found.into_iter().filter(|id| whole.contains(id)).collect();
        assert_eq!(known, whole, "{order:?}");
    }
}

#[tokio::test]
async fn cancelled_reads_do_not_touch_the_file() {
    let db = DatabaseFixture::seeded().await.reopened().await;
    let before = db.disk.total(Step::OpenForWriting);
    let gate = db.disk.hold(Step::Lock);
    let first = db.read(1);
    let held = gate.entered();
    drop(gate);
    drop(db.read(1));
    drop(db.list());
    drop(db.service.find(named("Fabrikam"), CallOptions::default()));
    // After a failure the next read, if any, opens the file again.
    held.fail(ffi::SQLITE_IOERR);
    assert_eq!(first.await.unwrap_err().code(), Code::Store);
    db.service.close().await.unwrap();
    assert_eq!(db.disk.total(Step::OpenForWriting), before + 1);
}

fn named(name: &str) -> RecordKey {
    record_key(EntityLogicalName::Account, vec![("name".to_owned(), KeyValue::Text(name.to_owned()))]).unwrap()
}

/// Reads in all ways that do not wait for an update of another conversation.
async fn reads(db: &DatabaseFixture, number: u16) -> ConversationDetails {
    let listed = db.list().await.unwrap();
    assert_eq!(listed.len(), usize::from(SEEDED) + 1);
    let found = db.service.find(named("Fabrikam"), CallOptions::default()).await;
    assert_eq!(found.unwrap_err().code(), Code::RecordNotFound);
    db.read(number).await.unwrap()
}

#[tokio::test]
async fn reads_do_not_wait_for_the_lock_that_an_update_waits_for() {
    for was_read_before in [false, true] {
        let db = DatabaseFixture::seeded().await.reopened().await;
        if was_read_before {
            reads(&db, 2).await;
        }
        let other = db.other_connection(OpenFlags::SQLITE_OPEN_READ_WRITE);
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let gate = db.disk.hold(Step::Sleep);
        let link = db.link(1, account(1));
        let held = gate.entered();
        assert_eq!(reads(&db, 2).await.conversation.customer, None);
        // A read of the same conversation waits, and shows the link.
        let mut read = db.read(1);
        assert!((&mut read).now_or_never().is_none());
        let dry = CallOptions { dry_run: true, ..CallOptions::default() };
        let mut dry = Box::pin(db.service.unlink(account(1), Some(conversation(1)), dry));
        assert!((&mut dry).now_or_never().is_none());
        assert_eq!(reads(&db, 2).await.conversation.customer, None);
        other.execute_batch("ROLLBACK").unwrap();
        drop((held, gate));
        assert_eq!(read.await.unwrap().conversation.customer, Some(account(1)));
        dry.await.unwrap();
        assert_eq!(link.await.unwrap().status, LinkStatus::Linked);
        assert_eq!(reads(&db, 1).await.conversation.customer, Some(account(1)));
    }
}

#[tokio::test]
async fn a_read_shows_every_link_that_was_confirmed_before_it() {
    let db = DatabaseFixture::seeded().await;
    for number in 1..=SEEDED {
        db.linked(1, account(number)).await;
        assert_eq!(reads(&db, 1).await.conversation.customer, Some(account(number)));
    }
}

#[tokio::test]
async fn a_read_after_a_failed_link_succeeds() {
    let db = DatabaseFixture::seeded().await;
    let full = db.disk.fail(Step::WalWrite, ffi::SQLITE_FULL);
    let link = db.link(1, account(1));
    let read = db.read(1);
    assert_eq!(read.await.unwrap().conversation.customer, None);
    assert_eq!(link.await.unwrap_err().code(), Code::Store);
    drop(full);
}

/// A runtime whose thread never runs a task, and a runtime that runs tests.
fn busy_and_other() -> [Runtime; 2] {
    [(); 2].map(|()| Builder::new_current_thread().enable_time().build().unwrap())
}

#[test]
fn a_lone_update_settles_while_its_runtime_is_busy() {
    let [busy, other] = busy_and_other();
    let db = other.block_on(async { DatabaseFixture::seeded().await.reopened().await });
    for number in 1..=SEEDED {
        let entered = busy.enter();
        let link = db.link(number, account(1));
        drop(entered);
        assert_eq!(other.block_on(link).unwrap().status, LinkStatus::Linked);
    }
}

#[test]
fn reads_imports_and_reports_come_after_the_updates_before_them_have_settled() {
    let [busy, other] = busy_and_other();
    let db = other.block_on(async { DatabaseFixture::seeded().await.reopened().await });
    // The first update is held, so that the two after it share a batch, which settles on the busy runtime.
    let updates = |numbers: std::ops::Range<u16>| {
        let _entered = busy.enter();
        let gate = db.disk.hold(Step::WalSync);
        let first = db.link(numbers.start, account(1));
        let held = gate.entered();
        (numbers.map(|number| db.link(number, account(2))).collect::<Vec<_>>(), (held, gate, first))
    };
    let all_settled = |links: Vec<Pending<LinkOutcome>>| {
        let _entered = other.enter();
        links.into_iter().all(|link| link.now_or_never().is_some_and(|outcome| outcome.is_ok()))
    };

    let (links, held) = updates(1..4);
    let read = db.read(3);
    drop(held);
    assert_eq!(other.block_on(read).unwrap().conversation.customer, Some(account(2)));
    assert!(all_settled(links));

    let (links, held) = updates(4..7);
    let imported = db.import(active([50], "Hello"));
    drop(held);
    other.block_on(imported).unwrap();
    assert!(all_settled(links));

    let (links, held) = updates(7..10);
    let diagnosed = db.service.diagnose(CallOptions::default());
    drop(held);
    other.block_on(diagnosed).unwrap();
    assert!(all_settled(links));
}
