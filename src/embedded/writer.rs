//! The thread that writes. Calls that wait together share one transaction and one sync.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, mpsc},
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{
    connections::{Connections, MAX_OPENS, Writing},
    database::Missing,
    diagnose,
    fault::{defect, is_rolled_back, replaced, store_fault},
    import::{self, ImportSummary, Incoming, OnProgress},
    pending::Underway,
    reader::ReadJob,
    rows,
};
use crate::{
    clock::SharedClock,
    domain::{Call, ConversationId, Decide, Decision, Report, conversation_not_found, record_not_found},
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
    /// A read that was waiting for the updates before it.
    PassOn { job: ReadJob, reader: mpsc::Sender<ReadJob> },
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
    pub(super) underway: Underway,
    pub(super) reply: Reply<Decision>,
}

impl Update {
    /// Settles the call. Reads that are called from now on need not wait for it.
    fn settle(self, outcome: Result<Decision, LinkError>) {
        drop(self.underway);
        let _ = self.reply.send(outcome);
    }
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
    connections: Arc<Connections>,
    clock: SharedClock,
}

impl Writer {
    /// Starts the thread; it ends when the sender is dropped or a `Close` was done.
    pub(super) fn spawn(connections: Arc<Connections>, clock: SharedClock) -> Result<mpsc::Sender<Job>, LinkError> {
        // Bounded by the service: it admits a limited number of calls.
        let (sender, jobs) = mpsc::channel();
        std::thread::Builder::new()
            .name("omnichannel-db".into())
            .spawn(move || Self { connections, clock }.run(&jobs))
            .map_err(LinkError::no_thread)?;
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
                Job::PassOn { job, reader } => drop(reader.send(job)),
                Job::Examine { reply } => self.examine(reply),
                Job::Close { reply } => {
                    let closed = self.connections.close();
                    let _ = reply.send(closed);
                    return;
                }
            }
        }
    }

    /// Examines the file, unless the caller has stopped waiting.
    fn examine(&mut self, reply: Reply<Report>) {
        if !reply.is_closed() {
            let report = self.guarded(|writer| {
                // The connection of the diagnosis would take the log of a replaced file for that of the new one.
                let _ = writer.connections.ensure_current();
                Ok(diagnose::diagnose(writer.connections.path(), Arc::clone(&writer.clock)))
            });
            let _ = reply.send(report);
        }
    }

    /// Commits the batch, then settles every call of it, refused ones too: nobody learns of a state that is not on disk.
    fn update(&mut self, batch: Vec<Update>) {
        let committed = self.guarded(|writer| writer.commit(&batch));
        match committed {
            Ok(outcomes) => {
                for (update, outcome) in batch.into_iter().zip(outcomes) {
                    update.settle(outcome);
                }
            }
            Err(fault) => {
                for update in batch {
                    update.settle(Err(fault.repeated()));
                }
            }
        }
    }

    fn commit(&mut self, batch: &[Update]) -> Result<Vec<Result<Decision, LinkError>>, LinkError> {
        for _ in 0..MAX_OPENS {
            let Some((mut connection, path)) = self.open(Missing::LeaveAbsent)? else {
                return Ok(batch.iter().map(|update| Err(self.connections.not_in_a_missing_file(update.id))).collect());
            };
            let fault = |error| store_fault(path, "linking", error);
            let mut transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
            // The wait for the lock may have been long.
            if !self.connections.is_current()? {
                continue;
            }
            let nothing_applied = || batch.iter().for_each(|update| update.call.progress().not_applied());
            let outcomes = update_all(&mut transaction, path, batch).inspect_err(|_| nothing_applied())?;
            transaction.commit().map_err(|error| {
                if is_rolled_back(&error) {
                    nothing_applied();
                }
                fault(error)
            })?;
            self.connections.confirm()?;
            return Ok(outcomes);
        }
        Err(replaced(self.connections.path(), "locked"))
    }

    fn import(&mut self, Import { page, on_progress, call, reply }: Import) {
        if reply.is_closed() {
            return;
        }
        let summary = self.guarded(|writer| {
            // Read and checked before the file is created: a bad page leaves no trace.
            let page = page.page(&|| reply.is_closed())?;
            let clock = Arc::clone(&writer.clock);
            let Some((mut connection, path)) = writer.open(Missing::Create)? else {
                return Err(LinkError::new(Code::Internal, "A created database is missing."));
            };
            let watch = import::Watch { clock, on_progress, call: &call, is_gone: &|| reply.is_closed() };
            let summary = import::apply(&mut connection, path, &page, watch)?;
            writer.connections.confirm()?;
            Ok(summary)
        });
        let _ = reply.send(summary);
    }

    fn open(&self, missing: Missing) -> Result<Option<(Writing<'_>, &Path)>, LinkError> {
        let connection = self.connections.to_write(missing)?;
        Ok(connection.map(|connection| (connection, self.connections.path())))
    }

    /// A panic in one job must not end the thread, or every later call would fail. After any failure the next job begins with
    /// a fresh connection, should this one be read-only or in a state nobody foresaw.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, LinkError>) -> Result<T, LinkError> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|_| Err(defect()));
        if done.is_err() {
            self.connections.doubt_writing();
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
        update.call.progress().sending();
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
            update.call.progress().not_applied();
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
