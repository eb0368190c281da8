//! Writes of rows: create, update, upsert and delete.

use axum::http::Method;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    condition::Condition,
    context::{Context, apply_write},
    keys,
    options::Options,
    payload::{self, Nested, Place},
    read, render,
    shape::Shape,
};
use crate::{
    authority::privileges::{self, Right},
    definitions::{
        TableRef,
        table::{Collection, Column, Members},
    },
    error::ODataError,
    message::ApiResponse,
    organisation::{Changes, Organisation, Reference},
};

/// `POST` of a set: creates a row.
pub(crate) fn post(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    options: &Options,
) -> Result<ApiResponse, ODataError> {
    let shape = Shape::parse(options, context, table)?;
    let properties = payload::properties(table, json_body(context)?)?;
    let mut warnings = Vec::new();
    let id = create(organisation, context, table, &properties, Changes::new(), &mut warnings)?;
    let entity = format!("{}({id})", table.set);
    Ok(written(organisation, context, table, id, &shape, &entity, true, warnings))
}

/// `POST` of a collection: creates a row in it.
pub(crate) fn post_member(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    options: &Options,
    id: Uuid,
    collection: &Collection,
) -> Result<ApiResponse, ODataError> {
    read::existing(organisation, table, id)?;
    let Some(member) = context.definitions.by_logical_name(&collection.table).cloned() else {
        return Err(ODataError::NotEmulated(format!("'{}' has rows of a table it does not have", collection.name)));
    };
    let shape = Shape::parse(options, context, &member)?;
    let properties = payload::properties(&member, json_body(context)?)?;
    let nested = Nested { table: member.clone(), place: Place::Member(collection.clone()), properties };
    let mut warnings = Vec::new();
    let ids = create_members(organisation, context, table, id, vec![nested], &mut warnings)?;
    let id = ids.first().copied().unwrap_or_default();
    let entity = format!("{}({id})", member.set);
    Ok(written(organisation, context, &member, id, &shape, &entity, true, warnings))
}

/// `PATCH` of a row. Checks in the order row, version, payload. Guesses: this order; that an empty object creates a version; that an
/// `ETag` in `If-Match` on a table without versions is rejected first, with 400.
pub(crate) fn patch(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    options: &Options,
    segment: &str,
    id: Uuid,
) -> Result<ApiResponse, ODataError> {
    let shape = Shape::parse(options, context, table)?;
    let body = json_body(context)?;
    let condition = Condition::of(context.request)?;
    condition.check(organisation, context, table, id)?;
    let creates = organisation.row(&table.logical_name, id).is_none();
    let properties = payload::properties(table, body)?;
    let mut warnings = Vec::new();
    if creates {
        create_with(organisation, context, table, id, &properties, Changes::new(), &mut warnings)?;
        if matches!(condition, Condition::None) {
            warnings.push(format!("a PATCH without If-Match created {} {id}", table.logical_name));
        }
    } else {
        update(organisation, context, table, id, &properties, &mut warnings)?;
    }
    apply_write(organisation, table, id, context.writer.after.as_ref());
    // The row as the response names it: by its alternate key, if the request used one.
    let entity = if segment.contains('=') { segment.to_owned() } else { format!("{}({id})", table.set) };
    Ok(written(organisation, context, table, id, &shape, &entity, creates, warnings))
}

/// `PATCH` of an alternate key that no row has: creates a row with it.
pub(crate) fn patch_missing(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    options: &Options,
    segment: &str,
    key: Changes,
) -> Result<ApiResponse, ODataError> {
    match Condition::of(context.request)? {
        Condition::None | Condition::Missing => {}
        Condition::Exists | Condition::Version(_) => return Err(ODataError::KeyNotFound { table: table.clone() }),
    }
    let shape = Shape::parse(options, context, table)?;
    let properties = payload::properties(table, json_body(context)?)?;
    let mut warnings = Vec::new();
    let id = create(organisation, context, table, &properties, key, &mut warnings)?;
    Ok(written(organisation, context, table, id, &shape, segment, true, warnings))
}

/// `DELETE` of a row.
pub(crate) fn delete(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
) -> Result<ApiResponse, ODataError> {
    let condition = match Condition::of(context.request)? {
        Condition::None => Condition::Exists,
        Condition::Missing => return Err(ODataError::NotEmulated("If-None-Match: * for a DELETE".to_owned())),
        condition => condition,
    };
    condition.check(organisation, context, table, id)?;
    if !context.writer.loses_writes {
        delete_row(organisation, table, id)?;
    }
    Ok(ApiResponse::empty())
}

pub(crate) fn delete_row(organisation: &mut Organisation, table: &TableRef, id: Uuid) -> Result<(), ODataError> {
    let deleted = organisation.delete_unless_restricted(table, id);
    deleted.map_err(|restricted| ODataError::DeleteRestricted { table: table.clone(), by: restricted.by })
}

/// Creates a row with the values of `also`, and with the rows in its body. Returns its id.
pub(crate) fn create(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    properties: &Map<String, Value>,
    also: Changes,
    warnings: &mut Vec<String>,
) -> Result<Uuid, ODataError> {
    let given = properties.get(&table.key).and_then(Value::as_str).and_then(|text| Uuid::try_parse(text).ok());
    let id = given.unwrap_or_else(Uuid::new_v4);
    if organisation.row(&table.logical_name, id).is_some() {
        return Err(ODataError::RowExists);
    }
    create_with(organisation, context, table, id, properties, also, warnings)?;
    Ok(id)
}

