//! The test API over HTTP for other processes, with the emulator's own credential. Rust tests call the same methods directly.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    console::ConsoleWrite,
    faults, json,
    log::LoggedRequest,
    state::Shared,
    test_api::{Clock, Faults, Webhooks},
};

/// All other paths belong to the Web API or the token endpoint.
pub(crate) const REQUESTS: &str = "/_emulator/requests";
pub(crate) const METHODS: &str = "/_emulator/{method}";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Advance {
    by_in_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Hanging {
    count: usize,
}

pub(crate) async fn requests(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if !shared.service.authorises(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let entries: Vec<Value> = shared.lock().log.entries().iter().map(LoggedRequest::to_json).collect();
    json_response(StatusCode::OK, &entries.into())
}

/// Calls a method with the JSON value of the body. An invalid value is a 400 with a message.
pub(crate) async fn call(
    State(shared): State<Arc<Shared>>,
    Path(method): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !shared.service.authorises(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let argument = if body.is_empty() { Ok(Value::Null) } else { json::parse(&body) };
    let response = match argument {
        Ok(argument) => {
            let response = dispatch(&shared, &method, argument).await;
            shared.touch();
            response
        }
        Err(error) => Err(format!("not JSON: {error}")),
    };
    match response {
        Ok(value) => json_response(StatusCode::OK, &value),
        Err(text) => json_response(StatusCode::BAD_REQUEST, &json!({ "error": text })),
    }
}

async fn dispatch(shared: &Shared, method: &str, argument: Value) -> Result<Value, String> {
    let (plan, clock) = (Faults(shared), Clock(shared));
    let done = |result: Result<(), faults::FaultError>| result.map(|()| Value::Null).map_err(|error| error.to_string());
    match method {
        "faults.add" => done(plan.add(argument)),
        "faults.random" => done(plan.random(argument)),
        "faults.conditions" => done(plan.conditions(argument)),
        "faults.clear" => {
            plan.clear();
            Ok(Value::Null)
        }
        "faults.waiting" => Ok(plan.waiting().into()),
        "faults.hanging" => {
            let Hanging { count } = faults::parse("hanging", argument).map_err(|error| error.to_string())?;
            plan.hanging(count).await;
            Ok(Value::Null)
        }
        "faults.release" => {
            plan.release();
            Ok(Value::Null)
        }
        "faults.revokeTokens" => {
            plan.revoke_tokens();
            Ok(Value::Null)
        }
        "console.write" => {
            let write: ConsoleWrite = faults::parse("a write", argument).map_err(|error| error.to_string())?;
            shared.with_organisation(|organisation| write.apply(organisation)).map(|()| Value::Null)
        }
        "webhooks.set" => done(Webhooks(shared).set(argument)),
        "webhooks.deliveries" => Ok(Webhooks(shared).deliveries().await),
        "clock.advance" => {
            let Advance { by_in_ms } = faults::parse("advance", argument).map_err(|error| error.to_string())?;
            clock.advance(Duration::from_millis(by_in_ms));
            Ok(shared.lock().now_in_ms.into())
        }
        "clock.now" => Ok(shared.lock().now_in_ms.into()),
        "reset" => {
            shared.reset();
            Ok(Value::Null)
        }
        other => Err(format!("no method '{other}'")),
    }
}

fn json_response(status: StatusCode, value: &Value) -> Response {
    (status, [("content-type", "application/json")], value.to_string()).into_response()
}
