//! Reads pages for imports, each on a thread of its own: a file may belong to others and never end, and reading it may never return.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
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

/// Files that are read, or staged and not yet applied, at once. A read that never returns holds its place: the system cannot end it.
const MOST: usize = 64;
/// How long an import waits for a place while not one of them becomes free.
const STANDSTILL: Duration = Duration::from_secs(30);
/// How long a file may still be read after the client was closed. An import has no other deadline unless its caller sets one.
const GRACE: Duration = Duration::from_secs(2);

/// The threads that read.
pub(super) struct PageReaders {
    clock: SharedClock,
    places: Arc<Places>,
    closing: CancellationToken,
}

/// The [`MOST`] places, and how many were given back so far.
struct Places {
    free: Arc<Semaphore>,
    given_back: AtomicU64,
}

/// One of [`MOST`], held until it is dropped.
pub(super) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    places: Arc<Places>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.given_back.fetch_add(1, Ordering::Relaxed);
    }
}

impl Places {
    /// A place. Fails when all are taken and none of them becomes free.
    async fn take(self: Arc<Self>, clock: SharedClock) -> Result<Place, LinkError> {
        let mut free = pin!(Arc::clone(&self.free).acquire_owned());
        loop {
            let before = self.given_back.load(Ordering::Relaxed);
            tokio::select! {
                biased;
                // The semaphore is never closed.
                permit = &mut free => return Ok(Place { _permit: permit.ok(), places: self }),
                () = clock.sleep(STANDSTILL) => {}
            }
            if self.given_back.load(Ordering::Relaxed) == before {
                let message = format!("{MOST} other imports are reading files, and none of them comes to an end.");
                return Err(LinkError::new(Code::Store, message)
                    .hint("A file that is imported may be a pipe into which nothing is written, or on a drive that is gone. Set `timeout`, and call again.")
                    .with(|details| details.retryable = Some(true)));
            }
        }
    }
}

impl PageReaders {
    pub(super) fn new(clock: SharedClock) -> Self {
        let places = Places { free: Arc::new(Semaphore::new(MOST)), given_back: AtomicU64::new(0) };
        Self { clock, places: Arc::new(places), closing: CancellationToken::new() }
    }

    /// Cancels soon what is still being read.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    /// Reads a page. Keep its place as long as the page. Dropping the future stops the thread when the system returns to it.
    pub(super) fn read(
        &self,
        source: Source,
    ) -> impl Future<Output = Result<(Page, Option<Place>), LinkError>> + Send + use<> {
        let closed = self.closed(&source);
        // A page in memory comes to an end.
        let place = match source {
            Source::Text(_) => None,
            Source::Path(_) => Some(Arc::clone(&self.places).take(Arc::clone(&self.clock))),
        };
        async move {
            let read = async {
                let place = match place {
                    Some(place) => Some(place.await?),
                    None => None,
                };
                read(source, place).await
            };
            tokio::select! {
                biased;
                read = read => read,
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

async fn read(source: Source, place: Option<Place>) -> Result<(Page, Option<Place>), LinkError> {
    let defect = || LinkError::new(Code::Internal, "A defect of omnichannel-link stopped this call; please report it.");
    let (reply, read) = oneshot::channel();
    let work = move || {
        let read = AssertUnwindSafe(|| import::read(source, &|| reply.is_closed()));
        let page = catch_unwind(read).unwrap_or_else(|_| Err(defect()));
        let _ = reply.send(page.map(|page| (page, place)));
    };
    thread::Builder::new().name("omnichannel-import".into()).spawn(work).map_err(LinkError::no_thread)?;
    read.await.unwrap_or_else(|_| Err(defect()))
}
