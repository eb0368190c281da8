//! Requests without their token, as pure functions. Names are case-sensitive.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH},
};
use url::Url;

use super::{
    context::RequestContext,
    tables::{Table, table},
};
use crate::{
    domain::{ConversationId, Decision, RecordReference},
    http::HttpRequest,
};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const ODATA_MAX_VERSION: HeaderName = HeaderName::from_static("odata-maxversion");
const CALLER_OBJECT_ID: HeaderName = HeaderName::from_static("callerobjectid");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Columns that decisions are based on.
const SELECT: &str = "$select=activityid,statecode,statuscode,_msdyn_customer_value,_msdyn_issueid_value";
/// The same columns and those that users see.
pub(super) const SELECT_DETAILS: &str = "$select=activityid,statecode,statuscode,_msdyn_customer_value,_msdyn_issueid_value,subject,createdon,_msdyn_activeagentid_value";
const ANNOTATE: HeaderValue =
    HeaderValue::from_static(r#"odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname""#);
const REPRESENT_AND_ANNOTATE: HeaderValue = HeaderValue::from_static(
    r#"return=representation,odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname""#,
);

/// GET without annotations.
pub(super) fn get(context: RequestContext<'_>, url: Url) -> HttpRequest {
    uncached_get(context, url, None)
}

/// GET of a conversation's row.
pub(super) fn get_row(context: RequestContext<'_>, id: ConversationId) -> HttpRequest {
    uncached_get(context, context.shared.environment.conversation(id, SELECT), Some(ANNOTATE))
}

/// GET with the names of linked records, in pages if a size is given.
pub(super) fn get_with_names(context: RequestContext<'_>, url: Url, page_size: Option<u32>) -> HttpRequest {
    let page = page_size.map_or_else(String::new, |size| format!("odata.maxpagesize={size},"));
    let prefer = format!(
        r#"{page}odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname,OData.Community.Display.V1.FormattedValue""#
    );
    uncached_get(context, url, HeaderValue::try_from(prefer).ok())
}

/// PATCH of the slot that was decided on, on a condition. The response shows the row.
pub(super) fn patch(
    context: RequestContext<'_>,
    id: ConversationId,
    condition: HeaderValue,
    decision: &Decision,
) -> HttpRequest {
    let mut headers = headers(context);
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(IF_MATCH, condition);
    headers.insert(PREFER, REPRESENT_AND_ANNOTATE);
    let url = context.shared.environment.conversation(id, SELECT);
    request(context, Method::PATCH, url, headers, body(decision))
}

fn body(decision: &Decision) -> Bytes {
    match (decision.after, decision.before) {
        (Some(RecordReference { entity, id }), _) => {
            let Table { navigation, entity_set, .. } = table(entity);
            format!(r#"{{"{navigation}@odata.bind":"/{entity_set}({id})"}}"#).into()
        }
        // The property of the linked record's table: setting the other property of the column to null is undocumented.
        (None, Some(RecordReference { entity, .. })) => format!(r#"{{"{}":null}}"#, table(entity).navigation).into(),
        (None, None) => Bytes::from_static(b"{}"),
    }
}

/// A GET that bypasses caches between client and server.
fn uncached_get(context: RequestContext<'_>, url: Url, prefer: Option<HeaderValue>) -> HttpRequest {
    let mut headers = headers(context);
    if let Some(prefer) = prefer {
        headers.insert(PREFER, prefer);
    }
    headers.insert(IF_NONE_MATCH, HeaderValue::from_static("null"));
    request(context, Method::GET, url, headers, Bytes::new())
}

fn request(context: RequestContext<'_>, method: Method, url: Url, headers: HeaderMap, body: Bytes) -> HttpRequest {
    let repeatable = method == Method::GET;
    let (deadline, progress) = (context.call.deadline(), context.call.progress().separate());
    HttpRequest { method, url, headers, body, repeatable, deadline, progress }
}

fn headers(context: RequestContext<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(10);
    headers.insert(ACCEPT, JSON);
    headers.insert(ODATA_MAX_VERSION, HeaderValue::from_static("4.0"));
    headers.insert(ODATA_VERSION, HeaderValue::from_static("4.0"));
    let optional = [
        (CLIENT_REQUEST_ID, Some(context.call.request_id().to_string())),
        (CALLER_OBJECT_ID, context.caller().map(|caller| caller.to_string())),
        (TRACEPARENT, context.call.traceparent().map(|traceparent| traceparent.as_str().to_owned())),
    ];
    for (name, value) in optional {
        // Hexadecimal digits and hyphens are valid in every header.
        if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
            headers.insert(name, value);
        }
    }
    headers
}
