//! A database file that is replaced under an open store: noticed before a commit is confirmed, and neither file is damaged.
//!
//! Windows lets no program rename or delete a file that SQLite has open.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod clients;
#[path = "../support/embedded.rs"]
#[allow(dead_code, reason = "shared by several suites")]
mod embedded;
#[path = "../support/vfs.rs"]
#[allow(dead_code, reason = "shared by several suites")]
mod vfs;

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use omnichannel_link::{
    domain::{CallOptions, ConversationQuery, LinkStatus, Listing, RecordReference},
    error::Code,
};
use rusqlite::{Connection, OpenFlags};

use self::{
    embedded::{MISSING, Office, UNLINKED, account, active, conversation, incident, only, sql},
    vfs::Step,
};

/// The file beside a database whose name has this at its end.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A copy of the database as it is now, under another name, as a backup program makes it. It has a conversation that tells it from the
/// original.
fn backup(office: &Office) -> PathBuf {
    let copy = beside(&office.path, ".backup");
    office.stranger(OpenFlags::SQLITE_OPEN_READ_ONLY).execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    sql(&copy, "UPDATE conversation SET subject = 'restored'; PRAGMA journal_mode = wal");
    copy
}

/// A seeded store with confirmed links that only its log holds, and a backup from before them.
async fn linked_since_the_backup() -> (Office, PathBuf) {
    let office = Office::seeded().await;
    let backup = backup(&office);
    for number in 1..20 {
        office.linked(number, account(number)).await;
    }
    (office, backup)
}

