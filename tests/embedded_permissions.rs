//! Permissions of the database file: one that cannot be written is read, changes are followed, and a new file is for its owner alone.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "support/embedded.rs"]
#[allow(dead_code, reason = "shared by several suites")]
mod embedded;
#[path = "support/vfs.rs"]
#[allow(dead_code, reason = "shared by several suites")]
mod vfs;

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use omnichannel_link::{
    domain::{CallOptions, CheckOutcome, ConversationDetails, ConversationQuery, LinkStatus, Listing, RecordReference},
    error::{Code, LinkError},
};
use rusqlite::{Connection, OpenFlags, ffi};

use self::{
    embedded::{Office, SEEDED, account, active, conversation, incident},
    vfs::Step,
};

const ALL: u32 = 0o600;
const READ: u32 = 0o400;

/// Permissions mean nothing to root: as root, runs the test of this name in a process of another user, and `false` says that it is done.
fn is_unprivileged(test: &str) -> bool {
    if tempfile::tempfile().unwrap().metadata().unwrap().uid() != 0 {
        return true;
    }
    // The kernel's name for this program, which any user may run.
    let mut child = Command::new("/proc/self/exe");
    let child = child.args(["--exact", test]).uid(65_534).gid(65_534).output().unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&child.stderr));
    false
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn files(office: &Office) -> Vec<String> {
    let entries = fs::read_dir(office.path.parent().unwrap()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn read(office: &Office, number: u16) -> Result<ConversationDetails, LinkError> {
    office.service.read(Some(conversation(number)), CallOptions::default()).await
}

async fn customer(office: &Office, number: u16) -> Option<RecordReference> {
    read(office, number).await.unwrap().conversation.customer
}

/// A closed store with one link, and a new one on its file.
async fn linked() -> Office {
    let office = Office::seeded().await;
    office.linked(1, account(1)).await;
    office.reopened().await
}

#[tokio::test]
async fn the_database_is_for_its_owner_alone_and_so_is_what_lies_beside_it() {
    let office = Office::seeded().await;
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&beside(&office.path, suffix)), 0o600, "{suffix}");
    }
    // One that was made otherwise on purpose stays so.
    let office = linked().await;
    chmod(&office.path, 0o640);
    office.linked(2, account(2)).await;
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&beside(&office.path, suffix)), 0o640, "{suffix}");
    }
}

#[tokio::test]
async fn a_read_only_file_is_read_and_nothing_is_left_beside_it() {
    if !is_unprivileged("a_read_only_file_is_read_and_nothing_is_left_beside_it") {
        return;
    }
    let office = linked().await;
    chmod(&office.path, READ);
    assert_eq!(customer(&office, 1).await, Some(account(1)));
    let all = Listing::new(ConversationQuery::default(), None);
    let (listed, _) = office.service.list(all, CallOptions::default()).await.unwrap();
    assert_eq!(listed.len(), usize::from(SEEDED) + 1);
    let dry = CallOptions { dry_run: true, ..CallOptions::default() };
    office.service.unlink(account(1), Some(conversation(1)), dry).await.unwrap();
    office.all_fail("cannot be written", "office.db is read-only: give this user write permission", false).await;
    let report = office.service.diagnose(CallOptions::default()).await.unwrap();
    let writable = &report.checks[3].outcome;
    assert!(
        matches!(writable, CheckOutcome::Failed { fix, .. } if fix.contains("office.db is read-only")),
        "{writable:?}"
    );
    assert_eq!(files(&office), ["office.db"]);
    // The next call of the same client notices.
    chmod(&office.path, ALL);
    assert_eq!(office.linked(2, account(2)).await, LinkStatus::Linked);
    assert_eq!(customer(&office, 2).await, Some(account(2)));
}

#[tokio::test]
async fn a_file_in_a_read_only_folder_is_read() {
    if !is_unprivileged("a_file_in_a_read_only_folder_is_read") {
        return;
    }
    for file in [ALL, READ] {
        let office = linked().await;
        let folder = office.path.parent().unwrap().to_owned();
        chmod(&office.path, file);
        chmod(&folder, 0o500);
        assert_eq!(customer(&office, 1).await, Some(account(1)));
        let refused = office.link(2, account(2)).await.unwrap_err();
        assert_eq!((refused.code(), refused.details().maybe_applied), (Code::Store, false));
        chmod(&folder, 0o700);
        chmod(&office.path, ALL);
        assert_eq!(office.linked(2, account(2)).await, LinkStatus::Linked);
        assert_eq!(customer(&office, 2).await, Some(account(2)));
    }
}

