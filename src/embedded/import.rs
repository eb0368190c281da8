//! Importing a page: every row or none.

use std::{fs, path::Path, path::PathBuf, time::Duration, time::Instant};

use rusqlite::{Connection, TransactionBehavior};

use super::{
    fault::{is_rolled_back, store_fault},
    page::{self, Page, Rows},
    rows::{self, Upserted},
};
use crate::{
    clock::SharedClock,
    domain::Call,
    error::{Code, LinkError},
};

/// Where a page comes from.
#[derive(Debug)]
pub enum Source {
    /// A JSON file.
    Path(PathBuf),
    /// The JSON itself.
    Text(String),
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportProgress {
    /// Rows written so far.
    pub rows_done: usize,
    /// Rows of the page.
    pub rows_total: usize,
}

/// Hears about progress, on the database's thread, a few times a second.
pub type OnProgress = Box<dyn FnMut(ImportProgress) + Send>;

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportSummary {
    /// The table, by its set name, such as `accounts`.
    pub entity_set: &'static str,
    /// Rows that were new.
    pub inserted: usize,
    /// Rows that were there; columns absent from the page stayed as they were.
    pub updated: usize,
    /// Slots in the whole store that hold a record the store does not have.
    pub dangling_links: u32,
    /// The page ended with `@odata.nextLink`: this was not all.
    pub more_rows_exist: bool,
}

/// What an import looks at while it works.
pub(super) struct Watch<'a> {
    pub(super) clock: SharedClock,
    pub(super) on_progress: Option<OnProgress>,
    pub(super) call: &'a Call,
    /// Whether the caller has stopped waiting.
    pub(super) is_gone: &'a dyn Fn() -> bool,
}

const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// Rows between two looks at the clock and at the caller.
const STRIDE: usize = 256;

/// Reads a page and checks every row of it.
pub(super) fn read(source: Source) -> Result<Page, LinkError> {
    match source {
        Source::Text(text) => page::parse(&text, "`pathOrPage`"),
        Source::Path(path) => {
            let text = fs::read_to_string(&path).map_err(|error| {
                LinkError::new(
                    Code::InvalidArgument,
                    format!("`pathOrPage`: '{}' cannot be read: {error}.", path.display()),
                )
                .hint("Name a JSON file that holds one page of a Web API GET.")
            })?;
            page::parse(&text, &path.display().to_string())
        }
    }
}

/// Writes the page in one transaction.
pub(super) fn run(
    connection: &mut Connection,
    path: &Path,
    page: &Page,
    watch: Watch<'_>,
) -> Result<ImportSummary, LinkError> {
    let fault = |error| store_fault(path, "importing", error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let mut tally = Tally::new(page, watch);
    match &page.rows {
        Rows::Records(entity, rows) => {
            for row in rows {
                tally.count(rows::upsert_record(&transaction, *entity, row).map_err(fault)?)?;
            }
        }
        Rows::Conversations(rows) => {
            for row in rows {
                tally.count(rows::upsert_conversation(&transaction, row).map_err(fault)?)?;
            }
        }
    }
    let dangling_links = rows::dangling_links(&transaction).map_err(fault)?;
    tally.watch.call.write_begins();
    tally.look(page.rows.len()).inspect_err(|_| tally.watch.call.write_refused())?;
    transaction.commit().map_err(|error| {
        if is_rolled_back(&error) {
            tally.watch.call.write_refused();
        }
        fault(error)
    })?;
    Ok(ImportSummary {
        entity_set: page.entity_set,
        inserted: tally.inserted,
        updated: tally.updated,
        dangling_links,
        more_rows_exist: page.more_rows_exist,
    })
}

struct Tally<'a> {
    origin: &'a str,
    inserted: usize,
    updated: usize,
    rows_total: usize,
    reported: Instant,
    watch: Watch<'a>,
}

impl<'a> Tally<'a> {
    fn new(page: &'a Page, watch: Watch<'a>) -> Self {
        Self {
            origin: &page.origin,
            inserted: 0,
            updated: 0,
            rows_total: page.rows.len(),
            reported: watch.clock.now(),
            watch,
        }
    }

    fn count(&mut self, upserted: Upserted) -> Result<(), LinkError> {
        let rows_done = self.inserted + self.updated;
        match upserted {
            Upserted::Inserted => self.inserted += 1,
            Upserted::Updated => self.updated += 1,
            Upserted::Incomplete => {
                let reason = "`statuscode` is absent, and the conversation is not in the store yet";
                return Err(page::bad_row(self.origin, rows_done, reason));
            }
        }
        if rows_done.is_multiple_of(STRIDE) { self.look(rows_done) } else { Ok(()) }
    }

    fn look(&mut self, rows_done: usize) -> Result<(), LinkError> {
        if (self.watch.is_gone)() {
            return Err(LinkError::new(Code::Internal, "Nobody waits for this import."));
        }
        if let Some(on_progress) = &mut self.watch.on_progress {
            let now = self.watch.clock.now();
            if now.duration_since(self.reported) >= PROGRESS_EVERY {
                self.reported = now;
                on_progress(ImportProgress { rows_done, rows_total: self.rows_total });
            }
        }
        Ok(())
    }
}
