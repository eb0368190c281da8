//! The conversations that have updates under way: a read of one waits for those that were called before it, and for nothing else.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

use crate::domain::ConversationId;

/// How many updates of each conversation are under way.
#[derive(Clone, Default)]
pub(super) struct Pending(Arc<Mutex<HashMap<ConversationId, usize>>>);

/// One update under way, until this is dropped.
pub(super) struct Underway {
    id: ConversationId,
    pending: Pending,
}

impl Pending {
    /// Counts an update.
    pub(super) fn begin(&self, id: ConversationId) -> Underway {
        self.with(|pending| *pending.entry(id).or_default() += 1);
        Underway { id, pending: self.clone() }
    }

    /// Whether an update of this conversation is under way.
    pub(super) fn has(&self, id: ConversationId) -> bool {
        self.with(|pending| pending.contains_key(&id))
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<ConversationId, usize>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.pending.with(|pending| {
            if let Entry::Occupied(mut entry) = pending.entry(self.id) {
                *entry.get_mut() -= 1;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
        });
    }
}
