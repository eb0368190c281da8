//! The thread that writes. Updates that wait together share one transaction and one sync.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc, Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use tokio::runtime::Handle;

use super::{
    batch::{Batch, Expected},
    connections::{Connections, MAX_OPENS},
    database::{IfMissing, with_small_cache},
    error::{cancelled, catch_panic, is_rolled_back, replaced, store_error},
    import::{self, ImportContext, ImportSummary, OnProgress},
    jobs::{GetPage, Job, Reply, Update},
    rows::LinkTransaction,
};
use crate::{
    clock::{Clock, SharedClock},
    domain::{Call, Decision, conversation_not_found, record_not_found},
    error::{Code, LinkError},
    sync::lock,
};

/// Commits of single calls in a row after which the WAL is checkpointed. Such calls leave no idle moment, but they do not need a long WAL
/// either, and each of them would wait for its file to grow.
const MAX_SINGLE_COMMITS: u32 = 1_000;

/// A batch that is on the disk, with the outcomes of its calls. Dropping it settles them: then later reads of their conversations no
/// longer wait for them.
struct Finished(Vec<(Update, Result<Decision, LinkError>)>);

impl Drop for Finished {
    fn drop(&mut self) {
        for (Update { pending, reply, .. }, outcome) in self.0.drain(..) {
            drop(pending);
            let _ = reply.send(outcome);
        }
    }
}

/// Batches that are on the disk and not settled yet. They settle in order, on the thread of their callers or on the writing thread.
#[derive(Default)]
struct Unsettled {
    batches: Mutex<VecDeque<Finished>>,
    /// Held while a batch is settled, so that the next one does not overtake it on the other thread.
    turn: Mutex<()>,
}

impl Unsettled {
    /// Settles all batches. Returns when they are settled, also those that the other thread settles now.
    fn settle(&self) {
        let _turn = lock(&self.turn);
        while let Some(finished) = self.next() {
            drop(finished);
        }
    }

    fn push(&self, finished: Finished) {
        lock(&self.batches).push_back(finished);
    }

    fn next(&self) -> Option<Finished> {
        lock(&self.batches).pop_front()
    }
}

/// Settles all batches when it is dropped, also by a runtime that has ended.
struct Settling(Arc<Unsettled>);

impl Drop for Settling {
    fn drop(&mut self) {
        self.0.settle();
    }
}

/// Starts the thread. It checkpoints when it has no job for the time `idle`. It ends when the last sender is dropped, or after a `Close`.
pub(super) fn spawn(
    connections: Arc<Connections>,
    idle: Duration,
    clock: SharedClock,
) -> Result<mpsc::Sender<Job>, LinkError> {
    // Bounded by the service, which admits a limited number of calls.
    let (sender, jobs) = mpsc::channel();
    let runtime = Handle::try_current().ok();
    std::thread::Builder::new()
        .name("omnichannel-db".into())
        .spawn(move || run(&connections, &jobs, idle, runtime.as_ref(), &*clock))
        .map_err(LinkError::no_thread)?;
    Ok(sender)
}

fn run(
    connections: &Connections,
    jobs: &mpsc::Receiver<Job>,
    idle: Duration,
    runtime: Option<&Handle>,
    clock: &dyn Clock,
) {
    let (mut next, mut has_written, mut single_commits) = (None, false, 0);
    let mut expected = Expected::default();
    let unsettled = Arc::new(Unsettled::default());
    while let Some(job) = next.take().or_else(|| receive(connections, jobs, idle, &mut has_written)) {
        match job {
            Job::Update(first) => {
                let mut batch = Batch::new(first, jobs, expected, clock);
                let (outcomes, commit_time) = update(connections, &mut batch, clock);
                let (updates, ended_by) = batch.into_parts();
                next = ended_by.or_else(|| jobs.try_recv().ok());
                expected = Expected::after(updates.len(), commit_time, matches!(next, Some(Job::Update(_))));
                let is_single = updates.len() == 1;
                single_commits = if is_single { single_commits + 1 } else { 0 };
                unsettled.push(Finished(updates.into_iter().zip(outcomes).collect()));
                match runtime {
                    // One wake-up for all callers, and the next batch runs meanwhile.
                    Some(runtime) if !is_single || next.is_some() => {
                        let settling = Settling(Arc::clone(&unsettled));
                        runtime.spawn(async move { drop(settling) });
                    }
                    // Nothing waits for this thread, and a way over another one takes longer.
                    _ => unsettled.settle(),
                }
                if single_commits == MAX_SINGLE_COMMITS {
                    connections.checkpoint();
                    single_commits = 0;
                }
                has_written = true;
            }
            Job::Run(task) => {
                unsettled.settle();
                task(connections);
                has_written = true;
            }
            Job::Close(reply) => {
                unsettled.settle();
                let _ = reply.send(connections.close());
                return;
            }
        }
    }
}

/// The next job, or `None` when there will be no more. If none comes for the time `idle`, checkpoints what was written.
fn receive(
    connections: &Connections,
    jobs: &mpsc::Receiver<Job>,
    idle: Duration,
    has_written: &mut bool,
) -> Option<Job> {
    if *has_written {
        match jobs.recv_timeout(idle) {
            Err(RecvTimeoutError::Timeout) => connections.checkpoint(),
            received => return received.ok(),
        }
        *has_written = false;
    }
    jobs.recv().ok()
}

