//! The port over an embedded SQLite file: a thread that writes, with one commit for all calls that wait together, and one that reads.

mod connections;
mod database;
mod diagnose;
mod fault;
mod file;
mod files;
mod import;
mod log;
mod page;
mod page_reader;
mod path;
mod pending;
mod place;
mod read;
mod reader;
mod rows;
mod staging;
mod surrogates;
mod table;
mod text;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
};

use tokio::sync::oneshot;

pub use import::{ImportProgress, ImportSummary, OnProgress, Source};
pub use path::{DatabasePath, UnusablePath};

use self::{
    connections::Connections,
    import::Incoming,
    page_reader::PageReaders,
    pending::Pending,
    place::Place,
    reader::ReadJob,
    writer::{Import, Job, Update, Writer},
};
use crate::{
    clock::SharedClock,
    domain::{
        Call, ConversationDetails, ConversationId, ConversationPage, ConversationQuery, Decide, Decision, LinkStore,
        NamedRecord, RecordKey, Report, StoreFuture, conversation_not_found,
    },
    error::{Code, LinkError, StoreName},
};

/// Bytes of a page in memory that is read while other calls wait, so that it takes effect in its turn. It takes some milliseconds.
const READ_IN_TURN: usize = 4 * 1024 * 1024;

/// Conversations, records and links in one SQLite file. The file is created by the first import and never by a read.
pub struct EmbeddedStore {
    clock: SharedClock,
    connections: Arc<Connections>,
    pending: Pending,
    page_readers: PageReaders,
    threads: Mutex<Threads>,
}

/// The ways to the threads; each is started by the first call that needs it.
#[derive(Default)]
struct Threads {
    writer: Option<mpsc::Sender<Job>>,
    reader: Option<mpsc::Sender<ReadJob>>,
    are_closed: bool,
}

impl EmbeddedStore {
    /// A store on `path`. Nothing is opened before the first call.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, clock: SharedClock) -> Self {
        let connections = Arc::new(Connections::new(path.into()));
        let page_readers = PageReaders::new(Arc::clone(&clock));
        Self { clock, connections, pending: Pending::default(), page_readers, threads: Mutex::default() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.connections.path()
    }

    /// Imports what a Web API GET returned for accounts, contacts, incidents or conversations, in one transaction. Creates
    /// the database. Dropping the future rolls the import back unless it is already being committed.
    ///
    /// A page in memory takes its place in line now, unless it is longer than 4 MiB. A larger one, or one in a file, takes its place
    /// when it was read: that may take long, or forever, and no other call waits for it.
    ///
    /// Fails with `INVALID_ARGUMENT` (not such a page, or a bad row, named by its index), `STORE`, or `CLOSED` (while the file is read).
    pub fn import(
        &self,
        source: Source,
        on_progress: Option<OnProgress>,
        call: Arc<Call>,
    ) -> StoreFuture<ImportSummary> {
        let (reply, summary) = oneshot::channel();
        let job = move |page| Job::Import(Import { page, on_progress, call, reply });
        if matches!(&source, Source::Text(text) if text.len() <= READ_IN_TURN) {
            return self.ask(job(Incoming::Unread(source)), summary);
        }
        let jobs = self.writer(&mut self.threads()).cloned();
        let page = self.page_readers.read(source);
        Box::pin(async move {
            let (jobs, (page, _place)) = (jobs?, page.await?);
            jobs.send(job(Incoming::Read(page))).map_err(|_| thread_is_gone())?;
            summary.await.unwrap_or_else(|_| Err(thread_is_gone()))
        })
    }

