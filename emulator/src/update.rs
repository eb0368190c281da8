//! PATCH of one row: update, upsert, and their conditions.

use uuid::Uuid;

use crate::{
    address::Address,
    fault::Fault,
    organisation::Organisation,
    payload, read,
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
    let Some(body) = &context.request.body else { return Err(Fault::PayloadTooLarge) };
    let content_type = context.request.header("content-type")?.unwrap_or_default();
    if content_type.split(';').next().is_none_or(|media| !media.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Fault::NotEmulated(format!("a body with Content-Type '{content_type}'")));
    }
    let condition = Condition::of(context.request)?;
    if matches!(condition, Condition::Version(_)) && !context.has_concurrency {
        return Err(Fault::ConcurrencyOff { table });
    }
    let row = organisation.row(table, id);
    match (&condition, row) {
        (Condition::Exists | Condition::Version(_), None) => {
            return Err(Fault::RowNotFound { table, id: id.to_string() });
        }
        (Condition::Version(etag), Some(row)) if *etag != row.etag() => return Err(Fault::StaleVersion),
        (Condition::Missing, Some(_)) => return Err(Fault::RowExists),
        _ => {}
    }
    let creates = row.is_none();
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
        _ => answer.headers.push(("odata-entityid".into(), format!("{}/{}({id})", context.root, table.set))),
    }
    Ok(answer)
}
