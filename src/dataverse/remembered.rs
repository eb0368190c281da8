//! Cache of rows from earlier responses, with their `ETag`s. A write that is based on a cached row costs one round trip.
//!
//! A call takes the row out while it works, and puts it back only when it knows the current state. So a call that ends early, by a
//! timeout, a cancellation, an error or a conflict, drops the row without further code.

use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

use super::response::Row;
use crate::{
    clock::SharedClock,
    domain::{CallerId, ConversationId},
};

/// Most rows; about 300 bytes each.
const MAX_ROWS: usize = 10_000;
/// Conversations change often, so an older row would mostly lead to a conflict.
const MAX_AGE: Duration = Duration::from_secs(300);

/// Rows are kept per impersonated user, because users may see different rows.
type Key = (Option<CallerId>, ConversationId);

pub(super) struct RememberedRows {
    rows: Cache<Key, (Row, Instant)>,
    clock: SharedClock,
}

impl RememberedRows {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { rows: Cache::new(MAX_ROWS), clock }
    }

    /// Takes the row out, if there is one that is young enough.
    pub(super) fn take(&self, caller: Option<CallerId>, id: ConversationId) -> Option<Row> {
        let (_, (row, since)) = self.rows.remove(&(caller, id))?;
        (self.clock.now().duration_since(since) < MAX_AGE).then_some(row)
    }

    /// Keeps a row from the response that has just arrived.
    pub(super) fn put(&self, caller: Option<CallerId>, row: Row) {
        self.rows.insert((caller, row.conversation.id), (row, self.clock.now()));
    }

    /// Keeps a row that was requested at `asked`, unless another one was kept since: that one may be newer.
    pub(super) fn put_if_newest(&self, caller: Option<CallerId>, row: Row, asked: Instant) {
        let known = self.rows.peek(&(caller, row.conversation.id));
        if known.is_none_or(|(_, since)| since < asked) {
            self.put(caller, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{
        clock::{Clock, Sleep},
        dataverse::etag::Etag,
        domain::{Conversation, Status},
    };

    #[derive(Debug)]
    struct ManualClock(Mutex<Instant>);

    impl ManualClock {
        fn advance(&self) {
            *self.0.lock().unwrap() += Duration::from_secs(1);
        }
    }

    impl Clock for ManualClock {
        fn now(&self) -> Instant {
            *self.0.lock().unwrap()
        }

        fn wall(&self) -> std::time::SystemTime {
            std::time::UNIX_EPOCH
        }

        fn sleep(&self, _: Duration) -> Sleep {
            Box::pin(std::future::ready(()))
        }

        fn random(&self) -> u128 {
            0
        }
    }

    fn etag(number: u32) -> Etag {
        Etag::parse(&format!("W/\"{number}\"")).unwrap()
    }

    fn row(number: u32) -> Row {
        let conversation = Conversation { id: [1; 16].into(), status: Status::ACTIVE, customer: None, case: None };
        Row { conversation, etag: etag(number) }
    }

    #[test]
    fn a_late_read_does_not_replace_a_newer_row() {
        #[expect(clippy::disallowed_methods, reason = "an Instant has no other origin")]
        let clock = Arc::new(ManualClock(Mutex::new(Instant::now())));
        let rows = RememberedRows::new(clock.clone());
        let remembered = || rows.rows.peek(&(None, [1; 16].into())).map(|(row, _)| row.etag);
        let early = clock.now();
        rows.put_if_newest(None, row(1), early);
        assert_eq!(remembered(), Some(etag(1)));
        clock.advance();
        rows.put(None, row(3));
        rows.put_if_newest(None, row(2), early);
        assert_eq!(remembered(), Some(etag(3)), "a link completed while the row was read");
        clock.advance();
        rows.put_if_newest(None, row(4), clock.now());
        assert_eq!(remembered(), Some(etag(4)));
    }
}
