//! `$select`, `$filter`, `$expand` and `$top` of definitions.

use serde_json::{Map, Value, json};

use super::filter::Filter;
use crate::{
    api::{
        context::Context,
        options::{Options, split_outside},
    },
    error::ODataError,
};

type Object = Map<String, Value>;

/// Gives the value of an expanded property of a definition.
type Expanded<'a> = &'a dyn Fn(&Object, &str) -> Option<Value>;

pub(super) struct Query {
    select: Option<Vec<String>>,
    filter: Option<Filter>,
    top: Option<usize>,
    expand: Vec<Expand>,
}

struct Expand {
    name: String,
    query: Query,
}

impl Query {
    pub(super) fn parse(options: &Options) -> Result<Self, ODataError> {
        Self::parse_at(options, 0)
    }

    fn parse_at(options: &Options, depth: usize) -> Result<Self, ODataError> {
        if options.order_by.is_some() || options.count.is_some() || options.skip_token.is_some() {
            return Err(ODataError::NotEmulated("$orderby, $count or $skiptoken of definitions".to_owned()));
        }
        let expand = |term: &str| {
            let (name, options) = match term.split_once('(') {
                Some((name, rest)) => (name.trim(), rest.strip_suffix(')').ok_or(ODataError::QuerySyntax)?),
                None => (term, ""),
            };
            if depth == 2 {
                return Err(ODataError::NotEmulated("$expand of definitions nested more than twice".to_owned()));
            }
            let query = Self::parse_at(&Options::parse_expanded(options)?, depth + 1)?;
            Ok(Expand { name: name.to_owned(), query })
        };
        let names = |text: &String| text.split(',').map(|name| name.trim().to_owned()).collect();
        Ok(Self {
            select: options.select.as_ref().map(names),
            filter: options.filter.as_deref().map(Filter::parse).transpose()?,
            top: options.top.as_deref().map(|text| text.parse().map_err(|_| ODataError::QuerySyntax)).transpose()?,
            expand: split_outside(options.expand.as_deref().unwrap_or_default(), ',')
                .into_iter()
                .map(expand)
                .collect::<Result<_, _>>()?,
        })
    }

    /// A list of definitions. `expanded` gives the value of an expanded property of one of them.
    pub(super) fn list(
        &self,
        context: &Context<'_>,
        of: &str,
        rows: impl Iterator<Item = Object>,
        expanded: impl Fn(&Object, &str) -> Option<Value>,
    ) -> Result<Value, ODataError> {
        let rows = rows.filter(|row| self.filter.as_ref().is_none_or(|filter| filter.accepts(row)));
        let rows = rows.take(self.top.unwrap_or(usize::MAX));
        let rows = rows.map(|row| self.shape(row, &expanded)).collect::<Result<Value, _>>()?;
        Ok(json!({ "@odata.context": self.context_url(context, of), "value": rows }))
    }

    /// One definition.
    pub(super) fn one(
        &self,
        context: &Context<'_>,
        of: &str,
        row: Object,
        expanded: impl Fn(&str) -> Option<Value>,
    ) -> Result<Value, ODataError> {
        let url = format!("{}/$entity", self.context_url(context, of));
        let mut body = Object::from_iter([("@odata.context".to_owned(), url.into())]);
        if let Value::Object(row) = self.shape(row, &|_, name| expanded(name))? {
            body.extend(row);
        }
        Ok(body.into())
    }

    fn context_url(&self, context: &Context<'_>, of: &str) -> String {
        let names = self.select.as_ref().map_or_else(String::new, |names| format!("({})", names.join(",")));
        format!("{}/$metadata#{of}{names}", context.root)
    }

    /// The definition with the selected and expanded members. Its id and its type are always shown.
    fn shape(&self, mut row: Object, expanded: Expanded<'_>) -> Result<Value, ODataError> {
        let mut shown = Object::new();
        for expand in &self.expand {
            let unknown = || ODataError::NotEmulated(format!("'{}' of a definition", expand.name));
            let value = match expanded(&row, &expand.name).ok_or_else(unknown)? {
                Value::Array(rows) => {
                    let rows =
                        rows.into_iter().filter_map(|row| if let Value::Object(row) = row { Some(row) } else { None });
                    let rows = rows.filter(|row| expand.query.filter.as_ref().is_none_or(|filter| filter.accepts(row)));
                    rows.map(|row| expand.query.shape(row, &|_, _| None)).collect::<Result<_, _>>()?
                }
                Value::Object(row) => expand.query.shape(row, &|_, _| None)?,
                other => other,
            };
            shown.insert(expand.name.clone(), value);
        }
        if let Some(names) = &self.select {
            let kept =
                ["@odata.type", "MetadataId"].into_iter().filter_map(|name| row.remove_entry(name)).collect::<Object>();
            let mut selected = kept;
            for name in names {
                // Not every type of column has every member.
                match row.remove_entry(name) {
                    Some((name, value)) => drop(selected.insert(name, value)),
                    None if selected.contains_key(name) || is_of_some_type(name) => {}
                    None => return Err(ODataError::NotEmulated(format!("'{name}' of a definition"))),
                }
            }
            row = selected;
        }
        row.extend(shown);
        Ok(row.into())
    }
}

/// Members that only some definitions have.
fn is_of_some_type(name: &str) -> bool {
    [
        "MaxLength",
        "Format",
        "FormatName",
        "MinValue",
        "MaxValue",
        "Precision",
        "Targets",
        "DateTimeBehavior",
        "DefaultValue",
        "DefaultFormValue",
    ]
    .contains(&name)
}
