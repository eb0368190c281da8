//! Rows of joined tables.

use serde_json::Value;
use uuid::Uuid;

use crate::{
    api::query::operand::Type,
    definitions::{kind::Kind, table::Column},
    organisation::Row,
};

/// A row of each table of the query. An outer join may have none.
#[derive(Clone)]
pub(super) struct Joined<'a>(pub(super) Vec<Option<(Uuid, &'a Row)>>);

impl Joined<'_> {
    /// The comparable value of a column.
    pub(super) fn value(&self, source: usize, column: &Column) -> Value {
        Type::of(&column.kind).comparable(Some(&self.raw(source, column)))
    }

    /// The value of a column as it is stored.
    pub(super) fn raw(&self, source: usize, column: &Column) -> Value {
        self.0.get(source).copied().flatten().map_or(Value::Null, |(id, row)| raw(id, row, column))
    }
}

/// The value of a column as it is stored.
pub(super) fn raw(id: Uuid, row: &Row, column: &Column) -> Value {
    match &column.kind {
        Kind::Lookup { .. } => row.lookup(&column.name).map(|to| to.id().to_string()).into(),
        Kind::Version => row.version().into(),
        // The key is not stored as a column.
        Kind::Guid => row.column(&column.name).cloned().unwrap_or_else(|| id.to_string().into()),
        _ => row.column(&column.name).cloned().unwrap_or_default(),
    }
}
