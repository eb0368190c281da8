//! Several clients and programs that have the file open while it, or its WAL, is replaced, moved or removed.

use std::fs;

use omnichannel_link::{domain::LinkStatus, error::Code};
use rusqlite::OpenFlags;

use crate::{
    beside,
    embedded::vfs::Step,
    embedded::{DatabaseFixture, account, active, incident, remove_beside},
    is_restored, linked_since_the_backup,
};

#[tokio::test]
async fn every_client_of_a_replaced_file_follows_it() {
    for removed in [&[][..], &["-wal", "-shm"]] {
        let (db, backup) = linked_since_the_backup().await;
        let other = DatabaseFixture::at(&db.path);
        other.linked(20, account(20)).await;
        db.linked(21, account(21)).await;
        fs::rename(&backup, &db.path).unwrap();
        remove_beside(&db.path, removed);
        assert_eq!(db.linked(30, incident(30)).await, LinkStatus::Linked);
        assert_eq!(other.linked(31, incident(31)).await, LinkStatus::Linked);
        assert_eq!(db.linked(31, incident(31)).await, LinkStatus::AlreadyLinked);
        is_restored(&db.path, &[(30, incident(30)), (31, incident(31))]);
        db.service.close().await.unwrap();
        other.service.close().await.unwrap();
        is_restored(&db.path, &[(30, incident(30)), (31, incident(31))]);
    }
}

#[tokio::test]
async fn a_restored_file_that_another_program_opened_with_the_old_wal_is_not_changed() {
    let (db, backup) = linked_since_the_backup().await;
    fs::rename(&backup, &db.path).unwrap();
    let other = db.other_reader();
    let _no_waiting = db.disk.fail(Step::Sleep, 0);
    for _ in 0..2 {
        let error = db.link(30, incident(30)).await.unwrap_err();
        db.is_store_error(&error, "has the new file open", "restore it again", true);
        assert!(!error.details().maybe_applied);
    }
    assert!(beside(&db.path, "-wal").exists());
    // Restored again as the hint says, after the other program has ended.
    drop(other);
    let (_again, backup) = linked_since_the_backup().await;
    fs::copy(&backup, beside(&db.path, ".again")).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(&db.path, suffix));
    }
    fs::rename(beside(&db.path, ".again"), &db.path).unwrap();
    assert_eq!(db.linked(30, incident(30)).await, LinkStatus::Linked);
    is_restored(&db.path, &[(30, incident(30))]);
}

#[tokio::test]
async fn a_file_that_is_moved_to_another_clients_path_keeps_its_confirmed_links() {
    for noticed_first in [true, false] {
        let (db, _) = linked_since_the_backup().await;
        let (other, _) = linked_since_the_backup().await;
        other.linked(20, account(20)).await;
        fs::rename(&other.path, &db.path).unwrap();
        if noticed_first {
            assert_eq!(other.link(21, account(21)).await.unwrap_err().code(), Code::ConversationNotFound);
        } else {
            let _no_waiting = db.disk.fail(Step::Sleep, 0);
            let error = db.link(21, account(21)).await.unwrap_err();
            db.is_store_error(&error, "has the new file open", "Close it", true);
            other.service.close().await.unwrap();
        }
        db.has_links(1..=20).await;
        db.service.close().await.unwrap();
        let checker = db.other_connection(OpenFlags::SQLITE_OPEN_READ_ONLY);
        assert_eq!(checker.query_row("PRAGMA integrity_check", [], |row| row.get(0)), Ok("ok".to_owned()));
    }
}

#[tokio::test]
async fn the_last_client_of_a_moved_file_checkpoints_it() {
    let (db, backup) = linked_since_the_backup().await;
    let other = DatabaseFixture::at(&db.path);
    other.linked(20, account(20)).await;
    let aside = beside(&db.path, ".aside");
    fs::rename(&db.path, &aside).unwrap();
    fs::rename(&backup, &db.path).unwrap();
    db.linked(30, incident(30)).await;
    other.linked(31, incident(31)).await;
    is_restored(&db.path, &[(30, incident(30)), (31, incident(31))]);
    let aside = DatabaseFixture::at(&aside);
    aside.has_links(1..=20).await;
}

#[tokio::test]
async fn a_file_that_is_moved_back_under_two_clients_keeps_all_links() {
    let (db, _) = linked_since_the_backup().await;
    let other = DatabaseFixture::at(&db.path);
    other.linked(20, account(20)).await;
    let aside = beside(&db.path, ".aside");
    fs::rename(&db.path, &aside).unwrap();
    assert_eq!(db.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotFound);
    let error = db.import(active([1], "New")).await.unwrap_err();
    db.is_store_error(&error, "still has it open", "Close", true);
    fs::rename(&aside, &db.path).unwrap();
    for number in 1..=20 {
        assert_eq!(db.linked(number, account(number)).await, LinkStatus::AlreadyLinked);
        assert_eq!(other.linked(number, account(number)).await, LinkStatus::AlreadyLinked);
    }
}