    /// Sends the job now, and waits for what comes of it later.
    fn ask<T: Send + 'static>(&self, job: Job, answer: oneshot::Receiver<Result<T, LinkError>>) -> StoreFuture<T> {
        let sent = self.writer(&mut self.threads()).and_then(|jobs| jobs.send(job).map_err(|_| thread_is_gone()));
        Box::pin(async move {
            sent?;
            answer.await.unwrap_or_else(|_| Err(thread_is_gone()))
        })
    }

    /// Reads on the other thread. A read of one conversation begins when the updates of it that were called before are settled; nothing
    /// else is waited for.
    fn read_with<T: Send + 'static>(
        &self,
        of: Option<ConversationId>,
        read: impl FnOnce(&Connections) -> Result<T, LinkError> + Send + 'static,
    ) -> StoreFuture<T> {
        let (reply, answer) = oneshot::channel();
        let job: ReadJob = Box::new(move |connections| {
            if !reply.is_closed() {
                let _ = reply.send(reader::guarded(connections, read));
            }
        });
        let sent = self.send_read(of, job);
        Box::pin(async move {
            sent?;
            answer.await.unwrap_or_else(|_| Err(thread_is_gone()))
        })
    }

    fn send_read(&self, of: Option<ConversationId>, job: ReadJob) -> Result<(), LinkError> {
        let mut threads = self.threads();
        let reader = self.reader(&mut threads)?.clone();
        if of.is_some_and(|id| self.pending.has(id)) {
            return self.writer(&mut threads)?.send(Job::PassOn { job, reader }).map_err(|_| thread_is_gone());
        }
        reader.send(job).map_err(|_| thread_is_gone())
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer<'a>(&self, threads: &'a mut Threads) -> Result<&'a mpsc::Sender<Job>, LinkError> {
        if threads.writer.is_none() && !threads.are_closed {
            threads.writer = Some(Writer::spawn(Arc::clone(&self.connections), Arc::clone(&self.clock))?);
        }
        threads.writer.as_ref().ok_or_else(thread_is_gone)
    }

    fn reader<'a>(&self, threads: &'a mut Threads) -> Result<&'a mpsc::Sender<ReadJob>, LinkError> {
        if threads.reader.is_none() && !threads.are_closed {
            threads.reader = Some(reader::spawn(Arc::clone(&self.connections))?);
        }
        threads.reader.as_ref().ok_or_else(thread_is_gone)
    }
}

impl LinkStore for EmbeddedStore {
    fn name(&self) -> StoreName {
        StoreName::Embedded
    }

    fn update(&self, id: ConversationId, decide: Decide, call: Arc<Call>) -> StoreFuture<Decision> {
        let (reply, decision) = oneshot::channel();
        let underway = self.pending.begin(id);
        self.ask(Job::Update(Update { id, decide, call, underway, reply }), decision)
    }

    fn read(&self, id: ConversationId, _call: Arc<Call>) -> StoreFuture<ConversationDetails> {
        self.read_with(Some(id), move |connections| {
            match connections.read(|connection| read::conversation(connection, id))? {
                Some(found) => found.ok_or_else(|| conversation_not_found(id)),
                None => Err(connections.not_in_a_missing_file(id)),
            }
        })
    }

    fn list(&self, query: ConversationQuery, next: Option<String>, _call: Arc<Call>) -> StoreFuture<ConversationPage> {
        self.read_with(None, move |connections| {
            let place = next.map(|next| Place::read(&next, &query.order)).transpose()?;
            let page = connections.read(|connection| read::page(connection, &query, place.as_ref()))?;
            Ok(page.unwrap_or_else(|| ConversationPage { conversations: Vec::new(), next: None }))
        })
    }

    fn find(&self, key: RecordKey, _call: Arc<Call>) -> StoreFuture<Vec<NamedRecord>> {
        self.read_with(None, move |connections| {
            Ok(connections.read(|connection| read::records(connection, &key))?.unwrap_or_default())
        })
    }

    fn diagnose(&self, _call: Arc<Call>) -> StoreFuture<Report> {
        let (reply, report) = oneshot::channel();
        self.ask(Job::Examine { reply }, report)
    }

    fn closing(&self) {
        self.page_readers.close();
    }

    fn close(&self) -> StoreFuture<()> {
        let Threads { writer, reader, .. } =
            std::mem::replace(&mut *self.threads(), Threads { are_closed: true, ..Threads::default() });
        Box::pin(async move {
            let (reply, closed) = oneshot::channel();
            let is_sent = match (writer, reader) {
                (Some(jobs), _) => jobs.send(Job::Close { reply }).is_ok(),
                (None, Some(jobs)) => {
                    let close: ReadJob = Box::new(|connections| drop(reply.send(connections.close())));
                    jobs.send(close).is_ok()
                }
                (None, None) => false,
            };
            if is_sent { closed.await.unwrap_or(Ok(())) } else { Ok(()) }
        })
    }
}

fn thread_is_gone() -> LinkError {
    LinkError::new(Code::Internal, "A thread of the embedded database has ended.")
}
