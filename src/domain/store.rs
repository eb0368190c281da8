//! The port that every store of conversations and links implements.

use std::{pin::Pin, sync::Arc};

use super::{
    call::Call,
    decision::{Decide, Decision},
    ids::ConversationId,
    query::{ConversationDetails, ConversationPage, ConversationQuery, NamedRecord, RecordKey},
    report::Report,
};
use crate::error::{LinkError, StoreName};

/// Result of a store's method. Boxed once per call, so that everything above a store is compiled once.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = Result<T, LinkError>> + Send>>;

pub trait LinkStore: Send + Sync {
    fn name(&self) -> StoreName;

    /// Whether calls can be made in the name of another user.
    fn can_impersonate(&self) -> bool {
        false
    }

    /// Runs the decision on the current row of the conversation and commits its change, atomically. Completes when the
    /// store has confirmed the outcome. Dropping the future stops the work; a write that began before is marked in `call`.
    ///
    /// Calls on one conversation take effect in the order in which this method was called, however their futures are polled.
    ///
    /// Fails with the decision's own code, `CONVERSATION_NOT_FOUND`, `RECORD_NOT_FOUND` (links only), or an error of the store.
    fn update(&self, id: ConversationId, decide: Decide, call: Arc<Call>) -> StoreFuture<Decision>;

    /// Reads a conversation as it is after this was called, and after all earlier updates of it.
    ///
    /// Fails with `CONVERSATION_NOT_FOUND`, or an error of the store.
    fn read(&self, id: ConversationId, call: Arc<Call>) -> StoreFuture<ConversationDetails>;

    /// Reads a page of conversations: the first one, or the one with the continuation token `next` of the page before.
    ///
    /// Fails with `INVALID_ARGUMENT` if `next` is not a token of this store, or with an error of the store.
    fn list(&self, query: ConversationQuery, next: Option<String>, call: Arc<Call>) -> StoreFuture<ConversationPage>;

    /// Reads the records that match, at most one more than [`RecordKey::MAX_CANDIDATES`].
    ///
    /// Fails with `INVALID_ARGUMENT` for an unknown column if the store can tell, or with an error of the store.
    fn find(&self, key: RecordKey, call: Arc<Call>) -> StoreFuture<Vec<NamedRecord>>;

    /// Checks everything that links depend on, and changes nothing. Problems are in the report, never an error.
    fn diagnose(&self, call: Arc<Call>) -> StoreFuture<Report>;

    /// Called when no further calls will come, so that calls that wait without a limit of their own end soon.
    fn closing(&self) {}

    /// Releases all resources. Called once, after the last call.
    fn close(&self) -> StoreFuture<()>;
}
