//! What came back, as pure functions.

use serde::{Deserialize, Deserializer};

use super::{fault, version::Version};
use crate::{
    domain::{
        AgentId, Conversation, ConversationDetails, ConversationId, EntityLogicalName, RecordId, RecordReference, time,
    },
    error::LinkError,
    http::AuthorizedResponse,
};

/// A conversation and the version it was read at, from one and the same answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) conversation: Conversation,
    pub(super) etag: Version,
}

/// The selected columns. A lookup that decisions rest on is not absent when it is null, so both must be there.
#[derive(Deserialize)]
pub(super) struct LiveWorkItem {
    #[serde(rename = "@odata.etag")]
    etag: Option<String>,
    activityid: ConversationId,
    statuscode: i32,
    #[serde(rename = "_msdyn_customer_value", deserialize_with = "required")]
    customer: Option<RecordId>,
    #[serde(rename = "_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname")]
    customer_entity: Option<String>,
    #[serde(rename = "_msdyn_customer_value@OData.Community.Display.V1.FormattedValue")]
    customer_name: Option<String>,
    #[serde(rename = "_msdyn_issueid_value", deserialize_with = "required")]
    case: Option<RecordId>,
    #[serde(rename = "_msdyn_issueid_value@OData.Community.Display.V1.FormattedValue")]
    case_name: Option<String>,
    subject: Option<String>,
    createdon: Option<String>,
    #[serde(rename = "_msdyn_activeagentid_value")]
    agent: Option<AgentId>,
}

impl LiveWorkItem {
    /// The part that decisions rest on, or why it is not there.
    pub(super) fn conversation(&self) -> Result<Conversation, &'static str> {
        let customer = match self.customer {
            None => None,
            Some(id) => match self.customer_entity.as_deref().map(str::parse) {
                Some(Ok(entity @ (EntityLogicalName::Account | EntityLogicalName::Contact))) => {
                    Some(RecordReference { entity, id })
                }
                _ => return Err("the customer is annotated neither as an account nor as a contact"),
            },
        };
        let case = self.case.map(|id| RecordReference { entity: EntityLogicalName::Incident, id });
        Ok(Conversation { id: self.activityid, status: self.statuscode.into(), customer, case })
    }

    /// The whole of it.
    pub(super) fn details(self, conversation: Conversation) -> ConversationDetails {
        ConversationDetails {
            conversation,
            subject: self.subject,
            created_on: self.createdon.and_then(|text| time::parse(&text)),
            agent: self.agent,
            customer_name: self.customer_name,
            case_name: self.case_name,
        }
    }
}

/// Null is fine, absence is not: serde lets an `Option` be absent unless its deserializer is named.
fn required<'de, D: Deserializer<'de>>(value: D) -> Result<Option<RecordId>, D::Error> {
    Option::deserialize(value)
}

/// The row in a successful answer.
///
/// # Errors
/// `PROTOCOL` if it is anything else.
pub(super) fn row(answer: &AuthorizedResponse, expected: ConversationId) -> Result<Row, LinkError> {
    item(answer, expected).map(|(row, _)| row)
}

/// The row, and all that was selected.
pub(super) fn item(answer: &AuthorizedResponse, expected: ConversationId) -> Result<(Row, LiveWorkItem), LinkError> {
    let not_a_row = |why: &str| fault::protocol(answer, &format!("the answer is not the conversation's row: {why}"));
    let mut json = serde_json::Deserializer::from_slice(&answer.response.body);
    let item: LiveWorkItem =
        serde_path_to_error::deserialize(&mut json).map_err(|error| match error.path().to_string().as_str() {
            "." => not_a_row(&error.inner().to_string()),
            column => not_a_row(&format!("`{column}`: {}", error.inner())),
        })?;
    if item.activityid != expected {
        return Err(not_a_row(&format!("it is conversation {}", item.activityid)));
    }
    let conversation = item.conversation().map_err(not_a_row)?;
    // The row's own, if it has one: proxies change headers.
    let etag = item.etag.as_deref().map_or_else(|| Version::of(&answer.response.headers), Version::parse);
    let etag = etag.map_err(|why| {
        fault::protocol(answer, why).hint("A proxy on the way may strip or change it; writes depend on it.")
    })?;
    Ok((Row { conversation, etag }, item))
}

/// What a PATCH showed of its result: nothing (204, or a body without an `ETag`), or the row.
pub(super) fn representation(answer: &AuthorizedResponse, id: ConversationId) -> Option<Row> {
    row(answer, id).ok()
}

