//! The thread that reads. Reads do not wait for the locks that updates wait for.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
};

use super::{connections::Connections, fault::defect};
use crate::error::{Code, LinkError};

/// One read, with what becomes of its result.
pub(super) type ReadJob = Box<dyn FnOnce(&Connections) + Send>;

/// Starts the thread; it ends when the last sender is dropped.
pub(super) fn spawn(connections: Arc<Connections>) -> Result<mpsc::Sender<ReadJob>, LinkError> {
    // Bounded by the service: it admits a limited number of calls.
    let (sender, jobs) = mpsc::channel::<ReadJob>();
    std::thread::Builder::new()
        .name("omnichannel-read".into())
        .spawn(move || jobs.into_iter().for_each(|job| job(&connections)))
        .map_err(LinkError::no_thread)?;
    Ok(sender)
}

/// Reads. After a failure or a panic the next read opens the file again.
pub(super) fn guarded<T>(
    connections: &Connections,
    read: impl FnOnce(&Connections) -> Result<T, LinkError>,
) -> Result<T, LinkError> {
    let done = catch_unwind(AssertUnwindSafe(|| read(connections))).unwrap_or_else(|_| Err(defect()));
    if done.as_ref().is_err_and(|error| matches!(error.code(), Code::Store | Code::Internal)) {
        connections.doubt_reading();
    }
    done
}
