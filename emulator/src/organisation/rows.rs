//! The store of an organisation: its rows, their versions and transactions.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::row::{Changes, Reference, Row};
use crate::definitions::{Definitions, table::Table};

/// Most deleted rows that change tracking remembers. Older delta tokens have expired.
pub(super) const REMEMBERED: usize = 100_000;

/// An organisation in memory.
#[derive(Clone, Debug)]
pub struct Organisation {
    pub(super) definitions: Arc<Definitions>,
    /// Rows by the logical name of their table.
    rows: BTreeMap<String, BTreeMap<Uuid, Arc<Row>>>,
    /// Pairs of ids by the name of their many-to-many relationship.
    pairs: BTreeMap<String, BTreeSet<(Uuid, Uuid)>>,
    pub(super) last_version: u64,
    pub(super) removed: VecDeque<Removed>,
    /// Versions up to this one have been forgotten by `removed`.
    pub(super) forgotten: u64,
    /// Time of writes in milliseconds since 1970.
    now: u64,
    /// The changes that are not taken yet; `None` if they are not asked for.
    changed: Option<Vec<Changed>>,
    /// Set while a transaction is open.
    journal: Option<Journal>,
}

/// A deleted row.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Removed {
    pub(crate) table: String,
    pub(crate) id: Uuid,
    pub(crate) version: u64,
}

/// A row before and after a transaction.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) table: String,
    pub(crate) id: Uuid,
    pub(crate) before: Option<Arc<Row>>,
    pub(crate) after: Option<Arc<Row>>,
}

/// The state before each change of a transaction, in order.
#[derive(Clone, Debug)]
struct Journal {
    undo: Vec<Undo>,
    /// The number of remembered deletions at its beginning, and what was forgotten by then.
    removed: usize,
    forgotten: u64,
}

#[derive(Clone, Debug)]
enum Undo {
    Row { table: String, id: Uuid, before: Option<Arc<Row>> },
    Pair { relationship: String, pair: (Uuid, Uuid), existed: bool },
}

impl Organisation {
    /// An organisation without any rows.
    pub(super) fn empty() -> Self {
        Self {
            definitions: Definitions::built_in(),
            rows: BTreeMap::new(),
            pairs: BTreeMap::new(),
            last_version: 0,
            removed: VecDeque::new(),
            forgotten: 0,
            now: 0,
            changed: None,
            journal: None,
        }
    }

    pub(crate) fn definitions(&self) -> &Arc<Definitions> {
        &self.definitions
    }

    pub(crate) fn definitions_mut(&mut self) -> &mut Definitions {
        Arc::make_mut(&mut self.definitions)
    }

    /// A row, if it exists. Tables are given by their logical names.
    #[must_use]
    pub fn row(&self, table: &str, id: Uuid) -> Option<&Row> {
        self.rows.get(table)?.get(&id).map(AsRef::as_ref)
    }

    /// The ids of a table's rows, ascending.
    pub fn ids(&self, table: &str) -> impl Iterator<Item = Uuid> {
        self.rows.get(table).into_iter().flat_map(|rows| rows.keys().copied())
    }

    /// The rows of a table, by ascending id.
    pub(crate) fn rows(&self, table: &str) -> impl Iterator<Item = (Uuid, &Row)> {
        self.rows.get(table).into_iter().flat_map(|rows| rows.iter().map(|(id, row)| (*id, row.as_ref())))
    }

    /// The name of a row that a lookup points to: that of the row, or that of the seed page if the row is not held.
    pub(crate) fn name_of(&self, to: &Reference) -> Option<String> {
        let table = self.definitions.by_logical_name(to.logical_name());
        let row = table.and_then(|table| Some((table, self.row(to.logical_name(), to.id())?)));
        match row {
            Some((table, row)) => row.column(&table.primary_name).and_then(Value::as_str).map(str::to_owned),
            None => to.name.clone(),
        }
    }

    /// Logical names of the tables that have rows.
    pub(crate) fn tables_with_rows(&self) -> Vec<String> {
        self.rows.iter().filter(|(_, rows)| !rows.is_empty()).map(|(table, _)| table.clone()).collect()
    }

    /// The version of the last write.
    pub(crate) fn last_version(&self) -> u64 {
        self.last_version
    }

