//! All OData errors of the emulator, each with status, code and message.

use serde_json::{Map, Value, json};

use crate::{privileges::Privilege, query::QueryError, table::Table};

/// Code of the emulator's own errors. It looks unlike any Dataverse code, so that a client cannot confuse them.
const NOT_EMULATED: &str = "EMULATOR_NOT_IMPLEMENTED";

const PAYLOAD_HELP: &str =
    "For more information on this error please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293";

#[derive(Debug)]
pub(crate) enum ODataError {
    /// The bearer token is missing or invalid.
    Unauthorized,
    RowNotFound {
        table: &'static Table,
        id: String,
    },
    SetNotFound {
        segment: String,
    },
    /// A name in `$select` that is not a column.
    PropertyNotFound {
        table: &'static Table,
        name: String,
    },
    QuerySyntax,
    /// `<name>@odata.bind` without a navigation property of that name.
    UndeclaredProperty {
        table: &'static Table,
        name: String,
    },
    /// A value in the body whose name is not a column.
    InvalidProperty {
        table: &'static Table,
        name: String,
    },
    BodyNotReadable {
        table: &'static Table,
        detail: String,
    },
    WrongLiteral {
        table: &'static Table,
        literal: String,
        expected: &'static str,
    },
    /// A bind to a set that the navigation property cannot point to. Microsoft does not document the message.
    WrongBindType {
        table: &'static Table,
        navigation: String,
        expected: &'static str,
        found: String,
    },
    /// Two values for one lookup. Microsoft documents neither the error nor the message.
    TwoValues {
        table: &'static Table,
        lookup: String,
    },
    /// `_x_value: null`
    LookupNotNullable {
        name: String,
    },
    /// A lookup written by its column name.
    LookupNotWritable,
    /// Null for a lookup's column name.
    UntypedValue {
        table: &'static Table,
        name: String,
    },
    TooLong {
        table: &'static Table,
        name: &'static str,
        limit: usize,
    },
    InvalidStatus {
        table: &'static Table,
        id: String,
        state: String,
        status: i64,
    },
    /// The method does not fit the URL.
    NoResource {
        uri: String,
    },
    StaleVersion,
    RowExists,
    PayloadTooLarge,
    /// An `ETag` in `If-Match` on a table without optimistic concurrency.
    ConcurrencyOff {
        table: &'static Table,
    },
    /// A service protection limit was exceeded.
    Throttled {
        code: &'static str,
        message: String,
        retry_after_in_seconds: u64,
    },
    /// The privilege to impersonate the caller in the header is missing.
    MayNotImpersonate {
        caller: String,
    },
    /// A valid token of an application that is not a user of the environment.
    NotAMember,
    /// An error in a query or in an alternate key.
    Query(QueryError),
    MissingPrivilege(Privilege),
    /// Behaviour of Dataverse that is unknown. The string describes the case.
    NotEmulated(String),
}