#[tokio::test]
async fn a_file_of_another_client_that_is_moved_here_with_its_wal_is_complete() {
    let (db, _) = linked_since_the_backup().await;
    let (other, _) = linked_since_the_backup().await;
    other.linked(20, account(20)).await;
    // Moved with its WAL, as SQLite's documentation requires.
    for suffix in ["-wal", "-shm", ""] {
        fs::rename(beside(&other.path, suffix), beside(&db.path, suffix)).unwrap();
    }
    assert_eq!(db.linked(20, account(20)).await, LinkStatus::AlreadyLinked);
    assert_eq!(other.link(21, account(21)).await.unwrap_err().code(), Code::ConversationNotFound);
    assert_eq!(db.linked(21, account(21)).await, LinkStatus::Linked);
    other.service.close().await.unwrap();
    db.service.close().await.unwrap();
    let db = DatabaseFixture::at(&db.path);
    assert_eq!(db.linked(20, account(20)).await, LinkStatus::AlreadyLinked);
    assert_eq!(db.linked(21, account(21)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn a_file_with_two_hard_links_is_not_written() {
    let (db, backup) = linked_since_the_backup().await;
    let restored = beside(&db.path, ".restored");
    fs::hard_link(&backup, &restored).unwrap();
    fs::rename(&restored, &db.path).unwrap();
    db.all_fail("hard link", "Remove the other name", false).await;
    is_restored(&backup, &[]);
    fs::remove_file(&backup).unwrap();
    assert_eq!(db.linked(30, incident(30)).await, LinkStatus::Linked);
    is_restored(&db.path, &[(30, incident(30))]);
}

#[tokio::test]
async fn a_file_that_gets_a_second_hard_link_is_no_longer_written() {
    let (db, _) = linked_since_the_backup().await;
    let second = beside(&db.path, ".second");
    for _ in 0..2 {
        fs::hard_link(&db.path, &second).unwrap();
        db.all_fail("hard link", "Remove the other name", false).await;
        let read = db.read(1).await.unwrap();
        assert_eq!(read.conversation.customer, Some(account(1)));
        db.all_fail("hard link", "Remove the other name", false).await;
        fs::remove_file(&second).unwrap();
        db.linked(30, incident(30)).await;
    }
    db.shows_links(1..20);
}

#[tokio::test]
async fn a_wal_index_that_is_removed_under_two_clients_does_not_separate_them() {
    let (db, _) = linked_since_the_backup().await;
    let other = DatabaseFixture::at(&db.path);
    other.linked(20, account(20)).await;
    remove_beside(&db.path, &["-shm"]);
    let error = db.link(30, incident(30)).await.unwrap_err();
    db.is_store_error(&error, "was removed", "Close that client", true);
    assert!(!error.details().maybe_applied);
    // Each client notices it by itself. After the last one, both can write again.
    assert_eq!(other.linked(31, incident(31)).await, LinkStatus::Linked);
    assert_eq!(db.linked(30, incident(30)).await, LinkStatus::Linked);
    db.shows_links(1..=20);
}

#[tokio::test]
async fn a_moved_file_that_another_program_reads_loses_no_confirmed_link() {
    for closes in [false, true] {
        let (db, backup) = linked_since_the_backup().await;
        let reader = db.other_reader();
        let aside = beside(&db.path, ".aside");
        fs::rename(&db.path, &aside).unwrap();
        fs::rename(&backup, &db.path).unwrap();
        for _ in 0..2 {
            db.is_store_error(&db.link(30, incident(30)).await.unwrap_err(), "still has it open", "Close", true);
        }
        if closes {
            db.service.close().await.unwrap();
            drop(reader);
            fs::rename(beside(&db.path, "-wal.old"), beside(&aside, "-wal")).unwrap();
            assert!(!beside(&db.path, "-wal").exists());
            is_restored(&db.path, &[]);
        } else {
            drop(reader);
            assert_eq!(db.linked(30, incident(30)).await, LinkStatus::Linked);
            is_restored(&db.path, &[(30, incident(30))]);
        }
        let aside = DatabaseFixture::at(&aside);
        aside.has_links(1..20).await;
    }
}

#[tokio::test]
async fn a_file_that_another_program_reads_can_be_replaced() {
    let (db, backup) = linked_since_the_backup().await;
    let reader = db.other_reader();
    fs::rename(&backup, &db.path).unwrap();
    assert_eq!(db.linked(30, incident(30)).await, LinkStatus::Linked);
    drop(reader);
    is_restored(&db.path, &[(30, incident(30))]);
}