    /// Time of writes in milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    pub(crate) fn set_now(&mut self, now: u64) {
        self.now = now;
    }

    /// Writes a row as the server itself would, and creates a missing one with the default status. Returns the new version.
    ///
    /// Without the checks of a `PATCH`, so that a test can create states that no client could, such as a dangling link.
    ///
    /// # Panics
    ///
    /// If there is no such table, or it has no such column or lookup, which is a mistake in the test.
    #[expect(clippy::panic, reason = "a mistake in a test")]
    pub fn write(&mut self, table: &str, id: Uuid, changes: Changes) -> u64 {
        let definitions = Arc::clone(&self.definitions);
        let Some(table) = definitions.by_logical_name(table) else { panic!("no table '{table}'") };
        for (name, _) in &changes.columns {
            let is_column = table.column(name).is_some_and(|column| !column.is_lookup());
            assert!(is_column, "{} has no column '{name}'", table.logical_name);
        }
        for (name, _) in &changes.lookups {
            assert!(table.lookup(name).is_some(), "{} has no lookup '{name}'", table.logical_name);
        }
        self.put(table, id, changes)
    }

    /// Writes a row without any checks. Returns the new version.
    pub(crate) fn put(&mut self, table: &Table, id: Uuid, changes: Changes) -> u64 {
        self.last_version += 1;
        let mut row = self.row_with(table, id, changes);
        row.version = self.last_version;
        if row.created == 0 {
            row.created = self.last_version;
        }
        self.replace(&table.logical_name, id, Some(Arc::new(row)));
        self.last_version
    }

    /// The row with these changes applied.
    pub(crate) fn row_with(&self, table: &Table, id: Uuid, changes: Changes) -> Row {
        let row = self.row(&table.logical_name, id).cloned().unwrap_or_else(|| Row::new(table));
        row.with(table, changes)
    }

    /// Sets or removes a row. Returns its former state.
    fn swap(&mut self, table: &str, id: Uuid, row: Option<Arc<Row>>) -> Option<Arc<Row>> {
        if !self.rows.contains_key(table) {
            self.rows.insert(table.to_owned(), BTreeMap::new());
        }
        let rows = self.rows.get_mut(table)?;
        match row {
            Some(row) => rows.insert(id, row),
            None => rows.remove(&id),
        }
    }

    /// Sets or removes a row, and remembers its former state.
    pub(super) fn replace(&mut self, table: &str, id: Uuid, row: Option<Arc<Row>>) {
        let before = self.swap(table, id, row);
        if let Some(journal) = &mut self.journal {
            journal.undo.push(Undo::Row { table: table.to_owned(), id, before });
        } else if self.changed.is_some() {
            self.record(table.to_owned(), id, before);
        }
    }

    /// Asks for the changes from now on, or no longer.
    pub(crate) fn record_changes(&mut self, asked: bool) {
        self.changed = asked.then(Vec::new);
    }

    /// The changes since they were taken the last time.
    pub(crate) fn take_changes(&mut self) -> Vec<Changed> {
        self.changed.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn record(&mut self, table: String, id: Uuid, before: Option<Arc<Row>>) {
        let after = self.rows.get(&table).and_then(|rows| rows.get(&id)).cloned();
        let is_change = before.is_some() || after.is_some();
        if let Some(changed) = self.changed.as_mut().filter(|_| is_change) {
            changed.push(Changed { table, id, before, after });
        }
    }

    /// Runs `work`. If it fails, everything that it wrote is undone. Versions are not given out again.
    pub(crate) fn transaction<T, E>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let is_outermost = self.begin();
        let result = work(self);
        if is_outermost {
            self.end(result.is_ok());
        }
        result
    }

    /// Begins a transaction, which must be ended by the caller. `false`: one is open already.
    pub(crate) fn begin(&mut self) -> bool {
        let is_outermost = self.journal.is_none();
        if is_outermost {
            self.journal = Some(Journal { undo: Vec::new(), removed: self.removed.len(), forgotten: self.forgotten });
        }
        is_outermost
    }

    /// Ends the transaction, and undoes it if it failed.
    pub(crate) fn end(&mut self, succeeded: bool) {
        let Some(journal) = self.journal.take() else { return };
        if succeeded && self.changed.is_some() {
            // Of several changes of a row, the first knows how it was before.
            let mut seen = BTreeSet::new();
            for undo in journal.undo {
                if let Undo::Row { table, id, before } = undo
                    && seen.insert((table.clone(), id))
                {
                    self.record(table, id, before);
                }
            }
        } else if !succeeded {
            let Journal { undo, removed, forgotten } = journal;
            for undo in undo.into_iter().rev() {
                match undo {
                    Undo::Row { table, id, before } => drop(self.swap(&table, id, before)),
                    Undo::Pair { relationship, pair, existed } => self.set_pair(&relationship, pair, existed),
                }
            }
            if self.forgotten == forgotten {
                self.removed.truncate(removed);
            }
        }
    }

    /// All pairs by the name of their relationship.
    pub(super) fn all_pairs(&self) -> &BTreeMap<String, BTreeSet<(Uuid, Uuid)>> {
        &self.pairs
    }

    /// Replaces all rows and pairs.
    pub(super) fn replace_all(
        &mut self,
        rows: BTreeMap<String, BTreeMap<Uuid, Row>>,
        pairs: BTreeMap<String, BTreeSet<(Uuid, Uuid)>>,
    ) {
        let shared = |rows: BTreeMap<Uuid, Row>| rows.into_iter().map(|(id, row)| (id, Arc::new(row))).collect();
        self.rows = rows.into_iter().map(|(table, rows)| (table, shared(rows))).collect();
        self.pairs = pairs;
    }

    /// The pairs of a many-to-many relationship.
    pub(crate) fn pairs(&self, relationship: &str) -> impl Iterator<Item = (Uuid, Uuid)> {
        self.pairs.get(relationship).into_iter().flatten().copied()
    }

    /// Adds or removes a pair. Returns whether it existed.
    pub(crate) fn pair(&mut self, relationship: &str, pair: (Uuid, Uuid), exists: bool) -> bool {
        let existed = self.pairs.get(relationship).is_some_and(|pairs| pairs.contains(&pair));
        self.set_pair(relationship, pair, exists);
        self.last_version += u64::from(existed != exists);
        if let Some(journal) = &mut self.journal {
            journal.undo.push(Undo::Pair { relationship: relationship.to_owned(), pair, existed });
        }
        existed
    }

    fn set_pair(&mut self, relationship: &str, pair: (Uuid, Uuid), exists: bool) {
        let pairs = self.pairs.entry(relationship.to_owned()).or_default();
        if exists {
            pairs.insert(pair)
        } else {
            pairs.remove(&pair)
        };
    }

    /// The rows deleted after a version; `None` if that is too long ago to know.
    pub(crate) fn removed_since(&self, version: u64) -> Option<impl Iterator<Item = &Removed>> {
        (version >= self.forgotten).then(|| self.removed.iter().filter(move |removed| removed.version > version))
    }
}
