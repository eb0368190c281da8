//! Outcomes as JavaScript sees them. types/outcomes.d.ts documents them.

use napi::{
    Env, JsValue,
    bindgen_prelude::{Either, Null, ToNapiValue},
    sys,
};
use napi_derive::napi;

use super::object::Properties;
use crate::{
    domain::{LinkOutcome, RecordReference, RequestId, UnlinkOutcome},
    embedded::ImportSummary,
    error::StoreName,
};

/// `RecordReference`
#[napi(object, object_from_js = false)]
pub struct RecordReferenceObject {
    pub entity_logical_name: &'static str,
    pub record_id: String,
}

/// `LinkOutcome`, or what it would be.
pub struct LinkOutcomeObject {
    pub(super) outcome: LinkOutcome,
    pub(super) dry_run: bool,
}

/// `UnlinkOutcome`, or what it would be.
pub struct UnlinkOutcomeObject {
    pub(super) outcome: UnlinkOutcome,
    pub(super) dry_run: bool,
}

impl ToNapiValue for LinkOutcomeObject {
    unsafe fn to_napi_value(env: sys::napi_env, Self { outcome, dry_run }: Self) -> napi::Result<sys::napi_value> {
        let env = Env::from_raw(env);
        let mut properties = Properties::new(&env);
        properties.set("status", outcome.status.as_str())?;
        properties.set("conversationId", outcome.conversation_id.to_string())?;
        properties.set("record", RecordReferenceObject::from(outcome.record))?;
        let previous = outcome.previous.map(RecordReferenceObject::from);
        properties.set("previous", previous.map_or(Either::B(Null), Either::A))?;
        properties.set_some("current", outcome.current.map(RecordReferenceObject::from))?;
        confirmed(properties, outcome.store, outcome.request_id, dry_run)
    }
}

impl ToNapiValue for UnlinkOutcomeObject {
    unsafe fn to_napi_value(env: sys::napi_env, Self { outcome, dry_run }: Self) -> napi::Result<sys::napi_value> {
        let env = Env::from_raw(env);
        let mut properties = Properties::new(&env);
        properties.set("status", "unlinked")?;
        properties.set("conversationId", outcome.conversation_id.to_string())?;
        properties.set("record", RecordReferenceObject::from(outcome.record))?;
        confirmed(properties, outcome.store, outcome.request_id, dry_run)
    }
}

/// What both end with.
fn confirmed(
    mut properties: Properties<'_>,
    store: StoreName,
    request_id: RequestId,
    dry_run: bool,
) -> napi::Result<sys::napi_value> {
    properties.set("store", store.as_str())?;
    properties.set("requestId", request_id.to_string())?;
    properties.set_some("dryRun", dry_run.then_some(true))?;
    Ok(properties.into_object()?.raw())
}

/// `ImportSummary`
#[napi(object, object_from_js = false)]
pub struct ImportSummaryObject {
    pub entity_set: &'static str,
    pub inserted: u32,
    pub updated: u32,
    pub dangling_links: u32,
    pub more_rows_exist: bool,
}

impl From<RecordReference> for RecordReferenceObject {
    fn from(record: RecordReference) -> Self {
        Self { entity_logical_name: record.entity.as_str(), record_id: record.id.to_string() }
    }
}

impl From<ImportSummary> for ImportSummaryObject {
    fn from(summary: ImportSummary) -> Self {
        let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
        Self {
            entity_set: summary.entity_set,
            inserted: count(summary.inserted),
            updated: count(summary.updated),
            dangling_links: summary.dangling_links,
            more_rows_exist: summary.more_rows_exist,
        }
    }
}
