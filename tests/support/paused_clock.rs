//! Tokio's paused clock: it moves on to the next sleep when no task has anything else to do. For suites that run with `start_paused`.
#![allow(dead_code, reason = "each suite uses its part of it")]

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime},
};

use omnichannel_link::clock::{Clock, Sleep};

#[derive(Debug, Default)]
pub(crate) struct PausedClock(AtomicU64);

impl PausedClock {
    /// A clock with other random numbers than one with another seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

#[expect(clippy::disallowed_methods, reason = "paused, so it is no real time")]
impl Clock for PausedClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }

    fn random(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed)).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }
}
