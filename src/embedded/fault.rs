//! What SQLite says, as `STORE` with a hint.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{Code, LinkError};

/// How long SQLite waits for another process to finish its transaction.
pub(super) const BUSY_TIMEOUT_IN_MS: u16 = 5_000;

/// Names the file, the cause and the remedy.
pub(super) fn store_fault(path: &Path, doing: &str, error: rusqlite::Error) -> LinkError {
    let (cause, hint, retryable) = explain(&error);
    LinkError::new(Code::Store, format!("The embedded database {} failed while {doing}: {cause}.", path.display()))
        .hint(hint)
        .with(|details| details.retryable = Some(retryable))
        .caused_by(error)
}

/// The rows of an import could not be staged.
pub(super) fn staging_fault(error: rusqlite::Error) -> LinkError {
    let (cause, _, retryable) = explain(&error);
    LinkError::new(Code::Store, format!("The rows could not be staged in the folder for temporary files: {cause}."))
        .hint("The folder (`SQLITE_TMPDIR`, else `TMPDIR`; on Windows `TMP`) must be writable and have room for twice the page.")
        .with(|details| details.retryable = Some(retryable))
        .caused_by(error)
}

/// Whether a commit that failed so had no effect for certain. Only a failed sync leaves open whether what was written before
/// it survives a crash; everything else SQLite rolls back.
pub(super) fn is_rolled_back(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() != Some(ErrorCode::SystemIoFailure)
}

/// The file is a database, but not one of ours.
pub(super) fn foreign_file(path: &Path, cause: &str, hint: &str) -> LinkError {
    LinkError::new(Code::Store, format!("{} {cause}.", path.display())).hint(hint)
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
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
            "it cannot be written",
            "Give this user write permission to the file and to its folder (SQLite keeps its log beside the file).",
            false,
        ),
        Some(ErrorCode::DiskFull) => ("the disk is full", "Free some space and call again; nothing was lost.", true),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            "another process kept it locked",
            "End the transaction that some program holds open on it, then call again.",
            true,
        ),
        Some(ErrorCode::CannotOpen) => (
            "it cannot be opened",
            "The folder must exist, `embedded.path` must name a file, and this user must be allowed to read and write both.",
            false,
        ),
        Some(ErrorCode::SystemIoFailure) => {
            ("reading or writing the disk failed", "Look at the disk and the system's log; then call again.", true)
        }
        _ => ("SQLite refused", "The cause says what SQLite reported.", false),
    }
}
