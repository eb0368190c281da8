//! Imports a page of rows: all of them or none.
//!
//! A page is read and checked first (`source`, `decoder`, `entity_page`), its rows wait in a temporary database (`staging`), and are then
//! written in one transaction.

mod decoder;
mod entity_page;
mod indexes;
mod page_reader;
mod record_values;
mod source;
mod staging;
mod surrogates;
mod table;

use std::{
    collections::HashSet,
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, Row, Transaction, TransactionBehavior};

pub use source::Source;
pub(super) use {entity_page::EntityPage, page_reader::PageReaders, source::read};

use self::{
    entity_page::invalid_row,
    table::{Table, Upserted},
};
use super::{
    error::{cancelled, is_rolled_back, staging_error, store_error},
    rows,
};
use crate::{clock::SharedClock, domain::Call, error::LinkError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportProgress {
    pub rows_done: usize,
    pub rows_total: usize,
}

/// Called with the progress a few times a second, on the thread that writes.
pub type OnProgress = Box<dyn FnMut(ImportProgress) + Send>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportSummary {
    /// The table, by its set name, such as `accounts`.
    pub entity_set: &'static str,
    pub inserted: usize,
    /// Rows that existed. Columns that the page does not have keep their values.
    pub updated: usize,
    /// Slots in the whole store that link to a record the store does not have.
    pub dangling_links: u32,
    /// The page had an `@odata.nextLink`, so there are more pages to import.
    pub more_rows_exist: bool,
}

/// The caller of an import: receives the progress, and may cancel.
pub(super) struct ImportContext<'a> {
    pub(super) clock: SharedClock,
    pub(super) on_progress: Option<OnProgress>,
    pub(super) call: &'a Call,
    pub(super) is_cancelled: &'a dyn Fn() -> bool,
}

const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// Rows between two checks of the clock and of cancellation.
const STRIDE: usize = 256;

/// Writes the page in one transaction.
pub(super) fn apply(
    connection: &mut Connection,
    path: &Path,
    page: &EntityPage,
    context: ImportContext<'_>,
) -> Result<ImportSummary, LinkError> {
    let failed = |error| store_error(path, "importing", error);
    let mut staged = page.rows.ordered().map_err(staging_error)?;
    let mut staged = staged.raw_query();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let mut tally = Tally::new(page, context);
    let create_indexes = match page.table {
        Table::Conversations => indexes::drop_for(&transaction, page.rows.rows()).map_err(failed)?,
        Table::Records(_) => Vec::new(),
    };
    while let Some(row) = staged.next().map_err(staging_error)? {
        let upserted = if page.table.insert(&transaction, row, 1).map_err(failed)? {
            Upserted::Inserted
        } else {
            update(&transaction, page, row).map_err(failed)?
        };
        tally.count(row.get(0).map_err(staging_error)?, upserted)?;
    }
    tally.ensure_complete()?;
    let mut changes = page.rows.changes().map_err(staging_error)?;
    let (mut changes, mut values) = (changes.raw_query(), record_values::Changes::to(&transaction).map_err(failed)?);
    for number in 1.. {
        let Some(change) = changes.next().map_err(staging_error)? else { break };
        values.apply(change).map_err(failed)?;
        if number % STRIDE == 0 {
            tally.check_caller()?;
        }
    }
    drop(values);
    for create in create_indexes {
        transaction.execute_batch(&create).map_err(failed)?;
        tally.check_caller()?;
    }
    let dangling_links = rows::dangling_links(&transaction).map_err(failed)?;
    let call = tally.context.call;
    call.progress().sending();
    tally.check_caller().inspect_err(|_| call.progress().not_applied())?;
    transaction.commit().map_err(|error| {
        if is_rolled_back(&error) {
            call.progress().not_applied();
        }
        failed(error)
    })?;
    Ok(ImportSummary {
        entity_set: page.table.entity_set(),
        inserted: tally.inserted,
        updated: tally.updated,
        dangling_links,
        more_rows_exist: page.more_rows_exist,
    })
}

/// Updates a row that exists, and stages the changes of its values.
fn update(transaction: &Transaction<'_>, page: &EntityPage, staged: &Row<'_>) -> rusqlite::Result<Upserted> {
    let id = staged.get_ref(1)?;
    let hashes = || match page.table {
        Table::Records(entity) => record_values::stored(transaction, id, entity),
        Table::Conversations => Ok(HashSet::new()),
    };
    let before = hashes()?;
    let upserted = page.table.update(transaction, staged, 1)?;
    let after = hashes()?;
    for hash in before.symmetric_difference(&after) {
        page.rows.change(*hash, id, after.contains(hash))?;
    }
    Ok(upserted)
}

/// Counts the rows written so far and reports progress.
struct Tally<'a> {
    page: &'a EntityPage,
    inserted: usize,
    updated: usize,
    /// Lowest index of a row that lacks a column which a new conversation needs. Rows are written in the order of their ids.
    incomplete: Option<i64>,
    reported: Instant,
    context: ImportContext<'a>,
}

impl<'a> Tally<'a> {
    fn new(page: &'a EntityPage, context: ImportContext<'a>) -> Self {
        Self { page, inserted: 0, updated: 0, incomplete: None, reported: context.clock.now(), context }
    }

    fn count(&mut self, index: i64, upserted: Upserted) -> Result<(), LinkError> {
        match upserted {
            Upserted::Inserted => self.inserted += 1,
            Upserted::Updated => self.updated += 1,
            Upserted::Incomplete => self.incomplete = Some(self.incomplete.map_or(index, |first| first.min(index))),
        }
        if (self.inserted + self.updated) % STRIDE == 1 { self.check_caller() } else { Ok(()) }
    }

    fn ensure_complete(&self) -> Result<(), LinkError> {
        let reason = "`statuscode` is absent, and the conversation is not in the store yet";
        self.incomplete.map_or(Ok(()), |index| Err(invalid_row(&self.page.origin, index, reason)))
    }

    /// Fails if the caller has cancelled the import, else reports progress if it is due.
    fn check_caller(&mut self) -> Result<(), LinkError> {
        if (self.context.is_cancelled)() {
            return Err(cancelled());
        }
        if let Some(on_progress) = &mut self.context.on_progress {
            let now = self.context.clock.now();
            if now.duration_since(self.reported) >= PROGRESS_EVERY {
                self.reported = now;
                on_progress(ImportProgress {
                    rows_done: self.inserted + self.updated,
                    rows_total: self.page.rows.rows(),
                });
            }
        }
        Ok(())
    }
}
