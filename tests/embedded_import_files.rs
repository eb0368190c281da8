//! Importing files and pipes. A slow or endless one delays only its own import.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "support/embedded.rs"]
mod embedded;

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::PathBuf,
    process::Command,
    sync::Arc,
    thread,
};

use futures_util::FutureExt as _;
use omnichannel_link::{
    domain::{CallOptions, LinkStatus},
    embedded::Source,
    error::Code,
};

use self::embedded::{
    DatabaseFixture, MISSING, UNLINKED, account, active, clock::TestClock, conversation, incident, only, settled,
};

fn in_folder(db: &DatabaseFixture, name: &str) -> PathBuf {
    db.path.with_file_name(name)
}

fn pipe(db: &DatabaseFixture, name: &str) -> PathBuf {
    let path = in_folder(db, name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

fn text(page: Source) -> String {
    let Source::Text(text) = page else { panic!("a page in memory") };
    text
}

fn file(db: &DatabaseFixture, name: &str, page: Source) -> Source {
    let path = in_folder(db, name);
    fs::write(&path, text(page)).unwrap();
    Source::Path(path)
}

const CHILD: &str = "OMNICHANNEL_LINK_TEST_CHILD";

#[tokio::test]
#[ignore = "run as a child process by the test below"]
async fn child_that_opens_all_its_files() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let db = DatabaseFixture::seeded().await.reopened().await;
    let page = || Source::Path(in_folder(&db, "page.json"));
    fs::write(in_folder(&db, "page.json"), text(active([MISSING], "New"))).unwrap();
    let open: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    for _ in 0..2 {
        let linking = db.link(1, account(1)).await.unwrap_err();
        let importing = db.import(page()).await.unwrap_err();
        for error in [linking, importing] {
            assert_eq!((error.code(), error.is_retryable()), (Code::Store, true), "{error:?}");
            assert!(error.details().hint.as_deref().unwrap().contains("ulimit -n"), "{error:?}");
        }
    }
    drop(open);
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::Linked);
    assert_eq!(db.imported(page()).await.inserted, 1);
}

#[test]
fn a_process_without_a_file_descriptor_left_gets_a_retryable_error() {
    let child = Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" --ignored --exact --nocapture child_that_opens_all_its_files"])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:#?}");
}

#[tokio::test]
async fn a_pipe_without_a_writer_delays_only_its_own_import() {
    let db = DatabaseFixture::seeded().await.with_other_clock(Arc::new(TestClock::instant()));
    let silent: Vec<_> =
        (0..10).map(|number| tokio::spawn(db.import(Source::Path(pipe(&db, &format!("silent-{number}")))))).collect();
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::Linked);
    assert_eq!(db.imported(active([MISSING], "New")).await.inserted, 1);
    assert_eq!(db.imported(file(&db, "valid.json", active([MISSING], "New"))).await.updated, 1);
    db.unlink(1, account(1)).await.unwrap();
    // Only closing the client ends these imports.
    db.service.close().await.unwrap();
    for silent in silent {
        let error = silent.await.unwrap().unwrap_err();
        assert_eq!((error.code(), error.details().maybe_applied), (Code::Closed, false), "{error:?}");
        assert!(error.message().contains("silent-"), "{error:?}");
    }
    assert_eq!(db.slots(MISSING), Some(UNLINKED));
}

#[tokio::test]
async fn an_import_fails_when_64_pipes_without_a_writer_are_being_read() {
    let db = DatabaseFixture::seeded().await.with_other_clock(Arc::new(TestClock::instant()));
    let mut silent: Vec<_> =
        (0..64).map(|number| db.import(Source::Path(pipe(&db, &format!("silent-{number}"))))).collect();
    for import in &mut silent {
        assert!(import.as_mut().now_or_never().is_none());
    }
    let valid = || file(&db, "valid.json", active([MISSING], "New"));
    let error = db.import(valid()).await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (Code::Store, true), "{error:?}");
    assert!(error.message().contains("64 other imports"), "{error:?}");
    let large = text(active([MISSING], &"long".repeat(2 * 1024 * 1024)));
    assert_eq!(db.imported(Source::Text(large)).await.inserted, 1);
    // Opening and closing the pipe for writing ends its import.
    drop(File::options().write(true).open(in_folder(&db, "silent-0")).unwrap());
    assert_eq!(silent.swap_remove(0).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(db.imported(valid()).await.updated, 1);
}

#[tokio::test]
async fn a_page_in_memory_is_imported_in_its_turn_unless_it_is_large() {
    for (padding, linked) in [(0, Ok(LinkStatus::Linked)), (4 << 20, Err(Code::ConversationNotFound))] {
        let db = DatabaseFixture::seeded().await;
        let page = text(active([MISSING], "New")) + &" ".repeat(padding);
        let import = db.import(Source::Text(page));
        let link = db.link(MISSING, account(1)).await;
        assert_eq!(link.map(|link| link.status).map_err(|error| error.code()), linked);
        assert_eq!(import.await.unwrap().inserted, 1);
    }
}

