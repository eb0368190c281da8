//! Responses, as pure functions.

use serde::Deserialize;

use super::{error, etag::Etag, tables::conversation, time};
use crate::{
    domain::{Conversation, ConversationDetails, ConversationId, EntityLogicalName, RecordId, RecordReference},
    error::LinkError,
    http::HttpResponse,
    json::{self, Object, Whole},
};

/// A conversation and its version, from the same response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) conversation: Conversation,
    pub(super) etag: Etag,
}

/// The selected columns of a row. Columns that decisions are based on are parsed strictly; lookups among them must be present, even if
/// null. All other columns are for display: a value that cannot be parsed counts as absent.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct LiveWorkItem<'a>(#[serde(borrow)] Object<'a>);

impl LiveWorkItem<'_> {
    /// The part that decisions are based on. Fails with a reason.
    pub(super) fn conversation(&self) -> Result<Conversation, String> {
        let Self(columns) = self;
        let Whole(status) = columns.required(conversation::STATUS)?;
        let status = i32::try_from(status).map_err(|_| format!("`statuscode`: {status} is not a statuscode"))?;
        let customer = match columns.required::<Option<RecordId>>(conversation::CUSTOMER)? {
            None => None,
            Some(id) => {
                let name = columns.optional::<String>(conversation::CUSTOMER_ENTITY)?;
                let entity = name.as_deref().and_then(EntityLogicalName::customer);
                let entity = entity.ok_or("the customer is annotated neither as an account nor as a contact")?;
                Some(RecordReference { entity, id })
            }
        };
        let case = columns.required::<Option<RecordId>>(conversation::CASE)?;
        let case = case.map(|id| RecordReference { entity: EntityLogicalName::Incident, id });
        Ok(Conversation { id: columns.required(conversation::ID)?, status: status.into(), customer, case })
    }

    /// The conversation with all columns for display.
    pub(super) fn details(&self, conversation: Conversation) -> ConversationDetails {
        let Self(columns) = self;
        ConversationDetails {
            conversation,
            subject: columns.lenient(conversation::SUBJECT),
            created_on: columns.lenient::<String>(conversation::CREATED_ON).and_then(|text| time::parse(&text)),
            agent: columns.lenient(conversation::AGENT),
            customer_name: columns.lenient(conversation::CUSTOMER_NAME),
            case_name: columns.lenient(conversation::CASE_NAME),
        }
    }
}

/// The columns that decisions are based on, as nearly every response has them.
#[derive(Deserialize)]
struct PlainRow<'a> {
    #[serde(rename = "@odata.etag")]
    etag: Option<String>,
    activityid: ConversationId,
    statuscode: Whole,
    // `deserialize_with`, because otherwise a lookup that is missing would count as null.
    #[serde(rename = "_msdyn_customer_value", deserialize_with = "Option::deserialize")]
    customer: Option<RecordId>,
    #[serde(rename = "_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname")]
    customer_entity: Option<&'a str>,
    #[serde(rename = "_msdyn_issueid_value", deserialize_with = "Option::deserialize")]
    case: Option<RecordId>,
}

impl PlainRow<'_> {
    /// Parses the row at a third of the cost of a [`LiveWorkItem`]. `None` if anything is odd: a `LiveWorkItem` then finds out whether
    /// it matters, and says what it is.
    fn parse(response: &HttpResponse, expected: ConversationId) -> Option<Row> {
        // As text, because a parser of bytes checks the encoding of each string on its own.
        let row: PlainRow<'_> = serde_json::from_str(str::from_utf8(&response.body).ok()?).ok()?;
        let customer = match row.customer {
            Some(id) => Some(RecordReference { entity: EntityLogicalName::customer(row.customer_entity?)?, id }),
            None => None,
        };
        let case = row.case.map(|id| RecordReference { entity: EntityLogicalName::Incident, id });
        let status = i32::try_from(row.statuscode.0).ok()?.into();
        let etag = row.etag.map_or_else(|| Etag::from_headers(&response.headers), |own| Etag::parse(&own)).ok()?;
        let conversation = Conversation { id: row.activityid, status, customer, case };
        (conversation.id == expected).then_some(Row { conversation, etag })
    }
}

