//! Importing pages into the embedded store: all rows or none, and only the columns that the page has.

#[path = "support/embedded.rs"]
mod embedded;

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    time::Duration,
};

use omnichannel_link::{
    domain::{LinkStatus, RecordReference},
    embedded::{ImportProgress, OnProgress, Source},
    error::{Code, LinkError},
};
use rusqlite::OpenFlags;
use serde_json::{Value, json};

use self::embedded::{
    DatabaseFixture, MISSING, UNLINKED, account, active,
    clock::TestClock,
    conversation, incident, only, page, sql,
    vfs::{PATIENCE, Step},
};

const CUSTOMER: &str = "_msdyn_customer_value";
const CUSTOMER_TYPE: &str = "_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname";
const CASE: &str = "_msdyn_issueid_value";

fn conversations(rows: impl IntoIterator<Item = Value>) -> Source {
    page("msdyn_ocliveworkitems", rows)
}

/// A row of an active conversation, linked to an account and an incident.
fn linked(number: u16, customer: RecordReference, case: RecordReference) -> Value {
    let id = conversation(number).to_string();
    json!({
        "activityid": id, "statuscode": 2, "subject": "Hello",
        CUSTOMER: customer.id.to_string(), CUSTOMER_TYPE: customer.entity.as_str(), CASE: case.id.to_string(),
    })
}

fn is_rejected(error: &LinkError, message: &str) {
    assert_eq!(error.code(), Code::InvalidArgument, "{error:?}");
    assert!(error.message().contains(message), "{}", error.message());
    assert!(error.details().hint.as_deref().unwrap_or_default().contains("Nothing was imported"), "{error:?}");
    assert_eq!(error.details().argument.as_deref(), Some("pathOrPage"));
    assert!(!error.details().maybe_applied);
}

#[tokio::test]
async fn an_invalid_row_rejects_the_whole_page_and_leaves_no_trace() {
    let rows = || [json!({ "activityid": conversation(1).to_string(), "statuscode": 2 }), json!({ "activityid": "x" })];
    let db = DatabaseFixture::empty();
    is_rejected(&db.import(conversations(rows())).await.unwrap_err(), "row 1 of `value`: `activityid`");
    assert!(!db.path.exists());
    db.imported(active([2], "Hello")).await;
    is_rejected(&db.import(conversations(rows())).await.unwrap_err(), "row 1 of `value`: `activityid`");
    assert_eq!(db.slots(1), None);
    assert_eq!(db.imported(active([1], "Hello")).await.inserted, 1);
}

#[tokio::test]
async fn an_unknown_conversation_without_a_status_rejects_the_page() {
    let db = DatabaseFixture::seeded().await;
    let known = json!({ "activityid": conversation(1).to_string(), CASE: incident(1).id.to_string() });
    let unknown = json!({ "activityid": conversation(MISSING).to_string() });
    let error = db.import(conversations([known.clone(), unknown])).await.unwrap_err();
    is_rejected(&error, "row 1 of `value`: `statuscode` is absent");
    assert_eq!((db.slots(1), db.slots(MISSING)), (Some(UNLINKED), None));
    assert_eq!(db.imported(conversations([known])).await.updated, 1);
    assert_eq!(db.slots(1), Some(only(incident(1))));
}

#[tokio::test]
async fn an_absent_column_stays_as_it_was_and_a_null_clears_it() {
    let db = DatabaseFixture::seeded().await;
    let both = Some((Some(account(1).to_string()), Some(incident(1).to_string())));
    assert_eq!(db.imported(conversations([linked(1, account(1), incident(1))])).await.updated, 1);
    assert_eq!(db.slots(1), both);

    let id = conversation(1).to_string();
    db.imported(conversations([json!({ "activityid": id, "statuscode": 4 })])).await;
    assert_eq!(db.slots(1), both);
    assert_eq!(db.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotActive);

    db.imported(conversations([json!({ "activityid": id, CUSTOMER: null })])).await;
    assert_eq!(db.slots(1), Some(only(incident(1))));
    assert_eq!(db.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotActive);
    db.imported(conversations([json!({ "activityid": id, CASE: null, "statuscode": 2 })])).await;
    assert_eq!(db.slots(1), Some(UNLINKED));
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::Linked);
}

#[tokio::test]
async fn pages_may_be_imported_in_any_order_and_dangling_links_are_counted() {
    let pages: [fn() -> Source; 3] = [
        || page("accounts", [1, 2].map(|number| json!({ "accountid": account(number).id.to_string() }))),
        || page("incidents", [json!({ "incidentid": incident(1).id.to_string() })]),
        // The second conversation has a case that is never imported.
        || conversations([linked(1, account(1), incident(1)), linked(2, account(2), incident(2))]),
    ];
    for (order, dangling) in [
        ([0, 1, 2], [0, 0, 1]),
        ([0, 2, 1], [0, 2, 1]),
        ([1, 0, 2], [0, 0, 1]),
        ([1, 2, 0], [0, 3, 1]),
        ([2, 0, 1], [4, 2, 1]),
        ([2, 1, 0], [4, 3, 1]),
    ] {
        let db = DatabaseFixture::empty();
        for (index, dangling) in order.into_iter().zip(dangling) {
            assert_eq!(db.imported(pages[index]()).await.dangling_links, dangling, "{order:?}");
        }
        for number in [1, 2] {
            let both = (Some(account(number).to_string()), Some(incident(number).to_string()));
            assert_eq!(db.slots(number), Some(both), "{order:?}");
        }
        // A link to a missing record can be removed, but not made again.
        db.unlink(2, incident(2)).await.unwrap();
        assert_eq!(db.link(2, incident(2)).await.unwrap_err().code(), Code::RecordNotFound);
    }
}

