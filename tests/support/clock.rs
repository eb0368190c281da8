//! One clock for all suites. Its time moves only when a test moves it, or when Tokio's paused time does.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use omnichannel_link::clock::{Clock, Sleep, SystemClock};
use tokio::sync::oneshot;

/// In [`Mode::SkipPauses`], shorter sleeps are pauses between attempts and longer ones are deadlines.
const SHORTEST_DEADLINE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug)]
enum Mode {
    Manual,
    SkipPauses,
    Ticking(Duration),
    AutoAdvance,
}

#[derive(Debug)]
pub(crate) struct TestClock {
    mode: Mode,
    start: Instant,
    time: Mutex<Time>,
    random: AtomicU64,
}

#[derive(Debug, Default)]
struct Time {
    elapsed: Duration,
    /// How long the machine was suspended: the wall clock has moved on and the monotonic clock has not.
    suspended: Duration,
    /// By end, then by start. A dropped sender ends its sleep.
    sleeps: BTreeMap<(Duration, usize), oneshot::Sender<()>>,
    begun: usize,
    pauses: Vec<Duration>,
    instant_sleeps: bool,
}

impl Default for TestClock {
    /// Pauses end at once, are recorded and move the time on. Deadlines end only in [`TestClock::advance`].
    fn default() -> Self {
        Self::new(Mode::SkipPauses, 0)
    }
}

impl TestClock {
    fn new(mode: Mode, seed: u64) -> Self {
        Self { mode, start: SystemClock.now(), time: Mutex::default(), random: AtomicU64::new(seed) }
    }

    /// Time stands still until the test moves it.
    pub(crate) fn manual() -> Self {
        Self::new(Mode::Manual, 0)
    }

    /// A manual clock that also moves by `step` each time it is read.
    pub(crate) fn ticking(step: Duration) -> Self {
        Self::new(Mode::Ticking(step), 0)
    }

    /// Tokio's paused time, which moves on to the next sleep when every task is idle. For suites that run with `start_paused`; all clocks
    /// of one runtime share their time, and the seed sets their random numbers.
    pub(crate) fn auto_advance(seed: u64) -> Self {
        Self::new(Mode::AutoAdvance, seed)
    }

    /// A manual clock whose sleeps end at once.
    pub(crate) fn instant() -> Self {
        let clock = Self::manual();
        clock.set_instant_sleeps(true);
        clock
    }

    /// Whether every sleep that begins from now on ends at once.
    pub(crate) fn set_instant_sleeps(&self, instant: bool) {
        self.time().instant_sleeps = instant;
    }

    /// Moves the time and ends the sleeps that are due.
    pub(crate) fn advance(&self, by: Duration) {
        let mut time = self.time();
        time.elapsed += by;
        let now = time.elapsed;
        time.sleeps = time.sleeps.split_off(&(now, usize::MAX));
    }

    /// Moves to the end of the sleep that is due first, and ends only that one. Returns false if there is none.
    pub(crate) fn end_next_sleep(&self) -> bool {
        let mut time = self.time();
        while let Some(((end, _), sleep)) = time.sleeps.pop_first() {
            if !sleep.is_closed() {
                time.elapsed = end.max(time.elapsed);
                return true;
            }
        }
        false
    }

    /// Moves the wall clock alone, as it appears after the machine was suspended.
    pub(crate) fn suspend(&self, duration: Duration) {
        self.time().suspended += duration;
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.time().elapsed
    }

    /// The pauses that were skipped so far.
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        self.time().pauses.clone()
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.time.lock().unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "Tokio's time is paused where it is used")]
impl Clock for TestClock {
    fn now(&self) -> Instant {
        match self.mode {
            Mode::AutoAdvance => return tokio::time::Instant::now().into_std(),
            Mode::Ticking(step) => self.advance(step),
            Mode::Manual | Mode::SkipPauses => {}
        }
        self.start + self.elapsed()
    }

    fn wall(&self) -> SystemTime {
        let time = self.time();
        SystemTime::UNIX_EPOCH + time.elapsed + time.suspended
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        if matches!(self.mode, Mode::AutoAdvance) {
            return Box::pin(tokio::time::sleep(duration));
        }
        let mut time = self.time();
        if time.instant_sleeps {
            return Box::pin(std::future::ready(()));
        }
        if matches!(self.mode, Mode::SkipPauses) && duration < SHORTEST_DEADLINE {
            time.pauses.push(duration);
            time.elapsed += duration;
            return Box::pin(tokio::task::yield_now());
        }
        let (sender, ended) = oneshot::channel();
        time.begun += 1;
        let key = (time.elapsed + duration, time.begun);
        time.sleeps.insert(key, sender);
        Box::pin(async move { drop(ended.await) })
    }

    fn random(&self) -> u128 {
        // Spread over the whole width, so that jitter differs too.
        u128::from(self.random.fetch_add(1, Ordering::Relaxed)).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }
}
