//! A row, the changes of one, and references to one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::definitions::table::Table;

/// A row in its current state.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Row {
    pub(super) version: u64,
    /// The version of its creation.
    pub(super) created: u64,
    pub(super) columns: Map<String, Value>,
    pub(super) lookups: BTreeMap<String, Reference>,
}

/// The value of a lookup: table and id of the target, which need not exist.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Reference {
    logical_name: String,
    id: Uuid,
    /// The name of the target in a seed page, for a target whose row is not held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

/// Values to write to one row.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub(super) columns: Vec<(String, Value)>,
    pub(super) lookups: Vec<(String, Option<Reference>)>,
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

    pub(crate) fn columns(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.columns.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = (&str, Option<&Reference>)> {
        self.lookups.iter().map(|(name, to)| (name.as_str(), to.as_ref()))
    }

    /// These changes, and then those of `other`.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.columns.extend(other.columns);
        self.lookups.extend(other.lookups);
        self
    }
}

impl Reference {
    /// A reference to a row of the table with this logical name, for example [`ACCOUNT`](crate::table::ACCOUNT).
    #[must_use]
    pub fn new(logical_name: &str, id: Uuid) -> Self {
        Self { logical_name: logical_name.to_owned(), id, name: None }
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

    /// Whether this is the target.
    pub(crate) fn is(&self, logical_name: &str, id: Uuid) -> bool {
        self.id == id && self.logical_name == logical_name
    }
}

impl Row {
    /// A new row in the default state of its table.
    pub(super) fn new(table: &Table) -> Self {
        let mut row = Self::default();
        if let Some(state) = table.states().first() {
            row.columns.insert("statecode".to_owned(), state.code.into());
            row.columns.insert("statuscode".to_owned(), state.default_status.into());
        }
        if table.is_activity && table.column("activitytypecode").is_some() {
            row.columns.insert("activitytypecode".to_owned(), table.logical_name.clone().into());
        }
        row
    }

    /// The row with these changes applied.
    pub(super) fn with(mut self, table: &Table, changes: Changes) -> Self {
        let gives_state = changes.columns.iter().any(|(name, _)| name == "statecode");
        for (name, value) in changes.columns {
            if name == "statuscode"
                && !gives_state
                && let Some(status) = value.as_i64().and_then(|code| table.status(code))
            {
                self.columns.insert("statecode".to_owned(), status.state.into());
            }
            self.columns.insert(name, value);
        }
        for (name, to) in changes.lookups {
            match to {
                Some(to) => self.lookups.insert(name, to),
                None => self.lookups.remove(&name),
            };
        }
        self
    }

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

    /// A number that is higher for rows that were created later.
    pub(crate) fn created(&self) -> u64 {
        self.created
    }

    pub(crate) fn columns(&self) -> &Map<String, Value> {
        &self.columns
    }

    pub(crate) fn lookups(&self) -> impl Iterator<Item = (&str, &Reference)> {
        self.lookups.iter().map(|(name, to)| (name.as_str(), to))
    }
}
