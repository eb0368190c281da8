//! The thread that reads. Reads do not wait for the locks that updates wait for.

use std::sync::{Arc, mpsc};

use super::{connections::Connections, error::catch_panic};
use crate::error::{Code, LinkError};

/// Work for one of the two threads.
pub(super) type Task = Box<dyn FnOnce(&Connections) + Send>;

/// Starts the thread. It ends when the last sender is dropped.
pub(super) fn spawn(connections: Arc<Connections>) -> Result<mpsc::Sender<Task>, LinkError> {
    // Bounded by the service, which admits a limited number of calls.
    let (sender, tasks) = mpsc::channel::<Task>();
    std::thread::Builder::new()
        .name("omnichannel-read".into())
        .spawn(move || tasks.into_iter().for_each(|task| task(&connections)))
        .map_err(LinkError::no_thread)?;
    Ok(sender)
}

/// Runs a read. After a failure or a panic the next read opens the file again.
pub(super) fn guarded<T>(
    connections: &Connections,
    read: impl FnOnce(&Connections) -> Result<T, LinkError>,
) -> Result<T, LinkError> {
    let result = catch_panic(|| read(connections));
    if result.as_ref().is_err_and(|error| matches!(error.code(), Code::Store | Code::Internal)) {
        connections.reopen_reading();
    }
    result
}
