//! Functions and actions.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    context::Context,
    keys,
    options::{For, Options},
};
use crate::{
    authority::privileges,
    conditions::Conditions,
    definitions::{Definitions, TableRef},
    error::ODataError,
    message::{ApiResponse, decode},
    organisation::{BUSINESS_UNIT, ORGANISATION, Organisation, USER},
};

/// A call: the operation, and its parameters as JSON.
struct Call {
    name: String,
    /// The text between the parentheses, in which aliases stand for values.
    arguments: Option<String>,
}

/// Rejects conditions with a name that the organisation does not have.
pub(crate) fn check_conditions(definitions: &Definitions, conditions: &mut Conditions) -> Result<(), String> {
    conditions.resolve(definitions)?;
    keys::check_columns(definitions, conditions)?;
    match conditions.missing_privileges.iter().find(|name| !privileges::all(definitions).any(|known| known == **name)) {
        Some(name) => Err(format!("`missingPrivileges`: no privilege '{name}'")),
        None => Ok(()),
    }
}

/// Responds to the call of an unbound function or action. `None` for any other request.
pub(crate) fn respond(
    organisation: &mut Organisation,
    context: &Context<'_>,
    segments: &[&str],
) -> Option<Result<ApiResponse, ODataError>> {
    let [segment] = segments else { return None };
    let decoded = decode(segment).ok()?;
    let (name, arguments) = match decoded.split_once('(') {
        Some((name, rest)) => (name.to_owned(), Some(rest.strip_suffix(')')?.to_owned())),
        None => (decoded, None),
    };
    let call = Call { name, arguments };
    match call.name.as_str() {
        "WhoAmI" => Some(who_am_i(context)),
        _ => {
            let _ = organisation;
            None
        }
    }
}

/// Responds to the call of an operation that is bound to a row, or to a set.
pub(crate) fn bound(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Option<Uuid>,
    name: &str,
    arguments: Option<&str>,
) -> Result<ApiResponse, ODataError> {
    let _ = organisation;
    match (table.logical_name.as_str(), id, name) {
        ("systemuser", Some(user), "RetrieveUserSetOfPrivilegesByNames") => {
            held_privileges(context, user, arguments.unwrap_or_default())
        }
        _ => Err(ODataError::NotEmulated(format!("the operation '{name}'"))),
    }
}

fn who_am_i(context: &Context<'_>) -> Result<ApiResponse, ODataError> {
    // An empty query is none.
    if context.request.query.as_deref().is_some_and(|query| !query.is_empty()) {
        return Err(ODataError::NotEmulated("a query of WhoAmI".to_owned()));
    }
    Ok(ApiResponse::json(
        200,
        json!({
            "@odata.context": format!("{}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse", context.root),
            "BusinessUnitId": BUSINESS_UNIT,
            "UserId": context.caller.user,
            "OrganizationId": ORGANISATION,
        }),
    ))
}

/// The requested privileges that the user has. Unknown names are skipped without an error.
fn held_privileges(context: &Context<'_>, user: Uuid, arguments: &str) -> Result<ApiResponse, ODataError> {
    if user != USER {
        return Err(ODataError::NotEmulated("the privileges of a user who is not the caller".to_owned()));
    }
    let options = Options::parse(context.request.query.as_deref(), For::Row)?;
    let alias = arguments.strip_prefix("PrivilegeNames=").unwrap_or_default();
    let names = options.aliases.get(alias).and_then(|value| serde_json::from_str::<Vec<String>>(value).ok());
    let asked = names.ok_or_else(|| ODataError::NotEmulated("names that are not a JSON array".to_owned()))?;
    let mut held: Vec<_> = privileges::all(&context.definitions)
        .filter(|name| asked.contains(name) && !context.conditions.misses(name))
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
    let of = format!("{}/$metadata#Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNamesResponse", context.root);
    Ok(ApiResponse::json(200, json!({ "@odata.context": of, "RolePrivileges": held.collect::<Value>() })))
}
