//! Definitions of tables and relationships as resources.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::{
    context::Context,
    options::{For, Options},
};
use crate::{
    definitions::metadata_id,
    error::ODataError,
    message::{ApiResponse, decode},
    table::CONVERSATION,
};

/// Responds to a `GET` of a metadata path. `None` for any other request.
pub(super) fn respond(context: &Context<'_>, segments: &[&str]) -> Option<Result<ApiResponse, ODataError>> {
    if context.request.method != Method::GET {
        return None;
    }
    let path = decode(&segments.join("/")).ok()?;
    let definition = path.strip_prefix("EntityDefinitions(LogicalName='").and_then(|rest| rest.strip_suffix("')"));
    let body = match (path.as_str(), definition) {
        ("RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata", _) => relationships(context),
        (_, Some(table)) => table_definition(context, table),
        _ => return None,
    };
    Some(body.map(|body| ApiResponse::json(200, body)))
}

fn table_definition(context: &Context<'_>, table: &str) -> Result<Value, ODataError> {
    let Some(table) = context.definitions.by_logical_name(table) else {
        return Err(ODataError::NotEmulated(format!("the definition of '{table}', a table it does not have")));
    };
    let options = Options::parse(context.request.query.as_deref(), For::Row)?;
    let select = options.select.ok_or_else(|| ODataError::NotEmulated("a whole definition".to_owned()))?;
    let mut body = Map::new();
    let of = format!("{}/$metadata#EntityDefinitions({select})/$entity", context.root);
    body.insert("@odata.context".to_owned(), of.into());
    for name in select.split(',') {
        let value: Value = match name {
            "LogicalName" => table.logical_name.clone().into(),
            "EntitySetName" => table.set.clone().into(),
            "PrimaryIdAttribute" => table.key.clone().into(),
            "PrimaryNameAttribute" => table.primary_name.clone().into(),
            "IsOptimisticConcurrencyEnabled" => (!context.conditions.is_concurrency_off(table)).into(),
            other => return Err(ODataError::NotEmulated(format!("'{other}' of a definition"))),
        };
        body.insert(name.to_owned(), value);
    }
    // The key of a definition is always included, as with rows.
    body.insert("MetadataId".to_owned(), metadata_id(&table.logical_name).to_string().into());
    Ok(Value::Object(body))
}

fn relationships(context: &Context<'_>) -> Result<Value, ODataError> {
    let options = Options::parse(context.request.query.as_deref(), For::Set)?;
    if options.filter != Some(format!("ReferencingEntity eq '{CONVERSATION}'")) {
        return Err(ODataError::NotEmulated(format!("relationships other than those of '{CONVERSATION}'")));
    }
    let select = options.select.ok_or_else(|| ODataError::NotEmulated("whole definitions".to_owned()))?;
    let mut rows = Vec::new();
    let known = context.definitions.one_to_many().iter().filter(|known| known.many == CONVERSATION);
    for relationship in known.filter(|known| !context.conditions.hides(&known.navigation)) {
        let mut row = Map::new();
        for name in select.split(',') {
            let value = match name {
                "SchemaName" => &relationship.name,
                "ReferencedEntity" => &relationship.one,
                "ReferencingEntity" => &relationship.many,
                "ReferencingAttribute" => &relationship.column,
                "ReferencingEntityNavigationPropertyName" => &relationship.navigation,
                other => return Err(ODataError::NotEmulated(format!("'{other}' of a relationship"))),
            };
            row.insert(name.to_owned(), value.clone().into());
        }
        row.insert("MetadataId".to_owned(), metadata_id(&relationship.name).to_string().into());
        rows.push(Value::Object(row));
    }
    let of = "RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata";
    Ok(json!({ "@odata.context": format!("{}/$metadata#{of}({select})", context.root), "value": rows }))
}
