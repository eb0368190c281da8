//! Runs a query and writes its rows.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    aggregate,
    joined::{Joined, raw},
    pairs,
    parse::{self, Order, OrderBy, Query, Source},
    xml::not_emulated,
};
use crate::{
    api::{
        context::Context,
        list::{applied, refuse_conditions, refuse_tracking},
        options::Options,
        query::{LIMIT, operand::compare},
        render::{self, FORMATTED, LOOKUP_NAME},
        shape::Shape,
    },
    definitions::{TableRef, table::Column},
    error::ODataError,
    message::ApiResponse,
    organisation::{Organisation, Row},
};

/// Most rows of a join. More would not fit the time of a request in Dataverse either.
const MAX_ROWS: usize = 100_000;

const COOKIE: &str = "Microsoft.Dynamics.CRM.fetchxmlpagingcookie";
const MORE: &str = "Microsoft.Dynamics.CRM.morerecords";
const TOTAL: &str = "Microsoft.Dynamics.CRM.totalrecordcount";

pub(in crate::api) fn get(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    options: &Options,
) -> Result<ApiResponse, ODataError> {
    let Options { select: None, expand: None, filter: None, order_by: None, top: None, fetch_xml: Some(text), .. } =
        options
    else {
        return Err(ODataError::NotEmulated("FetchXML together with other query options".to_owned()));
    };
    refuse_conditions(context)?;
    refuse_tracking(context, options)?;
    let query = parse::parse(text, context, table)?;
    let pairs = pairs::rows(organisation, &query);
    let mut joined = join(organisation, &query, &pairs)?;
    let annotations = &context.preferences.annotations;
    let mut body = Map::new();
    let (rows, more) = if let Some(aggregates) = &query.aggregates {
        let mut rows = aggregate::run(aggregates, &joined);
        rows.sort_by(|one, other| {
            precedence(&query.orders, |by| match by {
                OrderBy::Alias(alias) => Some((one.get(alias)?.clone(), other.get(alias)?.clone())),
                OrderBy::Column(..) => None,
            })
        });
        (rows, false)
    } else {
        if query.orders.iter().any(|order| matches!(order.by, OrderBy::Alias(_))) {
            return Err(not_emulated("an order by alias"));
        }
        sort(organisation, &query, &mut joined);
        let write = |joined: &Joined<'_>| write(organisation, context, &query, joined);
        let size = query.top.or(query.count).unwrap_or(LIMIT).min(LIMIT);
        let skipped = (query.page - 1).saturating_mul(size);
        let (rows, total): (Vec<_>, _) = if query.is_distinct {
            let mut seen = HashSet::new();
            let mut rows: Vec<_> = joined.iter().map(write).collect();
            rows.retain(|row| seen.insert(Value::Object(row.clone()).to_string()));
            let total = rows.len();
            (rows.into_iter().skip(skipped).take(size).collect(), total)
        } else {
            (joined.iter().skip(skipped).take(size).map(write).collect(), joined.len())
        };
        let more = query.top.is_none() && query.page.saturating_mul(size) < total;
        if query.counts_all && annotations.include(TOTAL) {
            body.insert(format!("@{TOTAL}"), total.min(LIMIT).into());
            body.insert(format!("@{TOTAL}limitexceeded"), (total > LIMIT).into());
        }
        (rows, more)
    };
    let of = format!("{}/$metadata#{}", context.root, table.set);
    let mut response = Map::from_iter([("@odata.context".to_owned(), of.into())]);
    response.extend(body);
    if more {
        if annotations.include(COOKIE) {
            let (first, last) = (&rows[0], &rows[rows.len() - 1]);
            response.insert(format!("@{COOKIE}"), cookie(table, query.page, first, last).into());
        }
        if annotations.include(MORE) {
            response.insert(format!("@{MORE}"), true.into());
        }
    }
    response.insert("value".to_owned(), rows.into_iter().map(Value::Object).collect());
    Ok(applied(ApiResponse::json(200, response.into()), context.preferences.applied_to_set()))
}

/// The combinations of rows that the joins and filters accept.
fn join<'a>(
    organisation: &'a Organisation,
    query: &Query,
    pairs: &'a [Vec<(Uuid, Row)>],
) -> Result<Vec<Joined<'a>>, ODataError> {
    let mut joined: Vec<Joined<'a>> = Vec::new();
    for (number, source) in query.sources.iter().enumerate() {
        let rows = organisation.rows(&source.table.logical_name);
        let pairs = pairs[number].iter().map(|(id, row)| (*id, row));
        joined = if source.join.is_none() {
            rows.map(|row| Joined(vec![Some(row)])).collect()
        } else {
            join_one(source, rows.chain(pairs), joined)?
        };
        // A filter is applied as soon as the rows that it uses are there. One of an outer join was applied with it.
        let is_outer = source.join.as_ref().is_some_and(|join| join.is_outer);
        for (other, earlier) in query.sources.iter().enumerate().take(number + 1) {
            let is_ready = query.used_by_filter(other).into_iter().max().unwrap_or(other).max(other) == number;
            if let Some(filter) = earlier.filter.as_ref().filter(|_| is_ready && !(is_outer && other == number)) {
                joined.retain(|joined| filter.accepts(joined));
            }
        }
    }
    Ok(joined)
}

