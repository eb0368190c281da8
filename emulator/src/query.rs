//! `GET` of a set: filters, sorts and pages its rows.

use std::cmp::Ordering;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    address::{Options, decode},
    error::ODataError,
    organisation::{Organisation, Row},
    read,
    table::Table,
    web_api::{ApiResponse, Context},
};
use column::{Column, compare};
use filter::Filter;

pub(crate) use error::QueryError;

pub(crate) mod column;
mod error;
mod filter;
pub(crate) mod lexer;

/// Most rows of a page, highest result of `$count`, and highest `$top` with known behaviour.
const LIMIT: usize = 5000;

/// A row with its sort key. The id is its last part, so that no two keys are equal. Guess: rows are sorted by id last, and only by id
/// without `$orderby`.
struct Found<'a> {
    id: Uuid,
    row: &'a Row,
    by: Vec<Value>,
}

struct Order {
    column: Column,
    descends: bool,
}

/// The start of a page: its number, and the sort key of the row before it, which may be deleted by now.
struct Start {
    page: usize,
    after: Vec<Value>,
}

pub(crate) fn get(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &'static Table,
) -> Result<ApiResponse, ODataError> {
    read::check_select(organisation, context, table)?;
    for condition in ["if-match", "if-none-match"] {
        if context.request.header(condition)?.is_some_and(|value| value != "null") {
            return Err(ODataError::NotEmulated(format!("{condition} on a set")));
        }
    }
    let options = &context.options;
    let filter = options.filter.as_deref().map(|text| Filter::parse(text, organisation, table)).transpose()?;
    let orders = orders(options, organisation, table)?;
    let (top, counts) = (top(options)?, counts(options)?);
    if top.is_some() && counts {
        return Err(ODataError::NotEmulated("$top together with $count".to_owned()));
    }
    let start = options.skip_token.as_deref().map(|token| Start::parse(token, orders.len())).transpose()?;

    let mut found: Vec<_> = organisation
        .ids(table)
        .filter_map(|id| Some((id, organisation.row(table, id)?)))
        .filter(|(id, row)| filter.as_ref().is_none_or(|filter| filter.accepts(table, *id, row) == Some(true)))
        .map(|(id, row)| {
            let values = orders.iter().map(|order| order.column.sort_value(organisation, table, id, row));
            Found { id, row, by: values.chain([id.to_string().into()]).collect() }
        })
        .collect();
    found.sort_by(|one, other| precedence(&orders, &one.by, &other.by));
    let (total, exceeds) = (found.len().min(LIMIT), found.len() > LIMIT);
    if let Some(start) = &start {
        found.retain(|row| precedence(&orders, &row.by, &start.after).is_gt());
    }
    // `$top` is ignored with a page size, as documented.
    let size = context.preferences.page_size.or(top).unwrap_or(LIMIT).min(LIMIT);
    let has_more = found.len() > size && (top.is_none() || context.preferences.page_size.is_some());
    found.truncate(size);

    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), read::context_url(context, table).into());
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
        found.iter().map(|found| Value::Object(read::columns(organisation, context, table, found.id, found.row)));
    body.insert("value".to_owned(), rows.collect());
    if let Some(last) = found.last().filter(|_| has_more) {
        let next = Start { page: start.map_or(2, |start| start.page + 1), after: last.by.clone() };
        body.insert("@odata.nextLink".to_owned(), next.link(context, table).into());
    }
    let headers = context.preferences.applied_to_set().map(|applied| ("preference-applied".into(), applied));
    Ok(ApiResponse {
        status: 200,
        headers: headers.into_iter().collect(),
        body: Some(Value::Object(body).into()),
        ..ApiResponse::default()
    })
}

fn orders(options: &Options, organisation: &Organisation, table: &'static Table) -> Result<Vec<Order>, ODataError> {
    let Some(text) = &options.order_by else { return Ok(Vec::new()) };
    let order = |term: &str| {
        let mut words = term.split_whitespace();
        let name = words.next().ok_or(ODataError::QuerySyntax)?;
        let descends = match (words.next(), words.next()) {
            (None | Some("asc"), None) => false,
            (Some("desc"), None) => true,
            _ => return Err(ODataError::QuerySyntax),
        };
        if name.contains(['/', '(', '@']) {
            return Err(ODataError::NotEmulated(format!("'{name}' in $orderby")));
        }
        Ok(Order { column: Column::of(organisation, table, name)?, descends })
    };
    text.split(',').map(order).collect()
}

fn top(options: &Options) -> Result<Option<usize>, ODataError> {
    let Some(text) = &options.top else { return Ok(None) };
    match text.parse::<usize>().map_err(|_| ODataError::QuerySyntax)? {
        top @ 1..=LIMIT => Ok(Some(top)),
        other => Err(ODataError::NotEmulated(format!("$top={other}"))),
    }
}

fn counts(options: &Options) -> Result<bool, ODataError> {
    options.count.as_deref().map_or(Ok(false), |text| text.parse().map_err(|_| ODataError::QuerySyntax))
}

fn precedence(orders: &[Order], one: &[Value], other: &[Value]) -> Ordering {
    let values = one.iter().zip(other).enumerate();
    let compared = values.map(|(index, (one, other))| match orders.get(index) {
        Some(order) if order.descends => compare(other, one),
        _ => compare(one, other),
    });
    compared.into_iter().find(|found| found.is_ne()).unwrap_or(Ordering::Equal)
}

impl Start {
    /// Parses a token made by [`Start::link`].
    fn parse(token: &str, orders: usize) -> Result<Self, ODataError> {
        let attribute = |name: &str| Some(token.split_once(&format!("{name}=\""))?.1.split_once('"')?.0);
        let read = || {
            let page = attribute("pagenumber")?.parse().ok()?;
            let after: Vec<Value> = serde_json::from_str(&decode(attribute("pagingcookie")?).ok()?).ok()?;
            (after.len() == orders + 1).then_some(Self { page, after })
        };
        read().ok_or_else(|| ODataError::NotEmulated("a $skiptoken that it has not issued for this query".to_owned()))
    }

    /// URL of the page that starts here: the original query, and a token in the form of Dataverse's.
    fn link(&self, context: &Context<'_>, table: &Table) -> String {
        let cookie = utf8_percent_encode(&json!(self.after).to_string(), NON_ALPHANUMERIC).to_string();
        let token = format!("<cookie pagenumber=\"{}\" pagingcookie=\"{cookie}\" istracking=\"False\" />", self.page);
        let token = utf8_percent_encode(&token, NON_ALPHANUMERIC);
        let query = context.request.query.as_deref().unwrap_or_default();
        let kept = query.split('&').filter(|option| !option.is_empty() && !is_skip_token(option));
        let options: Vec<_> = kept.map(str::to_owned).chain([format!("$skiptoken={token}")]).collect();
        format!("{}/{}?{}", context.root, table.set, options.join("&"))
    }
}

fn is_skip_token(option: &str) -> bool {
    decode(option.split('=').next().unwrap_or_default()).is_ok_and(|name| name == "$skiptoken")
}
