//! Whatever is wrong with the file, the disk or the neighbours: every call settles and says so, and nothing is lost.

#[path = "support/embedded.rs"]
#[allow(dead_code, reason = "shared by several suites")]
mod embedded;
#[path = "support/vfs.rs"]
#[allow(dead_code, reason = "shared by several suites")]
mod vfs;

use std::{
    collections::HashSet,
    error::Error,
    fs,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use omnichannel_link::{domain::LinkStatus, error::Code};
use rusqlite::{OpenFlags, ffi};

use self::{
    embedded::{
        CLOSED, MISSING, Office, SEEDED, UNLINKED, account, active, conversation, incident, only, settled, sql,
    },
    vfs::Step,
};

const READ_WRITE: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE;
const PAGE: usize = 4_096;

// ---------------------------------------------------------------------------------------------------------------- the file
#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_kept() {
    for text in ["Dear diary".to_owned(), "Dear diary\n".repeat(1_000)] {
        let office = Office::empty();
        fs::write(&office.path, &text).unwrap();
        office.all_fail("not a SQLite database", "another file", false).await;
        assert_eq!(fs::read_to_string(&office.path).unwrap(), text);
        fs::remove_file(&office.path).unwrap();
        assert_eq!(office.imported(active([1], "Hello")).await.inserted, 1);
    }
}

