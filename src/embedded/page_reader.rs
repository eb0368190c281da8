//! Reads pages for imports, each on a thread of its own: a file may belong to others and never end, and reading it may never return.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    import::{self, Source},
    page::Page,
};
use crate::{
    clock::SharedClock,
    error::{Code, LinkError},
};

/// Pages that are read, or staged and not yet applied, at once. A read that never returns holds its place: the system cannot end it.
const MOST: usize = 64;
/// How long a file may still be read after the client was closed. An import has no other deadline unless its caller sets one.
const GRACE: Duration = Duration::from_secs(2);

/// The threads that read.
pub(super) struct PageReaders {
    clock: SharedClock,
    places: Arc<Semaphore>,
    closing: CancellationToken,
}

/// One of [`MOST`], held until it is dropped.
pub(super) struct Place(#[expect(dead_code, reason = "its drop is what counts")] Option<OwnedSemaphorePermit>);

impl PageReaders {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, places: Arc::new(Semaphore::new(MOST)), closing: CancellationToken::new() }
    }

    /// Cancels soon what is still being read.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    /// Reads a page. Keep its place as long as the page. Dropping the future stops the thread when the system returns to it.
    pub(super) fn read(&self, source: Source) -> impl Future<Output = Result<(Page, Place), LinkError>> + Send + use<> {
        let closed = self.closed(&source);
        let places = Arc::clone(&self.places);
        async move {
            tokio::select! {
                biased;
                read = read(source, places) => read,
                closed = closed => Err(closed),
            }
        }
    }

    /// Completes with the error of an import whose client was closed while it read a file. What is in memory can be read to its end.
    fn closed(&self, source: &Source) -> impl Future<Output = LinkError> + Send + use<> {
        let (clock, closing) = (Arc::clone(&self.clock), self.closing.clone());
        let closed = match source {
            Source::Text(_) => None,
            Source::Path(path) => {
                let path = path.display();
                let message = format!("The client was closed while '{path}' was being read; nothing was imported.");
                Some(LinkError::new(Code::Closed, message).hint("Await the import before you close the client."))
            }
        };
        async move {
            let Some(closed) = closed else { return std::future::pending().await };
            closing.cancelled().await;
            clock.sleep(GRACE).await;
            closed
        }
    }
}

async fn read(source: Source, places: Arc<Semaphore>) -> Result<(Page, Place), LinkError> {
    let defect = || LinkError::new(Code::Internal, "A defect of omnichannel-link stopped this call; please report it.");
    // The semaphore is never closed.
    let place = Place(places.acquire_owned().await.ok());
    let (reply, read) = oneshot::channel();
    let work = move || {
        let read = AssertUnwindSafe(|| import::read(source, &|| reply.is_closed()));
        let page = catch_unwind(read).unwrap_or_else(|_| Err(defect()));
        let _ = reply.send(page.map(|page| (page, place)));
    };
    thread::Builder::new().name("omnichannel-import".into()).spawn(work).map_err(LinkError::no_thread)?;
    read.await.unwrap_or_else(|_| Err(defect()))
}
