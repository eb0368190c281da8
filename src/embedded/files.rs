//! The files of a database, and whether the ones at its path are still those that were opened.

use std::{
    ffi::OsString,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// SQLite's write-ahead log, beside the database.
pub(super) const LOG: &str = "-wal";
/// Its journal where it keeps no log: in a file that another program switched.
pub(super) const JOURNAL: &str = "-journal";
/// The index of the log, which all connections share.
pub(super) const INDEX: &str = "-shm";

/// Identifies a file whatever its name: device and inode.
#[cfg(unix)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

/// Identifies what a path leads to. Windows lets no program rename or delete a file that SQLite has open, but links may change.
#[cfg(not(unix))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileId(PathBuf);

/// The files of one database. `None` where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) database: Option<FileId>,
    pub(super) log: Option<FileId>,
    pub(super) index: Option<FileId>,
    /// How many names the database has.
    pub(super) names: u64,
}

impl Files {
    /// The files at a path now. SQLite resolves symbolic links when it opens a database and keeps its log beside the `resolved` path.
    ///
    /// # Errors
    /// Whatever keeps the operating system from looking. A file that is not there is not an error.
    pub(super) fn at(path: &Path, resolved: &Path) -> io::Result<Self> {
        Ok(Self {
            database: identify(path)?,
            log: identify(&beside(resolved, LOG))?,
            index: identify(&beside(resolved, INDEX))?,
            names: fs::metadata(path).map_or(0, |metadata| names(&metadata)),
        })
    }

    /// Whether this log, and this index, are still there.
    pub(super) fn left(&self, there: &Self) -> (bool, bool) {
        let (log, index) = (self.log == there.log, self.index == there.index);
        (log && self.log.is_some(), index && self.index.is_some())
    }
}

/// The files that clients of this process have open.
static SHARED: Mutex<Vec<Weak<Files>>> = Mutex::new(Vec::new());

/// Tells the other clients of this process about the files, as long as they are open.
pub(super) fn shared(files: Files) -> Arc<Files> {
    let files = Arc::new(files);
    let mut all = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|files| files.strong_count() > 0);
    all.push(Arc::downgrade(&files));
    files
}

/// Whether another client of this process has this database open with the same log.
pub(super) fn is_shared_here(files: &Arc<Files>) -> bool {
    let all = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_same =
        |other: Arc<Files>| !Arc::ptr_eq(&other, files) && other.database == files.database && other.log == files.log;
    all.iter().filter_map(Weak::upgrade).any(is_same)
}

/// Whether a database that this process has open still has a name, which need not be the one by which it was opened. A file without one is
/// gone when the last program closes it. Looked up among the open files, because to open and close it once more would release its locks.
#[cfg(unix)]
pub(super) fn has_name(files: &Files) -> bool {
    let open = match fs::read_dir("/dev/fd") {
        Ok(open) => open,
        Err(error) => return error.kind() != ErrorKind::NotFound,
    };
    open.flatten()
        .filter_map(|open| fs::metadata(open.path()).ok())
        .any(|metadata| files.database.as_ref() == Some(&identity(&metadata)) && names(&metadata) > 0)
}

#[cfg(not(unix))]
pub(super) fn has_name(_files: &Files) -> bool {
    false
}

/// The file beside a database whose name ends so.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The file at the path, or `None` if there certainly is none.
pub(super) fn identify(path: &Path) -> io::Result<Option<FileId>> {
    match file_id(path) {
        Ok(id) => Ok(Some(id)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn file_id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|metadata| identity(&metadata))
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt;
    FileId(metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn file_id(path: &Path) -> io::Result<FileId> {
    fs::canonicalize(path).map(FileId)
}

/// How many names the file has in its file system.
#[cfg(unix)]
pub(super) fn names(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

/// One, because the standard library does not tell on this platform.
#[cfg(not(unix))]
pub(super) fn names(_metadata: &fs::Metadata) -> u64 {
    1
}
