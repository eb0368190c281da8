//! Maps errors of SQLite and of the file system to `STORE`, each with a hint.

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use rusqlite::ErrorCode;

use super::files::{SHM, WAL, beside};
use crate::error::{Code, LinkError};

/// How long SQLite waits for another process to finish its transaction.
pub(super) const BUSY_TIMEOUT_IN_MS: u16 = 5_000;

pub(super) fn store_error(path: &Path, doing: &str, error: rusqlite::Error) -> LinkError {
    let is_exhausted = error.sqlite_error_code() == Some(ErrorCode::CannotOpen) && is_out_of_descriptors(path);
    let (cause, hint, retryable) =
        if is_exhausted { ("this process may not open more files", NO_FILE_LEFT, true) } else { explain(&error) };
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => write_permission_hint(path),
        _ => hint.to_owned(),
    };
    LinkError::new(Code::Store, format!("The embedded database {} failed while {doing}: {cause}.", path.display()))
        .hint(hint)
        .with(|details| details.retryable = Some(retryable))
        .caused_by(error)
}

pub(super) const NO_FILE_LEFT: &str = "Close files, or raise the limit on open files (`ulimit -n`); then call again.";

/// Whether the system has no memory or file descriptors left: `ENOMEM`, `ENFILE` or `EMFILE`, which have these numbers on every Unix.
pub(super) fn is_exhausted(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(12 | 23 | 24))
}

/// Tests for file descriptors by opening a folder, because SQLite does not report why it cannot open a file. Not by opening the file:
/// closing it again would release its locks.
fn is_out_of_descriptors(path: &Path) -> bool {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::read_dir(folder).is_err_and(|error| is_exhausted(&error))
}

/// The rows of an import could not be staged.
pub(super) fn staging_error(error: rusqlite::Error) -> LinkError {
    let (cause, _, retryable) = explain(&error);
    LinkError::new(Code::Store, format!("The rows could not be staged in the folder for temporary files: {cause}."))
        .hint("The folder (`SQLITE_TMPDIR`, else `TMPDIR`; on Windows `TMP`) must be writable and have room for twice the page.")
        .with(|details| details.retryable = Some(retryable))
        .caused_by(error)
}

/// The operating system denies access to the file, or to the WAL beside it.
pub(super) fn file_error(path: &Path, error: io::Error) -> LinkError {
    LinkError::new(Code::Store, format!("The embedded database {} cannot be accessed: {error}.", path.display()))
        .hint("This user must be allowed to read and write the file and its folder.")
        .caused_by(error)
}

/// The files at the path were replaced while the store had the old ones open.
pub(super) fn replaced(path: &Path, doing: &str) -> LinkError {
    let message = format!("The embedded database {} was replaced while it was being {doing}.", path.display());
    retryable(message, "Call again: the next call uses the file that is there now.")
}

/// The file was deleted or moved, and another connection still needs its WAL.
pub(super) fn still_open(path: &Path) -> LinkError {
    let message = format!(
        "The embedded database {} was deleted or moved away, and another client or program still has it open.",
        path.display()
    );
    retryable(message, "Close that client or program, or put the file back; then call again.")
}

/// The WAL was removed, and another connection still uses it.
pub(super) fn wal_removed(path: &Path) -> LinkError {
    let message = format!(
        "The log beside the embedded database {} was removed, and another client still has it open.",
        path.display()
    );
    retryable(message, "Close that client; then call again.")
}

/// The file was replaced, the WAL of the old one is still beside it, and the new one is in use.
pub(super) fn used_with_old_wal(path: &Path) -> LinkError {
    let message = format!(
        "The embedded database {} was replaced while it was open, and another client or program has the new file open, perhaps with the \
         log of the old one.",
        path.display()
    );
    let (wal, shm) = (beside(path, WAL), beside(path, SHM));
    let hint = format!(
        "Close it and call again. If it opened the file at this path, restore it again without {} and {} beside it.",
        wal.display(),
        shm.display()
    );
    retryable(message, &hint)
}

/// Whether a commit that failed with this error certainly had no effect. SQLite rolls back after every error except a failed sync: data
/// written before that may or may not survive a crash.
pub(super) fn is_rolled_back(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() != Some(ErrorCode::SystemIoFailure)
}

fn retryable(message: String, hint: &str) -> LinkError {
    LinkError::new(Code::Store, message).hint(hint).with(|details| details.retryable = Some(true))
}

/// Result of a call that its caller cancelled, so it is never seen.
pub(super) fn cancelled() -> LinkError {
    LinkError::new(Code::Internal, "The caller cancelled this call.")
}

/// Turns a panic into an error, because no panic may end a thread or cross into Node.
pub(super) fn catch_panic<T>(work: impl FnOnce() -> Result<T, LinkError>) -> Result<T, LinkError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(defect()))
}

pub(super) fn defect() -> LinkError {
    LinkError::new(Code::Internal, "A defect of omnichannel-link stopped this call; please report it.")
}

/// The file is a database that this version cannot use.
pub(super) fn unusable_file(path: &Path, cause: &str, hint: &str) -> LinkError {
    LinkError::new(Code::Store, format!("{} {cause}.", path.display())).hint(hint)
}

/// Hint for a file that cannot be written. A WAL or wal-index that was created beside a read-only database is read-only too, and stays so.
pub(super) fn write_permission_hint(path: &Path) -> String {
    let [wal, shm] = [WAL, SHM].map(|suffix| beside(path, suffix));
    let is_read_only = |path: &&Path| fs::metadata(path).is_ok_and(|metadata| metadata.permissions().readonly());
    match [path, &wal, &shm].iter().find(|path| is_read_only(path)) {
        Some(path) => format!("{} is read-only: give this user write permission to it.", path.display()),
        None => format!(
            "Give this user write permission to the file and its folder, and to {} and {} if they exist.",
            wal.display(),
            shm.display()
        ),
    }
}

pub(super) const RECOVERY_HINT: &str =
    "Copy the file, recover the readable data with `sqlite3 FILE .recover`, and import again.";

/// Cause, hint, and whether the call may be repeated.
fn explain(error: &rusqlite::Error) -> (&'static str, &'static str, bool) {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            ("the file is not a SQLite database", "Choose another database file, or remove this one.", false)
        }
        Some(ErrorCode::DatabaseCorrupt) => ("the file is damaged", RECOVERY_HINT, false),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => ("it cannot be written", "", false),
        Some(ErrorCode::DiskFull) => ("the disk is full", "Free some space and call again; nothing was lost.", true),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            "another process kept it locked",
            "End the transaction that some program holds open on it, then call again.",
            true,
        ),
        Some(ErrorCode::CannotOpen) => (
            "it cannot be opened",
            "The folder must exist, and the path must lead to a file. This user needs read and write permission to both, and to the files \
             beside it that begin with its name. The process must not have too many files open.",
            false,
        ),
        Some(ErrorCode::SystemIoFailure) => {
            ("reading or writing the disk failed", "Check the disk and the system's log; then call again.", true)
        }
        _ => ("SQLite reported an error", "`cause` is the message of SQLite.", false),
    }
}
