//! Reads a query from XML, and resolves its names.

use std::collections::HashSet;

use roxmltree::{Document, Node};

use super::{
    aggregate::{self, Aggregate},
    condition::Filter,
    xml::{invalid, is_true, not_emulated, required},
};
use crate::{
    api::{
        context::{Asked, Context},
        query::{
            operand::Type,
            predicate::{Predicate, Problem},
        },
    },
    definitions::{
        Definitions, TableRef,
        table::{Column, Table},
    },
    error::ODataError,
};

/// Deepest nesting of elements, and most tables in a query. The documentation allows 15 joins.
const MAX_DEPTH: usize = 20;
const MAX_TABLES: usize = 16;

/// A query. Its tables are numbered: 0 is the root, and each joined one comes after the one that it is joined to.
pub(super) struct Query {
    pub(super) sources: Vec<Source>,
    pub(super) orders: Vec<Order>,
    pub(super) top: Option<usize>,
    pub(super) count: Option<usize>,
    pub(super) page: usize,
    pub(super) is_distinct: bool,
    pub(super) counts_all: bool,
    /// Set for a query of aggregates.
    pub(super) aggregates: Option<Vec<Aggregate>>,
}

/// One table of a query.
pub(super) struct Source {
    pub(super) table: TableRef,
    pub(super) alias: String,
    pub(super) attributes: Vec<Attribute>,
    pub(super) filter: Option<Filter>,
    pub(super) join: Option<Join>,
    /// Its many-to-many relationship, if its rows are pairs.
    pub(super) relationship: Option<String>,
}

pub(super) struct Join {
    /// Number of the table that it is joined to.
    pub(super) parent: usize,
    /// Columns of this table and of the parent, which must be equal.
    pub(super) from: Column,
    pub(super) to: Column,
    pub(super) is_outer: bool,
}

pub(super) struct Attribute {
    pub(super) column: Column,
    pub(super) alias: Option<String>,
}

pub(super) struct Order {
    pub(super) by: OrderBy,
    pub(super) descends: bool,
}

pub(super) enum OrderBy {
    Column(usize, Box<Column>),
    /// The alias of an aggregate.
    Alias(String),
}

pub(super) fn parse(text: &str, context: &Context<'_>, set: &TableRef) -> Result<Query, ODataError> {
    let document = Document::parse(text).map_err(|error| invalid(&error.to_string()))?;
    if document.descendants().any(|node| node.ancestors().take(MAX_DEPTH + 2).count() > MAX_DEPTH + 1) {
        return Err(not_emulated(&format!("elements nested more than {MAX_DEPTH} times")));
    }
    let fetch = document.root_element();
    if !fetch.has_tag_name("fetch") {
        return Err(invalid("The root element is not 'fetch'."));
    }
    let number = |name: &str| match fetch.attribute(name) {
        None => Ok(None),
        Some(text) => text.parse::<usize>().map(Some).map_err(|_| invalid(&format!("'{name}' is not a number."))),
    };
    for attribute in fetch.attributes() {
        let known = [
            "aggregate",
            "count",
            "distinct",
            "mapping",
            "no-lock",
            "output-format",
            "page",
            "paging-cookie",
            "returntotalrecordcount",
            "top",
            "version",
            "latematerialize",
            "aggregatelimit",
            "options",
            "useraworderby",
        ];
        if !known.contains(&attribute.name()) {
            return Err(not_emulated(&format!("the attribute '{}' of 'fetch'", attribute.name())));
        }
    }
    let entity = only_child(fetch, "entity")?;
    let definitions = &context.definitions;
    let mut reader =
        Reader { definitions, asked: context.asked(), sources: Vec::new(), orders: Vec::new(), aggregates: None };
    if is_true(fetch, "aggregate") {
        reader.aggregates = Some(Vec::new());
    }
    let name = required(entity, "name")?;
    if name != set.logical_name {
        return Err(invalid(&format!("The entity '{name}' is not that of the set '{}'.", set.set)));
    }
    reader.source(entity, set.clone(), set.logical_name.clone(), None)?;
    reader.contents(entity, 0)?;
    let Reader { sources, orders, aggregates, .. } = reader;
    let (top, count, page) = (number("top")?, number("count")?, number("page")?);
    if top.is_some() && (count.is_some() || page.is_some()) {
        return Err(invalid("'top' cannot be used with 'count' or 'page'."));
    }
    if matches!(page, Some(0)) || matches!(count, Some(0)) {
        return Err(invalid("'page' and 'count' begin at 1."));
    }
    Ok(Query {
        sources,
        orders,
        top,
        count,
        page: page.unwrap_or(1),
        is_distinct: is_true(fetch, "distinct"),
        counts_all: is_true(fetch, "returntotalrecordcount"),
        aggregates,
    })
}

