//! The examination of the file. It changes nothing and creates nothing; SQLite itself is told to refuse writes.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, MAIN_DB, TransactionBehavior};

use super::{
    database,
    fault::{may_not_be_written, store_fault},
    file::{self, Found},
    rows,
};
use crate::{
    clock::SharedClock,
    domain::{
        Check,
        CheckName::{self, Contents, Database, File, Integrity, Writable},
        Finding, Report, StoreName,
    },
    error::{Code, LinkError},
};

/// What a look saw, and what later looks need of it.
type Seen<T> = Result<(T, Finding), LinkError>;

/// Looks at everything. Blocks.
pub(super) fn examine(path: &Path, clock: SharedClock) -> Report {
    let mut notes = Notes { clock, checks: Vec::new() };
    match notes.look(File, || file(path)) {
        Some(true) => examine_file(&mut notes, path),
        Some(false) => notes.skip(&[Database, Integrity, Writable, Contents], "There is no file yet."),
        None => notes.rests_on(&[Database, Integrity, Writable, Contents], File),
    }
    Report { store: StoreName::Embedded, target: path.display().to_string(), checks: notes.checks }
}

fn examine_file(notes: &mut Notes, path: &Path) {
    let Some((mut connection, has_schema)) = notes.look(Database, || open(path)) else {
        return notes.rests_on(&[Integrity, Writable, Contents], Database);
    };
    let is_sound = notes.look(Integrity, || integrity(path, &connection)).is_some();
    notes.look(Writable, || writable(path, &mut connection));
    match (is_sound, has_schema) {
        (true, true) => drop(notes.look(Contents, || contents(path, &connection))),
        (true, false) => notes.skip(&[Contents], "The file is empty; the first import fills it."),
        (false, _) => notes.rests_on(&[Contents], Integrity),
    }
}

/// Whether there is a file.
fn file(path: &Path) -> Seen<bool> {
    match file::find(path)? {
        Found::File => Ok((true, Finding::Passed(format!("{} is there.", path.display())))),
        Found::Nothing => {
            let found = format!("{} does not exist yet: the first importRecords() creates it.", path.display());
            Ok((false, Finding::Passed(found)))
        }
    }
}

/// The file, opened to be read, and whether anything was ever imported into it.
fn open(path: &Path) -> Seen<(Connection, bool)> {
    let fault = |error| store_fault(path, "opening it", error);
    let (mut connection, _) = database::connect_to_read(path)?;
    connection.pragma_update(None, "query_only", true).map_err(fault)?;
    database::refuse_foreign(path, &mut connection)?;
    let version = database::version(&connection).map_err(fault)?;
    let found = match version {
        0 => "An empty file, which can become a database of omnichannel-link.".to_owned(),
        version => format!("A database of omnichannel-link, version {version} of the schema."),
    };
    Ok(((connection, version > 0), Finding::Passed(found)))
}

fn integrity(path: &Path, connection: &Connection) -> Seen<()> {
    let first = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        .map_err(|error| store_fault(path, "checking it", error))?;
    if first == "ok" {
        return Ok(((), Finding::Passed("SQLite finds nothing wrong (PRAGMA quick_check).".into())));
    }
    let fix = "Copy it away, rescue what can be read with `sqlite3 FILE .recover`, and import again.";
    Err(LinkError::new(Code::Store, "SQLite finds the file damaged (PRAGMA quick_check).").hint(fix))
}

/// Takes the lock that a write takes, and gives it back.
fn writable(path: &Path, connection: &mut Connection) -> Seen<()> {
    let fault = |error| store_fault(path, "taking the lock for a write", error);
    database::ensure_writable_file(path)?;
    if connection.is_readonly(MAIN_DB).map_err(fault)? {
        let fix = may_not_be_written(path);
        return Err(LinkError::new(Code::Store, "This user may read the file, but not write it.").hint(fix));
    }
    // Its log is there already in WAL. Otherwise the first write has to make it, and this look does not.
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(fault)?;
    if mode != "wal" {
        file::check_room(path)?;
    }
    connection.pragma_update(None, "query_only", false).map_err(fault)?;
    let lock = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    lock.rollback().map_err(fault)?;
    connection.pragma_update(None, "query_only", true).map_err(fault)?;
    Ok(((), Finding::Passed("The lock for a write was there to be taken. Nothing was written.".into())))
}

fn contents(path: &Path, connection: &Connection) -> Seen<()> {
    let fault = |error| store_fault(path, "counting what is in it", error);
    let count =
        |table: &str| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
    let (conversations, records) = (count("conversation").map_err(fault)?, count("record").map_err(fault)?);
    let dangling = rows::dangling_links(connection).map_err(fault)?;
    let found =
        format!("Conversations: {conversations}. Accounts, contacts and cases: {records}. Dangling links: {dangling}.");
    Ok(((), Finding::Passed(found)))
}

/// The report as it grows.
struct Notes {
    clock: SharedClock,
    checks: Vec<Check>,
}

impl Notes {
    fn look<T>(&mut self, name: CheckName, look: impl FnOnce() -> Seen<T>) -> Option<T> {
        let begun = self.clock.now();
        let (seen, finding) = match look() {
            Ok((seen, finding)) => (Some(seen), finding),
            Err(fault) => (None, fault.into()),
        };
        self.checks.push(Check { name, finding, duration: self.clock.now().saturating_duration_since(begun) });
        seen
    }

    fn skip(&mut self, names: &[CheckName], why: &str) {
        let skipped =
            |name: &CheckName| Check { name: *name, finding: Finding::Skipped(why.into()), duration: Duration::ZERO };
        self.checks.extend(names.iter().map(skipped));
    }

    fn rests_on(&mut self, names: &[CheckName], failed: CheckName) {
        self.skip(names, &format!("It rests on `{}`, which failed.", failed.as_str()));
    }
}
