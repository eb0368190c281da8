//! What SQLite says, as `STORE` with a hint.

use std::{fs, io, path::Path};

use rusqlite::ErrorCode;

use super::files::{INDEX, LOG, beside};
use crate::error::{Code, LinkError};

/// How long SQLite waits for another process to finish its transaction.
pub(super) const BUSY_TIMEOUT_IN_MS: u16 = 5_000;

/// Names the file, the cause and the remedy.
pub(super) fn store_fault(path: &Path, doing: &str, error: rusqlite::Error) -> LinkError {
    let is_exhausted = error.sqlite_error_code() == Some(ErrorCode::CannotOpen) && has_no_file_left(path);
    let (cause, hint, retryable) = if is_exhausted {
        ("the system refuses this process another file", NO_FILE_LEFT, true)
    } else {
        explain(&error)
    };
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => may_not_be_written(path),
        _ => hint.to_owned(),
    };
    LinkError::new(Code::Store, format!("The embedded database {} failed while {doing}: {cause}.", path.display()))
        .hint(hint)
        .with(|details| details.retryable = Some(retryable))
        .caused_by(error)
}

pub(super) const NO_FILE_LEFT: &str = "Close files, or raise the limit on open files (`ulimit -n`); then call again.";

/// Whether the system refuses to open a file for want of room, whatever the file: `ENOMEM`, `ENFILE` or `EMFILE`, which have these
/// numbers on every Unix.
pub(super) fn is_exhausted(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(12 | 23 | 24))
}

/// SQLite does not say why it cannot open a file, so a folder is opened: to close the file once more would release its locks.
fn has_no_file_left(path: &Path) -> bool {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::read_dir(folder).is_err_and(|error| is_exhausted(&error))
}

/// The rows of an import could not be staged.
pub(super) fn staging_fault(error: rusqlite::Error) -> LinkError {
    let (cause, _, retryable) = explain(&error);
    LinkError::new(Code::Store, format!("The rows could not be staged in the folder for temporary files: {cause}."))
        .hint("The folder (`SQLITE_TMPDIR`, else `TMPDIR`; on Windows `TMP`) must be writable and have room for twice the page.")
        .with(|details| details.retryable = Some(retryable))
        .caused_by(error)
}

/// The operating system does not let the file be looked at, or the log beside it.
pub(super) fn file_fault(path: &Path, error: io::Error) -> LinkError {
    LinkError::new(Code::Store, format!("The embedded database {} cannot be examined: {error}.", path.display()))
        .hint("This user must be allowed to read and write the file and its folder.")
        .caused_by(error)
}

/// Other files were put at the path while the store had the old ones open.
pub(super) fn replaced(path: &Path, doing: &str) -> LinkError {
    let message = format!("The embedded database {} was replaced while it was being {doing}.", path.display());
    LinkError::new(Code::Store, message)
        .hint("Call again: the next call uses the file that is there now.")
        .with(|details| details.retryable = Some(true))
}

/// The file was deleted or moved, and another connection to it needs the log that was left.
pub(super) fn still_open(path: &Path) -> LinkError {
    let message = format!(
        "The embedded database {} was deleted or moved away, and another client or program still has it open.",
        path.display()
    );
    LinkError::new(Code::Store, message)
        .hint("Close that client or program, or put the file back; then call again.")
        .with(|details| details.retryable = Some(true))
}

/// The log was removed, and another connection goes on to use it.
pub(super) fn log_removed(path: &Path) -> LinkError {
    let message = format!(
        "The log beside the embedded database {} was removed, and another client still has it open.",
        path.display()
    );
    LinkError::new(Code::Store, message)
        .hint("Close that client; then call again.")
        .with(|details| details.retryable = Some(true))
}

/// The file was replaced, the log of the old one was left beside it, and the new one is in use.
pub(super) fn used_with_an_old_log(path: &Path) -> LinkError {
    let message = format!(
        "The embedded database {} was replaced while it was open, and another client or program has the new file open, perhaps with the \
         log of the old one.",
        path.display()
    );
    LinkError::new(Code::Store, message)
        .hint(format!(
            "Close it and call again. If it opened the file at this path, restore it again without {} and {} beside it.",
            beside(path, LOG).display(),
            beside(path, INDEX).display()
        ))
        .with(|details| details.retryable = Some(true))
}

/// Whether a commit that failed so had no effect for certain. Only a failed sync leaves open whether what was written before
/// it survives a crash; everything else SQLite rolls back.
pub(super) fn is_rolled_back(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() != Some(ErrorCode::SystemIoFailure)
}

/// The error of a call that ended in a panic.
pub(super) fn defect() -> LinkError {
    LinkError::new(Code::Internal, "A defect of omnichannel-link stopped this call; please report it.")
}

/// The file is a database, but not one of ours.
pub(super) fn foreign_file(path: &Path, cause: &str, hint: &str) -> LinkError {
    LinkError::new(Code::Store, format!("{} {cause}.", path.display())).hint(hint)
}

/// The hint for a file that cannot be written. A log or an index that was made beside a read-only database is read-only itself, and
/// stays so.
pub(super) fn may_not_be_written(path: &Path) -> String {
    let [log, index] = [LOG, INDEX].map(|suffix| beside(path, suffix));
    let is_read_only = |path: &&Path| fs::metadata(path).is_ok_and(|metadata| metadata.permissions().readonly());
    match [path, &log, &index].iter().find(|path| is_read_only(path)) {
        Some(path) => format!("{} is read-only: give this user write permission to it.", path.display()),
        None => format!(
            "Give this user write permission to the file and its folder, and to {} and {} if they are there.",
            log.display(),
            index.display()
        ),
    }
}

fn explain(error: &rusqlite::Error) -> (&'static str, &'static str, bool) {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            ("the file is not a SQLite database", "Name another file in `embedded.path`, or remove this one.", false)
        }
        Some(ErrorCode::DatabaseCorrupt) => (
            "the file is damaged",
            "Copy it away, rescue what can be read with `sqlite3 FILE .recover`, and import again.",
            false,
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => ("it cannot be written", "", false),
        Some(ErrorCode::DiskFull) => ("the disk is full", "Free some space and call again; nothing was lost.", true),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            "another process kept it locked",
            "End the transaction that some program holds open on it, then call again.",
            true,
        ),
        Some(ErrorCode::CannotOpen) => (
            "it cannot be opened",
            "The folder must exist, `embedded.path` must name a file, this user must be allowed to read and write both, and the files beside \
             it that begin with its name, and the process must not have too many files open.",
            false,
        ),
        Some(ErrorCode::SystemIoFailure) => {
            ("reading or writing the disk failed", "Look at the disk and the system's log; then call again.", true)
        }
        _ => ("SQLite refused", "The cause says what SQLite reported.", false),
    }
}
