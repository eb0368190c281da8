//! Finds and sorts rows.

use std::cmp::Ordering;

use serde_json::Value;
use uuid::Uuid;

use super::{
    filter::Filter,
    operand::{Operand, compare},
    parser,
};
use crate::{
    api::{context::Context, options::Options},
    definitions::{Definitions, TableRef},
    error::ODataError,
    organisation::{Organisation, Row},
};

/// Most rows of a page, highest result of `$count`, and highest `$top` with known behaviour.
pub(crate) const LIMIT: usize = 5000;

/// The conditions and the order of rows.
#[derive(Debug, Default)]
pub(crate) struct Query {
    filter: Option<Filter>,
    orders: Vec<Order>,
    pub(crate) top: Option<usize>,
}

#[derive(Debug)]
struct Order {
    operand: Operand,
    descends: bool,
}

/// A row with its sort key. The id is its last part, so that no two keys are equal. Guess: without `$orderby` rows are sorted by id, with
/// one the older of two equal rows comes first.
pub(crate) struct Found<'a> {
    pub(crate) id: Uuid,
    pub(crate) row: &'a Row,
    /// Its sort key.
    pub(crate) by: Vec<Value>,
}

impl Query {
    pub(crate) fn parse(options: &Options, context: &Context<'_>, table: &TableRef) -> Result<Self, ODataError> {
        let filter = options.filter.as_deref();
        let filter = filter.map(|text| parser::parse(text, &options.aliases, context, table)).transpose()?;
        let orders = options.order_by.as_deref().map(|text| orders(text, &context.definitions, table)).transpose()?;
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
                let age = (!self.orders.is_empty()).then(|| row.created().into());
                Found { id, row, by: values.chain(age).chain([id.to_string().into()]).collect() }
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

    /// Whether a sort key comes before another one.
    pub(crate) fn precedes(&self, one: &[Value], other: &[Value]) -> bool {
        precedence(&self.orders, one, other).is_lt()
    }

    /// Number of values in a sort key.
    pub(crate) fn key_length(&self) -> usize {
        self.orders.len() + 1 + usize::from(!self.orders.is_empty())
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
