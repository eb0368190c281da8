//! Names of tables, columns and navigation properties in Dataverse. All are case-sensitive.

use crate::{
    domain::{EntityLogicalName, KeyValue, MalformedGuid, RecordKey},
    error::LinkError,
};

/// A table whose records can be linked to conversations.
pub struct Table {
    pub entity_set: &'static str,
    pub id: &'static str,
    /// Column of the name that users see.
    pub name: &'static str,
    /// Property of a conversation that links a record of this table.
    pub navigation: &'static str,
    /// Column of a conversation that holds the linked id.
    pub lookup: &'static str,
    /// Privilege to link its records to others.
    pub privilege: &'static str,
}

#[must_use]
pub const fn table(entity: EntityLogicalName) -> &'static Table {
    match entity {
        EntityLogicalName::Account => &Table {
            entity_set: "accounts",
            id: "accountid",
            name: "name",
            navigation: "msdyn_customer_msdyn_ocliveworkitem_account",
            lookup: conversation::CUSTOMER,
            privilege: "prvAppendToAccount",
        },
        EntityLogicalName::Contact => &Table {
            entity_set: "contacts",
            id: "contactid",
            name: "fullname",
            navigation: "msdyn_customer_msdyn_ocliveworkitem_contact",
            lookup: conversation::CUSTOMER,
            privilege: "prvAppendToContact",
        },
        EntityLogicalName::Incident => &Table {
            entity_set: "incidents",
            id: "incidentid",
            name: "title",
            navigation: "msdyn_IssueId_msdyn_ocliveworkitem",
            lookup: conversation::CASE,
            privilege: "prvAppendToIncident",
        },
    }
}

/// The table of conversations and its columns.
pub mod conversation {
    pub const ENTITY: &str = "msdyn_ocliveworkitem";
    pub const ENTITY_SET: &str = "msdyn_ocliveworkitems";
    /// Id. The table is an activity, so it is not `msdyn_ocliveworkitemid`, which is a string.
    pub const ID: &str = "activityid";
    pub const STATUS: &str = "statuscode";
    pub const SUBJECT: &str = "subject";
    pub const CREATED_ON: &str = "createdon";
    pub const CUSTOMER: &str = "_msdyn_customer_value";
    pub const CUSTOMER_ENTITY: &str = "_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname";
    pub const CUSTOMER_NAME: &str = "_msdyn_customer_value@OData.Community.Display.V1.FormattedValue";
    pub const CASE: &str = "_msdyn_issueid_value";
    pub const CASE_NAME: &str = "_msdyn_issueid_value@OData.Community.Display.V1.FormattedValue";
    /// The agent who handles the conversation, or who handled it last.
    pub const AGENT: &str = "_msdyn_activeagentid_value";
}

/// The key of these columns. Values are parsed as ids in the table's id column, and in `_x_value` of a lookup `x`.
///
/// # Errors
/// `INVALID_ARGUMENT` if a name is not a logical name of a column, or a value is not an id where one is needed.
pub fn record_key(entity: EntityLogicalName, columns: Vec<(String, KeyValue)>) -> Result<RecordKey, LinkError> {
    let invalid = |why: String| LinkError::invalid_argument("key", why);
    if columns.is_empty() {
        return Err(invalid("expected at least one column".to_owned()));
    }
    let columns = columns.into_iter().map(|(name, value)| {
        let lookup = name.strip_prefix('_').and_then(|name| name.strip_suffix("_value"));
        if !is_logical_name(lookup.unwrap_or(&name)) {
            return Err(invalid(format!("'{}' is not a logical name of a column", name.escape_debug())));
        }
        if lookup.is_none() && name != table(entity).id {
            return Ok((name, value));
        }
        let malformed = |why: MalformedGuid, got: &str| {
            LinkError::invalid_argument(&format!("key.{name}"), format!("{why}, got {got}"))
        };
        let id = match &value {
            KeyValue::Id(id) => *id,
            KeyValue::Text(text) => {
                text.parse().map_err(|why| malformed(why, &format!("'{}'", text.escape_debug())))?
            }
            KeyValue::Number(_) => return Err(malformed(MalformedGuid, "a number")),
            KeyValue::Flag(_) => return Err(malformed(MalformedGuid, "a boolean")),
        };
        Ok((name, KeyValue::Id(id)))
    });
    Ok(RecordKey { entity, columns: columns.collect::<Result<_, _>>()? })
}

fn is_logical_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
