//! The parameters of functions and actions.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    api::{
        address::{Resource, relative},
        context::Context,
        keys,
        options::{For, Options, split_outside},
        write::json_body,
    },
    definitions::TableRef,
    error::ODataError,
    json,
    organisation::Organisation,
};

const NAMESPACE: &str = "Microsoft.Dynamics.CRM.";

/// The parameters of a function, by name. `text` is between the parentheses, and the query has the values of aliases.
pub(super) fn arguments(context: &Context<'_>, text: &str) -> Result<BTreeMap<String, Value>, ODataError> {
    let options = Options::parse(context.request.query.as_deref(), For::Row)?;
    let mut values = BTreeMap::new();
    for part in split_outside(text, ',') {
        let (name, literal) = part.split_once('=').ok_or(ODataError::QuerySyntax)?;
        let literal = literal.trim();
        let literal = match options.aliases.get(literal) {
            Some(value) => value.trim(),
            None if literal.starts_with('@') => {
                return Err(ODataError::InvalidArgument(format!("The parameter alias '{literal}' has no value.")));
            }
            None => literal,
        };
        values.insert(name.trim().to_owned(), value(literal)?);
    }
    Ok(values)
}

/// A literal: JSON, a string in single quotes, an array of those, or a word such as a GUID or the member of an enumeration.
fn value(literal: &str) -> Result<Value, ODataError> {
    if let Some(text) = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Ok(text.replace("''", "'").into());
    }
    if let Ok(value) = json::parse(literal.as_bytes()) {
        return Ok(value);
    }
    if let Some(list) = literal.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        // Only strings, because arrays in arrays would need a depth.
        let strings = split_outside(list, ',').into_iter().map(|item| {
            let text = item.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            text.map(|text| Value::from(text.replace("''", "'"))).ok_or(ODataError::QuerySyntax)
        });
        return strings.collect();
    }
    Ok(literal.into())
}

/// The body of an action, as an object.
pub(super) fn body(context: &Context<'_>) -> Result<Map<String, Value>, ODataError> {
    let invalid = |detail: &str| ODataError::InvalidArgument(format!("The parameters cannot be read. {detail}"));
    match json::parse_unique(json_body(context)?) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err(invalid("The body is not a JSON object.")),
        Err(json::Error::Duplicate(name)) => Err(invalid(&format!("'{name}' is given twice."))),
        Err(json::Error::Invalid(detail)) => Err(invalid(&detail)),
    }
}

/// A parameter that must be there.
pub(super) fn required(body: &mut Map<String, Value>, name: &str) -> Result<Value, ODataError> {
    body.remove(name).filter(|value| !value.is_null()).ok_or_else(|| missing(name))
}

/// A parameter that must be an object.
pub(super) fn object(body: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, ODataError> {
    match required(body, name)? {
        Value::Object(object) => Ok(object),
        _ => Err(ODataError::InvalidArgument(format!("The parameter '{name}' is not an object."))),
    }
}

pub(super) fn missing(name: &str) -> ODataError {
    ODataError::InvalidArgument(format!("Required parameter '{name}' is missing."))
}

/// The table in `@odata.type` of a row in a parameter.
pub(super) fn table_of(context: &Context<'_>, row: &Map<String, Value>) -> Result<TableRef, ODataError> {
    let name = row.get("@odata.type").and_then(Value::as_str).unwrap_or_default().trim_start_matches('#');
    let name = name.strip_prefix(NAMESPACE).ok_or_else(|| missing("@odata.type"))?;
    let table = context.definitions.by_logical_name(name);
    table.cloned().ok_or_else(|| ODataError::NotEmulated(format!("a row of '{name}', a table it does not have")))
}

/// The id in a row of a parameter: its key column, or `@odata.id`. `None`: neither.
pub(super) fn id_of(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    row: &Map<String, Value>,
) -> Result<Option<Uuid>, ODataError> {
    if let Some(id) = row.get(&table.key) {
        let id = id.as_str().and_then(|text| Uuid::try_parse(text).ok());
        return id.map(Some).ok_or_else(|| ODataError::InvalidArgument(format!("'{}' is not a GUID.", table.key)));
    }
    let Some(uri) = row.get("@odata.id").and_then(Value::as_str) else { return Ok(None) };
    target(organisation, context, table, uri).map(Some)
}

/// The row that a URL names. It must be of this table.
pub(super) fn target(
    organisation: &Organisation,
    context: &Context<'_>,
    table: &TableRef,
    uri: &str,
) -> Result<Uuid, ODataError> {
    let resource = Resource::parse(relative(&context.origin, uri)?)?;
    if resource.set != table.set {
        return Err(ODataError::InvalidArgument(format!("'{uri}' is not a row of '{}'.", table.set)));
    }
    keys::find(organisation, context.conditions, table, resource.key.ok_or(ODataError::QuerySyntax)?)
}
