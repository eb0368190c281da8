//! The JSON of rows in responses.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    context::Context,
    shape::{Expand, Expanded, Shape},
};
use crate::{
    definitions::{
        TableRef,
        kind::Kind,
        table::{Collection, Column, Members, Table},
    },
    organisation::{Organisation, Row},
    prefer::Annotations,
};

pub(super) const LOOKUP_NAME: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";
const NAVIGATION: &str = "Microsoft.Dynamics.CRM.associatednavigationproperty";
pub(super) const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";

/// A whole response body: the row with its context.
pub(crate) fn entity(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    row: &Row,
    shape: &Shape,
) -> Value {
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), format!("{}/$entity", shape.context_url(context, &table.set)).into());
    body.extend(self::row(organisation, context, table, id, row, shape));
    Value::Object(body)
}

/// The version, the selected columns, the key and the expanded rows of a row.
pub(crate) fn row(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    row: &Row,
    shape: &Shape,
) -> Map<String, Value> {
    let annotations = &context.preferences.annotations;
    let mut body = Map::new();
    body.insert("@odata.etag".to_owned(), row.etag().into());
    let mut write = |column: &Column| match &column.kind {
        _ if column.name == table.key => drop(body.insert(column.name.clone(), id.to_string().into())),
        Kind::Lookup { .. } => write_lookup(&mut body, organisation, annotations, table, row, column),
        _ => write_column(&mut body, context, row, column),
    };
    match &shape.select {
        Some(names) => names.iter().filter_map(|name| table.column_read_as(name)).for_each(&mut write),
        None => table.columns.iter().filter(|column| column.read).for_each(&mut write),
    }
    body.insert(table.key.clone(), id.to_string().into());
    for expand in &shape.expand {
        body.insert(expand.name.clone(), expanded(organisation, context, table, id, row, expand));
    }
    body
}

fn expanded(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    row: &Row,
    expand: &Expand,
) -> Value {
    match &expand.of {
        // A property whose type is not that of the target is null.
        Expanded::One(navigation, target) => {
            let to = row.lookup(&navigation.column).filter(|to| to.logical_name() == target.logical_name);
            let found = to.and_then(|to| Some((to.id(), organisation.row(to.logical_name(), to.id())?)));
            found.map_or(Value::Null, |(id, row)| {
                self::row(organisation, context, target, id, row, &expand.shape).into()
            })
        }
        Expanded::Many(collection, target, query) => {
            let members = members(organisation, &table.logical_name, id, collection);
            let rows = query.first(organisation, members.into_iter());
            let rows = rows.into_iter().map(|found| {
                Value::Object(self::row(organisation, context, target, found.id, found.row, &expand.shape))
            });
            rows.collect()
        }
    }
}

/// The rows of a collection.
pub(crate) fn members<'a>(
    organisation: &'a Organisation,
    table: &str,
    id: Uuid,
    collection: &Collection,
) -> Vec<(Uuid, &'a Row)> {
    match &collection.by {
        Members::Lookup { column } => {
            let points = |row: &Row| row.lookup(column).is_some_and(|to| to.is(table, id));
            organisation.rows(&collection.table).filter(|(_, row)| points(row)).collect()
        }
        Members::Intersect { relationship, is_one } => {
            let other = |pair: (Uuid, Uuid)| match is_one {
                true if pair.0 == id => Some(pair.1),
                false if pair.1 == id => Some(pair.0),
                _ => None,
            };
            let found = organisation.pairs(relationship).filter_map(other);
            found.filter_map(|id| Some((id, organisation.row(&collection.table, id)?))).collect()
        }
    }
}

fn write_lookup(
    body: &mut Map<String, Value>,
    organisation: &Organisation,
    annotations: &Annotations,
    table: &Table,
    row: &Row,
    column: &Column,
) {
    let name = &column.read_name;
    let Some(to) = row.lookup(&column.name) else {
        body.insert(name.clone(), Value::Null);
        return;
    };
    if annotations.any() {
        let navigation = table.navigation_to(&column.name, to.logical_name());
        let found = [
            (FORMATTED, organisation.name_of(to)),
            (NAVIGATION, navigation.map(|navigation| navigation.name.clone())),
            (LOOKUP_NAME, Some(to.logical_name().to_owned())),
        ];
        for (annotation, value) in found {
            if let Some(value) = value.filter(|_| annotations.include(annotation)) {
                body.insert(format!("{name}@{annotation}"), value.into());
            }
        }
    }
    body.insert(name.clone(), to.id().to_string().into());
}

fn write_column(body: &mut Map<String, Value>, context: &Context<'_>, row: &Row, column: &Column) {
    let value = match column.kind {
        Kind::Version => row.version().into(),
        _ => row.column(&column.name).cloned().unwrap_or_default(),
    };
    let table_label = || Some(context.definitions.by_logical_name(value.as_str()?)?.label.clone());
    let formatted = || if column.kind == Kind::EntityName { table_label() } else { column.format(&value) };
    if context.preferences.annotations.include(FORMATTED)
        && let Some(formatted) = formatted()
    {
        body.insert(format!("{}@{FORMATTED}", column.name), formatted.into());
    }
    body.insert(column.name.clone(), value);
}
