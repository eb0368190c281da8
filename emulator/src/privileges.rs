//! The privileges of the user, and the function that returns them.

use serde_json::{Value, json};

use crate::{
    address::decode,
    conditions::Conditions,
    error::ODataError,
    metadata::{BUSINESS_UNIT, USER, metadata_id},
    table::{TABLES, Table},
    web_api::Request,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Append,
    AppendTo,
    Create,
    Read,
    Write,
}

const RIGHTS: [(Right, &str); 5] = [
    (Right::Append, "Append"),
    (Right::AppendTo, "AppendTo"),
    (Right::Create, "Create"),
    (Right::Read, "Read"),
    (Right::Write, "Write"),
];

/// A privilege: a right to the rows of a table.
#[derive(Debug)]
pub(crate) struct Privilege {
    right: Right,
    table: &'static Table,
}

impl Privilege {
    fn all() -> impl Iterator<Item = Self> {
        TABLES.into_iter().flat_map(|table| RIGHTS.into_iter().map(move |(right, _)| Self { right, table }))
    }

    pub(crate) fn exists(name: &str) -> bool {
        Self::all().any(|privilege| privilege.name() == name)
    }

    pub(crate) fn name(&self) -> String {
        let right = RIGHTS.into_iter().find(|(right, _)| *right == self.right).map_or("", |(_, name)| name);
        format!("prv{right}{}", self.words().0)
    }

    /// Name of the table in privileges, type code and display name. All activities share the privileges of `activitypointer`, and a
    /// conversation is an activity. Its type code differs between environments.
    fn words(&self) -> (&'static str, u32, &'static str) {
        match self.table.logical_name {
            "account" => ("Account", 1, "Account"),
            "contact" => ("Contact", 2, "Contact"),
            "incident" => ("Incident", 112, "Case"),
            _ => ("Activity", 10_345, "Conversation"),
        }
    }

    fn id(&self) -> String {
        metadata_id(&self.name())
    }

    /// Message of the error for a missing privilege.
    pub(crate) fn missing(&self) -> String {
        let (name, id, (_, code, label)) = (self.name(), self.id(), self.words());
        format!(
            "Principal user (Id={USER}, type=8, roleCount=1, privilegeCount=1, accessMode=0), is missing {name} privilege (Id={id}) on \
             OTC={code} for entity '{}' (LocalizedName='{label}'). context.Caller={USER}",
            self.table.logical_name
        )
    }
}

/// Fails if the caller lacks a privilege. Guesses: clearing a lookup needs no `Append`, and privileges are checked before rows.
pub(crate) fn check(conditions: &Conditions, right: Right, table: &'static Table) -> Result<(), ODataError> {
    let privilege = Privilege { right, table };
    if conditions.misses(&privilege.name()) { Err(ODataError::MissingPrivilege(privilege)) } else { Ok(()) }
}

/// The user and the parameter alias, if the path calls the function.
pub(crate) fn call(path: &str) -> Option<(&str, &str)> {
    let (user, call) = path.strip_prefix("systemusers(")?.split_once(")/Microsoft.Dynamics.CRM.")?;
    let alias = call.strip_prefix("RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=")?.strip_suffix(')')?;
    alias.starts_with('@').then_some((user, alias))
}

/// The requested privileges that the user has. Unknown names are skipped without an error.
pub(crate) fn respond(
    conditions: &Conditions,
    request: &Request,
    context: &str,
    (user, alias): (&str, &str),
) -> Result<Value, ODataError> {
    if !user.eq_ignore_ascii_case(USER) {
        return Err(ODataError::NotEmulated("the privileges of a user who is not the caller".to_owned()));
    }
    let (name, value) = request.query.as_deref().unwrap_or_default().split_once('=').unwrap_or_default();
    if decode(name)? != alias {
        return Err(ODataError::NotEmulated(format!("query options besides {alias}")));
    }
    let asked: Vec<String> = serde_json::from_str(&decode(&value.replace('+', " "))?)
        .map_err(|_| ODataError::NotEmulated("names that are not a JSON array".to_owned()))?;
    let held = Privilege::all().filter(|privilege| {
        let name = privilege.name();
        asked.contains(&name) && !conditions.misses(&name)
    });
    let none = uuid::Uuid::nil().to_string();
    let held = held.map(|privilege| {
        json!({
            "Depth": "Global",
            "PrivilegeId": privilege.id(),
            "BusinessUnitId": BUSINESS_UNIT,
            "PrivilegeName": privilege.name(),
            "RecordFilterId": none,
            "RecordFilterUniqueName": "",
        })
    });
    Ok(json!({
        "@odata.context": format!("{context}Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNamesResponse"),
        "RolePrivileges": held.collect::<Vec<_>>(),
    }))
}
