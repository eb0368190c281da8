//! Rows kept from earlier answers, with the `ETag` that came with them: a write that rests on one costs one round trip.
//!
//! A row is taken out while a call works with it and put back only when the call knows how things stand. So whatever ends a
//! call early, a deadline, an abort, a fault or a conflict, forgets the row without anybody having to think of it.

use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

use super::answer::Row;
use crate::{clock::SharedClock, domain::ConversationId};

/// Rows at the most; about 300 bytes each.
const MAX_ROWS: usize = 10_000;
/// Conversations are written to all the time, so an older row would mostly buy a conflict.
const MAX_AGE: Duration = Duration::from_secs(300);

pub(super) struct RememberedRows {
    rows: Cache<ConversationId, (Row, Instant)>,
    clock: SharedClock,
}

impl RememberedRows {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { rows: Cache::new(MAX_ROWS), clock }
    }

    /// The row, if one is remembered that is young enough. It is forgotten until it is put back.
    pub(super) fn take(&self, id: ConversationId) -> Option<Row> {
        let (_, (row, since)) = self.rows.remove(&id)?;
        (self.clock.now().duration_since(since) < MAX_AGE).then_some(row)
    }

    /// Remembers a row that an answer has just shown.
    pub(super) fn put(&self, row: Row) {
        self.rows.insert(row.conversation.id, (row, self.clock.now()));
    }
}
