//! The two connections of a store, one that writes and one that reads, and the files that they have open.
//!
//! Before each use the files at the path are compared with those that were opened. If they differ, both connections are closed before the
//! path is opened again: SQLite finds a log by its name, so the log of the old file would overwrite pages of the new one.

use std::{
    fs,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::Connection;

use super::{
    database::{self, Missing, Readable},
    fault::{file_fault, log_removed, replaced, still_open, store_fault, used_with_an_old_log},
    files::{Files, INDEX, LOG, beside, has_name, identify, is_shared_here, shared},
    log::{complete, has_moved, leave_log, lock_alone},
};
use crate::{
    domain::{ConversationId, conversation_not_found},
    error::LinkError,
};

/// How often a file is opened that is replaced at the same moment.
pub(super) const MAX_OPENS: u32 = 3;
/// How often the lock on a replaced file is waited for. Other clients of the old file have it for a moment.
const MAX_LOCKS: u32 = 20;
/// How the name of a log ends that was taken from beside a file that is not its own.
const SET_ASIDE: &str = "-wal.old";

/// Both connections. Where both locks are needed, `writing` is taken first.
pub(super) struct Connections {
    path: PathBuf,
    opened: Mutex<Option<Opened>>,
    writing: Slot,
    reading: Slot,
    is_closing: AtomicBool,
}

/// A connection, if it is open.
#[derive(Default)]
struct Slot {
    connection: Mutex<Option<Connection>>,
    /// Whether a call failed that used it. It is closed when the next call has found its files to be current, not before: once it is
    /// closed, its log cannot be told from another.
    is_in_doubt: AtomicBool,
}

/// The files that the connections have open.
#[derive(Clone)]
struct Opened {
    files: Arc<Files>,
    /// The path without symbolic links.
    resolved: PathBuf,
}

/// The connection that writes, for one job.
pub(super) struct Writing<'a>(MutexGuard<'a, Option<Connection>>);

