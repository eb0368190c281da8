//! The port: what a place that keeps conversations and links has to do.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use super::{
    decision::{Decide, Decision},
    ids::ConversationId,
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

/// What one call carries with it into the store.
#[derive(Debug)]
pub struct Call {
    request_id: String,
    deadline: Option<Instant>,
    write_under_way: Arc<AtomicBool>,
}

impl Call {
    /// A call that has not written anything.
    #[must_use]
    pub fn new(request_id: String, deadline: Option<Instant>) -> Self {
        Self { request_id, deadline, write_under_way: Arc::default() }
    }

    /// The id that logs on both sides show.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// When the caller stops waiting. The service sees to it; a store only needs it to keep some time in reserve.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// From now on the write may take effect, whoever stops listening.
    pub fn write_begins(&self) {
        self.write_under_way.store(true, Ordering::SeqCst);
    }

    /// The mark itself, for who sends the write on the store's behalf.
    #[must_use]
    pub fn write_mark(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.write_under_way)
    }

    /// The store is certain that the write had no effect.
    pub fn write_refused(&self) {
        self.write_under_way.store(false, Ordering::SeqCst);
    }

    /// Whether a call that is given up now may have taken effect.
    #[must_use]
    pub fn maybe_applied(&self) -> bool {
        self.write_under_way.load(Ordering::SeqCst)
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

    /// Releases what the store holds. Called once, after the last update.
    fn close(&self) -> StoreFuture<()>;
}
