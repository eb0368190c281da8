//! A database file that is replaced while a store has it open. The store notices before it confirms a commit, and neither file is damaged.
//!
//! Unix only: on Windows no program can rename or delete a file that SQLite has open.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod clients;
#[path = "../support/embedded.rs"]
mod embedded;

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use omnichannel_link::{
    domain::{CallOptions, LinkStatus, RecordReference},
    error::Code,
};
use rusqlite::{Connection, OpenFlags};

use self::embedded::{
    DatabaseFixture, MISSING, UNLINKED, account, active, beside, conversation, incident, only, remove_beside, sql,
    vfs::Step,
};

/// A copy of the database, as a backup program makes it. Its subjects differ from the original.
fn backup(db: &DatabaseFixture) -> PathBuf {
    let copy = beside(&db.path, ".backup");
    db.other_connection(OpenFlags::SQLITE_OPEN_READ_ONLY).execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    sql(&copy, "UPDATE conversation SET subject = 'restored'; PRAGMA journal_mode = wal");
    copy
}

/// A seeded store with confirmed links that are only in its WAL, and a backup from before the links.
async fn linked_since_the_backup() -> (DatabaseFixture, PathBuf) {
    let db = DatabaseFixture::seeded().await;
    let backup = backup(&db);
    for number in 1..20 {
        db.linked(number, account(number)).await;
    }
    (db, backup)
}

/// Checks that the file at the path is the intact backup with only these links.
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
async fn a_restored_file_takes_the_next_link_whatever_is_left_of_the_old_wal() {
    for removed in [&[][..], &["-shm"], &["-wal"], &["-wal", "-shm"]] {
        let (db, backup) = linked_since_the_backup().await;
        fs::rename(&backup, &db.path).unwrap();
        remove_beside(&db.path, removed);
        assert_eq!(db.linked(30, incident(30)).await, LinkStatus::Linked, "{removed:?}");
        assert_eq!(db.slots(1), Some(UNLINKED), "{removed:?}");
        assert_eq!(db.slots(30), Some(only(incident(30))), "{removed:?}");
        is_restored(&db.path, &[(30, incident(30))]);
        let db = db.reopened().await;
        is_restored(&db.path, &[(30, incident(30))]);
        assert_eq!(db.linked(30, incident(30)).await, LinkStatus::AlreadyLinked);
    }
}

#[tokio::test]
async fn every_call_uses_the_restored_file() {
    enum Next {
        Read,
        List,
        Import,
        Diagnose,
        Close,
    }
    for next in [Next::Read, Next::List, Next::Import, Next::Diagnose, Next::Close] {
        let (db, backup) = linked_since_the_backup().await;
        // Both connections are open.
        db.read(1).await.unwrap();
        fs::rename(&backup, &db.path).unwrap();
        match next {
            Next::Read => {
                let read = db.read(1).await.unwrap();
                assert_eq!((read.conversation.customer, read.subject.as_deref()), (None, Some("restored")));
            }
            Next::List => {
                let listed = db.list().await.unwrap();
                assert!(listed.iter().all(|found| found.conversation.customer.is_none()));
            }
            Next::Import => assert_eq!(db.imported(active([MISSING], "restored")).await.inserted, 1),
            Next::Diagnose => assert!(db.service.diagnose(CallOptions::default()).await.unwrap().is_healthy()),
            Next::Close => {}
        }
        db.service.close().await.unwrap();
        is_restored(&db.path, &[]);
    }
}

#[tokio::test]
async fn a_file_may_be_replaced_many_times() {
    let (db, backup) = linked_since_the_backup().await;
    for number in 1..10 {
        let copy = beside(&backup, &number.to_string());
        fs::copy(&backup, &copy).unwrap();
        fs::rename(&copy, &db.path).unwrap();
        assert_eq!(db.linked(number, account(number)).await, LinkStatus::Linked);
        is_restored(&db.path, &[(number, account(number))]);
    }
}

#[tokio::test]
async fn a_moved_file_has_all_its_confirmed_links() {
    for (returns, is_only_read) in [(false, false), (false, true), (true, false), (true, true)] {
        let (mut db, backup) = linked_since_the_backup().await;
        let linked = db.clone();
        if is_only_read {
            // Only the reading connection is open, on the WAL of another client.
            db = DatabaseFixture::at(&linked.path);
            db.read(1).await.unwrap();
            linked.service.close().await.unwrap();
            assert!(fs::metadata(beside(&db.path, "-wal")).unwrap().len() > 0);
        }
        let aside = beside(&db.path, ".aside");
        fs::rename(&db.path, &aside).unwrap();
        if returns {
            assert_eq!(db.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotFound);
            fs::rename(&aside, &db.path).unwrap();
            assert_eq!(db.linked(1, account(1)).await, LinkStatus::AlreadyLinked);
        } else {
            fs::rename(&backup, &db.path).unwrap();
            assert_eq!(db.linked(1, account(1)).await, LinkStatus::Linked);
            is_restored(&db.path, &[(1, account(1))]);
            let aside = DatabaseFixture::at(&aside);
            aside.has_links(1..20).await;
        }
    }
}

#[tokio::test]
async fn a_file_that_is_restored_after_a_deletion_does_not_get_the_old_wal() {
    let (db, backup) = linked_since_the_backup().await;
    fs::remove_file(&db.path).unwrap();
    assert_eq!(db.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotFound);
    fs::rename(&backup, &db.path).unwrap();
    assert_eq!(db.linked(2, account(2)).await, LinkStatus::Linked);
    is_restored(&db.path, &[(2, account(2))]);
}