#[tokio::test]
async fn an_import_leaves_all_indexes() {
    let db = DatabaseFixture::empty();
    // Into an empty store, one row of several, and more rows than there are.
    for rows in [0..3, 2..3, 1..9] {
        db.imported(active(rows.clone(), "Hello")).await;
        let other = db.other_connection(OpenFlags::SQLITE_OPEN_READ_ONLY);
        let text = |sql: &str| other.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        // Compares each index with its table.
        assert_eq!(text("PRAGMA integrity_check"), "ok", "{rows:?}");
        let indexes =
            "SELECT group_concat(name) FROM sqlite_schema WHERE name GLOB 'conversation_*' AND type = 'index'";
        assert_eq!(text(indexes), "conversation_as_listed,conversation_of_agent", "{rows:?}");
    }
}

#[tokio::test]
async fn an_import_leaves_the_indexes_of_users() {
    let db = DatabaseFixture::empty();
    db.imported(active(0..2, "Hello")).await;
    let index = "CREATE UNIQUE INDEX \"conversation_by-subject\" ON conversation (subject, id)";
    db.other_connection(OpenFlags::SQLITE_OPEN_READ_WRITE).execute_batch(index).unwrap();
    db.imported(active(0..9, "Hello")).await;
    let found = "SELECT count(*) FROM sqlite_schema WHERE name = 'conversation_by-subject'";
    let other = db.other_connection(OpenFlags::SQLITE_OPEN_READ_ONLY);
    assert_eq!(other.query_row(found, [], |row| row.get::<_, u8>(0)).unwrap(), 1);
}

fn recorded() -> (Option<OnProgress>, Receiver<ImportProgress>) {
    let (report, reports) = mpsc::channel();
    (Some(Box::new(move |progress| report.send(progress).unwrap_or_default())), reports)
}

#[tokio::test]
async fn progress_grows_and_is_reported_by_the_clock() {
    const ROWS: u16 = 5_000;
    for (step, at_least) in [(Duration::from_millis(150), 5), (Duration::ZERO, 0)] {
        let db = DatabaseFixture::empty().with_other_clock(Arc::new(TestClock::ticking(step)));
        let (on_progress, reports) = recorded();
        let summary = db.import_with(active(0..ROWS, "Hello"), on_progress).await.unwrap();
        assert_eq!(summary.inserted, usize::from(ROWS));
        let reports: Vec<_> = reports.into_iter().collect();
        assert!(reports.iter().all(|report| report.rows_total == usize::from(ROWS)));
        assert!(reports.is_sorted_by(|one, next| one.rows_done < next.rows_done), "{reports:?}");
        assert!(reports.len() >= at_least && reports.is_empty() == (at_least == 0), "{reports:?}");
    }
}

#[tokio::test]
async fn an_import_cancelled_before_its_turn_imports_nothing() {
    let db = DatabaseFixture::seeded().await;
    let queue = db.hold_writer().await;
    drop(db.import(active([MISSING], "New")));
    drop(queue.finish_first().await);
    // This call runs after the import.
    db.linked(1, account(1)).await;
    assert_eq!(db.slots(MISSING), None);
}

#[tokio::test]
async fn an_import_cancelled_half_way_is_rolled_back() {
    let db = DatabaseFixture::empty().with_other_clock(Arc::new(TestClock::ticking(Duration::from_secs(1))));
    let (report, reports) = mpsc::channel();
    let (resume, resumed) = mpsc::channel();
    let on_progress = Box::new(move |progress: ImportProgress| {
        report.send(progress).unwrap_or_default();
        resumed.recv().unwrap_or_default();
    });
    let import = db.import_with(active(0..5_000, "New"), Some(on_progress));
    while reports.recv_timeout(PATIENCE).unwrap().rows_done == 0 {
        resume.send(()).unwrap();
    }
    drop((import, resume));
    assert_eq!(db.imported(active([1, 2], "Hello")).await.inserted, 2);
    assert_eq!((db.slots(0), reports.into_iter().count()), (None, 0));
}

#[tokio::test]
async fn an_import_cancelled_during_its_commit_may_have_been_applied() {
    let db = DatabaseFixture::seeded().await;
    let gate = db.disk.hold(Step::WalSync);
    let import = db.import(active([MISSING], "New"));
    let held = gate.entered();
    drop(import);
    drop((held, gate));
    db.linked(1, account(1)).await;
    assert_eq!(db.slots(MISSING), Some(UNLINKED));
}

#[tokio::test]
async fn a_file_of_an_older_version_is_migrated_with_its_content() {
    let db = DatabaseFixture::seeded().await;
    db.linked(1, account(1)).await;
    let db = db.reopened().await;
    let first_version = "DROP TABLE record_value; DROP INDEX conversation_of_agent; DROP INDEX conversation_as_listed;
        ALTER TABLE conversation DROP COLUMN listed_by;
        ALTER TABLE conversation DROP COLUMN created_on; ALTER TABLE conversation DROP COLUMN agent_id;
        ALTER TABLE record DROP COLUMN columns; PRAGMA user_version = 1";
    sql(&db.path, first_version);
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
    assert_eq!(db.linked(1, account(2)).await, LinkStatus::Replaced);
    let db = db.reopened().await;
    sql(&db.path, "UPDATE conversation SET created_on = 0, agent_id = NULL; UPDATE record SET columns = NULL");
}

#[tokio::test]
async fn columns_of_another_program_that_are_not_json_do_not_stop_a_migration() {
    let db = DatabaseFixture::seeded().await;
    let db = db.reopened().await;
    sql(&db.path, "DROP TABLE record_value; UPDATE record SET columns = 'no JSON'; PRAGMA user_version = 4");
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::Linked);
}
