//! Checks the path of the database, and whether SQLite can create its files there, for the diagnosis. A file that cannot be accessed
//! counts as missing only if the system reports "not found".

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use rusqlite::ffi;

use super::files::{JOURNAL, SHM, WAL, beside};
use crate::error::{Code, LinkError};

/// Most symbolic links in a row; Linux has the same limit.
const MAX_LINKS: usize = 40;
/// Suffixes of the files that SQLite creates beside the database, the longest first.
const COMPANIONS: [&str; 3] = [JOURNAL, WAL, SHM];

pub(super) enum Found {
    File,
    /// No file, but one can be created.
    Nothing,
}

/// Checks the path, and the folder if there is no file.
pub(super) fn find(path: &Path) -> Result<Found, LinkError> {
    let path = &plain(path);
    let shown = path.display();
    let another = "Choose another database file.";
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(Found::File),
        Ok(found) if found.is_dir() => Err(failed(format!("{shown} is not a file."), "Name a file, not a folder.")),
        Ok(_) => Err(failed(format!("{shown} is not a regular file."), another)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            check_wal_path(path)?;
            Ok(Found::Nothing)
        }
        Err(error) => Err(inaccessible(path, &error)),
    }
}

/// Checks that SQLite can create its files beside a database at this path.
pub(super) fn check_wal_path(path: &Path) -> Result<(), LinkError> {
    let target = target(&plain(path)).map_err(|error| inaccessible(path, &error))?;
    check_folder(target.parent().unwrap_or(&target))?;
    check_companions(&target)
}

/// The path without a trailing separator, which SQLite ignores.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

/// Checks that this user may create files in the folder.
fn check_folder(folder: &Path) -> Result<(), LinkError> {
    let shown = folder.display();
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => {
            Err(failed(format!("{shown} is not a folder."), "Choose a database file in a folder."))
        }
        Ok(_) if !may_write(folder) => {
            let fix = "Give this user write permission to the folder, or choose another database file.";
            Err(failed(format!("This user may not create files in the folder {shown}."), fix))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let fix = "Create it, or choose another database file.";
            Err(failed(format!("There is no folder {shown}."), fix))
        }
        Err(error) => Err(inaccessible(folder, &error)),
    }
}

/// The path after all symbolic links. SQLite follows links to a missing file, and creates that file.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&target) {
            Ok(next) => target = target.parent().unwrap_or(Path::new("/")).join(next),
            // Not a link. Windows has several error codes for that.
            Err(_) => return Ok(target),
        }
    }
    Err(io::Error::other("too many links"))
}

/// Checks the files beside the database: their names may be too long, or something else may have such a name.
fn check_companions(path: &Path) -> Result<(), LinkError> {
    let too_long = || {
        let what = format!("{} is too long for SQLite, which appends to the name.", path.display());
        failed(what, "Choose a shorter name for the database file, or another folder.")
    };
    let longest = default_vfs().map_or(usize::MAX, |vfs| usize::try_from(vfs.mxPathname).unwrap_or(usize::MAX));
    if path.as_os_str().len() + COMPANIONS[0].len() > longest {
        return Err(too_long());
    }
    for suffix in COMPANIONS {
        let companion = &beside(path, suffix);
        match fs::symlink_metadata(companion) {
            Ok(found) if !found.is_file() || !may_write(companion) => {
                let what = format!("{} is in the way: SQLite keeps its write-ahead log there.", companion.display());
                return Err(failed(what, "Remove it, or give this user write permission if it is a database's log."));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::InvalidFilename => return Err(too_long()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(inaccessible(companion, &error)),
        }
    }
    Ok(())
}

/// Asks the system in the same way as SQLite. Always true on Windows, where SQLite checks only attributes, not permissions.
fn may_write(path: &Path) -> bool {
    let Ok(name) = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()) else { return false };
    let (Some(vfs), true) = (default_vfs(), cfg!(unix)) else { return true };
    let Some(access) = vfs.xAccess else { return true };
    let mut may = 0;
    // SAFETY: the VFS lives as long as the process. Its function takes the VFS, a C string and a pointer for the result.
    let asked = unsafe {
        access(std::ptr::from_ref(vfs).cast_mut(), name.as_ptr(), ffi::SQLITE_ACCESS_READWRITE, &raw mut may)
    };
    asked != ffi::SQLITE_OK || may != 0
}

fn default_vfs() -> Option<&'static ffi::sqlite3_vfs> {
    // SAFETY: a null name means the default VFS. The result is null, or registered for the life of the process.
    unsafe { ffi::sqlite3_vfs_find(std::ptr::null()).as_ref() }
}

fn inaccessible(path: &Path, error: &io::Error) -> LinkError {
    let fix = match error.kind() {
        ErrorKind::PermissionDenied => "Give this user permission to every folder on the way to it.",
        _ => "Check the path, and each folder and link on the way to it.",
    };
    failed(format!("{} cannot be accessed: {error}.", path.display()), fix)
}

fn failed(what: String, fix: &str) -> LinkError {
    LinkError::new(Code::Store, what).hint(fix)
}
