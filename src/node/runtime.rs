//! One runtime for the process, on one named thread, started by the first call.

use std::{
    io,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    thread,
};

use async_task::Runnable;
use tokio::{runtime::Handle, sync::mpsc, task::unconstrained};

use super::{
    panics,
    settling::{self, Gathering},
};
use crate::{error::LinkError, sync::lock};

/// A call to start on the runtime's thread.
type Job = Box<dyn FnOnce() + Send>;

static RUNTIME: Runtime = Runtime::new();

/// The queue of the running thread. If the thread cannot be started, the next call tries again.
struct Runtime(Mutex<Option<Arc<Jobs>>>);

/// The queue of the runtime's thread. Its length is limited by the service, which limits pending calls.
pub(super) struct Jobs {
    queue: mpsc::UnboundedSender<Job>,
    runtime: Handle,
}

/// The threads of a call.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// It starts on the current thread, and each thread that wakes its future polls it at once. For futures that only wait for work of
    /// other threads, so that every poll is short.
    Here,
    /// It starts and runs on the runtime's thread.
    Runtime,
}

/// Returns the queue of the runtime's thread, and starts the thread if necessary.
pub(super) fn jobs() -> Result<Arc<Jobs>, LinkError> {
    RUNTIME.jobs(launch)
}

impl Runtime {
    const fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn jobs(&self, launch: impl FnOnce() -> io::Result<Jobs>) -> Result<Arc<Jobs>, LinkError> {
        let mut running = lock(&self.0);
        match &*running {
            Some(jobs) if !jobs.queue.is_closed() => Ok(Arc::clone(jobs)),
            _ => Ok(Arc::clone(running.insert(Arc::new(launch().map_err(LinkError::no_thread)?)))),
        }
    }
}

impl Jobs {
    /// Runs `job` at this place, in the order of submission.
    pub(super) fn run(&self, place: Place, job: impl FnOnce() + Send + 'static) {
        match place {
            Place::Here => {
                let _entered = self.runtime.enter();
                job();
            }
            // If the thread has ended, the job is dropped and its promises reject.
            Place::Runtime => drop(self.queue.send(Box::new(job))),
        }
    }

    /// Runs `start` as [`Self::run`] does, and then its future.
    pub(super) fn submit<F>(&self, place: Place, start: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.run(place, move || spawn(place, start()));
    }
}

/// Runs a future at this place, whose runtime is the current one.
pub(super) fn spawn<F>(place: Place, future: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    match place {
        Place::Here => poll_where_woken(Handle::current(), future),
        Place::Runtime => drop(tokio::spawn(future)),
    }
}

fn poll_where_woken<F>(runtime: Handle, future: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let poll = move |task: Runnable| {
        // Timers of the future need a runtime, whose thread wakes it when they expire.
        let _entered = runtime.enter();
        // A panic ends the future alone, not the thread that woke it.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| task.run()));
    };
    // Without the budget of a task of Tokio, which may be the one that woke it: out of budget, it would wake itself forever.
    let (task, handle) = async_task::spawn(unconstrained(future), poll);
    handle.detach();
    task.schedule();
}

/// A current-thread runtime: no work stealing, and no wake-ups across cores.
fn launch() -> io::Result<Jobs> {
    panics::install_hook();
    let (sender, mut jobs) = mpsc::unbounded_channel::<Job>();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().on_thread_park(settling::wake_gathered).build()?;
    let handle = runtime.handle().clone();
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
    Ok(Jobs { queue: sender, runtime: handle })
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::sync::oneshot;

    use super::*;
    use crate::{
        clock::{Clock, SystemClock},
        error::Code,
    };

    fn jobs_of(queue: mpsc::UnboundedSender<Job>) -> Jobs {
        Jobs { queue, runtime: Handle::current() }
    }

    #[tokio::test]
    async fn a_refused_thread_fails_its_call_and_the_next_call_tries_again() {
        let runtime = Runtime::new();
        for _ in 0..2 {
            let refused = runtime.jobs(|| Err(io::ErrorKind::WouldBlock.into())).err().unwrap();
            assert_eq!(refused.code(), Code::Internal);
            assert!(refused.is_retryable(), "{refused}");
            assert!(refused.message().contains("could not be started"), "{refused}");
        }
        let (sender, mut started) = mpsc::unbounded_channel();
        let jobs = runtime.jobs(|| Ok(jobs_of(sender))).ok().unwrap();
        jobs.submit(Place::Runtime, || async {});
        assert!(started.try_recv().is_ok());
        assert!(runtime.jobs(|| panic!("it is running already")).is_ok());
    }

    #[tokio::test]
    async fn a_thread_that_ended_is_replaced() {
        let runtime = Runtime::new();
        let (sender, ended) = mpsc::unbounded_channel();
        assert!(runtime.jobs(|| Ok(jobs_of(sender))).is_ok());
        drop(ended);
        let (sender, _running) = mpsc::unbounded_channel();
        let jobs = runtime.jobs(|| Ok(jobs_of(sender))).ok().unwrap();
        assert!(!jobs.queue.is_closed());
    }

    /// Calls `start`, and returns the thread on which its future ended.
    async fn thread_of<F>(place: Place, start: impl FnOnce() -> F + Send + 'static) -> thread::ThreadId
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, ended) = oneshot::channel();
        jobs_of(mpsc::unbounded_channel().0).submit(place, || {
            let future = start();
            async {
                future.await;
                let _ = sender.send(thread::current().id());
            }
        });
        ended.await.unwrap()
    }

    #[tokio::test]
    async fn a_future_here_ends_on_the_thread_that_woke_it() {
        let (reply, result) = oneshot::channel();
        let (is_waiting, waits) = std::sync::mpsc::channel();
        let other = thread::spawn(move || {
            waits.recv().unwrap();
            reply.send(()).unwrap();
            thread::current().id()
        });
        let ended = thread_of(Place::Here, || async { result.await.unwrap() });
        let ended = tokio::spawn(ended);
        tokio::task::yield_now().await;
        is_waiting.send(()).unwrap();
        assert_eq!(ended.await.unwrap(), other.join().unwrap());
        assert_eq!(thread_of(Place::Here, || async {}).await, thread::current().id());
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_wakes_a_future_here() {
        let minute = std::time::Duration::from_secs(60);
        thread_of(Place::Here, move || SystemClock.sleep(minute)).await;
    }

    #[tokio::test]
    async fn one_task_may_wake_any_number_of_futures_here() {
        let jobs = jobs_of(mpsc::unbounded_channel().0);
        let ended = Arc::new(AtomicUsize::new(0));
        let replies: Vec<_> = (0..1_000)
            .map(|_| {
                let (reply, result) = oneshot::channel::<()>();
                let ended = Arc::clone(&ended);
                jobs.submit(Place::Here, || async move {
                    result.await.unwrap();
                    ended.fetch_add(1, Ordering::Relaxed);
                });
                reply
            })
            .collect();
        for reply in replies {
            reply.send(()).unwrap();
        }
        assert_eq!(ended.load(Ordering::Relaxed), 1_000);
    }

    #[tokio::test]
    async fn a_panic_of_a_future_here_does_not_reach_the_thread_that_woke_it() {
        let (reply, result) = oneshot::channel();
        let (sender, dropped) = oneshot::channel::<()>();
        jobs_of(mpsc::unbounded_channel().0).submit(Place::Here, || async move {
            let _sender = sender;
            result.await.unwrap();
            panic!("a defect");
        });
        reply.send(()).unwrap();
        assert!(dropped.await.is_err());
    }
}
