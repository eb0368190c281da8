//! One exchange on the socket: a request is read, meets its fault or none, and is answered, or not.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{ConnectInfo, State},
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use uuid::Uuid;

use crate::{
    delivery::Delivery,
    fault::{self, Fault},
    faults::{Form, Kind, When},
    state::{Opening, Shared},
    web_api::{Answer, Content, Interference, Request, Write, throttled_by},
    wire::Wire,
};

/// The largest body taken. A larger one is read to its end all the same, so that the client sees the 413.
const MAX_BODY: usize = 1024 * 1024;

pub(crate) async fn exchange(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = read(body).await else {
        // The client is gone in the middle of its request.
        return StatusCode::BAD_REQUEST.into_response();
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
    let executed = |interference: &Interference| shared.execute(&request, interference, in_flight.others);
    let answered = answer(&shared, &request, fault.as_ref(), executed).await;
    let Some(answer) = answered else {
        wire.cut();
        return Response::default();
    };
    shared.lock().log.finish(ticket, answer.status, answer.warnings.clone());
    respond(&shared, answer, fault.as_ref())
}

/// The answer to a request that meets this fault; `None` when there is none and the connection is closed.
async fn answer(
    shared: &Shared,
    request: &Request,
    fault: Option<&Kind>,
    executed: impl Fn(&Interference) -> Answer,
) -> Option<Answer> {
    let undisturbed = || executed(&Interference::default());
    let Some(fault) = fault else { return Some(undisturbed()) };
    Some(match fault {
        Kind::Drop { commit } => {
            if *commit {
                undisturbed();
            }
            return None;
        }
        Kind::Hang { commit } => {
            let done = commit.then(undisturbed);
            if shared.gate.wait().await != Opening::Released {
                return None;
            }
            done.unwrap_or_else(undisturbed)
        }
        Kind::Status { commit, status, code, message, body, headers } => {
            if *commit {
                undisturbed();
            }
            let headers = headers.iter().map(|(name, value)| (name.clone().into(), value.clone())).collect();
            let is_foreign = !matches!(body, Form::Json);
            let body = match body {
                Form::Json => Some(fault::body(code, message, false).into()),
                Form::Html => Some(Content::Html(format!(
                    "<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>{status}</h1><p>{message}</p></body></html>\n"
                ))),
                Form::Empty => None,
            };
            Answer { status: *status, headers, body, is_foreign, ..Answer::default() }
        }
        Kind::Redirect { location, status } => {
            let headers = vec![("location".into(), location.clone())];
            Answer { status: *status, headers, is_foreign: true, ..Answer::default() }
        }
        Kind::Unauthorized {} => shared.service.refuse(&Fault::Unauthorized, request),
        Kind::Throttle { limit, retry_after_in_seconds } => {
            let limits = shared.lock().conditions.limits.clone();
            let fault = throttled_by(*limit, &limits, retry_after_in_seconds.saturating_mul(1000));
            shared.service.refuse(&fault, request)
        }
        Kind::Writer { when, changes, delete } => {
            let write = Some(if *delete { Write::Delete } else { Write::Change(changes.0.clone()) });
            executed(&match when {
                When::Before => Interference { before: write, ..Interference::default() },
                When::After => Interference { after: write, ..Interference::default() },
            })
        }
        Kind::NotStored {} => executed(&Interference { loses_writes: true, ..Interference::default() }),
        Kind::HangInBody { .. } | Kind::Truncate { .. } => {
            let answer = undisturbed();
            // With no body to stop in, the nearest there is.
            if answer.body.is_none() {
                let hangs = matches!(fault, Kind::HangInBody { .. });
                if !hangs || shared.gate.wait().await != Opening::Released {
                    return None;
                }
            }
            answer
        }
        Kind::Endless {} => {
            let mut answer = undisturbed();
            if matches!(answer.status, 204 | 304) {
                answer.status = 200;
            }
            answer
        }
        Kind::Trickle { .. } | Kind::ContentType { .. } => undisturbed(),
    })
}

/// The body, or `None` when it is larger than the limit.
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

/// Adds what every answer carries, and sends the body as the fault wants it.
fn respond(shared: &Arc<Shared>, answer: Answer, fault: Option<&Kind>) -> Response {
    let mut headers = common_headers(&answer);
    headers.extend(date(shared).map(|date| ("date", date)));
    let bytes: Bytes = match answer.body {
        Some(Content::Json(body)) => {
            let media = if answer.is_foreign {
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
        None => Bytes::new(),
    };
    let delivery = match fault {
        Some(Kind::HangInBody { after_bytes }) if !bytes.is_empty() => Delivery::Hang(*after_bytes),
        Some(Kind::Truncate { after_bytes }) => Delivery::Truncate(*after_bytes),
        Some(Kind::Trickle { bytes_at_once }) if !bytes.is_empty() => Delivery::Trickle(*bytes_at_once),
        Some(Kind::Endless {}) => Delivery::Endless,
        _ => Delivery::Whole,
    };
    let (body, length) = delivery.body(&bytes, shared);
    headers.extend(length.map(|length| ("content-length", length.to_string())));

    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // A value that cannot stand in a header came from the client's own Host or Prefer, which are checked to be ASCII.
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    let changed = match fault {
        Some(Kind::ContentType { content_type }) => Some(("content-type".into(), content_type.clone())),
        _ => None,
    };
    for (name, value) in answer.headers.into_iter().chain(changed) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn common_headers(answer: &Answer) -> Vec<(&'static str, String)> {
    let mut headers = vec![("cache-control", "no-cache".to_owned()), ("expires", "-1".to_owned())];
    if answer.is_foreign {
        return headers;
    }
    // Twice, as in the documented traces.
    let request_id = Uuid::new_v4().to_string();
    headers.push(("x-ms-service-request-id", request_id.clone()));
    headers.push(("x-ms-service-request-id", request_id.clone()));
    headers.push(("req_id", request_id));
    if answer.status != 401 {
        let common = [
            ("odata-version", "4.0"),
            ("vary", "Accept-Encoding"),
            ("x-ms-ratelimit-time-remaining-xrm-requests", "1,200.00"),
            ("x-ms-ratelimit-burst-remaining-xrm-requests", "5999"),
            ("x-ms-dop-hint", "48"),
            ("set-cookie", "ARRAffinity=e2b0c4; HttpOnly; Path=/"),
        ];
        headers.extend(common.map(|(name, value)| (name, value.to_owned())));
    }
    headers
}

/// What `Date` says, if the conditions say when the clock began.
fn date(shared: &Shared) -> Option<String> {
    let contents = shared.lock();
    let since_1970 = contents.conditions.date_in_ms?.checked_add(contents.now_in_ms)?;
    Some(httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_millis(since_1970)))
}
