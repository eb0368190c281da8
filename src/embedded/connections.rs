//! The two connections of a store, one that writes and one that reads, and the files that they have open.
//!
//! Before each use the files at the path are compared with those that were opened. If they differ, both connections are closed before the
//! path is opened again: SQLite finds a log by its name, so the log of the old file would overwrite pages of the new one.

use std::{
    fs,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::{
    database::{self, Missing, Readable},
    fault::{file_fault, opened_with_an_old_log, replaced, still_open, store_fault},
    files::{Files, INDEX, LOG, beside},
};
use crate::{
    domain::{ConversationId, decision::conversation_not_found},
    error::LinkError,
};

/// How often a file is opened that is replaced at the same moment.
const MAX_OPENS: u32 = 3;

/// Both connections. Where both locks are needed, `writing` is taken first.
pub(super) struct Connections {
    path: PathBuf,
    opened: Mutex<Option<Opened>>,
    writing: Mutex<Option<Connection>>,
    reading: Mutex<Option<Connection>>,
}

/// What the connections have open.
#[derive(Clone)]
struct Opened {
    files: Files,
    /// The path without symbolic links.
    resolved: PathBuf,
}

/// The connection that writes, for one job.
pub(super) struct Writing<'a>(MutexGuard<'a, Option<Connection>>);

