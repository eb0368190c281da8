//! Results of the other calls, as JavaScript objects. The files in types/ document them.

use napi::bindgen_prelude::{Either, External};
use napi_derive::napi;

use crate::{
    domain::{
        CallOptions, Check, CheckOutcome, ConversationDetails, ExpectedLink, Listing, NamedRecord, RecordReference,
        Report, Slot,
    },
    embedded::ImportSummary,
    error::StoreName,
};

/// `RecordReference`
#[napi(object, object_from_js = false)]
pub struct RecordReferenceObject {
    pub entity_logical_name: &'static str,
    pub record_id: String,
}

/// `LinkedRecord`
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct LinkedRecordObject {
    pub entity_logical_name: &'static str,
    pub record_id: String,
    pub name: Option<String>,
}

/// `Conversation`
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct ConversationObject {
    pub conversation_id: String,
    /// The number, if it has no name.
    pub status: Either<&'static str, i32>,
    pub customer: Option<LinkedRecordObject>,
    pub case: Option<LinkedRecordObject>,
    pub subject: Option<String>,
    pub created_on: Option<String>,
    pub agent_id: Option<String>,
}

/// The remaining pages of a listing. JavaScript passes it back to get the next one.
#[derive(Clone)]
pub struct Continuation {
    pub(super) listing: Listing,
    pub(super) options: CallOptions,
}

/// One page of `getConversations`.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct ConversationPageObject {
    pub conversations: Vec<ConversationObject>,
    pub continuation: Option<External<Continuation>>,
}

/// `Verification`
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct VerificationObject {
    pub stands: bool,
    pub current: Option<LinkedRecordObject>,
    pub conversation_status: Either<&'static str, i32>,
    pub store: &'static str,
}

/// `ImportProgress`
#[napi(object, object_from_js = false)]
pub struct ImportProgressObject {
    pub rows_done: u32,
    pub rows_total: u32,
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

/// `DiagnosisReport`
#[napi(object, object_from_js = false)]
pub struct DiagnosisReportObject {
    pub store: &'static str,
    pub target: String,
    pub healthy: bool,
    pub checks: Vec<DiagnosisCheckObject>,
}

/// `DiagnosisCheck`
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct DiagnosisCheckObject {
    pub name: &'static str,
    pub status: &'static str,
    pub found: String,
    pub meaning: &'static str,
    pub fix: Option<String>,
    pub code: Option<&'static str>,
    pub duration_in_ms: f64,
}

impl From<RecordReference> for RecordReferenceObject {
    fn from(record: RecordReference) -> Self {
        Self { entity_logical_name: record.entity.as_str(), record_id: record.id.to_string() }
    }
}

impl From<NamedRecord> for LinkedRecordObject {
    fn from(NamedRecord { record, name }: NamedRecord) -> Self {
        Self { entity_logical_name: record.entity.as_str(), record_id: record.id.to_string(), name }
    }
}

impl From<ConversationDetails> for ConversationObject {
    fn from(details: ConversationDetails) -> Self {
        let ConversationDetails { conversation, subject, created_on, agent, customer_name, case_name } = details;
        let linked = |record, name| LinkedRecordObject::from(NamedRecord { record, name });
        Self {
            conversation_id: conversation.id.to_string(),
            status: conversation.status.name().map_or(Either::B(conversation.status.code()), Either::A),
            customer: conversation.customer.map(|record| linked(record, customer_name)),
            case: conversation.case.map(|record| linked(record, case_name)),
            subject,
            created_on: created_on.map(|time| humantime::format_rfc3339_seconds(time).to_string()),
            agent_id: agent.map(|agent| agent.to_string()),
        }
    }
}

impl ConversationPageObject {
    pub(super) fn new(conversations: Vec<ConversationDetails>, continuation: Option<Continuation>) -> Self {
        let conversations = conversations.into_iter().map(Into::into).collect();
        Self { conversations, continuation: continuation.map(External::new) }
    }
}

impl VerificationObject {
    pub(super) fn new(expected: &ExpectedLink, details: ConversationDetails, store: StoreName) -> Self {
        let stands = expected.still_holds(&details.conversation);
        let ConversationObject { status, customer, case, .. } = details.into();
        let current = match expected.record.entity.slot() {
            Slot::Customer => customer,
            Slot::Case => case,
        };
        Self { stands, current, conversation_status: status, store: store.as_str() }
    }
}

/// A number of rows. JavaScript's numbers hold more, but no import has as many.
pub(super) fn count(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

impl From<ImportSummary> for ImportSummaryObject {
    fn from(summary: ImportSummary) -> Self {
        Self {
            entity_set: summary.entity_set,
            inserted: count(summary.inserted),
            updated: count(summary.updated),
            dangling_links: summary.dangling_links,
            more_rows_exist: summary.more_rows_exist,
        }
    }
}

impl From<Report> for DiagnosisReportObject {
    fn from(report: Report) -> Self {
        let healthy = report.is_healthy();
        let checks = report.checks.into_iter().map(Into::into).collect();
        Self { store: report.store.as_str(), target: report.target, healthy, checks }
    }
}

impl From<Check> for DiagnosisCheckObject {
    fn from(check: Check) -> Self {
        let (fix, code) = match &check.outcome {
            CheckOutcome::Failed { fix, code, .. } => (Some(fix.clone()), Some(code.as_str())),
            _ => (None, None),
        };
        Self {
            name: check.name,
            status: check.status(),
            found: check.found().to_owned(),
            meaning: check.meaning,
            fix,
            code,
            duration_in_ms: check.duration.as_secs_f64() * 1e3,
        }
    }
}
