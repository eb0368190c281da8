//! References: `$ref` of single-valued and collection-valued navigation properties.

use axum::http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    address::{Resource, relative},
    condition::Condition,
    context::{Context, apply_write},
    keys, payload, render,
    write::{self, json_body},
};
use crate::{
    authority::privileges::{self, Right},
    definitions::{
        TableRef,
        table::{Collection, Members, Navigation},
    },
    error::ODataError,
    message::ApiResponse,
    organisation::{Changes, Organisation, Reference},
};

/// PUT and DELETE of the reference in a single-valued navigation property, with the effect of a bind and of null on an existing row. The
/// error for an unknown name is a guess, and so are relative URLs, which only older examples have.
pub(crate) fn write(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    navigation: &Navigation,
) -> Result<ApiResponse, ODataError> {
    let name = &navigation.name;
    let mut property = Map::new();
    if context.request.method == Method::PUT {
        property.insert(format!("{name}@odata.bind"), body_uri(context, table)?.into());
    } else {
        property.insert(name.clone(), Value::Null);
    }
    check(organisation, context, table, id)?;
    let mut warnings = Vec::new();
    write::update(organisation, context, table, id, &property, &mut warnings)?;
    apply_write(organisation, table, id, context.writer.after.as_ref());
    Ok(ApiResponse { warnings, ..ApiResponse::empty() })
}

/// GET of the reference in a single-valued navigation property.
pub(crate) fn get(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    navigation: &Navigation,
) -> Result<ApiResponse, ODataError> {
    let row = organisation.row(&table.logical_name, id);
    let row = row.ok_or_else(|| ODataError::RowNotFound { table: table.clone(), id: id.to_string() })?;
    let to =
        row.lookup(&navigation.column).filter(|to| navigation.targets.iter().any(|name| name == to.logical_name()));
    let target = to.and_then(|to| Some((context.definitions.by_logical_name(to.logical_name())?, to.id())));
    // OData: the response to a property that is null has no content.
    let Some((target, id)) = target else { return Ok(ApiResponse::empty()) };
    Ok(ApiResponse::json(
        200,
        json!({
            "@odata.context": format!("{}/$metadata#$ref", context.root),
            "@odata.id": format!("{}/{}({id})", context.root, target.set),
        }),
    ))
}

/// GET of the references of a collection, or of a set.
pub(crate) fn list(context: &Context<'_>, table: &TableRef, ids: impl Iterator<Item = Uuid>) -> ApiResponse {
    let rows = ids.map(|id| json!({ "@odata.id": format!("{}/{}({id})", context.root, table.set) }));
    ApiResponse::json(
        200,
        json!({
            "@odata.context": format!("{}/$metadata#Collection($ref)", context.root),
            "value": rows.collect::<Vec<_>>(),
        }),
    )
}

/// The ids of the rows in a collection.
pub(crate) fn ids(organisation: &Organisation, table: &TableRef, id: Uuid, collection: &Collection) -> Vec<Uuid> {
    render::members(organisation, &table.logical_name, id, collection).into_iter().map(|(id, _)| id).collect()
}

/// POST to and DELETE from a collection. `member` is the key in the URL.
pub(crate) fn change(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    collection: &Collection,
    member: Option<&str>,
) -> Result<ApiResponse, ODataError> {
    let Some(target) = context.definitions.by_logical_name(&collection.table).cloned() else {
        return Err(ODataError::NotEmulated(format!("'{}' has rows of a table it does not have", collection.name)));
    };
    let adds = context.request.method == Method::POST;
    let other = match (adds, member) {
        (true, None) => {
            let uri = body_uri(context, table)?;
            let resource = Resource::parse(relative(&context.origin, &uri)?)?;
            if resource.set != target.set {
                return Err(ODataError::WrongBindType {
                    table: table.clone(),
                    navigation: collection.name.clone(),
                    expected: target.logical_name.clone(),
                    found: uri.clone(),
                });
            }
            let key = resource.key.ok_or(ODataError::QuerySyntax)?;
            keys::find(organisation, context.conditions, &target, key)?
        }
        (false, Some(key)) => keys::find(organisation, context.conditions, &target, key)?,
        _ => return Err(ODataError::NotEmulated("this method here".to_owned())),
    };
    check(organisation, context, table, id)?;
    let missing = || ODataError::RowNotFound { table: target.clone(), id: other.to_string() };
    let row = organisation.row(&target.logical_name, other).ok_or_else(missing)?;
    privileges::check(context.conditions, Right::Append, &target)?;
    privileges::check(context.conditions, Right::AppendTo, table)?;
    match &collection.by {
        Members::Lookup { column } => {
            let is_member = row.lookup(column).is_some_and(|to| to.is(&table.logical_name, id));
            let changes = match (adds, is_member) {
                (true, _) => Changes::new().link(column, Reference::new(&table.logical_name, id)),
                (false, true) => Changes::new().clear(column),
                (false, false) => return Err(missing()),
            };
            organisation.save(&target, other, changes, context.caller);
        }
        Members::Intersect { relationship, is_one } => {
            let pair = if *is_one { (id, other) } else { (other, id) };
            let existed = organisation.pair(relationship, pair, adds);
            if adds && existed {
                return Err(ODataError::RowExists);
            }
            if !adds && !existed {
                return Err(missing());
            }
        }
    }
    Ok(ApiResponse::empty())
}

/// The URL in `@odata.id`, absolute or relative.
fn body_uri(context: &Context<'_>, table: &TableRef) -> Result<String, ODataError> {
    match payload::properties(table, json_body(context)?)?.remove("@odata.id") {
        Some(Value::String(uri)) => Ok(uri),
        _ => Err(ODataError::BodyNotReadable { table: table.clone(), detail: "No '@odata.id' with a URL.".to_owned() }),
    }
}

/// Checks the row whose references change, and the condition if it is honoured.
fn check(organisation: &Organisation, context: &Context<'_>, table: &TableRef, id: Uuid) -> Result<(), ODataError> {
    let condition = match Condition::of(context.request)? {
        Condition::Missing => return Err(ODataError::NotEmulated("If-None-Match: * for a reference".to_owned())),
        Condition::Version(etag) if context.conditions.ref_honours_if_match => Condition::Version(etag),
        _ => Condition::Exists,
    };
    condition.check(organisation, context, table, id)
}