fn create_with(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    properties: &Map<String, Value>,
    also: Changes,
    warnings: &mut Vec<String>,
) -> Result<(), ODataError> {
    privileges::check(context.conditions, Right::Create, table)?;
    let payload = payload::read(organisation, context, table, id, properties)?;
    if payload.id.is_some_and(|given| given != id) {
        return Err(other_key(table));
    }
    warnings.extend(payload.warnings);
    let mut changes = payload.changes.and(also);
    let (inner, members): (Vec<_>, Vec<_>) =
        payload.nested.into_iter().partition(|nested| matches!(nested.place, Place::Lookup(_)));
    // A row that this one points to comes first.
    for Nested { table, place, properties } in inner {
        let Place::Lookup(column) = place else { continue };
        let id = create(organisation, context, &table, &properties, Changes::new(), warnings)?;
        changes = changes.link(&column, Reference::new(&table.logical_name, id));
    }
    keys::check_unique(organisation, context.conditions, table, id, &changes)?;
    if !context.writer.loses_writes {
        organisation.save(table, id, changes, context.caller);
    }
    create_members(organisation, context, table, id, members, warnings)?;
    Ok(())
}

/// Creates rows in collections of a row. Returns their ids.
fn create_members(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    members: Vec<Nested>,
    warnings: &mut Vec<String>,
) -> Result<Vec<Uuid>, ODataError> {
    let mut ids = Vec::new();
    for Nested { table: member, place, properties } in members {
        let Place::Member(collection) = place else { continue };
        match &collection.by {
            Members::Lookup { column } => {
                let link = Changes::new().link(column, Reference::new(&table.logical_name, id));
                ids.push(create(organisation, context, &member, &properties, link, warnings)?);
            }
            Members::Intersect { relationship, is_one } => {
                let other = create(organisation, context, &member, &properties, Changes::new(), warnings)?;
                organisation.pair(relationship, if *is_one { (id, other) } else { (other, id) }, true);
                ids.push(other);
            }
        }
    }
    Ok(ids)
}

/// Updates an existing row.
pub(crate) fn update(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    properties: &Map<String, Value>,
    warnings: &mut Vec<String>,
) -> Result<(), ODataError> {
    let payload = payload::read(organisation, context, table, id, properties)?;
    if payload.id.is_some_and(|given| given != id) {
        return Err(other_key(table));
    }
    warnings.extend(payload.warnings);
    keys::check_unique(organisation, context.conditions, table, id, &payload.changes)?;
    // Members in an update replace those that there are.
    for nested in &payload.nested {
        let Place::Member(collection) = &nested.place else { continue };
        let Members::Lookup { column } = &collection.by else { continue };
        for old in organisation.referencing(&collection.table, column, &table.logical_name, id) {
            organisation.delete(&collection.table, old);
        }
    }
    if !context.writer.loses_writes {
        organisation.save(table, id, payload.changes, context.caller);
    }
    create_members(organisation, context, table, id, payload.nested, warnings)?;
    Ok(())
}

fn other_key(table: &TableRef) -> ODataError {
    ODataError::NotEmulated(format!("'{}' in the body with another value than in the URL", table.key))
}

/// The response to a create or an update.
#[expect(clippy::too_many_arguments, reason = "each is a part of the response")]
fn written(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    shape: &Shape,
    entity: &str,
    creates: bool,
    warnings: Vec<String>,
) -> ApiResponse {
    let url = format!("{}/{entity}", context.root);
    let mut response = ApiResponse { status: 204, warnings, ..ApiResponse::default() };
    match organisation.row(&table.logical_name, id) {
        Some(row) if context.preferences.representation && !context.writer.loses_writes => {
            response.status = if creates { 201 } else { 200 };
            response.headers.push(("etag".into(), row.etag()));
            let applied = context.preferences.applied_to_write();
            response.headers.extend(applied.map(|applied| ("preference-applied".into(), applied)));
            if creates {
                response.headers.push(("location".into(), url.clone()));
                response.headers.push(("odata-entityid".into(), url));
            }
            // Documented: `$expand` is ignored here.
            let shape = Shape { select: shape.select.clone(), expand: Vec::new() };
            response.body = Some(render::entity(organisation, context, table, id, row, &shape).into());
        }
        _ => {
            if creates {
                response.headers.push(("location".into(), url.clone()));
            }
            response.headers.push(("odata-entityid".into(), url));
        }
    }
    response
}

/// The body of a request that must be JSON.
pub(crate) fn json_body<'a>(context: &Context<'a>) -> Result<&'a [u8], ODataError> {
    let Some(body) = &context.request.body else { return Err(ODataError::PayloadTooLarge) };
    let content_type = context.request.header("content-type")?.unwrap_or_default();
    if content_type.split(';').next().is_none_or(|media| !media.trim().eq_ignore_ascii_case("application/json")) {
        return Err(ODataError::NotEmulated(format!("a body with Content-Type '{content_type}'")));
    }
    Ok(body)
}

/// `PUT` or `DELETE` of one column.
pub(crate) fn property(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    column: &Column,
) -> Result<ApiResponse, ODataError> {
    let value = if context.request.method == Method::PUT {
        let mut body = payload::properties(table, json_body(context)?)?;
        let value = body.remove("value");
        value.ok_or_else(|| ODataError::BodyNotReadable { table: table.clone(), detail: "No 'value'.".to_owned() })?
    } else {
        Value::Null
    };
    let condition = match Condition::of(context.request)? {
        Condition::None => Condition::Exists,
        condition => condition,
    };
    condition.check(organisation, context, table, id)?;
    let properties = Map::from_iter([(column.read_name.clone(), value)]);
    let mut warnings = Vec::new();
    update(organisation, context, table, id, &properties, &mut warnings)?;
    Ok(ApiResponse { warnings, ..ApiResponse::empty() })
}
