//! What is at the path of the database, as SQLite will find it. That something cannot be looked at does not mean that it is not
//! there: only "not found" does.

use std::{
    ffi::OsString,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use rusqlite::ffi;

use crate::error::{Code, LinkError};

/// As many as Linux follows.
const MAX_LINKS: usize = 40;
/// What SQLite appends to the file's name.
const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// What is there.
pub(super) enum Found {
    /// A file.
    File,
    /// Nothing, and a place where a file can be created.
    Nothing,
}

/// Looks at the path, and at the folder if there is nothing.
pub(super) fn find(path: &Path) -> Result<Found, LinkError> {
    let path = &plain(path);
    let shown = path.display();
    let another = "Name another file in `embedded.path`.";
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(Found::File),
        Ok(found) if found.is_dir() => {
            Err(failed(format!("{shown} is not a file."), "Name a file in `embedded.path`, not a folder."))
        }
        Ok(_) => Err(failed(format!("{shown} is not a regular file."), another)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            check_room(path)?;
            Ok(Found::Nothing)
        }
        Err(error) => Err(hidden(path, &error)),
    }
}

/// Whether a database at this path can have its log beside it.
pub(super) fn check_room(path: &Path) -> Result<(), LinkError> {
    let target = target(&plain(path)).map_err(|error| hidden(path, &error))?;
    check_folder(target.parent().unwrap_or(&target))?;
    check_companions(&target)
}

/// Without a separator at its end, which SQLite ignores.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

/// Whether this user may create files in it.
fn check_folder(folder: &Path) -> Result<(), LinkError> {
    let shown = folder.display();
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => {
            Err(failed(format!("{shown} is not a folder."), "Name a file in a folder in `embedded.path`."))
        }
        Ok(_) if !may_write(folder) => {
            let fix = "Give this user write permission to the folder, or name another file in `embedded.path`.";
            Err(failed(format!("This user may not create files in the folder {shown}."), fix))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let fix = "Create it, or name another file in `embedded.path`.";
            Err(failed(format!("There is no folder {shown}."), fix))
        }
        Err(error) => Err(hidden(folder, &error)),
    }
}

/// SQLite follows links to what is not there, and creates that.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&target) {
            Ok(next) => target = target.parent().unwrap_or(Path::new("/")).join(next),
            // Windows says that what is not a link cannot be read as one in several ways.
            Err(_) => return Ok(target),
        }
    }
    Err(io::Error::other("too many links"))
}

/// A name may be short enough for the file, and too long for what SQLite keeps beside it; and something else may be there.
fn check_companions(path: &Path) -> Result<(), LinkError> {
    let too_long = || {
        let what = format!("{} is too long for SQLite, which appends to the name.", path.display());
        failed(what, "Name a file with a shorter name or in another folder in `embedded.path`.")
    };
    let longest = default_vfs().map_or(usize::MAX, |vfs| usize::try_from(vfs.mxPathname).unwrap_or(usize::MAX));
    if path.as_os_str().len() + COMPANIONS[0].len() > longest {
        return Err(too_long());
    }
    for suffix in COMPANIONS {
        let mut companion = OsString::from(path);
        companion.push(suffix);
        let companion = Path::new(&companion);
        match fs::symlink_metadata(companion) {
            Ok(found) if !found.is_file() || !may_write(companion) => {
                let what = format!("{} is in the way: SQLite keeps its log there.", companion.display());
                return Err(failed(what, "Remove it, or give this user write permission if it is a database's log."));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::InvalidFilename => return Err(too_long()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(hidden(companion, &error)),
        }
    }
    Ok(())
}

/// As SQLite asks the system. Windows has no answer that is worth it: it knows attributes, and not rights.
fn may_write(path: &Path) -> bool {
    let Ok(name) = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()) else { return false };
    let (Some(vfs), true) = (default_vfs(), cfg!(unix)) else { return true };
    let Some(access) = vfs.xAccess else { return true };
    let mut may = 0;
    // SAFETY: the VFS lives as long as the process and its function takes itself, a C string and a place for the result.
    let asked = unsafe {
        access(std::ptr::from_ref(vfs).cast_mut(), name.as_ptr(), ffi::SQLITE_ACCESS_READWRITE, &raw mut may)
    };
    asked != ffi::SQLITE_OK || may != 0
}

fn default_vfs() -> Option<&'static ffi::sqlite3_vfs> {
    // SAFETY: a null name asks for the default; what is returned is registered for the life of the process, or null.
    unsafe { ffi::sqlite3_vfs_find(std::ptr::null()).as_ref() }
}

fn hidden(path: &Path, error: &io::Error) -> LinkError {
    let fix = match error.kind() {
        ErrorKind::PermissionDenied => "Give this user permission to every folder on the way to it.",
        _ => "Check `embedded.path`, and each folder and link on the way to it.",
    };
    failed(format!("{} cannot be looked at: {error}.", path.display()), fix)
}

fn failed(what: String, fix: &str) -> LinkError {
    LinkError::new(Code::Store, what).hint(fix)
}