#[tokio::test]
async fn a_cancelled_import_stops_reading() {
    let db = DatabaseFixture::seeded().await;
    let path = pipe(&db, "endless");
    let import = tokio::spawn(db.import(Source::Path(path.clone())));
    let (begun, begins) = tokio::sync::oneshot::channel();
    let feeder = thread::spawn(move || {
        let mut pipe = File::create(path)?;
        pipe.write_all(br#"{"@odata.context":"$metadata#accounts","value":["#)?;
        begun.send(()).unwrap();
        let row = format!(r#"{{"accountid":"{}"}},"#, account(MISSING).id).repeat(1_000);
        (0..2_000).try_for_each(|_| pipe.write_all(row.as_bytes()))
    });
    begins.await.unwrap();
    assert_eq!(db.linked(1, account(1)).await, LinkStatus::Linked);
    import.abort();
    assert!(import.await.unwrap_err().is_cancelled());
    let fed = tokio::task::spawn_blocking(|| feeder.join().unwrap()).await.unwrap();
    assert_eq!(fed.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(db.link(2, account(MISSING)).await.unwrap_err().code(), Code::RecordNotFound);
}

#[tokio::test]
async fn a_pipe_may_deliver_its_page_byte_by_byte_in_every_encoding() {
    let page = text(active([1, 2], "Grüße 😀")).replace("Gr", r"\ud83d\ude00\ud83d");
    let utf16 =
        |bytes: fn(u16) -> [u8; 2]| format!("\u{feff}{page}").encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    let pages = [
        page.clone().into_bytes(),
        format!("\u{feff}{page}").into_bytes(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ];
    for (number, page) in pages.into_iter().enumerate() {
        let db = DatabaseFixture::empty();
        let path = pipe(&db, &number.to_string());
        let import = db.import(Source::Path(path.clone()));
        let feeder = thread::spawn(move || {
            let mut pipe = File::create(path).unwrap();
            page.chunks(1).try_for_each(|byte| pipe.write_all(byte)).unwrap();
        });
        assert_eq!(import.await.unwrap().inserted, 2);
        feeder.join().unwrap();
        let read = db.read(2).await.unwrap();
        assert_eq!(read.subject.as_deref(), Some("😀\u{fffd}üße 😀"));
    }
}

/// A file with an invalid row.
fn invalid(db: &DatabaseFixture) -> PathBuf {
    let path = in_folder(db, "invalid.json");
    fs::write(&path, text(active([1], "New")).replace("\"statuscode\":2", "\"statuscode\":\"2\"")).unwrap();
    path
}

#[tokio::test]
async fn a_file_that_is_not_a_page_is_named_and_creates_no_database() {
    let db = DatabaseFixture::empty();
    for path in [
        invalid(&db),
        in_folder(&db, "missing.json"),
        db.path.parent().unwrap().to_owned(),
        "/dev/zero".into(),
        "/dev/null".into(),
    ] {
        let error = db.import(Source::Path(path.clone())).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error:?}");
        assert!(error.message().contains(&path.display().to_string()), "{error:?}");
    }
    assert!(!db.path.exists());
}

#[tokio::test]
async fn an_invalid_file_does_not_affect_the_other_imports() {
    let db = DatabaseFixture::empty();
    let imports = (0..200).map(|number| {
        db.import(match number % 20 {
            7 => Source::Path(invalid(&db)),
            _ => file(&db, &format!("{number}.json"), active(number..number + 10, "New")),
        })
    });
    let imported = settled(imports.collect()).await;
    assert_eq!(imported.iter().filter(|import| import.is_ok()).count(), 190);
    assert!((0..209).all(|number| db.slots(number) == Some(UNLINKED)));
}

fn unordered_id(number: u16) -> String {
    conversation(number.wrapping_mul(7919) | 0x8000).to_string()
}

/// Two rows for each id, not in the order of the ids, and more rows than SQLite sorts in memory.
fn unordered() -> Vec<serde_json::Value> {
    let row = |number: u16| {
        let id = unordered_id(number % 5_000);
        serde_json::json!({ "activityid": id, "subject": number.to_string(), "statuscode": 2 })
    };
    (0..10_000).map(row).collect()
}

#[tokio::test]
async fn the_last_row_of_an_id_wins() {
    let db = DatabaseFixture::seeded().await;
    let (rows, id) = (unordered(), unordered_id);
    let distinct = (0..5_000_u16).map(id).collect::<std::collections::HashSet<_>>().len();
    let summary = db.imported(file(&db, "page.json", embedded::page("msdyn_ocliveworkitems", rows.clone()))).await;
    assert_eq!((summary.inserted, summary.updated), (distinct, 10_000 - distinct));
    let numbers = rows.iter().rev().find(|row| row["activityid"] == id(0)).unwrap()["subject"].clone();
    let read = db.service.read(Some(id(0).parse().unwrap()), CallOptions::default()).await.unwrap();
    assert_eq!(Some(numbers.as_str().unwrap()), read.subject.as_deref());
}

#[tokio::test]
async fn the_first_invalid_row_is_named_and_nothing_is_imported() {
    let db = DatabaseFixture::seeded().await;
    let mut rows = unordered();
    for (index, number) in [(9_000, 3), (40, 2), (5_000, 1)] {
        rows[index] = serde_json::json!({ "activityid": conversation(MISSING + number).to_string() });
    }
    let error = db.import(file(&db, "page.json", embedded::page("msdyn_ocliveworkitems", rows))).await.unwrap_err();
    assert!(error.message().contains("row 40 of `value`: `statuscode` is absent"), "{error:?}");
    assert_eq!(db.slots(MISSING + 1), None);
    assert_eq!(db.linked(1, incident(1)).await, LinkStatus::Linked);
    assert_eq!(db.slots(1), Some(only(incident(1))));
}
