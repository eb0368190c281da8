//! Runs lanes for a time and reports what they did. `bench/client.mjs` is the same in JavaScript.

use std::{
    cell::{Cell, RefCell},
    fs,
    io::{self, Write},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Times {
    warm_up_in_ms: u64,
    measured_in_ms: u64,
}

/// Counts and times of the links of one run.
pub(crate) struct Meter {
    from: Instant,
    to: Instant,
    /// All links, also those of the warm-up.
    links: Cell<u64>,
    latencies: RefCell<Vec<u64>>,
    start: Cell<Option<Sample>>,
    end: Cell<Option<Sample>>,
}

#[derive(Clone, Copy)]
struct Sample {
    time: Instant,
    process: Option<Duration>,
    main_thread: Option<Duration>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    links: u64,
    measured: usize,
    seconds: f64,
    p50_in_us: Option<f64>,
    p99_in_us: Option<f64>,
    cpu_in_us: Option<f64>,
    main_cpu_in_us: Option<f64>,
    rss_in_mb: Option<f64>,
}

impl Meter {
    pub(crate) fn start(times: Times) -> Self {
        let from = Instant::now() + Duration::from_millis(times.warm_up_in_ms);
        Self {
            from,
            to: from + Duration::from_millis(times.measured_in_ms),
            links: Cell::default(),
            latencies: RefCell::default(),
            start: Cell::default(),
            end: Cell::default(),
        }
    }

    /// Records links that began at the same time and have just ended. False if the run is over.
    pub(crate) fn record(&self, began: Instant, links: u64) -> bool {
        let now = Instant::now();
        self.links.set(self.links.get() + links);
        if self.end.get().is_some() {
            return false;
        }
        if self.start.get().is_none() {
            self.start.set((now >= self.from).then(Sample::now));
            return true;
        }
        let nanoseconds = u64::try_from((now - began).as_nanos()).unwrap_or(u64::MAX);
        self.latencies.borrow_mut().extend((0..links).map(|_| nanoseconds));
        self.end.set((now >= self.to).then(Sample::now));
        now < self.to
    }

    #[allow(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
    pub(crate) fn report(&self) -> io::Result<()> {
        let (Some(start), Some(end)) = (self.start.get(), self.end.get()) else {
            return Err(io::Error::other("no link ended in time"));
        };
        let mut latencies = self.latencies.take();
        latencies.sort_unstable();
        let measured = latencies.len();
        let quantile = |part: usize| latencies.get(measured * part / 100).map(|nanoseconds| *nanoseconds as f64 / 1e3);
        let per_link = |pair: (Option<Duration>, Option<Duration>)| match pair {
            (Some(from), Some(to)) => Some(to.saturating_sub(from).as_secs_f64() * 1e6 / measured as f64),
            _ => None,
        };
        let report = Report {
            links: self.links.get(),
            measured,
            seconds: (end.time - start.time).as_secs_f64(),
            p50_in_us: quantile(50),
            p99_in_us: quantile(99),
            cpu_in_us: per_link((start.process, end.process)),
            main_cpu_in_us: per_link((start.main_thread, end.main_thread)),
            rss_in_mb: peak_memory(),
        };
        writeln!(io::stdout(), "{}", serde_json::to_string(&report)?)
    }
}

impl Sample {
    fn now() -> Self {
        Self { time: Instant::now(), process: process_time(), main_thread: main_thread_time() }
    }
}

#[cfg(unix)]
fn process_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).ok()
}

#[cfg(not(unix))]
fn process_time() -> Option<Duration> {
    None
}

/// On Linux only.
fn main_thread_time() -> Option<Duration> {
    let times = fs::read_to_string(format!("/proc/self/task/{}/schedstat", std::process::id())).ok()?;
    Some(Duration::from_nanos(times.split(' ').next()?.parse().ok()?))
}

/// On Linux only.
fn peak_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes / 1024.0)
}
