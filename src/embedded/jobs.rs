//! Jobs of the writing thread.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{import::EntityPage, pending::PendingUpdate, reader::Task};
use crate::{
    domain::{Call, ConversationId, Decide, Decision},
    error::LinkError,
};

pub(super) type Reply<T> = oneshot::Sender<Result<T, LinkError>>;

/// One job of the thread. Jobs run in the order in which they were sent.
pub(super) enum Job {
    Update(Update),
    Run(Task),
    /// Closes the connections and ends the thread.
    Close(Reply<()>),
}

/// Reads or passes the page of an import. Its argument reports whether the caller has cancelled.
pub(super) type GetPage = Box<dyn FnOnce(&dyn Fn() -> bool) -> Result<EntityPage, LinkError> + Send>;

pub(super) struct Update {
    pub(super) id: ConversationId,
    pub(super) decide: Decide,
    pub(super) call: Arc<Call>,
    pub(super) pending: PendingUpdate,
    pub(super) reply: Reply<Decision>,
}
