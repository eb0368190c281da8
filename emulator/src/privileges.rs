//! What the caller may do, and the function that tells which privileges a user has.

use serde_json::{Value, json};

use crate::{
    address::decode,
    conditions::Conditions,
    fault::Fault,
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

    /// How privileges, codes and people call the table. All kinds of activities share the privileges of `activitypointer`, and a
    /// conversation is one. Its type code is another in every environment.
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

    /// The text of the fault when it is missing.
    pub(crate) fn missing(&self) -> String {
        let (name, id, (_, code, label)) = (self.name(), self.id(), self.words());
        format!(
            "Principal user (Id={USER}, type=8, roleCount=1, privilegeCount=1, accessMode=0), is missing {name} privilege (Id={id}) on \
             OTC={code} for entity '{}' (LocalizedName='{label}'). context.Caller={USER}",
            self.table.logical_name
        )
    }
}

/// Refuses what the caller may not do. That a null takes no `Append`, and that privileges are looked at before rows, are guesses.
pub(crate) fn check(conditions: &Conditions, right: Right, table: &'static Table) -> Result<(), Fault> {
    let privilege = Privilege { right, table };
    if conditions.misses(&privilege.name()) { Err(Fault::MissingPrivilege(privilege)) } else { Ok(()) }
}

/// Of a path below the version: the user and the alias, if it calls the function.
pub(crate) fn call(path: &str) -> Option<(&str, &str)> {
    let (user, call) = path.strip_prefix("systemusers(")?.split_once(")/Microsoft.Dynamics.CRM.")?;
    let alias = call.strip_prefix("RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=")?.strip_suffix(')')?;
    alias.starts_with('@').then_some((user, alias))
}

/// Of the privileges asked for, those the user has. A name that no privilege has is not among them, and is no error.
pub(crate) fn answer(
    conditions: &Conditions,
    request: &Request,
    context: &str,
    (user, alias): (&str, &str),
) -> Result<Value, Fault> {
    if !user.eq_ignore_ascii_case(USER) {
        return Err(Fault::NotEmulated("the privileges of a user who is not the caller".to_owned()));
    }
    let (name, value) = request.query.as_deref().unwrap_or_default().split_once('=').unwrap_or_default();
    if decode(name)? != alias {
        return Err(Fault::NotEmulated(format!("a query that is not {alias} alone")));
    }
    let asked: Vec<String> = serde_json::from_str(&decode(&value.replace('+', " "))?)
        .map_err(|_| Fault::NotEmulated("names that are no JSON array".to_owned()))?;
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
