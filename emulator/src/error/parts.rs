//! Status, code and message of each error.

use serde_json::{Map, Value, json};

use super::kind::ODataError;
use crate::definitions::table::Table;

/// Code of the emulator's own errors. It looks unlike any Dataverse code, so that a client cannot confuse them.
const NOT_EMULATED: &str = "EMULATOR_NOT_IMPLEMENTED";

const PAYLOAD_HELP: &str =
    "For more information on this error please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293";

/// Status, code and message.
type Parts = (u16, &'static str, String);

impl ODataError {
    /// Status, code and message. `request` is the method and the path with query, for messages that name it.
    pub(crate) fn parts(&self, request: &str) -> Parts {
        let known = self.of_values().or_else(|| self.of_payload()).or_else(|| self.of_query());
        let known = known.or_else(|| self.of_address()).or_else(|| self.of_access());
        known.unwrap_or_else(|| {
            let why = if let Self::NotEmulated(why) = self { why.as_str() } else { "an error without a text" };
            (501, NOT_EMULATED, format!("The emulator does not support {request}: {why}."))
        })
    }

    /// Errors of values in a body.
    fn of_values(&self) -> Option<Parts> {
        Some(match self {
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
            ODataError::OutOfRange { table, name, range } => {
                let text = format!(
                    "A validation error occurred.  The value of '{name}' on record of type '{}' is outside the valid range. \
                     Accepted values: {} to {}.",
                    table.logical_name, range.min, range.max
                );
                (400, "0x80044330", text)
            }
            ODataError::NotAChoice { table, name, value, choices } => {
                let text = format!(
                    "A validation error occurred.  The value '{value}' of '{name}' on record of type '{}' is outside the valid \
                     range. Accepted Values: {choices}",
                    table.logical_name
                );
                (400, "0x8004431a", text)
            }
            ODataError::TooEarly => {
                let text = "DateTime is less than minumum value supported by CrmDateTime. Actual value is earlier than 01/01/1753.";
                (400, "0x80040239", text.to_owned())
            }
            ODataError::InvalidStatus { table, id, state, status } => {
                let text = format!(
                    "{status} is not a valid status code for state code {state} on {} with Id {id}.",
                    table.logical_name
                );
                (400, "0x80048408", text)
            }
            _ => return None,
        })
    }

    /// Errors of the form of a body.
    fn of_payload(&self) -> Option<Parts> {
        Some(match self {
            ODataError::UndeclaredProperty { table, name } => {
                let inner = format!(
                    "An undeclared property '{name}' which only has property annotations in the payload but no property value was \
                     found in the payload. In OData, only declared navigation properties and declared named streams can be \
                     represented as properties without values."
                );
                (400, "0x80048d19", in_payload(table, &inner))
            }
            ODataError::InvalidProperty { table, name } => {
                let kind = &table.logical_name;
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
            ODataError::DuplicateProperty { table, name } => {
                let inner = format!(
                    "Multiple properties with the name '{name}' were detected in a resource or complex value. Either resource \
                     property names must be unique."
                );
                (400, "0x80048d19", in_payload(table, &inner))
            }
            ODataError::WrongType { table, found } => {
                let inner = format!(
                    "A type named '{found}' is not assignable to the type 'Microsoft.Dynamics.CRM.{}' of the set.",
                    table.logical_name
                );
                (400, "0x80048d19", in_payload(table, &inner))
            }
            ODataError::BatchNotReadable(detail) => {
                (400, "0x80048d19", format!("Error identified in Payload provided by the user. {detail}"))
            }
            ODataError::TooManyParts => {
                let text = "The current batch message contains too many parts. Only batch messages with a maximum number of '1000' \
                            query operations and changesets are allowed.";
                (400, "0x80048d19", text.to_owned())
            }
            ODataError::NoContentId { id } => {
                let text = format!("Content-ID Reference: '{id}' does not exist in the batch context.");
                (400, "0x80048d19", text)
            }
            ODataError::InvalidArgument(detail) => (400, "0x80040203", detail.clone()),
            ODataError::PayloadTooLarge => {
                (413, "0x8004418a", "The size of the request exceeds the maximum allowed.".to_owned())
            }
            _ => return None,
        })
    }

    /// Errors of queries.
    fn of_query(&self) -> Option<Parts> {
        Some(match self {
            ODataError::PropertyNotFound { table, name } => {
                let kind = &table.logical_name;
                let text = format!("Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{kind}'.");
                (400, "0x80060888", text)
            }
            ODataError::QuerySyntax => (400, "0x80060888", "Bad Request - Error in query syntax.".to_owned()),
            ODataError::DeltaTokenExpired => (
                400,
                "0x80044352",
                "Version stamp associated with the client has expired. Please perform a full sync.".to_owned(),
            ),
            ODataError::NotWithChangeTracking { option } => {
                let text = format!("The \"{option}\" query parameter isn't supported when Change Tracking is enabled.");
                (400, "0x80060888", text)
            }
            ODataError::ChangeTrackingOff { table } => {
                let text = format!("Entity: {} does not support change tracking.", table.logical_name);
                (400, "0x80044353", text)
            }
            ODataError::InvalidFetchXml(detail) => (400, "0x8004111c", format!("Invalid XML. {detail}")),
            ODataError::AttributeNotFound { table, name } => {
                let text = format!("'{}' entity doesn't contain attribute with Name = '{name}'.", table.logical_name);
                (400, "0x80041103", text)
            }
            ODataError::SkipNotSupported => (400, "0x80060888", "Skip Clause is not supported in CRM".to_owned()),
            ODataError::IncompatibleTypes { one, other, operator } => {
                let text = format!(
                    "A binary operator with incompatible types was detected. Found operand types '{one}' and '{other}' for operator \
                     kind '{operator}'."
                );
                (400, "0x80060888", text)
            }
            _ => return None,
        })
    }

    /// Errors of what a URL or a name leads to.
    fn of_address(&self) -> Option<Parts> {
        Some(match self {
            ODataError::RowNotFound { table, id } => {
                (404, "0x80040217", format!("Entity '{}' With Id = {id} Does Not Exist", table.logical_name))
            }
            ODataError::SetNotFound { segment } => {
                (404, "0x8006088a", format!("Resource not found for the segment '{segment}'."))
            }
            ODataError::DefinitionNotFound { what, name } => {
                (404, "0x80060888", format!("Could not find an {what} with the key '{name}'."))
            }
            ODataError::TableNotFound { name } => {
                let text = format!("The entity with a name = '{name}' was not found in the MetadataCache.");
                (404, "0x80041102", text)
            }
            ODataError::KeyNotFound { table } => {
                let text =
                    format!("A record with the specified key values does not exist in {} entity", table.logical_name);
                (404, "0x80060891", text)
            }
            ODataError::KeyNotDefined { table } => {
                let text =
                    format!("The specified key attributes are not a defined key for the {} entity", table.logical_name);
                (400, "0x80060888", text)
            }
            ODataError::NoResource { uri } => {
                (404, "", format!("No HTTP resource was found that matches the request URI '{uri}'."))
            }
            _ => return None,
        })
    }

    /// Errors of conditions, rights and limits.
    fn of_access(&self) -> Option<Parts> {
        Some(match self {
            ODataError::Unauthorized => (401, "", String::new()),
            ODataError::DeleteRestricted { table, by } => {
                let text = format!(
                    "The object you tried to delete is associated with another object and cannot be deleted. A row of '{by}' \
                     refers to this '{}'.",
                    table.logical_name
                );
                (405, "0x80040227", text)
            }
            ODataError::AlreadyClosed { table } if table.logical_name == "incident" => {
                (400, "0x800404cf", "The case has already been resolved.".to_owned())
            }
            // A guess.
            ODataError::AlreadyClosed { table } => {
                (400, "0x80040203", format!("The {} is closed already.", table.logical_name))
            }
            ODataError::StaleVersion => {
                let text = "The version of the existing record doesn't match the RowVersion property provided.";
                (412, "0x80060882", text.to_owned())
            }
            ODataError::RowExists => {
                (412, "0x80040237", "A record with matching key values already exists.".to_owned())
            }
            ODataError::ConcurrencyOff { table } => (400, "0x8006088d", concurrency_off(table)),
            ODataError::Throttled { code, message, .. } => (429, code, message.clone()),
            ODataError::MayNotImpersonate { caller } => (403, "0x80040220", may_not_impersonate(caller)),
            ODataError::MissingPrivilege { message } => (403, "0x80040220", message.clone()),
            ODataError::NotAMember => (403, "0x80072560", "The user is not a member of the organization.".to_owned()),
            _ => return None,
        })
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
