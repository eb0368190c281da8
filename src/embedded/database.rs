//! The file: opening it, its settings, its schema.

use std::{path::Path, time::Duration};

use rusqlite::{
    Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior,
    functions::{Context, FunctionFlags},
    types::{Value, ValueRef},
};

use super::fault::{BUSY_TIMEOUT_IN_MS, foreign_file, store_fault};
use crate::error::LinkError;

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

/// Opens the file and brings its schema up to date. `None` if it is missing and shall stay so.
pub(super) fn open(path: &Path, missing: Missing) -> Result<Option<Connection>, LinkError> {
    if missing == Missing::LeaveAbsent && is_absent(path) {
        return Ok(None);
    }
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, missing == Missing::Create);
    let opened = Connection::open_with_flags(path, flags).map_err(|error| store_fault(path, "opening it", error));
    let mut connection = opened?;
    let fault = |error| store_fault(path, "opening it", error);
    // Before WAL: two connections that open at once would fail each other otherwise.
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_IN_MS.into())).map_err(fault)?;
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
    connection.create_scalar_function("fold", 1, PURE, fold).map_err(fault)?;
    migrate(path, &mut connection)?;
    Ok(Some(connection))
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
