//! Functions and actions.

use axum::http::Method;
use uuid::Uuid;

use super::{context::Context, keys};
use crate::{
    authority::privileges,
    conditions::Conditions,
    definitions::{Definitions, TableRef},
    error::ODataError,
    message::{ApiResponse, decode},
    organisation::Organisation,
};
use actions::Closing;

mod actions;
mod call;
mod multiple;
mod reads;

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
        Some((name, rest)) => (name, rest.strip_suffix(')')?),
        None => (decoded.as_str(), ""),
    };
    if let Err(error) = refuse_background(context) {
        return is_action(name).then_some(Err(error));
    }
    Some(match (&context.request.method, name, arguments) {
        (&Method::GET, "WhoAmI", "") => reads::who_am_i(context),
        (&Method::GET, "RetrieveVersion", "") => Ok(reads::version(context)),
        (&Method::GET, "RetrieveAvailableLanguages", "") => Ok(reads::languages(context)),
        (&Method::GET, "RetrieveCurrentOrganization", _) => Ok(reads::current_organisation(context)),
        (&Method::GET, "RetrieveTotalRecordCount", arguments) => {
            reads::total_record_count(organisation, context, arguments)
        }
        (&Method::POST, "Merge", "") => actions::merge(organisation, context),
        (&Method::POST, "CloseIncident", "") => actions::close(organisation, context, &CLOSE_INCIDENT),
        (&Method::POST, "WinOpportunity", "") => actions::close(organisation, context, &WIN_OPPORTUNITY),
        (&Method::POST, "LoseOpportunity", "") => actions::close(organisation, context, &LOSE_OPPORTUNITY),
        _ => return None,
    })
}

/// Other requests may be answered at once, as if the preference was not understood.
fn refuse_background(context: &Context<'_>) -> Result<(), ODataError> {
    if context.preferences.respond_async && context.request.method == Method::POST {
        return Err(ODataError::NotEmulated("an action in the background".to_owned()));
    }
    Ok(())
}

fn is_action(name: &str) -> bool {
    matches!(name, "Merge" | "CloseIncident" | "WinOpportunity" | "LoseOpportunity")
}

const CLOSE_INCIDENT: Closing =
    Closing { activity: "IncidentResolution", table: "incident", state: 1, navigation: "incidentid" };
const WIN_OPPORTUNITY: Closing =
    Closing { activity: "OpportunityClose", table: "opportunity", state: 1, navigation: "opportunityid" };
const LOSE_OPPORTUNITY: Closing =
    Closing { activity: "OpportunityClose", table: "opportunity", state: 2, navigation: "opportunityid" };

/// Responds to the call of an operation that is bound to a row, or to a set.
pub(crate) fn bound(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Option<Uuid>,
    name: &str,
    arguments: Option<&str>,
) -> Result<ApiResponse, ODataError> {
    refuse_background(context)?;
    match (&context.request.method, table.logical_name.as_str(), id, name) {
        (&Method::POST, _, None, "CreateMultiple") => multiple::create(organisation, context, table),
        (&Method::POST, _, None, "UpdateMultiple") => multiple::update(organisation, context, table),
        (&Method::POST, _, None, "UpsertMultiple") => multiple::upsert(organisation, context, table),
        (&Method::POST, "queue", Some(queue), "AddToQueue") => actions::add_to_queue(organisation, context, queue),
        (&Method::GET, "systemuser", Some(user), "RetrieveUserPrivileges") => {
            reads::held_privileges(context, user, name, None)
        }
        (&Method::GET, "systemuser", Some(user), "RetrieveUserSetOfPrivilegesByNames") => {
            let names = call::arguments(context, arguments.unwrap_or_default())?.remove("PrivilegeNames");
            let names = names.and_then(|names| serde_json::from_value::<Vec<String>>(names).ok());
            let names = names.ok_or_else(|| ODataError::NotEmulated("names that are not a JSON array".to_owned()))?;
            reads::held_privileges(context, user, name, Some(&names))
        }
        _ => Err(ODataError::NotEmulated(format!("the operation '{name}'"))),
    }
}
