//! The port over an embedded SQLite file: one owned thread, and one commit for all calls that wait together.

mod database;
mod examination;
mod fault;
mod file;
mod import;
mod page;
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
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use tokio::sync::oneshot;

pub use import::{ImportProgress, ImportSummary, OnProgress, Source};

use self::{
    import::Incoming,
    reader::Readers,
    writer::{Import, Job, Update, Writer},
};
use crate::{
    clock::SharedClock,
    domain::{
        Call, ConversationDetails, ConversationId, ConversationPage, ConversationQuery, Decide, Decision, LinkStore,
        NamedRecord, RecordKey, Report, StoreFuture, StoreName,
    },
    error::{Code, LinkError},
};

/// Bytes of a page in memory that is read while other calls wait, so that it takes effect in its turn. It takes some milliseconds.
const READ_IN_TURN: usize = 4 * 1024 * 1024;

/// Conversations, records and links in one SQLite file. The file is created by the first import and never by a read.
pub struct EmbeddedStore {
    path: PathBuf,
    clock: SharedClock,
    /// The way to the thread that owns the connection; started by the first call, gone once closed.
    writer: Mutex<State>,
    readers: Readers,
}

enum State {
    NotStarted,
    Running(mpsc::Sender<Job>),
    Closed,
}

impl EmbeddedStore {
    /// A store on `path`. Nothing is opened before the first call.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, clock: SharedClock) -> Self {
        let readers = Readers::new(Arc::clone(&clock));
        Self { path: path.into(), clock, writer: Mutex::new(State::NotStarted), readers }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
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
        let (jobs, page) = (self.jobs(), self.readers.read(source));
        Box::pin(async move {
            let (jobs, (page, _place)) = (jobs?, page.await?);
            jobs.send(job(Incoming::Read(page))).map_err(|_| writer_is_gone())?;
            summary.await.unwrap_or_else(|_| Err(writer_is_gone()))
        })
    }

    /// Sends the job now, and waits for what comes of it later.
    fn ask<T: Send + 'static>(&self, job: Job, answer: oneshot::Receiver<Result<T, LinkError>>) -> StoreFuture<T> {
        let sent = self.send(job);
        Box::pin(async move {
            sent?;
            answer.await.unwrap_or_else(|_| Err(writer_is_gone()))
        })
    }

    fn send(&self, job: Job) -> Result<(), LinkError> {
        self.jobs()?.send(job).map_err(|_| writer_is_gone())
    }

    /// The way to the writer, which is started if need be.
    fn jobs(&self) -> Result<mpsc::Sender<Job>, LinkError> {
        let mut state = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::NotStarted = *state {
            *state = State::Running(Writer::spawn(self.path.clone(), Arc::clone(&self.clock))?);
        }
        match &*state {
            State::Running(jobs) => Ok(jobs.clone()),
            State::NotStarted | State::Closed => Err(writer_is_gone()),
        }
    }
}

impl LinkStore for EmbeddedStore {
    fn name(&self) -> StoreName {
        StoreName::Embedded
    }

    fn update(&self, id: ConversationId, decide: Decide, call: Arc<Call>) -> StoreFuture<Decision> {
        let (reply, decision) = oneshot::channel();
        self.ask(Job::Update(Update { id, decide, call, reply }), decision)
    }

    fn read(&self, id: ConversationId, _call: Arc<Call>) -> StoreFuture<ConversationDetails> {
        let (reply, read) = oneshot::channel();
        self.ask(Job::Read { id, reply }, read)
    }

    fn list(&self, query: ConversationQuery, next: Option<String>, _call: Arc<Call>) -> StoreFuture<ConversationPage> {
        let (reply, listed) = oneshot::channel();
        self.ask(Job::List { query, next, reply }, listed)
    }

    fn find(&self, key: RecordKey, _call: Arc<Call>) -> StoreFuture<Vec<NamedRecord>> {
        let (reply, found) = oneshot::channel();
        self.ask(Job::Find { key, reply }, found)
    }

    fn examine(&self, _probe: Option<ConversationId>, _call: Arc<Call>) -> StoreFuture<Report> {
        // The service refuses probes of this store.
        let (reply, report) = oneshot::channel();
        self.ask(Job::Examine { reply }, report)
    }

    fn closing(&self) {
        self.readers.close();
    }

    fn close(&self) -> StoreFuture<()> {
        let before = std::mem::replace(&mut *self.writer.lock().unwrap_or_else(PoisonError::into_inner), State::Closed);
        Box::pin(async move {
            let State::Running(jobs) = before else { return Ok(()) };
            let (reply, closed) = oneshot::channel();
            if jobs.send(Job::Close { reply }).is_err() {
                return Ok(());
            }
            closed.await.unwrap_or(Ok(()))
        })
    }
}

fn writer_is_gone() -> LinkError {
    LinkError::new(Code::Internal, "The thread that owns the embedded database has ended.")
}
