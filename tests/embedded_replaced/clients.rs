//! Several clients and programs that have the file open when it is replaced, moved or loses its log.

use std::fs;

use omnichannel_link::{
    domain::{CallOptions, LinkStatus},
    error::Code,
};
use rusqlite::OpenFlags;

use crate::{
    beside,
    embedded::{Office, account, active, conversation, incident, only},
    is_restored, linked_since_the_backup,
    vfs::Step,
};

#[tokio::test]
async fn every_client_of_a_replaced_file_follows_it() {
    for left in [true, false] {
        let (office, backup) = linked_since_the_backup().await;
        let other = Office::at(&office.path);
        other.linked(20, account(20)).await;
        office.linked(21, account(21)).await;
        fs::rename(&backup, &office.path).unwrap();
        if !left {
            for suffix in ["-wal", "-shm"] {
                fs::remove_file(beside(&office.path, suffix)).unwrap();
            }
        }
        assert_eq!(office.linked(30, incident(30)).await, LinkStatus::Linked);
        assert_eq!(other.linked(31, incident(31)).await, LinkStatus::Linked);
        assert_eq!(office.linked(31, incident(31)).await, LinkStatus::AlreadyLinked);
        is_restored(&office.path, &[(30, incident(30)), (31, incident(31))]);
        office.service.close().await.unwrap();
        other.service.close().await.unwrap();
        is_restored(&office.path, &[(30, incident(30)), (31, incident(31))]);
    }
}

#[tokio::test]
async fn a_restored_file_that_another_program_opened_with_the_old_log_is_left_alone() {
    let (office, backup) = linked_since_the_backup().await;
    fs::rename(&backup, &office.path).unwrap();
    let other = office.stranger(OpenFlags::SQLITE_OPEN_READ_WRITE);
    other.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
    let _no_waiting = office.disk.answer(Step::Sleep, 0);
    for _ in 0..2 {
        let error = office.link(30, incident(30)).await.unwrap_err();
        office.is_fault(&error, "has the new file open", "restore it again", true);
        assert!(!error.details().maybe_applied);
    }
    assert!(beside(&office.path, "-wal").exists());
    // Restored again as the hint says, with the other program ended.
    drop(other);
    let (_again, backup) = linked_since_the_backup().await;
    fs::copy(&backup, beside(&office.path, ".again")).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(&office.path, suffix));
    }
    fs::rename(beside(&office.path, ".again"), &office.path).unwrap();
    assert_eq!(office.linked(30, incident(30)).await, LinkStatus::Linked);
    is_restored(&office.path, &[(30, incident(30))]);
}

#[tokio::test]
async fn a_file_that_is_moved_to_another_clients_path_takes_its_confirmed_links_along() {
    for noticed_first in [true, false] {
        let (office, _) = linked_since_the_backup().await;
        let (other, _) = linked_since_the_backup().await;
        other.linked(20, account(20)).await;
        fs::rename(&other.path, &office.path).unwrap();
        if noticed_first {
            assert_eq!(other.link(21, account(21)).await.unwrap_err().code(), Code::ConversationNotFound);
        } else {
            let _no_waiting = office.disk.answer(Step::Sleep, 0);
            let error = office.link(21, account(21)).await.unwrap_err();
            office.is_fault(&error, "has the new file open", "Close it", true);
            other.service.close().await.unwrap();
        }
        for number in 1..=20 {
            assert_eq!(office.linked(number, account(number)).await, LinkStatus::AlreadyLinked);
        }
        office.service.close().await.unwrap();
        let sound = office.stranger(OpenFlags::SQLITE_OPEN_READ_ONLY);
        assert_eq!(sound.query_row("PRAGMA integrity_check", [], |row| row.get(0)), Ok("ok".to_owned()));
    }
}

#[tokio::test]
async fn the_last_client_of_a_file_that_was_moved_away_completes_it() {
    let (office, backup) = linked_since_the_backup().await;
    let other = Office::at(&office.path);
    other.linked(20, account(20)).await;
    let aside = beside(&office.path, ".aside");
    fs::rename(&office.path, &aside).unwrap();
    fs::rename(&backup, &office.path).unwrap();
    office.linked(30, incident(30)).await;
    other.linked(31, incident(31)).await;
    is_restored(&office.path, &[(30, incident(30)), (31, incident(31))]);
    let aside = Office::at(&aside);
    for number in 1..=20 {
        assert_eq!(aside.linked(number, account(number)).await, LinkStatus::AlreadyLinked);
    }
}

#[tokio::test]
async fn a_file_that_two_clients_miss_keeps_all_when_it_returns() {
    let (office, _) = linked_since_the_backup().await;
    let other = Office::at(&office.path);
    other.linked(20, account(20)).await;
    let aside = beside(&office.path, ".aside");
    fs::rename(&office.path, &aside).unwrap();
    assert_eq!(office.link(1, account(1)).await.unwrap_err().code(), Code::ConversationNotFound);
    let error = office.import(active([1], "New")).await.unwrap_err();
    office.is_fault(&error, "still has it open", "Close", true);
    fs::rename(&aside, &office.path).unwrap();
    for number in 1..=20 {
        assert_eq!(office.linked(number, account(number)).await, LinkStatus::AlreadyLinked);
        assert_eq!(other.linked(number, account(number)).await, LinkStatus::AlreadyLinked);
    }
}