/// The row in a successful response. Anything else is a `PROTOCOL` error.
pub(super) fn row(response: &HttpResponse, expected: ConversationId) -> Result<Row, LinkError> {
    match PlainRow::parse(response, expected) {
        Some(row) => Ok(row),
        None => row_and_details(response, expected).map(|(row, _)| row),
    }
}

/// The row, and the columns for display.
pub(super) fn row_and_details(
    response: &HttpResponse,
    expected: ConversationId,
) -> Result<(Row, ConversationDetails), LinkError> {
    let (own, details) = parse(response, "the conversation's row", |columns| {
        let own: Option<String> = columns.optional("@odata.etag")?;
        let item = LiveWorkItem(columns);
        let conversation = item.conversation()?;
        if conversation.id != expected {
            return Err(format!("it is conversation {}", conversation.id));
        }
        Ok((own, item.details(conversation)))
    })?;
    // The `ETag` in the body is preferred, because proxies change headers.
    let etag = own.as_deref().map_or_else(|| Etag::from_headers(&response.headers), Etag::parse);
    let etag = etag.map_err(|why| {
        error::protocol(response, why).hint("A proxy may have removed or changed it; writes depend on it.")
    })?;
    Ok((Row { conversation: details.conversation.clone(), etag }, details))
}

/// Parses the body of a response. The error states what it should be.
pub(super) fn parse<T>(
    response: &HttpResponse,
    expected: &str,
    parse: impl FnOnce(Object<'_>) -> Result<T, String>,
) -> Result<T, LinkError> {
    let text = json::text(&response.body);
    let parsed = Object::parse(&text).map_err(|error| error.to_string()).and_then(parse);
    parsed.map_err(|why| error::protocol(response, &format!("the response is not {expected}: {why}")))
}

/// The row in the response to a PATCH. `None` if there is none, as in a 204 or a body without an `ETag`.
pub(super) fn representation(response: &HttpResponse, id: ConversationId) -> Option<Row> {
    row(response, id).ok()
}

/// Returns a successful response, and makes an error of any other one.
pub(super) fn success(response: HttpResponse) -> Result<HttpResponse, LinkError> {
    if response.status.is_success() { Ok(response) } else { Err(error::explain(&response)) }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::{domain::Status, error::Code};

    const ID: &str = "7b7c9a3e-0d11-4f9e-9c39-5d0f6f3b1a01";
    const CUSTOMER: &str = "2d9f1c55-7b0a-4a9b-8f2e-0e4a7c1f9b10";

    fn answer(body: &str) -> HttpResponse {
        answer_with(HeaderMap::new(), body)
    }

    fn answer_with(headers: HeaderMap, body: &str) -> HttpResponse {
        let body = Bytes::copy_from_slice(body.as_bytes());
        HttpResponse { status: StatusCode::OK, headers, body, received: SystemTime::UNIX_EPOCH }
    }

    fn parse(body: &str) -> Result<Row, LinkError> {
        row(&answer(body), ID.parse().unwrap())
    }

    #[test]
    fn a_row_is_parsed_with_its_etag() {
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
    fn a_plain_row_is_the_one_that_is_read_with_care() {
        let body = |customer: &str| {
            format!(
                r#"{{"@odata.context":"x\u00fc","@odata.etag":"W/\"1\"","activityid":"{{{}}}","statecode":0,"statuscode":2.0,{customer},
                "_msdyn_issueid_value":"{CUSTOMER}","odd":[1e999,"\ud83d",{{"deep":[[]]}}]}}"#,
                ID.to_uppercase()
            )
        };
        let linked = format!(
            r#""_msdyn_customer_value":"{CUSTOMER}","_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname":"account""#
        );
        for customer in [r#""_msdyn_customer_value":null"#, &linked] {
            let response = answer(&body(customer));
            let plain = PlainRow::parse(&response, ID.parse().unwrap());
            assert_eq!(plain, Some(row_and_details(&response, ID.parse().unwrap()).unwrap().0));
        }
        let twice = format!("{linked},{linked}");
        for odd in [&twice, r#""odd":1"#, r#""_msdyn_customer_value":7"#, &format!(r#"{linked},"statuscode":4"#)] {
            let response = answer(&body(odd));
            assert_eq!(PlainRow::parse(&response, ID.parse().unwrap()), None, "{odd}");
            assert!(row(&response, ID.parse().unwrap()).is_err(), "{odd}");
        }
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
    fn anything_but_the_row_is_a_protocol_error_with_a_reason() {
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
