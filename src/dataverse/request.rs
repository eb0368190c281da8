//! Requests without their token, as pure functions. Names are case-sensitive.

use std::fmt::Display;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{ACCEPT, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH},
};
use url::Url;

use super::{
    context::RequestContext,
    tables::{Table, table},
};
use crate::{
    domain::{ConversationId, Decision, RecordReference},
    error::{Code, LinkError},
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
pub(super) fn get(context: RequestContext<'_>, url: &Url) -> Result<HttpRequest, LinkError> {
    Ok(uncached_get(context, as_uri(url)?, None))
}

/// GET of a conversation's row.
pub(super) fn get_row(context: RequestContext<'_>, id: ConversationId) -> Result<HttpRequest, LinkError> {
    Ok(uncached_get(context, row(context, id, SELECT)?, Some(ANNOTATE)))
}

/// GET with the names of linked records, in pages if a size is given.
pub(super) fn get_with_names(
    context: RequestContext<'_>,
    url: &Url,
    page_size: Option<u32>,
) -> Result<HttpRequest, LinkError> {
    Ok(with_names(context, as_uri(url)?, page_size))
}

/// GET of a conversation's row for display.
pub(super) fn get_row_with_names(context: RequestContext<'_>, id: ConversationId) -> Result<HttpRequest, LinkError> {
    Ok(with_names(context, row(context, id, SELECT_DETAILS)?, None))
}

fn with_names(context: RequestContext<'_>, uri: Uri, page_size: Option<u32>) -> HttpRequest {
    let page = page_size.map_or_else(String::new, |size| format!("odata.maxpagesize={size},"));
    let prefer = format!(
        r#"{page}odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname,OData.Community.Display.V1.FormattedValue""#
    );
    uncached_get(context, uri, HeaderValue::try_from(prefer).ok())
}

/// PATCH of the slot that was decided on, on a condition. The response shows the row.
pub(super) fn patch(
    context: RequestContext<'_>,
    id: ConversationId,
    condition: HeaderValue,
    decision: &Decision,
) -> Result<HttpRequest, LinkError> {
    let mut headers = headers(context);
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(IF_MATCH, condition);
    headers.insert(PREFER, REPRESENT_AND_ANNOTATE);
    let uri = row(context, id, SELECT)?;
    Ok(request(context, Method::PATCH, uri, headers, body(decision)))
}

fn row(context: RequestContext<'_>, id: ConversationId, query: &str) -> Result<Uri, LinkError> {
    context.shared.environment.conversation(id, query).map_err(|why| unusable(&why))
}

fn as_uri(url: &Url) -> Result<Uri, LinkError> {
    Uri::try_from(url.as_str()).map_err(|why| unusable(&why))
}

/// Too long, as a rule.
fn unusable(why: &dyn Display) -> LinkError {
    LinkError::new(Code::InvalidArgument, format!("The URL of the request cannot be used ({why})."))
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
fn uncached_get(context: RequestContext<'_>, uri: Uri, prefer: Option<HeaderValue>) -> HttpRequest {
    let mut headers = headers(context);
    if let Some(prefer) = prefer {
        headers.insert(PREFER, prefer);
    }
    headers.insert(IF_NONE_MATCH, HeaderValue::from_static("null"));
    request(context, Method::GET, uri, headers, Bytes::new())
}

fn request(context: RequestContext<'_>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> HttpRequest {
    let repeatable = method == Method::GET;
    let (deadline, progress) = (context.call.deadline(), context.call.progress().separate());
    HttpRequest { method, uri, headers, body, repeatable, deadline, progress }
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