/// The file at the path is the backup and sound, and nothing is linked in it but these.
fn is_restored(path: &Path, linked: &[(u16, RecordReference)]) {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let others = "SELECT count(*) FROM conversation WHERE subject IS NOT 'restored'";
    assert_eq!(connection.query_row(others, [], |row| row.get::<_, i64>(0)), Ok(0));
    let sql = "SELECT id FROM conversation WHERE coalesce(customer_id, case_id) IS NOT NULL ORDER BY id";
    let mut statement = connection.prepare(sql).unwrap();
    let found =
        statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<Vec<[u8; 16]>>>().unwrap();
    let expected: Vec<_> = linked.iter().map(|(number, _)| *conversation(*number).as_bytes()).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_restored_file_takes_the_next_link_whatever_is_left_of_the_old_log() {
    for left in [&["-wal", "-shm"][..], &["-wal"], &["-shm"], &[]] {
        let (office, backup) = linked_since_the_backup().await;
        fs::rename(&backup, &office.path).unwrap();
        for suffix in ["-wal", "-shm"] {
            if !left.contains(&suffix) {
                fs::remove_file(beside(&office.path, suffix)).unwrap();
            }
        }
        assert_eq!(office.linked(30, incident(30)).await, LinkStatus::Linked, "{left:?}");
        assert_eq!(office.slots(1), Some(UNLINKED), "{left:?}");
        assert_eq!(office.slots(30), Some(only(incident(30))), "{left:?}");
        is_restored(&office.path, &[(30, incident(30))]);
        let office = office.reopened().await;
        is_restored(&office.path, &[(30, incident(30))]);
        assert_eq!(office.linked(30, incident(30)).await, LinkStatus::AlreadyLinked);
    }
}

#[tokio::test]
async fn a_restored_file_is_what_is_read_listed_imported_into_examined_and_closed() {
    enum Next {
        Read,
        List,
        Import,
        Examine,
        Close,
    }
    for next in [Next::Read, Next::List, Next::Import, Next::Examine, Next::Close] {
        let (office, backup) = linked_since_the_backup().await;
        // Both connections are open.
        office.service.read(Some(conversation(1)), CallOptions::default()).await.unwrap();
        fs::rename(&backup, &office.path).unwrap();
        match next {
            Next::Read => {
                let read = office.service.read(Some(conversation(1)), CallOptions::default()).await.unwrap();
                assert_eq!((read.conversation.customer, read.subject.as_deref()), (None, Some("restored")));
            }
            Next::List => {
                let all = Listing::new(ConversationQuery::default(), None);
                let (listed, _) = office.service.list(all, CallOptions::default()).await.unwrap();
                assert!(listed.iter().all(|found| found.conversation.customer.is_none()));
            }
            Next::Import => assert_eq!(office.imported(active([MISSING], "restored")).await.inserted, 1),
            Next::Examine => assert!(office.service.diagnose(CallOptions::default()).await.unwrap().is_healthy()),
            Next::Close => {}
        }
        office.service.close().await.unwrap();
        is_restored(&office.path, &[]);
    }
}

#[tokio::test]
async fn a_file_that_is_replaced_again_and_again_is_followed_each_time() {
    let (office, backup) = linked_since_the_backup().await;
    for number in 1..10 {
        let copy = beside(&backup, &number.to_string());
        fs::copy(&backup, &copy).unwrap();
        fs::rename(&copy, &office.path).unwrap();
        assert_eq!(office.linked(number, account(number)).await, LinkStatus::Linked);
        is_restored(&office.path, &[(number, account(number))]);
    }
}

#[tokio::test]
async fn what_was_confirmed_in_a_file_that_is_moved_away_is_in_it() {
    for (returns, is_only_read) in [(false, false), (false, true), (true, false), (true, true)] {
        let (mut office, backup) = linked_since_the_backup().await;
        let linked = office.clone();
        if is_only_read {
            // Only the connection that reads is open, on a log that another client left.
            office = Office::at(&linked.path);
            office.service.read(Some(conversation(1)), CallOptions::default()).await.unwrap();
            linked.service.close().await.unwrap();
            assert!(fs::metadata(beside(&office.path, "-wal")).unwrap().len() > 0);
        }
        let aside = beside(&office.path, ".aside");
        fs::rename(&office.path, &aside).unwrap();
        if returns {
            assert_eq!(office.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotFound);
            fs::rename(&aside, &office.path).unwrap();
            assert_eq!(office.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
        } else {
            fs::rename(&backup, &office.path).unwrap();
            assert_eq!(office.linked(1, account(1)).await, LinkStatus::Linked);
            is_restored(&office.path, &[(1, account(1))]);
            let aside = Office::at(&aside);
            for number in 1..20 {
                assert_eq!(aside.linked(number, account(number)).await, LinkStatus::AlreadyLinked);
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_is_restored_after_it_was_missed_is_not_given_the_old_log() {
    let (office, backup) = linked_since_the_backup().await;
    fs::remove_file(&office.path).unwrap();
    assert_eq!(office.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotFound);
    fs::rename(&backup, &office.path).unwrap();
    assert_eq!(office.linked(2, account(2)).await, LinkStatus::Linked);
    is_restored(&office.path, &[(2, account(2))]);
}

#[tokio::test]
async fn a_commit_into_a_file_that_is_being_replaced_is_not_confirmed() {
    let (office, backup) = linked_since_the_backup().await;
    let gate = office.disk.hold(Step::LogSync);
    let link = office.link(30, incident(30));
    let held = gate.entered();
    fs::rename(&backup, &office.path).unwrap();
    drop((held, gate));
    let error = link.await.unwrap_err();
    office.is_fault(&error, "was replaced", "Call again", true);
    assert!(error.details().maybe_applied, "it is in the file that was replaced");
    assert_eq!(office.linked(30, incident(30)).await, LinkStatus::Linked);
    is_restored(&office.path, &[(30, incident(30))]);
}

#[tokio::test]
async fn an_import_into_a_file_that_is_being_replaced_is_not_confirmed() {
    let (office, backup) = linked_since_the_backup().await;
    let gate = office.disk.hold(Step::LogSync);
    let import = office.import(active([MISSING], "New"));
    let held = gate.entered();
    fs::rename(&backup, &office.path).unwrap();
    drop((held, gate));
    office.is_fault(&import.await.unwrap_err(), "was replaced", "Call again", true);
    assert_eq!(office.slots(MISSING), None);
    is_restored(&office.path, &[]);
}

#[tokio::test]
async fn a_link_that_waits_for_the_lock_of_a_replaced_file_goes_to_the_new_one() {
    let (office, backup) = linked_since_the_backup().await;
    let neighbour = office.stranger(OpenFlags::SQLITE_OPEN_READ_WRITE);
    neighbour.execute_batch("BEGIN IMMEDIATE").unwrap();
    let gate = office.disk.hold(Step::Sleep);
    let link = office.link(30, incident(30));
    let held = gate.entered();
    fs::rename(&backup, &office.path).unwrap();
    neighbour.execute_batch("ROLLBACK").unwrap();
    drop((held, gate));
    drop(neighbour);
    assert_eq!(link.await.unwrap().status, LinkStatus::Linked);
    is_restored(&office.path, &[(30, incident(30))]);
}

#[tokio::test]
async fn a_link_follows_a_symbolic_link_that_points_elsewhere_by_now() {
    let (old, backup) = linked_since_the_backup().await;
    let office = Office::at(&beside(&old.path, ".current"));
    old.service.close().await.unwrap();
    symlink(&old.path, &office.path).unwrap();
    office.linked(20, account(20)).await;
    let turned = beside(&office.path, ".new");
    symlink(&backup, &turned).unwrap();
    fs::rename(&turned, &office.path).unwrap();
    assert_eq!(office.linked(30, incident(30)).await, LinkStatus::Linked);
    is_restored(&backup, &[(30, incident(30))]);
    assert_eq!(Office::at(&old.path).linked(20, account(20)).await, LinkStatus::AlreadyLinked);
    assert!(!beside(&old.path, ".current-wal").exists());
}

#[tokio::test]
async fn a_folder_that_is_replaced_takes_its_file_along() {
    let top = tempfile::tempdir().unwrap();
    let [current, restored, aside] = ["current", "restored", "aside"].map(|name| top.path().join(name));
    let (seeded, backup) = linked_since_the_backup().await;
    seeded.service.close().await.unwrap();
    fs::create_dir(&current).unwrap();
    fs::create_dir(&restored).unwrap();
    fs::copy(&seeded.path, current.join("office.db")).unwrap();
    fs::copy(&backup, restored.join("office.db")).unwrap();
    let office = Office::at(&current.join("office.db"));
    office.linked(20, account(20)).await;
    fs::rename(&current, &aside).unwrap();
    fs::rename(&restored, &current).unwrap();
    assert_eq!(office.linked(30, incident(30)).await, LinkStatus::Linked);
    is_restored(&office.path, &[(30, incident(30))]);
    assert_eq!(Office::at(&aside.join("office.db")).linked(20, account(20)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn a_store_that_is_dropped_without_a_close_leaves_no_log_beside_a_restored_file() {
    let (office, backup) = linked_since_the_backup().await;
    office.service.read(Some(conversation(1)), CallOptions::default()).await.unwrap();
    fs::rename(&backup, &office.path).unwrap();
    let (path, disk, folder) = office.dropped();
    // The threads end after the store was dropped.
    let log = beside(&path, "-wal");
    let mut looks = std::iter::repeat_with(|| {
        std::thread::yield_now();
        log.exists()
    });
    assert!(looks.by_ref().take(10_000_000).any(|is_there| !is_there));
    is_restored(&path, &[]);
    drop((disk, folder));
}

#[tokio::test]
async fn a_link_writes_nothing_into_a_file_that_is_still_being_copied() {
    let (office, backup) = linked_since_the_backup().await;
    fs::rename(&office.path, beside(&office.path, ".aside")).unwrap();
    fs::write(&office.path, "").unwrap();
    assert_eq!(office.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotFound);
    assert_eq!(fs::read(&office.path).unwrap(), b"");
    fs::copy(&backup, &office.path).unwrap();
    assert_eq!(office.linked(1, account(1)).await, LinkStatus::Linked);
    is_restored(&office.path, &[(1, account(1))]);
}

#[tokio::test]
async fn a_log_that_is_removed_under_the_store_takes_no_confirmed_link_with_it() {
    for removed in [&["-wal", "-shm"][..], &["-wal"], &["-shm"]] {
        let (office, _) = linked_since_the_backup().await;
        office.service.read(Some(conversation(1)), CallOptions::default()).await.unwrap();
        for suffix in removed {
            fs::remove_file(beside(&office.path, suffix)).unwrap();
        }
        assert_eq!(office.linked(30, incident(30)).await, LinkStatus::Linked, "{removed:?}");
        for number in 1..20 {
            assert_eq!(office.slots(number), Some(only(account(number))), "{removed:?}");
        }
        assert_eq!(office.slots(30), Some(only(incident(30))), "{removed:?}");
    }
}
