//! Problems of the file, the disk and other programs: every call settles with an error that names the problem, and nothing is lost.

#[path = "support/embedded.rs"]
mod embedded;

use std::{
    collections::HashSet,
    error::Error,
    fs,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use omnichannel_link::{domain::LinkStatus, error::Code};
use rusqlite::{OpenFlags, ffi};

use self::embedded::{
    CLOSED, DatabaseFixture, MISSING, SEEDED, UNLINKED, account, active, beside, conversation, incident, only, settled,
    sql, vfs::Step,
};

const READ_WRITE: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE;
const PAGE: usize = 4_096;

// ---------------------------------------------------------------------------------------------------------------- the file

#[tokio::test]
async fn a_file_that_is_not_a_database_is_rejected_and_kept() {
    for text in ["Dear diary".to_owned(), "Dear diary\n".repeat(1_000)] {
        let db = DatabaseFixture::empty();
        fs::write(&db.path, &text).unwrap();
        db.all_fail("not a SQLite database", "another database file", false).await;
        assert_eq!(fs::read_to_string(&db.path).unwrap(), text);
        fs::remove_file(&db.path).unwrap();
        assert_eq!(db.imported(active([1], "Hello")).await.inserted, 1);
    }
}

#[tokio::test]
async fn another_programs_database_is_rejected_and_not_changed() {
    for theirs in
        ["CREATE TABLE theirs (n)", "PRAGMA application_id = 7", "PRAGMA user_version = 1; CREATE TABLE theirs (n)"]
    {
        let db = DatabaseFixture::empty();
        sql(&db.path, theirs);
        let before = fs::read(&db.path).unwrap();
        db.all_fail("is the database of another program", "another database file", false).await;
        assert_eq!(fs::read(&db.path).unwrap(), before, "{theirs}");
        assert!(!beside(&db.path, "-wal").exists());
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_rejected() {
    let db = DatabaseFixture::seeded().await;
    db.linked(1, account(1)).await;
    let db = db.reopened().await;
    let version =
        db.other_connection(READ_WRITE).query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0)).unwrap();
    sql(&db.path, "PRAGMA user_version = 99");
    db.all_fail("written by a newer version", "Update this program", false).await;
    sql(&db.path, &format!("PRAGMA user_version = {version}"));
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn a_file_whose_version_is_lost_is_rejected() {
    let db = DatabaseFixture::seeded().await.reopened().await;
    sql(&db.path, "PRAGMA user_version = 0");
    db.all_fail("PRAGMA user_version is 0", "Restore the file", false).await;
}

#[tokio::test]
async fn a_damaged_or_truncated_file_is_rejected_until_it_is_restored() {
    let spoil: [fn(&mut Vec<u8>); 2] = [|file| file[100..PAGE].fill(0xFF), |file| file.truncate(file.len() / 2)];
    for spoil in spoil {
        let db = DatabaseFixture::seeded().await;
        db.linked(1, account(1)).await;
        let db = db.reopened().await;
        let intact = fs::read(&db.path).unwrap();
        let mut spoiled = intact.clone();
        spoil(&mut spoiled);
        fs::write(&db.path, &spoiled).unwrap();
        db.all_fail("is damaged", ".recover", false).await;
        fs::write(&db.path, &intact).unwrap();
        assert_eq!(db.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
    }
}

#[tokio::test]
async fn a_damaged_page_fails_its_batch_but_no_later_call() {
    let db = DatabaseFixture::seeded().await;
    db.imported(active(100..300, &"long ".repeat(200))).await;
    let db = db.reopened().await;
    let mut file = fs::read(&db.path).unwrap();
    // Pages with the rows of a table begin with 13.
    let id = *conversation(200).as_bytes();
    let holds_the_row = |page: &[u8]| page[0] == 13 && page.windows(id.len()).any(|bytes| bytes == id);
    let page = file.chunks(PAGE).position(holds_the_row).unwrap();
    let intact = file[page * PAGE..][..PAGE].to_vec();
    file[page * PAGE..][..PAGE].fill(0xFF);
    fs::write(&db.path, file).unwrap();

    let queue = db.hold_writer().await;
    let calls = [1, 200, 2].map(|number| db.link(number, account(2)));
    drop(queue.finish_first().await);
    // SQLite commits nothing more after it has read the damaged page.
    for outcome in settled(calls.into()).await {
        db.is_store_error(&outcome.unwrap_err(), "is damaged", ".recover", false);
    }
    for number in [1, 2] {
        assert_eq!(db.slots(number), Some(UNLINKED));
        assert_eq!(db.linked(number, account(1)).await, LinkStatus::Linked);
    }

    let db = db.reopened().await;
    let mut file = fs::read(&db.path).unwrap();
    file[page * PAGE..][..PAGE].copy_from_slice(&intact);
    fs::write(&db.path, file).unwrap();
    assert_eq!(db.linked(200, account(1)).await, LinkStatus::Linked);
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn a_read_only_file_is_rejected_until_it_is_writable() {
    let db = DatabaseFixture::seeded().await;
    db.linked(1, account(1)).await;
    let db = db.reopened().await;
    let read_only = db.disk.fail(Step::OpenForWriting, ffi::SQLITE_READONLY);
    db.all_fail("cannot be written", "write permission", false).await;
    assert_eq!(db.slots(1), Some(only(account(1))));
    drop(read_only);
    assert_eq!(db.imported(active([1], "New")).await.updated, 1);
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn a_folder_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    DatabaseFixture::at(folder.path()).all_fail("cannot be opened", "Name a file", false).await;
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn only_an_import_creates_the_file() {
    let db = DatabaseFixture::empty();
    let linking = db.link(1, account(1)).await.unwrap_err();
    let unlinking = db.unlink(1, account(1)).await.unwrap_err();
    for error in [linking, unlinking] {
        assert_eq!(error.code(), Code::ConversationNotFound);
        assert!(error.details().hint.as_deref().unwrap().contains("the first import creates it"), "{error:?}");
    }
    assert!(!db.path.exists());
    assert_eq!(db.imported(active([1], "Hello")).await.inserted, 1);
    assert_eq!(db.slots(1), Some(UNLINKED));
    assert_eq!(db.link(1, account(1)).await.unwrap_err().code(), Code::RecordNotFound);
}

#[tokio::test]
async fn a_file_that_is_deleted_while_it_is_open_counts_as_missing() {
    let db = DatabaseFixture::seeded().await;
    fs::remove_file(&db.path).unwrap();
    assert_eq!(db.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotFound);
    assert!(!db.path.exists());
    assert_eq!(db.imported(active([1], "Hello")).await.inserted, 1);
    assert_eq!(db.slots(1), Some(UNLINKED));
}

#[tokio::test]
async fn a_missing_folder_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let within = folder.path().join("within");
    let db = DatabaseFixture::at(&within.join("links.db"));
    assert_eq!(db.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotFound);
    let error = db.import(active([1], "Hello")).await.unwrap_err();
    db.is_store_error(&error, "cannot be opened", "folder must exist", false);
    assert!(!within.exists());
    fs::create_dir(&within).unwrap();
    assert_eq!(db.imported(active([1], "Hello")).await.inserted, 1);
}

#[tokio::test]
async fn an_empty_file_is_an_empty_store() {
    let db = DatabaseFixture::empty();
    fs::write(&db.path, "").unwrap();
    let error = db.link(1, account(1)).await.unwrap_err();
    assert_eq!(error.code(), Code::ConversationNotFound);
    assert!(error.details().hint.as_deref().unwrap().contains("is empty: the first import"), "{error:?}");
    assert_eq!(db.imported(active([1], "Hello")).await.inserted, 1);
}

// ---------------------------------------------------------------------------------------------------------------- the disk

#[tokio::test]
async fn a_full_disk_fails_the_whole_batch_and_leaves_nothing_half_done() {
    let db = DatabaseFixture::seeded().await;
    let queue = db.hold_writer().await;
    let calls = (1..10).map(|number| db.link(number, account(number))).collect();
    let full = db.disk.fail(Step::WalWrite, ffi::SQLITE_FULL);
    drop(queue.finish_first().await);
    for outcome in settled(calls).await {
        let error = outcome.unwrap_err();
        db.is_store_error(&error, "the disk is full", "Free some space", true);
        assert!(error.source().unwrap().to_string().contains("full"), "every call has the error of SQLite");
    }
    db.all_fail_at_commit("the disk is full", "Free some space").await;
    drop(full);
    for number in 1..10 {
        assert_eq!(db.slots(number), Some(UNLINKED));
        assert_eq!(db.linked(number, account(number)).await, LinkStatus::Linked);
    }
    assert_eq!(db.linked(SEEDED, account(SEEDED)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn a_disk_that_is_full_before_the_commit_leaves_no_call_in_doubt() {
    // One page per conversation: more than the 2 MB that SQLite keeps in memory until the commit.
    const MANY: std::ops::Range<u16> = 100..1_000;
    let subject = "long ".repeat(600);
    let db = DatabaseFixture::seeded().await;
    db.imported(active(MANY, &subject)).await;
    let queue = db.hold_writer().await;
    let calls = MANY.map(|number| db.link(number, account(1))).collect();
    let full = db.disk.fail(Step::WalWrite, ffi::SQLITE_FULL);
    drop(queue.finish_first().await);
    let mut errors: Vec<_> = settled(calls).await.into_iter().map(Result::unwrap_err).collect();
    errors.push(db.import(active(2_000..2_900, &subject)).await.unwrap_err());
    for error in errors {
        db.is_store_error(&error, "the disk is full", "nothing was lost", true);
        assert!(!error.details().maybe_applied);
    }
    drop(full);
    let rows = "SELECT count(*), count(customer_id) FROM conversation WHERE subject = ?1";
    let rows = db.other_connection(READ_WRITE).query_row(rows, [&subject], |row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(rows, Ok((MANY.end - MANY.start, 0_u16)));
    let calls = MANY.map(|number| db.link(number, account(1))).collect();
    assert!(settled(calls).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_failed_sync_fails_the_whole_batch_and_only_its_writes_are_in_doubt() {
    let db = DatabaseFixture::seeded().await;
    let queue = db.hold_writer().await;
    let calls = vec![
        db.link(1, account(1)),
        db.link(CLOSED, account(1)),
        db.link(SEEDED, account(SEEDED)),
        db.link(2, account(MISSING)),
        db.link(MISSING, account(1)),
        db.link(2, incident(2)),
    ];
    let gate = queue.finish_first().await;
    let held = gate.entered();
    drop(gate);
    held.fail(ffi::SQLITE_IOERR_FSYNC);
    let errors: Vec<_> = settled(calls).await.into_iter().map(Result::unwrap_err).collect();
    for error in &errors {
        db.is_store_error(error, "writing the disk failed", "Check the disk", true);
    }
    let in_doubt: Vec<_> = errors.iter().map(|error| error.details().maybe_applied).collect();
    assert_eq!(in_doubt, [true, false, false, false, false, true]);
    // Closing the failed connection has cleaned the WAL.
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::Linked);
    assert_eq!(db.linked(2, incident(2)).await, LinkStatus::Linked);
    assert_eq!(db.linked(SEEDED, account(SEEDED)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn a_link_whose_sync_failed_is_synced_before_it_is_confirmed() {
    let db = DatabaseFixture::seeded().await;
    let broken = db.disk.fail(Step::WalSync, ffi::SQLITE_IOERR_FSYNC);
    assert!(db.link(1, account(1)).await.unwrap_err().details().maybe_applied);
    drop(broken);
    let syncs = db.disk.total(Step::WalSync);
    let status = db.linked(1, account(1)).await;
    assert!(db.disk.total(Step::WalSync) > syncs, "{status:?} rests on a WAL that was never synced");
    assert_eq!(db.slots(1), Some(only(account(1))));
}

// ----------------------------------------------------------------------------------------------------------- other programs

#[tokio::test]
async fn calls_on_a_locked_file_fail_after_the_busy_timeout() {
    let db = DatabaseFixture::seeded().await;
    let other = db.other_connection(READ_WRITE);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let _no_waiting = db.disk.fail(Step::Sleep, 0);
    db.all_fail("kept it locked", "some program holds open", true).await;
    assert_eq!(db.disk.total(Step::Sleep), 3 * 5_000_000, "microseconds, for three calls");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::Linked);
}

#[tokio::test]
async fn a_link_waits_for_a_lock_that_is_released_in_time() {
    let db = DatabaseFixture::seeded().await;
    let other = db.other_connection(READ_WRITE);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let gate = db.disk.hold(Step::Sleep);
    let link = db.link(1, account(1));
    let held = gate.entered();
    other.execute_batch("ROLLBACK").unwrap();
    drop((held, gate));
    assert_eq!(link.await.unwrap().status, LinkStatus::Linked);
}

#[tokio::test]
async fn two_first_imports_at_once_both_succeed() {
    let db = DatabaseFixture::empty();
    let other = DatabaseFixture::at(&db.path);
    let gate = db.disk.hold(Step::Lock);
    let slow = db.import(active([1], "Hello"));
    drop(gate.entered());
    // Between its first and its second read of the file.
    let held = gate.entered();
    drop(gate);
    assert_eq!(other.imported(active([2], "Hello")).await.inserted, 1);
    drop(held);
    assert_eq!(slow.await.unwrap().inserted, 1);
    assert!(db.slots(1).is_some() && db.slots(2).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_file_lose_no_link() {
    let db = DatabaseFixture::seeded().await;
    let other = DatabaseFixture::at(&db.path);
    // Both stores link one conversation in common, and others each.
    let link_all = |db: DatabaseFixture, records: std::ops::Range<u16>| async move {
        let mut replaced = Vec::new();
        for number in records {
            assert_eq!(db.linked(number, account(number)).await, LinkStatus::Linked);
            replaced.push(db.link(SEEDED, account(number)).await.unwrap().previous);
        }
        replaced
    };
    let (one, two) = (tokio::spawn(link_all(db.clone(), 1..20)), tokio::spawn(link_all(other, 20..39)));
    let replaced = [one.await.unwrap(), two.await.unwrap()].concat();
    db.shows_links(1..39);
    // Each record but the last was replaced once, and the empty slot was filled once.
    let last = (1..39).map(account).find(|record| db.slots(SEEDED) == Some(only(*record)));
    let expected: HashSet<_> =
        (1..39).map(|number| Some(account(number))).chain([None]).filter(|record| *record != last).collect();
    assert_eq!((replaced.len(), replaced.into_iter().collect::<HashSet<_>>()), (38, expected));
}

const CHILD: &str = "OMNICHANNEL_LINK_TEST_CHILD";

#[tokio::test]
#[ignore = "run as a child process by the test below"]
async fn child_that_links_every_case() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let db = DatabaseFixture::at(path.as_ref());
    let gate = db.disk.hold(Step::Sleep);
    let first = db.link(1, incident(1));
    let held = gate.entered();
    writeln!(std::io::stderr(), "waiting").unwrap();
    drop((held, gate));
    first.await.unwrap();
    for number in 2..=SEEDED {
        db.linked(number, incident(number)).await;
    }
}

#[tokio::test]
async fn two_processes_on_one_file_wait_for_each_other_and_lose_no_link() {
    let db = DatabaseFixture::seeded().await;
    let gate = db.disk.hold(Step::WalSync);
    let first = db.link(1, account(1));
    let held = gate.entered();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "child_that_links_every_case"])
        .env(CHILD, &db.path)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stderr.take().unwrap()).lines();
    // The child waits for the lock that our commit holds.
    assert!(output.any(|line| line.unwrap() == "waiting"));
    drop((held, gate));
    first.await.unwrap();
    for number in 2..=SEEDED {
        db.linked(number, account(number)).await;
    }
    let output: Vec<_> = output.map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success(), "{output:#?}");
    for number in 1..=SEEDED {
        let both = (Some(account(number).to_string()), Some(incident(number).to_string()));
        assert_eq!(db.slots(number), Some(both));
    }
}
