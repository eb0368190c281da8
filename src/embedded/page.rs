//! A page of rows as a Web API GET returns it, read into what the store keeps. Other columns are passed over.
#![expect(clippy::option_option, reason = "a column is absent, null or a value: the first leaves the row's as it was")]

use std::time::UNIX_EPOCH;

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny},
};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    domain::{AgentId, ConversationId, EntityLogicalName, RecordId, RecordReference, time},
    error::{Code, LinkError},
};

/// The rows of one page, checked. A column is `None` if the row does not have it, `Some(None)` if it is null.
#[derive(Debug)]
pub(super) struct Page {
    /// What errors call it: the path, or the argument.
    pub(super) origin: String,
    pub(super) entity_set: &'static str,
    pub(super) rows: Rows,
    /// The page ended with `@odata.nextLink`.
    pub(super) more_rows_exist: bool,
}

#[derive(Debug)]
pub(super) enum Rows {
    Records(EntityLogicalName, Vec<RecordRow>),
    Conversations(Vec<ConversationRow>),
}

#[derive(Debug)]
pub(super) struct RecordRow {
    pub(super) id: RecordId,
    pub(super) name: Option<Option<String>>,
    /// What else a record can be found by: texts, numbers and flags of the row, as a JSON object.
    pub(super) columns: String,
}

#[derive(Debug)]
pub(super) struct ConversationRow {
    pub(super) id: ConversationId,
    pub(super) status: Option<i32>,
    pub(super) customer: Option<Option<RecordReference>>,
    pub(super) case: Option<Option<RecordId>>,
    pub(super) subject: Option<Option<String>>,
    /// In seconds since 1970.
    pub(super) created_on: Option<Option<i64>>,
    pub(super) agent: Option<Option<AgentId>>,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Records(_, rows) => rows.len(),
            Self::Conversations(rows) => rows.len(),
        }
    }
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Envelope<'a> {
    #[serde(rename = "@odata.context")]
    context: Option<String>,
    #[serde(borrow)]
    value: Option<Vec<&'a RawValue>>,
    #[serde(rename = "@odata.nextLink")]
    next_link: Option<IgnoredAny>,
}

/// Reads a page.
///
/// # Errors
/// `INVALID_ARGUMENT`, naming `origin`, and for a bad row its index and the reason.
pub(super) fn parse(text: &str, origin: &str) -> Result<Page, LinkError> {
    let text = text.trim_start_matches('\u{feff}');
    let envelope: Envelope<'_> = serde_json::from_str(text)
        .map_err(|error| not_a_page(origin, &format!("it is not a JSON object with `@odata.context` ({error})")))?;
    let context = envelope.context.as_deref().unwrap_or_default();
    let rows = match envelope.value {
        Some(rows) => rows,
        // A GET of one row is the row itself.
        None if context.ends_with("/$entity") => {
            vec![serde_json::from_str(text).map_err(|error| not_a_page(origin, &error.to_string()))?]
        }
        None => return Err(not_a_page(origin, "it has no `value` array")),
    };
    let set = context.split_once("$metadata#").map_or("", |(_, set)| set);
    let set = set.split(['(', '/']).next().unwrap_or_default();
    let (entity_set, rows) = match set {
        "accounts" => ("accounts", parse_records::<AccountRow>(&rows, EntityLogicalName::Account)),
        "contacts" => ("contacts", parse_records::<ContactRow>(&rows, EntityLogicalName::Contact)),
        "incidents" => ("incidents", parse_records::<IncidentRow>(&rows, EntityLogicalName::Incident)),
        "msdyn_ocliveworkitems" => ("msdyn_ocliveworkitems", parse_conversations(&rows)),
        _ => {
            return Err(not_a_page(
                origin,
                &format!(
                    "its `@odata.context` names {}, not accounts, contacts, incidents or msdyn_ocliveworkitems",
                    if set.is_empty() { "no table" } else { set }
                ),
            ));
        }
    };
    let rows = rows.map_err(|(index, reason)| bad_row(origin, index, &reason))?;
    Ok(Page { origin: origin.to_owned(), entity_set, rows, more_rows_exist: envelope.next_link.is_some() })
}