#[tokio::test]
async fn a_commit_into_a_file_that_is_being_replaced_is_not_confirmed() {
    let (db, backup) = linked_since_the_backup().await;
    let gate = db.disk.hold(Step::WalSync);
    let link = db.link(30, incident(30));
    let held = gate.entered();
    fs::rename(&backup, &db.path).unwrap();
    drop((held, gate));
    let error = link.await.unwrap_err();
    db.is_store_error(&error, "was replaced", "Call again", true);
    assert!(error.details().maybe_applied, "the link is in the replaced file");
    assert_eq!(db.linked(30, incident(30)).await, LinkStatus::Linked);
    is_restored(&db.path, &[(30, incident(30))]);
}

#[tokio::test]
async fn an_import_into_a_file_that_is_being_replaced_is_not_confirmed() {
    let (db, backup) = linked_since_the_backup().await;
    let gate = db.disk.hold(Step::WalSync);
    let import = db.import(active([MISSING], "New"));
    let held = gate.entered();
    fs::rename(&backup, &db.path).unwrap();
    drop((held, gate));
    db.is_store_error(&import.await.unwrap_err(), "was replaced", "Call again", true);
    assert_eq!(db.slots(MISSING), None);
    is_restored(&db.path, &[]);
}

#[tokio::test]
async fn a_link_that_waits_for_the_lock_of_a_replaced_file_uses_the_new_one() {
    let (db, backup) = linked_since_the_backup().await;
    let other = db.other_connection(OpenFlags::SQLITE_OPEN_READ_WRITE);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let gate = db.disk.hold(Step::Sleep);
    let link = db.link(30, incident(30));
    let held = gate.entered();
    fs::rename(&backup, &db.path).unwrap();
    other.execute_batch("ROLLBACK").unwrap();
    drop((held, gate));
    drop(other);
    assert_eq!(link.await.unwrap().status, LinkStatus::Linked);
    is_restored(&db.path, &[(30, incident(30))]);
}

#[tokio::test]
async fn a_changed_symbolic_link_is_followed() {
    let (old, backup) = linked_since_the_backup().await;
    let db = DatabaseFixture::at(&beside(&old.path, ".current"));
    old.service.close().await.unwrap();
    symlink(&old.path, &db.path).unwrap();
    db.linked(20, account(20)).await;
    let turned = beside(&db.path, ".new");
    symlink(&backup, &turned).unwrap();
    fs::rename(&turned, &db.path).unwrap();
    assert_eq!(db.linked(30, incident(30)).await, LinkStatus::Linked);
    is_restored(&backup, &[(30, incident(30))]);
    assert_eq!(DatabaseFixture::at(&old.path).linked(20, account(20)).await, LinkStatus::AlreadyLinked);
    assert!(!beside(&old.path, ".current-wal").exists());
}

#[tokio::test]
async fn a_replaced_folder_is_noticed() {
    let top = tempfile::tempdir().unwrap();
    let [current, restored, aside] = ["current", "restored", "aside"].map(|name| top.path().join(name));
    let (seeded, backup) = linked_since_the_backup().await;
    seeded.service.close().await.unwrap();
    fs::create_dir(&current).unwrap();
    fs::create_dir(&restored).unwrap();
    fs::copy(&seeded.path, current.join("links.db")).unwrap();
    fs::copy(&backup, restored.join("links.db")).unwrap();
    let db = DatabaseFixture::at(&current.join("links.db"));
    db.linked(20, account(20)).await;
    fs::rename(&current, &aside).unwrap();
    fs::rename(&restored, &current).unwrap();
    assert_eq!(db.linked(30, incident(30)).await, LinkStatus::Linked);
    is_restored(&db.path, &[(30, incident(30))]);
    assert_eq!(DatabaseFixture::at(&aside.join("links.db")).linked(20, account(20)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn a_store_that_is_dropped_without_a_close_leaves_no_wal_beside_a_restored_file() {
    let (db, backup) = linked_since_the_backup().await;
    db.read(1).await.unwrap();
    fs::rename(&backup, &db.path).unwrap();
    let (path, disk, folder) = db.dropped();
    // The threads end some time after the store was dropped.
    let wal = beside(&path, "-wal");
    let mut checks = std::iter::repeat_with(|| {
        std::thread::yield_now();
        wal.exists()
    });
    assert!(checks.by_ref().take(10_000_000).any(|exists| !exists));
    is_restored(&path, &[]);
    drop((disk, folder));
}

#[tokio::test]
async fn a_link_writes_nothing_into_a_file_that_is_still_being_copied() {
    let (db, backup) = linked_since_the_backup().await;
    fs::rename(&db.path, beside(&db.path, ".aside")).unwrap();
    fs::write(&db.path, "").unwrap();
    assert_eq!(db.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotFound);
    assert_eq!(fs::read(&db.path).unwrap(), b"");
    fs::copy(&backup, &db.path).unwrap();
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::Linked);
    is_restored(&db.path, &[(1, account(1))]);
}

#[tokio::test]
async fn a_wal_that_is_removed_under_the_store_loses_no_confirmed_link() {
    for removed in [&["-wal", "-shm"][..], &["-wal"], &["-shm"]] {
        let (db, _) = linked_since_the_backup().await;
        db.read(1).await.unwrap();
        remove_beside(&db.path, removed);
        assert_eq!(db.linked(30, incident(30)).await, LinkStatus::Linked, "{removed:?}");
        db.shows_links(1..20);
        assert_eq!(db.slots(30), Some(only(incident(30))), "{removed:?}");
    }
}
