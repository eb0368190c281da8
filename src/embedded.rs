//! The store in an embedded SQLite file. One thread writes, with one commit for all updates that wait together; another one reads.

mod batch;
mod connections;
mod cursor;
mod database;
mod database_path;
mod diagnose;
mod error;
mod files;
mod functions;
mod import;
mod jobs;
mod path_check;
mod pending;
mod queries;
mod reader;
mod rows;
mod schema;
mod wal;
mod writer;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use tokio::sync::oneshot;

pub use database_path::{DatabasePath, UnusablePath};
pub use import::{ImportProgress, ImportSummary, OnProgress, Source};

use self::{
    connections::Connections,
    cursor::Cursor,
    import::PageReaders,
    jobs::{GetPage, Job, Update},
    pending::PendingUpdates,
    reader::Task,
};
use crate::{
    clock::SharedClock,
    domain::{
        Call, ConversationDetails, ConversationId, ConversationPage, ConversationQuery, Decide, Decision, LinkStore,
        NamedRecord, RecordKey, Report, StoreFuture, conversation_not_found,
    },
    error::{Code, LinkError, StoreName},
    sync::lock,
};

/// Longest string that the writing thread reads itself. That takes a few milliseconds, and the page keeps its place in the queue.
const MAX_READ_IN_TURN: usize = 4 * 1024 * 1024;

/// Time without a job after which the writing thread checkpoints. Longer than the pauses between calls that follow each other.
const IDLE: Duration = Duration::from_millis(100);

/// Conversations, records and links in one SQLite file. The first import creates the file; reads and links never do.
pub struct EmbeddedStore {
    clock: SharedClock,
    connections: Arc<Connections>,
    pending: PendingUpdates,
    page_readers: PageReaders,
    threads: Mutex<Threads>,
    idle: Duration,
}

/// Channels to the threads. Each thread is started by the first call that needs it.
#[derive(Default)]
struct Threads {
    writer: Option<mpsc::Sender<Job>>,
    reader: Option<mpsc::Sender<Task>>,
    are_closed: bool,
}

impl EmbeddedStore {
    /// A store on `path`. Nothing is opened before the first call.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, clock: SharedClock) -> Self {
        Self::checkpointing_after(IDLE, path, clock)
    }

    /// A store that checkpoints when its writing thread has been idle for this time. For tests, which do not depend on the time.
    #[must_use]
    pub fn checkpointing_after(idle: Duration, path: impl Into<PathBuf>, clock: SharedClock) -> Self {
        let connections = Arc::new(Connections::new(path.into()));
        let page_readers = PageReaders::new(Arc::clone(&clock));
        Self { clock, connections, pending: PendingUpdates::default(), page_readers, threads: Mutex::default(), idle }
    }

    /// Imports the response of a Web API GET for accounts, contacts, incidents or conversations, in one transaction. Creates the database.
    /// Dropping the future rolls the import back unless it is already being committed.
    ///
    /// A string of up to 4 MiB is queued immediately. A longer one, and a file, is queued once it was read, which may take long or forever;
    /// no other call waits for that.
    ///
    /// Fails with `INVALID_ARGUMENT` (not such a page, or an invalid row, named by its index), `STORE`, or `CLOSED` (while the file is
    /// read).
    pub fn import(
        &self,
        source: Source,
        on_progress: Option<OnProgress>,
        call: Arc<Call>,
    ) -> StoreFuture<ImportSummary> {
        let (reply, summary) = oneshot::channel();
        let clock = Arc::clone(&self.clock);
        let job = move |get_page: GetPage| {
            Job::Run(Box::new(move |connections| {
                writer::import(connections, get_page, clock, on_progress, &call, reply);
            }))
        };
        if matches!(&source, Source::Text(text) if text.len() <= MAX_READ_IN_TURN) {
            let read = job(Box::new(|is_cancelled| import::read(source, is_cancelled)));
            return result_of(self.send_to_writer(read), summary);
        }
        let jobs = self.writer(&mut lock(&self.threads)).cloned();
        let page = self.page_readers.read(source);
        Box::pin(async move {
            let (jobs, (page, _permit)) = (jobs?, page.await?);
            let sent = jobs.send(job(Box::new(|_| Ok(page)))).map_err(|_| thread_ended());
            result_of(sent, summary).await
        })
    }

    /// Runs `read` on the reading thread. If it concerns one conversation, it runs after the earlier updates of that conversation.
    fn read_with<T: Send + 'static>(
        &self,
        of: Option<ConversationId>,
        read: impl FnOnce(&Connections) -> Result<T, LinkError> + Send + 'static,
    ) -> StoreFuture<T> {
        let (reply, result) = oneshot::channel();
        let task: Task = Box::new(move |connections| {
            if !reply.is_closed() {
                let _ = reply.send(reader::guarded(connections, read));
            }
        });
        result_of(self.send_to_reader(of, task), result)
    }

    fn send_to_reader(&self, of: Option<ConversationId>, task: Task) -> Result<(), LinkError> {
        let mut threads = lock(&self.threads);
        let reader = self.reader(&mut threads)?.clone();
        if of.is_some_and(|id| self.pending.has(id)) {
            // The writing thread passes it on once the updates before it are settled.
            let pass_on = Job::Run(Box::new(move |_| drop(reader.send(task))));
            return self.writer(&mut threads)?.send(pass_on).map_err(|_| thread_ended());
        }
        reader.send(task).map_err(|_| thread_ended())
    }

    fn send_to_writer(&self, job: Job) -> Result<(), LinkError> {
        self.writer(&mut lock(&self.threads))?.send(job).map_err(|_| thread_ended())
    }

    fn writer<'a>(&self, threads: &'a mut Threads) -> Result<&'a mpsc::Sender<Job>, LinkError> {
        if threads.writer.is_none() && !threads.are_closed {
            threads.writer = Some(writer::spawn(Arc::clone(&self.connections), self.idle, Arc::clone(&self.clock))?);
        }
        threads.writer.as_ref().ok_or_else(thread_ended)
    }

    fn reader<'a>(&self, threads: &'a mut Threads) -> Result<&'a mpsc::Sender<Task>, LinkError> {
        if threads.reader.is_none() && !threads.are_closed {
            threads.reader = Some(reader::spawn(Arc::clone(&self.connections))?);
        }
        threads.reader.as_ref().ok_or_else(thread_ended)
    }
}

