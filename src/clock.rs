//! Time and randomness as a value that tests replace. Only this module may get them from the system.

use std::{
    fmt::Debug,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// A sleep that can be stored and dropped.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

pub trait Clock: Debug + Send + Sync {
    fn now(&self) -> Instant;
    /// Time of day. It advances while the machine sleeps, unlike [`Clock::now`] on some systems. Users and time servers may change it.
    fn wall(&self) -> SystemTime;
    /// Completes after this time. Dropping it cancels the sleep.
    fn sleep(&self, duration: Duration) -> Sleep;
    fn random(&self) -> u128;
}

/// A clock that is shared by all parts of a client.
pub type SharedClock = Arc<dyn Clock>;

/// The system's time and the thread's random number generator. Sleeping needs a Tokio runtime with a timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "the only place that may call them")]
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

/// A random time up to `most`, uniformly distributed, so that callers that collided do not collide again.
#[must_use]
pub fn jitter(clock: &dyn Clock, most: Duration) -> Duration {
    let [share, ..] = clock.random().to_be_bytes();
    most.mul_f64(f64::from(share) / 255.0)
}
