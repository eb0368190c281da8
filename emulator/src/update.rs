//! Writes of one row: update, upsert, its references, and the conditions of all.

use axum::http::Method;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    address::Address,
    fault::Fault,
    organisation::Organisation,
    payload,
    privileges::{self, Right},
    read,
    web_api::{Answer, Context, Request, let_write},
};

enum Condition {
    /// Update, or create when there is no such row.
    None,
    Exists,
    Version(String),
    Missing,
}

impl Condition {
    fn of(request: &Request) -> Result<Self, Fault> {
        let if_match = request.header("if-match")?;
        // "null" is the documented way around caches and says nothing about the row.
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
                Err(Fault::NotEmulated(why))
            }
        }
    }

    fn check(
        &self,
        organisation: &Organisation,
        context: &Context<'_>,
        address: &Address,
        id: Uuid,
    ) -> Result<(), Fault> {
        let table = address.table;
        if matches!(self, Self::Version(_)) && context.conditions.is_concurrency_off(table) {
            return Err(Fault::ConcurrencyOff { table });
        }
        match (self, organisation.row(table, id)) {
            (Self::Exists | Self::Version(_), None) => Err(Fault::RowNotFound { table, id: id.to_string() }),
            (Self::Version(etag), Some(row)) if *etag != row.etag() => Err(Fault::StaleVersion),
            (Self::Missing, Some(_)) => Err(Fault::RowExists),
            _ => Ok(()),
        }
    }
}

/// Checks in the order row, version, payload. That order is a guess, and so is that an empty object makes a version. That a version
/// as condition is refused first where a table has no versions, and as 400, is one as well.
pub(crate) fn patch(
    organisation: &mut Organisation,
    context: &Context<'_>,
    address: &Address,
    id: Uuid,
) -> Result<Answer, Fault> {
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
    if !context.interference.loses_writes {
        organisation.write(table, id, accepted.changes);
    }
    let_write(organisation, address, context.interference.after.as_ref());

    let mut answer = Answer { status: 204, warnings: accepted.warnings, ..Answer::default() };
    match organisation.row(table, id) {
        Some(row) if context.preferences.representation && !context.interference.loses_writes => {
            answer.status = if creates { 201 } else { 200 };
            answer.headers.push(("etag".into(), row.etag()));
            let applied = context.preferences.applied_to_write();
            answer.headers.extend(applied.map(|applied| ("preference-applied".into(), applied)));
            answer.body = Some(read::render(organisation, context, table, id, row).into());
        }
        _ => answer.headers.push(("odata-entityid".into(), format!("{}/{}", context.root, entity(address, id)))),
    }
    Ok(answer)
}

/// PUT and DELETE of the reference in a single-valued navigation property: what a bind and a null do, on a row that must exist.
/// The fault for an unknown name is a guess, and so are relative URLs, which only older examples have.
pub(crate) fn reference(
    organisation: &mut Organisation,
    context: &Context<'_>,
    address: &Address,
    id: Uuid,
) -> Result<Answer, Fault> {
    let (table, name) = (address.table, address.reference.as_deref().unwrap_or_default());
    if context.conditions.navigation(table, name).is_none() {
        return Err(Fault::SetNotFound { segment: name.to_owned() });
    }
    let mut property = Map::new();
    if context.request.method == Method::PUT {
        let uri = payload::properties(table, json_body(context)?)?.remove("@odata.id");
        let Some(uri @ Value::String(_)) = uri else {
            return Err(Fault::BodyNotReadable { table, detail: "No '@odata.id' with a URL.".to_owned() });
        };
        property.insert(format!("{name}@odata.bind"), uri);
    } else {
        property.insert(name.to_owned(), Value::Null);
    }
    let condition = match Condition::of(context.request)? {
        Condition::Missing => return Err(Fault::NotEmulated("If-None-Match: * for a reference".to_owned())),
        Condition::Version(etag) if context.conditions.ref_honours_if_match => Condition::Version(etag),
        _ => Condition::Exists,
    };
    condition.check(organisation, context, address, id)?;
    let accepted = payload::read_properties(organisation, context, table, id, &property)?;
    organisation.write(table, id, accepted.changes);
    let_write(organisation, address, context.interference.after.as_ref());
    Ok(Answer { status: 204, warnings: accepted.warnings, ..Answer::default() })
}

/// The row as the answer calls it: by the alternate key, if that is how it was addressed.
fn entity(address: &Address, id: Uuid) -> String {
    if address.segment.contains('=') { address.segment.clone() } else { format!("{}({id})", address.table.set) }
}

fn json_body<'a>(context: &Context<'a>) -> Result<&'a [u8], Fault> {
    let Some(body) = &context.request.body else { return Err(Fault::PayloadTooLarge) };
    let content_type = context.request.header("content-type")?.unwrap_or_default();
    if content_type.split(';').next().is_none_or(|media| !media.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Fault::NotEmulated(format!("a body with Content-Type '{content_type}'")));
    }
    Ok(body)
}
