//! Time that passes only when the run says so, one sleep at a time and in the same order in every run of a seed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use omnichannel_link::clock::{Clock, Sleep, SystemClock};
use tokio::sync::oneshot;

#[derive(Debug)]
pub(crate) struct OrderedClock {
    start: Instant,
    time: Arc<Mutex<Time>>,
    random: AtomicU64,
}

#[derive(Debug, Default)]
struct Time {
    now: Duration,
    /// By their ends; those with the same in the order in which they began.
    sleeps: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    begun: u64,
}

impl OrderedClock {
    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.time.lock().unwrap().now
    }

    /// Ends the sleep that is due first.
    pub(crate) fn pass(&self) {
        let mut time = self.time.lock().unwrap();
        // One that was dropped is over already.
        while let Some(((end, _), sleep)) = time.sleeps.pop_first() {
            if !sleep.is_closed() {
                time.now = end.max(time.now);
                drop(sleep);
                return;
            }
        }
    }
}

impl Default for OrderedClock {
    fn default() -> Self {
        Self { start: SystemClock.now(), time: Arc::default(), random: AtomicU64::new(0) }
    }
}

impl Clock for OrderedClock {
    fn now(&self) -> Instant {
        self.start + self.elapsed()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let (sleep, over) = oneshot::channel();
        let mut time = self.time.lock().unwrap();
        time.begun += 1;
        let due = (time.now + duration, time.begun);
        time.sleeps.insert(due, sleep);
        Box::pin(async move { drop(over.await) })
    }

    fn random(&self) -> u128 {
        // Spread over the whole width, so that jitter differs too.
        u128::from(self.random.fetch_add(1, Ordering::Relaxed)).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }
}
