//! Threads that the system refuses. Tokio panics where it has none for work that blocks, such as looking up a name.

use std::{any::Any, io, panic};

use futures_util::FutureExt as _;

/// The outcome of work that may need a thread, or an error if the system refuses one. Any other panic goes on.
pub(super) async fn unless_refused<T>(work: impl Future<Output = T>) -> io::Result<T> {
    panic::AssertUnwindSafe(work).catch_unwind().await.or_else(|panic| {
        if is_refusal(&*panic) {
            let message = "the system refuses this process another thread";
            return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
        }
        panic::resume_unwind(panic)
    })
}

/// Its text is all that tells it from others.
fn is_refusal(panic: &(dyn Any + Send)) -> bool {
    panic.downcast_ref::<String>().is_some_and(|text| text.starts_with("OS can't spawn worker thread"))
}
