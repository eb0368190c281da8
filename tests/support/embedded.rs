//! An embedded store on a file of its own, under a watched disk, and what somebody else reads in that file.

use std::{
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use omnichannel_link::{
    clock::{SharedClock, SystemClock},
    domain::{
        CallOptions, ConversationId, EntityLogicalName, LinkOutcome, LinkPolicy, LinkService, LinkStatus,
        RecordReference, UnlinkOutcome,
    },
    embedded::{EmbeddedStore, ImportSummary, OnProgress, Source},
    error::{Code, LinkError, StoreName},
};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::vfs::{self, Disk, Gate, Held, PATIENCE, Step};

/// A call that was made.
pub(crate) type Pending<T> = Pin<Box<dyn Future<Output = Result<T, LinkError>> + Send>>;

/// Records and active conversations that a seeded store has, from 1 on.
pub(crate) const SEEDED: u16 = 40;
/// A conversation that is there and closed.
pub(crate) const CLOSED: u16 = 1_000;
/// A number that no record and no conversation has.
pub(crate) const MISSING: u16 = 2_000;

/// The customer and the case of a conversation, in words.
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

/// The slots of a conversation that one record is linked to.
pub(crate) fn only(record: RecordReference) -> Slots {
    match record.entity {
        EntityLogicalName::Incident => (None, Some(record.to_string())),
        _ => (Some(record.to_string()), None),
    }
}

pub(crate) const UNLINKED: Slots = (None, None);

/// A page as a Web API GET returns it.
pub(crate) fn page(set: &str, rows: impl IntoIterator<Item = Value>) -> Source {
    let rows: Vec<_> = rows.into_iter().collect();
    Source::Text(json!({ "@odata.context": format!("https://x/$metadata#{set}"), "value": rows }).to_string())
}

/// A page of active conversations.
pub(crate) fn active(numbers: impl IntoIterator<Item = u16>, subject: &str) -> Source {
    let row = |number| json!({ "activityid": conversation(number).to_string(), "statuscode": 2, "subject": subject });
    page("msdyn_ocliveworkitems", numbers.into_iter().map(row))
}

/// A store, the service over it, and its file.
#[derive(Clone)]
pub(crate) struct Office {
    pub(crate) path: PathBuf,
    pub(crate) disk: Arc<Disk>,
    pub(crate) store: Arc<EmbeddedStore>,
    pub(crate) service: LinkService,
    /// Deleted with the last who knows it.
    folder: Option<Arc<TempDir>>,
}

#[expect(clippy::expect_used, clippy::panic, reason = "a test's helper")]
impl Office {
    /// A store whose file does not exist yet.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let office = Self::at(&folder.path().join("office.db"));
        Self { folder: Some(Arc::new(folder)), ..office }
    }

    /// A store with records and conversations, nothing linked.
    pub(crate) async fn seeded() -> Self {
        let office = Self::empty();
        let rows = |id: &'static str| (1..=SEEDED).map(move |number| json!({ id: account(number).id.to_string() }));
        office.imported(page("accounts", rows("accountid"))).await;
        office.imported(page("incidents", rows("incidentid"))).await;
        office.imported(active(1..=SEEDED, "Hello")).await;
        let closed = json!({ "activityid": conversation(CLOSED).to_string(), "statuscode": 4 });
        office.imported(page("msdyn_ocliveworkitems", [closed])).await;
        office
    }

    /// A store on a file that others may have a store on, too.
    pub(crate) fn at(path: &Path) -> Self {
        Self::with_clock(path, Arc::new(SystemClock))
    }

    fn with_clock(path: &Path, clock: SharedClock) -> Self {
        let store = Arc::new(EmbeddedStore::new(path, clock));
        let service = LinkService::new(Arc::clone(&store) as _, Arc::new(SystemClock), PATIENCE, None);
        Self { path: path.to_owned(), disk: vfs::watch(path), store, service, folder: None }
    }

    /// The same file in a store that asks another clock.
    pub(crate) fn in_time_of(self, clock: SharedClock) -> Self {
        Self { folder: self.folder.clone(), ..Self::with_clock(&self.path, clock) }
    }

    /// The same file in a new store, after the old one was closed: nothing is remembered, and nobody has it open.
    pub(crate) async fn reopened(self) -> Self {
        self.service.close().await.expect("it closes");
        Self { folder: self.folder.clone(), ..Self::at(&self.path) }
    }

    /// Forgets the store without closing it; its file stays as long as the folder that is returned.
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

    /// Holds the writer in the commit of a first link, so that all calls made now share the next one.
    pub(crate) async fn hold_the_writer(&self) -> Queue {
        // The first commit in a fresh log has a sync more, for the log's header.
        self.linked(SEEDED, incident(SEEDED)).await;
        let gate = self.disk.hold(Step::LogSync);
        let first = self.link(SEEDED, account(SEEDED));
        let held = gate.entered();
        Queue { gate, held, first }
    }

    /// How a link, an unlink and an import fail: all alike, and the same way.
    pub(crate) async fn all_fail(&self, saying: &str, hinting: &str, retryable: bool) {
        let linking = self.link(1, account(2)).await.expect_err("a link succeeds");
        let unlinking = self.unlink(1, account(1)).await.expect_err("an unlink succeeds");
        let importing = self.import(active([1], "New")).await.expect_err("an import succeeds");
        for error in [linking, unlinking, importing] {
            self.is_fault(&error, saying, hinting, retryable);
            assert!(!error.details().maybe_applied, "{error:?}");
        }
    }

    /// How a link and an import fail that are refused when all but the last step is done.
    pub(crate) async fn all_fail_at_commit(&self, saying: &str, hinting: &str) {
        let linking = self.link(1, account(2)).await.expect_err("a link succeeds");
        let importing = self.import(active([1], "New")).await.expect_err("an import succeeds");
        for error in [linking, importing] {
            self.is_fault(&error, saying, hinting, true);
            assert!(!error.details().maybe_applied, "{error:?}");
        }
    }

    /// The store failed, and says in which file, why, and what to do.
    pub(crate) fn is_fault(&self, error: &LinkError, saying: &str, hinting: &str, retryable: bool) {
        let (message, hint) = (error.message(), error.details().hint.as_deref().unwrap_or_default());
        assert_eq!(error.code(), Code::Store, "{error:?}");
        assert!(message.contains(&self.path.display().to_string()), "{message}");
        assert!(message.contains(saying), "{message}");
        assert!(hint.contains(hinting), "{hint}");
        assert_eq!(error.is_retryable(), retryable, "{error:?}");
        assert_eq!(error.details().store, Some(StoreName::Embedded));
    }

    /// What another connection reads.
    pub(crate) fn slots(&self, number: u16) -> Option<Slots> {
        let connection = self.stranger(OpenFlags::SQLITE_OPEN_READ_ONLY);
        let sql =
            "SELECT customer_type || ' ' || customer_id, 'incident ' || case_id FROM conversation_text WHERE id = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        connection.query_row(sql, [conversation(number).to_string()], read).optional().expect("a readable file")
    }

    /// A connection that is not the store's.
    pub(crate) fn stranger(&self, flags: OpenFlags) -> Connection {
        let connection = Connection::open_with_flags(&self.path, flags).expect("a file that opens");
        connection.busy_timeout(Duration::ZERO).expect("no waiting");
        connection
    }

    /// The log beside the file.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.with_extension("db-wal")
    }
}

/// A commit that stands still, and all that wait behind it.
pub(crate) struct Queue {
    gate: Gate,
    held: Held,
    first: Pending<LinkOutcome>,
}

impl Queue {
    /// Lets the first link finish. The gate holds the next commit.
    #[expect(clippy::expect_used, reason = "a test's helper")]
    pub(crate) async fn moves_on(self) -> Gate {
        drop(self.held);
        self.first.await.expect("the link that held the writer");
        self.gate
    }
}

/// Waits for all, whatever becomes of them.
pub(crate) async fn settled<T>(calls: Vec<Pending<T>>) -> Vec<Result<T, LinkError>> {
    join_all(calls).await
}

/// Writes behind the client's back.
#[expect(clippy::unwrap_used, reason = "a test's helper")]
pub(crate) fn sql(path: &Path, statements: &str) {
    Connection::open(path).and_then(|connection| connection.execute_batch(statements)).unwrap();
}
