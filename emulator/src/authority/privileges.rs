//! The privileges of the user.

use uuid::Uuid;

use crate::{
    conditions::Conditions,
    definitions::{Definitions, metadata_id, table::Table},
    error::ODataError,
    organisation::USER,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Append,
    AppendTo,
    Create,
    Delete,
    Read,
    Write,
}

const RIGHTS: [(Right, &str); 6] = [
    (Right::Append, "Append"),
    (Right::AppendTo, "AppendTo"),
    (Right::Create, "Create"),
    (Right::Delete, "Delete"),
    (Right::Read, "Read"),
    (Right::Write, "Write"),
];

/// All privileges that exist.
pub(crate) fn all(definitions: &Definitions) -> impl Iterator<Item = String> {
    definitions.tables().iter().flat_map(|table| RIGHTS.into_iter().map(move |(right, _)| name(right, table)))
}

/// The name of a privilege. All activities share the privileges of `activitypointer`, and a conversation is an activity.
fn name(right: Right, table: &Table) -> String {
    let right = RIGHTS.into_iter().find(|(known, _)| *known == right).map_or("", |(_, name)| name);
    format!("prv{right}{}", if table.is_activity { "Activity" } else { &table.schema_name })
}

pub(crate) fn id(name: &str) -> Uuid {
    metadata_id(name)
}

/// Fails if the caller lacks a privilege. Guesses: clearing a lookup needs no `Append`, and privileges are checked before rows.
pub(crate) fn check(conditions: &Conditions, right: Right, table: &Table) -> Result<(), ODataError> {
    if conditions.missing_privileges.is_empty() {
        return Ok(());
    }
    let name = name(right, table);
    if !conditions.misses(&name) {
        return Ok(());
    }
    Err(ODataError::MissingPrivilege {
        message: format!(
            "Principal user (Id={USER}, type=8, roleCount=1, privilegeCount=1, accessMode=0), is missing {name} privilege (Id={}) on \
             OTC={} for entity '{}' (LocalizedName='{}'). context.Caller={USER}",
            id(&name),
            table.type_code,
            table.logical_name,
            table.label
        ),
    })
}