/// Passes a successful answer on, and explains every other one.
pub(super) fn success(answer: AuthorizedResponse) -> Result<AuthorizedResponse, LinkError> {
    if answer.response.status.is_success() { Ok(answer) } else { Err(fault::explain(&answer)) }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::{
        domain::Status,
        error::Code,
        http::{HttpResponse, Token},
    };

    const ID: &str = "7b7c9a3e-0d11-4f9e-9c39-5d0f6f3b1a01";
    const CUSTOMER: &str = "2d9f1c55-7b0a-4a9b-8f2e-0e4a7c1f9b10";

    fn answer(body: &str) -> AuthorizedResponse {
        answer_with(HeaderMap::new(), body)
    }

    fn answer_with(headers: HeaderMap, body: &str) -> AuthorizedResponse {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let response = HttpResponse { status: StatusCode::OK, headers, body };
        AuthorizedResponse { response, token: Token::new("s3cret").unwrap() }
    }

    fn parse(body: &str) -> Result<Row, LinkError> {
        row(&answer(body), ID.parse().unwrap())
    }

    #[test]
    fn a_row_is_read_with_its_version() {
        let row = parse(&format!(
            r#"{{"@odata.etag":"W/\"1\"","activityid":"{ID}","statecode":0,"statuscode":2,"_msdyn_issueid_value":null,
            "_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname":"contact","_msdyn_customer_value":"{CUSTOMER}"}}"#
        ))
        .unwrap();
        assert_eq!(row.etag.condition(), "W/\"1\"");
        assert_eq!(row.conversation.status, Status::ACTIVE);
        assert_eq!(row.conversation.customer.unwrap().to_string(), format!("contact {CUSTOMER}"));
        assert_eq!(row.conversation.case, None);
    }

    #[test]
    fn the_version_is_the_bodys_or_else_the_headers_and_never_anything_else() {
        let rest =
            format!(r#""activityid":"{ID}","statuscode":2,"_msdyn_customer_value":null,"_msdyn_issueid_value":null"#);
        let read = |header: Option<&str>, body: Option<&str>| {
            let headers = header.map(|etag| (http::header::ETAG, etag.parse().unwrap())).into_iter().collect();
            let body = body.map_or_else(String::new, |etag| format!(r#""@odata.etag":{},"#, serde_json::json!(etag)));
            row(&answer_with(headers, &format!("{{{body}{rest}}}")), ID.parse().unwrap())
        };
        assert_eq!(read(Some(r#"W/"2""#), None).unwrap().etag.condition(), r#"W/"2""#);
        for header in [None, Some("*"), Some(r#"W/"2""#)] {
            assert_eq!(read(header, Some(r#"W/"1""#)).unwrap().etag.condition(), r#"W/"1""#, "{header:?}");
        }
        for odd in ["*", "", "1", r#""""#, r#"W/"""#, r#"w/"1""#, r#"W/"1", W/"2""#, "W/\"1\"\r\n"] {
            assert_eq!(read(Some(r#"W/"2""#), Some(odd)).unwrap_err().code(), Code::Protocol, "{odd:?}");
            assert_eq!(read(None, Some(odd)).unwrap_err().code(), Code::Protocol, "{odd:?}");
            if let Ok(header) = odd.parse::<http::HeaderValue>() {
                assert_eq!(read(header.to_str().ok(), None).unwrap_err().code(), Code::Protocol, "{odd:?}");
            }
        }
    }

    #[test]
    fn what_is_not_the_row_is_a_protocol_error_with_a_reason() {
        let whole =
            format!(r#""activityid":"{ID}","statuscode":2,"_msdyn_customer_value":null,"_msdyn_issueid_value":null"#);
        for (body, reason) in [
            (String::new(), "EOF"),
            ("<html>".into(), "expected value"),
            (format!("{{{whole}"), "EOF"),
            (format!("{{{whole}}}"), "no ETag"),
            (format!(r#"{{"activityid":"{CUSTOMER}",{}}}"#, &whole[52..]), "it is conversation"),
            (format!("{{{}}}", whole.replace(r#""_msdyn_customer_value":null,"#, "")), "_msdyn_customer_value"),
            (format!("{{{}}}", whole.replace("2,", "\"2\",")), "`statuscode`"),
            (format!("{{{}}}", whole.replace("2,", "\"s3cret\",")), "string \"[redacted]\", expected i32"),
            (
                format!(
                    "{{{}}}",
                    whole.replace(r#"customer_value":null"#, &format!(r#"customer_value":"{CUSTOMER}""#))
                ),
                "neither as an account nor as a contact",
            ),
        ] {
            let error = parse(&body).unwrap_err();
            assert_eq!(error.code(), Code::Protocol);
            assert!(error.message().contains(reason), "{body}: {error}");
        }
    }
}
