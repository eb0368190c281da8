//! An embedded store on a file of its own, with a VFS that tests control, and access to the file from other connections.
#![allow(dead_code, reason = "each suite uses a part of it")]

#[path = "clock.rs"]
pub(crate) mod clock;
#[path = "vfs.rs"]
pub(crate) mod vfs;

use std::{
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{TryFutureExt, future::join_all};
use omnichannel_link::{
    clock::{SharedClock, SystemClock},
    domain::{
        CallOptions, ConversationDetails, ConversationId, ConversationQuery, EntityLogicalName, LinkOutcome,
        LinkPolicy, LinkService, LinkStatus, Listing, RecordReference, UnlinkOutcome,
    },
    embedded::{EmbeddedStore, ImportSummary, OnProgress, Source},
    error::{Code, LinkError, StoreName},
};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::vfs::{Disk, Gate, Held, PATIENCE, Step};

/// A call in progress.
pub(crate) type Pending<T> = Pin<Box<dyn Future<Output = Result<T, LinkError>> + Send>>;

/// Number of records and of active conversations in a seeded store, with the ids from 1 on.
pub(crate) const SEEDED: u16 = 40;
/// A closed conversation.
pub(crate) const CLOSED: u16 = 1_000;
/// The id of no record and no conversation.
pub(crate) const MISSING: u16 = 2_000;

/// The customer and the case of a conversation, as strings.
pub(crate) type Slots = (Option<String>, Option<String>);

fn bytes(number: u16) -> [u8; 16] {
    let mut bytes = [0xA5; 16];
    bytes[14..].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub(crate) fn conversation(number: u16) -> ConversationId {
    bytes(number).into()
}

pub(crate) fn account(number: u16) -> RecordReference {
    RecordReference { entity: EntityLogicalName::Account, id: bytes(number).into() }
}

pub(crate) fn incident(number: u16) -> RecordReference {
    RecordReference { entity: EntityLogicalName::Incident, id: bytes(number).into() }
}

/// Slots with only this record.
pub(crate) fn only(record: RecordReference) -> Slots {
    match record.entity {
        EntityLogicalName::Incident => (None, Some(record.to_string())),
        _ => (Some(record.to_string()), None),
    }
}

pub(crate) const UNLINKED: Slots = (None, None);

/// A page in the format of a Web API GET.
pub(crate) fn page(set: &str, rows: impl IntoIterator<Item = Value>) -> Source {
    let rows: Vec<_> = rows.into_iter().collect();
    Source::Text(json!({ "@odata.context": format!("https://x/$metadata#{set}"), "value": rows }).to_string())
}

/// A page of active conversations.
pub(crate) fn active(numbers: impl IntoIterator<Item = u16>, subject: &str) -> Source {
    let row = |number| json!({ "activityid": conversation(number).to_string(), "statuscode": 2, "subject": subject });
    page("msdyn_ocliveworkitems", numbers.into_iter().map(row))
}

/// A store on a database file, and the service over it.
#[derive(Clone)]
pub(crate) struct DatabaseFixture {
    pub(crate) path: PathBuf,
    pub(crate) disk: Arc<Disk>,
    pub(crate) store: Arc<EmbeddedStore>,
    pub(crate) service: LinkService,
    /// Deleted with the last fixture that uses it.
    folder: Option<Arc<TempDir>>,
}

#[expect(clippy::expect_used, clippy::panic, reason = "a test's helper")]
impl DatabaseFixture {
    /// A store whose file does not exist yet.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let db = Self::at(&folder.path().join("links.db"));
        Self { folder: Some(Arc::new(folder)), ..db }
    }

    /// A store with records and conversations, nothing linked.
    pub(crate) async fn seeded() -> Self {
        let db = Self::empty();
        let rows = |id: &'static str| (1..=SEEDED).map(move |number| json!({ id: account(number).id.to_string() }));
        db.imported(page("accounts", rows("accountid"))).await;
        db.imported(page("incidents", rows("incidentid"))).await;
        db.imported(active(1..=SEEDED, "Hello")).await;
        let closed = json!({ "activityid": conversation(CLOSED).to_string(), "statuscode": 4 });
        db.imported(page("msdyn_ocliveworkitems", [closed])).await;
        db
    }

    /// A store on this file. Several fixtures may share a file.
    pub(crate) fn at(path: &Path) -> Self {
        Self::with_clock(path, Arc::new(SystemClock))
    }

    fn with_clock(path: &Path, clock: SharedClock) -> Self {
        Self::checkpointing_after(Duration::MAX, path, clock)
    }

    /// A store that checkpoints when it has been idle for this time. The other fixtures do not, because tests count and hold steps.
    pub(crate) fn checkpointing_after(idle: Duration, path: &Path, clock: SharedClock) -> Self {
        let store = Arc::new(EmbeddedStore::checkpointing_after(idle, path, clock));
        let service = LinkService::new(Arc::clone(&store) as _, Arc::new(SystemClock), PATIENCE, None);
        Self { path: path.to_owned(), disk: vfs::watch(path), store, service, folder: None }
    }

    /// The same file in a store with another clock.
    pub(crate) fn with_other_clock(self, clock: SharedClock) -> Self {
        Self { folder: self.folder.clone(), ..Self::with_clock(&self.path, clock) }
    }

    /// The same file in a new store, after the old one was closed.
    pub(crate) async fn reopened(self) -> Self {
        self.service.close().await.expect("it closes");
        Self { folder: self.folder.clone(), ..Self::at(&self.path) }
    }

    /// Drops the store without closing it. The file exists as long as the returned folder.
    pub(crate) fn dropped(self) -> (PathBuf, Arc<Disk>, Option<Arc<TempDir>>) {
        (self.path, self.disk, self.folder)
    }

    pub(crate) fn link(&self, number: u16, record: RecordReference) -> Pending<LinkOutcome> {
        let options = CallOptions::default();
        Box::pin(self.service.link(record, Some(conversation(number)), LinkPolicy::default(), options))
    }

    pub(crate) fn unlink(&self, number: u16, record: RecordReference) -> Pending<UnlinkOutcome> {
        Box::pin(self.service.unlink(record, Some(conversation(number)), CallOptions::default()))
    }

    pub(crate) fn read(&self, number: u16) -> Pending<ConversationDetails> {
        Box::pin(self.service.read(Some(conversation(number)), CallOptions::default()))
    }

    /// The first page of all conversations.
    pub(crate) fn list(&self) -> Pending<Vec<ConversationDetails>> {
        let all = Listing::new(ConversationQuery::default(), None);
        Box::pin(self.service.list(all, CallOptions::default()).map_ok(|(listed, _)| listed))
    }

    pub(crate) fn import(&self, page: Source) -> Pending<ImportSummary> {
        self.import_with(page, None)
    }

    pub(crate) fn import_with(&self, page: Source, on_progress: Option<OnProgress>) -> Pending<ImportSummary> {
        let store = Arc::clone(&self.store);
        let begin = move |call| Ok(store.import(page, on_progress, call));
        let options = CallOptions { timeout: Some(PATIENCE), ..CallOptions::default() };
        Box::pin(self.service.perform(options, begin))
    }

    pub(crate) async fn imported(&self, page: Source) -> ImportSummary {
        self.import(page).await.unwrap_or_else(|error| panic!("an import: {error:?}"))
    }

    pub(crate) async fn linked(&self, number: u16, record: RecordReference) -> LinkStatus {
        self.link(number, record).await.unwrap_or_else(|error| panic!("a link: {error:?}")).status
    }

    /// Holds the writing thread in the commit of a first link, so that all calls made now share the next commit.
    pub(crate) async fn hold_writer(&self) -> Queue {
        // The first commit in a new WAL has one more sync, for its header.
        self.linked(SEEDED, incident(SEEDED)).await;
        let gate = self.disk.hold(Step::WalSync);
        let first = self.link(SEEDED, account(SEEDED));
        let held = gate.entered();
        Queue { gate, held, first }
    }

    /// Checks that a link, an unlink and an import all fail with this error.
    pub(crate) async fn all_fail(&self, cause: &str, hint: &str, retryable: bool) {
        let linking = self.link(1, account(2)).await.expect_err("a link succeeds");
        let unlinking = self.unlink(1, account(1)).await.expect_err("an unlink succeeds");
        let importing = self.import(active([1], "New")).await.expect_err("an import succeeds");
        for error in [linking, unlinking, importing] {
            self.is_store_error(&error, cause, hint, retryable);
            assert!(!error.details().maybe_applied, "{error:?}");
        }
    }

    /// Checks that a link and an import fail with this error at the commit.
    pub(crate) async fn all_fail_at_commit(&self, cause: &str, hint: &str) {
        let linking = self.link(1, account(2)).await.expect_err("a link succeeds");
        let importing = self.import(active([1], "New")).await.expect_err("an import succeeds");
        for error in [linking, importing] {
            self.is_store_error(&error, cause, hint, true);
            assert!(!error.details().maybe_applied, "{error:?}");
        }
    }

    /// Checks for a `STORE` error that names the file, the cause and a hint.
    pub(crate) fn is_store_error(&self, error: &LinkError, cause: &str, hint: &str, retryable: bool) {
        let (message, given) = (error.message(), error.details().hint.as_deref().unwrap_or_default());
        assert_eq!(error.code(), Code::Store, "{error:?}");
        assert!(message.contains(&self.path.display().to_string()), "{message}");
        assert!(message.contains(cause), "{message}");
        assert!(given.contains(hint), "{given}");
        assert_eq!(error.is_retryable(), retryable, "{error:?}");
        assert_eq!(error.details().store, Some(StoreName::Embedded));
    }

    /// The slots of a conversation as another connection reads them.
    pub(crate) fn slots(&self, number: u16) -> Option<Slots> {
        let connection = self.other_connection(OpenFlags::SQLITE_OPEN_READ_ONLY);
        let sql =
            "SELECT customer_type || ' ' || customer_id, 'incident ' || case_id FROM conversation_text WHERE id = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        connection.query_row(sql, [conversation(number).to_string()], read).optional().expect("a readable file")
    }

    /// A connection like that of another program.
    pub(crate) fn other_connection(&self, flags: OpenFlags) -> Connection {
        let connection = Connection::open_with_flags(&self.path, flags).expect("a file that opens");
        connection.busy_timeout(Duration::ZERO).expect("no waiting");
        connection
    }

    /// Another program that has the file open.
    pub(crate) fn other_reader(&self) -> Connection {
        let reader = self.other_connection(OpenFlags::SQLITE_OPEN_READ_WRITE);
        reader.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).expect("a readable file");
        reader
    }

    /// Checks that another connection reads these accounts in the conversations of the same number.
    pub(crate) fn shows_links(&self, numbers: impl IntoIterator<Item = u16>) {
        for number in numbers {
            assert_eq!(self.slots(number), Some(only(account(number))));
        }
    }

    /// Checks that these accounts are linked to the conversations of the same number.
    pub(crate) async fn has_links(&self, numbers: impl IntoIterator<Item = u16>) {
        for number in numbers {
            assert_eq!(self.linked(number, account(number)).await, LinkStatus::AlreadyLinked);
        }
    }
}

/// A commit that is held, with calls waiting behind it.
pub(crate) struct Queue {
    gate: Gate,
    held: Held,
    first: Pending<LinkOutcome>,
}

impl Queue {
    /// Lets the first link finish. The returned gate holds the next commit.
    #[expect(clippy::expect_used, reason = "a test's helper")]
    pub(crate) async fn finish_first(self) -> Gate {
        drop(self.held);
        self.first.await.expect("the link that held the writer");
        self.gate
    }
}

/// Waits for all calls, successful or not.
pub(crate) async fn settled<T>(calls: Vec<Pending<T>>) -> Vec<Result<T, LinkError>> {
    join_all(calls).await
}

/// The file beside a database with this suffix.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes the files beside a database with these suffixes.
#[expect(clippy::unwrap_used, reason = "a test's helper")]
pub(crate) fn remove_beside(path: &Path, suffixes: &[&str]) {
    for suffix in suffixes {
        std::fs::remove_file(beside(path, suffix)).unwrap();
    }
}

/// Runs statements on a connection of its own.
#[expect(clippy::unwrap_used, reason = "a test's helper")]
pub(crate) fn sql(path: &Path, statements: &str) {
    Connection::open(path).and_then(|connection| connection.execute_batch(statements)).unwrap();
}