#[tokio::test]
async fn a_read_only_file_that_another_program_writes_is_read_as_it_is() {
    if !is_unprivileged("a_read_only_file_that_another_program_writes_is_read_as_it_is") {
        return;
    }
    let office = linked().await;
    let neighbour = Office::at(&office.path);
    neighbour.linked(2, account(2)).await;
    chmod(&office.path, READ);
    for number in 3..20 {
        neighbour.linked(number, account(number)).await;
        assert_eq!(customer(&office, number).await, Some(account(number)));
    }
    // What a writer that was killed left in its log counts as well.
    let copy = tempfile::tempdir().unwrap();
    let copied = Office::at(&copy.path().join("office.db"));
    for suffix in ["", "-wal", "-shm"] {
        let file = beside(&copied.path, suffix);
        fs::copy(beside(&office.path, suffix), &file).unwrap();
        chmod(&file, READ);
    }
    chmod(copy.path(), 0o500);
    assert_eq!(customer(&copied, 19).await, Some(account(19)));
    chmod(copy.path(), 0o700);
    fs::remove_file(beside(&copied.path, "-shm")).unwrap();
    chmod(copy.path(), 0o500);
    // Without the index the log cannot be read, and the file alone would be an old state.
    let error = read(&copied, 19).await.unwrap_err();
    copied.is_fault(&error, "cannot be opened", "files beside it", false);
    chmod(copy.path(), 0o700);
}

#[tokio::test]
async fn a_log_or_index_left_read_only_is_named_until_it_can_be_written() {
    if !is_unprivileged("a_log_or_index_left_read_only_is_named_until_it_can_be_written") {
        return;
    }
    for suffix in ["-shm", "-wal"] {
        let office = linked().await;
        office.linked(2, account(2)).await;
        let copy = tempfile::tempdir().unwrap();
        let copied = Office::at(&copy.path().join("office.db"));
        for suffix in ["", "-wal", "-shm"] {
            fs::copy(beside(&office.path, suffix), beside(&copied.path, suffix)).unwrap();
        }
        chmod(&beside(&copied.path, suffix), READ);
        assert_eq!(customer(&copied, 2).await, Some(account(2)));
        let error = copied.link(3, account(3)).await.unwrap_err();
        copied.is_fault(&error, "cannot be written", &format!("office.db{suffix} is read-only"), false);
        assert_eq!(customer(&copied, 2).await, Some(account(2)));
        let report = copied.service.diagnose(CallOptions::default()).await.unwrap();
        assert!(!report.is_healthy(), "{suffix}");
        chmod(&beside(&copied.path, suffix), ALL);
        assert_eq!(copied.linked(3, account(3)).await, LinkStatus::Linked);
        assert!(copied.service.diagnose(CallOptions::default()).await.unwrap().is_healthy());
    }
}

#[tokio::test]
async fn an_old_file_that_cannot_be_written_says_why_it_cannot_be_read() {
    let office = linked().await;
    let stranger = Connection::open(&office.path).unwrap();
    stranger.execute_batch("PRAGMA user_version = 2; DROP INDEX conversation_as_listed").unwrap();
    stranger.execute_batch("ALTER TABLE conversation DROP COLUMN listed_by").unwrap();
    drop(stranger);
    let read_only = office.disk.answer(Step::OpenForWriting, ffi::SQLITE_READONLY);
    let error = read(&office, 1).await.unwrap_err();
    assert!(error.message().contains("older version"), "{error}");
    drop(read_only);
    assert_eq!(customer(&office, 1).await, Some(account(1)));
}

#[tokio::test]
async fn a_failing_open_of_any_kind_is_over_with_the_next_call() {
    let mut office = linked().await;
    for _ in 0..3 {
        office = office.reopened().await;
        let read_only = office.disk.answer(Step::OpenForWriting, ffi::SQLITE_READONLY);
        assert_eq!(customer(&office, 1).await, Some(account(1)));
        office.all_fail("cannot be written", "write permission", false).await;
        assert_eq!(customer(&office, 1).await, Some(account(1)));
        drop(read_only);
        assert_eq!(office.imported(active([1], "New")).await.updated, 1);
        office.linked(2, incident(2)).await;
        office.unlink(2, incident(2)).await.unwrap();
        office.service.read(Some(conversation(1)), CallOptions::default()).await.unwrap();
        let stranger = office.stranger(OpenFlags::SQLITE_OPEN_READ_ONLY);
        assert_eq!(stranger.query_row("SELECT count(*) FROM conversation", [], |row| row.get(0)), Ok(SEEDED + 1));
    }
}

#[tokio::test]
async fn a_device_is_no_database() {
    let office = Office::at(Path::new("/dev/null"));
    office.all_fail("a device", "must name a file", false).await;
    assert_eq!(read(&office, 1).await.unwrap_err().code(), Code::Store);
}