/// One row refuses the whole page.
pub(super) fn bad_row(origin: &str, index: usize, reason: &str) -> LinkError {
    LinkError::new(Code::InvalidArgument, format!("{origin}: row {index} of `value`: {reason}."))
        .hint("Nothing was imported; mend or remove the row and import the page again.")
}

fn not_a_page(origin: &str, reason: &str) -> LinkError {
    LinkError::new(Code::InvalidArgument, format!("{origin}: not a page of a Web API GET: {reason}."))
        .hint("A page is the whole answer: an object with `@odata.context` and `value`.")
}

macro_rules! record_row {
    ($name:ident, $id:literal, $primary_name:literal) => {
        #[derive(Deserialize)]
        struct $name {
            #[serde(rename = $id)]
            id: RecordId,
            #[serde(rename = $primary_name, default, deserialize_with = "present")]
            name: Option<Option<String>>,
        }

        impl From<($name, String)> for RecordRow {
            fn from((row, columns): ($name, String)) -> Self {
                Self { id: row.id, name: row.name, columns }
            }
        }
    };
}

record_row!(AccountRow, "accountid", "name");
record_row!(ContactRow, "contactid", "fullname");
record_row!(IncidentRow, "incidentid", "title");

#[derive(Deserialize)]
struct LiveWorkItem {
    activityid: ConversationId,
    #[serde(default, deserialize_with = "present")]
    statuscode: Option<i32>,
    #[serde(rename = "_msdyn_customer_value", default, deserialize_with = "present")]
    customer: Option<Option<RecordId>>,
    #[serde(rename = "_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname")]
    customer_entity: Option<String>,
    #[serde(rename = "_msdyn_issueid_value", default, deserialize_with = "present")]
    case: Option<Option<RecordId>>,
    #[serde(default, deserialize_with = "present")]
    subject: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    createdon: Option<Option<Time>>,
    #[serde(rename = "_msdyn_activeagentid_value", default, deserialize_with = "present")]
    agent: Option<Option<AgentId>>,
}

/// In seconds since 1970, as the Web API writes it.
struct Time(i64);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let text = String::deserialize(value)?;
        let time = time::parse(&text).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let seconds = time.and_then(|time| i64::try_from(time.as_secs()).ok());
        seconds.map(Self).ok_or_else(|| de::Error::custom("expected a time such as 2026-11-21T10:00:00Z"))
    }
}

fn parse_records<'a, T>(rows: &[&'a RawValue], entity: EntityLogicalName) -> Result<Rows, (usize, String)>
where
    T: Deserialize<'a>,
    (T, String): Into<RecordRow>,
{
    parse_rows(rows, |row: T, text| Ok((row, columns(text)).into())).map(|rows| Rows::Records(entity, rows))
}

/// Annotations and whatever is no single value are left out.
fn columns(row: &str) -> String {
    let mut columns: Map<String, Value> = serde_json::from_str(row).unwrap_or_default();
    columns.retain(|name, value| !name.contains('@') && !value.is_array() && !value.is_object());
    Value::Object(columns).to_string()
}

fn parse_conversations(rows: &[&RawValue]) -> Result<Rows, (usize, String)> {
    parse_rows(rows, |row: LiveWorkItem, _| {
        let entity = row.customer_entity.as_deref();
        let customer = match row.customer {
            Some(Some(id)) => Some(Some(RecordReference { entity: customer_entity(entity)?, id })),
            Some(None) => Some(None),
            None => None,
        };
        Ok(ConversationRow {
            id: row.activityid,
            status: row.statuscode,
            customer,
            case: row.case,
            subject: row.subject,
            created_on: row.createdon.map(|time| time.map(|Time(seconds)| seconds)),
            agent: row.agent,
        })
    })
    .map(Rows::Conversations)
}

/// Without the annotation nobody can tell an account from a contact.
fn customer_entity(annotation: Option<&str>) -> Result<EntityLogicalName, String> {
    const NAME: &str = "`_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname`";
    match annotation.map(str::parse) {
        Some(Ok(entity @ (EntityLogicalName::Account | EntityLogicalName::Contact))) => Ok(entity),
        Some(_) => Err(format!("{NAME} is neither 'account' nor 'contact'")),
        None => Err(format!(
            "{NAME} is missing; ask for it with the header Prefer: odata.include-annotations=\"Microsoft.Dynamics.CRM.lookuplogicalname\""
        )),
    }
}

