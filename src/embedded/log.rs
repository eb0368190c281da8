//! What becomes of the log of a file that was moved or replaced while it was open.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, FileControl, MAIN_DB, OpenFlags, config::DbConfig, ffi};

/// How long the lock on a replaced file is waited for, each time.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// Keeps SQLite from deleting a log by its name when it closes the connection.
pub(super) fn leave_log(connection: &Connection) {
    let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
}

/// Brings the log into a file that was moved or deleted, and says whether it did: not while another connection has the file open. SQLite does
/// the same when it closes the last connection to a file, unless it finds the file moved.
pub(super) fn complete(connection: &Connection) -> bool {
    let mut file: *mut ffi::sqlite3_file = std::ptr::null_mut();
    let (name, operation) = (c"main".as_ptr(), ffi::SQLITE_FCNTL_FILE_POINTER);
    // SAFETY: the handle is that of an open connection, used by this thread alone, and the operation stores one pointer.
    let code = unsafe { ffi::sqlite3_file_control(connection.handle(), name, operation, (&raw mut file).cast()) };
    // SAFETY: the file of an open connection is there as long as the connection, and so are its methods once it was opened.
    let methods = unsafe { file.as_ref().and_then(|file| file.pMethods.as_ref()) };
    let Some((lock, unlock)) = methods.and_then(|methods| methods.xLock.zip(methods.xUnlock)) else { return false };
    // SAFETY: the file's own method. The connection holds a shared lock, as every one in WAL mode does between its transactions.
    let is_alone = code == ffi::SQLITE_OK && unsafe { lock(file, ffi::SQLITE_LOCK_EXCLUSIVE) } == ffi::SQLITE_OK;
    let is_complete = is_alone
        && connection
            .query_row("PRAGMA wal_checkpoint(passive)", [], |row| {
                let (is_busy, frames, written): (bool, i64, i64) = row.try_into()?;
                Ok(!is_busy && frames == written)
            })
            .unwrap_or(false);
    // SAFETY: as above. Back to what the connection takes itself to hold; a lock that was refused may have left its beginnings.
    unsafe { unlock(file, ffi::SQLITE_LOCK_SHARED) };
    is_complete
}

/// Locks a file that was put beside the log of another, so that the log can be removed. A program that has the file open has read the log as
/// its own and may have written to it: then `None`.
pub(super) fn lock_alone(resolved: &Path) -> Option<rusqlite::Result<Connection>> {
    let lock = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(resolved, flags)?;
        connection.busy_timeout(LOCK_TIMEOUT)?;
        leave_log(&connection);
        // Held from the first read on, without the index that all connections share.
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    let locked = lock();
    // Another error says that it is not a database, which no program has open.
    if locked.as_ref().is_err_and(is_busy) { None } else { Some(locked) }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether SQLite finds another file where it opened this one.
#[cfg(unix)]
pub(super) fn has_moved(connection: &Connection) -> bool {
    let mut moved = 0;
    connection.file_control(Some(MAIN_DB), FileControl::HasMoved(&mut moved)).is_ok() && moved != 0
}

#[cfg(not(unix))]
pub(super) fn has_moved(_connection: &Connection) -> bool {
    false
}
