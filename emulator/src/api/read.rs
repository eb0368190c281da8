//! `GET` of one row, of one of its columns, and of what it points to.

use serde_json::json;
use uuid::Uuid;

use super::{context::Context, list::applied, options::Options, render, shape::Shape};
use crate::{
    definitions::{
        TableRef,
        kind::Kind,
        table::{Column, Navigation},
    },
    error::ODataError,
    message::{ApiResponse, Content},
    organisation::{Organisation, Row},
};

pub(crate) fn get(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    options: &Options,
    id: Uuid,
) -> Result<ApiResponse, ODataError> {
    let shape = Shape::parse(options, context, table)?;
    if context.request.header("if-match")?.is_some() {
        return Err(ODataError::NotEmulated("If-Match on GET".to_owned()));
    }
    let row = existing(organisation, table, id)?;
    let etag = row.etag();
    match context.request.header("if-none-match")?.as_deref() {
        // The documented way to bypass caches is literally this word.
        None | Some("null") => {}
        Some(sent) if sent.starts_with("W/\"") && !sent.contains(',') => {
            let may_match = !context.conditions.is_concurrency_off(table)
                && !context.preferences.annotations.any()
                && shape.expand.is_empty();
            if sent == etag && may_match {
                return Ok(ApiResponse { status: 304, ..ApiResponse::default() }.with_header("etag", etag));
            }
        }
        Some(other) => return Err(ODataError::NotEmulated(format!("If-None-Match: {other} on GET"))),
    }
    let body = render::entity(organisation, context, table, id, row, &shape);
    let response = ApiResponse::json(200, body).with_header("etag", etag);
    Ok(applied(response, context.preferences.applied_to_read()))
}

/// The row to which a lookup points. Without one, 204.
pub(crate) fn navigation(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    options: &Options,
    id: Uuid,
    navigation: &Navigation,
) -> Result<ApiResponse, ODataError> {
    let row = existing(organisation, table, id)?;
    let to =
        row.lookup(&navigation.column).filter(|to| navigation.targets.iter().any(|name| name == to.logical_name()));
    let Some(to) = to else { return Ok(ApiResponse::empty()) };
    let Some(target) = context.definitions.by_logical_name(to.logical_name()) else {
        return Err(ODataError::NotEmulated(format!("'{}' points to a table it does not have", navigation.name)));
    };
    get(organisation, context, target, options, to.id())
}

/// One column.
pub(crate) fn property(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    column: &Column,
    as_text: bool,
) -> Result<ApiResponse, ODataError> {
    let row = existing(organisation, table, id)?;
    let value = match &column.kind {
        _ if column.name == table.key => id.to_string().into(),
        Kind::Lookup { .. } => row.lookup(&column.name).map(|to| to.id().to_string()).into(),
        Kind::Version => row.version().into(),
        _ => row.column(&column.name).cloned().unwrap_or_default(),
    };
    if value.is_null() {
        return Ok(ApiResponse::empty());
    }
    if as_text {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return Ok(ApiResponse {
            status: 200,
            body: Some(Content::Text("text/plain", text)),
            ..ApiResponse::default()
        });
    }
    let of = format!("{}/$metadata#{}({id})/{}", context.root, table.set, column.read_name);
    Ok(ApiResponse::json(200, json!({ "@odata.context": of, "value": value })))
}

/// The row, which must exist.
pub(crate) fn existing<'a>(organisation: &'a Organisation, table: &TableRef, id: Uuid) -> Result<&'a Row, ODataError> {
    let row = organisation.row(&table.logical_name, id);
    row.ok_or_else(|| ODataError::RowNotFound { table: table.clone(), id: id.to_string() })
}
