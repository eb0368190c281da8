//! The rows of an organisation and its version counter. Independent of HTTP.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::table::{self, Table};

/// An organisation in memory: the rows of the four tables.
#[derive(Clone, Debug, Default)]
pub struct Organisation {
    rows: BTreeMap<(&'static str, Uuid), Row>,
    last_version: u64,
    /// Columns that only seed pages have, as (set, name in a response). They exist, because a page is the response of a server.
    seen: BTreeSet<(&'static str, String)>,
}

/// A row in its current state.
#[derive(Clone, Debug, Default)]
pub struct Row {
    version: u64,
    columns: Map<String, Value>,
    lookups: BTreeMap<String, Reference>,
}

/// The value of a lookup: table and id of the target, which need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    logical_name: String,
    id: Uuid,
    /// The navigation property of a seed page. Needed only for lookups that the emulator's tables do not declare.
    pub(crate) navigation: Option<String>,
}

/// Values to write to one row.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    columns: Vec<(String, Value)>,
    lookups: Vec<(String, Option<Reference>)>,
}

impl Changes {
    /// No changes. Writing them only gives the row a new version.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a column that is not a lookup. A `statuscode` also sets its `statecode`, unless that is set explicitly.
    #[must_use]
    pub fn set(mut self, column: &str, value: impl Into<Value>) -> Self {
        self.columns.push((column.to_owned(), value.into()));
        self
    }

    /// Sets a lookup, by the column's logical name (`msdyn_customer`). The target need not exist.
    #[must_use]
    pub fn link(mut self, lookup: &str, to: Reference) -> Self {
        self.lookups.push((lookup.to_owned(), Some(to)));
        self
    }

    /// Clears a lookup, by the column's logical name.
    #[must_use]
    pub fn clear(mut self, lookup: &str) -> Self {
        self.lookups.push((lookup.to_owned(), None));
        self
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = (&str, Option<&Reference>)> {
        self.lookups.iter().map(|(name, to)| (name.as_str(), to.as_ref()))
    }
}

impl Reference {
    /// A reference to a row of one of the four tables.
    #[must_use]
    pub fn new(table: &Table, id: Uuid) -> Self {
        Self::to(table.logical_name, id)
    }

    pub(crate) fn to(logical_name: &str, id: Uuid) -> Self {
        Self { logical_name: logical_name.to_owned(), id, navigation: None }
    }

    /// Logical name of the target's table.
    #[must_use]
    pub fn logical_name(&self) -> &str {
        &self.logical_name
    }

    /// Id of the target.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }
}

impl Row {
    /// The number in the row's `ETag`.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The weak `ETag` of this version of the row.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    /// A column that is not a lookup; `None` if it was never set or is null.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Value> {
        self.columns.get(name).filter(|value| !value.is_null())
    }

    /// A lookup, by the column's logical name; `None` if it is empty.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Option<&Reference> {
        self.lookups.get(name)
    }
}

impl Organisation {
    /// An organisation without rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A row, if it exists.
    #[must_use]
    pub fn row(&self, table: &Table, id: Uuid) -> Option<&Row> {
        self.rows.get(&(table.set, id))
    }

    /// The ids of a table's rows, ascending.
    pub fn ids(&self, table: &Table) -> impl Iterator<Item = Uuid> {
        self.rows.range((table.set, Uuid::nil())..=(table.set, Uuid::max())).map(|((_, id), _)| *id)
    }

    /// Writes a row as the server itself would, and creates a missing one with the default status. Returns the new version.
    ///
    /// Without the checks of a `PATCH`, so that a test can create states that no client could, such as a dangling link.
    ///
    /// # Panics
    ///
    /// If the table has no such column or lookup, which is a mistake in the test.
    pub fn write(&mut self, table: &'static Table, id: Uuid, changes: Changes) -> u64 {
        for (name, _) in &changes.columns {
            assert!(self.has_column(table, name), "{} has no column '{name}'", table.logical_name);
        }
        for (name, _) in &changes.lookups {
            let known = table.lookup(name).is_some() || self.seen.contains(&(table.set, read_name(name)));
            assert!(known, "{} has no lookup '{name}'", table.logical_name);
        }
        self.last_version += 1;
        let mut row = self.row_with(table, id, changes);
        row.version = self.last_version;
        self.rows.insert((table.set, id), row);
        self.last_version
    }

