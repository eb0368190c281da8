//! The position after a page of a listing, where the next page begins.

use std::fmt;

use rusqlite::{Row, types::Value};
use serde_json::Value as Json;

use crate::{
    domain::{Order, Property},
    error::LinkError,
};

/// An expression by which rows are sorted. Never null, because null compares neither as less nor as greater.
pub(super) struct SortKey {
    pub(super) by: &'static str,
    descending: bool,
}

impl SortKey {
    /// The key as a term of ORDER BY.
    pub(super) fn order(&self) -> String {
        let Self { by, descending } = self;
        format!("{by}{}", if *descending { " DESC" } else { "" })
    }
}

/// The keys of an order. The id comes last, in the direction of the key before it, so that SQLite can use the index on both.
pub(super) fn sort_keys(order: &[Order]) -> Vec<SortKey> {
    let mut keys: Vec<_> = order
        .iter()
        .map(|Order { by, descending }| SortKey {
            by: match by {
                Property::CreatedOn => "c.listed_by",
                Property::Status => "c.statuscode",
                Property::Subject => "ifnull(fold(c.subject), '')",
            },
            descending: *descending,
        })
        .collect();
    keys.push(SortKey { by: "c.id", descending: keys.last().is_some_and(|key| key.descending) });
    keys
}

/// The sort keys of the last row of a page. Inserted and deleted rows do not move it.
#[derive(Clone, Debug)]
pub(super) struct Cursor(Vec<Value>);

impl Cursor {
    /// The cursor after a row that has its sort keys from column `first` on.
    pub(super) fn after(row: &Row<'_>, first: usize, keys: &[SortKey]) -> rusqlite::Result<Self> {
        (first..first + keys.len()).map(|column| row.get(column)).collect::<rusqlite::Result<_>>().map(Self)
    }

    /// Parses the `next` of a page with this order.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if it does not come from such a page.
    pub(super) fn parse(next: &str, order: &[Order]) -> Result<Self, LinkError> {
        let invalid = || LinkError::invalid_argument("next", "expected the `next` of a page of the same list");
        let written: Vec<Json> = serde_json::from_str(next).map_err(|_| invalid())?;
        let values: Option<Vec<_>> = written.into_iter().map(value).collect();
        values.filter(|values| values.len() == sort_keys(order).len()).map(Self).ok_or_else(invalid)
    }

    /// The SQL condition for rows after the cursor. Appends its parameters to `parameters`.
    pub(super) fn condition(&self, keys: &[SortKey], parameters: &mut Vec<Value>) -> String {
        let first = parameters.len() + 1;
        parameters.extend(self.0.iter().cloned());
        let sign = |key: &SortKey| if key.descending { '<' } else { '>' };
        if keys.iter().all(|key| key.descending == keys[0].descending) {
            // SQLite can use an index for a comparison of row values.
            let names: Vec<_> = keys.iter().map(|key| key.by).collect();
            let values: Vec<_> = (first..first + keys.len()).map(|number| format!("?{number}")).collect();
            return format!("({}) {} ({})", names.join(", "), sign(&keys[0]), values.join(", "));
        }
        keys.iter().enumerate().rfold("false".to_owned(), |behind, (index, key)| {
            let (by, sign, number) = (key.by, sign(key), first + index);
            format!("({by} {sign} ?{number} OR {by} = ?{number} AND {behind})")
        })
    }
}

/// Formats the cursor as the `next` of a page.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = |value: &Value| match value {
            Value::Null => Json::Null,
            Value::Integer(number) => (*number).into(),
            Value::Real(number) => (*number).into(),
            Value::Text(text) => text.as_str().into(),
            Value::Blob(bytes) => bytes.as_slice().into(),
        };
        write!(f, "{}", Json::Array(self.0.iter().map(json).collect()))
    }
}

fn value(json: Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Number(number) => number.as_i64().map(Value::from).or_else(|| number.as_f64().map(Value::from))?,
        Json::String(text) => text.into(),
        Json::Array(bytes) => {
            let byte = |byte: &Json| byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
            bytes.iter().map(byte).collect::<Option<Vec<_>>>()?.into()
        }
        Json::Bool(_) | Json::Object(_) => return None,
    })
}
