//! Outcomes of links and unlinks, as an object or as one compact string. types/outcomes.d.ts documents the object.

use napi::{
    Env, JsValue,
    bindgen_prelude::{Either, Null, ToNapiValue},
    sys,
};

use super::{object::Properties, output::RecordReferenceObject};
use crate::{
    domain::{ConversationId, LinkOutcome, RecordReference, RequestId, UnlinkOutcome},
    error::StoreName,
};

/// The outcome of a link or an unlink, in the words of JavaScript.
pub(super) struct Outcome {
    status: &'static str,
    conversation_id: ConversationId,
    record: RecordReference,
    /// An unlink has no `previous`.
    is_link: bool,
    previous: Option<RecordReference>,
    current: Option<RecordReference>,
    store: StoreName,
    request_id: RequestId,
    dry_run: bool,
}

/// `LinkOutcome` or `UnlinkOutcome`.
pub(super) struct OutcomeObject(pub(super) Outcome);

/// The same as one string, which crosses into JavaScript in a single call; lib/outcome.js decodes it.
///
/// | characters | meaning |
/// |---|---|
/// | 0 | first letter of the status |
/// | 1 | first letter of the store |
/// | 2 | `y` for a dry run, else `n` |
/// | 3 | first letter of the record's table |
/// | 4-39, 40-75, 76-111 | conversation, record and request id |
/// | 112, 113-148 | table and id of `previous` or `current`, if there is one |
pub(super) struct CompactOutcome(pub(super) Outcome);

impl From<LinkOutcome> for Outcome {
    fn from(outcome: LinkOutcome) -> Self {
        let LinkOutcome { status, conversation_id, record, previous, current, store, request_id, dry_run } = outcome;
        let status = status.as_str();
        Self { status, conversation_id, record, is_link: true, previous, current, store, request_id, dry_run }
    }
}

impl From<UnlinkOutcome> for Outcome {
    fn from(outcome: UnlinkOutcome) -> Self {
        let UnlinkOutcome { conversation_id, record, store, request_id, dry_run } = outcome;
        let (status, is_link, previous, current) = ("unlinked", false, None, None);
        Self { status, conversation_id, record, is_link, previous, current, store, request_id, dry_run }
    }
}

impl ToNapiValue for OutcomeObject {
    unsafe fn to_napi_value(env: sys::napi_env, Self(outcome): Self) -> napi::Result<sys::napi_value> {
        let env = Env::from_raw(env);
        let mut properties = Properties::new(&env);
        properties.set("status", outcome.status)?;
        properties.set("conversationId", outcome.conversation_id.to_string())?;
        properties.set("record", RecordReferenceObject::from(outcome.record))?;
        let previous = outcome.previous.map(RecordReferenceObject::from).map_or(Either::B(Null), Either::A);
        properties.set_some("previous", outcome.is_link.then_some(previous))?;
        properties.set_some("current", outcome.current.map(RecordReferenceObject::from))?;
        properties.set("store", outcome.store.as_str())?;
        properties.set("requestId", outcome.request_id.to_string())?;
        properties.set_some("dryRun", outcome.dry_run.then_some(true))?;
        Ok(properties.into_object()?.raw())
    }
}

impl ToNapiValue for CompactOutcome {
    unsafe fn to_napi_value(env: sys::napi_env, Self(outcome): Self) -> napi::Result<sys::napi_value> {
        let (text, length) = compact(&outcome);
        latin1(env, &text[..length])
    }
}

/// A string of characters below 256, one in each byte.
pub(super) fn latin1(env: sys::napi_env, text: &[u8]) -> napi::Result<sys::napi_value> {
    let mut value = std::ptr::null_mut();
    // SAFETY: the environment is the current one, and `text` has the given length.
    let status =
        unsafe { sys::napi_create_string_latin1(env, text.as_ptr().cast(), text.len().cast_signed(), &raw mut value) };
    napi::check_status!(status)?;
    Ok(value)
}

const ID: usize = 36;
const SHORT: usize = 4 + 3 * ID;
pub(super) const LONGEST: usize = SHORT + 1 + ID;

/// The characters, followed by zeros, and their number.
pub(super) fn compact(outcome: &Outcome) -> ([u8; LONGEST], usize) {
    let mut text = [0; LONGEST];
    let first = |word: &str| word.as_bytes().first().copied().unwrap_or_default();
    let dry_run = if outcome.dry_run { b'y' } else { b'n' };
    text[..4].copy_from_slice(&[
        first(outcome.status),
        first(outcome.store.as_str()),
        dry_run,
        first(outcome.record.entity.as_str()),
    ]);
    let mut id = |at: usize, bytes: &[u8; 16]| {
        uuid::Uuid::from_bytes_ref(bytes).hyphenated().encode_lower(&mut text[at..at + ID]);
    };
    id(4, outcome.conversation_id.as_bytes());
    id(4 + ID, outcome.record.id.as_bytes());
    id(4 + 2 * ID, outcome.request_id.as_bytes());
    let Some(other) = outcome.previous.or(outcome.current) else { return (text, SHORT) };
    id(SHORT + 1, other.id.as_bytes());
    text[SHORT] = first(other.entity.as_str());
    (text, LONGEST)
}