impl Connections {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            opened: Mutex::default(),
            writing: Slot::default(),
            reading: Slot::default(),
            is_closing: AtomicBool::default(),
        }
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
            let mut writing = self.writing.get();
            if writing.is_none() {
                let Some(connection) = database::open(&self.path, missing)? else { return Ok(None) };
                *writing = self.adopt(connection)?;
                if writing.is_some() && !self.has_log() {
                    *writing = None;
                    return Err(log_removed(&self.path));
                }
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
            let mut reading = self.reading.get();
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

    /// The error of a call on a conversation where there is no file, or nothing in it.
    pub(super) fn not_in_a_missing_file(&self, id: ConversationId) -> LinkError {
        let path = self.path.display();
        let hint = if database::is_absent(&self.path) {
            format!("{path} does not exist yet: importRecords() creates it.")
        } else {
            format!("{path} is empty: importRecords() fills it.")
        };
        conversation_not_found(id).hint(hint)
    }

    /// Fails if the files at the path are no longer those that were opened.
    pub(super) fn confirm(&self) -> Result<(), LinkError> {
        if self.is_current()? { Ok(()) } else { Err(replaced(&self.path, "written")) }
    }

    /// Has the connection that writes closed by the next call, after a failure that may be its own.
    pub(super) fn doubt_writing(&self) {
        self.writing.doubt();
        // The log of a replaced file is taken away at once. If that fails, the next call says so.
        let _ = self.ensure_current();
    }

    /// As [`Connections::doubt_writing`], for the connection that reads.
    pub(super) fn doubt_reading(&self) {
        self.reading.doubt();
        let _ = self.ensure_current();
    }

    /// Closes both.
    pub(super) fn close(&self) -> Result<(), LinkError> {
        self.is_closing.store(true, Ordering::SeqCst);
        // A log that has to stay is left to those that use it.
        let _ = self.ensure_current();
        // The one that writes comes last, and takes the log along.
        for slot in [&self.reading, &self.writing] {
            let closed = lock(&slot.connection).take().map_or(Ok(()), Connection::close);
            closed.map_err(|(_, error)| store_fault(&self.path, "closing it", error))?;
        }
        Ok(())
    }

    /// Whether the files at the path are those that were opened, if any were.
    pub(super) fn is_current(&self) -> Result<bool, LinkError> {
        match &*lock(&self.opened) {
            Some(opened) => Ok(*opened.files == self.files(&opened.resolved)?),
            None => Ok(true),
        }
    }

    /// Whether the log and its index are where other programs look for them. Not if they were removed while another client in this process
    /// had them open: SQLite goes on to use those.
    fn has_log(&self) -> bool {
        lock(&self.opened).as_ref().is_some_and(|opened| opened.files.log.is_some() && opened.files.index.is_some())
    }

    fn files(&self, resolved: &Path) -> Result<Files, LinkError> {
        Files::at(&self.path, resolved).map_err(|error| file_fault(&self.path, error))
    }

    /// Notes which files a new connection has open. `None` if they are not those of the path, or of the other connection.
    fn adopt(&self, connection: Connection) -> Result<Option<Connection>, LinkError> {
        let resolved = connection.path().map_or_else(|| self.path.clone(), PathBuf::from);
        let files = self.files(&resolved)?;
        let mut opened = lock(&self.opened);
        let is_shared = opened
            .as_ref()
            .is_none_or(|opened| (&opened.files.database, opened.files.names) == (&files.database, files.names));
        let is_here = identify(&resolved).is_ok_and(|database| database == files.database);
        let new = Opened { files: shared(files), resolved };
        if has_moved(&connection) {
            self.retire(&connection, &new)?;
        } else if is_shared && is_here {
            *opened = Some(new);
            return Ok(Some(connection));
        }
        leave_log(&connection);
        Ok(None)
    }

    /// Closes both connections if other files are at the path by now.
    pub(super) fn ensure_current(&self) -> Result<(), LinkError> {
        if self.is_current()? {
            return Ok(());
        }
        let (mut writing, mut reading) = (lock(&self.writing.connection), lock(&self.reading.connection));
        let mut opened = lock(&self.opened);
        let Some(before) = opened.clone() else { return Ok(()) };
        // The other thread may have done it meanwhile.
        if self.files(&before.resolved)? == *before.files {
            return Ok(());
        }
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
    fn retire(&self, connection: &Connection, old: &Opened) -> Result<(), LinkError> {
        let look = || Files::at(&old.resolved, &old.resolved).map_err(|error| file_fault(&self.path, error));
        let there = look()?;
        if there.database == old.files.database && !has_moved(connection) {
            // Only a link or the log is another one. SQLite closes the connection as usual, but would miss that the log is gone.
            if there.log.is_none() {
                let _ = connection.query_row("PRAGMA wal_checkpoint(full)", [], |_| Ok(()));
            }
            return Ok(());
        }
        leave_log(connection);
        if there.database.is_some() {
            return self.remove_log(connection, old);
        }
        let is_complete = old.files.log.is_none() || complete(connection);
        match old.files.left(&look()?) {
            (false, false) => Ok(()),
            left if is_complete => self.remove(left, &old.resolved),
            // Others go on to use it, and the file may return.
            _ => Err(still_open(&self.path)),
        }
    }

    /// Removes the log of an old file from beside a new one, unless another connection has the new one open, or the old file goes on
    /// under another name and only the log has what was confirmed.
    fn remove_log(&self, connection: &Connection, old: &Opened) -> Result<(), LinkError> {
        let left = || {
            let there = Files::at(&old.resolved, &old.resolved).map_err(|error| file_fault(&self.path, error))?;
            Ok(old.files.left(&there))
        };
        // Another client in this process has the same log open, and brings it into the file when it is the last one. Other programs do not.
        let is_expendable =
            || old.files.log.is_none() || complete(connection) || !has_name(&old.files) || is_shared_here(&old.files);
        for _ in 0..MAX_LOCKS {
            if left()? == (false, false) {
                return if is_expendable() { Ok(()) } else { Err(still_open(&self.path)) };
            }
            if let Some(_alone) = lock_alone(&old.resolved) {
                // Other clients of the old file do the same.
                let left = left()?;
                return match is_expendable() {
                    true => self.remove(left, &old.resolved),
                    false if self.is_closing.load(Ordering::SeqCst) => self.set_log_aside(left, &old.resolved),
                    false => Err(still_open(&self.path)),
                };
            }
        }
        Err(used_with_an_old_log(&self.path))
    }

    /// Takes a log that is needed from beside a file that is not its own. There is no later call that could bring it into its file.
    fn set_log_aside(&self, (log, index): (bool, bool), resolved: &Path) -> Result<(), LinkError> {
        let aside = beside(resolved, SET_ASIDE);
        if log && !aside.exists() {
            fs::rename(beside(resolved, LOG), aside).map_err(|error| file_fault(&self.path, error))?;
        }
        self.remove((false, index), resolved)
    }

    fn remove(&self, (log, index): (bool, bool), resolved: &Path) -> Result<(), LinkError> {
        for (is_left, suffix) in [(log, LOG), (index, INDEX)] {
            if is_left {
                fs::remove_file(beside(resolved, suffix)).map_err(|error| file_fault(&self.path, error))?;
            }
        }
        Ok(())
    }
}

impl Slot {
    fn doubt(&self) {
        self.is_in_doubt.store(true, Ordering::SeqCst);
    }

    /// The connection, unless it is in doubt.
    fn get(&self) -> MutexGuard<'_, Option<Connection>> {
        let mut connection = lock(&self.connection);
        if self.is_in_doubt.swap(false, Ordering::SeqCst) {
            *connection = None;
        }
        connection
    }
}

/// A store that was not closed must not leave its log beside a file that was put in the place of its own.
impl Drop for Connections {
    fn drop(&mut self) {
        let _ = self.close();
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
