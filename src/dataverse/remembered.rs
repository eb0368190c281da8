//! Rows kept from earlier answers, with the `ETag` that came with them: a write that rests on one costs one round trip.
//!
//! A row is taken out while a call works with it and put back only when the call knows how things stand. So whatever ends a
//! call early, a deadline, an abort, a fault or a conflict, forgets the row without anybody having to think of it.

use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

use super::answer::Row;
use crate::{
    clock::SharedClock,
    domain::{CallerId, ConversationId},
};

/// Rows at the most; about 300 bytes each.
const MAX_ROWS: usize = 10_000;
/// Conversations are written to all the time, so an older row would mostly buy a conflict.
const MAX_AGE: Duration = Duration::from_secs(300);

/// Whoever calls on somebody's behalf sees what that user may see, and nothing else.
type Key = (Option<CallerId>, ConversationId);

pub(super) struct RememberedRows {
    rows: Cache<Key, (Row, Instant)>,
    clock: SharedClock,
}

impl RememberedRows {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { rows: Cache::new(MAX_ROWS), clock }
    }

    /// The row, if one is remembered that is young enough. It is forgotten until it is put back.
    pub(super) fn take(&self, caller: Option<CallerId>, id: ConversationId) -> Option<Row> {
        let (_, (row, since)) = self.rows.remove(&(caller, id))?;
        (self.clock.now().duration_since(since) < MAX_AGE).then_some(row)
    }

    /// Remembers a row that an answer has just shown.
    pub(super) fn put(&self, caller: Option<CallerId>, row: Row) {
        self.rows.insert((caller, row.conversation.id), (row, self.clock.now()));
    }
}
