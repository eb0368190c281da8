//! What the suites share: ids, a clock that tests move, pages of rows.
#![allow(dead_code, reason = "each suite uses its part of it")]

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use omnichannel_link::{
    clock::{Clock, Sleep},
    domain::{ConversationId, EntityLogicalName, RecordReference},
};
use tokio::sync::watch;

/// The conversation of the documentation's example, and the incident.
pub(crate) const CONVERSATION: &str = "b7397aae-ecf8-43a6-aeb0-07d294efb494";
/// A conversation that nobody has.
pub(crate) const NOWHERE: &str = "00000000-0000-4000-8000-00000000dead";

pub(crate) fn conversation(id: &str) -> ConversationId {
    id.parse().expect("a conversation's id")
}

pub(crate) fn account(number: u8) -> RecordReference {
    RecordReference { entity: EntityLogicalName::Account, id: [number; 16].into() }
}

pub(crate) fn contact(number: u8) -> RecordReference {
    RecordReference { entity: EntityLogicalName::Contact, id: [number; 16].into() }
}

pub(crate) fn incident(number: u8) -> RecordReference {
    RecordReference { entity: EntityLogicalName::Incident, id: [number; 16].into() }
}

/// Sleeps shorter than this are pauses between attempts, longer ones are deadlines.
const DEADLINE: Duration = Duration::from_secs(5);

/// Pauses take no time and are noted; deadlines pass when the test says so; dice fall in sequence.
#[derive(Debug)]
pub(crate) struct TestClock {
    start: Instant,
    random: AtomicU64,
    moved: Mutex<Duration>,
    passed: watch::Sender<Duration>,
    pauses: Mutex<Vec<Duration>>,
}

impl Default for TestClock {
    #[expect(clippy::disallowed_methods, reason = "an Instant has no other origin; it never moves again")]
    fn default() -> Self {
        let (start, passed) = (Instant::now(), watch::Sender::new(Duration::ZERO));
        Self { start, moved: Mutex::default(), random: AtomicU64::new(0), passed, pauses: Mutex::default() }
    }
}

impl TestClock {
    /// Lets every deadline pass.
    pub(crate) fn expire(&self) {
        self.pass(Duration::MAX);
    }

    /// Lets the deadlines pass that are no longer than this; zero for none any more.
    pub(crate) fn pass(&self, time: Duration) {
        self.passed.send_replace(time);
    }

    /// Moves the reading of the clock; no sleep notices.
    pub(crate) fn advance(&self, time: Duration) {
        *self.moved.lock().expect("nobody panics while moving") += time;
    }

    /// The pauses that were taken so far.
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        self.pauses.lock().expect("nobody panics while noting").clone()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        self.start + *self.moved.lock().expect("nobody panics while moving")
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + *self.moved.lock().expect("nobody panics while moving")
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        if duration < DEADLINE {
            self.pauses.lock().expect("nobody panics while noting").push(duration);
            self.advance(duration);
            return Box::pin(tokio::task::yield_now());
        }
        let mut passed = self.passed.subscribe();
        Box::pin(async move { drop(passed.wait_for(|time| *time >= duration).await) })
    }

    fn random(&self) -> u128 {
        // Spread over the whole width, so that jitter differs too.
        u128::from(self.random.fetch_add(1, Ordering::Relaxed)).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }
}
