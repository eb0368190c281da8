//! `GET` of one row, and the JSON of rows in responses.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    error::ODataError,
    organisation::{Organisation, Row, logical_name},
    prefer::Annotations,
    table::{self, Kind, Table},
    web_api::{ApiResponse, Context},
};

const LOOKUP_NAME: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";
const NAVIGATION: &str = "Microsoft.Dynamics.CRM.associatednavigationproperty";
const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";

pub(crate) fn get(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &'static Table,
    id: Uuid,
) -> Result<ApiResponse, ODataError> {
    check_select(organisation, context, table)?;
    if context.request.header("if-match")?.is_some() {
        return Err(ODataError::NotEmulated("If-Match on GET".to_owned()));
    }
    let row = organisation.row(table, id).ok_or_else(|| ODataError::RowNotFound { table, id: id.to_string() })?;
    let etag = row.etag();
    match context.request.header("if-none-match")?.as_deref() {
        // The documented way to bypass caches is literally this word.
        None | Some("null") => {}
        Some(sent) if sent.starts_with("W/\"") && !sent.contains(',') => {
            if sent == etag && !context.conditions.is_concurrency_off(table) && !context.preferences.annotations.any() {
                return Ok(ApiResponse { status: 304, headers: vec![("etag".into(), etag)], ..ApiResponse::default() });
            }
        }
        Some(other) => return Err(ODataError::NotEmulated(format!("If-None-Match: {other} on GET"))),
    }
    let mut headers = vec![("etag".into(), etag)];
    headers.extend(context.preferences.applied_to_read().map(|applied| ("preference-applied".into(), applied)));
    Ok(ApiResponse {
        status: 200,
        headers,
        body: Some(render(organisation, context, table, id, row).into()),
        ..ApiResponse::default()
    })
}

/// Rejects a `$select` of unknown columns. A lookup is selected by its read name only.
pub(crate) fn check_select(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &'static Table,
) -> Result<(), ODataError> {
    let selectable =
        |name: &str| name == table.key || organisation.has_column(table, name) || organisation.has_lookup(table, name);
    match context.options.select.iter().flatten().find(|name| !selectable(name)) {
        Some(name) => Err(ODataError::PropertyNotFound { table, name: name.clone() }),
        None => Ok(()),
    }
}

/// The response body with the selected columns of `row`, or all of them, and always the key.
pub(crate) fn render(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &'static Table,
    id: Uuid,
    row: &Row,
) -> Value {
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), format!("{}/$entity", context_url(context, table)).into());
    body.extend(columns(organisation, context, table, id, row));
    Value::Object(body)
}

/// The context URL with the selected columns.
pub(crate) fn context_url(context: &Context<'_>, table: &Table) -> String {
    let selected = context.options.select.as_ref();
    let list = selected.map_or_else(String::new, |names| format!("({})", names.join(",")));
    format!("{}/$metadata#{}{list}", context.root, table.set)
}

/// The version, the selected columns and the key of a row, for every kind of response.
pub(crate) fn columns(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &'static Table,
    id: Uuid,
    row: &Row,
) -> Map<String, Value> {
    let selected = context.options.select.as_ref();
    let mut body = Map::new();
    body.insert("@odata.etag".to_owned(), row.etag().into());
    let all = if selected.is_none() { organisation.readable_names(table) } else { Vec::new() };
    for name in selected.unwrap_or(&all) {
        if name == table.key {
            body.insert(name.clone(), id.to_string().into());
        } else if let Some(lookup) = logical_name(name).filter(|_| organisation.has_lookup(table, name)) {
            write_lookup(&mut body, organisation, &context.preferences.annotations, table, row, name, lookup);
        } else {
            write_column(&mut body, &context.preferences.annotations, table, row, name);
        }
    }
    body.insert(table.key.to_owned(), id.to_string().into());
    body
}

fn write_lookup(
    body: &mut Map<String, Value>,
    organisation: &Organisation,
    annotations: &Annotations,
    table: &Table,
    row: &Row,
    name: &str,
    lookup: &str,
) {
    let Some(to) = row.lookup(lookup) else {
        body.insert(name.to_owned(), Value::Null);
        return;
    };
    let target = table::by_logical_name(to.logical_name());
    let target_row = target.and_then(|target| Some((target, organisation.row(target, to.id())?)));
    let formatted = target_row.and_then(|(target, row)| row.column(target.primary_name)).cloned();
    let declared = table.lookup(lookup).and_then(|lookup| lookup.navigation_to(to.logical_name()));
    let navigation = declared.map(|navigation| navigation.name.into()).or(to.navigation.clone().map(Value::from));
    for (annotation, value) in
        [(FORMATTED, formatted), (NAVIGATION, navigation), (LOOKUP_NAME, Some(to.logical_name().into()))]
    {
        if let Some(value) = value.filter(|_| annotations.include(annotation)) {
            body.insert(format!("{name}@{annotation}"), value);
        }
    }
    body.insert(name.to_owned(), to.id().to_string().into());
}

fn write_column(body: &mut Map<String, Value>, annotations: &Annotations, table: &Table, row: &Row, name: &str) {
    if table.column(name).is_some_and(|column| column.kind == Kind::Version) {
        body.insert(name.to_owned(), row.version().into());
        return;
    }
    let value = row.column(name).cloned().unwrap_or_default();
    let label = value.as_i64().and_then(|code| match name {
        "statecode" => table.state(code).map(|state| state.label),
        "statuscode" => table.status(code).map(|status| status.label),
        _ => None,
    });
    if let Some(label) = label.filter(|_| annotations.include(FORMATTED)) {
        body.insert(format!("{name}@{FORMATTED}"), label.into());
    }
    body.insert(name.to_owned(), value);
}
