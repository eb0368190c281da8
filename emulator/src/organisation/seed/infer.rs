//! Declares the tables, columns, choices and relationships that a page shows and the emulator does not know.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::row::{LOOKUP_NAME, whole};
use crate::definitions::{
    data::{ColumnData, KindName, OnDelete, OneToMany, TableData},
    kind::{Choice, Kind, Status},
    table::{ANY, Column, Table},
};

const FORMATTED: &str = "@OData.Community.Display.V1.FormattedValue";
const NAVIGATION: &str = "@Microsoft.Dynamics.CRM.associatednavigationproperty";

/// A table by its set and its rows. The key of a table is called like the table, except for activities.
pub(super) fn table(set: &str, rows: &[Value]) -> Result<TableData, String> {
    let unknown = || {
        format!(
            "the emulator does not know the set '{set}', and its key cannot be seen from this page: first load the response of \
             EntityDefinitions for it"
        )
    };
    let first = rows.iter().find_map(Value::as_object).ok_or_else(unknown)?;
    let is_id = |name: &str| {
        first.get(name).and_then(Value::as_str).is_some_and(|text| text.len() == 36 && Uuid::try_parse(text).is_ok())
    };
    let singular = [set.strip_suffix("es"), set.strip_suffix('s')];
    let of_ies = set.strip_suffix("ies").map(|stem| format!("{stem}y"));
    let mut names = singular.into_iter().flatten().map(str::to_owned).chain(of_ies).chain([set.to_owned()]);
    let (logical_name, key) = match names.find(|name| is_id(&format!("{name}id"))) {
        Some(name) => (name.clone(), format!("{name}id")),
        None if is_id("activityid") => (set.strip_suffix('s').unwrap_or(set).to_owned(), "activityid".to_owned()),
        None => return Err(unknown()),
    };
    let primary_name = ["name", "subject", "title", "fullname"].into_iter().find(|name| first.contains_key(*name));
    let prefixed = || {
        let prefix = logical_name.split_once('_')?.0;
        Some(format!("{prefix}_name")).filter(|name| first.contains_key(name))
    };
    Ok(TableData {
        is_activity: key == "activityid",
        primary_name: prefixed().or(primary_name.map(str::to_owned)).unwrap_or_default(),
        set: set.to_owned(),
        logical_name,
        key,
        ..TableData::default()
    })
}

/// The columns that the rows show and `table` does not have in this form, and the relationships of their lookups.
pub(super) fn columns(table: &Table, rows: &[Value]) -> (Vec<Column>, Vec<OneToMany>) {
    let mut found: BTreeMap<String, Column> = BTreeMap::new();
    let mut relationships: Vec<OneToMany> = Vec::new();
    for row in rows.iter().filter_map(Value::as_object) {
        for (name, value) in row {
            if name.contains('@') || *name == table.key || value.is_object() || value.is_array() {
                continue;
            }
            let logical_name = name.strip_prefix('_').and_then(|name| name.strip_suffix("_value"));
            let known = found.get(name).or(table.column_read_as(name));
            let column = match logical_name {
                Some(logical_name) => lookup(known, logical_name, row, name, value, table, &mut relationships),
                None => plain(known, row, name, value),
            };
            if let Some(column) = column {
                found.insert(name.clone(), column);
            }
        }
    }
    (found.into_values().collect(), relationships)
}

/// A lookup that is new, or points to a new table.
fn lookup(
    known: Option<&Column>,
    logical_name: &str,
    row: &Map<String, Value>,
    name: &str,
    value: &Value,
    table: &Table,
    relationships: &mut Vec<OneToMany>,
) -> Option<Column> {
    let annotation = |suffix: &str| row.get(&format!("{name}{suffix}")).and_then(Value::as_str);
    let target = annotation(LOOKUP_NAME).filter(|_| !value.is_null());
    let mut column = match known {
        Some(column) => column.clone(),
        None => Column::from_data(ColumnData::new(logical_name, KindName::Lookup)),
    };
    let Kind::Lookup { targets, .. } = &mut column.kind else { return None };
    let Some(target) = target else { return known.is_none().then_some(column) };
    let navigation = annotation(NAVIGATION);
    let has_target = targets.iter().any(|to| to == target || to == ANY);
    // A table that a known lookup cannot point to needs the name of a navigation property, which proves that it can.
    if has_target || known.is_some_and(|_| !column.name.starts_with("regarding")) && navigation.is_none() {
        return known.is_none().then_some(column);
    }
    if known.is_some_and(|known| is_standard(table, known)) && column.name != "regardingobjectid" {
        return None;
    }
    targets.push(target.to_owned());
    if let Some(navigation) = navigation {
        relationships.push(OneToMany {
            name: format!("{target}_{navigation}"),
            one: target.to_owned(),
            many: table.logical_name.clone(),
            column: logical_name.to_owned(),
            navigation: navigation.to_owned(),
            collection: String::new(),
            delete: OnDelete::NoCascade,
            merge: false,
        });
    }
    Some(column)
}

/// Whether the targets of a lookup are known for sure.
fn is_standard(table: &Table, column: &Column) -> bool {
    table.navigations().iter().any(|navigation| navigation.column == column.name)
}

/// A column that is new, or shows a new choice.
fn plain(known: Option<&Column>, row: &Map<String, Value>, name: &str, value: &Value) -> Option<Column> {
    let label = row.get(&format!("{name}{FORMATTED}")).and_then(Value::as_str);
    let mut column = match known {
        Some(column) => column.clone(),
        None => Column::from_data(ColumnData::new(name, KindName::Any)),
    };
    let Some(code) = whole(value) else { return known.is_none().then_some(column) };
    let label = label.filter(|label| !label.starts_with(|c: char| c.is_ascii_digit() || "$-".contains(c)));
    let is_new = match &mut column.kind {
        Kind::Choice(choices) if !choices.is_empty() && choices.iter().all(|choice| choice.code != code) => {
            choices.push(Choice { code, label: label.map_or_else(|| code.to_string(), str::to_owned) });
            true
        }
        Kind::Status(statuses) if statuses.iter().all(|status| status.code != code) => {
            let state = row.get("statecode").and_then(whole).unwrap_or_default();
            statuses.push(Status { code, label: label.unwrap_or_default().to_owned(), state });
            true
        }
        Kind::Any => label.is_some_and(|label| {
            let is_new = column.observed.iter().all(|choice| choice.code != code);
            if is_new {
                column.observed.push(Choice { code, label: label.to_owned() });
            }
            is_new
        }),
        _ => false,
    };
    (is_new || known.is_none()).then_some(column)
}
