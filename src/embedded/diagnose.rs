//! Diagnosis of the database file. It changes and creates nothing: the connection is set to `query_only`.

use std::path::Path;

use rusqlite::{Connection, MAIN_DB, TransactionBehavior};

use super::{
    database,
    error::{RECOVERY_HINT, store_error, write_permission_hint},
    path_check::{self, Found},
    rows, schema,
};
use crate::{
    clock::SharedClock,
    domain::{CheckKind, CheckOutcome, CheckResult, Report, ReportBuilder},
    error::{Code, LinkError, StoreName},
};

const FILE: CheckKind = CheckKind {
    name: "file",
    if_passed: "Links are kept in this file; if it does not exist, the first import creates it.",
    if_failed: "The file cannot be created or reached, so nothing can be imported or linked.",
};
const DATABASE: CheckKind = CheckKind {
    name: "database",
    if_passed: "This version of the package can read and write the file.",
    if_failed: "This version of the package does not use the file, so every call fails.",
};
const INTEGRITY: CheckKind = CheckKind {
    name: "integrity",
    if_passed: "The file is undamaged.",
    if_failed: "Links may be lost, and calls may fail at any time.",
};
const WRITABLE: CheckKind = CheckKind {
    name: "writable",
    if_passed: "Links can be written.",
    if_failed: "Links and unlinks fail; nothing is lost.",
};
const CONTENTS: CheckKind = CheckKind {
    name: "contents",
    if_passed: "Only these conversations can be linked. A dangling link holds a record that was not imported.",
    if_failed: "It is unknown what can be linked.",
};

/// Makes all checks. Blocks.
pub(super) fn diagnose(path: &Path, clock: SharedClock) -> Report {
    let mut report = ReportBuilder::new(clock);
    let others = [&DATABASE, &INTEGRITY, &WRITABLE, &CONTENTS];
    match report.check(&FILE, || file(path)) {
        Some(true) => check_file(&mut report, path),
        Some(false) => report.skip(&others, "There is no file yet."),
        None => report.skip_after(&FILE, &others),
    }
    report.finish(StoreName::Embedded, path.display().to_string())
}

fn check_file(report: &mut ReportBuilder, path: &Path) {
    let Some((mut connection, has_schema)) = report.check(&DATABASE, || open(path)) else {
        return report.skip_after(&DATABASE, &[&INTEGRITY, &WRITABLE, &CONTENTS]);
    };
    let is_undamaged = report.check(&INTEGRITY, || integrity(path, &connection)).is_some();
    report.check(&WRITABLE, || writable(path, &mut connection));
    match (is_undamaged, has_schema) {
        (true, true) => drop(report.check(&CONTENTS, || contents(path, &connection))),
        (true, false) => report.skip(&[&CONTENTS], "The file is empty; the first import fills it."),
        (false, _) => report.skip_after(&INTEGRITY, &[&CONTENTS]),
    }
}

/// Returns whether the file exists.
fn file(path: &Path) -> CheckResult<bool> {
    match path_check::find(path)? {
        Found::File => Ok((true, CheckOutcome::Passed(format!("{} exists.", path.display())))),
        Found::Nothing => {
            let found = format!("{} does not exist yet: the first import creates it.", path.display());
            Ok((false, CheckOutcome::Passed(found)))
        }
    }
}

/// Opens the file for reading. Returns whether anything was ever imported into it, too.
fn open(path: &Path) -> CheckResult<(Connection, bool)> {
    let failed = |error| store_error(path, "opening it", error);
    let (mut connection, _) = database::connect_to_read(path)?;
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    schema::ensure_ours(path, &mut connection)?;
    let version = schema::version(&connection).map_err(failed)?;
    let found = match version {
        0 => "An empty file, which can become a database of omnichannel-link.".to_owned(),
        version => format!("A database of omnichannel-link, version {version} of the schema."),
    };
    Ok(((connection, version > 0), CheckOutcome::Passed(found)))
}

fn integrity(path: &Path, connection: &Connection) -> CheckResult<()> {
    let first = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        .map_err(|error| store_error(path, "checking it", error))?;
    if first == "ok" {
        return Ok(((), CheckOutcome::Passed("SQLite finds nothing wrong (PRAGMA quick_check).".into())));
    }
    Err(LinkError::new(Code::Store, "SQLite finds the file damaged (PRAGMA quick_check).").hint(RECOVERY_HINT))
}

/// Takes the lock that a write takes, and releases it.
fn writable(path: &Path, connection: &mut Connection) -> CheckResult<()> {
    let failed = |error| store_error(path, "taking the write lock", error);
    database::ensure_writable_file(path)?;
    if connection.is_readonly(MAIN_DB).map_err(failed)? {
        let fix = write_permission_hint(path);
        return Err(LinkError::new(Code::Store, "This user may read the file, but not write it.").hint(fix));
    }
    // In WAL mode the WAL exists already. Otherwise the first write has to create it, which this check must not do.
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        path_check::check_wal_path(path)?;
    }
    connection.pragma_update(None, "query_only", false).map_err(failed)?;
    let lock = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    lock.rollback().map_err(failed)?;
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    Ok(((), CheckOutcome::Passed("The write lock is available. Nothing was written.".into())))
}

fn contents(path: &Path, connection: &Connection) -> CheckResult<()> {
    let failed = |error| store_error(path, "counting its rows", error);
    let count =
        |table: &str| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
    let (conversations, records) = (count("conversation").map_err(failed)?, count("record").map_err(failed)?);
    let dangling = rows::dangling_links(connection).map_err(failed)?;
    let found =
        format!("Conversations: {conversations}. Accounts, contacts and cases: {records}. Dangling links: {dangling}.");
    Ok(((), CheckOutcome::Passed(found)))
}