    /// The row with these changes applied.
    pub(crate) fn row_with(&self, table: &Table, id: Uuid, changes: Changes) -> Row {
        let mut row = self.row(table, id).cloned().unwrap_or_else(|| new_row(table));
        let gives_state = changes.columns.iter().any(|(name, _)| name == "statecode");
        for (name, value) in changes.columns {
            if name == "statuscode"
                && !gives_state
                && let Some(status) = value.as_i64().and_then(|code| table.status(code))
            {
                row.columns.insert("statecode".to_owned(), status.state.into());
            }
            row.columns.insert(name, value);
        }
        for (name, to) in changes.lookups {
            match to {
                Some(to) => row.lookups.insert(name, to),
                None => row.lookups.remove(&name),
            };
        }
        row
    }

    /// Deletes a row with the side effects of the server: conversations *regarding* it are deleted too, and their customer and case links
    /// to it are cleared. Returns whether the row existed.
    pub fn delete(&mut self, table: &'static Table, id: Uuid) -> bool {
        if self.rows.remove(&(table.set, id)).is_none() {
            return false;
        }
        let gone = |to: Option<&Reference>| to.is_some_and(|to| to.id == id && to.logical_name == table.logical_name);
        for conversation in self.ids(&table::CONVERSATION).collect::<Vec<_>>() {
            let Some(row) = self.row(&table::CONVERSATION, conversation) else { continue };
            if gone(row.lookup("regardingobjectid")) {
                self.delete(&table::CONVERSATION, conversation);
                continue;
            }
            let mut changes = Changes::new();
            for lookup in ["msdyn_customer", "msdyn_issueid"] {
                if gone(row.lookup(lookup)) {
                    changes = changes.clear(lookup);
                }
            }
            if !changes.lookups.is_empty() {
                self.write(&table::CONVERSATION, conversation, changes);
            }
        }
        true
    }

    pub(crate) fn has_column(&self, table: &Table, name: &str) -> bool {
        table.column(name).is_some() || self.seen.contains(&(table.set, name.to_owned()))
    }

    /// Whether `read_name` (`_x_value`) is a lookup of the table.
    pub(crate) fn has_lookup(&self, table: &Table, read_name: &str) -> bool {
        logical_name(read_name).is_some()
            && (table.lookup_read_as(read_name).is_some() || self.seen.contains(&(table.set, read_name.to_owned())))
    }

    /// All names that `$select` accepts besides the key, in a fixed order.
    pub(crate) fn readable_names(&self, table: &Table) -> Vec<String> {
        let columns = table.columns.iter().map(|column| column.name.to_owned());
        let lookups = table.lookups.iter().map(|lookup| lookup.read_name.to_owned());
        let seen = self.seen.iter().filter(|(set, _)| *set == table.set).map(|(_, name)| name.clone());
        columns.chain(lookups).chain(seen).collect()
    }

    /// Records that the table has this column, a lookup by its read name.
    pub(crate) fn see(&mut self, table: &'static Table, name: &str) {
        if table.column(name).is_none() && table.lookup_read_as(name).is_none() {
            self.seen.insert((table.set, name.to_owned()));
        }
    }
}

fn new_row(table: &Table) -> Row {
    let mut row = Row::default();
    if let Some(state) = table.states.first() {
        row.columns.insert("statecode".to_owned(), state.code.into());
        row.columns.insert("statuscode".to_owned(), state.default_status.into());
    }
    row
}

/// Converts `_x_value` to `x`.
pub(crate) fn logical_name(read_name: &str) -> Option<&str> {
    read_name.strip_prefix('_')?.strip_suffix("_value").filter(|name| !name.is_empty())
}

fn read_name(logical_name: &str) -> String {
    format!("_{logical_name}_value")
}
