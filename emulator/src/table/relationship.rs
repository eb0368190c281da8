//! Relationships of the conversation, by the names that solutions give them.

/// The lookup side of a one-to-many relationship.
#[derive(Debug)]
pub(crate) struct Relationship {
    pub(crate) schema_name: &'static str,
    pub(crate) referenced: &'static str,
    pub(crate) attribute: &'static str,
    pub(crate) navigation: &'static str,
}

/// The relationships with documented schema names.
pub(crate) static RELATIONSHIPS: [Relationship; 4] = [
    Relationship {
        schema_name: "msdyn_account_msdyn_ocliveworkitem_Customer",
        referenced: "account",
        attribute: "msdyn_customer",
        navigation: "msdyn_customer_msdyn_ocliveworkitem_account",
    },
    Relationship {
        schema_name: "msdyn_contact_msdyn_ocliveworkitem_Customer",
        referenced: "contact",
        attribute: "msdyn_customer",
        navigation: "msdyn_customer_msdyn_ocliveworkitem_contact",
    },
    Relationship {
        schema_name: "msdyn_incident_msdyn_ocliveworkitem",
        referenced: "incident",
        attribute: "msdyn_issueid",
        navigation: "msdyn_IssueId_msdyn_ocliveworkitem",
    },
    Relationship {
        schema_name: "account_msdyn_ocliveworkitems",
        referenced: "account",
        attribute: "regardingobjectid",
        navigation: "regardingobjectid_account_msdyn_ocliveworkitem",
    },
];
