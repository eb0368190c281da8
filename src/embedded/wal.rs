//! Handles the WAL of a file that was moved or replaced while it was open.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, FileControl, MAIN_DB, OpenFlags, config::DbConfig, ffi};

/// Wait per attempt to lock a replaced file.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// Keeps SQLite from checkpointing and deleting the WAL, by its name, when it closes the connection.
pub(super) fn keep_wal(connection: &Connection) {
    let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
}

/// Copies the whole WAL into a file that was moved or deleted, and returns whether that succeeded. It fails while another connection has
/// the file open. SQLite does the same when the last connection is closed, unless it finds that the file was moved.
pub(super) fn checkpoint(connection: &Connection) -> bool {
    let mut file: *mut ffi::sqlite3_file = std::ptr::null_mut();
    let (name, operation) = (c"main".as_ptr(), ffi::SQLITE_FCNTL_FILE_POINTER);
    // SAFETY: the handle belongs to an open connection that only this thread uses, and the operation stores one pointer.
    let code = unsafe { ffi::sqlite3_file_control(connection.handle(), name, operation, (&raw mut file).cast()) };
    // SAFETY: the file and its methods live as long as the open connection.
    let methods = unsafe { file.as_ref().and_then(|file| file.pMethods.as_ref()) };
    let Some((lock, unlock)) = methods.and_then(|methods| methods.xLock.zip(methods.xUnlock)) else { return false };
    // SAFETY: the file's own method. A connection in WAL mode holds a shared lock also between transactions.
    let is_alone = code == ffi::SQLITE_OK && unsafe { lock(file, ffi::SQLITE_LOCK_EXCLUSIVE) } == ffi::SQLITE_OK;
    let is_complete = is_alone
        && connection
            .query_row("PRAGMA wal_checkpoint(passive)", [], |row| {
                let (is_busy, frames, written): (bool, i64, i64) = row.try_into()?;
                Ok(!is_busy && frames == written)
            })
            .unwrap_or(false);
    // SAFETY: as above. Goes back to the lock that the connection believes to hold, also after a failed attempt, which may have taken a
    // part.
    unsafe { unlock(file, ffi::SQLITE_LOCK_SHARED) };
    is_complete
}

/// Locks the new file beside the WAL of an old one, so that the WAL can be removed. `None` if another program has the new file open: it
/// has read the WAL as its own, and may have written to it.
pub(super) fn lock_alone(resolved: &Path) -> Option<rusqlite::Result<Connection>> {
    let lock = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(resolved, flags)?;
        connection.busy_timeout(LOCK_TIMEOUT)?;
        keep_wal(&connection);
        // Locks at the first read, without the shared wal-index.
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    let locked = lock();
    // Any other error means that it is not a database, so no program has it open.
    if locked.as_ref().is_err_and(is_busy) { None } else { Some(locked) }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether there is another file, or none, where SQLite opened this one.
#[cfg(unix)]
pub(super) fn has_moved(connection: &Connection) -> bool {
    let mut moved = 0;
    connection.file_control(Some(MAIN_DB), FileControl::HasMoved(&mut moved)).is_ok() && moved != 0
}

#[cfg(not(unix))]
pub(super) fn has_moved(_connection: &Connection) -> bool {
    false
}
