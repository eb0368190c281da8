//! Importing a page: every row or none.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, TransactionBehavior};

use super::{
    fault::{NO_FILE_LEFT, is_exhausted, is_rolled_back, staging_fault, store_fault},
    page::{self, Page},
    rows::{self, Upserted},
    text::Text,
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

/// A page on its way into the store.
pub(super) enum Incoming {
    /// Read in its turn.
    Unread(Source),
    /// Read before, and staged.
    Read(Page),
}

impl Incoming {
    pub(super) fn page(self, is_gone: &dyn Fn() -> bool) -> Result<Page, LinkError> {
        match self {
            Self::Unread(source) => read(source, is_gone),
            Self::Read(page) => Ok(page),
        }
    }
}

/// Reads a page to its end, checks every row and stages them.
pub(super) fn read(source: Source, is_gone: &dyn Fn() -> bool) -> Result<Page, LinkError> {
    match source {
        Source::Path(path) => read_file(&path, is_gone),
        Source::Text(text) => {
            let origin = "`pathOrPage`";
            page::read(Text::new(text.as_bytes(), is_gone, &unreadable(origin)), origin)
        }
    }
}

/// Reads a file to its end, checks every row and stages them.
fn read_file(path: &Path, is_gone: &dyn Fn() -> bool) -> Result<Page, LinkError> {
    let origin = path.display().to_string();
    let unreadable = unreadable(&origin);
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let written = || file.metadata().and_then(|file| Ok(file.is_file().then_some((file.len(), file.modified()?))));
    let before = written().map_err(|error| unreadable(&error))?;
    let page = page::read(Text::new(&file, is_gone, &unreadable), &origin)?;
    if written().map_err(|error| unreadable(&error))? != before {
        let message = format!("`pathOrPage`: '{origin}' changed while it was being read; nothing was imported.");
        return Err(LinkError::new(Code::InvalidArgument, message).hint("Import it again when it is complete."));
    }
    Ok(page)
}

fn unreadable(origin: &str) -> impl Fn(&io::Error) -> LinkError {
    move |error| {
        if is_exhausted(error) {
            return LinkError::new(Code::Store, format!("'{origin}' cannot be read: {error}."))
                .hint(NO_FILE_LEFT)
                .with(|details| details.retryable = Some(true));
        }
        LinkError::new(Code::InvalidArgument, format!("`pathOrPage`: '{origin}' cannot be read: {error}."))
            .hint("Name a JSON file that holds one page of a Web API GET.")
    }
}

/// Writes the page in one transaction.
pub(super) fn apply(
    connection: &mut Connection,
    path: &Path,
    page: &Page,
    watch: Watch<'_>,
) -> Result<ImportSummary, LinkError> {
    let fault = |error| store_fault(path, "importing", error);
    let mut staged = page.rows.ordered().map_err(staging_fault)?;
    let mut staged = staged.raw_query();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let mut tally = Tally::new(page, watch);
    while let Some(row) = staged.next().map_err(staging_fault)? {
        let upserted = rows::upsert(&transaction, page.table, row, 1).map_err(fault)?;
        tally.count(row.get(0).map_err(staging_fault)?, upserted)?;
    }
    tally.ensure_complete()?;
    let dangling_links = rows::dangling_links(&transaction).map_err(fault)?;
    tally.watch.call.progress().sending();
    tally.look().inspect_err(|_| tally.watch.call.progress().not_applied())?;
    transaction.commit().map_err(|error| {
        if is_rolled_back(&error) {
            tally.watch.call.progress().not_applied();
        }
        fault(error)
    })?;
    Ok(ImportSummary {
        entity_set: page.table.entity_set(),
        inserted: tally.inserted,
        updated: tally.updated,
        dangling_links,
        more_rows_exist: page.more_rows_exist,
    })
}

struct Tally<'a> {
    page: &'a Page,
    inserted: usize,
    updated: usize,
    /// The first row that is not enough to make a conversation. They come in the order of their ids.
    incomplete: Option<i64>,
    reported: Instant,
    watch: Watch<'a>,
}

impl<'a> Tally<'a> {
    fn new(page: &'a Page, watch: Watch<'a>) -> Self {
        Self { page, inserted: 0, updated: 0, incomplete: None, reported: watch.clock.now(), watch }
    }

    fn count(&mut self, index: i64, upserted: Upserted) -> Result<(), LinkError> {
        match upserted {
            Upserted::Inserted => self.inserted += 1,
            Upserted::Updated => self.updated += 1,
            Upserted::Incomplete => self.incomplete = Some(self.incomplete.map_or(index, |first| first.min(index))),
        }
        if (self.inserted + self.updated) % STRIDE == 1 { self.look() } else { Ok(()) }
    }

    fn ensure_complete(&self) -> Result<(), LinkError> {
        let reason = "`statuscode` is absent, and the conversation is not in the store yet";
        self.incomplete.map_or(Ok(()), |index| Err(page::bad_row(&self.page.origin, index, reason)))
    }

    fn look(&mut self) -> Result<(), LinkError> {
        if (self.watch.is_gone)() {
            return Err(LinkError::new(Code::Internal, "Nobody waits for this import."));
        }
        if let Some(on_progress) = &mut self.watch.on_progress {
            let now = self.watch.clock.now();
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

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fs};

    use super::*;

    #[test]
    fn a_file_that_grows_or_is_emptied_while_it_is_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.json");
        let page = r#"{"@odata.context":"$metadata#accounts","value":[]}"#;
        for (while_reading, saying) in [
            (page.to_owned(), None),
            (format!("{page} "), Some("changed while it was being read")),
            (String::new(), Some("not a page")),
        ] {
            fs::write(&path, page).unwrap();
            let is_first = Cell::new(true);
            // Looked at before each piece.
            let is_gone = || {
                if is_first.replace(false) && while_reading != page {
                    fs::write(&path, &while_reading).unwrap();
                }
                false
            };
            let refused = read_file(&path, &is_gone).err().map(|error| error.message().to_owned());
            assert_eq!(refused.is_some(), saying.is_some(), "{refused:?}");
            assert!(refused.unwrap_or_default().contains(saying.unwrap_or_default()));
        }
    }
}