struct Reader<'a> {
    definitions: &'a Definitions,
    asked: Asked,
    sources: Vec<Source>,
    orders: Vec<Order>,
    aggregates: Option<Vec<Aggregate>>,
}

impl Reader<'_> {
    /// Adds a table. Without any attribute it has all columns if it is the root, and none if it is joined.
    fn source(
        &mut self,
        node: Node<'_, '_>,
        table: TableRef,
        alias: String,
        join: Option<Join>,
    ) -> Result<(), ODataError> {
        if self.sources.len() == MAX_TABLES {
            return Err(not_emulated(&format!("more than {MAX_TABLES} tables")));
        }
        let has_all = has_child(node, "all-attributes") || join.is_none() && !has_child(node, "attribute");
        let attributes = if has_all && self.aggregates.is_none() {
            let read = table.columns.iter().filter(|column| column.read);
            read.map(|column| Attribute { column: column.clone(), alias: None }).collect()
        } else {
            Vec::new()
        };
        self.sources.push(Source { table, alias, attributes, filter: None, join, relationship: None });
        Ok(())
    }

    fn contents(&mut self, node: Node<'_, '_>, source: usize) -> Result<(), ODataError> {
        let table = self.sources[source].table.clone();
        for child in node.children().filter(Node::is_element) {
            match child.tag_name().name() {
                "all-attributes" => {}
                "attribute" => self.attribute(child, source, &table)?,
                "order" => self.order(child, source, &table)?,
                "filter" => {
                    let filter = self.filter(child, source)?;
                    let place = &mut self.sources[source].filter;
                    *place = Some(match place.take() {
                        None => filter,
                        Some(other) => Filter::And(vec![other, filter]),
                    });
                }
                "link-entity" => self.link(child, source, &table)?,
                other => return Err(not_emulated(&format!("the element '{other}'"))),
            }
        }
        Ok(())
    }

    fn attribute(&mut self, node: Node<'_, '_>, source: usize, table: &TableRef) -> Result<(), ODataError> {
        let column = column(table, required(node, "name")?)?;
        let alias = node.attribute("alias").map(str::to_owned);
        if let Some(aggregates) = &mut self.aggregates {
            aggregates.push(aggregate::read(node, source, column, alias)?);
            return Ok(());
        }
        if node.has_attribute("aggregate") || node.has_attribute("groupby") {
            return Err(invalid("An aggregate needs aggregate='true' in 'fetch'."));
        }
        self.sources[source].attributes.push(Attribute { column, alias });
        Ok(())
    }

    fn order(&mut self, node: Node<'_, '_>, source: usize, table: &TableRef) -> Result<(), ODataError> {
        let by = match (node.attribute("attribute"), node.attribute("alias")) {
            (Some(name), _) => match node.attribute("entityname") {
                Some(alias) => {
                    let source = self.named(alias)?;
                    OrderBy::Column(source, Box::new(column(&self.sources[source].table, name)?))
                }
                None => OrderBy::Column(source, Box::new(column(table, name)?)),
            },
            (None, Some(alias)) => OrderBy::Alias(alias.to_owned()),
            (None, None) => return Err(invalid("An 'order' has neither 'attribute' nor 'alias'.")),
        };
        self.orders.push(Order { by, descends: is_true(node, "descending") });
        Ok(())
    }

    fn link(&mut self, node: Node<'_, '_>, parent: usize, parent_table: &TableRef) -> Result<(), ODataError> {
        let name = required(node, "name")?;
        let (relationship, table) = match self.definitions.by_logical_name(name) {
            Some(table) => (None, table.clone()),
            None => match self.definitions.intersect(name) {
                Some((relationship, table)) => (Some(relationship.name.clone()), table),
                None => return Err(not_emulated(&format!("a join with '{name}', a table it does not have"))),
            },
        };
        // The documentation lets both default to the primary keys. A guess.
        let from = column(&table, node.attribute("from").unwrap_or(&table.key))?;
        let to = column(parent_table, node.attribute("to").unwrap_or(&parent_table.key))?;
        let is_outer = match node.attribute("link-type").unwrap_or("inner") {
            "inner" => false,
            "outer" => true,
            other => return Err(not_emulated(&format!("the link-type '{other}'"))),
        };
        let number = self.sources.len();
        let alias = node.attribute("alias").map_or_else(|| format!("{name}{number}"), str::to_owned);
        if self.sources.iter().any(|source| source.alias == alias) {
            return Err(invalid(&format!("The alias '{alias}' is used twice.")));
        }
        self.source(node, table, alias, Some(Join { parent, from, to, is_outer }))?;
        self.sources[number].relationship = relationship;
        self.contents(node, number)
    }

    fn filter(&mut self, node: Node<'_, '_>, source: usize) -> Result<Filter, ODataError> {
        let mut parts = Vec::new();
        for child in node.children().filter(Node::is_element) {
            match child.tag_name().name() {
                "condition" => parts.push(self.condition(child, source)?),
                "filter" => parts.push(self.filter(child, source)?),
                other => return Err(not_emulated(&format!("the element '{other}' in a filter"))),
            }
        }
        match node.attribute("type").unwrap_or("and") {
            "and" => Ok(Filter::And(parts)),
            // An empty filter accepts everything.
            "or" if parts.is_empty() => Ok(Filter::And(parts)),
            "or" => Ok(Filter::Or(parts)),
            other => Err(invalid(&format!("'{other}' is no type of filter."))),
        }
    }

    fn condition(&mut self, node: Node<'_, '_>, source: usize) -> Result<Filter, ODataError> {
        let source = node.attribute("entityname").map_or(Ok(source), |alias| self.named(alias))?;
        let column = column(&self.sources[source].table, required(node, "attribute")?)?;
        let values = node.children().filter(|child| child.has_tag_name("value"));
        let values: Vec<_> = match node.attribute("value") {
            Some(value) => vec![value.to_owned()],
            None => values.map(|child| child.text().unwrap_or_default().to_owned()).collect(),
        };
        if node.has_attribute("valueof") {
            return Err(not_emulated("a comparison of two columns"));
        }
        let of = (column.name.as_str(), Type::of(&column.kind));
        let is = Predicate::read(required(node, "operator")?, of, &values, self.asked);
        let is = is.map_err(|problem| match problem {
            Problem::Invalid(detail) => invalid(&detail),
            Problem::NotEmulated(what) => not_emulated(&what),
        })?;
        Ok(Filter::Condition { source, column: Box::new(column), is })
    }

    /// The number of the table with this alias.
    fn named(&self, alias: &str) -> Result<usize, ODataError> {
        let found = self.sources.iter().position(|source| source.alias == alias);
        found.ok_or_else(|| invalid(&format!("There is no link-entity with the alias '{alias}' before it is used.")))
    }
}

impl Query {
    /// The tables that the filter of a table uses.
    pub(super) fn used_by_filter(&self, source: usize) -> HashSet<usize> {
        let mut used = HashSet::new();
        if let Some(filter) = &self.sources[source].filter {
            filter.uses(&mut used);
        }
        used
    }
}

pub(super) fn column(table: &TableRef, name: &str) -> Result<Column, ODataError> {
    let found = Table::column(table, name).cloned();
    if found.is_none() && table.set.is_empty() {
        return Err(not_emulated(&format!("'{name}' of the intersect table '{}'", table.logical_name)));
    }
    found.ok_or_else(|| ODataError::AttributeNotFound { table: table.clone(), name: name.to_owned() })
}

fn only_child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Result<Node<'a, 'i>, ODataError> {
    let mut children = node.children().filter(Node::is_element);
    match (children.next(), children.next()) {
        (Some(child), None) if child.has_tag_name(name) => Ok(child),
        _ => Err(invalid(&format!("'{}' must have one '{name}'.", node.tag_name().name()))),
    }
}

fn has_child(node: Node<'_, '_>, name: &str) -> bool {
    node.children().any(|child| child.has_tag_name(name))
}
