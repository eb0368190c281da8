//! Columns in queries: their types, and comparable values.

use std::cmp::Ordering;

use serde_json::Value;
use uuid::Uuid;

use crate::{
    definitions::{
        Definitions, TableRef,
        kind::{Kind, parse_time},
    },
    error::ODataError,
    organisation::{Organisation, Row},
};

/// A column of a row, or of a row that it points to.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    /// As in the query, for messages.
    pub(crate) name: String,
    pub(crate) kind: Type,
    /// The lookups that lead to the row of the column, each with the table it must point to.
    path: Vec<(String, TableRef)>,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Key,
    Version,
    Lookup(String),
    Column(String),
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
    pub(crate) fn of(kind: &Kind) -> Self {
        match kind {
            Kind::String { .. } | Kind::Memo { .. } | Kind::Choices(_) | Kind::EntityName => Self::Text,
            Kind::Integer(_)
            | Kind::BigInt
            | Kind::Decimal(_)
            | Kind::Double(_)
            | Kind::Money(_)
            | Kind::Choice(_)
            | Kind::State(_)
            | Kind::Status(_)
            | Kind::Version => Self::Number,
            Kind::Boolean { .. } | Kind::Managed => Self::Boolean,
            Kind::DateTime(_) => Self::Time,
            Kind::Guid | Kind::Lookup { .. } => Self::Id,
            Kind::Image | Kind::File | Kind::Any => Self::Any,
        }
    }

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

    /// The comparable form of a stored value.
    pub(crate) fn comparable(self, value: Option<&Value>) -> Value {
        match value {
            Some(Value::String(text)) => self.read(text).unwrap_or_default(),
            other => other.cloned().unwrap_or_default(),
        }
    }
}

impl Operand {
    /// `name`, or `<navigation property>/name` for a column of a row that it points to.
    pub(crate) fn of(definitions: &Definitions, table: &TableRef, name: &str) -> Result<Self, ODataError> {
        let Some((navigation, rest)) = name.split_once('/') else { return Self::of_column(table, name) };
        let Some(found) = table.navigation(navigation) else {
            if table.collection(navigation).is_some() {
                return Err(ODataError::NotEmulated(format!("'{name}', a column of the rows of a collection")));
            }
            return Err(ODataError::PropertyNotFound { table: table.clone(), name: navigation.to_owned() });
        };
        let target = found.targets.iter().find_map(|target| definitions.by_logical_name(target));
        let target = target
            .ok_or_else(|| ODataError::NotEmulated(format!("'{navigation}' points to a table it does not have")))?;
        // Several steps would need the table of each.
        let mut operand = Self::of(definitions, target, rest)?;
        operand.path.insert(0, (found.column.clone(), target.clone()));
        name.clone_into(&mut operand.name);
        Ok(operand)
    }

    /// Whether it is a column of the row itself.
    pub(crate) fn is_own(&self) -> bool {
        self.path.is_empty()
    }

    fn of_column(table: &TableRef, name: &str) -> Result<Self, ODataError> {
        let Some(column) = table.column_read_as(name) else {
            return Err(ODataError::PropertyNotFound { table: table.clone(), name: name.to_owned() });
        };
        let source = match &column.kind {
            _ if name == table.key => Source::Key,
            Kind::Lookup { .. } => Source::Lookup(column.name.clone()),
            Kind::Version => Source::Version,
            _ => Source::Column(column.name.clone()),
        };
        Ok(Self { name: name.to_owned(), kind: Type::of(&column.kind), path: Vec::new(), source })
    }

    /// The row's value in comparable form: strings in lower case, times as numbers.
    pub(crate) fn value(&self, organisation: &Organisation, id: Uuid, row: &Row) -> Value {
        let Some((id, row)) = self.follow(organisation, id, row) else { return Value::Null };
        match &self.source {
            Source::Key => id.to_string().into(),
            Source::Version => row.version().into(),
            Source::Lookup(lookup) => row.lookup(lookup).map(|to| to.id().to_string()).into(),
            Source::Column(name) => self.kind.comparable(row.column(name)),
        }
    }

    /// The value to sort by. For a lookup it is the primary name of the target.
    pub(crate) fn sort_value(&self, organisation: &Organisation, id: Uuid, row: &Row) -> Value {
        let Source::Lookup(lookup) = &self.source else { return self.value(organisation, id, row) };
        let reference = self.follow(organisation, id, row).and_then(|(_, row)| row.lookup(lookup));
        let name = reference.and_then(|to| organisation.name_of(to));
        name.as_deref().map(str::to_lowercase).into()
    }

    fn follow<'a>(&self, organisation: &'a Organisation, id: Uuid, row: &'a Row) -> Option<(Uuid, &'a Row)> {
        self.path.iter().try_fold((id, row), |(_, row), (lookup, target)| {
            let to = row.lookup(lookup).filter(|to| to.logical_name() == target.logical_name)?;
            Some((to.id(), organisation.row(to.logical_name(), to.id())?))
        })
    }
}

/// Parses a date, or a time with its offset, into milliseconds since 1970.
fn instant(text: &str) -> Option<Value> {
    // Without an offset it is no literal of a time.
    let is_literal = text.len() == 10 || text.get(10..)?.contains(['Z', 'z', '+', '-']);
    let time = parse_time(text).filter(|_| is_literal)?;
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
