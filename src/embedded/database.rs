//! The file: opening it, its settings, its schema.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::{
    Connection, ErrorCode, MAIN_DB, OpenFlags, Transaction, TransactionBehavior, ffi,
    functions::{Context, FunctionFlags},
    types::{Value, ValueRef},
};

use super::{
    fault::{BUSY_TIMEOUT_IN_MS, foreign_file, may_not_be_written, store_fault},
    files::{FileId, JOURNAL, LOG, beside, identify, names},
};
use crate::error::{Code, LinkError};

/// Marks a file as ours: "OCLK".
const APPLICATION_ID: i32 = 0x4F43_4C4B;

/// The schema, one step per version. A step that was released is never changed; a new one is added.
///
/// No foreign keys on the slots: links to records that are not there exist in real data, and must be kept and counted.
/// Ids are 16-byte blobs and links are columns of a small row, so that a link dirties one page.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE record (
        entity INTEGER NOT NULL,        -- 1 account, 2 contact, 3 incident
        id BLOB NOT NULL,
        name TEXT,
        PRIMARY KEY (entity, id)
    ) WITHOUT ROWID;

    CREATE TABLE conversation (
        id BLOB NOT NULL PRIMARY KEY,
        statuscode INTEGER NOT NULL,
        customer_entity INTEGER,
        customer_id BLOB,
        case_id BLOB,
        subject TEXT
    );

    -- For people: the same in text.
    CREATE VIEW conversation_text AS
    SELECT lower(format('%s-%s-%s-%s-%s', substr(h, 1, 8), substr(h, 9, 4), substr(h, 13, 4), substr(h, 17, 4), substr(h, 21)))
               AS id,
           subject, statuscode,
           CASE customer_entity WHEN 1 THEN 'account' WHEN 2 THEN 'contact' END AS customer_type,
           iif(customer_id IS NULL, NULL,
               lower(format('%s-%s-%s-%s-%s', substr(u, 1, 8), substr(u, 9, 4), substr(u, 13, 4), substr(u, 17, 4), substr(u, 21))))
               AS customer_id,
           iif(case_id IS NULL, NULL,
               lower(format('%s-%s-%s-%s-%s', substr(c, 1, 8), substr(c, 9, 4), substr(c, 13, 4), substr(c, 17, 4), substr(c, 21))))
               AS case_id
    FROM (SELECT *, hex(id) AS h, hex(customer_id) AS u, hex(case_id) AS c FROM conversation);
", "
    -- Not indexed: a link would dirty the index's pages too, and a scan of 100,000 conversations takes milliseconds.
    ALTER TABLE conversation ADD COLUMN created_on INTEGER;    -- seconds since 1970
    ALTER TABLE conversation ADD COLUMN agent_id BLOB;
    ALTER TABLE record ADD COLUMN columns TEXT;                -- what else came with it, as a JSON object
", "
    -- The order in which conversations are listed unless somebody wants another one. A link changes nothing of it. A column rather than
    -- an expression, because SQLite looks up comparisons of rows by columns alone.
    ALTER TABLE conversation ADD COLUMN listed_by INTEGER AS (ifnull(created_on, -1));
    CREATE INDEX conversation_as_listed ON conversation (listed_by, id);
"];

/// As often another connection may get in between.
const MAX_SWITCHES: u32 = 10;

/// Whether a missing file is created.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Imports create it.
    Create,
    /// Links do not: there is nothing in it to link.
    LeaveAbsent,
}

/// Opens the file for writing and brings its schema up to date. `None` if it is missing and shall stay so.
pub(super) fn open(path: &Path, missing: Missing) -> Result<Option<Connection>, LinkError> {
    if missing == Missing::LeaveAbsent && is_absent(path) {
        return Ok(None);
    }
    let is_empty = ensure_writable_file(path)?.is_some_and(|metadata| metadata.len() == 0);
    if missing == Missing::LeaveAbsent && is_empty {
        // Perhaps a backup that is being copied here: nothing may be written into it.
        return Ok(None);
    }
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, missing == Missing::Create);
    let fault = |error| store_fault(path, "opening it", error);
    let mut connection = connect(path, flags).map_err(fault)?;
    // SQLite opens for reading what it may not write, and says so to those who ask.
    if connection.is_readonly(MAIN_DB).map_err(fault)? {
        return Err(fault(read_only()));
    }
    refuse_foreign(path, &mut connection)?;
    write_ahead(&connection).map_err(fault)?;
    // A promise resolves only when its write would survive a power cut.
    connection.pragma_update(None, "synchronous", "full").map_err(fault)?;
    // On macOS fsync does not reach the platter; elsewhere this changes nothing.
    connection.pragma_update(None, "fullfsync", true).map_err(fault)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true).map_err(fault)?;
    // A log found here may hold a commit whose sync failed or never came. It is read from now on, so it must be on the disk.
    connection.pragma_update(None, "wal_checkpoint", "passive").map_err(fault)?;
    connection.set_prepared_statement_cache_capacity(32);
    migrate(path, &mut connection)?;
    Ok(Some(connection))
}