#[tokio::test]
async fn a_file_of_another_client_that_is_moved_here_is_read_whole() {
    let (office, _) = linked_since_the_backup().await;
    let (other, _) = linked_since_the_backup().await;
    other.linked(20, account(20)).await;
    // Moved with its log, as SQLite's documentation asks for.
    for suffix in ["-wal", "-shm", ""] {
        fs::rename(beside(&other.path, suffix), beside(&office.path, suffix)).unwrap();
    }
    assert_eq!(office.linked(20, account(20)).await, LinkStatus::AlreadyLinked);
    assert_eq!(other.link(21, account(21)).await.unwrap_err().code(), Code::ConversationNotFound);
    assert_eq!(office.linked(21, account(21)).await, LinkStatus::Linked);
    other.service.close().await.unwrap();
    office.service.close().await.unwrap();
    let office = Office::at(&office.path);
    assert_eq!(office.linked(20, account(20)).await, LinkStatus::AlreadyLinked);
    assert_eq!(office.linked(21, account(21)).await, LinkStatus::AlreadyLinked);
}

#[tokio::test]
async fn a_file_with_two_names_is_not_written_because_each_name_would_have_a_log() {
    let (office, backup) = linked_since_the_backup().await;
    let restored = beside(&office.path, ".restored");
    fs::hard_link(&backup, &restored).unwrap();
    fs::rename(&restored, &office.path).unwrap();
    office.all_fail("hard link", "Remove the other name", false).await;
    is_restored(&backup, &[]);
    fs::remove_file(&backup).unwrap();
    assert_eq!(office.linked(30, incident(30)).await, LinkStatus::Linked);
    is_restored(&office.path, &[(30, incident(30))]);
}

#[tokio::test]
async fn a_file_that_is_given_a_second_name_is_no_longer_written() {
    let (office, _) = linked_since_the_backup().await;
    let second = beside(&office.path, ".second");
    for _ in 0..2 {
        fs::hard_link(&office.path, &second).unwrap();
        office.all_fail("hard link", "Remove the other name", false).await;
        let read = office.service.read(Some(conversation(1)), CallOptions::default()).await.unwrap();
        assert_eq!(read.conversation.customer, Some(account(1)));
        office.all_fail("hard link", "Remove the other name", false).await;
        fs::remove_file(&second).unwrap();
        office.linked(30, incident(30)).await;
    }
    for number in 1..20 {
        assert_eq!(office.slots(number), Some(only(account(number))));
    }
}

#[tokio::test]
async fn an_index_that_is_removed_under_two_clients_splits_them_into_no_two_groups() {
    let (office, _) = linked_since_the_backup().await;
    let other = Office::at(&office.path);
    other.linked(20, account(20)).await;
    fs::remove_file(beside(&office.path, "-shm")).unwrap();
    let error = office.link(30, incident(30)).await.unwrap_err();
    office.is_fault(&error, "was removed", "Close that client", true);
    assert!(!error.details().maybe_applied);
    // Every client notices by itself, and the last one that does finds the way free.
    assert_eq!(other.linked(31, incident(31)).await, LinkStatus::Linked);
    assert_eq!(office.linked(30, incident(30)).await, LinkStatus::Linked);
    for number in 1..=20 {
        assert_eq!(office.slots(number), Some(only(account(number))));
    }
}

#[tokio::test]
async fn a_moved_file_that_another_program_reads_loses_no_confirmed_link() {
    for closes in [false, true] {
        let (office, backup) = linked_since_the_backup().await;
        let reader = office.stranger(OpenFlags::SQLITE_OPEN_READ_WRITE);
        reader.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
        let aside = beside(&office.path, ".aside");
        fs::rename(&office.path, &aside).unwrap();
        fs::rename(&backup, &office.path).unwrap();
        for _ in 0..2 {
            office.is_fault(&office.link(30, incident(30)).await.unwrap_err(), "still has it open", "Close", true);
        }
        if closes {
            office.service.close().await.unwrap();
            drop(reader);
            fs::rename(beside(&office.path, "-wal.old"), beside(&aside, "-wal")).unwrap();
            assert!(!beside(&office.path, "-wal").exists());
            is_restored(&office.path, &[]);
        } else {
            drop(reader);
            assert_eq!(office.linked(30, incident(30)).await, LinkStatus::Linked);
            is_restored(&office.path, &[(30, incident(30))]);
        }
        let aside = Office::at(&aside);
        for number in 1..20 {
            assert_eq!(aside.linked(number, account(number)).await, LinkStatus::AlreadyLinked);
        }
    }
}

#[tokio::test]
async fn a_file_that_another_program_reads_is_replaced_by_a_move_over_it() {
    let (office, backup) = linked_since_the_backup().await;
    let reader = office.stranger(OpenFlags::SQLITE_OPEN_READ_WRITE);
    reader.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
    fs::rename(&backup, &office.path).unwrap();
    assert_eq!(office.linked(30, incident(30)).await, LinkStatus::Linked);
    drop(reader);
    is_restored(&office.path, &[(30, incident(30))]);
}
