//! Permissions of the database file: a read-only file is read, changed permissions are noticed, and only the owner may access a new file.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "support/embedded.rs"]
mod embedded;
#[path = "support/files.rs"]
mod files;

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

use omnichannel_link::{
    domain::{CallOptions, CheckOutcome, LinkStatus, RecordReference},
    error::Code,
};
use rusqlite::{Connection, OpenFlags, ffi};

use self::embedded::{DatabaseFixture, SEEDED, account, active, beside, conversation, incident, vfs::Step};

const ALL: u32 = 0o600;
const READ: u32 = 0o400;

/// False if this is root, who ignores permissions. Then it has run the test with this name in a process of another user.
fn is_unprivileged(test: &str) -> bool {
    if tempfile::tempfile().unwrap().metadata().unwrap().uid() != 0 {
        return true;
    }
    // This path of the program can be executed by any user.
    let mut child = Command::new("/proc/self/exe");
    let child = child.args(["--exact", test]).uid(65_534).gid(65_534).output().unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}{}",
        String::from_utf8_lossy(&child.stderr)
    );
    false
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn files(db: &DatabaseFixture) -> Vec<String> {
    files::names(db.path.parent().unwrap())
}

async fn customer(db: &DatabaseFixture, number: u16) -> Option<RecordReference> {
    db.read(number).await.unwrap().conversation.customer
}

/// A new store on the file of a closed one with one link.
async fn linked() -> DatabaseFixture {
    let db = DatabaseFixture::seeded().await;
    db.linked(1, account(1)).await;
    db.reopened().await
}

#[tokio::test]
async fn only_the_owner_may_access_a_new_database_and_the_files_beside_it() {
    let db = DatabaseFixture::seeded().await;
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&beside(&db.path, suffix)), 0o600, "{suffix}");
    }
}

#[tokio::test]
async fn permissions_that_were_changed_on_purpose_stay() {
    let db = linked().await;
    chmod(&db.path, 0o640);
    db.linked(2, account(2)).await;
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&beside(&db.path, suffix)), 0o640, "{suffix}");
    }
}

#[tokio::test]
async fn a_read_only_file_is_read_and_no_files_are_left_beside_it() {
    if !is_unprivileged("a_read_only_file_is_read_and_no_files_are_left_beside_it") {
        return;
    }
    let db = linked().await;
    chmod(&db.path, READ);
    assert_eq!(customer(&db, 1).await, Some(account(1)));
    let listed = db.list().await.unwrap();
    assert_eq!(listed.len(), usize::from(SEEDED) + 1);
    let dry = CallOptions { dry_run: true, ..CallOptions::default() };
    db.service.unlink(account(1), Some(conversation(1)), dry).await.unwrap();
    assert_eq!(files(&db), ["links.db"]);
}

#[tokio::test]
async fn a_write_to_a_read_only_file_fails_with_the_fix() {
    if !is_unprivileged("a_write_to_a_read_only_file_fails_with_the_fix") {
        return;
    }
    let db = linked().await;
    chmod(&db.path, READ);
    db.all_fail("cannot be written", "links.db is read-only: give this user write permission", false).await;
    assert_eq!(files(&db), ["links.db"]);
}

#[tokio::test]
async fn a_read_only_file_fails_the_diagnosis_with_the_fix() {
    if !is_unprivileged("a_read_only_file_fails_the_diagnosis_with_the_fix") {
        return;
    }
    let db = linked().await;
    chmod(&db.path, READ);
    let report = db.service.diagnose(CallOptions::default()).await.unwrap();
    let writable = &report.checks[3].outcome;
    assert!(
        matches!(writable, CheckOutcome::Failed { fix, .. } if fix.contains("links.db is read-only")),
        "{writable:?}"
    );
    assert_eq!(files(&db), ["links.db"]);
}

#[tokio::test]
async fn a_file_that_becomes_writable_is_noticed_by_the_next_call() {
    if !is_unprivileged("a_file_that_becomes_writable_is_noticed_by_the_next_call") {
        return;
    }
    let db = linked().await;
    chmod(&db.path, READ);
    assert_eq!(customer(&db, 1).await, Some(account(1)));
    db.link(2, account(2)).await.unwrap_err();
    chmod(&db.path, ALL);
    assert_eq!(db.linked(2, account(2)).await, LinkStatus::Linked);
    assert_eq!(customer(&db, 2).await, Some(account(2)));
}

#[tokio::test]
async fn a_file_in_a_read_only_folder_is_read() {
    if !is_unprivileged("a_file_in_a_read_only_folder_is_read") {
        return;
    }
    for file in [ALL, READ] {
        let db = linked().await;
        let folder = db.path.parent().unwrap().to_owned();
        chmod(&db.path, file);
        chmod(&folder, 0o500);
        assert_eq!(customer(&db, 1).await, Some(account(1)));
        let error = db.link(2, account(2)).await.unwrap_err();
        assert_eq!((error.code(), error.details().maybe_applied), (Code::Store, false));
        chmod(&folder, 0o700);
        chmod(&db.path, ALL);
        assert_eq!(db.linked(2, account(2)).await, LinkStatus::Linked);
        assert_eq!(customer(&db, 2).await, Some(account(2)));
    }
}