/// A connection to read through.
pub(super) enum Readable {
    /// It could write, too, if it was not told to refuse.
    Writable(Connection),
    /// Something keeps it from writing, which may be over by the next read.
    ReadOnly(Connection),
    /// It takes no locks. What it reads counts if the file is of this version when it is done.
    Unlocked(Connection, Version),
}

/// Opens the file for reading. `None` if it is missing, or nothing was ever imported into it.
pub(super) fn open_to_read(path: &Path) -> Result<Option<Readable>, LinkError> {
    if is_absent(path) {
        return Ok(None);
    }
    let (mut connection, unlocked) = connect_to_read(path)?;
    let fault = |error| store_fault(path, "opening it", error);
    refuse_foreign(path, &mut connection)?;
    let found = version(&connection).map_err(fault)?;
    if found == 0 {
        return Ok(None);
    }
    let can_write = unlocked.is_none() && can_write(&connection).map_err(fault)?;
    if can_write {
        migrate(path, &mut connection)?;
    } else if found < MIGRATIONS.len() {
        let cause =
            "was written by an older version of omnichannel-link, and cannot be updated because it cannot be written";
        return Err(foreign_file(path, cause, &may_not_be_written(path)));
    }
    connection.set_prepared_statement_cache_capacity(32);
    connection.pragma_update(None, "query_only", true).map_err(fault)?;
    Ok(Some(match unlocked {
        Some(version) => Readable::Unlocked(connection, version),
        None if can_write => Readable::Writable(connection),
        None => Readable::ReadOnly(connection),
    }))
}

/// Opens the file as well as this user may, and leaves nothing beside a file that cannot be written. Where the log and its index can
/// neither be opened nor created, SQLite can take no locks: such a file is opened without them, at the version that is returned.
pub(super) fn connect_to_read(path: &Path) -> Result<(Connection, Option<Version>), LinkError> {
    ensure_file(path)?;
    let fault = |error| store_fault(path, "opening it", error);
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fault)?;
    let locked = if connection.is_readonly(MAIN_DB).map_err(fault)? {
        Err(read_only())
    } else {
        // The first read opens the log.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    };
    match locked {
        Ok(()) => return Ok((connection, None)),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {}
            _ => return Err(fault(error)),
        },
    }
    let resolved = connection.path().map_or_else(|| path.to_owned(), PathBuf::from);
    match Version::of(&resolved).filter(|version| !version.has_log) {
        Some(version) => {
            let name = percent_encode(resolved.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
            let uri = format!("file:{name}?immutable=1");
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            Ok((connect(Path::new(&uri), flags).map_err(fault)?, Some(version)))
        }
        None => Ok((connection, None)),
    }
}

fn read_only() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_READONLY), None)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // Before WAL: two connections that open at once would fail each other otherwise.
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_IN_MS.into()))?;
    connection.create_scalar_function("fold", 1, PURE, fold)?;
    Ok(connection)
}

/// Whether the connection can write: the file may be writable, and its log or the index not. Does not wait for a lock.
fn can_write(connection: &Connection) -> rusqlite::Result<bool> {
    if connection.is_readonly(MAIN_DB)? {
        return Ok(false);
    }
    connection.busy_timeout(Duration::ZERO)?;
    let locked = connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK");
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_IN_MS.into()))?;
    Ok(!locked.is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::ReadOnly)))
}

/// The state of a file that no program has open for writing: one that has keeps a log beside it.
#[derive(PartialEq, Eq)]
pub(super) struct Version {
    file: FileId,
    len: u64,
    modified: Option<SystemTime>,
    has_log: bool,
}

