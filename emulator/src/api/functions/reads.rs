//! Functions that only read.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call;
use crate::{
    api::context::Context,
    authority::privileges,
    error::ODataError,
    message::ApiResponse,
    organisation::{BUSINESS_UNIT, ORGANISATION, Organisation, USER},
};

/// The language of all labels: English (United States).
const LANGUAGE: u32 = 1033;

/// The response of a function with these members.
fn response(context: &Context<'_>, name: &str, members: Value) -> ApiResponse {
    let mut body = Map::new();
    let of = format!("{}/$metadata#Microsoft.Dynamics.CRM.{name}Response", context.root);
    body.insert("@odata.context".to_owned(), of.into());
    if let Value::Object(members) = members {
        body.extend(members);
    }
    ApiResponse::json(200, body.into())
}

pub(super) fn who_am_i(context: &Context<'_>) -> Result<ApiResponse, ODataError> {
    // An empty query is none.
    if context.request.query.as_deref().is_some_and(|query| !query.is_empty()) {
        return Err(ODataError::NotEmulated("a query of WhoAmI".to_owned()));
    }
    let ids = json!({
        "BusinessUnitId": BUSINESS_UNIT,
        "UserId": context.caller.user,
        "OrganizationId": ORGANISATION,
    });
    Ok(response(context, "WhoAmI", ids))
}

pub(super) fn version(context: &Context<'_>) -> ApiResponse {
    response(context, "RetrieveVersion", json!({ "Version": "9.2.26111.00100" }))
}

pub(super) fn languages(context: &Context<'_>) -> ApiResponse {
    response(context, "RetrieveAvailableLanguages", json!({ "LocaleIds": [LANGUAGE] }))
}

pub(super) fn current_organisation(context: &Context<'_>) -> ApiResponse {
    let detail = json!({
        "OrganizationId": ORGANISATION,
        "FriendlyName": "Emulator",
        "OrganizationVersion": "9.2.26111.00100",
        "EnvironmentId": ORGANISATION,
        "UniqueName": "emulator",
        "UrlName": "emulator",
        "State": "Enabled",
        "Endpoints": {
            "Count": 1,
            "IsReadOnly": false,
            "Keys": ["WebApplication"],
            "Values": [format!("{}/", context.origin)],
        },
    });
    response(context, "RetrieveCurrentOrganization", json!({ "Detail": detail }))
}

/// `RetrieveTotalRecordCount`. In Dataverse the numbers may be a day old.
pub(super) fn total_record_count(
    organisation: &Organisation,
    context: &Context<'_>,
    arguments: &str,
) -> Result<ApiResponse, ODataError> {
    let names =
        call::arguments(context, arguments)?.remove("EntityNames").ok_or_else(|| call::missing("EntityNames"))?;
    let names: Vec<String> = serde_json::from_value(names)
        .map_err(|_| ODataError::InvalidArgument("'EntityNames' is not an array of names.".to_owned()))?;
    let mut counts = Vec::new();
    for name in &names {
        if context.definitions.by_logical_name(name).is_none() {
            return Err(ODataError::TableNotFound { name: name.clone() });
        }
        counts.push(organisation.ids(name).count());
    }
    let collection = json!({ "Count": names.len(), "IsReadOnly": false, "Keys": names, "Values": counts });
    Ok(response(context, "RetrieveTotalRecordCount", json!({ "EntityRecordCountCollection": collection })))
}

/// All privileges of the user, or those of `names` that the user has. Unknown names are skipped without an error.
pub(super) fn held_privileges(
    context: &Context<'_>,
    user: Uuid,
    name: &str,
    names: Option<&[String]>,
) -> Result<ApiResponse, ODataError> {
    if user != USER {
        return Err(ODataError::NotEmulated("the privileges of a user who is not the caller".to_owned()));
    }
    let is_asked = |name: &String| names.is_none_or(|names| names.contains(name));
    let mut held: Vec<_> = privileges::all(&context.definitions)
        .filter(|name| is_asked(name) && !context.conditions.misses(name))
        .collect();
    held.sort_unstable();
    // Activities share theirs.
    held.dedup();
    let held = held.iter().map(|name| {
        json!({
            "Depth": "Global",
            "PrivilegeId": privileges::id(name),
            "BusinessUnitId": BUSINESS_UNIT,
            "PrivilegeName": name,
            "RecordFilterId": Uuid::nil(),
            "RecordFilterUniqueName": "",
        })
    });
    Ok(response(context, name, json!({ "RolePrivileges": held.collect::<Value>() })))
}
