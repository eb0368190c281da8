//! Aggregates of groups of rows.

use std::collections::BTreeMap;

use roxmltree::Node;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    joined::Joined,
    xml::{invalid, is_true, not_emulated, required},
};
use crate::{api::query::operand::compare, definitions::table::Column, error::ODataError};

/// One column of the result.
pub(super) struct Aggregate {
    source: usize,
    column: Column,
    pub(super) alias: String,
    kind: Kind,
}

enum Kind {
    /// The value that a group has in common; of a time only this part.
    Group(Option<Part>),
    Count,
    CountColumn {
        is_distinct: bool,
    },
    Sum,
    Average,
    Min,
    Max,
}

#[derive(Clone, Copy)]
enum Part {
    Day,
    Month,
    Quarter,
    Year,
}

pub(super) fn read(
    node: Node<'_, '_>,
    source: usize,
    column: Column,
    alias: Option<String>,
) -> Result<Aggregate, ODataError> {
    let alias = alias.ok_or_else(|| invalid("An attribute of an aggregate query needs an alias."))?;
    let kind = if is_true(node, "groupby") {
        Kind::Group(match node.attribute("dategrouping") {
            None => None,
            Some("day") => Some(Part::Day),
            Some("month") => Some(Part::Month),
            Some("quarter") => Some(Part::Quarter),
            Some("year") => Some(Part::Year),
            Some(other) => return Err(not_emulated(&format!("the dategrouping '{other}'"))),
        })
    } else {
        match required(node, "aggregate")? {
            "count" => Kind::Count,
            "countcolumn" => Kind::CountColumn { is_distinct: is_true(node, "distinct") },
            "sum" => Kind::Sum,
            "avg" => Kind::Average,
            "min" => Kind::Min,
            "max" => Kind::Max,
            other => return Err(not_emulated(&format!("the aggregate '{other}'"))),
        }
    };
    Ok(Aggregate { source, column, alias, kind })
}

/// One row per group, in the order of the values that they have in common.
pub(super) fn run(aggregates: &[Aggregate], rows: &[Joined<'_>]) -> Vec<Map<String, Value>> {
    let mut groups: BTreeMap<String, Vec<&Joined<'_>>> = BTreeMap::new();
    for row in rows {
        let common = aggregates.iter().filter(|one| matches!(one.kind, Kind::Group(_))).map(|one| one.group_value(row));
        groups.entry(common.map(|value| value.to_string()).collect::<Vec<_>>().join("\n")).or_default().push(row);
    }
    let has_groups = aggregates.iter().any(|one| matches!(one.kind, Kind::Group(_)));
    if groups.is_empty() && !has_groups {
        groups.insert(String::new(), Vec::new());
    }
    let of_group = |rows: &Vec<&Joined<'_>>| {
        aggregates.iter().map(|one| (one.alias.clone(), one.of(rows))).collect::<Map<String, Value>>()
    };
    groups.values().map(of_group).collect()
}

impl Aggregate {
    fn of(&self, rows: &[&Joined<'_>]) -> Value {
        let raw = || rows.iter().map(|row| row.raw(self.source, &self.column)).filter(|value| !value.is_null());
        let numbers = || raw().filter_map(|value| value.as_f64());
        match &self.kind {
            Kind::Group(_) => rows.first().map_or(Value::Null, |row| self.group_value(row)),
            Kind::Count => rows.len().into(),
            Kind::CountColumn { is_distinct: false } => raw().count().into(),
            Kind::CountColumn { is_distinct: true } => raw()
                .map(|value| value.to_string().to_lowercase())
                .collect::<std::collections::HashSet<_>>()
                .len()
                .into(),
            Kind::Sum => number(numbers().sum()),
            Kind::Average if numbers().next().is_none() => Value::Null,
            #[expect(clippy::cast_precision_loss, reason = "fewer rows than that")]
            Kind::Average => number(numbers().sum::<f64>() / numbers().count() as f64),
            Kind::Min => raw().min_by(compare).unwrap_or_default(),
            Kind::Max => raw().max_by(compare).unwrap_or_default(),
        }
    }

    fn group_value(&self, row: &Joined<'_>) -> Value {
        let Kind::Group(Some(part)) = self.kind else { return row.raw(self.source, &self.column) };
        let milliseconds = row.value(self.source, &self.column).as_i64();
        let time = milliseconds.and_then(|time| OffsetDateTime::from_unix_timestamp(time.div_euclid(1000)).ok());
        let Some(time) = time else { return Value::Null };
        match part {
            Part::Day => time.day().into(),
            Part::Month => u8::from(time.month()).into(),
            Part::Quarter => ((u8::from(time.month()) - 1) / 3 + 1).into(),
            Part::Year => time.year().into(),
        }
    }
}

/// A whole number without a fraction.
fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "whole, and in range")]
    if value.fract() == 0.0 && value.abs() < 9e15 { (value as i64).into() } else { value.into() }
}
