//! A `LinkError` as the plain object from which index.js makes the real one, with the caller's stack.

use napi::{
    Env, JsValue, Status,
    bindgen_prelude::{Null, Object, Unknown},
};

use super::{conversations::LinkedRecordObject, outcome::RecordReferenceObject, promise::Failure};
use crate::{
    domain,
    error::{CurrentRecord, LinkError},
};

/// What a promise is rejected with: nothing if the caller aborted, because the reason is JavaScript's.
pub(super) fn rejection<'env>(env: &'env Env, failure: &Failure) -> napi::Result<Unknown<'env>> {
    match failure {
        Failure::Error(error) => Ok(to_object(env, error)?.to_unknown()),
        Failure::Aborted => env.to_js_value(&()),
    }
}

/// Throws from a synchronous function: napi passes on the exception that is pending, whatever it is.
pub(super) fn thrown(env: Env, error: &LinkError) -> napi::Error {
    match to_object(&env, error).and_then(|object| env.throw(object)) {
        Ok(()) => napi::Error::from_status(Status::PendingException),
        Err(failed) => failed,
    }
}

fn to_object<'env>(env: &'env Env, error: &LinkError) -> napi::Result<Object<'env>> {
    let details = error.details();
    let mut object = Object::new(env)?;
    object.set("code", error.code().as_str())?;
    object.set("message", error.message())?;
    object.set("isRetryable", error.is_retryable())?;
    object.set("maybeApplied", details.maybe_applied)?;
    let texts = [
        ("serviceCode", &details.service_code),
        ("serviceMessage", &details.service_message),
        ("requestId", &details.request_id),
        ("serviceRequestId", &details.service_request_id),
        ("hint", &details.hint),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            object.set(name, text.as_str())?;
        }
    }
    if let Some(store) = details.store {
        object.set("store", store)?;
    }
    if let Some(status) = details.http_status {
        object.set("httpStatus", u32::from(status))?;
    }
    if let Some(after) = details.retry_after {
        object.set("retryAfterInMs", after.as_secs_f64() * 1e3)?;
    }
    match details.conversation_status.map(|code| (code, domain::Status::from(code).name())) {
        Some((_, Some(name))) => object.set("conversationStatus", name)?,
        Some((code, None)) => object.set("conversationStatus", code)?,
        None => {}
    }
    match &details.current {
        Some(Some(CurrentRecord { entity_logical_name, record_id })) => {
            let record = RecordReferenceObject { entity_logical_name, record_id: record_id.clone() };
            object.set("current", record)?;
        }
        Some(None) => object.set("current", Null)?,
        None => {}
    }
    if !details.candidates.is_empty() {
        let candidate = |(record, name): &(CurrentRecord, Option<String>)| LinkedRecordObject {
            entity_logical_name: record.entity_logical_name,
            record_id: record.record_id.clone(),
            name: name.clone(),
        };
        object.set("candidates", details.candidates.iter().map(candidate).collect::<Vec<_>>())?;
    }
    if let Some(cause) = std::error::Error::source(error) {
        object.set("cause", cause.to_string())?;
    }
    Ok(object)
}
