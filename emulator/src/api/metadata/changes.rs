//! `RetrieveMetadataChanges`: selected definitions of several tables at once.

use serde_json::{Map, Value, json};

use super::{attribute, parts::part, table};
use crate::{
    api::{
        context::Context,
        options::{For, Options},
    },
    error::ODataError,
    json,
};

/// Responds to the call with these arguments: `Query=@p1`.
pub(super) fn retrieve(context: &Context<'_>, arguments: &str) -> Result<Value, ODataError> {
    let options = Options::parse(context.request.query.as_deref(), For::Row)?;
    let alias = arguments.strip_prefix("Query=").unwrap_or_default();
    let text = options.aliases.get(alias).map_or(alias, String::as_str);
    let invalid = |what: &str| ODataError::InvalidArgument(format!("The parameter 'Query' {what}."));
    let query = json::parse(text.as_bytes()).map_err(|_| invalid("is not JSON"))?;
    let names = properties(&query["Properties"]);
    let mut tables = Vec::new();
    for table in context.definitions.tables() {
        let definition = table::json(context, table);
        if !accepts(&query["Criteria"], &definition)? {
            continue;
        }
        let mut shown = select(definition, names.as_deref());
        for name in
            ["Attributes", "Keys", "OneToManyRelationships", "ManyToOneRelationships", "ManyToManyRelationships"]
        {
            if names.as_ref().is_some_and(|names| !names.iter().any(|known| known == name)) {
                continue;
            }
            let value = if name == "Attributes" {
                attributes(&query["AttributeQuery"], table)?
            } else {
                part(context, table, name).unwrap_or_default()
            };
            shown.insert(name.to_owned(), value);
        }
        tables.push(Value::Object(shown));
    }
    let of = format!("{}/$metadata#Microsoft.Dynamics.CRM.RetrieveMetadataChangesResponse", context.root);
    Ok(
        json!({ "@odata.context": of, "ServerVersionStamp": "1!00000001", "EntityMetadata": tables, "DeletedMetadata": null }),
    )
}

fn attributes(query: &Value, table: &crate::definitions::TableRef) -> Result<Value, ODataError> {
    let names = properties(&query["Properties"]);
    let mut shown = Vec::new();
    for column in &table.columns {
        let mut definition = attribute::json(table, column);
        if let Some(choices) = attribute::option_set(table, column, "OptionSet") {
            definition.insert("OptionSet".to_owned(), choices);
        }
        if accepts(&query["Criteria"], &definition)? {
            shown.push(Value::Object(select(definition, names.as_deref())));
        }
    }
    Ok(shown.into())
}

/// The asked members. `None`: all.
fn properties(properties: &Value) -> Option<Vec<String>> {
    if properties["AllProperties"] == true {
        return None;
    }
    let names = properties["PropertyNames"].as_array()?;
    Some(names.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn select(mut definition: Map<String, Value>, names: Option<&[String]>) -> Map<String, Value> {
    let is_kept = |name: &str| ["@odata.type", "LogicalName", "MetadataId"].contains(&name);
    if let Some(names) = names {
        definition.retain(|name, _| is_kept(name) || names.iter().any(|known| known == name));
    }
    definition
}

/// Whether a definition fits the criteria.
fn accepts(criteria: &Value, definition: &Map<String, Value>) -> Result<bool, ODataError> {
    let Some(conditions) = criteria["Conditions"].as_array() else { return Ok(true) };
    if criteria["Filters"].as_array().is_some_and(|filters| !filters.is_empty()) {
        return Err(ODataError::NotEmulated("nested criteria of definitions".to_owned()));
    }
    let mut results = Vec::new();
    for condition in conditions {
        let property = condition["PropertyName"].as_str().unwrap_or_default();
        let found = definition.get(property).unwrap_or(&Value::Null);
        // Enumerations come as texts.
        let is = |wanted: &Value| wanted == found || wanted.as_str().is_some_and(|text| found.as_str() == Some(text));
        let value = &condition["Value"]["Value"];
        results.push(match condition["ConditionOperator"].as_str().unwrap_or_default() {
            "Equals" => is(value),
            "NotEquals" => !is(value),
            "In" => value.as_array().is_some_and(|values| values.iter().any(is)),
            "NotIn" => !value.as_array().is_some_and(|values| values.iter().any(is)),
            other => return Err(ODataError::NotEmulated(format!("the operator '{other}' on definitions"))),
        });
    }
    let is_or = criteria["FilterOperator"].as_str() == Some("Or");
    Ok(if is_or { results.contains(&true) } else { !results.contains(&false) })
}
