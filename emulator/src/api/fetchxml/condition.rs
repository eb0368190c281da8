//! Conditions on the columns of a row.

use std::{cmp::Ordering, collections::HashSet};

use serde_json::Value;

use super::{joined::Joined, xml::not_emulated};
use crate::{
    api::query::operand::{Type, compare},
    definitions::table::Column,
    error::ODataError,
    organisation::{Organisation, USER},
};

const DAY: i64 = 86_400_000;

pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Condition { source: usize, column: Box<Column>, test: Test },
}

/// What a column must be. Times are ranges of milliseconds since 1970, without their end.
pub(super) enum Test {
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
    During(i64, i64),
    /// One of several choices.
    Contains(Vec<String>),
    NotContains(Vec<String>),
}

impl Filter {
    pub(super) fn accepts(&self, joined: &Joined<'_>) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.accepts(joined)),
            Self::Or(parts) => parts.iter().any(|part| part.accepts(joined)),
            Self::Condition { source, column, test } => test.accepts(&joined.value(*source, column)),
        }
    }

    pub(super) fn uses(&self, used: &mut HashSet<usize>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.uses(used)),
            Self::Condition { source, .. } => {
                used.insert(*source);
            }
        }
    }
}

impl Test {
    pub(super) fn read(
        operator: &str,
        column: &Column,
        values: &[String],
        organisation: &Organisation,
    ) -> Result<Self, ODataError> {
        let kind = Type::of(&column.kind);
        let read = |text: &String| {
            let id = text.trim_start_matches('{').trim_end_matches('}');
            let text = match kind {
                Type::Id => id,
                // In XML a truth is also a number.
                Type::Boolean if text == "1" => "true",
                Type::Boolean if text == "0" => "false",
                _ => text,
            };
            let invalid = || ODataError::InvalidFetchXml(format!("'{text}' is no value of '{}'.", column.name));
            kind.read(text).ok_or_else(invalid)
        };
        let one = || match values {
            [value] => read(value),
            _ => Err(ODataError::InvalidFetchXml(format!("'{operator}' needs one value."))),
        };
        let all = || values.iter().map(read).collect::<Result<Vec<_>, _>>();
        let text = || Ok::<_, ODataError>(values.first().cloned().unwrap_or_default().to_lowercase());
        let pair = || match values {
            [from, to] => Ok((read(from)?, read(to)?)),
            _ => Err(ODataError::InvalidFetchXml(format!("'{operator}' needs two values."))),
        };
        let user = || Value::from(USER.to_string());
        let now = i64::try_from(organisation.now()).unwrap_or(i64::MAX);
        let today = now.div_euclid(DAY) * DAY;
        let days = || {
            let days =
                values.first().and_then(|text| text.parse::<i64>().ok()).filter(|days| (1..100_000).contains(days));
            days.ok_or_else(|| ODataError::InvalidFetchXml(format!("'{operator}' needs a number.")))
        };
        let day = || one().map(|value| value.as_i64().unwrap_or_default().div_euclid(DAY) * DAY);
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
            "like" => Self::Like(pattern(&text()?)?),
            "not-like" => Self::NotLike(pattern(&text()?)?),
            "begins-with" => Self::Like(pattern(&format!("{}%", text()?))?),
            "not-begin-with" => Self::NotLike(pattern(&format!("{}%", text()?))?),
            "ends-with" => Self::Like(pattern(&format!("%{}", text()?))?),
            "not-end-with" => Self::NotLike(pattern(&format!("%{}", text()?))?),
            "eq-userid" => Self::Compare(Ordering::is_eq, user()),
            "ne-userid" => Self::Not(user()),
            "on" => day().map(|day| Self::During(day, day + DAY))?,
            "on-or-after" => day().map(|day| Self::During(day, i64::MAX))?,
            "on-or-before" => day().map(|day| Self::During(i64::MIN, day + DAY))?,
            "today" => Self::During(today, today + DAY),
            "yesterday" => Self::During(today - DAY, today),
            "tomorrow" => Self::During(today + DAY, today + 2 * DAY),
            "last-seven-days" => Self::During(today - 7 * DAY, now + 1),
            "next-seven-days" => Self::During(now, today + 8 * DAY),
            "last-x-days" => Self::During(today - days()? * DAY, now + 1),
            "next-x-days" => Self::During(now, today + (days()? + 1) * DAY),
            "last-x-hours" => Self::During(now - days()? * DAY / 24, now + 1),
            "next-x-hours" => Self::During(now, now + days()? * DAY / 24 + 1),
            "olderthan-x-days" => Self::During(i64::MIN, today - days()? * DAY),
            "contain-values" => Self::Contains(values.to_vec()),
            "not-contain-values" => Self::NotContains(values.to_vec()),
            other => return Err(not_emulated(&format!("the operator '{other}'"))),
        })
    }

    /// Guess: only `ne` and the absence of choices match empty columns, as in `$filter`.
    fn accepts(&self, value: &Value) -> bool {
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
            Self::During(from, to) => value.as_i64().is_some_and(|time| (*from..*to).contains(&time)),
            Self::Contains(codes) => has(codes),
        }
    }
}

/// The parts of a pattern between its `%`.
fn pattern(text: &str) -> Result<Vec<String>, ODataError> {
    if text.contains(['_', '[']) {
        return Err(not_emulated(&format!("'{text}', a pattern with _ or [")));
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
