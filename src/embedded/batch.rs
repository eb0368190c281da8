//! Updates that share a transaction and one sync.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use super::jobs::{Job, Update};
use crate::clock::Clock;

/// Most updates that share a commit. Bounds how long the first of them waits for the others.
const MAX_BATCH: usize = 1_024;

/// Longest wait for more updates. Bounds how long the lock for writing is held while nothing is written.
const MAX_WAIT: Duration = Duration::from_millis(1);

/// Predicts the next batch from the last one.
#[derive(Clone, Copy, Default)]
pub(super) struct Expected {
    /// Callers that were waiting when it was committed. Those that wait for each call before the next one are about to call again.
    updates: usize,
    /// How long the next batch may wait for them. Waiting longer than a commit takes cannot pay.
    wait: Duration,
}

impl Expected {
    /// After a batch of this length, whose commit took this time. `is_next_waiting` tells whether another update came meanwhile.
    pub(super) fn after(length: usize, commit_time: Duration, is_next_waiting: bool) -> Self {
        Self { updates: length + usize::from(is_next_waiting), wait: (commit_time / 2).min(MAX_WAIT) }
    }
}

/// A batch that grows while its updates run.
pub(super) struct Batch<'a> {
    clock: &'a dyn Clock,
    jobs: &'a mpsc::Receiver<Job>,
    updates: Vec<Update>,
    /// A job that is no update, and therefore ends the batch.
    next: Option<Job>,
    expected: Expected,
    deadline: Option<Instant>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(first: Update, jobs: &'a mpsc::Receiver<Job>, expected: Expected, clock: &'a dyn Clock) -> Self {
        Self { clock, jobs, updates: vec![first], next: None, expected, deadline: None }
    }

    /// The update at `index`, which is at most the number of updates so far. Waits for it if it is expected soon.
    pub(super) fn get(&mut self, index: usize) -> Option<&Update> {
        if index == self.updates.len() && index < MAX_BATCH && self.next.is_none() {
            match self.receive() {
                Some(Job::Update(update)) => self.updates.push(update),
                other => self.next = other,
            }
        }
        self.updates.get(index)
    }

    pub(super) fn updates(&self) -> &[Update] {
        &self.updates
    }

    /// The updates, and the job that ended the batch.
    pub(super) fn into_parts(self) -> (Vec<Update>, Option<Job>) {
        (self.updates, self.next)
    }

    fn receive(&mut self) -> Option<Job> {
        let job = self.jobs.try_recv().ok();
        if job.is_some() || self.updates.len() >= self.expected.updates {
            return job;
        }
        let now = self.clock.now();
        let deadline = *self.deadline.get_or_insert(now + self.expected.wait);
        self.jobs.recv_timeout(deadline.saturating_duration_since(now)).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::*;
    use crate::{
        clock::SystemClock,
        domain::{Call, CallOptions, ConversationId, Decide, EntityLogicalName, RecordReference, RequestId},
        embedded::pending::PendingUpdates,
    };

    /// Longer than any test takes: a test that waits for it fails by its timeout.
    const LONG: Duration = Duration::from_secs(3600);

    fn update() -> Update {
        let id = ConversationId::from([1; 16]);
        Update {
            id,
            decide: Decide::Unlink(RecordReference { entity: EntityLogicalName::Contact, id: [2; 16].into() }),
            call: Arc::new(Call::new(RequestId::from([3; 16]), None, CallOptions::default())),
            pending: PendingUpdates::default().begin(id),
            reply: oneshot::channel().0,
        }
    }

    #[test]
    fn a_batch_waits_for_the_updates_that_it_expects() {
        let (sender, jobs) = mpsc::channel();
        let mut batch = Batch::new(update(), &jobs, Expected { updates: 3, wait: LONG }, &SystemClock);
        sender.send(Job::Update(update())).unwrap();
        assert!(batch.get(1).is_some());
        let late = std::thread::spawn(move || {
            assert!(sender.send(Job::Update(update())).is_ok());
            sender
        });
        assert!(batch.get(2).is_some());
        let _sender = late.join().unwrap();
        assert!(batch.get(3).is_none(), "it expects no fourth one");
        assert_eq!(batch.updates().len(), 3);
    }

    #[test]
    fn a_batch_takes_waiting_updates_up_to_its_limit() {
        let (sender, jobs) = mpsc::channel();
        for _ in 0..MAX_BATCH {
            sender.send(Job::Update(update())).unwrap();
        }
        let mut batch = Batch::new(update(), &jobs, Expected::default(), &SystemClock);
        assert_eq!((0..=MAX_BATCH).filter(|at| batch.get(*at).is_some()).count(), MAX_BATCH);
        assert!(jobs.try_recv().is_ok(), "one is left");
    }

    #[test]
    fn another_job_ends_a_batch_at_once() {
        let (sender, jobs) = mpsc::channel();
        let mut batch = Batch::new(update(), &jobs, Expected { updates: 3, wait: LONG }, &SystemClock);
        sender.send(Job::Run(Box::new(|_| ()))).unwrap();
        sender.send(Job::Update(update())).unwrap();
        assert!(batch.get(1).is_none());
        assert!(batch.get(1).is_none(), "the update after it belongs to the next batch");
        assert!(matches!(batch.into_parts(), (updates, Some(Job::Run(_))) if updates.len() == 1));
    }

    #[test]
    fn a_batch_does_not_wait_longer_than_it_may() {
        let (_sender, jobs) = mpsc::channel();
        let mut batch = Batch::new(update(), &jobs, Expected { updates: 3, wait: Duration::ZERO }, &SystemClock);
        assert!(batch.get(1).is_none());
    }

    #[test]
    fn a_wait_is_shorter_than_a_commit() {
        let expected = Expected::after(7, Duration::from_micros(300), true);
        assert_eq!((expected.updates, expected.wait), (8, Duration::from_micros(150)));
        assert_eq!(Expected::after(1, LONG, false).wait, MAX_WAIT);
    }
}
