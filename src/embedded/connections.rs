//! The two connections of a store, one for writing and one for reading, and the files that they have open.
//!
//! Before each use, the files at the path are compared with those that were opened. If they differ, both connections are closed before the
//! path is opened again. SQLite finds a WAL by its name, so the WAL of the old file would overwrite pages of the new one.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::Connection;

use super::{
    database::{self, IfMissing, Readable},
    error::{file_error, replaced, still_open, store_error, used_with_old_wal, wal_removed},
    files::{Files, SHM, WAL, beside, has_name, identify, is_shared_here, shared},
    wal::{checkpoint, has_moved, keep_wal, lock_alone},
};
use crate::{
    domain::{ConversationId, conversation_not_found},
    error::LinkError,
    sync::lock,
};

/// Attempts to open a file that keeps being replaced.
pub(super) const MAX_OPENS: u32 = 3;
/// Attempts to lock a replaced file. Other clients of the old file hold the lock for a moment.
const MAX_LOCKS: u32 = 20;
/// Suffix of a WAL that was renamed, because it lay beside a file that it does not belong to.
const SET_ASIDE: &str = "-wal.old";

/// Both connections. Code that needs both locks takes `writing` first.
pub(super) struct Connections {
    path: PathBuf,
    opened: Mutex<Option<Opened>>,
    writing: LazyConnection,
    reading: LazyConnection,
    is_closing: AtomicBool,
}

/// A connection that is opened when it is needed.
#[derive(Default)]
struct LazyConnection {
    connection: Mutex<Option<Connection>>,
    /// Whether a call that used it has failed. Then the next call closes it, but only after it has found the files to be current: without
    /// an open connection, the WAL could no longer be attributed to its file.
    must_reopen: AtomicBool,
}

#[derive(Clone)]
struct Opened {
    files: Arc<Files>,
    resolved: PathBuf,
}

/// The writing connection, for one job.
pub(super) struct Writing<'a>(MutexGuard<'a, Option<Connection>>);

