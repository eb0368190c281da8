//! Handles one HTTP exchange: reads the request, applies its fault if any, and responds.

use std::{future::poll_fn, pin::Pin, sync::Arc};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{ConnectInfo, State},
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};

use super::{body_faults::BodyFault, common_headers, connection::AbortHandle};
use crate::{
    api::{
        context::{ConcurrentWriter, Write},
        route::throttled_by,
    },
    error::{self, ODataError},
    faults::{Fault, Form, When},
    message::{ApiResponse, Content, Request},
    state::{Release, Shared},
};

/// Largest accepted body. A larger one is still read to its end, so that the client sees the 413.
const MAX_BODY: usize = 1024 * 1024;

pub(crate) async fn exchange(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<AbortHandle>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = read(body).await else {
        // The client disconnected in the middle of its request, or took too long.
        return StatusCode::REQUEST_TIMEOUT.into_response();
    };
    let request = Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body,
    };
    let in_flight = shared.enter();
    let (ticket, fault) = shared.arrive(&request);
    let execute = |writer: &ConcurrentWriter| shared.execute(&request, writer, in_flight.others);
    let responded = respond(&shared, &request, fault.as_ref(), execute).await;
    let Some(response) = responded else {
        connection.abort();
        return Response::default();
    };
    shared.lock().log.finish(ticket, response.status, response.warnings.clone());
    shared.touch();
    send(&shared, &request, response, fault.as_ref())
}

/// The response to a request with this fault. `None`: close the connection without a response.
async fn respond(
    shared: &Shared,
    request: &Request,
    fault: Option<&Fault>,
    execute: impl Fn(&ConcurrentWriter) -> ApiResponse,
) -> Option<ApiResponse> {
    let without_fault = || execute(&ConcurrentWriter::default());
    let Some(fault) = fault else { return Some(without_fault()) };
    Some(match fault {
        Fault::Drop { commit } => {
            if *commit {
                without_fault();
            }
            return None;
        }
        Fault::Hang { commit } => {
            let done = commit.then(without_fault);
            if shared.gate.wait().await != Release::Continue {
                return None;
            }
            done.unwrap_or_else(without_fault)
        }
        Fault::Status { commit, status, code, message, body, headers } => {
            if *commit {
                without_fault();
            }
            let headers = headers.iter().map(|(name, value)| (name.clone().into(), value.clone())).collect();
            let is_foreign = !matches!(body, Form::Json);
            let body = match body {
                Form::Json => Some(error::body(code, message, false).into()),
                Form::Html => Some(Content::Html(format!(
                    "<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>{status}</h1><p>{message}</p></body></html>\n"
                ))),
                Form::Empty => None,
            };
            ApiResponse { status: *status, headers, body, is_foreign, ..ApiResponse::default() }
        }
        Fault::Redirect { location, status } => {
            let headers = vec![("location".into(), location.clone())];
            ApiResponse { status: *status, headers, is_foreign: true, ..ApiResponse::default() }
        }
        Fault::Unauthorized {} => shared.service.error_response(&ODataError::Unauthorized, request),
        Fault::Throttle { limit, retry_after_in_seconds } => {
            let limits = shared.lock().conditions.limits.clone();
            let error = throttled_by(*limit, &limits, retry_after_in_seconds.saturating_mul(1000));
            shared.service.error_response(&error, request)
        }
        Fault::Writer { when, changes, delete } => {
            let write = Some(if *delete { Write::Delete } else { Write::Change(changes.0.clone()) });
            execute(&match when {
                When::Before => ConcurrentWriter { before: write, ..ConcurrentWriter::default() },
                When::After => ConcurrentWriter { after: write, ..ConcurrentWriter::default() },
            })
        }
        Fault::NotStored {} => execute(&ConcurrentWriter { loses_writes: true, ..ConcurrentWriter::default() }),
        Fault::HangInBody { .. } | Fault::Truncate { .. } => {
            let response = without_fault();
            // Without a body, the whole response hangs or is dropped.
            if response.body.is_none() {
                let hangs = matches!(fault, Fault::HangInBody { .. });
                if !hangs || shared.gate.wait().await != Release::Continue {
                    return None;
                }
            }
            response
        }
        Fault::Endless {} => {
            let mut response = without_fault();
            if matches!(response.status, 204 | 304) {
                response.status = 200;
            }
            response
        }
        Fault::Trickle { .. } | Fault::ContentType { .. } => without_fault(),
    })
}

/// The body, or `None` if it exceeds the limit.
async fn read(mut body: Body) -> Result<Option<Bytes>, axum::Error> {
    let mut read = Vec::new();
    let mut too_large = false;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame?.into_data() else { continue };
        too_large |= read.len() + data.len() > MAX_BODY;
        if !too_large {
            read.extend_from_slice(&data);
        }
    }
    Ok((!too_large).then(|| read.into()))
}

/// Adds the common headers, and sends the body with its fault.
fn send(shared: &Arc<Shared>, request: &Request, response: ApiResponse, fault: Option<&Fault>) -> Response {
    let mut headers = common_headers::of(shared, request, &response);
    let bytes: Bytes = match response.body {
        Some(Content::Json(body)) => {
            let media = if response.is_foreign {
                "application/json; charset=utf-8"
            } else {
                "application/json; odata.metadata=minimal"
            };
            headers.push(("content-type", media.to_owned()));
            body.to_string().into()
        }
        Some(Content::Html(text)) => {
            headers.push(("content-type", "text/html; charset=utf-8".to_owned()));
            text.into()
        }
        Some(Content::Text(media, text)) => {
            headers.push(("content-type", media.to_owned()));
            text.into()
        }
        Some(Content::Multipart { boundary, body }) => {
            headers.push(("content-type", format!("multipart/mixed; boundary={boundary}")));
            body.into()
        }
        None => Bytes::new(),
    };
    let body_fault = match fault {
        Some(Fault::HangInBody { after_bytes }) if !bytes.is_empty() => BodyFault::Hang(*after_bytes),
        Some(Fault::Truncate { after_bytes }) => BodyFault::Truncate(*after_bytes),
        Some(Fault::Trickle { bytes_at_once }) if !bytes.is_empty() => BodyFault::Trickle(*bytes_at_once),
        Some(Fault::Endless {}) => BodyFault::Endless,
        _ => BodyFault::Whole,
    };
    let (body, length) = body_fault.body(&bytes, shared);
    headers.extend(length.map(|length| ("content-length", length.to_string())));

    let mut sent = Response::new(body);
    *sent.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // Invalid header values come from the client's own Host or Prefer. They are skipped.
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            sent.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    let changed = match fault {
        Some(Fault::ContentType { content_type }) => Some(("content-type".into(), content_type.clone())),
        _ => None,
    };
    for (name, value) in response.headers.into_iter().chain(changed) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            sent.headers_mut().insert(name, value);
        }
    }
    sent
}
