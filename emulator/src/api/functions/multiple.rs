//! `CreateMultiple`, `UpdateMultiple` and `UpsertMultiple`. Each succeeds or fails as a whole.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call;
use crate::{
    api::{
        address::{Resource, relative},
        context::Context,
        keys::{self, Key},
        read, write,
    },
    authority::privileges::{self, Right},
    definitions::TableRef,
    error::ODataError,
    message::ApiResponse,
    organisation::{Changes, Organisation},
};

/// Most rows of one call. The documentation advises at most 1,000; the limit of the service is its time.
const MAX_TARGETS: usize = 10_000;

pub(super) fn create(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
) -> Result<ApiResponse, ODataError> {
    let mut warnings = Vec::new();
    let mut ids = Vec::new();
    for row in targets(context, table)? {
        ids.push(write::create(organisation, context, table, &row, Changes::new(), &mut warnings)?);
    }
    let of = format!("{}/$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse", context.root);
    Ok(ApiResponse { warnings, ..ApiResponse::json(200, json!({ "@odata.context": of, "Ids": ids })) })
}

pub(super) fn update(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
) -> Result<ApiResponse, ODataError> {
    let mut warnings = Vec::new();
    for row in targets(context, table)? {
        let id = call::id_of(organisation, context, table, &row)?.ok_or_else(|| call::missing(&table.key))?;
        update_row(organisation, context, table, id, &row, &mut warnings)?;
    }
    Ok(ApiResponse { warnings, ..ApiResponse::empty() })
}

pub(super) fn upsert(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
) -> Result<ApiResponse, ODataError> {
    let mut warnings = Vec::new();
    for row in targets(context, table)? {
        let (id, also) = match by_key(organisation, context, table, &row)? {
            Key::Id(id) => (Some(id), Changes::new()),
            Key::Missing(values) => (None, values),
        };
        if let Some(id) = id.filter(|id| organisation.row(&table.logical_name, *id).is_some()) {
            update_row(organisation, context, table, id, &row, &mut warnings)?;
            continue;
        }
        let mut row = row;
        if let Some(id) = id {
            row.insert(table.key.clone(), id.to_string().into());
        }
        write::create(organisation, context, table, &row, also, &mut warnings)?;
    }
    Ok(ApiResponse { warnings, ..ApiResponse::empty() })
}

fn by_key(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    row: &Map<String, Value>,
) -> Result<Key, ODataError> {
    let Some(uri) = row.get("@odata.id").and_then(Value::as_str).filter(|_| !row.contains_key(&table.key)) else {
        return Ok(Key::Id(call::id_of(organisation, context, table, row)?.unwrap_or_else(Uuid::new_v4)));
    };
    let resource = Resource::parse(relative(&context.origin, uri)?)?;
    if resource.set != table.set {
        return Err(ODataError::InvalidArgument(format!("'{uri}' is not a row of '{}'.", table.set)));
    }
    keys::resolve(organisation, context.conditions, table, resource.key.ok_or(ODataError::QuerySyntax)?)
}

fn update_row(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    row: &Map<String, Value>,
    warnings: &mut Vec<String>,
) -> Result<(), ODataError> {
    privileges::check(context.conditions, Right::Write, table)?;
    read::existing(organisation, table, id)?;
    write::update(organisation, context, table, id, row, warnings)
}

/// The rows in `Targets`, which must be of this table.
fn targets(context: &Context<'_>, table: &TableRef) -> Result<Vec<Map<String, Value>>, ODataError> {
    let invalid = |detail: &str| ODataError::InvalidArgument(format!("The parameter 'Targets' {detail}."));
    let Value::Array(targets) = call::required(&mut call::body(context)?, "Targets")? else {
        return Err(invalid("is not an array"));
    };
    if targets.is_empty() || targets.len() > MAX_TARGETS {
        return Err(invalid(&format!("must have from 1 to {MAX_TARGETS} rows")));
    }
    let row = |target: Value| {
        let Value::Object(row) = target else { return Err(invalid("has a row that is not an object")) };
        let found = call::table_of(context, &row)?;
        if found.logical_name != table.logical_name {
            return Err(ODataError::WrongType { table: table.clone(), found: found.logical_name.clone() });
        }
        Ok(row)
    };
    targets.into_iter().map(row).collect()
}
