//! What is sent, but for the token, as pure functions. The names are case-sensitive: `dataverse-wire.md` 1.1.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH},
};
use url::Url;

use super::{
    environment::EnvironmentUrl,
    tables::{Table, table},
};
use crate::{
    domain::{Call, CallerId, ConversationId, Decision, RecordReference},
    http::HttpRequest,
};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const ODATA_MAX_VERSION: HeaderName = HeaderName::from_static("odata-maxversion");
const CALLER_OBJECT_ID: HeaderName = HeaderName::from_static("callerobjectid");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const SELECT: &str = "$select=activityid,statecode,statuscode,_msdyn_customer_value,_msdyn_issueid_value";
/// The same and what people want to see.
pub(super) const DETAILS: &str = "$select=activityid,statecode,statuscode,_msdyn_customer_value,_msdyn_issueid_value,subject,createdon,_msdyn_activeagentid_value";
const ANNOTATE: HeaderValue =
    HeaderValue::from_static(r#"odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname""#);
pub(super) const REPRESENT_AND_ANNOTATE: HeaderValue = HeaderValue::from_static(
    r#"return=representation,odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname""#,
);

/// Who asks.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) call: &'a Call,
    /// On whose behalf.
    pub(super) caller: Option<CallerId>,
}

/// Reads with names, page by page if a size is given.
pub(super) fn look(url: Url, from: Sender<'_>, page_size: Option<u32>) -> HttpRequest {
    let mut headers = headers(from);
    let page = page_size.map_or_else(String::new, |size| format!("odata.maxpagesize={size},"));
    let prefer = format!(
        r#"{page}odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname,OData.Community.Display.V1.FormattedValue""#
    );
    if let Ok(prefer) = HeaderValue::try_from(prefer) {
        headers.insert(PREFER, prefer);
    }
    headers.insert(IF_NONE_MATCH, HeaderValue::from_static("null"));
    request(Method::GET, url, headers, Bytes::new(), from)
}

/// Reads the conversation, past every cache between here and the server.
pub(super) fn read(environment: &EnvironmentUrl, id: ConversationId, from: Sender<'_>) -> HttpRequest {
    let mut headers = headers(from);
    headers.insert(PREFER, ANNOTATE);
    headers.insert(IF_NONE_MATCH, HeaderValue::from_static("null"));
    request(Method::GET, environment.conversation(id, SELECT), headers, Bytes::new(), from)
}

/// Anything else, past every cache as well. Without a condition: a write needs one, and its body.
pub(super) fn plain(method: Method, url: Url, from: Sender<'_>) -> HttpRequest {
    let mut headers = headers(from);
    headers.insert(IF_NONE_MATCH, HeaderValue::from_static("null"));
    request(method, url, headers, Bytes::new(), from)
}

fn request(method: Method, url: Url, headers: HeaderMap, body: Bytes, from: Sender<'_>) -> HttpRequest {
    let repeatable = method == Method::GET;
    let (deadline, progress) = (from.call.deadline(), from.call.progress().separate());
    HttpRequest { method, url, headers, body, repeatable, deadline, progress }
}

/// Writes what the decision says, on condition that the row is still the one it was taken on, and asks for the result.
pub(super) fn write(
    environment: &EnvironmentUrl,
    id: ConversationId,
    condition: HeaderValue,
    decision: &Decision,
    from: Sender<'_>,
) -> HttpRequest {
    let mut headers = headers(from);
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(IF_MATCH, condition);
    headers.insert(PREFER, REPRESENT_AND_ANNOTATE);
    request(Method::PATCH, environment.conversation(id, SELECT), headers, body(decision), from)
}

fn body(decision: &Decision) -> Bytes {
    match (decision.after, decision.before) {
        (Some(RecordReference { entity, id }), _) => {
            let Table { navigation, entity_set, .. } = table(entity);
            format!(r#"{{"{navigation}@odata.bind":"/{entity_set}({id})"}}"#).into()
        }
        // The property named by what is linked: nulling the other one of the pair is undocumented.
        (None, Some(RecordReference { entity, .. })) => format!(r#"{{"{}":null}}"#, table(entity).navigation).into(),
        (None, None) => Bytes::from_static(b"{}"),
    }
}

fn headers(from: Sender<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(10);
    headers.insert(ACCEPT, JSON);
    headers.insert(ODATA_MAX_VERSION, HeaderValue::from_static("4.0"));
    headers.insert(ODATA_VERSION, HeaderValue::from_static("4.0"));
    let optional = [
        (CLIENT_REQUEST_ID, Some(from.call.request_id().to_string())),
        (CALLER_OBJECT_ID, from.caller.map(|caller| caller.to_string())),
        (TRACEPARENT, from.call.traceparent().map(|place| place.as_str().to_owned())),
    ];
    for (name, value) in optional {
        // Hexadecimal digits and hyphens, which every header may carry.
        if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
            headers.insert(name, value);
        }
    }
    headers
}
