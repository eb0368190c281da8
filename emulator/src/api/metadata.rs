//! Definitions of tables, columns, keys and relationships as resources.

use axum::http::Method;
use serde_json::{Map, Value};

use super::{
    context::Context,
    options::{For, Options},
};
use crate::{
    definitions::{TableRef, is_known_set, metadata_id},
    error::ODataError,
    message::{ApiResponse, decode},
};
use parts::part;
use query::Query;

mod attribute;
mod changes;
mod filter;
mod labels;
mod parts;
mod query;
mod relationship;
mod table;

const CAST: &str = "Microsoft.Dynamics.CRM.";

/// Responds to a request for definitions. `None` for any other request.
pub(super) fn respond(context: &Context<'_>, segments: &[&str]) -> Option<Result<ApiResponse, ODataError>> {
    let decoded: Vec<_> = segments.iter().map(|segment| decode(segment).ok()).collect::<Option<_>>()?;
    let (name, key) = split_key(&decoded[0]);
    let body = match name {
        "EntityDefinitions" => tables(context, key, &decoded[1..]),
        "RelationshipDefinitions" => relationships(context, key, &decoded[1..]),
        "RetrieveMetadataChanges" if decoded.len() == 1 => changes::retrieve(context, key.unwrap_or_default()),
        _ => return None,
    };
    if context.request.method != Method::GET {
        return Some(Err(ODataError::NotEmulated("a change of definitions".to_owned())));
    }
    Some(body.map(|body| ApiResponse::json(200, body)))
}

fn split_key(segment: &str) -> (&str, Option<&str>) {
    match segment.split_once('(') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(')').unwrap_or(rest))),
        None => (segment, None),
    }
}

/// `EntityDefinitions…`
fn tables(context: &Context<'_>, key: Option<&str>, rest: &[String]) -> Result<Value, ODataError> {
    let rest: Vec<_> = rest.iter().map(String::as_str).collect();
    let query = |whom| Query::parse(&Options::parse(context.request.query.as_deref(), whom)?);
    let Some(key) = key else {
        if !rest.is_empty() {
            return Err(not_emulated());
        }
        let definitions = context.definitions.tables().iter().map(|table| self::table::json(context, table));
        return query(For::Set)?.list(context, "EntityDefinitions", definitions, |row, expand| {
            let name = row.get("LogicalName").and_then(Value::as_str).unwrap_or_default();
            context.definitions.by_logical_name(name).and_then(|table| part(context, table, expand))
        });
    };
    let table = find(context, key)?;
    let of = format!("EntityDefinitions('{}')", table.logical_name);
    match rest.as_slice() {
        [] => query(For::Row)?.one(context, "EntityDefinitions", self::table::json(context, &table), |expand| {
            part(context, &table, expand)
        }),
        [name] if !name.contains('(') => {
            let Some(Value::Array(rows)) = part(context, &table, name) else { return Err(not_emulated()) };
            query(For::Set)?.list(context, &format!("{of}/{name}"), objects(rows), |_, _| None)
        }
        ["Attributes", cast] => {
            let of = format!("{of}/Attributes/{cast}");
            let kind = format!("#{cast}");
            let columns = table.columns.iter().filter(|column| attribute::cast(column) == kind);
            let rows = columns.map(|column| attribute::json(&table, column));
            query(For::Set)?.list(context, &of, rows, |row, expand| {
                let name = row.get("LogicalName").and_then(Value::as_str).unwrap_or_default();
                attribute::option_set(&table, table.column(name)?, expand)
            })
        }
        [attribute] | [attribute, _] => {
            let (name, Some(key)) = split_key(attribute) else { return Err(not_emulated()) };
            if name != "Attributes" {
                return Err(not_emulated());
            }
            let column = table
                .columns
                .iter()
                .find(|column| key_is(key, "LogicalName", &column.name, &attribute::id(&table, column)));
            let missing = || ODataError::DefinitionNotFound { what: "attribute", name: key.to_owned() };
            let column = column.ok_or_else(missing)?;
            if let [_, cast] = rest.as_slice()
                && attribute::cast(column) != format!("#{cast}")
            {
                return Err(missing());
            }
            let of = format!("{of}/Attributes");
            query(For::Row)?.one(context, &of, attribute::json(&table, column), |expand| {
                attribute::option_set(&table, column, expand)
            })
        }
        _ => Err(not_emulated()),
    }
}

/// The table with this key: `LogicalName='…'`, or its id.
fn find(context: &Context<'_>, key: &str) -> Result<TableRef, ODataError> {
    let tables = context.definitions.tables();
    let found = tables
        .iter()
        .find(|table| key_is(key, "LogicalName", &table.logical_name, &metadata_id(&table.logical_name).to_string()));
    if let Some(table) = found {
        return Ok(table.clone());
    }
    let name = key.trim_start_matches("LogicalName=").trim_matches('\'');
    // Its set is usually the plural.
    if [format!("{name}s"), format!("{name}es"), format!("{}ies", name.trim_end_matches('y'))]
        .iter()
        .any(|set| is_known_set(set))
    {
        return Err(ODataError::NotEmulated(format!("the definition of '{name}', a table it does not have")));
    }
    Err(ODataError::DefinitionNotFound { what: "entity", name: name.to_owned() })
}

/// Whether a key is `<name>='<value>'` or the id.
fn key_is(key: &str, name: &str, value: &str, id: &str) -> bool {
    match key.split_once('=') {
        Some((given, quoted)) => given.trim() == name && quoted.trim() == format!("'{value}'"),
        None => key.eq_ignore_ascii_case(id),
    }
}

/// `RelationshipDefinitions…`
fn relationships(context: &Context<'_>, key: Option<&str>, rest: &[String]) -> Result<Value, ODataError> {
    let definitions = &context.definitions;
    let one_to_many = definitions.one_to_many().iter().filter(|known| !context.conditions.hides(&known.navigation));
    let one_to_many = one_to_many.map(|known| relationship::one_to_many(definitions, known));
    let many_to_many = definitions.many_to_many().iter().map(|known| relationship::many_to_many(definitions, known));
    let mut rows: Vec<_> = one_to_many.chain(many_to_many).collect();
    let mut of = "RelationshipDefinitions".to_owned();
    match rest {
        [] => {}
        [cast] if cast.starts_with(CAST) => {
            of = format!("{of}/{cast}");
            rows.retain(|row| row["@odata.type"] == format!("#{cast}"));
        }
        _ => return Err(not_emulated()),
    }
    let options = |whom| Options::parse(context.request.query.as_deref(), whom);
    let Some(key) = key else {
        return Query::parse(&options(For::Set)?)?.list(context, &of, objects(rows), |_, _| None);
    };
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let found =
        rows.into_iter().find(|row| key_is(key, "SchemaName", &text(row, "SchemaName"), &text(row, "MetadataId")));
    let Some(Value::Object(row)) = found else {
        return Err(ODataError::DefinitionNotFound { what: "relationship", name: key.to_owned() });
    };
    Query::parse(&options(For::Row)?)?.one(context, &of, row, |_| None)
}

fn objects(rows: Vec<Value>) -> impl Iterator<Item = Map<String, Value>> {
    rows.into_iter().filter_map(|row| if let Value::Object(row) = row { Some(row) } else { None })
}

fn not_emulated() -> ODataError {
    ODataError::NotEmulated("this path of definitions".to_owned())
}
