//! Columns in queries: their types, and comparable values.

use std::cmp::Ordering;

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{
    error::ODataError,
    organisation::{Organisation, Row, logical_name},
    table::{self, Kind, Table},
};

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Type,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Number,
    Boolean,
    Time,
    Id,
    /// A column that only a seed page declares. It can be compared with any literal.
    Any,
}

impl Type {
    /// Name in error messages.
    pub(crate) fn edm(self) -> &'static str {
        match self {
            Type::Text | Type::Any => "Edm.String",
            Type::Number => "Edm.Int32",
            Type::Boolean => "Edm.Boolean",
            Type::Time => "Edm.DateTimeOffset",
            Type::Id => "Edm.Guid",
        }
    }

    /// Parses a literal for a column of this type, into a comparable value.
    pub(crate) fn read(self, text: &str) -> Option<Value> {
        match self {
            Type::Text | Type::Any => Some(text.to_lowercase().into()),
            Type::Number => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
            Type::Boolean => text.parse::<bool>().ok().map(Value::from),
            Type::Time => instant(text),
            Type::Id => (text.len() == 36).then(|| Uuid::try_parse(text).ok())?.map(|id| id.to_string().into()),
        }
    }
}

impl Column {
    pub(crate) fn of(organisation: &Organisation, table: &'static Table, name: &str) -> Result<Self, ODataError> {
        let kind = if name == table.key || organisation.has_lookup(table, name) {
            Type::Id
        } else if let Some(column) = table.column(name) {
            match column.kind {
                Kind::Text(_) | Kind::System => Type::Text,
                Kind::Integer | Kind::Version => Type::Number,
                Kind::Boolean => Type::Boolean,
                Kind::Timestamp | Kind::SystemTime => Type::Time,
            }
        } else if organisation.has_column(table, name) {
            Type::Any
        } else {
            return Err(ODataError::PropertyNotFound { table, name: name.to_owned() });
        };
        Ok(Self { name: name.to_owned(), kind })
    }

    /// The row's value in comparable form: strings in lower case, times as numbers.
    pub(crate) fn value(&self, table: &Table, id: Uuid, row: &Row) -> Value {
        if self.name == table.key {
            return id.to_string().into();
        }
        if let Some(lookup) = logical_name(&self.name).filter(|_| self.kind == Type::Id) {
            return row.lookup(lookup).map(|to| to.id().to_string()).into();
        }
        if table.column(&self.name).is_some_and(|column| column.kind == Kind::Version) {
            return row.version().into();
        }
        match row.column(&self.name) {
            Some(Value::String(text)) => self.kind.read(text).unwrap_or_default(),
            other => other.cloned().unwrap_or_default(),
        }
    }

    /// The value to sort by. For a lookup it is the primary name of the target.
    pub(crate) fn sort_value(&self, organisation: &Organisation, table: &Table, id: Uuid, row: &Row) -> Value {
        let Some(lookup) = logical_name(&self.name).filter(|_| self.kind == Type::Id) else {
            return self.value(table, id, row);
        };
        let target = row.lookup(lookup).and_then(|to| Some((table::by_logical_name(to.logical_name())?, to.id())));
        let name = target.and_then(|(target, id)| organisation.row(target, id)?.column(target.primary_name));
        name.and_then(Value::as_str).map(str::to_lowercase).into()
    }
}

/// Parses a date, or a time with its offset, into milliseconds since 1970.
fn instant(text: &str) -> Option<Value> {
    let midnight = if text.len() == 10 { "T00:00:00Z" } else { "" };
    let time = OffsetDateTime::parse(&format!("{text}{midnight}"), &Rfc3339).ok()?;
    Some((time.unix_timestamp() * 1000 + i64::from(time.millisecond())).into())
}

/// Compares two values of one column. Null comes first.
pub(crate) fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::Number(one), Value::Number(other)) => {
            one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal)
        }
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        // Values of different types, in a column that only a seed page declares.
        (one, other) => one.to_string().cmp(&other.to_string()),
    }
}
