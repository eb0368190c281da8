//! Writes to one row: update, upsert, references, and their conditions.

use axum::http::Method;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    address::Address,
    error::ODataError,
    organisation::Organisation,
    payload,
    privileges::{self, Right},
    read,
    web_api::{ApiResponse, Context, Request, apply_write},
};

enum Condition {
    /// Update, or create if the row does not exist.
    None,
    Exists,
    Version(String),
    Missing,
}

impl Condition {
    fn of(request: &Request) -> Result<Self, ODataError> {
        let if_match = request.header("if-match")?;
        // "null" is the documented way to bypass caches. It is not a condition on the row.
        let if_none_match = request.header("if-none-match")?.filter(|value| value != "null");
        match (if_match.as_deref(), if_none_match.as_deref()) {
            (None, None) => Ok(Self::None),
            (Some("*"), None) => Ok(Self::Exists),
            (Some(etag), None) if etag.starts_with("W/\"") && etag.ends_with('"') && !etag.contains(',') => {
                Ok(Self::Version(etag.to_owned()))
            }
            (None, Some("*")) => Ok(Self::Missing),
            (sent, none) => {
                let why = format!("If-Match: {} with If-None-Match: {}", sent.unwrap_or("-"), none.unwrap_or("-"));
                Err(ODataError::NotEmulated(why))
            }
        }
    }

    fn check(
        &self,
        organisation: &Organisation,
        context: &Context<'_>,
        address: &Address,
        id: Uuid,
    ) -> Result<(), ODataError> {
        let table = address.table;
        if matches!(self, Self::Version(_)) && context.conditions.is_concurrency_off(table) {
            return Err(ODataError::ConcurrencyOff { table });
        }
        match (self, organisation.row(table, id)) {
            (Self::Exists | Self::Version(_), None) => Err(ODataError::RowNotFound { table, id: id.to_string() }),
            (Self::Version(etag), Some(row)) if *etag != row.etag() => Err(ODataError::StaleVersion),
            (Self::Missing, Some(_)) => Err(ODataError::RowExists),
            _ => Ok(()),
        }
    }
}

/// Checks in the order row, version, payload. Guesses: this order; that an empty object creates a version; that an `ETag` in `If-Match` on a
/// table without versions is rejected first, with 400.
pub(crate) fn patch(
    organisation: &mut Organisation,
    context: &Context<'_>,
    address: &Address,
    id: Uuid,
) -> Result<ApiResponse, ODataError> {
    let table = address.table;
    read::check_select(organisation, context, table)?;
    let body = json_body(context)?;
    let condition = Condition::of(context.request)?;
    condition.check(organisation, context, address, id)?;
    let creates = organisation.row(table, id).is_none();
    if creates {
        privileges::check(context.conditions, Right::Create, table)?;
    }
    let mut accepted = payload::read(organisation, context, table, id, body)?;
    if creates && matches!(condition, Condition::None) {
        accepted.warnings.push(format!("a PATCH without If-Match created {} {id}", table.logical_name));
    }
    if !context.writer.loses_writes {
        organisation.write(table, id, accepted.changes);
    }
    apply_write(organisation, address, context.writer.after.as_ref());

    let mut response = ApiResponse { status: 204, warnings: accepted.warnings, ..ApiResponse::default() };
    match organisation.row(table, id) {
        Some(row) if context.preferences.representation && !context.writer.loses_writes => {
            response.status = if creates { 201 } else { 200 };
            response.headers.push(("etag".into(), row.etag()));
            let applied = context.preferences.applied_to_write();
            response.headers.extend(applied.map(|applied| ("preference-applied".into(), applied)));
            response.body = Some(read::render(organisation, context, table, id, row).into());
        }
        _ => response.headers.push(("odata-entityid".into(), format!("{}/{}", context.root, entity(address, id)))),
    }
    Ok(response)
}

/// PUT and DELETE of the reference in a single-valued navigation property, with the effect of a bind and of null on an existing row. The
/// error for an unknown name is a guess, and so are relative URLs, which only older examples have.
pub(crate) fn reference(
    organisation: &mut Organisation,
    context: &Context<'_>,
    address: &Address,
    id: Uuid,
) -> Result<ApiResponse, ODataError> {
    let (table, name) = (address.table, address.reference.as_deref().unwrap_or_default());
    if context.conditions.navigation(table, name).is_none() {
        return Err(ODataError::SetNotFound { segment: name.to_owned() });
    }
    let mut property = Map::new();
    if context.request.method == Method::PUT {
        let uri = payload::properties(table, json_body(context)?)?.remove("@odata.id");
        let Some(uri @ Value::String(_)) = uri else {
            return Err(ODataError::BodyNotReadable { table, detail: "No '@odata.id' with a URL.".to_owned() });
        };
        property.insert(format!("{name}@odata.bind"), uri);
    } else {
        property.insert(name.to_owned(), Value::Null);
    }
    let condition = match Condition::of(context.request)? {
        Condition::Missing => return Err(ODataError::NotEmulated("If-None-Match: * for a reference".to_owned())),
        Condition::Version(etag) if context.conditions.ref_honours_if_match => Condition::Version(etag),
        _ => Condition::Exists,
    };
    condition.check(organisation, context, address, id)?;
    let accepted = payload::read_properties(organisation, context, table, id, &property)?;
    organisation.write(table, id, accepted.changes);
    apply_write(organisation, address, context.writer.after.as_ref());
    Ok(ApiResponse { status: 204, warnings: accepted.warnings, ..ApiResponse::default() })
}

/// The row as the response names it: by its alternate key, if the request used one.
fn entity(address: &Address, id: Uuid) -> String {
    if address.segment.contains('=') { address.segment.clone() } else { format!("{}({id})", address.table.set) }
}

fn json_body<'a>(context: &Context<'a>) -> Result<&'a [u8], ODataError> {
    let Some(body) = &context.request.body else { return Err(ODataError::PayloadTooLarge) };
    let content_type = context.request.header("content-type")?.unwrap_or_default();
    if content_type.split(';').next().is_none_or(|media| !media.trim().eq_ignore_ascii_case("application/json")) {
        return Err(ODataError::NotEmulated(format!("a body with Content-Type '{content_type}'")));
    }
    Ok(body)
}
