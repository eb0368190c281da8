//! Time and randomness as a value that tests replace. The only place that may ask the system for either.

use std::{
    fmt::Debug,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// A sleep that can be stored and dropped.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where time passes and dice fall.
pub trait Clock: Debug + Send + Sync {
    /// A monotonic reading.
    fn now(&self) -> Instant;
    /// The time of day. It moves on while the machine sleeps, which [`Clock::now`] does not do everywhere; and people set it.
    fn wall(&self) -> SystemTime;
    /// Completes when the time is over; dropping it cancels.
    fn sleep(&self, duration: Duration) -> Sleep;
    /// 128 random bits.
    fn random(&self) -> u128;
}

/// A clock as everybody holds it.
pub type SharedClock = Arc<dyn Clock>;

/// The system's time and the thread's random generator. Sleeps need a Tokio runtime with a timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "this is the one place they are for")]
impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }

    fn random(&self) -> u128 {
        rand::random()
    }
}

/// A share of `most`, evenly random: how long to wait so that two who collided do not collide again.
#[must_use]
pub fn jitter(clock: &dyn Clock, most: Duration) -> Duration {
    let [share, ..] = clock.random().to_be_bytes();
    most.mul_f64(f64::from(share) / 255.0)
}
