//! The embedded store's file, in every state it may be found in.

use std::{fs, path::Path, sync::Arc, time::Duration};

use omnichannel_link::{
    domain::{CallOptions, CheckOutcome, LinkService, Report},
    embedded::{EmbeddedStore, Source},
    error::Code,
};
use rusqlite::Connection;
use serde_json::json;

use crate::{
    fixture::named,
    support::{CONVERSATION, clock::TestClock, files},
    vfs::{self, Step},
};

fn service(path: &Path) -> (LinkService, Arc<EmbeddedStore>) {
    let clock = Arc::new(TestClock::default());
    let store = Arc::new(EmbeddedStore::new(path, clock.clone()));
    (LinkService::new(store.clone(), clock, Duration::from_secs(30), None), store)
}

async fn report(path: &Path) -> Report {
    let (service, _) = service(path);
    let report = service.diagnose(CallOptions::default()).await.unwrap();
    service.close().await.unwrap();
    report
}

/// A file with a conversation whose customer was not imported.
async fn filled(path: &Path) {
    let (service, store) = service(path);
    let row = json!({
        "activityid": CONVERSATION, "statuscode": 2, "_msdyn_issueid_value": null,
        "_msdyn_customer_value": "01010101-0101-0101-0101-010101010101",
        "_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname": "account",
    });
    let page = json!({ "@odata.context": "https://x/$metadata#msdyn_ocliveworkitems", "value": [row] });
    let import = |call| Ok(store.import(Source::Text(page.to_string()), None, call));
    service.perform(CallOptions::default(), import).await.unwrap();
    service.close().await.unwrap();
}

#[tokio::test]
async fn a_missing_file_passes_and_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let found = report(&folder.path().join("links.db")).await;
    assert!(found.is_healthy());
    assert_eq!(
        (named(&found, "passed"), named(&found, "skipped")),
        ("file".into(), "database integrity writable contents".into())
    );
    assert_eq!(files::names(folder.path()), [""; 0]);
}

#[tokio::test]
async fn an_undamaged_file_is_counted_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("links.db");
    filled(&path).await;
    let before = fs::read(&path).unwrap();
    let found = report(&path).await;
    assert_eq!(named(&found, "passed"), "file database integrity writable contents");
    let contents = found.checks[4].found();
    assert_eq!(contents, "Conversations: 1. Accounts, contacts and cases: 0. Dangling links: 1.");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(files::names(folder.path()), ["links.db"]);
}

#[tokio::test]
async fn each_fault_of_the_file_fails_its_own_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    filled(&path("damaged")).await;
    let mut bytes = fs::read(path("damaged")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0x5a);
    fs::write(path("damaged"), bytes).unwrap();
    fs::write(path("text"), "This is a text and by no means a database, however long one looks at it.").unwrap();
    Connection::open(path("foreign")).unwrap().execute_batch("CREATE TABLE note (text TEXT)").unwrap();
    filled(&path("newer")).await;
    Connection::open(path("newer")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    filled(&path("without a version")).await;
    Connection::open(path("without a version")).unwrap().pragma_update(None, "user_version", 0).unwrap();
    filled(&path("two names")).await;
    fs::hard_link(path("two names"), path("second name")).unwrap();
    fs::write(path("empty"), "").unwrap();
    for (name, failed, skipped) in [
        ("damaged", "integrity", "contents"),
        ("text", "database", "integrity writable contents"),
        ("foreign", "database", "integrity writable contents"),
        ("newer", "database", "integrity writable contents"),
        ("without a version", "database", "integrity writable contents"),
        #[cfg(unix)]
        ("two names", "writable", ""),
        ("empty", "", "contents"),
        ("missing/links.db", "file", "database integrity writable contents"),
        (".", "file", "database integrity writable contents"),
    ] {
        let found = report(&path(name)).await;
        assert_eq!(
            (named(&found, "failed"), named(&found, "skipped")),
            (failed.into(), skipped.into()),
            "{name} {found:#?}"
        );
        for check in &found.checks {
            let CheckOutcome::Failed { fix, code, .. } = &check.outcome else { continue };
            assert_eq!(*code, Code::Store);
            assert!(!fix.is_empty());
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_path_that_cannot_be_examined_does_not_count_as_absent() {
    use std::os::unix::{fs::symlink, net::UnixListener};

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("file"), "").unwrap();
    symlink(path("loop"), path("loop")).unwrap();
    symlink(path("nowhere/links.db"), path("to a missing folder")).unwrap();
    symlink("relative.db", path("to a missing file")).unwrap();
    symlink("to a missing file", path("twice")).unwrap();
    symlink("file", path("to a file")).unwrap();
    let _socket = UnixListener::bind(path("socket")).unwrap();
    let deep = format!("{0}/{0}/{0}/links.db", "d".repeat(200));
    fs::create_dir_all(path(&deep).parent().unwrap()).unwrap();
    for suffix in ["-wal", "-shm", "-journal"] {
        fs::create_dir(path(&format!("no room{suffix}"))).unwrap();
        fs::write(path(&format!("empty{suffix}")), "").unwrap();
        symlink("nowhere/at all", path(&format!("empty{suffix}{suffix}"))).unwrap();
    }
    for (name, failed) in [
        ("no room", "is in the way"),
        ("empty-wal", "is in the way"),
        ("empty-shm", "is in the way"),
        ("loop", "cannot be accessed"),
        ("loop/links.db", "cannot be accessed"),
        ("file/links.db", "cannot be accessed"),
        ("socket", "is not a regular file"),
        ("to a missing folder", "There is no folder"),
        (&"x".repeat(300), "cannot be accessed"),
        // Too long together with the suffixes of the files that SQLite keeps beside it.
        (&"x".repeat(252), "too long for SQLite"),
        (&deep, "too long for SQLite"),
        ("to a missing file", ""),
        ("twice", ""),
        ("to a file", ""),
        (&"x".repeat(200), ""),
    ] {
        let path = path(name);
        let found = report(&path).await;
        let check = found.checks.iter().find(|check| check.status() == "failed").unwrap_or(&found.checks[0]);
        assert_eq!(
            (check.status(), found.is_healthy()),
            (if failed.is_empty() { "passed" } else { "failed" }, failed.is_empty()),
            "{name} {found:#?}"
        );
        assert!(check.found().contains(failed), "{name} {found:#?}");
        // The report was right.
        let (service, store) = service(&path);
        let page = json!({ "@odata.context": "https://x/$metadata#accounts", "value": [] });
        let import = |call| Ok(store.import(Source::Text(page.to_string()), None, call));
        let imported = service.perform(CallOptions::default(), import).await;
        assert_eq!(imported.is_ok(), failed.is_empty(), "{name} {imported:?}");
        service.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_lock_that_another_program_holds_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("links.db");
    filled(&path).await;
    let disk = vfs::watch(&path);
    let _no_waiting = disk.fail(Step::Sleep, 0);
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let found = report(&path).await;
    assert_eq!((named(&found, "failed"), named(&found, "skipped")), ("writable".into(), String::new()));
    assert_eq!(disk.total(Step::Sleep), 5_000_000, "as long as a link waits, in microseconds");
}
