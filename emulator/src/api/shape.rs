//! The columns and related rows that a response shows: `$select` and `$expand`.

use std::sync::Arc;

use super::{
    context::Context,
    options::{Options, split_outside},
    query::Query,
};
use crate::{
    definitions::{
        TableRef,
        table::{Collection, Navigation},
    },
    error::ODataError,
};

/// Deepest nesting of `$expand`.
const MAX_DEPTH: usize = 5;

/// Most properties in `$expand`, as documented.
const MAX_EXPANDED: usize = 15;

/// The selected columns and the expanded properties of rows.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    /// Names in rows. `None`: all.
    pub(crate) select: Option<Vec<String>>,
    pub(crate) expand: Vec<Expand>,
}

/// An expanded navigation property.
#[derive(Debug)]
pub(crate) struct Expand {
    pub(crate) name: String,
    pub(crate) of: Expanded,
    pub(crate) shape: Shape,
}

#[derive(Debug)]
pub(crate) enum Expanded {
    /// The row of this table to which a lookup points.
    One(Navigation, TableRef),
    /// Rows of this table.
    Many(Collection, TableRef, Box<Query>),
}

impl Shape {
    /// Parses `$select` and `$expand`. A lookup is selected by its read name only.
    pub(crate) fn parse(options: &Options, context: &Context<'_>, table: &TableRef) -> Result<Self, ODataError> {
        Self::parse_at(options, context, table, 0)
    }

    fn parse_at(options: &Options, context: &Context<'_>, table: &TableRef, depth: usize) -> Result<Self, ODataError> {
        let mut shape = Self::default();
        if let Some(text) = &options.select {
            let names: Vec<_> = text.split(',').map(|name| name.trim().to_owned()).collect();
            if names.iter().any(String::is_empty) {
                return Err(ODataError::NotEmulated("$select with an empty name".to_owned()));
            }
            let unknown = |name: &&String| table.column_read_as(name).is_none() && *name != "*";
            if let Some(name) = names.iter().find(unknown) {
                return Err(ODataError::PropertyNotFound { table: Arc::clone(table), name: name.clone() });
            }
            if !names.iter().any(|name| name == "*") {
                shape.select = Some(names);
            }
        }
        if let Some(text) = &options.expand {
            if depth == MAX_DEPTH {
                return Err(ODataError::NotEmulated(format!("$expand nested more than {MAX_DEPTH} times")));
            }
            let terms = split_outside(text, ',');
            if terms.is_empty() {
                return Err(ODataError::QuerySyntax);
            }
            if terms.len() > MAX_EXPANDED {
                return Err(ODataError::NotEmulated(format!("more than {MAX_EXPANDED} properties in $expand")));
            }
            for term in terms {
                shape.expand.push(Expand::parse(term, context, table, depth)?);
            }
        }
        Ok(shape)
    }

    /// The context URL of rows with this shape. `of` is the path of their set.
    pub(crate) fn context_url(&self, context: &Context<'_>, of: &str) -> String {
        format!("{}/$metadata#{of}{}", context.root, self.list())
    }

    /// The selected columns in parentheses, or nothing.
    fn list(&self) -> String {
        let expanded = self.expand.iter().map(|expand| {
            let inner = expand.shape.list();
            format!("{}{}", expand.name, if inner.is_empty() { "()" } else { &inner })
        });
        let names: Vec<_> = self.select.iter().flatten().cloned().chain(expanded).collect();
        if names.is_empty() { String::new() } else { format!("({})", names.join(",")) }
    }
}

impl Expand {
    /// `name` or `name($select=…;$expand=…)`
    fn parse(term: &str, context: &Context<'_>, table: &TableRef, depth: usize) -> Result<Self, ODataError> {
        let (name, options) = match term.split_once('(') {
            Some((name, rest)) => (name.trim(), rest.strip_suffix(')').ok_or(ODataError::QuerySyntax)?),
            None => (term, ""),
        };
        let options = Options::parse_expanded(options)?;
        if name.ends_with("/$ref") || name == "*" {
            return Err(ODataError::NotEmulated(format!("'{name}' in $expand")));
        }
        let target = |logical_name: &str| {
            let found = context.definitions.by_logical_name(logical_name).cloned();
            found.ok_or_else(|| ODataError::NotEmulated(format!("'{name}' points to a table it does not have")))
        };
        if let Some(navigation) = context.conditions.navigation(table, name) {
            if options.filter.is_some() || options.order_by.is_some() || options.top.is_some() {
                return Err(ODataError::NotEmulated(format!("options of rows for '{name}', which is one row")));
            }
            let target = target(navigation.targets.first().map_or("", String::as_str))?;
            let shape = Shape::parse_at(&options, context, &target, depth + 1)?;
            return Ok(Self { name: name.to_owned(), of: Expanded::One(navigation.clone(), target), shape });
        }
        let Some(collection) = table.collection(name) else {
            return Err(ODataError::PropertyNotFound { table: Arc::clone(table), name: name.to_owned() });
        };
        let target = target(&collection.table)?;
        let shape = Shape::parse_at(&options, context, &target, depth + 1)?;
        let query = Query::parse(&options, context, &target)?;
        Ok(Self { name: name.to_owned(), of: Expanded::Many(collection.clone(), target, Box::new(query)), shape })
    }
}