impl Version {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        // One that cannot be looked at may hold something.
        let has_log = [LOG, JOURNAL].iter().any(|suffix| match fs::metadata(beside(path, suffix)) {
            Ok(log) => log.len() > 0,
            Err(error) => error.kind() != ErrorKind::NotFound,
        });
        let (len, modified) = (metadata.len(), metadata.modified().ok());
        Some(Self { file: identify(path).ok()??, len, modified, has_log })
    }

    /// Whether the file that the connection has open is still the one at its path, and as it was.
    pub(super) fn is_current(&self, connection: &Connection) -> bool {
        connection.path().and_then(|path| Self::of(Path::new(path))).as_ref() == Some(self)
    }
}

/// Refuses a folder or a device. SQLite would write to a device and find nothing there.
fn ensure_file(path: &Path) -> Result<Option<fs::Metadata>, LinkError> {
    let refused = |what: &str, hint: String| {
        LinkError::new(Code::Store, format!("The embedded database {} cannot be opened: {what}.", path.display()))
            .hint(hint)
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let example = path.join("omnichannel-link.db");
            let hint =
                format!("`embedded.path` must name a file, such as {}; its folder must exist.", example.display());
            Err(refused("it is a folder", hint))
        }
        Ok(metadata) if !metadata.is_file() => {
            Err(refused("it is a device, a pipe or a socket", "`embedded.path` must name a file.".into()))
        }
        // Why it cannot be opened is SQLite's to say.
        metadata => Ok(metadata.ok()),
    }
}

/// Refuses a file with several names as well: each would have a log of its own, and links would be lost.
pub(super) fn ensure_writable_file(path: &Path) -> Result<Option<fs::Metadata>, LinkError> {
    let metadata = ensure_file(path)?;
    match metadata.as_ref().map_or(1, names) {
        0 | 1 => Ok(metadata),
        several => Err(foreign_file(
            path,
            &format!("has {several} names (hard links), and SQLite would keep a log beside each of them"),
            "Remove the other names, or name a copy of the file in `embedded.path`.",
        )),
    }
}

const PURE: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC);

/// A text in lower case, in every script. Whatever else stays as it is.
fn fold(call: &Context<'_>) -> rusqlite::Result<Value> {
    Ok(match call.get_raw(0) {
        ValueRef::Text(text) => String::from_utf8_lossy(text).to_lowercase().into(),
        other => other.try_into()?,
    })
}

/// Switches to a write-ahead log. Of two connections that switch a new file at once SQLite refuses one without waiting, because each
/// would wait for the other: that one waits by itself, in line for the write lock, and finds it done.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let switch = || connection.pragma_update(None, "journal_mode", "wal");
    for _ in 0..MAX_SWITCHES {
        match switch() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
            }
            switched => return switched,
        }
    }
    switch()
}

/// Whether there certainly is no such file.
pub(super) fn is_absent(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

/// Refuses a file that is another program's, or a newer version's.
pub(super) fn refuse_foreign(path: &Path, connection: &mut Connection) -> Result<(), LinkError> {
    let fault = |error| store_fault(path, "opening it", error);
    // One snapshot: between two, another process may make the file ours.
    let snapshot = connection.transaction().map_err(fault)?;
    let number = |pragma| snapshot.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)).map_err(fault);
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fault)?;
    if application != APPLICATION_ID && (application != 0 || tables != 0) {
        return Err(foreign_file(path, "is the database of another program", "Name another file in `embedded.path`."));
    }
    if version == 0 && tables != 0 {
        return Err(foreign_file(
            path,
            "has tables of omnichannel-link, and the version of its schema is lost (PRAGMA user_version is 0)",
            "Restore the file from a backup, or import into a new one.",
        ));
    }
    if usize::try_from(version).is_ok_and(|version| version > MIGRATIONS.len()) {
        return Err(foreign_file(
            path,
            "was written by a newer version of omnichannel-link",
            "Update this program, or name another file in `embedded.path`.",
        ));
    }
    Ok(())
}

fn migrate(path: &Path, connection: &mut Connection) -> Result<(), LinkError> {
    let fault = |error| store_fault(path, "updating its schema", error);
    if version(connection).map_err(fault)? == MIGRATIONS.len() {
        return Ok(());
    }
    // Read again inside: another process may have migrated meanwhile.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    for step in &MIGRATIONS[version(&transaction).map_err(fault)?..] {
        transaction.execute_batch(step).map_err(fault)?;
    }
    stamp(&transaction).and_then(|()| transaction.commit()).map_err(fault)
}

/// Migrations that the file has seen.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)).map(|version| version as usize)
}

fn stamp(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX))
}