#[tokio::test]
async fn another_programs_database_is_refused_and_not_touched() {
    for theirs in
        ["CREATE TABLE theirs (n)", "PRAGMA application_id = 7", "PRAGMA user_version = 1; CREATE TABLE theirs (n)"]
    {
        let office = Office::empty();
        sql(&office.path, theirs);
        let before = fs::read(&office.path).unwrap();
        office.all_fail("is the database of another program", "another file", false).await;
        assert_eq!(fs::read(&office.path).unwrap(), before, "{theirs}");
        assert!(!office.log().exists());
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_until_it_is_known() {
    let office = Office::seeded().await;
    office.linked(1, account(1)).await;
    let office = office.reopened().await;
    let version = office.stranger(READ_WRITE).query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0)).unwrap();
    sql(&office.path, "PRAGMA user_version = 99");
    office.all_fail("written by a newer version", "Update this program", false).await;
    sql(&office.path, &format!("PRAGMA user_version = {version}"));
    assert_eq!(office.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn a_file_whose_version_is_lost_is_refused() {
    let office = Office::seeded().await.reopened().await;
    sql(&office.path, "PRAGMA user_version = 0");
    office.all_fail("PRAGMA user_version is 0", "Restore the file", false).await;
}

#[tokio::test]
async fn a_damaged_or_truncated_file_is_refused_until_it_is_restored() {
    let spoil: [fn(&mut Vec<u8>); 2] = [|file| file[100..PAGE].fill(0xFF), |file| file.truncate(file.len() / 2)];
    for spoil in spoil {
        let office = Office::seeded().await;
        office.linked(1, account(1)).await;
        let office = office.reopened().await;
        let intact = fs::read(&office.path).unwrap();
        let mut spoiled = intact.clone();
        spoil(&mut spoiled);
        fs::write(&office.path, &spoiled).unwrap();
        office.all_fail("is damaged", ".recover", false).await;
        fs::write(&office.path, &intact).unwrap();
        assert_eq!(office.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
    }
}

#[tokio::test]
async fn a_damaged_page_fails_its_batch_and_not_the_calls_after() {
    let office = Office::seeded().await;
    office.imported(active(100..300, &"long ".repeat(200))).await;
    let office = office.reopened().await;
    let mut file = fs::read(&office.path).unwrap();
    // The rows of a table stand in pages that begin with 13.
    let id = *conversation(200).as_bytes();
    let holds_the_row = |page: &[u8]| page[0] == 13 && page.windows(id.len()).any(|bytes| bytes == id);
    let page = file.chunks(PAGE).position(holds_the_row).unwrap();
    let intact = file[page * PAGE..][..PAGE].to_vec();
    file[page * PAGE..][..PAGE].fill(0xFF);
    fs::write(&office.path, file).unwrap();

    let queue = office.hold_the_writer().await;
    let calls = [1, 200, 2].map(|number| office.link(number, account(2)));
    drop(queue.moves_on().await);
    // Once SQLite met the page, it commits nothing any more.
    for outcome in settled(calls.into()).await {
        office.is_fault(&outcome.unwrap_err(), "is damaged", ".recover", false);
    }
    for number in [1, 2] {
        assert_eq!(office.slots(number), Some(UNLINKED));
        assert_eq!(office.linked(number, account(1)).await, LinkStatus::Linked);
    }

    let office = office.reopened().await;
    let mut file = fs::read(&office.path).unwrap();
    file[page * PAGE..][..PAGE].copy_from_slice(&intact);
    fs::write(&office.path, file).unwrap();
    assert_eq!(office.linked(200, account(1)).await, LinkStatus::Linked);
    assert_eq!(office.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn a_read_only_file_is_refused_until_it_can_be_written() {
    let office = Office::seeded().await;
    office.linked(1, account(1)).await;
    let office = office.reopened().await;
    let read_only = office.disk.answer(Step::OpenForWriting, ffi::SQLITE_READONLY);
    office.all_fail("cannot be written", "write permission", false).await;
    assert_eq!(office.slots(1), Some(only(account(1))));
    drop(read_only);
    assert_eq!(office.imported(active([1], "New")).await.updated, 1);
    assert_eq!(office.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn a_folder_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    Office::at(folder.path()).all_fail("cannot be opened", "must name a file", false).await;
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn only_an_import_creates_the_file() {
    let office = Office::empty();
    let linking = office.link(1, account(1)).await.unwrap_err();
    let unlinking = office.unlink(1, account(1)).await.unwrap_err();
    for error in [linking, unlinking] {
        assert_eq!(error.code(), Code::ConversationNotFound);
        assert!(error.details().hint.as_deref().unwrap().contains("importRecords() creates it"), "{error:?}");
    }
    assert!(!office.path.exists());
    assert_eq!(office.imported(active([1], "Hello")).await.inserted, 1);
    assert_eq!(office.slots(1), Some(UNLINKED));
    assert_eq!(office.link(1, account(1)).await.unwrap_err().code(), Code::RecordNotFound);
}

#[tokio::test]
async fn a_file_that_is_deleted_under_the_store_is_missed() {
    let office = Office::seeded().await;
    fs::remove_file(&office.path).unwrap();
    assert_eq!(office.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotFound);
    assert!(!office.path.exists());
    assert_eq!(office.imported(active([1], "Hello")).await.inserted, 1);
    assert_eq!(office.slots(1), Some(UNLINKED));
}

#[tokio::test]
async fn a_missing_folder_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let within = folder.path().join("within");
    let office = Office::at(&within.join("office.db"));
    assert_eq!(office.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotFound);
    let error = office.import(active([1], "Hello")).await.unwrap_err();
    office.is_fault(&error, "cannot be opened", "folder must exist", false);
    assert!(!within.exists());
    fs::create_dir(&within).unwrap();
    assert_eq!(office.imported(active([1], "Hello")).await.inserted, 1);
}

#[tokio::test]
async fn an_empty_file_is_an_empty_store() {
    let office = Office::empty();
    fs::write(&office.path, "").unwrap();
    let error = office.link(1, account(1)).await.unwrap_err();
    assert_eq!(error.code(), Code::ConversationNotFound);
    assert!(error.details().hint.as_deref().unwrap().contains("is empty: importRecords()"), "{error:?}");
    assert_eq!(office.imported(active([1], "Hello")).await.inserted, 1);
}

// ---------------------------------------------------------------------------------------------------------------- the disk

#[tokio::test]
async fn a_full_disk_fails_the_whole_batch_and_leaves_nothing_half_done() {
    let office = Office::seeded().await;
    let queue = office.hold_the_writer().await;
    let calls = (1..10).map(|number| office.link(number, account(number))).collect();
    let full = office.disk.answer(Step::LogWrite, ffi::SQLITE_FULL);
    drop(queue.moves_on().await);
    for outcome in settled(calls).await {
        let error = outcome.unwrap_err();
        office.is_fault(&error, "the disk is full", "Free some space", true);
        assert!(error.source().unwrap().to_string().contains("full"), "every call knows what SQLite said");
    }
    office.all_fail_at_commit("the disk is full", "Free some space").await;
    drop(full);
    for number in 1..10 {
        assert_eq!(office.slots(number), Some(UNLINKED));
        assert_eq!(office.linked(number, account(number)).await, LinkStatus::Linked);
    }
    assert_eq!(office.linked(SEEDED, account(SEEDED)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn a_disk_that_is_full_before_the_commit_leaves_nothing_half_done_and_nobody_in_doubt() {
    // A page for each conversation: more than the 2 MB that SQLite keeps in memory until the commit.
    const MANY: std::ops::Range<u16> = 100..1_000;
    let subject = "long ".repeat(600);
    let office = Office::seeded().await;
    office.imported(active(MANY, &subject)).await;
    let queue = office.hold_the_writer().await;
    let calls = MANY.map(|number| office.link(number, account(1))).collect();
    let full = office.disk.answer(Step::LogWrite, ffi::SQLITE_FULL);
    drop(queue.moves_on().await);
    let mut errors: Vec<_> = settled(calls).await.into_iter().map(Result::unwrap_err).collect();
    errors.push(office.import(active(2_000..2_900, &subject)).await.unwrap_err());
    for error in errors {
        office.is_fault(&error, "the disk is full", "nothing was lost", true);
        assert!(!error.details().maybe_applied);
    }
    drop(full);
    let rows = "SELECT count(*), count(customer_id) FROM conversation WHERE subject = ?1";
    let rows = office.stranger(READ_WRITE).query_row(rows, [&subject], |row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(rows, Ok((MANY.end - MANY.start, 0_u16)));
    let calls = MANY.map(|number| office.link(number, account(1))).collect();
    assert!(settled(calls).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_failed_sync_fails_the_whole_batch_and_only_its_writers_are_in_doubt() {
    let office = Office::seeded().await;
    let queue = office.hold_the_writer().await;
    let calls = vec![
        office.link(1, account(1)),
        office.link(CLOSED, account(1)),
        office.link(SEEDED, account(SEEDED)),
        office.link(2, account(MISSING)),
        office.link(MISSING, account(1)),
        office.link(2, incident(2)),
    ];
    let gate = queue.moves_on().await;
    let held = gate.entered();
    drop(gate);
    held.answer(ffi::SQLITE_IOERR_FSYNC);
    let errors: Vec<_> = settled(calls).await.into_iter().map(Result::unwrap_err).collect();
    for error in &errors {
        office.is_fault(error, "writing the disk failed", "Check the disk", true);
    }
    let in_doubt: Vec<_> = errors.iter().map(|error| error.details().maybe_applied).collect();
    assert_eq!(in_doubt, [true, false, false, false, false, true]);
    // It failed once: the connection that was given up has cleaned the log.
    assert_eq!(office.linked(1, account(1)).await, LinkStatus::Linked);
    assert_eq!(office.linked(2, incident(2)).await, LinkStatus::Linked);
    assert_eq!(office.linked(SEEDED, account(SEEDED)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn what_came_through_a_failed_sync_is_synced_before_it_is_confirmed() {
    let office = Office::seeded().await;
    let broken = office.disk.answer(Step::LogSync, ffi::SQLITE_IOERR_FSYNC);
    assert!(office.link(1, account(1)).await.unwrap_err().details().maybe_applied);
    drop(broken);
    let syncs = office.disk.total(Step::LogSync);
    let status = office.linked(1, account(1)).await;
    assert!(office.disk.total(Step::LogSync) > syncs, "{status:?} rests on a log that was never synced");
    assert_eq!(office.slots(1), Some(only(account(1))));
}

// ----------------------------------------------------------------------------------------------------------- the neighbours

#[tokio::test]
async fn a_file_that_stays_locked_is_given_up_after_the_busy_timeout() {
    let office = Office::seeded().await;
    let neighbour = office.stranger(READ_WRITE);
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    let _no_waiting = office.disk.answer(Step::Sleep, 0);
    office.all_fail("kept it locked", "some program holds open", true).await;
    assert_eq!(office.disk.total(Step::Sleep), 3 * 5_000_000, "microseconds, for three calls");
    neighbour.execute_batch("ROLLBACK").unwrap();
    assert_eq!(office.linked(1, account(1)).await, LinkStatus::Linked);
}

#[tokio::test]
async fn a_link_waits_for_a_lock_that_is_released_in_time() {
    let office = Office::seeded().await;
    let neighbour = office.stranger(READ_WRITE);
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    let gate = office.disk.hold(Step::Sleep);
    let link = office.link(1, account(1));
    let held = gate.entered();
    neighbour.execute_batch("ROLLBACK").unwrap();
    drop((held, gate));
    assert_eq!(link.await.unwrap().status, LinkStatus::Linked);
}

#[tokio::test]
async fn two_first_imports_at_once_do_not_take_each_other_for_strangers() {
    let office = Office::empty();
    let other = Office::at(&office.path);
    let gate = office.disk.hold(Step::Lock);
    let slow = office.import(active([1], "Hello"));
    drop(gate.entered());
    // Between its first look into the file and the second.
    let held = gate.entered();
    drop(gate);
    assert_eq!(other.imported(active([2], "Hello")).await.inserted, 1);
    drop(held);
    assert_eq!(slow.await.unwrap().inserted, 1);
    assert!(office.slots(1).is_some() && office.slots(2).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_file_lose_no_link() {
    let office = Office::seeded().await;
    let other = Office::at(&office.path);
    // All link one conversation, and every one links its own ones.
    let link_all = |office: Office, records: std::ops::Range<u16>| async move {
        let mut replaced = Vec::new();
        for number in records {
            assert_eq!(office.linked(number, account(number)).await, LinkStatus::Linked);
            replaced.push(office.link(SEEDED, account(number)).await.unwrap().previous);
        }
        replaced
    };
    let (one, two) = (tokio::spawn(link_all(office.clone(), 1..20)), tokio::spawn(link_all(other, 20..39)));
    let replaced = [one.await.unwrap(), two.await.unwrap()].concat();
    for number in 1..39 {
        assert_eq!(office.slots(number), Some(only(account(number))));
    }
    // Each record was replaced once, but the last; nothing was replaced once.
    let last = (1..39).map(account).find(|record| office.slots(SEEDED) == Some(only(*record)));
    let expected: HashSet<_> =
        (1..39).map(|number| Some(account(number))).chain([None]).filter(|record| *record != last).collect();
    assert_eq!((replaced.len(), replaced.into_iter().collect::<HashSet<_>>()), (38, expected));
}

const CHILD: &str = "OMNICHANNEL_LINK_TEST_CHILD";

#[tokio::test]
#[ignore = "run as a child process by the test below"]
async fn child_that_links_every_case() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let office = Office::at(path.as_ref());
    let gate = office.disk.hold(Step::Sleep);
    let first = office.link(1, incident(1));
    let held = gate.entered();
    writeln!(std::io::stderr(), "waiting").unwrap();
    drop((held, gate));
    first.await.unwrap();
    for number in 2..=SEEDED {
        office.linked(number, incident(number)).await;
    }
}

#[tokio::test]
async fn two_processes_on_one_file_wait_for_each_other_and_lose_no_link() {
    let office = Office::seeded().await;
    let gate = office.disk.hold(Step::LogSync);
    let first = office.link(1, account(1));
    let held = gate.entered();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "child_that_links_every_case"])
        .env(CHILD, &office.path)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    // It stands before the lock that our commit has.
    assert!(said.any(|line| line.unwrap() == "waiting"));
    drop((held, gate));
    first.await.unwrap();
    for number in 2..=SEEDED {
        office.linked(number, account(number)).await;
    }
    let said: Vec<_> = said.map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success(), "{said:#?}");
    for number in 1..=SEEDED {
        let both = (Some(account(number).to_string()), Some(incident(number).to_string()));
        assert_eq!(office.slots(number), Some(both));
    }
}
