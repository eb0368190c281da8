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

    /// The same for a row that was asked for at `asked`: what was remembered since may be newer, and stays.
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
        dataverse::version::Version,
        domain::{Conversation, Status},
    };

    #[derive(Debug)]
    struct Moved(Mutex<Instant>);

    impl Moved {
        fn on(&self) {
            *self.0.lock().unwrap() += Duration::from_secs(1);
        }
    }

    impl Clock for Moved {
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

    fn version(etag: &str) -> Version {
        Version::parse(&format!("W/\"{etag}\"")).unwrap()
    }

    fn row(etag: &str) -> Row {
        let conversation = Conversation { id: [1; 16].into(), status: Status::ACTIVE, customer: None, case: None };
        Row { conversation, etag: version(etag) }
    }

    #[test]
    fn a_read_that_ends_late_puts_no_older_row_over_a_newer_one() {
        #[expect(clippy::disallowed_methods, reason = "an Instant has no other origin")]
        let clock = Arc::new(Moved(Mutex::new(Instant::now())));
        let rows = RememberedRows::new(clock.clone());
        let etag = || rows.rows.peek(&(None, [1; 16].into())).map(|(row, _)| row.etag);
        let early = clock.now();
        rows.put_if_newest(None, row("1"), early);
        assert_eq!(etag(), Some(version("1")));
        clock.on();
        rows.put(None, row("3"));
        rows.put_if_newest(None, row("2"), early);
        assert_eq!(etag(), Some(version("3")), "a link went on while the row was read");
        clock.on();
        rows.put_if_newest(None, row("4"), clock.now());
        assert_eq!(etag(), Some(version("4")));
    }
}
