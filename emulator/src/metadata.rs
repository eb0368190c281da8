//! Metadata of the organisation: the current user, and the definitions of tables and relationships.

use axum::http::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    address::{VERSIONS, decode},
    conditions::Conditions,
    error::ODataError,
    privileges,
    table::{self, relationship::RELATIONSHIPS},
    web_api::{ApiResponse, Request},
};

/// The only user, to whom the credential and the application belong.
pub(crate) const USER: &str = "4bd7f2a1-0c3e-4f57-8d11-5a0f7c9e2b61";
pub(crate) const BUSINESS_UNIT: &str = "0f6c1b7e-93a4-4d0a-b6a5-2d1e8c4f7a30";
const ORGANISATION: &str = "c81e0d55-7f2b-4a86-9b3c-6e4d2f1a0b97";

/// Responds to a `GET` of a metadata path. `None` for any other request.
pub(crate) fn respond(
    conditions: &Conditions,
    request: &Request,
    origin: &str,
) -> Option<Result<ApiResponse, ODataError>> {
    if request.method != Method::GET {
        return None;
    }
    let (version, path) = request.path.strip_prefix("/api/data/")?.split_once('/')?;
    if !VERSIONS.contains(&version) {
        return None;
    }
    let path = decode(path).ok()?;
    let context = format!("{origin}/api/data/{version}/$metadata#");
    let definition = path.strip_prefix("EntityDefinitions(LogicalName='").and_then(|rest| rest.strip_suffix("')"));
    let body = match (path.as_str(), definition) {
        ("WhoAmI" | "WhoAmI()", _) => who_am_i(request, &context),
        ("RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata", _) => {
            relationships(conditions, request, &context)
        }
        (_, Some(table)) => table_definition(conditions, request, &context, table),
        _ => privileges::respond(conditions, request, &context, privileges::call(&path)?),
    };
    Some(body.map(|body| ApiResponse { status: 200, body: Some(body.into()), ..ApiResponse::default() }))
}

fn who_am_i(request: &Request, context: &str) -> Result<Value, ODataError> {
    if request.query.is_some() {
        return Err(ODataError::NotEmulated("a query of WhoAmI".to_owned()));
    }
    Ok(json!({
        "@odata.context": format!("{context}Microsoft.Dynamics.CRM.WhoAmIResponse"),
        "BusinessUnitId": BUSINESS_UNIT,
        "UserId": USER,
        "OrganizationId": ORGANISATION,
    }))
}

fn table_definition(
    conditions: &Conditions,
    request: &Request,
    context: &str,
    table: &str,
) -> Result<Value, ODataError> {
    let Some(table) = table::by_logical_name(table) else {
        return Err(ODataError::NotEmulated(format!("the definition of '{table}', a table it does not have")));
    };
    let options = Query::read(request)?;
    let select = options.select.ok_or_else(|| ODataError::NotEmulated("a whole definition".to_owned()))?;
    if options.filter.is_some() {
        return Err(ODataError::NotEmulated("$filter of one definition".to_owned()));
    }
    let mut body = Map::new();
    body.insert(
        "@odata.context".to_owned(),
        format!("{context}EntityDefinitions({})/$entity", select.join(",")).into(),
    );
    for name in select {
        let value: Value = match name.as_str() {
            "LogicalName" => table.logical_name.into(),
            "EntitySetName" => table.set.into(),
            "PrimaryIdAttribute" => table.key.into(),
            "PrimaryNameAttribute" => table.primary_name.into(),
            "IsOptimisticConcurrencyEnabled" => (!conditions.is_concurrency_off(table)).into(),
            other => return Err(ODataError::NotEmulated(format!("'{other}' of a definition"))),
        };
        body.insert(name, value);
    }
    // The key of a definition is always included, as with rows.
    body.insert("MetadataId".to_owned(), metadata_id(table.logical_name).into());
    Ok(Value::Object(body))
}

fn relationships(conditions: &Conditions, request: &Request, context: &str) -> Result<Value, ODataError> {
    let options = Query::read(request)?;
    let conversation = table::CONVERSATION.logical_name;
    if options.filter != Some(format!("ReferencingEntity eq '{conversation}'")) {
        return Err(ODataError::NotEmulated(format!("relationships other than those of '{conversation}'")));
    }
    let select = options.select.ok_or_else(|| ODataError::NotEmulated("whole definitions".to_owned()))?;
    let mut rows = Vec::new();
    for relationship in RELATIONSHIPS.iter().filter(|one| !conditions.hides(one.navigation)) {
        let mut row = Map::new();
        for name in &select {
            let value = match name.as_str() {
                "SchemaName" => relationship.schema_name,
                "ReferencedEntity" => relationship.referenced,
                "ReferencingEntity" => conversation,
                "ReferencingAttribute" => relationship.attribute,
                "ReferencingEntityNavigationPropertyName" => relationship.navigation,
                other => return Err(ODataError::NotEmulated(format!("'{other}' of a relationship"))),
            };
            row.insert(name.clone(), value.into());
        }
        row.insert("MetadataId".to_owned(), metadata_id(relationship.schema_name).into());
        rows.push(Value::Object(row));
    }
    let of = "RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata";
    Ok(json!({ "@odata.context": format!("{context}{of}({})", select.join(",")), "value": rows }))
}

/// An id that is the same at every start.
pub(crate) fn metadata_id(name: &str) -> String {
    let mut bytes = [0x40_u8; 16];
    for (index, byte) in name.bytes().enumerate() {
        bytes[index % 16] = bytes[index % 16].rotate_left(3) ^ byte;
    }
    Uuid::from_bytes(bytes).to_string()
}

/// The two supported query options of definitions.
struct Query {
    select: Option<Vec<String>>,
    filter: Option<String>,
}

impl Query {
    fn read(request: &Request) -> Result<Self, ODataError> {
        let mut query = Self { select: None, filter: None };
        for option in request.query.as_deref().unwrap_or_default().split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = decode(&value.replace('+', " "))?;
            match decode(name)?.as_str() {
                "$select" if query.select.is_none() => {
                    query.select = Some(value.split(',').map(|name| name.trim().to_owned()).collect());
                }
                "$filter" if query.filter.is_none() => query.filter = Some(value),
                other => return Err(ODataError::NotEmulated(format!("query option '{other}'"))),
            }
        }
        Ok(query)
    }
}
