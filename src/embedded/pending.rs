//! Conversations with updates in progress. A read waits for the earlier updates of its conversation, and for no others.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex},
};

use crate::{domain::ConversationId, sync::lock};

#[derive(Clone, Default)]
pub(super) struct PendingUpdates(Arc<Mutex<HashMap<ConversationId, usize>>>);

/// One update in progress, until it is dropped.
pub(super) struct PendingUpdate {
    id: ConversationId,
    all: PendingUpdates,
}

impl PendingUpdates {
    pub(super) fn begin(&self, id: ConversationId) -> PendingUpdate {
        self.with(|counts| *counts.entry(id).or_default() += 1);
        PendingUpdate { id, all: self.clone() }
    }

    pub(super) fn has(&self, id: ConversationId) -> bool {
        self.with(|counts| counts.contains_key(&id))
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<ConversationId, usize>) -> T) -> T {
        work(&mut lock(&self.0))
    }
}

impl Drop for PendingUpdate {
    fn drop(&mut self) {
        self.all.with(|counts| {
            if let Entry::Occupied(mut entry) = counts.entry(self.id) {
                *entry.get_mut() -= 1;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
        });
    }
}