#[tokio::test]
async fn a_read_only_file_that_another_program_writes_is_read_up_to_date() {
    if !is_unprivileged("a_read_only_file_that_another_program_writes_is_read_up_to_date") {
        return;
    }
    let db = linked().await;
    let other = DatabaseFixture::at(&db.path);
    other.linked(2, account(2)).await;
    chmod(&db.path, READ);
    for number in 3..20 {
        other.linked(number, account(number)).await;
        assert_eq!(customer(&db, number).await, Some(account(number)));
    }
    // The WAL of a killed writer is read too.
    let copy = tempfile::tempdir().unwrap();
    let copied = DatabaseFixture::at(&copy.path().join("links.db"));
    for suffix in ["", "-wal", "-shm"] {
        let file = beside(&copied.path, suffix);
        fs::copy(beside(&db.path, suffix), &file).unwrap();
        chmod(&file, READ);
    }
    chmod(copy.path(), 0o500);
    assert_eq!(customer(&copied, 19).await, Some(account(19)));
    chmod(copy.path(), 0o700);
    fs::remove_file(beside(&copied.path, "-shm")).unwrap();
    chmod(copy.path(), 0o500);
    // The WAL cannot be read without its index, and the file alone would be an old state.
    let error = copied.read(19).await.unwrap_err();
    copied.is_store_error(&error, "cannot be opened", "files beside it", false);
    chmod(copy.path(), 0o700);
}

#[tokio::test]
async fn a_read_only_wal_or_wal_index_is_named_in_the_error() {
    if !is_unprivileged("a_read_only_wal_or_wal_index_is_named_in_the_error") {
        return;
    }
    for suffix in ["-shm", "-wal"] {
        let db = linked().await;
        db.linked(2, account(2)).await;
        let copy = tempfile::tempdir().unwrap();
        let copied = DatabaseFixture::at(&copy.path().join("links.db"));
        for suffix in ["", "-wal", "-shm"] {
            fs::copy(beside(&db.path, suffix), beside(&copied.path, suffix)).unwrap();
        }
        chmod(&beside(&copied.path, suffix), READ);
        assert_eq!(customer(&copied, 2).await, Some(account(2)));
        let error = copied.link(3, account(3)).await.unwrap_err();
        copied.is_store_error(&error, "cannot be written", &format!("links.db{suffix} is read-only"), false);
        assert_eq!(customer(&copied, 2).await, Some(account(2)));
        let report = copied.service.diagnose(CallOptions::default()).await.unwrap();
        assert!(!report.is_healthy(), "{suffix}");
        chmod(&beside(&copied.path, suffix), ALL);
        assert_eq!(copied.linked(3, account(3)).await, LinkStatus::Linked);
        assert!(copied.service.diagnose(CallOptions::default()).await.unwrap().is_healthy());
    }
}

#[tokio::test]
async fn an_old_file_that_cannot_be_migrated_fails_with_the_reason() {
    let db = linked().await;
    let other = Connection::open(&db.path).unwrap();
    let indexes = "DROP TABLE record_value; DROP INDEX conversation_of_agent; DROP INDEX conversation_as_listed";
    other.execute_batch(&format!("PRAGMA user_version = 2; {indexes}")).unwrap();
    other.execute_batch("ALTER TABLE conversation DROP COLUMN listed_by").unwrap();
    drop(other);
    let read_only = db.disk.fail(Step::OpenForWriting, ffi::SQLITE_READONLY);
    let error = db.read(1).await.unwrap_err();
    assert!(error.message().contains("older version"), "{error}");
    drop(read_only);
    assert_eq!(customer(&db, 1).await, Some(account(1)));
}

#[tokio::test]
async fn a_failed_open_does_not_affect_the_next_call() {
    let mut db = linked().await;
    for _ in 0..3 {
        db = db.reopened().await;
        let read_only = db.disk.fail(Step::OpenForWriting, ffi::SQLITE_READONLY);
        assert_eq!(customer(&db, 1).await, Some(account(1)));
        db.all_fail("cannot be written", "write permission", false).await;
        assert_eq!(customer(&db, 1).await, Some(account(1)));
        drop(read_only);
        assert_eq!(db.imported(active([1], "New")).await.updated, 1);
        db.linked(2, incident(2)).await;
        db.unlink(2, incident(2)).await.unwrap();
        db.read(1).await.unwrap();
        let other = db.other_connection(OpenFlags::SQLITE_OPEN_READ_ONLY);
        assert_eq!(other.query_row("SELECT count(*) FROM conversation", [], |row| row.get(0)), Ok(SEEDED + 1));
    }
}

#[tokio::test]
async fn a_device_is_rejected() {
    let db = DatabaseFixture::at(Path::new("/dev/null"));
    db.all_fail("a device", "another database file", false).await;
    assert_eq!(db.read(1).await.unwrap_err().code(), Code::Store);
}
