//! Opens the database file, for writing or for reading, with its settings.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, config::DbConfig, ffi};

use super::{
    error::{BUSY_TIMEOUT_IN_MS, store_error, unusable_file, write_permission_hint},
    files::{FileId, JOURNAL, WAL, beside, hard_links, identify},
    functions,
    schema::{self, ensure_ours},
};
use crate::error::{Code, LinkError};

/// Attempts to switch to WAL mode before giving up.
const MAX_SWITCHES: u32 = 10;

/// Page cache for writing. Holds the conversations of about half a million links; SQLite's default of 2 MB would read most of them again.
const LINK_CACHE_IN_KIB: i32 = 65_536;
/// The same during an import, whose rows come in the order of their ids, so that few pages are needed at a time.
const IMPORT_CACHE_IN_KIB: i32 = 8_192;
/// Pages in the WAL at which a commit also checkpoints. Under constant load a page is then written to the file once for many links. The
/// writing thread checkpoints earlier when it has time.
const MAX_WAL_PAGES: i32 = 16_384;
/// Size to which a WAL that one large transaction has filled is cut. A smaller one keeps its size, because syncing a file that grows takes
/// longer.
const MAX_WAL_BYTES: i32 = 128 * 1_024 * 1_024;

/// Whether a missing file is created. Imports create it; links do not, because there would be nothing to link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IfMissing {
    Create,
    DoNotCreate,
}

/// Opens the file for writing and brings its schema up to date. `None` if it is missing and is not created.
pub(super) fn open(path: &Path, missing: IfMissing) -> Result<Option<Connection>, LinkError> {
    if missing == IfMissing::DoNotCreate && is_absent(path) {
        return Ok(None);
    }
    let is_empty = ensure_writable_file(path)?.is_some_and(|metadata| metadata.len() == 0);
    if missing == IfMissing::DoNotCreate && is_empty {
        // It may be a backup that is just being copied here, so it must not be written to.
        return Ok(None);
    }
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, missing == IfMissing::Create);
    let failed = |error| store_error(path, "opening it", error);
    let mut connection = connect(path, flags).map_err(failed)?;
    // SQLite silently opens a file for reading only if it may not write it.
    if connection.is_readonly(MAIN_DB).map_err(failed)? {
        return Err(failed(read_only()));
    }
    ensure_ours(path, &mut connection)?;
    enable_wal(&connection).map_err(failed)?;
    // A promise resolves only once its write would survive a power failure.
    connection.pragma_update(None, "synchronous", "full").map_err(failed)?;
    // On macOS a plain fsync does not flush the disk's own cache. No effect on other systems.
    connection.pragma_update(None, "fullfsync", true).map_err(failed)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true).map_err(failed)?;
    // An existing WAL may hold a commit that was never synced. It is visible from now on, so it must be on the disk.
    connection.pragma_update(None, "wal_checkpoint", "passive").map_err(failed)?;
    set_cache(&connection, LINK_CACHE_IN_KIB).map_err(failed)?;
    connection.pragma_update(None, "wal_autocheckpoint", MAX_WAL_PAGES).map_err(failed)?;
    connection.pragma_update(None, "journal_size_limit", MAX_WAL_BYTES).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(32);
    schema::migrate(path, &mut connection)?;
    Ok(Some(connection))
}

/// Runs an import with a smaller page cache. After a failure the connection is not used again.
pub(super) fn with_small_cache<T>(
    path: &Path,
    connection: &mut Connection,
    import: impl FnOnce(&mut Connection) -> Result<T, LinkError>,
) -> Result<T, LinkError> {
    set_cache(connection, IMPORT_CACHE_IN_KIB).map_err(|error| store_error(path, "importing", error))?;
    let done = import(connection)?;
    // The import is committed, so a cache that stays small is no failure.
    let _ = set_cache(connection, LINK_CACHE_IN_KIB);
    Ok(done)
}

fn set_cache(connection: &Connection, kib: i32) -> rusqlite::Result<()> {
    connection.pragma_update(None, "cache_size", -kib)
}

/// A connection for reading.
pub(super) enum Readable {
    /// The file is writable. The connection itself is set to `query_only`.
    Writable(Connection),
    /// The file cannot be written now. That may change before the next read.
    ReadOnly(Connection),
    /// The connection takes no locks. Its reads are valid only if the file is still in this state afterwards.
    Unlocked(Connection, FileState),
}

/// Opens the file for reading. `None` if it is missing, or nothing was ever imported into it.
pub(super) fn open_to_read(path: &Path) -> Result<Option<Readable>, LinkError> {
    if is_absent(path) {
        return Ok(None);
    }
    let (mut connection, unlocked) = connect_to_read(path)?;
    let failed = |error| store_error(path, "opening it", error);
    ensure_ours(path, &mut connection)?;
    let version = schema::version(&connection).map_err(failed)?;
    if version == 0 {
        return Ok(None);
    }
    let can_write = unlocked.is_none() && can_write(&connection).map_err(failed)?;
    if can_write {
        schema::migrate(path, &mut connection)?;
    } else if version < schema::MIGRATIONS.len() {
        let cause =
            "was written by an older version of omnichannel-link, and cannot be updated because it is not writable";
        return Err(unusable_file(path, cause, &write_permission_hint(path)));
    }
    connection.set_prepared_statement_cache_capacity(32);
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    Ok(Some(match unlocked {
        Some(state) => Readable::Unlocked(connection, state),
        None if can_write => Readable::Writable(connection),
        None => Readable::ReadOnly(connection),
    }))
}

