//! Change tracking: all rows of a table with a link to later changes, and the rows that changed or were deleted since then.

use serde_json::{Map, Value, json};

use super::{
    context::Context,
    list::{applied, refuse_conditions, with_option},
    options::Options,
    query::LIMIT,
    render,
    shape::Shape,
};
use crate::{definitions::TableRef, error::ODataError, message::ApiResponse, organisation::Organisation};

/// A token is valid for seven days, as documented.
const LIFETIME_IN_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// The point in time after which changes are asked for: a version of the organisation, and when that was.
struct Token {
    version: u64,
    issued: u64,
}

impl Token {
    fn parse(text: &str, organisation: &Organisation) -> Result<Self, ODataError> {
        let read = || {
            let (version, issued) = text.split_once('!')?;
            let token = Self { version: version.parse().ok()?, issued: issued.parse().ok()? };
            (token.version <= organisation.last_version()).then_some(token)
        };
        let token = read().ok_or_else(|| ODataError::NotEmulated("a $deltatoken that it has not issued".to_owned()))?;
        if organisation.now().saturating_sub(token.issued) > LIFETIME_IN_MS {
            return Err(ODataError::DeltaTokenExpired);
        }
        Ok(token)
    }
}

/// Responds to a request that tracks changes, or has the token of an earlier one. A guess: the token is asked for in the link alone, so
/// that the preference need not be repeated.
pub(super) fn get(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    options: &Options,
) -> Result<ApiResponse, ODataError> {
    refuse_conditions(context)?;
    if !context.conditions.tracks_changes(table) {
        return Err(ODataError::ChangeTrackingOff { table: table.clone() });
    }
    for (option, value) in [
        ("$filter", &options.filter),
        ("$orderby", &options.order_by),
        ("$expand", &options.expand),
        ("$top", &options.top),
    ] {
        if value.is_some() {
            return Err(ODataError::NotWithChangeTracking { option });
        }
    }
    if options.count.is_some() || options.skip_token.is_some() {
        return Err(ODataError::NotEmulated("$count or $skiptoken while tracking changes".to_owned()));
    }
    let shape = Shape::parse(options, context, table)?;
    let since = options.delta_token.as_deref().map(|token| Token::parse(token, organisation)).transpose()?;
    let changed = |version: u64| since.as_ref().is_none_or(|since| version > since.version);
    let rows = organisation.rows(&table.logical_name).filter(|(_, row)| changed(row.version()));
    let mut values: Vec<Value> =
        rows.map(|(id, row)| Value::Object(render::row(organisation, context, table, id, row, &shape))).collect();
    if let Some(since) = &since {
        let removed = organisation.removed_since(since.version).ok_or(ODataError::DeltaTokenExpired)?;
        let of_table = removed.filter(|removed| removed.table == table.logical_name);
        values.extend(of_table.filter(|removed| organisation.row(&removed.table, removed.id).is_none()).map(
            |removed| {
                json!({
                    "@odata.context": format!("{}/$metadata#{}/$deletedEntity", context.root, table.set),
                    "id": removed.id,
                    "reason": "deleted",
                })
            },
        ));
    }
    if values.len() > context.preferences.page_size.unwrap_or(LIMIT).min(LIMIT) {
        return Err(ODataError::NotEmulated("several pages while tracking changes".to_owned()));
    }
    let mut body = Map::new();
    let of = shape.context_url(context, &table.set);
    let of = if since.is_some() { format!("{of}/$delta") } else { of };
    body.insert("@odata.context".to_owned(), of.into());
    let token = format!("{}!{}", organisation.last_version(), organisation.now());
    body.insert("@odata.deltaLink".to_owned(), with_option(context, &table.set, "$deltatoken", &token).into());
    body.insert("value".to_owned(), values.into());
    Ok(applied(ApiResponse::json(200, body.into()), context.preferences.applied_to_set()))
}