impl From<QueryError> for ODataError {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl ODataError {
    /// Status, code and message. `request` is the method and the path with query, for messages that name it.
    pub(crate) fn parts(&self, request: &str) -> (u16, &'static str, String) {
        match self {
            ODataError::Unauthorized => (401, "", String::new()),
            ODataError::RowNotFound { table, id } => {
                (404, "0x80040217", format!("Entity '{}' With Id = {id} Does Not Exist", table.logical_name))
            }
            ODataError::SetNotFound { segment } => {
                (404, "0x8006088a", format!("Resource not found for the segment '{segment}'."))
            }
            ODataError::PropertyNotFound { table, name } => {
                let kind = table.logical_name;
                let text = format!("Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{kind}'.");
                (400, "0x80060888", text)
            }
            ODataError::QuerySyntax => (400, "0x80060888", "Bad Request - Error in query syntax.".to_owned()),
            ODataError::UndeclaredProperty { table, name } => {
                let inner = format!(
                    "An undeclared property '{name}' which only has property annotations in the payload but no property value was \
                     found in the payload. In OData, only declared navigation properties and declared named streams can be \
                     represented as properties without values."
                );
                (400, "0x80048d19", in_payload(table, &inner))
            }
            ODataError::InvalidProperty { table, name } => {
                let kind = table.logical_name;
                let text = format!(
                    "Invalid property '{name}' was found in entity 'Microsoft.Dynamics.CRM.{kind}'. ---> \
                     Microsoft.OData.ODataException: The property '{name}' does not exist on type \
                     'Microsoft.Dynamics.CRM.{kind}'. Make sure to only use property names that are defined by the type."
                );
                (400, "0x80048d19", text)
            }
            ODataError::BodyNotReadable { table, detail } => {
                (400, "0x80048d19", in_payload(table, &format!("Stream was not readable. {detail}")))
            }
            ODataError::WrongLiteral { table, literal, expected } => {
                let inner = format!("Cannot convert the literal '{literal}' to the expected type '{expected}'.");
                (400, "0x80048d19", in_payload(table, &inner))
            }
            ODataError::WrongBindType { table, navigation, expected, found } => {
                let inner = format!(
                    "'{found}' does not lead to the type 'Microsoft.Dynamics.CRM.{expected}' of '{navigation}'."
                );
                (400, "0x80048d19", in_payload(table, &inner))
            }
            ODataError::TwoValues { table, lookup } => {
                (400, "0x80048d19", in_payload(table, &format!("More than one value for '{lookup}'.")))
            }
            ODataError::LookupNotNullable { name } => {
                let text =
                    format!("Property {name} cannot be updated to null. The reference property can only be deleted.");
                (400, "0x80060888", text)
            }
            ODataError::LookupNotWritable => {
                let text = "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.";
                (400, "0x80060888", text.to_owned())
            }
            ODataError::UntypedValue { table, name } => {
                let inner = format!("Does not support untyped value in non-open type. Property: '{name}'.");
                (400, "0x80048d19", in_payload(table, &inner))
            }
            ODataError::TooLong { table, name, limit } => {
                let text = format!(
                    "A validation error occurred.  The length of the '{name}' attribute of the '{}' entity exceeded the maximum \
                     allowed length of '{limit}'.",
                    table.logical_name
                );
                (400, "0x80044331", text)
            }
            ODataError::InvalidStatus { table, id, state, status } => {
                let text = format!(
                    "{status} is not a valid status code for state code {state} on {} with Id {id}.",
                    table.logical_name
                );
                (400, "0x80048408", text)
            }
            ODataError::NoResource { uri } => {
                (404, "", format!("No HTTP resource was found that matches the request URI '{uri}'."))
            }
            ODataError::StaleVersion => {
                let text = "The version of the existing record doesn't match the RowVersion property provided.";
                (412, "0x80060882", text.to_owned())
            }
            ODataError::RowExists => {
                (412, "0x80040237", "A record with matching key values already exists.".to_owned())
            }
            ODataError::PayloadTooLarge => {
                (413, "0x8004418a", "The size of the request exceeds the maximum allowed.".to_owned())
            }
            ODataError::ConcurrencyOff { table } => (400, "0x8006088d", concurrency_off(table)),
            ODataError::Throttled { code, message, .. } => (429, code, message.clone()),
            ODataError::MayNotImpersonate { caller } => (403, "0x80040220", may_not_impersonate(caller)),
            ODataError::Query(error) => error.parts(),
            ODataError::MissingPrivilege(privilege) => (403, "0x80040220", privilege.missing()),
            ODataError::NotAMember => (403, "0x80072560", "The user is not a member of the organization.".to_owned()),
            ODataError::NotEmulated(why) => {
                (501, NOT_EMULATED, format!("The emulator does not support {request}: {why}."))
            }
        }
    }
}

fn in_payload(table: &Table, inner: &str) -> String {
    format!(
        "Error identified in Payload provided by the user for Entity :'{}', {PAYLOAD_HELP}  ---->  InnerException : \
         Microsoft.OData.ODataException: {inner}",
        table.set
    )
}

fn concurrency_off(table: &Table) -> String {
    format!(
        "Optimistic concurrency isn't enabled for entity type {}. The IfVersionMatches value of ConcurrencyBehavior can only be used \
         if optimistic concurrency is enabled.",
        table.logical_name
    )
}

fn may_not_impersonate(caller: &str) -> String {
    format!(
        "Principal user (Id={caller}, type=8, roleCount=1, privilegeCount=1, accessMode=0), is missing \
         prvActOnBehalfOfAnotherUser privilege."
    )
}

/// The OData error body. With all annotations requested it has the additional documented members.
pub(crate) fn body(code: &str, message: &str, with_annotations: bool) -> Value {
    let mut error = Map::new();
    error.insert("code".to_owned(), code.into());
    error.insert("message".to_owned(), message.into());
    if with_annotations {
        error.insert("@Microsoft.PowerApps.CDS.ErrorDetails.OperationStatus".to_owned(), "0".into());
        error.insert("@Microsoft.PowerApps.CDS.ErrorDetails.SubErrorCode".to_owned(), "0".into());
        error.insert("@Microsoft.PowerApps.CDS.HelpLink".to_owned(), format!("http://go.microsoft.com/fwlink/?LinkID=398563&error=Microsoft.Crm.CrmException%3a{code}&client=platform").into());
        error.insert("@Microsoft.PowerApps.CDS.TraceText".to_owned(), "".into());
        error.insert("@Microsoft.PowerApps.CDS.InnerError.Message".to_owned(), message.into());
    }
    json!({ "error": error })
}
