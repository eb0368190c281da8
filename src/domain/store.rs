//! The port: what a place that keeps conversations and links has to do.

use std::{pin::Pin, sync::Arc};

use super::{
    call::Call,
    decision::{Decide, Decision},
    ids::ConversationId,
    query::{ConversationDetails, ConversationPage, ConversationQuery, NamedRecord, RecordKey},
    report::Report,
};
use crate::error::LinkError;

/// Where conversations and links live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreName {
    /// A Dataverse environment, through the Web API.
    Dataverse,
    /// The SQLite file beside the program.
    Embedded,
}

impl StoreName {
    /// The word that outcomes and errors carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dataverse => "dataverse",
            Self::Embedded => "embedded",
        }
    }
}

/// What a store's method returns. Boxed once per call, so that everything above a store is compiled once.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = Result<T, LinkError>> + Send>>;

/// A store of conversations and links.
pub trait LinkStore: Send + Sync {
    /// Its name.
    fn name(&self) -> StoreName;

    /// Runs the decision on the current row of the conversation and commits what it says, atomically. Completes when the
    /// store has confirmed the outcome. Dropping the future stops the work; a write that began before is marked in `call`.
    ///
    /// Calls on one conversation take effect in the order in which this method was called, however their futures are polled.
    ///
    /// Fails with the decision's own code, `CONVERSATION_NOT_FOUND`, `RECORD_NOT_FOUND` (links only), or the store's fault.
    fn update(&self, id: ConversationId, decide: Decide, call: Arc<Call>) -> StoreFuture<Decision>;

    /// Reads a conversation as it is after this was called, and after the updates of it that were called before.
    ///
    /// Fails with `CONVERSATION_NOT_FOUND`, or the store's fault.
    fn read(&self, id: ConversationId, call: Arc<Call>) -> StoreFuture<ConversationDetails>;

    /// Reads a page of conversations: the first, or the one that `next` of the one before names.
    ///
    /// Fails with `INVALID_ARGUMENT` if `next` is not the store's own word, or the store's fault.
    fn list(&self, query: ConversationQuery, next: Option<String>, call: Arc<Call>) -> StoreFuture<ConversationPage>;

    /// Reads the records that fit, one more than [`RecordKey::MOST`] at the most.
    ///
    /// Fails with `INVALID_ARGUMENT` for a column that does not exist, where the store knows, or the store's fault.
    fn find(&self, key: RecordKey, call: Arc<Call>) -> StoreFuture<Vec<NamedRecord>>;

    /// Checks everything that links depend on, and changes nothing. Problems are in the report, never an error.
    fn diagnose(&self, call: Arc<Call>) -> StoreFuture<Report>;

    /// No call comes after this was called. Those that wait for something without a bound of its own end soon.
    fn closing(&self) {}

    /// Releases what the store holds. Called once, after the last update.
    fn close(&self) -> StoreFuture<()>;
}