/// Outcomes of the updates of a batch, and how long the commit took.
type Committed = (Vec<Result<Decision, LinkError>>, Duration);

/// Runs the updates of the batch, also those that come meanwhile, and commits them. An error concerns them all.
fn update(connections: &Connections, batch: &mut Batch<'_>, clock: &dyn Clock) -> Committed {
    guarded(connections, || commit(connections, batch, clock))
        .unwrap_or_else(|error| (batch.updates().iter().map(|_| Err(error.repeated())).collect(), Duration::ZERO))
}

fn commit(connections: &Connections, batch: &mut Batch<'_>, clock: &dyn Clock) -> Result<Committed, LinkError> {
    let path = connections.path();
    let failed = |error| store_error(path, "linking", error);
    for attempt in 0..MAX_OPENS {
        let Some(mut writing) = connections.to_lock(attempt)? else {
            let missing = |update: &Update| Err(connections.missing_conversation(update.id));
            return Ok((batch.updates().iter().map(missing).collect(), Duration::ZERO));
        };
        let begun = LinkTransaction::begin(writing.connection());
        // The wait for the lock may have been long. The next attempt reports an error.
        if !connections.is_current().unwrap_or_default() {
            continue;
        }
        let mut transaction = begun.map_err(failed)?;
        let outcomes = update_all(&mut transaction, path, batch).inspect_err(|_| not_applied(batch))?;
        let started = clock.now();
        transaction.commit().map_err(|error| {
            if is_rolled_back(&error) {
                not_applied(batch);
            }
            failed(error)
        })?;
        let commit_time = clock.now().saturating_duration_since(started);
        connections.confirm()?;
        return Ok((outcomes, commit_time));
    }
    Err(replaced(path, "locked"))
}

fn not_applied(batch: &Batch<'_>) {
    batch.updates().iter().for_each(|update| update.call.progress().not_applied());
}

fn update_all(
    transaction: &mut LinkTransaction<'_>,
    path: &Path,
    batch: &mut Batch<'_>,
) -> Result<Vec<Result<Decision, LinkError>>, LinkError> {
    let mut outcomes = Vec::new();
    while let Some(update) = batch.get(outcomes.len()) {
        update.call.progress().sending();
        // The mark is set before the check: a caller that cancels now is either noticed here or sees the mark.
        let outcome = if update.reply.is_closed() { Err(cancelled()) } else { update_one(transaction, path, update) };
        if transaction.is_rolled_back() {
            // SQLite rolled back the whole transaction, and with it the calls before this one.
            let rolled_back =
                || LinkError::new(Code::Store, "SQLite rolled back a transaction shared by several calls.");
            return Err(outcome.err().unwrap_or_else(rolled_back));
        }
        if !outcome.as_ref().is_ok_and(Decision::writes) {
            update.call.progress().not_applied();
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Writes with its last statement, which changes one row or nothing, so a call that fails needs no savepoint.
fn update_one(transaction: &mut LinkTransaction<'_>, path: &Path, update: &Update) -> Result<Decision, LinkError> {
    let failed = |error| store_error(path, "linking", error);
    let located = transaction.conversation(update.id).map_err(failed)?;
    let (row, conversation) = located.ok_or_else(|| conversation_not_found(update.id))?;
    let decision = update.decide.on(&conversation)?;
    if decision.writes() {
        if let Some(record) = decision.after
            && !transaction.record_exists(record).map_err(failed)?
        {
            return Err(record_not_found(record));
        }
        transaction.write_slot(row, &decision).map_err(failed)?;
    }
    Ok(decision)
}

/// Imports a page, unless the caller has cancelled.
pub(super) fn import(
    connections: &Connections,
    get_page: GetPage,
    clock: SharedClock,
    on_progress: Option<OnProgress>,
    call: &Call,
    reply: Reply<ImportSummary>,
) {
    if reply.is_closed() {
        return;
    }
    let is_cancelled = || reply.is_closed();
    let summary = guarded(connections, || {
        // Read and checked before the file is created: an invalid page must not create it.
        let page = get_page(&is_cancelled)?;
        let Some(mut writing) = connections.to_write(IfMissing::Create)? else {
            return Err(LinkError::new(Code::Internal, "A created database is missing."));
        };
        let context = ImportContext { clock, on_progress, call, is_cancelled: &is_cancelled };
        let path = connections.path();
        let summary =
            with_small_cache(path, writing.connection(), |connection| import::apply(connection, path, &page, context))?;
        connections.confirm()?;
        Ok(summary)
    });
    let _ = reply.send(summary);
}

/// Runs work that may write. A panic in one job must not end the thread, or every later call would fail. After a failure or a panic the
/// next job opens the file again, because this connection may be read-only or in an unknown state.
pub(super) fn guarded<T>(
    connections: &Connections,
    work: impl FnOnce() -> Result<T, LinkError>,
) -> Result<T, LinkError> {
    let result = catch_panic(work);
    if result.is_err() {
        connections.reopen_writing();
    }
    result
}