impl LinkStore for EmbeddedStore {
    fn name(&self) -> StoreName {
        StoreName::Embedded
    }

    fn update(&self, id: ConversationId, decide: Decide, call: Arc<Call>) -> StoreFuture<Decision> {
        let (reply, decision) = oneshot::channel();
        let pending = self.pending.begin(id);
        result_of(self.send_to_writer(Job::Update(Update { id, decide, call, pending, reply })), decision)
    }

    fn read(&self, id: ConversationId, _call: Arc<Call>) -> StoreFuture<ConversationDetails> {
        self.read_with(Some(id), move |connections| {
            match connections.read(|connection| queries::conversation(connection, id))? {
                Some(found) => found.ok_or_else(|| conversation_not_found(id)),
                None => Err(connections.missing_conversation(id)),
            }
        })
    }

    fn list(&self, query: ConversationQuery, next: Option<String>, _call: Arc<Call>) -> StoreFuture<ConversationPage> {
        self.read_with(None, move |connections| {
            let cursor = next.map(|next| Cursor::parse(&next, &query.order)).transpose()?;
            let page = connections.read(|connection| queries::page(connection, &query, cursor.as_ref()))?;
            Ok(page.unwrap_or_else(|| ConversationPage { conversations: Vec::new(), next: None }))
        })
    }

    fn find(&self, key: RecordKey, _call: Arc<Call>) -> StoreFuture<Vec<NamedRecord>> {
        self.read_with(None, move |connections| {
            Ok(connections.read(|connection| queries::records(connection, &key))?.unwrap_or_default())
        })
    }

    fn diagnose(&self, _call: Arc<Call>) -> StoreFuture<Report> {
        let (reply, report) = oneshot::channel();
        let clock = Arc::clone(&self.clock);
        let diagnose = Job::Run(Box::new(move |connections| {
            if !reply.is_closed() {
                let _ = reply.send(writer::guarded(connections, || {
                    // Otherwise the new connection would read the WAL of a replaced file as its own.
                    let _ = connections.ensure_current();
                    Ok(diagnose::diagnose(connections.path(), clock))
                }));
            }
        }));
        result_of(self.send_to_writer(diagnose), report)
    }

    fn closing(&self) {
        self.page_readers.close();
    }

    fn close(&self) -> StoreFuture<()> {
        let Threads { writer, reader, .. } =
            std::mem::replace(&mut *lock(&self.threads), Threads { are_closed: true, ..Threads::default() });
        let connections = Arc::clone(&self.connections);
        Box::pin(async move {
            let (reply, closed) = oneshot::channel();
            let close: Task = Box::new(move |connections| match writer {
                Some(jobs) => drop(jobs.send(Job::Close(reply))),
                None => drop(reply.send(connections.close())),
            });
            // Through both threads, so that it ends after the calls that they have settled.
            match reader {
                Some(tasks) => drop(tasks.send(close)),
                None => close(&connections),
            }
            closed.await.unwrap_or(Ok(()))
        })
    }
}

/// Waits for the result of a job, if it was sent.
fn result_of<T: Send + 'static>(
    sent: Result<(), LinkError>,
    result: oneshot::Receiver<Result<T, LinkError>>,
) -> StoreFuture<T> {
    Box::pin(async move {
        sent?;
        result.await.unwrap_or_else(|_| Err(thread_ended()))
    })
}

fn thread_ended() -> LinkError {
    LinkError::new(Code::Internal, "A thread of the embedded database has ended.")
}
