//! The log on stderr, written by its own thread.
//!
//! A pipe that is not read must not block a call. If too many lines wait for the thread, further ones are dropped and counted in
//! the log.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, ErrorKind, Write},
    process,
    sync::{Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use crate::{error::shortened, sync::lock};

/// Most lines that wait for the thread.
const MAX_WAITING: usize = 1000;

/// Time that the exit of the process waits for the last lines.
const LONGEST_FLUSH: Duration = Duration::from_millis(100);

/// Delay before a full pipe is tried again. Node makes pipes non-blocking, so a write does not wait.
const FULL_PIPE_PAUSE: Duration = Duration::from_millis(20);

static LOG: Log = Log::new(MAX_WAITING);

/// Queues a line in the format of Node's debug logs.
pub(super) fn write_line(line: fmt::Arguments<'_>) {
    let line = shortened(format!("OMNICHANNEL_LINK {}: {line}", process::id()));
    LOG.write(line + "\n", start);
}

/// Waits for the thread to write all lines, for a short time.
pub(super) fn flush() {
    LOG.flush(LONGEST_FLUSH);
}

fn start() -> io::Result<()> {
    thread::Builder::new().name("omnichannel-log".into()).spawn(|| LOG.run(&mut Stderr)).map(drop)
}

struct Log {
    state: Mutex<State>,
    /// Signalled when lines are queued and when all are written.
    changed: Condvar,
    most: usize,
}

struct State {
    lines: VecDeque<String>,
    /// Number of lines dropped after the last of `lines`.
    dropped: usize,
    is_running: bool,
    is_writing: bool,
}

impl State {
    fn is_idle(&self) -> bool {
        self.lines.is_empty() && self.dropped == 0
    }
}

impl Log {
    const fn new(most: usize) -> Self {
        let state = State { lines: VecDeque::new(), dropped: 0, is_running: false, is_writing: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), most }
    }

    /// Queues a line. Waits for nothing but the lock of the queue.
    fn write(&self, line: String, start: impl FnOnce() -> io::Result<()>) {
        let mut state = lock(&self.state);
        if state.dropped > 0 || state.lines.len() >= self.most {
            state.dropped += 1;
        } else {
            state.lines.push_back(line);
        }
        // If the thread cannot be started, the next line tries again.
        state.is_running = state.is_running || start().is_ok();
        self.changed.notify_all();
    }

    fn flush(&self, longest: Duration) {
        let unwritten = |state: &mut State| state.is_running && (state.is_writing || !state.is_idle());
        drop(self.changed.wait_timeout_while(lock(&self.state), longest, unwritten));
    }

    /// Writes lines forever, on the thread.
    fn run(&self, sink: &mut impl Write) {
        let pause = || thread::park_timeout(FULL_PIPE_PAUSE);
        loop {
            let (lines, dropped) = self.next_batch();
            for line in lines {
                put(sink, &line, pause);
            }
            if dropped > 0 {
                let pid = process::id();
                put(
                    sink,
                    &format!("OMNICHANNEL_LINK {pid}: lines dropped because stderr was not read: {dropped}\n"),
                    pause,
                );
            }
        }
    }

    /// Waits for lines, and returns them with the number of lines dropped after them.
    fn next_batch(&self) -> (VecDeque<String>, usize) {
        let mut state = lock(&self.state);
        state.is_writing = false;
        self.changed.notify_all();
        let waited = self.changed.wait_while(state, |state| state.is_idle());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_writing = true;
        (std::mem::take(&mut state.lines), std::mem::take(&mut state.dropped))
    }
}

/// Writes a line, however long that takes. Errors are ignored.
fn put(sink: &mut impl Write, line: &str, pause: impl Fn()) {
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        match sink.write(rest) {
            Ok(0) => return,
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => pause(),
            Err(_) => return,
        }
    }
}

/// Stderr, unlocked between writes, so that other code in the process never waits for the log.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;

    /// A pipe with room for one write.
    struct Pipe(mpsc::SyncSender<String>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8_lossy(bytes).into_owned()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A log with this limit on a pipe, a function that starts its thread, and the other end of the pipe.
    fn log(most: usize) -> (Arc<Log>, impl Fn() -> io::Result<()>, mpsc::Receiver<String>) {
        let (pipe, read) = mpsc::sync_channel(0);
        let log = Arc::new(Log::new(most));
        let threads = Arc::clone(&log);
        let start = move || {
            let (log, mut pipe) = (Arc::clone(&threads), Pipe(pipe.clone()));
            thread::Builder::new().spawn(move || log.run(&mut pipe)).map(drop)
        };
        (log, start, read)
    }

    #[test]
    fn a_log_that_is_not_read_drops_lines_and_says_how_many_in_their_place() {
        let (log, start, read) = log(3);
        log.write("first\n".into(), &start);
        // The thread has taken the line, and cannot write it.
        while !lock(&log.state).is_writing {
            thread::yield_now();
        }
        for number in 0..10 {
            log.write(format!("{number}\n"), &start);
        }
        let dropped = format!("OMNICHANNEL_LINK {}: lines dropped because stderr was not read: 7\n", process::id());
        let expected = ["first\n", "0\n", "1\n", "2\n", &dropped].map(str::to_owned);
        let lines: Vec<_> = read.iter().take(5).collect();
        assert_eq!(lines, expected);
        log.write("last\n".into(), &start);
        assert_eq!(read.recv().unwrap(), "last\n");
    }

    #[test]
    fn flushing_ends_when_all_is_written_and_does_not_wait_for_a_log_that_is_not_read() {
        let (log, start, read) = log(3);
        log.flush(Duration::MAX);
        log.write("one\n".into(), &start);
        log.flush(Duration::ZERO);
        let reader = thread::spawn(move || (read.recv().unwrap(), read));
        log.flush(Duration::from_secs(600));
        assert_eq!(reader.join().unwrap().0, "one\n");
    }

    #[test]
    fn a_thread_that_was_refused_is_started_by_the_next_line() {
        let (log, start, read) = log(3);
        log.write("one\n".into(), || Err(ErrorKind::WouldBlock.into()));
        log.write("two\n".into(), &start);
        assert_eq!(read.iter().take(2).collect::<Vec<_>>(), ["one\n", "two\n"]);
    }

    #[test]
    fn a_write_that_is_cut_short_or_would_block_goes_on() {
        struct Slow(Vec<u8>, usize);

        impl Write for Slow {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 += 1;
                match self.1 % 3 {
                    0 => Err(ErrorKind::WouldBlock.into()),
                    1 => Err(ErrorKind::Interrupted.into()),
                    _ => self.0.write(&bytes[..1]),
                }
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let mut slow = Slow(Vec::new(), 0);
        put(&mut slow, "line\n", || {});
        assert_eq!(slow.0, b"line\n");
    }
}
