//! Requests without their token, as pure functions. Names are case-sensitive.

use std::{fmt::Display, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header::IF_MATCH};
use url::Url;

use super::{
    context::RequestContext,
    headers::{ANNOTATE, CALLER_OBJECT_ID, CLIENT_REQUEST_ID, PREFER, TRACEPARENT},
    tables::{Table, table},
};
use crate::{
    domain::{CallerId, ConversationId, Decision, RecordId, RecordReference, RequestId},
    error::{Code, LinkError},
    http::HttpRequest,
};

/// Columns that decisions are based on.
const SELECT: &str = "$select=activityid,statecode,statuscode,_msdyn_customer_value,_msdyn_issueid_value";
/// The same columns and those that users see.
pub(super) const SELECT_DETAILS: &str = "$select=activityid,statecode,statuscode,_msdyn_customer_value,_msdyn_issueid_value,subject,createdon,_msdyn_activeagentid_value";

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
    let mut headers = headers(context, &context.shared.headers.patch);
    headers.insert(IF_MATCH, condition);
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
            let mut buffer = [0; RecordId::LENGTH];
            let id = id.encode(&mut buffer).as_bytes();
            let parts =
                [br#"{""#, navigation.as_bytes(), br#"@odata.bind":"/"#, entity_set.as_bytes(), b"(", id, br#")"}"#];
            parts.concat().into()
        }
        // The property of the linked record's table: setting the other property of the column to null is undocumented.
        (None, Some(RecordReference { entity, .. })) => format!(r#"{{"{}":null}}"#, table(entity).navigation).into(),
        (None, None) => Bytes::from_static(b"{}"),
    }
}

fn uncached_get(context: RequestContext<'_>, uri: Uri, prefer: Option<HeaderValue>) -> HttpRequest {
    let mut headers = headers(context, &context.shared.headers.get);
    match prefer {
        Some(prefer) => drop(headers.insert(PREFER, prefer)),
        None => drop(headers.remove(PREFER)),
    }
    request(context, Method::GET, uri, headers, Bytes::new())
}

fn request(context: RequestContext<'_>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> HttpRequest {
    let (repeatable, deadline) = (method == Method::GET, context.call.deadline());
    let progress = context.call.progress();
    let progress = if repeatable { progress.separate() } else { Arc::clone(progress) };
    HttpRequest { method, uri, headers, body, repeatable, deadline, progress }
}

/// The common headers, and those of the call.
fn headers(context: RequestContext<'_>, common: &HeaderMap) -> HeaderMap {
    let mut headers = common.clone();
    // Hexadecimal digits and hyphens are valid in every header.
    let mut insert = |name, value: &str| drop(HeaderValue::from_str(value).map(|value| headers.insert(name, value)));
    insert(CLIENT_REQUEST_ID, context.call.request_id().encode(&mut [0; RequestId::LENGTH]));
    if let Some(caller) = context.caller() {
        insert(CALLER_OBJECT_ID, caller.encode(&mut [0; CallerId::LENGTH]));
    }
    if let Some(traceparent) = context.call.traceparent() {
        insert(TRACEPARENT, traceparent.as_str());
    }
    headers
}
