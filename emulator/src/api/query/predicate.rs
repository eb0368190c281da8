//! Conditions on the value of a column: the operators that the functions of `$filter` and the conditions of `fetchXml` share.

use std::cmp::Ordering;

use serde_json::Value;
use uuid::Uuid;

use super::{
    calendar::{self, Span},
    operand::{Type, compare},
};
use crate::{api::context::Asked, organisation::BUSINESS_UNIT};

/// A condition on one value. Times are spans of milliseconds since 1970.
#[derive(Debug)]
pub(crate) enum Predicate {
    Null,
    NotNull,
    Compare(fn(Ordering) -> bool, Value),
    /// Not equal, or empty.
    Not(Value),
    In(Vec<Value>),
    NotIn(Vec<Value>),
    Between(Value, Value),
    NotBetween(Value, Value),
    Like(Vec<String>),
    NotLike(Vec<String>),
    During(Span),
    /// One of several choices.
    Contains(Vec<String>),
    NotContains(Vec<String>),
}

/// The reason why a condition cannot be read.
#[derive(Debug)]
pub(crate) enum Problem {
    Invalid(String),
    NotEmulated(String),
}

impl Predicate {
    /// Reads an operator of `fetchXml` with its values, for a column of a type.
    pub(crate) fn read(
        operator: &str,
        (name, kind): (&str, Type),
        values: &[String],
        asked: Asked,
    ) -> Result<Self, Problem> {
        let read = |text: &String| {
            let id = text.trim_start_matches('{').trim_end_matches('}');
            let text = match kind {
                Type::Id => id,
                // In XML a truth is also a number.
                Type::Boolean if text == "1" => "true",
                Type::Boolean if text == "0" => "false",
                _ => text,
            };
            kind.read(text).ok_or_else(|| Problem::Invalid(format!("'{text}' is no value of '{name}'.")))
        };
        let one = || match values {
            [value] => read(value),
            _ => Err(Problem::Invalid(format!("'{operator}' needs one value."))),
        };
        let all = || values.iter().map(read).collect::<Result<Vec<_>, _>>();
        let text = || values.first().map_or("", String::as_str).to_lowercase();
        let pair = || match values {
            [from, to] => Ok((read(from)?, read(to)?)),
            _ => Err(Problem::Invalid(format!("'{operator}' needs two values."))),
        };
        let own = |id: Uuid| match kind {
            Type::Id | Type::Any => Ok(Value::from(id.to_string())),
            _ => Err(on_another(operator, name)),
        };
        let day = || match kind {
            Type::Time | Type::Any => one().map(|value| calendar::day(value.as_i64().unwrap_or_default())),
            _ => Err(on_another(operator, name)),
        };
        Ok(match operator {
            "null" => Self::Null,
            "not-null" => Self::NotNull,
            "eq" => Self::Compare(Ordering::is_eq, one()?),
            "ne" | "neq" => Self::Not(one()?),
            "gt" => Self::Compare(Ordering::is_gt, one()?),
            "ge" => Self::Compare(Ordering::is_ge, one()?),
            "lt" => Self::Compare(Ordering::is_lt, one()?),
            "le" => Self::Compare(Ordering::is_le, one()?),
            "in" => Self::In(all()?),
            "not-in" => Self::NotIn(all()?),
            "between" => pair().map(|(from, to)| Self::Between(from, to))?,
            "not-between" => pair().map(|(from, to)| Self::NotBetween(from, to))?,
            "like" => Self::Like(pattern(&text())?),
            "not-like" => Self::NotLike(pattern(&text())?),
            "begins-with" => Self::Like(pattern(&format!("{}%", text()))?),
            "not-begin-with" => Self::NotLike(pattern(&format!("{}%", text()))?),
            "ends-with" => Self::Like(pattern(&format!("%{}", text()))?),
            "not-end-with" => Self::NotLike(pattern(&format!("%{}", text()))?),
            "eq-userid" => Self::Compare(Ordering::is_eq, own(asked.by)?),
            "ne-userid" => Self::Not(own(asked.by)?),
            "eq-businessid" => Self::Compare(Ordering::is_eq, own(BUSINESS_UNIT)?),
            "ne-businessid" => Self::Not(own(BUSINESS_UNIT)?),
            "on" => Self::During(day()?),
            "on-or-after" => Self::During((day()?.0, i64::MAX)),
            "on-or-before" => Self::During((i64::MIN, day()?.1)),
            "contain-values" => Self::Contains(values.to_vec()),
            "not-contain-values" => Self::NotContains(values.to_vec()),
            other => Self::During(span(other, (name, kind), values, asked)?),
        })
    }