fn join_one<'a>(
    source: &Source,
    rows: impl Iterator<Item = (Uuid, &'a Row)>,
    joined: Vec<Joined<'a>>,
) -> Result<Vec<Joined<'a>>, ODataError> {
    let Some(join) = &source.join else { return Ok(joined) };
    let key = |value: &Value| (!value.is_null()).then(|| value.to_string().to_lowercase());
    let mut by_value: HashMap<String, Vec<(Uuid, &Row)>> = HashMap::new();
    for (id, row) in rows {
        if let Some(key) = key(&raw(id, row, &join.from)) {
            by_value.entry(key).or_default().push((id, row));
        }
    }
    let mut result = Vec::new();
    for one in joined {
        let matching = key(&one.raw(join.parent, &join.to)).and_then(|key| by_value.get(&key));
        let before = result.len();
        for row in matching.into_iter().flatten() {
            let mut next = one.clone();
            next.0.push(Some(*row));
            if !join.is_outer || source.filter.as_ref().is_none_or(|filter| filter.accepts(&next)) {
                result.push(next);
            }
        }
        if join.is_outer && result.len() == before {
            let mut next = one;
            next.0.push(None);
            result.push(next);
        }
        if result.len() > MAX_ROWS {
            return Err(not_emulated(&format!("a join with more than {MAX_ROWS} rows")));
        }
    }
    Ok(result)
}

fn sort(organisation: &Organisation, query: &Query, joined: &mut [Joined<'_>]) {
    let value = |joined: &Joined<'_>, by: &OrderBy| match by {
        OrderBy::Alias(_) => Value::Null,
        OrderBy::Column(source, column) if column.is_lookup() => {
            let row = joined.0.get(*source).copied().flatten();
            let name = row.and_then(|(_, row)| organisation.name_of(row.lookup(&column.name)?));
            name.map(|name| name.to_lowercase()).into()
        }
        OrderBy::Column(source, column) => joined.value(*source, column),
    };
    joined.sort_by(|one, other| precedence(&query.orders, |by| Some((value(one, by), value(other, by)))));
}

fn precedence(orders: &[Order], values: impl Fn(&OrderBy) -> Option<(Value, Value)>) -> Ordering {
    let compared = orders.iter().filter_map(|order| {
        let (one, other) = values(&order.by)?;
        Some(if order.descends { compare(&other, &one) } else { compare(&one, &other) })
    });
    compared.into_iter().find(|found| found.is_ne()).unwrap_or(Ordering::Equal)
}

/// The row as a response shows it: the columns of the root under their names, those of joined tables after their alias. Empty columns of
/// joined tables are left out.
fn write(organisation: &Organisation, context: &Context<'_>, query: &Query, joined: &Joined<'_>) -> Map<String, Value> {
    let root = &query.sources[0];
    let mut written = Map::new();
    if let Some((id, row)) = joined.0[0] {
        let plain = root.attributes.iter().filter(|attribute| attribute.alias.is_none());
        let names = plain.map(|attribute| attribute.column.read_name.clone()).collect();
        let shape = Shape { select: Some(names), expand: Vec::new() };
        written = render::row(organisation, context, &root.table, id, row, &shape);
        if query.is_distinct {
            // The key would make every row different.
            let is_asked = root.attributes.iter().any(|attribute| attribute.column.name == root.table.key);
            if !is_asked {
                written.shift_remove(&root.table.key);
                written.shift_remove("@odata.etag");
            }
        }
    }
    for (number, source) in query.sources.iter().enumerate() {
        for attribute in &source.attributes {
            let name = match &attribute.alias {
                Some(alias) => alias.clone(),
                None if number == 0 => continue,
                None => format!("{}.{}", source.alias, attribute.column.name),
            };
            let Some((id, row)) = joined.0[number] else { continue };
            write_aliased(&mut written, organisation, context, &attribute.column, id, row, &name);
        }
    }
    written
}

fn write_aliased(
    written: &mut Map<String, Value>,
    organisation: &Organisation,
    context: &Context<'_>,
    column: &Column,
    id: Uuid,
    row: &Row,
    name: &str,
) {
    let value = raw(id, row, column);
    if value.is_null() {
        return;
    }
    let to = row.lookup(&column.name);
    let formatted = to.and_then(|to| organisation.name_of(to)).or_else(|| column.format(&value));
    for (annotation, value) in [(FORMATTED, formatted), (LOOKUP_NAME, to.map(|to| to.logical_name().to_owned()))] {
        if let Some(value) = value.filter(|_| context.preferences.annotations.include(annotation)) {
            written.insert(format!("{name}@{annotation}"), value.into());
        }
    }
    written.insert(name.to_owned(), value);
}

/// The cookie of the next page. Clients decode the inner one twice.
fn cookie(table: &TableRef, page: usize, first: &Map<String, Value>, last: &Map<String, Value>) -> String {
    let id = |row: &Map<String, Value>| row.get(&table.key).and_then(Value::as_str).unwrap_or_default().to_uppercase();
    let inner = format!(
        "<cookie page=\"{page}\"><{key} last=\"{{{}}}\" first=\"{{{}}}\" /></cookie>",
        id(last),
        id(first),
        key = table.key
    );
    let once = utf8_percent_encode(&inner, NON_ALPHANUMERIC).to_string();
    let twice = utf8_percent_encode(&once, NON_ALPHANUMERIC);
    format!("<cookie pagenumber=\"{}\" pagingcookie=\"{twice}\" istracking=\"False\" />", page + 1)
}
