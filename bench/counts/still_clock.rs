//! A clock that moves only when it is told to, with random numbers that are the same in each run.

use std::{
    future::{pending, ready},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime},
};

use omnichannel_link::clock::{Clock, Sleep, SystemClock};

/// Shorter sleeps are pauses between attempts, which end at once. Longer ones are deadlines, which never come.
const SHORTEST_DEADLINE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct StillClock {
    start: Instant,
    seconds: AtomicU64,
    random: AtomicU64,
}

impl Default for StillClock {
    fn default() -> Self {
        Self { start: SystemClock.now(), seconds: AtomicU64::default(), random: AtomicU64::default() }
    }
}

impl StillClock {
    pub(crate) fn advance(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.seconds.load(Ordering::Relaxed))
    }
}

impl Clock for StillClock {
    fn now(&self) -> Instant {
        self.start + self.elapsed()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        if duration < SHORTEST_DEADLINE { Box::pin(ready(())) } else { Box::pin(pending()) }
    }

    fn random(&self) -> u128 {
        // Spread over the whole width, so that jitter differs too.
        u128::from(self.random.fetch_add(1, Ordering::Relaxed)).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }
}
