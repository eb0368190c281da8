//! The files of a database, and whether the ones at its path are still those that were opened.

use std::{
    ffi::OsString,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
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
        })
    }

    /// Whether this log, and this index, are still there.
    pub(super) fn left(&self, there: &Self) -> (bool, bool) {
        let (log, index) = (self.log == there.log, self.index == there.index);
        (log && self.log.is_some(), index && self.index.is_some())
    }
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
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path)?;
    Ok(FileId(metadata.dev(), metadata.ino()))
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
