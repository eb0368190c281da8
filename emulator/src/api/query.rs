//! `GET` of a set or a collection: filters, sorts and pages its rows.

use std::cmp::Ordering;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{context::Context, options::Options, render, shape::Shape};
use crate::{
    definitions::{Definitions, TableRef},
    error::ODataError,
    message::{ApiResponse, Content, decode},
    organisation::{Organisation, Row},
};
use filter::Filter;
use operand::{Operand, compare};

pub(crate) mod filter;
pub(crate) mod lexer;
pub(crate) mod operand;

/// Most rows of a page, highest result of `$count`, and highest `$top` with known behaviour.
pub(crate) const LIMIT: usize = 5000;

/// The conditions and the order of rows.
#[derive(Debug, Default)]
pub(crate) struct Query {
    filter: Option<Filter>,
    orders: Vec<Order>,
    top: Option<usize>,
}

#[derive(Debug)]
struct Order {
    operand: Operand,
    descends: bool,
}

/// A row with its sort key. The id is its last part, so that no two keys are equal. Guess: rows are sorted by id last, and only by id
/// without `$orderby`.
pub(crate) struct Found<'a> {
    pub(crate) id: Uuid,
    pub(crate) row: &'a Row,
    by: Vec<Value>,
}

/// The start of a page: its number, and the sort key of the row before it, which may be deleted by now.
struct Start {
    page: usize,
    after: Vec<Value>,
}

impl Query {
    pub(crate) fn parse(options: &Options, definitions: &Definitions, table: &TableRef) -> Result<Self, ODataError> {
        let filter = options.filter.as_deref().map(|text| Filter::parse(text, definitions, table)).transpose()?;
        let orders = options.order_by.as_deref().map(|text| orders(text, definitions, table)).transpose()?;
        Ok(Self { filter, orders: orders.unwrap_or_default(), top: top(options)? })
    }

    /// The rows that match, in order. `$top` is not applied.
    pub(crate) fn run<'a>(
        &self,
        organisation: &'a Organisation,
        rows: impl Iterator<Item = (Uuid, &'a Row)>,
    ) -> Vec<Found<'a>> {
        let accepts =
            |id, row| self.filter.as_ref().is_none_or(|filter| filter.accepts(organisation, id, row) == Some(true));
        let mut found: Vec<_> = rows
            .filter(|(id, row)| accepts(*id, row))
            .map(|(id, row)| {
                let values = self.orders.iter().map(|order| order.operand.sort_value(organisation, id, row));
                Found { id, row, by: values.chain([id.to_string().into()]).collect() }
            })
            .collect();
        found.sort_by(|one, other| precedence(&self.orders, &one.by, &other.by));
        found
    }

    /// The same, at most `$top`.
    pub(crate) fn first<'a>(
        &self,
        organisation: &'a Organisation,
        rows: impl Iterator<Item = (Uuid, &'a Row)>,
    ) -> Vec<Found<'a>> {
        let mut found = self.run(organisation, rows);
        found.truncate(self.top.unwrap_or(LIMIT));
        found
    }
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
    let query = Query::parse(options, &context.definitions, table)?;
    let counts =
        options.count.as_deref().map_or(Ok(false), |text| text.parse().map_err(|_| ODataError::QuerySyntax))?;
    if query.top.is_some() && counts {
        return Err(ODataError::NotEmulated("$top together with $count".to_owned()));
    }
    let start = options.skip_token.as_deref().map(|token| Start::parse(token, query.orders.len())).transpose()?;

    let mut found = query.run(organisation, rows);
    let (total, exceeds) = (found.len().min(LIMIT), found.len() > LIMIT);
    if let Some(start) = &start {
        found.retain(|row| precedence(&query.orders, &row.by, &start.after).is_gt());
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
        body.insert("@odata.nextLink".to_owned(), next.link(context, path).into());
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
    let query = Query::parse(options, &context.definitions, table)?;
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

/// Adds `Preference-Applied`.
pub(crate) fn applied(response: ApiResponse, applied: Option<String>) -> ApiResponse {
    match applied {
        Some(applied) => response.with_header("preference-applied", applied),
        None => response,
    }
}

fn orders(text: &str, definitions: &Definitions, table: &TableRef) -> Result<Vec<Order>, ODataError> {
    let order = |term: &str| {
        let mut words = term.split_whitespace();
        let name = words.next().ok_or(ODataError::QuerySyntax)?;
        let descends = match (words.next(), words.next()) {
            (None | Some("asc"), None) => false,
            (Some("desc"), None) => true,
            _ => return Err(ODataError::QuerySyntax),
        };
        if name.contains(['(', '@']) {
            return Err(ODataError::NotEmulated(format!("'{name}' in $orderby")));
        }
        Ok(Order { operand: Operand::of(definitions, table, name)?, descends })
    };
    let terms: Vec<_> = text.split(',').map(order).collect::<Result<_, _>>()?;
    Ok(terms)
}

fn top(options: &Options) -> Result<Option<usize>, ODataError> {
    let Some(text) = &options.top else { return Ok(None) };
    match text.parse::<usize>().map_err(|_| ODataError::QuerySyntax)? {
        top @ 1..=LIMIT => Ok(Some(top)),
        other => Err(ODataError::NotEmulated(format!("$top={other}"))),
    }
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
    fn link(&self, context: &Context<'_>, path: &str) -> String {
        let cookie = utf8_percent_encode(&json!(self.after).to_string(), NON_ALPHANUMERIC).to_string();
        let token = format!("<cookie pagenumber=\"{}\" pagingcookie=\"{cookie}\" istracking=\"False\" />", self.page);
        with_option(context, path, "$skiptoken", &token)
    }
}

/// The URL of the request with one query option replaced.
pub(crate) fn with_option(context: &Context<'_>, path: &str, name: &str, value: &str) -> String {
    let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
    let query = context.request.query.as_deref().unwrap_or_default();
    let is_same = |option: &str| decode(option.split('=').next().unwrap_or_default()).is_ok_and(|found| found == name);
    let kept = query.split('&').filter(|option| !option.is_empty() && !is_same(option));
    let options: Vec<_> = kept.map(str::to_owned).chain([format!("{name}={value}")]).collect();
    format!("{}/{path}?{}", context.root, options.join("&"))
}
