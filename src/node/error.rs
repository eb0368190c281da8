//! `LinkError` as a JavaScript `Error` with its properties, of which lib/link-error.js makes the class.

use napi::{
    Env, JsValue, Status,
    bindgen_prelude::{Either, Null, Object, Unknown},
};

use super::{
    object::Properties,
    output::{LinkedRecordObject, RecordReferenceObject},
};
use crate::{
    domain,
    error::{CurrentRecord, LinkError, StoreName, shortened},
};

/// Reason of a rejection.
pub(super) enum Failure {
    /// A `LinkError`.
    Error(LinkError),
    /// The caller's signal aborted. Only JavaScript knows its `reason`.
    Aborted,
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        Self::Error(error)
    }
}

/// The value a promise is rejected with: undefined if the caller aborted, because only JavaScript knows the reason.
pub(super) fn rejection<'env>(env: &'env Env, failure: &Failure) -> napi::Result<Unknown<'env>> {
    match failure {
        Failure::Error(error) => Ok(to_error(env, error)?.to_unknown()),
        Failure::Aborted => env.to_js_value(&()),
    }
}

/// Throws from a synchronous function: napi passes on the pending exception.
pub(super) fn thrown(env: Env, error: &LinkError) -> napi::Error {
    match to_error(&env, error).and_then(|object| env.throw(object)) {
        Ok(()) => napi::Error::from_status(Status::PendingException),
        Err(failed) => failed,
    }
}

fn to_error<'env>(env: &'env Env, error: &LinkError) -> napi::Result<Object<'env>> {
    let details = error.details();
    let mut object = Properties::new(env);
    object.set("code", error.code().as_str())?;
    object.set("isRetryable", error.is_retryable())?;
    object.set("maybeApplied", details.maybe_applied)?;
    object.set_some("argument", details.argument.as_deref())?;
    // For the events that JavaScript emits.
    object.set_hidden("conversationId", details.conversation_id.as_deref())?;
    object.set_some("serviceCode", details.service_code.as_deref())?;
    object.set_some("serviceMessage", details.service_message.as_deref())?;
    object.set_some("requestId", details.request_id.as_deref())?;
    object.set_some("serviceRequestId", details.service_request_id.as_deref())?;
    object.set_some("hint", details.hint.as_deref())?;
    object.set_some("store", details.store.map(StoreName::as_str))?;
    object.set_some("httpStatus", details.http_status.map(u32::from))?;
    object.set_some("retryAfterInMs", details.retry_after_in_ms())?;
    let status = |code| domain::Status::from(code).name().map_or(Either::B(code), Either::A);
    object.set_some("conversationStatus", details.conversation_status.map(status))?;
    let reference = |CurrentRecord { entity_logical_name, record_id }: &CurrentRecord| RecordReferenceObject {
        entity_logical_name,
        record_id: record_id.clone(),
    };
    let current = |record: &Option<CurrentRecord>| record.as_ref().map(reference).map_or(Either::B(Null), Either::A);
    object.set_some("current", details.current.as_ref().map(current))?;
    let candidate = |(record, name): &(CurrentRecord, Option<String>)| LinkedRecordObject {
        entity_logical_name: record.entity_logical_name,
        record_id: record.record_id.clone(),
        name: name.clone(),
    };
    let candidates: Vec<_> = details.candidates.iter().map(candidate).collect();
    object.set_some("candidates", (!candidates.is_empty()).then_some(candidates))?;
    object.set_some("cause", std::error::Error::source(error).map(|cause| shortened(cause.to_string())))?;
    object.define_on(env.create_error(napi::Error::from_reason(error.message()))?)
}
