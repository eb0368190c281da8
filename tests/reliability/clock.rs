//! Time that stands still while anything is on its way, and then jumps to whatever is waited for next. So pauses and deadlines keep
//! their true order and length, and nobody waits.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use omnichannel_link::clock::{Clock, Sleep, SystemClock};
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct JumpingClock {
    start: Instant,
    now: watch::Sender<Duration>,
    /// When each sleep ends.
    awaited: Arc<Mutex<Vec<Duration>>>,
    random: AtomicU64,
}

/// One sleep, taken off the list when it is over or given up.
struct Awaited(Arc<Mutex<Vec<Duration>>>, Duration);

impl Drop for Awaited {
    fn drop(&mut self) {
        let mut awaited = self.0.lock().unwrap();
        let index = awaited.iter().position(|end| *end == self.1).unwrap();
        awaited.swap_remove(index);
    }
}

impl JumpingClock {
    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        *self.now.borrow()
    }

    /// Moves to the end of the sleep that ends first.
    pub(crate) fn jump(&self) {
        let first = self.awaited.lock().unwrap().iter().min().copied();
        let end = first.expect("every call has a deadline, so something is always waited for");
        self.now.send_if_modified(|now| std::mem::replace(now, end.max(*now)) < end);
    }
}

impl Default for JumpingClock {
    fn default() -> Self {
        let (now, awaited, random) = (watch::Sender::new(Duration::ZERO), Arc::default(), AtomicU64::new(0));
        Self { start: SystemClock.now(), now, awaited, random }
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Instant {
        self.start + self.elapsed()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let end = self.elapsed() + duration;
        self.awaited.lock().unwrap().push(end);
        let awaited = Awaited(Arc::clone(&self.awaited), end);
        let mut now = self.now.subscribe();
        Box::pin(async move {
            drop(now.wait_for(|now| *now >= end).await);
            drop(awaited);
        })
    }

    fn random(&self) -> u128 {
        // Spread over the whole width, so that jitter differs too.
        u128::from(self.random.fetch_add(1, Ordering::Relaxed)).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }
}