impl Connections {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            opened: Mutex::default(),
            writing: LazyConnection::default(),
            reading: LazyConnection::default(),
            is_closing: AtomicBool::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The writing connection, on the files that are at the path now. `None` if the file is missing and is not created.
    pub(super) fn to_write(&self, missing: IfMissing) -> Result<Option<Writing<'_>>, LinkError> {
        for _ in 0..MAX_OPENS {
            match self.ensure_current() {
                Err(_) if missing == IfMissing::DoNotCreate && database::is_absent(&self.path) => return Ok(None),
                checked => checked?,
            }
            let mut writing = self.writing.get();
            if writing.is_none() {
                let Some(connection) = database::open(&self.path, missing)? else { return Ok(None) };
                *writing = self.adopt(connection)?;
                if writing.is_some() && !self.has_wal() {
                    *writing = None;
                    return Err(wal_removed(&self.path));
                }
            }
            if writing.is_some() {
                return Ok(Some(Writing(writing)));
            }
        }
        Err(replaced(&self.path, "opened"))
    }

    /// The writing connection, for a caller that compares the files when it has locked them, and makes another attempt if they differ: at the
    /// first attempt, those of an open connection are not compared here.
    pub(super) fn to_lock(&self, attempt: u32) -> Result<Option<Writing<'_>>, LinkError> {
        if attempt == 0
            && let Some(writing) = self.writing.if_usable()
        {
            return Ok(Some(Writing(writing)));
        }
        self.to_write(IfMissing::DoNotCreate)
    }

    /// Runs a query on the files that are at the path now. `None` if there is no database yet.
    ///
    /// A connection to a file that cannot be written is not kept, because SQLite would not notice when the file becomes writable.
    pub(super) fn read<T>(&self, query: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<Option<T>, LinkError> {
        let query =
            |connection: &Connection| query(connection).map_err(|error| store_error(&self.path, "reading", error));
        for _ in 0..MAX_OPENS {
            match self.ensure_current() {
                Err(_) if database::is_absent(&self.path) => return Ok(None),
                checked => checked?,
            }
            let mut reading = self.reading.get();
            if reading.is_none() {
                match database::open_to_read(&self.path)? {
                    None => return Ok(None),
                    Some(Readable::Writable(connection)) => *reading = self.adopt(connection)?,
                    Some(Readable::ReadOnly(connection)) => return query(&connection).map(Some),
                    Some(Readable::Unlocked(connection, state)) => {
                        let rows = query(&connection);
                        if state.is_current(&connection) {
                            return rows.map(Some);
                        }
                    }
                }
            }
            if let Some(connection) = &*reading {
                return query(connection).map(Some);
            }
        }
        Err(replaced(&self.path, "read"))
    }

    /// Error for a conversation if there is no file, or an empty one.
    pub(super) fn missing_conversation(&self, id: ConversationId) -> LinkError {
        let path = self.path.display();
        let hint = if database::is_absent(&self.path) {
            format!("{path} does not exist yet: the first import creates it.")
        } else {
            format!("{path} is empty: the first import fills it.")
        };
        conversation_not_found(id).hint(hint)
    }

    /// Fails if the files at the path were replaced since they were opened.
    pub(super) fn confirm(&self) -> Result<(), LinkError> {
        if self.is_current()? { Ok(()) } else { Err(replaced(&self.path, "written")) }
    }

    /// Makes the next call open a new writing connection, after a failure that may be caused by this one.
    pub(super) fn reopen_writing(&self) {
        self.writing.reopen_later();
        // Removes the WAL of a replaced file now. If that fails, the next call reports it.
        let _ = self.ensure_current();
    }

    /// The same as [`Connections::reopen_writing`] for the reading connection.
    pub(super) fn reopen_reading(&self) {
        self.reading.reopen_later();
        let _ = self.ensure_current();
    }

    /// Copies the WAL into the file, so that the next write starts at the beginning of the WAL. Not if the files were replaced: the old file
    /// may be open under another name, where SQLite's locks do not meet. Failures show at the next write.
    pub(super) fn checkpoint(&self) {
        let writing = lock(&self.writing.connection);
        if let Some(connection) = &*writing
            && self.is_current().unwrap_or(false)
        {
            let _ = connection.pragma_update(None, "wal_checkpoint", "passive");
        }
    }

    pub(super) fn close(&self) -> Result<(), LinkError> {
        self.is_closing.store(true, Ordering::SeqCst);
        // If the WAL has to stay, the connections that still use it clean up.
        let _ = self.ensure_current();
        // The writing connection is closed last and removes the WAL.
        for lazy in [&self.reading, &self.writing] {
            let closed = lock(&lazy.connection).take().map_or(Ok(()), Connection::close);
            closed.map_err(|(_, error)| store_error(&self.path, "closing it", error))?;
        }
        Ok(())
    }

    /// Whether the files at the path are still those that were opened. True if none are open.
    pub(super) fn is_current(&self) -> Result<bool, LinkError> {
        match &*lock(&self.opened) {
            Some(opened) => Ok(*opened.files == self.files(&opened.resolved)?),
            None => Ok(true),
        }
    }

    /// Whether the WAL and its index exist under their names. They do not if they were removed while another client in this process had
    /// them open: SQLite keeps using the removed ones.
    fn has_wal(&self) -> bool {
        lock(&self.opened).as_ref().is_some_and(|opened| opened.files.wal.is_some() && opened.files.shm.is_some())
    }

    fn files(&self, resolved: &Path) -> Result<Files, LinkError> {
        Files::at(&self.path, resolved).map_err(|error| file_error(&self.path, error))
    }

    /// The files where the old ones were opened, whatever the path leads to now.
    fn files_where_opened(&self, old: &Opened) -> Result<Files, LinkError> {
        Files::at(&old.resolved, &old.resolved).map_err(|error| file_error(&self.path, error))
    }

    /// Records the files that a new connection has open. `None` if they are not those of the path, or not those of the other connection.
    fn adopt(&self, connection: Connection) -> Result<Option<Connection>, LinkError> {
        let resolved = connection.path().map_or_else(|| self.path.clone(), PathBuf::from);
        let files = self.files(&resolved)?;
        let mut opened = lock(&self.opened);
        let is_shared = opened.as_ref().is_none_or(|opened| {
            (&opened.files.database, opened.files.hard_links) == (&files.database, files.hard_links)
        });
        let is_here = identify(&resolved).is_ok_and(|database| database == files.database);
        let new = Opened { files: shared(files), resolved };
        if has_moved(&connection) {
            self.retire(&connection, &new)?;
        } else if is_shared && is_here {
            *opened = Some(new);
            return Ok(Some(connection));
        }
        keep_wal(&connection);
        Ok(None)
    }

    /// Closes both connections if the files at the path were replaced.
    pub(super) fn ensure_current(&self) -> Result<(), LinkError> {
        if self.is_current()? {
            return Ok(());
        }
        let (mut writing, mut reading) = (lock(&self.writing.connection), lock(&self.reading.connection));
        let mut opened = lock(&self.opened);
        let Some(before) = opened.clone() else { return Ok(()) };
        // The other thread may have closed and opened them meanwhile.
        if self.files(&before.resolved)? == *before.files {
            return Ok(());
        }
        if writing.is_some() {
            reading.take().inspect(keep_wal);
        }
        let last = if writing.is_some() { &mut *writing } else { &mut *reading };
        if let Some(connection) = &*last {
            self.retire(connection, &before)?;
        }
        (*last, *opened) = (None, None);
        Ok(())
    }

    /// Prepares the last connection to replaced files for closing. Its commits are copied from the WAL into the file that it has open,
    /// and the WAL is removed from beside the new file.
    fn retire(&self, connection: &Connection, old: &Opened) -> Result<(), LinkError> {
        let now = self.files_where_opened(old)?;
        if now.database == old.files.database && !has_moved(connection) {
            // Only a link or the WAL has changed. SQLite closes the connection as usual, but would not notice that the WAL is missing.
            if now.wal.is_none() {
                let _ = connection.query_row("PRAGMA wal_checkpoint(full)", [], |_| Ok(()));
            }
            return Ok(());
        }
        keep_wal(connection);
        if now.database.is_some() {
            return self.remove_wal(connection, old);
        }
        let is_complete = old.files.wal.is_none() || checkpoint(connection);
        match old.files.left(&self.files_where_opened(old)?) {
            (false, false) => Ok(()),
            left if is_complete => self.remove(left, &old.resolved),
            // Other programs still use it, and the file may be moved back.
            _ => Err(still_open(&self.path)),
        }
    }

    /// Removes the WAL of an old file from beside a new one. Not if another connection has the new file open, or if the old file still
    /// exists under another name and only the WAL has its latest commits.
    fn remove_wal(&self, connection: &Connection, old: &Opened) -> Result<(), LinkError> {
        let left = || self.files_where_opened(old).map(|now| old.files.left(&now));
        // A client in this process that has the same WAL open copies it into the file when it closes last. Other programs do not.
        let is_expendable =
            || old.files.wal.is_none() || checkpoint(connection) || !has_name(&old.files) || is_shared_here(&old.files);
        for _ in 0..MAX_LOCKS {
            if left()? == (false, false) {
                return if is_expendable() { Ok(()) } else { Err(still_open(&self.path)) };
            }
            if let Some(_lock) = lock_alone(&old.resolved) {
                // Checked again, because other clients of the old file do the same.
                let left = left()?;
                return match is_expendable() {
                    true => self.remove(left, &old.resolved),
                    false if self.is_closing.load(Ordering::SeqCst) => self.set_wal_aside(left, &old.resolved),
                    false => Err(still_open(&self.path)),
                };
            }
        }
        Err(used_with_old_wal(&self.path))
    }

    /// Renames a WAL that is still needed but lies beside another file. For the last call of a client, which cannot leave it to a later
    /// one.
    fn set_wal_aside(&self, (wal, shm): (bool, bool), resolved: &Path) -> Result<(), LinkError> {
        let aside = beside(resolved, SET_ASIDE);
        if wal && !aside.exists() {
            fs::rename(beside(resolved, WAL), aside).map_err(|error| file_error(&self.path, error))?;
        }
        self.remove((false, shm), resolved)
    }

    fn remove(&self, (wal, shm): (bool, bool), resolved: &Path) -> Result<(), LinkError> {
        for (is_left, suffix) in [(wal, WAL), (shm, SHM)] {
            if is_left {
                fs::remove_file(beside(resolved, suffix)).map_err(|error| file_error(&self.path, error))?;
            }
        }
        Ok(())
    }
}

impl LazyConnection {
    fn reopen_later(&self) {
        self.must_reopen.store(true, Ordering::SeqCst);
    }

    /// The connection, if it is open and need not be reopened.
    fn if_usable(&self) -> Option<MutexGuard<'_, Option<Connection>>> {
        let connection = lock(&self.connection);
        (connection.is_some() && !self.must_reopen.load(Ordering::SeqCst)).then_some(connection)
    }

    /// The connection, unless it must be reopened.
    fn get(&self) -> MutexGuard<'_, Option<Connection>> {
        let mut connection = lock(&self.connection);
        if self.must_reopen.swap(false, Ordering::SeqCst) {
            *connection = None;
        }
        connection
    }
}

/// A store that was not closed must not leave its WAL beside a file that has replaced its own.
impl Drop for Connections {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

impl Writing<'_> {
    pub(super) fn connection(&mut self) -> &mut Connection {
        self.0.as_mut().unwrap_or_else(|| unreachable!("created with a connection"))
    }
}
