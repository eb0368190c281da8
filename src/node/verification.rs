//! What an outcome said, held against the conversation as it is. types/conversations.d.ts documents it.

use napi::bindgen_prelude::{Either, Unknown};
use napi_derive::napi;
use serde::Deserialize;

use super::{
    conversations::{ConversationObject, LinkedRecordObject},
    options::{self, Parsed, RecordOption},
};
use crate::{
    domain::{ConversationDetails, ConversationId, ExpectedLink, Slot},
    error::{Code, LinkError, StoreName},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OutcomeOption {
    status: StatusOption,
    conversation_id: Parsed<ConversationId>,
    record: RecordOption,
    current: Option<RecordOption>,
    store: StoreOption,
    dry_run: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum StatusOption {
    Linked,
    Replaced,
    AlreadyLinked,
    Kept,
    Unlinked,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum StoreOption {
    Dataverse,
    Embedded,
}

/// What an outcome of this store says.
pub(super) fn claim(outcome: &Unknown<'_>, store: StoreName) -> Result<ExpectedLink, LinkError> {
    let refused = |why: &str| Err(LinkError::new(Code::InvalidArgument, why));
    let given: OutcomeOption = options::parse_object("outcome", outcome)?;
    if given.dry_run == Some(true) {
        return refused("`outcome`: it is a dry run's, which wrote nothing; there is nothing to verify.");
    }
    let from = match given.store {
        StoreOption::Dataverse => StoreName::Dataverse,
        StoreOption::Embedded => StoreName::Embedded,
    };
    if from != store {
        return refused("`outcome.store`: it is of the other store; verify it with a client of that one.");
    }
    // What another record was kept for is that other one's place.
    let record = match (&given.status, given.current) {
        (StatusOption::Kept, None) => return refused("`outcome.current`: expected the record that was kept."),
        (StatusOption::Kept, Some(kept)) => kept,
        _ => given.record,
    };
    let is_linked = !matches!(given.status, StatusOption::Unlinked);
    Ok(ExpectedLink { conversation_id: given.conversation_id.0, record: record.into(), is_linked })
}

/// `Verification`
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct VerificationObject {
    pub stands: bool,
    pub current: Option<LinkedRecordObject>,
    pub conversation_status: Either<&'static str, i32>,
    pub store: &'static str,
}

impl VerificationObject {
    pub(super) fn new(claim: &ExpectedLink, details: ConversationDetails, store: StoreName) -> Self {
        let stands = claim.still_holds(&details.conversation);
        let ConversationObject { status, customer, case, .. } = details.into();
        let current = match claim.record.entity.slot() {
            Slot::Customer => customer,
            Slot::Case => case,
        };
        Self { stands, current, conversation_status: status, store: store.as_str() }
    }
}