    /// Guess: only `ne` and the absence of choices match empty columns, as in `$filter`.
    pub(crate) fn accepts(&self, value: &Value) -> bool {
        let is_in = |values: &[Value]| values.iter().any(|one| compare(one, value).is_eq());
        let is_between = |from: &Value, to: &Value| compare(value, from).is_ge() && compare(value, to).is_le();
        let matches = |pattern: &[String]| value.as_str().is_some_and(|text| matches(text, pattern));
        let has = |codes: &[String]| {
            value.as_str().is_some_and(|text| text.split(',').any(|code| codes.iter().any(|wanted| wanted == code)))
        };
        match self {
            Self::Null => value.is_null(),
            Self::Not(other) => compare(value, other).is_ne(),
            Self::NotContains(codes) => !has(codes),
            _ if value.is_null() => false,
            Self::NotNull => true,
            Self::Compare(accepts, other) => accepts(compare(value, other)),
            Self::In(values) => is_in(values),
            Self::NotIn(values) => !is_in(values),
            Self::Between(from, to) => is_between(from, to),
            Self::NotBetween(from, to) => !is_between(from, to),
            Self::Like(pattern) => matches(pattern),
            Self::NotLike(pattern) => !matches(pattern),
            Self::During((from, to)) => value.as_i64().is_some_and(|time| (*from..*to).contains(&time)),
            Self::Contains(codes) => has(codes),
        }
    }
}

/// The span of time that an operator names.
fn span(operator: &str, (name, kind): (&str, Type), values: &[String], asked: Asked) -> Result<Span, Problem> {
    let now = i64::try_from(asked.at).unwrap_or(i64::MAX / 2);
    let unknown = || Problem::NotEmulated(format!("the operator '{operator}'"));
    let span = if operator.contains("-x-") {
        let number = values.first().and_then(|text| text.parse().ok()).filter(|number| (1..=100_000).contains(number));
        let number = number.ok_or_else(|| Problem::Invalid(format!("'{operator}' needs a number.")));
        // An unknown operator is named first.
        calendar::counted(operator, 1, now).ok_or_else(unknown)?;
        calendar::counted(operator, number?, now)
    } else {
        calendar::span(operator, now)
    };
    match kind {
        Type::Time | Type::Any => span.ok_or_else(unknown),
        _ => Err(span.map_or_else(unknown, |_| on_another(operator, name))),
    }
}

fn on_another(operator: &str, name: &str) -> Problem {
    Problem::NotEmulated(format!("the operator '{operator}' on '{name}', a column of another type"))
}

/// The parts of a pattern between its `%`.
fn pattern(text: &str) -> Result<Vec<String>, Problem> {
    if text.contains(['_', '[']) {
        return Err(Problem::NotEmulated(format!("'{text}', a pattern with _ or [")));
    }
    Ok(text.split('%').map(str::to_owned).collect())
}

fn matches(text: &str, pattern: &[String]) -> bool {
    let [first, middle @ .., last] = pattern else { return pattern.first().is_some_and(|only| only == text) };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for part in middle {
        let Some((_, after)) = rest.split_once(part.as_str()) else { return false };
        rest = after;
    }
    rest.ends_with(last.as_str())
}
