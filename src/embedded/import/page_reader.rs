//! Reads pages on threads of their own, because reading a file, such as a pipe, may never return.

use std::{
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
    entity_page::EntityPage,
    source::{self, Source},
};
use crate::{
    clock::SharedClock,
    embedded::error::{catch_panic, defect},
    error::{Code, LinkError},
};

/// Most files that are read, or staged but not written yet, at once. A read that never returns keeps its permit, because the system
/// cannot cancel it.
const MAX_FILES: usize = 64;
/// How long an import waits for a permit while none is released.
const STALLED_AFTER: Duration = Duration::from_secs(30);
/// How long a file may still be read after the client was closed. An import has no other deadline unless its caller sets one.
const GRACE: Duration = Duration::from_secs(2);

/// Starts the threads and limits their number.
pub(in crate::embedded) struct PageReaders {
    clock: SharedClock,
    permits: Arc<Permits>,
    closing: CancellationToken,
}

struct Permits {
    free: Arc<Semaphore>,
    /// Number of permits released so far, to see whether any import makes progress.
    released: AtomicU64,
}

/// Permission to read one file, until it is dropped.
pub(in crate::embedded) struct Permit {
    _permit: Option<OwnedSemaphorePermit>,
    permits: Arc<Permits>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.released.fetch_add(1, Ordering::Relaxed);
    }
}

impl Permits {
    /// Waits for a permit. Fails if all are taken and none is released for [`STALLED_AFTER`].
    async fn acquire(self: Arc<Self>, clock: SharedClock) -> Result<Permit, LinkError> {
        let mut free = pin!(Arc::clone(&self.free).acquire_owned());
        loop {
            let before = self.released.load(Ordering::Relaxed);
            tokio::select! {
                biased;
                // The semaphore is never closed.
                permit = &mut free => return Ok(Permit { _permit: permit.ok(), permits: self }),
                () = clock.sleep(STALLED_AFTER) => {}
            }
            if self.released.load(Ordering::Relaxed) == before {
                let message = format!("{MAX_FILES} other imports are reading files, and none of them makes progress.");
                return Err(LinkError::new(Code::Store, message)
                    .hint("An imported file may be a pipe without a writer, or on a drive that no longer responds. Call again, with a timeout for each import.")
                    .with(|details| details.retryable = Some(true)));
            }
        }
    }
}

impl PageReaders {
    pub(in crate::embedded) fn new(clock: SharedClock) -> Self {
        let permits = Permits { free: Arc::new(Semaphore::new(MAX_FILES)), released: AtomicU64::new(0) };
        Self { clock, permits: Arc::new(permits), closing: CancellationToken::new() }
    }

    /// Cancels reads that are still running after [`GRACE`].
    pub(in crate::embedded) fn close(&self) {
        self.closing.cancel();
    }

    /// Reads a page. Keep the permit as long as the page. Dropping the future ends the thread at the next return from the system.
    pub(in crate::embedded) fn read(
        &self,
        source: Source,
    ) -> impl Future<Output = Result<(EntityPage, Option<Permit>), LinkError>> + Send + use<> {
        let closed = self.closed(&source);
        // A page in memory needs no permit, because reading it always ends.
        let permit = match source {
            Source::Text(_) => None,
            Source::Path(_) => Some(Arc::clone(&self.permits).acquire(Arc::clone(&self.clock))),
        };
        async move {
            let read = async {
                let permit = match permit {
                    Some(permit) => Some(permit.await?),
                    None => None,
                };
                read(source, permit).await
            };
            tokio::select! {
                biased;
                read = read => read,
                closed = closed => Err(closed),
            }
        }
    }

    /// Completes with an error [`GRACE`] after the client was closed; never for a page in memory, which is read to its end.
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

async fn read(source: Source, permit: Option<Permit>) -> Result<(EntityPage, Option<Permit>), LinkError> {
    let (reply, page) = oneshot::channel();
    let work = move || {
        let page = catch_panic(|| source::read(source, &|| reply.is_closed()));
        let _ = reply.send(page.map(|page| (page, permit)));
    };
    thread::Builder::new().name("omnichannel-import".into()).spawn(work).map_err(LinkError::no_thread)?;
    page.await.unwrap_or_else(|_| Err(defect()))
}
