//! One runtime for the process, on one named thread, started by the first call.

use std::{sync::OnceLock, thread};

use tokio::sync::mpsc;

use super::panics;
use crate::error::{Code, LinkError};

/// Something to start on the runtime's thread.
type Job = Box<dyn FnOnce() + Send>;

static RUNTIME: OnceLock<Option<mpsc::UnboundedSender<Job>>> = OnceLock::new();

/// Runs `start` on the runtime's thread, in the order of these calls, and then the future it returns.
///
/// The queue is bounded by what feeds it: the service admits a limited number of calls.
pub(super) fn submit<F>(start: impl FnOnce() -> F + Send + 'static) -> Result<(), LinkError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let job: Job = Box::new(move || drop(tokio::spawn(start())));
    let jobs = RUNTIME.get_or_init(|| launch().ok());
    jobs.as_ref()
        .and_then(|jobs| jobs.send(job).ok())
        .ok_or_else(|| LinkError::new(Code::Internal, "The thread of omnichannel-link could not be started."))
}

/// A current-thread runtime: nothing is stolen and nobody is woken on another core (`performance.md` 3.3).
fn launch() -> std::io::Result<mpsc::UnboundedSender<Job>> {
    panics::install();
    let (sender, mut jobs) = mpsc::unbounded_channel::<Job>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("omnichannel-io".into()).spawn(move || {
        runtime.block_on(async {
            while let Some(job) = jobs.recv().await {
                job();
            }
        });
    })?;
    Ok(sender)
}
