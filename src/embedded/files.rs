//! The files of a database: their names and identities, to notice when they were replaced.

use std::{
    ffi::OsString,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, Weak},
};

use crate::sync::lock;

pub(super) const WAL: &str = "-wal";
/// Suffix of the rollback journal, which SQLite uses if another program has switched the file from WAL mode.
pub(super) const JOURNAL: &str = "-journal";
/// Suffix of the wal-index, which all connections share.
pub(super) const SHM: &str = "-shm";

/// Identity of a file regardless of its name: device and inode.
#[cfg(unix)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

/// Target of a path. On Windows no program can rename or delete a file that SQLite has open, but links can change.
#[cfg(not(unix))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileId(PathBuf);

/// The files of one database. `None` for a missing file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) database: Option<FileId>,
    pub(super) wal: Option<FileId>,
    pub(super) shm: Option<FileId>,
    pub(super) hard_links: u64,
}

impl Files {
    /// The files at a path now. SQLite resolves symbolic links when it opens a database and keeps its WAL beside the `resolved` path.
    ///
    /// # Errors
    /// If the operating system denies access. A missing file is not an error.
    pub(super) fn at(path: &Path, resolved: &Path) -> io::Result<Self> {
        let metadata = if_exists(fs::metadata(path))?;
        Ok(Self {
            database: metadata.as_ref().map_or(Ok(None), |metadata| if_exists(file_id(path, metadata)))?,
            wal: identify(&beside(resolved, WAL))?,
            shm: identify(&beside(resolved, SHM))?,
            hard_links: metadata.as_ref().map_or(0, hard_links),
        })
    }

    /// Whether this WAL, and this wal-index, are still among the files `now`.
    pub(super) fn left(&self, now: &Self) -> (bool, bool) {
        let (wal, shm) = (self.wal == now.wal, self.shm == now.shm);
        (wal && self.wal.is_some(), shm && self.shm.is_some())
    }
}

/// The files that clients of this process have open.
static SHARED: Mutex<Vec<Weak<Files>>> = Mutex::new(Vec::new());

/// Registers open files for the other clients of this process, until the value is dropped.
pub(super) fn shared(files: Files) -> Arc<Files> {
    let files = Arc::new(files);
    let mut all = lock(&SHARED);
    all.retain(|files| files.strong_count() > 0);
    all.push(Arc::downgrade(&files));
    files
}

/// Whether another client of this process has this database open with the same WAL.
pub(super) fn is_shared_here(files: &Arc<Files>) -> bool {
    let all = lock(&SHARED);
    let is_same =
        |other: Arc<Files>| !Arc::ptr_eq(&other, files) && other.database == files.database && other.wal == files.wal;
    all.iter().filter_map(Weak::upgrade).any(is_same)
}

/// Whether a database that this process has open still has any name. A file without one disappears when the last program closes it.
/// Searches the open files, because opening and closing the database once more would release its locks.
#[cfg(unix)]
pub(super) fn has_name(files: &Files) -> bool {
    let open = match fs::read_dir("/dev/fd") {
        Ok(open) => open,
        Err(error) => return error.kind() != ErrorKind::NotFound,
    };
    open.flatten()
        .filter_map(|open| fs::metadata(open.path()).ok())
        .any(|metadata| files.database.as_ref() == Some(&identity(&metadata)) && hard_links(&metadata) > 0)
}

#[cfg(not(unix))]
pub(super) fn has_name(_files: &Files) -> bool {
    false
}

/// The file beside a database with this suffix.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::with_capacity(path.as_os_str().len() + suffix.len());
    name.push(path);
    name.push(suffix);
    name.into()
}

/// Identity of the file at the path, or `None` if it certainly does not exist.
pub(super) fn identify(path: &Path) -> io::Result<Option<FileId>> {
    if_exists(fs::metadata(path).and_then(|metadata| file_id(path, &metadata)))
}

fn if_exists<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "fails on other platforms")]
fn file_id(_path: &Path, metadata: &fs::Metadata) -> io::Result<FileId> {
    Ok(identity(metadata))
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt;
    FileId(metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn file_id(path: &Path, _metadata: &fs::Metadata) -> io::Result<FileId> {
    fs::canonicalize(path).map(FileId)
}

#[cfg(unix)]
pub(super) fn hard_links(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

/// Always one, because the standard library does not report it on this platform.
#[cfg(not(unix))]
pub(super) fn hard_links(_metadata: &fs::Metadata) -> u64 {
    1
}
