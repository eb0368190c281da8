//! `GET` of a set or a collection: filters, sorts and pages its rows.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    context::Context,
    options::Options,
    query::{LIMIT, Query},
    render,
    shape::Shape,
};
use crate::{
    definitions::TableRef,
    error::ODataError,
    message::{ApiResponse, Content, decode},
    organisation::{Organisation, Row},
};

/// The start of a page: its number, and the sort key of the row before it, which may be deleted by now.
pub(super) struct Start {
    pub(super) page: usize,
    pub(super) after: Vec<Value>,
}

/// The page of rows that a request asks for. `path` is the URL of the collection below the root.
pub(crate) fn get<'a>(
    organisation: &'a Organisation,
    context: &Context<'_>,
    table: &TableRef,
    options: &Options,
    path: &str,
    rows: impl Iterator<Item = (Uuid, &'a Row)>,
) -> Result<ApiResponse, ODataError> {
    let shape = Shape::parse(options, context, table)?;
    refuse_conditions(context)?;
    refuse_tracking(context, options)?;
    let query = Query::parse(options, context, table)?;
    let counts =
        options.count.as_deref().map_or(Ok(false), |text| text.parse().map_err(|_| ODataError::QuerySyntax))?;
    if query.top.is_some() && counts {
        return Err(ODataError::NotEmulated("$top together with $count".to_owned()));
    }
    let start = options.skip_token.as_deref().map(|token| Start::parse(token, query.key_length())).transpose()?;

    let mut found = query.run(organisation, rows);
    let (total, exceeds) = (found.len().min(LIMIT), found.len() > LIMIT);
    if let Some(start) = &start {
        found.retain(|row| query.precedes(&start.after, &row.by));
    }
    // `$top` is ignored with a page size, as documented.
    let size = context.preferences.page_size.or(query.top).unwrap_or(LIMIT).min(LIMIT);
    let has_more = found.len() > size && (query.top.is_none() || context.preferences.page_size.is_some());
    found.truncate(size);

    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), shape.context_url(context, &table.set).into());
    if counts {
        body.insert("@odata.count".to_owned(), total.into());
    }
    for (name, value) in [
        ("Microsoft.Dynamics.CRM.totalrecordcount", if counts { json!(total) } else { json!(-1) }),
        ("Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded", json!(counts && exceeds)),
    ] {
        if context.preferences.annotations.include(name) {
            body.insert(format!("@{name}"), value);
        }
    }
    let rows =
        found.iter().map(|found| Value::Object(render::row(organisation, context, table, found.id, found.row, &shape)));
    body.insert("value".to_owned(), rows.collect());
    if let Some(last) = found.last().filter(|_| has_more) {
        let next = Start { page: start.map_or(2, |start| start.page + 1), after: last.by.clone() };
        body.insert("@odata.nextLink".to_owned(), next.link(context, path, false).into());
    }
    Ok(applied(ApiResponse::json(200, Value::Object(body)), context.preferences.applied_to_set()))
}

/// `/$count`: the number of rows as text.
pub(crate) fn count<'a>(
    organisation: &'a Organisation,
    context: &Context<'_>,
    table: &TableRef,
    options: &Options,
    rows: impl Iterator<Item = (Uuid, &'a Row)>,
) -> Result<ApiResponse, ODataError> {
    refuse_tracking(context, options)?;
    let query = Query::parse(options, context, table)?;
    let count = query.run(organisation, rows).len().min(LIMIT);
    let body = Some(Content::Text("text/plain", count.to_string()));
    Ok(ApiResponse { status: 200, body, ..ApiResponse::default() })
}

/// Rejects conditions on a set, whose effect is not known.
pub(crate) fn refuse_conditions(context: &Context<'_>) -> Result<(), ODataError> {
    for condition in ["if-match", "if-none-match"] {
        if context.request.header(condition)?.is_some_and(|value| value != "null") {
            return Err(ODataError::NotEmulated(format!("{condition} on a set")));
        }
    }
    Ok(())
}

/// Rejects change tracking of anything but a set.
pub(crate) fn refuse_tracking(context: &Context<'_>, options: &Options) -> Result<(), ODataError> {
    if context.preferences.track_changes || options.delta_token.is_some() {
        return Err(ODataError::NotEmulated("change tracking here".to_owned()));
    }
    Ok(())
}

/// Adds `Preference-Applied`.
pub(crate) fn applied(response: ApiResponse, applied: Option<String>) -> ApiResponse {
    match applied {
        Some(applied) => response.with_header("preference-applied", applied),
        None => response,
    }
}

impl Start {
    /// Parses a token made by [`Start::link`].
    pub(super) fn parse(token: &str, length: usize) -> Result<Self, ODataError> {
        let attribute = |name: &str| Some(token.split_once(&format!("{name}=\""))?.1.split_once('"')?.0);
        let read = || {
            let page = attribute("pagenumber")?.parse().ok()?;
            let after: Vec<Value> = serde_json::from_str(&decode(attribute("pagingcookie")?).ok()?).ok()?;
            (after.len() == length).then_some(Self { page, after })
        };
        read().ok_or_else(|| ODataError::NotEmulated("a $skiptoken that it has not issued for this query".to_owned()))
    }

    /// Whether a token belongs to a response that tracks changes.
    pub(super) fn tracks(token: &str) -> bool {
        token.contains("istracking=\"True\"")
    }

    /// URL of the page that starts here: the original query, and a token in the form of Dataverse's.
    pub(super) fn link(&self, context: &Context<'_>, path: &str, tracks: bool) -> String {
        let cookie = utf8_percent_encode(&json!(self.after).to_string(), NON_ALPHANUMERIC).to_string();
        let tracks = if tracks { "True" } else { "False" };
        let token =
            format!("<cookie pagenumber=\"{}\" pagingcookie=\"{cookie}\" istracking=\"{tracks}\" />", self.page);
        with_option(context, path, "$skiptoken", &token)
    }
}

/// The URL of the request with one query option replaced, and for the first page.
pub(crate) fn with_option(context: &Context<'_>, path: &str, name: &str, value: &str) -> String {
    let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
    let query = context.request.query.as_deref().unwrap_or_default();
    let is_same = |option: &str| {
        decode(option.split('=').next().unwrap_or_default()).is_ok_and(|found| found == name || found == "$skiptoken")
    };
    let kept = query.split('&').filter(|option| !option.is_empty() && !is_same(option));
    let options: Vec<_> = kept.map(str::to_owned).chain([format!("{name}={value}")]).collect();
    format!("{}/{path}?{}", context.root, options.join("&"))
}
