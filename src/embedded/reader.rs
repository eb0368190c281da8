//! The thread that reads. Reads do not wait for the locks that updates wait for.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
};

use super::{connections::Connections, fault::defect};
use crate::error::{Code, LinkError};

/// One read, with what becomes of its result.
pub(super) type Look = Box<dyn FnOnce(&Connections) + Send>;

/// Starts the thread; it ends when the last sender is dropped.
pub(super) fn spawn(connections: Arc<Connections>) -> Result<mpsc::Sender<Look>, LinkError> {
    // Bounded by the service: it admits a limited number of calls.
    let (sender, looks) = mpsc::channel::<Look>();
    std::thread::Builder::new()
        .name("omnichannel-read".into())
        .spawn(move || looks.into_iter().for_each(|look| look(&connections)))
        .map_err(|error| LinkError::new(Code::Internal, "The reading thread could not be started.").caused_by(error))?;
    Ok(sender)
}

/// Reads. After a failure or a panic the next read opens the file again.
pub(super) fn guarded<T>(
    connections: &Connections,
    look: impl FnOnce(&Connections) -> Result<T, LinkError>,
) -> Result<T, LinkError> {
    let read = catch_unwind(AssertUnwindSafe(|| look(connections))).unwrap_or_else(|_| Err(defect()));
    if read.as_ref().is_err_and(|error| matches!(error.code(), Code::Store | Code::Internal)) {
        connections.doubt_reading();
    }
    read
}