/// Opens the file with the permissions that this user has, and leaves no files beside one that cannot be written. If the WAL and its
/// index can neither be opened nor created, SQLite cannot take locks: then the file is opened without them, in the returned state.
pub(super) fn connect_to_read(path: &Path) -> Result<(Connection, Option<FileState>), LinkError> {
    ensure_file(path)?;
    let failed = |error| store_error(path, "opening it", error);
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    let locked = if connection.is_readonly(MAIN_DB).map_err(failed)? {
        Err(read_only())
    } else {
        // The first read opens the WAL.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    };
    match locked {
        Ok(()) => return Ok((connection, None)),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {}
            _ => return Err(failed(error)),
        },
    }
    let resolved = connection.path().map_or_else(|| path.to_owned(), PathBuf::from);
    match FileState::of(&resolved).filter(|state| !state.has_log) {
        Some(state) => {
            let name = percent_encode(resolved.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
            let uri = format!("file:{name}?immutable=1");
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            Ok((connect(Path::new(&uri), flags).map_err(failed)?, Some(state)))
        }
        None => Ok((connection, None)),
    }
}

fn read_only() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_READONLY), None)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // Set before WAL mode, otherwise one of two connections that open at the same time would fail.
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_IN_MS.into()))?;
    // Otherwise a statement whose plan might depend on its parameters is prepared again each time it gets new ones.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    functions::add(&connection)?;
    Ok(connection)
}

/// Whether the connection can write. Tries it, because the WAL may be read-only although the file is not. Does not wait for a lock.
fn can_write(connection: &Connection) -> rusqlite::Result<bool> {
    if connection.is_readonly(MAIN_DB)? {
        return Ok(false);
    }
    connection.busy_timeout(Duration::ZERO)?;
    let locked = connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK");
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_IN_MS.into()))?;
    Ok(!locked.is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::ReadOnly)))
}

/// State of a file that no program has open for writing. Such a program would keep a WAL or a journal beside it.
#[derive(PartialEq, Eq)]
pub(super) struct FileState {
    file: FileId,
    len: u64,
    modified: Option<SystemTime>,
    has_log: bool,
}

impl FileState {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        // One that cannot be accessed may have content.
        let has_log = [WAL, JOURNAL].iter().any(|suffix| match fs::metadata(beside(path, suffix)) {
            Ok(log) => log.len() > 0,
            Err(error) => error.kind() != ErrorKind::NotFound,
        });
        let (len, modified) = (metadata.len(), metadata.modified().ok());
        Some(Self { file: identify(path).ok()??, len, modified, has_log })
    }

    /// Whether the file at the path of the connection is still the same and unchanged.
    pub(super) fn is_current(&self, connection: &Connection) -> bool {
        connection.path().and_then(|path| Self::of(Path::new(path))).as_ref() == Some(self)
    }
}

/// Rejects folders and devices. SQLite would open a device.
fn ensure_file(path: &Path) -> Result<Option<fs::Metadata>, LinkError> {
    let unusable = |cause: &str, hint: String| {
        LinkError::new(Code::Store, format!("The embedded database {} cannot be opened: {cause}.", path.display()))
            .hint(hint)
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let example = path.join("omnichannel-link.db");
            Err(unusable("it is a folder", format!("Name a file, such as {}.", example.display())))
        }
        Ok(metadata) if !metadata.is_file() => {
            Err(unusable("it is a device, a pipe or a socket", "Choose another database file.".into()))
        }
        // Opening it makes SQLite report any other problem.
        metadata => Ok(metadata.ok()),
    }
}

/// Rejects a file with several hard links too: SQLite would keep a WAL for each name, and links would be lost.
pub(super) fn ensure_writable_file(path: &Path) -> Result<Option<fs::Metadata>, LinkError> {
    let metadata = ensure_file(path)?;
    match metadata.as_ref().map_or(1, hard_links) {
        0 | 1 => Ok(metadata),
        several => Err(unusable_file(
            path,
            &format!("has {several} names (hard links), and SQLite would keep a write-ahead log beside each of them"),
            "Remove the other names, or use a copy of the file.",
        )),
    }
}

/// Switches the file to WAL mode. If two connections switch a new file at the same time, SQLite fails one of them at once, because they
/// would wait for each other. That one then waits for the write lock and tries again.
fn enable_wal(connection: &Connection) -> rusqlite::Result<()> {
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

/// Whether the file certainly does not exist.
pub(super) fn is_absent(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}