fn parse_rows<'a, T, R>(
    rows: &[&'a RawValue],
    mut convert: impl FnMut(T, &str) -> Result<R, String>,
) -> Result<Vec<R>, (usize, String)>
where
    T: Deserialize<'a>,
{
    rows.iter()
        .enumerate()
        .map(|(index, row)| {
            let mut json = serde_json::Deserializer::from_str(row.get());
            let parsed: T = serde_path_to_error::deserialize(&mut json).map_err(|error| (index, reason(&error)))?;
            convert(parsed, row.get()).map_err(|reason| (index, reason))
        })
        .collect()
}

/// The column and what is wrong with it, without serde's line and column: they count from the row's own beginning.
fn reason(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let cause = error.inner().to_string();
    let cause = cause.split(" at line ").next().unwrap_or_default();
    match error.path().to_string().as_str() {
        "." => cause.to_owned(),
        column => format!("`{column}`: {cause}"),
    }
}

/// Tells a column that is null from one that is absent.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6b726d86-d37c-43b8-b3a4-c4056ddd2e07";

    fn page(set: &str, row: &str) -> Result<Page, LinkError> {
        parse(&format!(r#"{{"value":[{row}],"@odata.context":"https://x/$metadata#{set}(a,b)"}}"#), "page.json")
    }

    fn refusal(set: &str, row: &str) -> String {
        page(set, row).unwrap_err().message().to_owned()
    }

    #[test]
    fn the_context_may_come_last_and_names_the_table() {
        let page = page("incidents", &format!(r#"{{"incidentid":"{ID}","title":"Leak","unknown":1}}"#)).unwrap();
        let Rows::Records(EntityLogicalName::Incident, rows) = page.rows else { panic!("{page:?}") };
        assert_eq!(rows[0].name, Some(Some("Leak".to_owned())));
        assert!(!page.more_rows_exist);
    }

    #[test]
    fn absent_and_null_columns_differ() {
        let page = page("msdyn_ocliveworkitems", &format!(r#"{{"activityid":"{ID}","_msdyn_issueid_value":null}}"#));
        let Rows::Conversations(rows) = page.unwrap().rows else { panic!() };
        assert_eq!((rows[0].case, rows[0].customer, rows[0].status), (Some(None), None, None));
    }

    #[test]
    fn a_single_row_is_a_page_too() {
        let text = format!(r#"{{"@odata.context":"https://x/$metadata#accounts/$entity","accountid":"{ID}"}}"#);
        assert_eq!(parse(&text, "page").unwrap().rows.len(), 1);
    }

    #[test]
    fn a_next_link_means_more_rows() {
        let text = r#"{"@odata.context":"$metadata#accounts","value":[],"@odata.nextLink":"https://x"}"#;
        assert!(parse(text, "page").unwrap().more_rows_exist);
    }

    #[test]
    fn a_bad_row_is_named_with_index_column_and_reason() {
        let good = format!(r#"{{"activityid":"{ID}","statuscode":2}}"#);
        for (row, expected) in [
            ("{}".to_owned(), "missing field `activityid`"),
            ("7".to_owned(), "invalid type: integer `7`"),
            (r#"{"activityid":"x"}"#.to_owned(), "`activityid`: expected a GUID"),
            (format!(r#"{{"activityid":"{ID}","createdon":"yesterday"}}"#), "`createdon`: expected a time such as"),
            (format!(r#"{{"activityid":"{ID}","statuscode":"2"}}"#), "`statuscode`: invalid type: string"),
            (format!(r#"{{"activityid":"{ID}","_msdyn_customer_value":"{ID}"}}"#), "lookuplogicalname` is missing"),
            (
                format!(
                    r#"{{"activityid":"{ID}","_msdyn_customer_value":"{ID}","_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname":"lead"}}"#
                ),
                "neither 'account' nor 'contact'",
            ),
        ] {
            let message = refusal("msdyn_ocliveworkitems", &format!("{good},{row}"));
            assert!(message.starts_with("page.json: row 1 of `value`: "), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for text in ["", "[]", "{}", "null", r#"{"value":[]}"#, r#"{"@odata.context":"$metadata#leads","value":[]}"#] {
            assert_eq!(parse(text, "page").unwrap_err().code(), Code::InvalidArgument, "{text}");
        }
    }
}
