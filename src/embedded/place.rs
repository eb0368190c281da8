//! Where a page ends and the next one begins.

use std::fmt;

use rusqlite::{Row, types::Value};
use serde_json::Value as Json;

use crate::{
    domain::{Order, Property},
    error::{Code, LinkError},
};

/// What rows are ordered by. Never null: null is neither before nor after anything.
pub(super) struct Key {
    pub(super) by: &'static str,
    descends: bool,
}

impl Key {
    /// The part of an order.
    pub(super) fn order(&self) -> String {
        let Self { by, descends } = self;
        format!("{by}{}", if *descends { " DESC" } else { "" })
    }
}

/// The id comes last, in the direction of what is before it, so that the index on both can be followed.
pub(super) fn keys(order: &[Order]) -> Vec<Key> {
    let mut keys: Vec<_> = order
        .iter()
        .map(|Order { by, descending }| Key {
            by: match by {
                Property::CreatedOn => "c.listed_by",
                Property::Status => "c.statuscode",
                Property::Subject => "ifnull(fold(c.subject), '')",
            },
            descends: *descending,
        })
        .collect();
    keys.push(Key { by: "c.id", descends: keys.last().is_some_and(|key| key.descends) });
    keys
}

/// What a row is ordered by, its id last. Rows that come and go do not move it.
#[derive(Clone, Debug)]
pub(super) struct Place(Vec<Value>);

impl Place {
    /// Of a row that shows its keys from column `first` on.
    pub(super) fn of(row: &Row<'_>, first: usize, keys: &[Key]) -> rusqlite::Result<Self> {
        (first..first + keys.len()).map(|column| row.get(column)).collect::<rusqlite::Result<_>>().map(Self)
    }

    /// Reads what a page of this order ended with.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if it is something else.
    pub(super) fn read(next: &str, order: &[Order]) -> Result<Self, LinkError> {
        let refused = || LinkError::new(Code::InvalidArgument, "This is no `next` of a page of this store.");
        let written: Vec<Json> = serde_json::from_str(next).map_err(|_| refused())?;
        let values: Option<Vec<_>> = written.into_iter().map(value).collect();
        values.filter(|values| values.len() == keys(order).len()).map(Self).ok_or_else(refused)
    }

    /// The condition of being after this place, with its parameters behind those that are there.
    pub(super) fn condition(&self, keys: &[Key], parameters: &mut Vec<Value>) -> String {
        let first = parameters.len() + 1;
        parameters.extend(self.0.iter().cloned());
        let sign = |key: &Key| if key.descends { '<' } else { '>' };
        if keys.iter().all(|key| key.descends == keys[0].descends) {
            // A comparison of rows, which SQLite looks up in an index.
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

/// As a page says it in `next`.
impl fmt::Display for Place {
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
