//! The thread that owns the connection. Calls that wait together share one transaction and one sync.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{
    database::{self, Missing},
    examination,
    fault::{is_rolled_back, store_fault},
    import::{self, ImportSummary, Incoming, OnProgress},
    place::Place,
    read, rows,
};
use crate::{
    clock::SharedClock,
    domain::{
        Call, ConversationDetails, ConversationId, ConversationPage, ConversationQuery, Decide, Decision, NamedRecord,
        RecordKey, Report,
        decision::{conversation_not_found, record_not_found},
    },
    error::{Code, LinkError},
};

/// Calls that share a commit at the most: bounds how long the first of them waits for the others.
const MAX_BATCH: usize = 1_024;

/// Where an outcome goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, LinkError>>;

/// One thing for the thread to do. Jobs are done in the order in which they were sent.
pub(super) enum Job {
    /// A link or an unlink.
    Update(Update),
    /// A page of rows, in a transaction of its own.
    Import(Import),
    /// A look at one conversation.
    Read { id: ConversationId, reply: Reply<ConversationDetails> },
    /// A look at many.
    List { query: ConversationQuery, next: Option<String>, reply: Reply<ConversationPage> },
    /// A look for records.
    Find { key: RecordKey, reply: Reply<Vec<NamedRecord>> },
    /// A look at the file.
    Examine { reply: Reply<Report> },
    /// The last one.
    Close { reply: Reply<()> },
}

/// A link or an unlink, and who waits for it.
pub(super) struct Update {
    pub(super) id: ConversationId,
    pub(super) decide: Decide,
    pub(super) call: Arc<Call>,
    pub(super) reply: Reply<Decision>,
}

/// A page of rows, and who waits for it.
pub(super) struct Import {
    pub(super) page: Incoming,
    pub(super) on_progress: Option<OnProgress>,
    pub(super) call: Arc<Call>,
    pub(super) reply: Reply<ImportSummary>,
}

/// The thread's state.
pub(super) struct Writer {
    path: PathBuf,
    clock: SharedClock,
    connection: Option<Connection>,
}

impl Writer {
    /// Starts the thread; it ends when the sender is dropped or a `Close` was done.
    pub(super) fn spawn(path: PathBuf, clock: SharedClock) -> Result<mpsc::Sender<Job>, LinkError> {
        // Bounded by the service: it admits a limited number of calls.
        let (sender, jobs) = mpsc::channel();
        std::thread::Builder::new()
            .name("omnichannel-db".into())
            .spawn(move || Self { path, clock, connection: None }.run(&jobs))
            .map_err(|error| {
                LinkError::new(Code::Internal, "The database thread could not be started.").caused_by(error)
            })?;
        Ok(sender)
    }

    fn run(&mut self, jobs: &mpsc::Receiver<Job>) {
        let mut left_over = None;
        while let Some(job) = left_over.take().or_else(|| jobs.recv().ok()) {
            match job {
                Job::Update(first) => {
                    let mut batch = vec![first];
                    while batch.len() < MAX_BATCH && left_over.is_none() {
                        match jobs.try_recv() {
                            Ok(Job::Update(next)) => batch.push(next),
                            Ok(other) => left_over = Some(other),
                            Err(_) => break,
                        }
                    }
                    self.update(batch);
                }
                Job::Import(import) => self.import(import),
                Job::Read { id, reply } => self.look(reply, |writer| writer.read(id)),
                Job::List { query, next, reply } => self.look(reply, |writer| writer.list(&query, next.as_deref())),
                Job::Find { key, reply } => self.look(reply, |writer| writer.find(&key).map(Ok)),
                Job::Examine { reply } => {
                    self.look(reply, |writer| Ok(Ok(examination::examine(&writer.path, Arc::clone(&writer.clock)))));
                }
                Job::Close { reply } => {
                    let closed = match self.connection.take().map(Connection::close) {
                        Some(Err((_, error))) => Err(store_fault(&self.path, "closing it", error)),
                        Some(Ok(())) | None => Ok(()),
                    };
                    let _ = reply.send(closed);
                    return;
                }
            }
        }
    }

    /// Looks, unless nobody waits for it any more.
    fn look<T>(&mut self, reply: Reply<T>, look: impl FnOnce(&mut Self) -> Result<Result<T, LinkError>, LinkError>) {
        if !reply.is_closed() {
            let seen = self.guarded(look).flatten();
            let _ = reply.send(seen);
        }
    }

    /// Commits the batch, then settles every call of it, refused ones too: nobody learns of a state that is not on disk.
    fn update(&mut self, batch: Vec<Update>) {
        let committed = self.guarded(|writer| writer.commit(&batch));
        match committed {
            Ok(outcomes) => {
                for (update, outcome) in batch.into_iter().zip(outcomes) {
                    let _ = update.reply.send(outcome);
                }
            }
            Err(fault) => {
                for update in batch {
                    let _ = update.reply.send(Err(fault.repeated()));
                }
            }
        }
    }

    fn commit(&mut self, batch: &[Update]) -> Result<Vec<Result<Decision, LinkError>>, LinkError> {
        let Some((connection, path)) = self.open(Missing::LeaveAbsent)? else {
            return Ok(batch.iter().map(|update| Err(self.not_in_a_missing_file(update.id))).collect());
        };
        let fault = |error| store_fault(path, "linking", error);
        let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
        let nothing_applied = || batch.iter().for_each(|update| update.call.write_refused());
        let outcomes = update_all(&mut transaction, path, batch).inspect_err(|_| nothing_applied())?;
        transaction.commit().map_err(|error| {
            if is_rolled_back(&error) {
                nothing_applied();
            }
            fault(error)
        })?;
        Ok(outcomes)
    }

