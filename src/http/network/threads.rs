//! Tokio panics if the system refuses a thread for blocking work, such as resolving a name. Here that becomes an error.

use std::{any::Any, io, net::SocketAddr, panic};

use futures_util::FutureExt as _;

/// Runs work that may need a thread, and returns an error if the system refuses one. Any other panic continues.
pub(super) async fn catch_no_thread<T>(work: impl Future<Output = T>) -> io::Result<T> {
    panic::AssertUnwindSafe(work).catch_unwind().await.or_else(|panic| {
        if is_no_thread(&*panic) {
            let message = "the system refuses this process another thread";
            return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
        }
        panic::resume_unwind(panic)
    })
}

/// Resolves a name as the system does.
pub(super) async fn resolve(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(catch_no_thread(tokio::net::lookup_host((name, port))).await??.collect())
}

/// Only its message distinguishes it from other panics.
fn is_no_thread(panic: &(dyn Any + Send)) -> bool {
    panic.downcast_ref::<String>().is_some_and(|message| message.starts_with("OS can't spawn worker thread"))
}
