//! Outcomes as JavaScript sees them. index.d.ts documents them.

use napi_derive::napi;

use crate::{
    domain::{LinkOutcome, RecordReference, UnlinkOutcome},
    embedded::ImportSummary,
};

/// `RecordReference`
#[napi(object, object_from_js = false)]
pub struct RecordReferenceObject {
    pub entity_logical_name: &'static str,
    pub record_id: String,
}

/// `LinkOutcome`
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct LinkOutcomeObject {
    pub status: &'static str,
    pub conversation_id: String,
    pub record: RecordReferenceObject,
    pub previous: Option<RecordReferenceObject>,
    pub store: &'static str,
    pub request_id: String,
}

/// `UnlinkOutcome`
#[napi(object, object_from_js = false)]
pub struct UnlinkOutcomeObject {
    pub status: &'static str,
    pub conversation_id: String,
    pub record: RecordReferenceObject,
    pub store: &'static str,
    pub request_id: String,
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

impl From<LinkOutcome> for LinkOutcomeObject {
    fn from(outcome: LinkOutcome) -> Self {
        Self {
            status: outcome.status.as_str(),
            conversation_id: outcome.conversation_id.to_string(),
            record: outcome.record.into(),
            previous: outcome.previous.map(Into::into),
            store: outcome.store.as_str(),
            request_id: outcome.request_id.to_string(),
        }
    }
}

impl From<UnlinkOutcome> for UnlinkOutcomeObject {
    fn from(outcome: UnlinkOutcome) -> Self {
        Self {
            status: "unlinked",
            conversation_id: outcome.conversation_id.to_string(),
            record: outcome.record.into(),
            store: outcome.store.as_str(),
            request_id: outcome.request_id.to_string(),
        }
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