    fn import(&mut self, Import { page, on_progress, call, reply }: Import) {
        if reply.is_closed() {
            return;
        }
        let summary = self.guarded(|writer| {
            // Read and checked before the file is created: a bad page leaves no trace.
            let page = page.page(&|| reply.is_closed())?;
            let clock = Arc::clone(&writer.clock);
            let Some((connection, path)) = writer.open(Missing::Create)? else {
                return Err(LinkError::new(Code::Internal, "A created database is missing."));
            };
            let watch = import::Watch { clock, on_progress, call: &call, is_gone: &|| reply.is_closed() };
            import::apply(connection, path, &page, watch)
        });
        let _ = reply.send(summary);
    }

    fn read(&mut self, id: ConversationId) -> Result<Result<ConversationDetails, LinkError>, LinkError> {
        let Some((connection, path)) = self.open(Missing::LeaveAbsent)? else {
            return Ok(Err(self.not_in_a_missing_file(id)));
        };
        let read = read::conversation(connection, id).map_err(|error| store_fault(path, "reading", error))?;
        Ok(read.ok_or_else(|| conversation_not_found(id)))
    }

    fn list(
        &mut self,
        query: &ConversationQuery,
        next: Option<&str>,
    ) -> Result<Result<ConversationPage, LinkError>, LinkError> {
        let place = match next.map(|next| Place::read(next, &query.order)).transpose() {
            Ok(place) => place,
            Err(refused) => return Ok(Err(refused)),
        };
        let Some((connection, path)) = self.open(Missing::LeaveAbsent)? else {
            return Ok(Ok(ConversationPage { conversations: Vec::new(), next: None }));
        };
        read::page(connection, query, place.as_ref()).map(Ok).map_err(|error| store_fault(path, "reading", error))
    }

    fn find(&mut self, key: &RecordKey) -> Result<Vec<NamedRecord>, LinkError> {
        let Some((connection, path)) = self.open(Missing::LeaveAbsent)? else { return Ok(Vec::new()) };
        read::records(connection, key).map_err(|error| store_fault(path, "reading", error))
    }

    fn not_in_a_missing_file(&self, id: ConversationId) -> LinkError {
        let hint = format!("{} does not exist yet: importRecords() creates it.", self.path.display());
        conversation_not_found(id).hint(hint)
    }

    fn open(&mut self, missing: Missing) -> Result<Option<(&mut Connection, &Path)>, LinkError> {
        // A file that was deleted under us would go on existing for us alone, and take every later write with it.
        if self.connection.is_none() || database::is_absent(&self.path) {
            self.connection = None;
            self.connection = database::open(&self.path, missing)?;
        }
        Ok(self.connection.as_mut().map(|connection| (connection, self.path.as_path())))
    }

    /// A panic in one job must not end the thread, or every later call would fail. After any failure the next job begins with
    /// a fresh connection, should this one be read-only or in a state nobody foresaw.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, LinkError>) -> Result<T, LinkError> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|_| {
            Err(LinkError::new(Code::Internal, "A defect of omnichannel-link stopped this call; please report it."))
        });
        if done.is_err() {
            self.connection = None;
        }
        done
    }
}

fn update_all(
    transaction: &mut Transaction<'_>,
    path: &Path,
    batch: &[Update],
) -> Result<Vec<Result<Decision, LinkError>>, LinkError> {
    let fault = |error| store_fault(path, "linking", error);
    let mut outcomes = Vec::with_capacity(batch.len());
    for update in batch {
        update.call.write_begins();
        // Marked first, looked second: a caller that stops listening now is either seen here, or sees the mark.
        let outcome = if update.reply.is_closed() {
            Err(LinkError::new(Code::Internal, "Nobody waits for this call."))
        } else {
            let savepoint = transaction.savepoint().map_err(fault)?;
            match update_one(&savepoint, path, update) {
                Ok(decision) => savepoint.commit().map(|()| Ok(decision)).map_err(fault)?,
                // Dropping the savepoint rolls it back.
                Err(refused) => Err(refused),
            }
        };
        if transaction.is_autocommit() {
            // SQLite gave up the whole transaction, and with it the calls before this one.
            let gave_up = || LinkError::new(Code::Store, "SQLite gave up the transaction of several calls.");
            return Err(outcome.err().unwrap_or_else(gave_up));
        }
        if !outcome.as_ref().is_ok_and(Decision::writes) {
            update.call.write_refused();
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn update_one(connection: &Connection, path: &Path, update: &Update) -> Result<Decision, LinkError> {
    let fault = |error| store_fault(path, "linking", error);
    let conversation = rows::conversation(connection, update.id).map_err(fault)?;
    let conversation = conversation.ok_or_else(|| conversation_not_found(update.id))?;
    let decision = update.decide.on(&conversation)?;
    if decision.writes() {
        if let Some(record) = decision.after
            && !rows::record_exists(connection, record).map_err(fault)?
        {
            return Err(record_not_found(record));
        }
        rows::write_slot(connection, update.id, &decision).map_err(fault)?;
    }
    Ok(decision)
}