impl Connections {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, opened: Mutex::default(), writing: Mutex::default(), reading: Mutex::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The connection that writes, on the files that are at the path now. `None` if the file is missing and shall stay so.
    pub(super) fn to_write(&self, missing: Missing) -> Result<Option<Writing<'_>>, LinkError> {
        for _ in 0..MAX_OPENS {
            match self.ensure_current() {
                Err(_) if missing == Missing::LeaveAbsent && database::is_absent(&self.path) => return Ok(None),
                checked => checked?,
            }
            let mut writing = lock(&self.writing);
            if writing.is_none() {
                let Some(connection) = database::open(&self.path, missing)? else { return Ok(None) };
                *writing = self.adopt(connection)?;
            }
            if writing.is_some() {
                return Ok(Some(Writing(writing)));
            }
        }
        Err(replaced(&self.path, "opened"))
    }

    /// Reads from the files that are at the path now. `None` if there is nothing yet to read from.
    ///
    /// A connection that cannot write is not kept: SQLite would not notice that it could by now.
    pub(super) fn read<T>(&self, look: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<Option<T>, LinkError> {
        let look =
            |connection: &Connection| look(connection).map_err(|error| store_fault(&self.path, "reading", error));
        for _ in 0..MAX_OPENS {
            match self.ensure_current() {
                Err(_) if database::is_absent(&self.path) => return Ok(None),
                checked => checked?,
            }
            let mut reading = lock(&self.reading);
            if reading.is_none() {
                match database::open_to_read(&self.path)? {
                    None => return Ok(None),
                    Some(Readable::Writable(connection)) => *reading = self.adopt(connection)?,
                    Some(Readable::ReadOnly(connection)) => return look(&connection).map(Some),
                    Some(Readable::Unlocked(connection, version)) => {
                        let read = look(&connection);
                        if version.is_current(&connection) {
                            return read.map(Some);
                        }
                    }
                }
            }
            if let Some(connection) = &*reading {
                return look(connection).map(Some);
            }
        }
        Err(replaced(&self.path, "read"))
    }

    /// Why a conversation is not found where there is no file.
    pub(super) fn not_in_a_missing_file(&self, id: ConversationId) -> LinkError {
        let hint = format!("{} does not exist yet: importRecords() creates it.", self.path.display());
        conversation_not_found(id).hint(hint)
    }

    /// Fails if the files at the path are no longer those that were opened.
    pub(super) fn confirm(&self) -> Result<(), LinkError> {
        if self.is_current()? { Ok(()) } else { Err(replaced(&self.path, "written")) }
    }

    /// Closes the connection that writes, after a failure that may be its own. The next job opens another.
    pub(super) fn doubt_writing(&self) {
        self.doubt(&self.writing);
    }

    /// As [`Connections::doubt_writing`], for the connection that reads.
    pub(super) fn doubt_reading(&self) {
        self.doubt(&self.reading);
    }

    fn doubt(&self, connection: &Mutex<Option<Connection>>) {
        // One whose file was replaced and whose log has to stay is kept until the log can be removed.
        if self.ensure_current().is_ok() {
            *lock(connection) = None;
        }
    }

    /// Closes both.
    pub(super) fn close(&self) -> Result<(), LinkError> {
        self.ensure_current()?;
        let connections = [lock(&self.reading).take(), lock(&self.writing).take()];
        let closed = connections.into_iter().flatten().map(|connection| connection.close().map_err(|(_, error)| error));
        closed.collect::<rusqlite::Result<()>>().map_err(|error| store_fault(&self.path, "closing it", error))
    }

    fn is_current(&self) -> Result<bool, LinkError> {
        match &*lock(&self.opened) {
            Some(opened) => Ok(opened.files == self.files(&opened.resolved)?),
            None => Ok(true),
        }
    }

    fn files(&self, resolved: &Path) -> Result<Files, LinkError> {
        Files::at(&self.path, resolved).map_err(|error| file_fault(&self.path, error))
    }

    /// Notes which files a new connection has open. `None` if they are not those of the path, or of the other connection.
    fn adopt(&self, connection: Connection) -> Result<Option<Connection>, LinkError> {
        let resolved = connection.path().map_or_else(|| self.path.clone(), PathBuf::from);
        let files = self.files(&resolved)?;
        let mut opened = lock(&self.opened);
        let is_here = files.database == Files::at(&resolved, &resolved).ok().and_then(|files| files.database);
        let is_shared = opened.as_ref().is_none_or(|opened| opened.files.database == files.database);
        if !is_here || !is_shared || has_moved(&connection) {
            leave_log(&connection);
            return Ok(None);
        }
        *opened = Some(Opened { files, resolved });
        Ok(Some(connection))
    }

    /// Closes both connections if other files are at the path by now.
    pub(super) fn ensure_current(&self) -> Result<(), LinkError> {
        if self.is_current()? {
            return Ok(());
        }
        let (mut writing, mut reading) = (lock(&self.writing), lock(&self.reading));
        let mut opened = lock(&self.opened);
        // The other thread may have done it meanwhile.
        let Some(before) =
            opened.clone().filter(|opened| self.files(&opened.resolved).is_ok_and(|now| now != opened.files))
        else {
            return Ok(());
        };
        if writing.is_some() {
            reading.take().inspect(leave_log);
        }
        let last = if writing.is_some() { &mut *writing } else { &mut *reading };
        if let Some(connection) = &*last {
            self.retire(connection, &before)?;
        }
        (*last, *opened) = (None, None);
        Ok(())
    }

    /// Prepares the last connection to files that are no longer at the path for being closed. What was committed through it is brought
    /// into the file that it has open, and its log is taken away from beside another one.
    fn retire(&self, connection: &Connection, Opened { files, resolved }: &Opened) -> Result<(), LinkError> {
        let look = || Files::at(resolved, resolved).map_err(|error| file_fault(&self.path, error));
        let there = look()?;
        if there.database == files.database {
            // Only a link or the log is another one. SQLite closes the connection as usual, but would miss that the log is gone.
            if there.log.is_none() {
                let _ = connection.query_row("PRAGMA wal_checkpoint(full)", [], |_| Ok(()));
            }
            return Ok(());
        }
        leave_log(connection);
        let is_gone = there.database.is_none();
        let is_left = |there: &Files| {
            let (log, index) = (there.log == files.log, there.index == files.index);
            (log && there.log.is_some(), index && there.index.is_some())
        };
        let is_foreign = |there: &Files| {
            let (log, index) = is_left(there);
            there.log.is_some() && !log || there.index.is_some() && !index
        };
        if is_foreign(&there) {
            return Ok(());
        }
        let _alone = if is_gone || is_left(&there) == (false, false) { None } else { alone(&self.path, resolved)? };
        // Completes the file and deletes the log, if no other connection has the file open. The header cannot be changed, as SQLite sees
        // that the file has moved.
        let _ = connection.pragma_update(None, "journal_mode", "delete");
        let (log, index) = is_left(&look()?);
        if (log || index) && is_gone {
            return Err(still_open(&self.path));
        }
        for (is_left, suffix) in [(log, LOG), (index, INDEX)] {
            if is_left {
                fs::remove_file(beside(resolved, suffix)).map_err(|error| file_fault(&self.path, error))?;
            }
        }
        Ok(())
    }
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0.as_ref().unwrap_or_else(|| unreachable!("made with a connection"))
    }
}

impl DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.0.as_mut().unwrap_or_else(|| unreachable!("made with a connection"))
    }
}

/// Keeps SQLite from deleting a log by its name when it closes the connection.
fn leave_log(connection: &Connection) {
    let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
}

/// Locks a file that was put beside the log of another, so that the log can be removed. A connection of another program would have read
/// the log as its own and may have written to it. `None` if the file cannot be locked because it is not a database.
fn alone(path: &Path, resolved: &Path) -> Result<Option<Connection>, LinkError> {
    let lock = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(resolved, flags)?;
        leave_log(&connection);
        // Held from the first read on, without the index that all connections share.
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    match lock() {
        Ok(connection) => Ok(Some(connection)),
        Err(error) if is_busy(&error) => Err(opened_with_an_old_log(path)),
        Err(_) => Ok(None),
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether SQLite finds another file where it opened this one.
#[cfg(unix)]
fn has_moved(connection: &Connection) -> bool {
    let mut moved = 0;
    connection.file_control(Some(rusqlite::MAIN_DB), rusqlite::FileControl::HasMoved(&mut moved)).is_ok() && moved != 0
}

#[cfg(not(unix))]
fn has_moved(_connection: &Connection) -> bool {
    false
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
