//! One runtime for the process, on one named thread, started by the first call.

use std::{io, sync::Mutex, thread};

use tokio::sync::mpsc;

use super::{
    panics,
    settling::{self, Gathering},
};
use crate::{error::LinkError, sync::lock};

/// A call to start on the runtime's thread.
type Job = Box<dyn FnOnce() + Send>;

static RUNTIME: Runtime = Runtime::new();

/// The queue of the running thread. If the thread cannot be started, the next call tries again.
struct Runtime(Mutex<Option<Jobs>>);

/// The queue of the runtime's thread. Its length is limited by the service, which limits pending calls.
#[derive(Clone)]
pub(super) struct Jobs(mpsc::UnboundedSender<Job>);

/// Returns the queue of the runtime's thread, and starts the thread if necessary.
pub(super) fn jobs() -> Result<Jobs, LinkError> {
    RUNTIME.jobs(launch)
}

impl Runtime {
    const fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn jobs(&self, launch: impl FnOnce() -> io::Result<Jobs>) -> Result<Jobs, LinkError> {
        let mut running = lock(&self.0);
        match &*running {
            Some(jobs) if !jobs.0.is_closed() => Ok(jobs.clone()),
            _ => Ok(running.insert(launch().map_err(LinkError::no_thread)?).clone()),
        }
    }
}

impl Jobs {
    /// Runs `job` on the runtime's thread, in the order of submission.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        // If the thread has ended, the job is dropped and its promises reject.
        let _ = self.0.send(Box::new(job));
    }

    /// Runs `start` on the runtime's thread, in the order of submission, and then its future.
    pub(super) fn submit<F>(&self, start: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.run(move || drop(tokio::spawn(start())));
    }
}

/// A current-thread runtime: no work stealing, and no wake-ups across cores.
fn launch() -> io::Result<Jobs> {
    panics::install_hook();
    let (sender, mut jobs) = mpsc::unbounded_channel::<Job>();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().on_thread_park(settling::wake_gathered).build()?;
    thread::Builder::new().name("omnichannel-io".into()).spawn(move || {
        // Before the runtime in scope: when the thread ends, the calls that end with the runtime wake Node.
        let _gathering = Gathering::start();
        let runtime = runtime;
        runtime.block_on(async {
            while let Some(job) = jobs.recv().await {
                job();
            }
        });
    })?;
    Ok(Jobs(sender))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn a_refused_thread_fails_its_call_and_the_next_call_tries_again() {
        let runtime = Runtime::new();
        for _ in 0..2 {
            let refused = runtime.jobs(|| Err(io::ErrorKind::WouldBlock.into())).err().unwrap();
            assert_eq!(refused.code(), Code::Internal);
            assert!(refused.is_retryable(), "{refused}");
            assert!(refused.message().contains("could not be started"), "{refused}");
        }
        let (sender, mut started) = mpsc::unbounded_channel();
        let jobs = runtime.jobs(|| Ok(Jobs(sender))).ok().unwrap();
        jobs.submit(|| async {});
        assert!(started.try_recv().is_ok());
        assert!(runtime.jobs(|| panic!("it is running already")).is_ok());
    }

    #[test]
    fn a_thread_that_ended_is_replaced() {
        let runtime = Runtime::new();
        let (sender, ended) = mpsc::unbounded_channel();
        assert!(runtime.jobs(|| Ok(Jobs(sender))).is_ok());
        drop(ended);
        let (sender, _running) = mpsc::unbounded_channel();
        let jobs = runtime.jobs(|| Ok(Jobs(sender))).ok().unwrap();
        assert!(!jobs.0.is_closed());
    }
}
