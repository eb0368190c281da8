//! The compare-and-swap: read, decide, write on condition, compare what the server shows.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ::http::HeaderValue;

use super::{
    Concurrency, Shared,
    answer::{self, Row},
    exchange::Exchange,
    fault, request,
};
use crate::{
    clock,
    domain::{ConversationId, Decide, Decision, decision::record_not_found},
    error::{Code, LinkError},
    http::{AuthorizedResponse, HttpRequest},
};

/// The product writes to live conversations often, so some of these are nobody's fault.
const MAX_ATTEMPTS: u32 = 5;
/// The longest pause before the second attempt; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(50);

/// How much of the time left a write may take; the rest is for looking at what became of it.
const WRITE_SHARE: f64 = 0.75;

/// A link or an unlink of one conversation.
pub(super) struct Swap<'a> {
    pub(super) exchange: Exchange<'a>,
    pub(super) id: ConversationId,
}

/// What became of a conditional write.
enum Written {
    /// The server shows what was wanted.
    Confirmed(Row),
    /// The row had changed since it was read; nothing was written.
    Stale,
    /// No answer that says so or otherwise.
    Unknown(LinkError),
}

impl Swap<'_> {
    /// Runs the decision on the current row and commits what it says.
    pub(super) async fn swap(&self, decide: &Decide) -> Result<Decision, LinkError> {
        // Without a condition on the write, nothing would prove that a remembered row was current.
        let remembered = match self.shared().concurrency {
            Concurrency::CompareAndSwap => self.exchange.recall(self.id),
            Concurrency::ReadCheckWrite => None,
        };
        let (mut row, mut fresh) = match remembered {
            Some(row) => (row, false),
            None => (self.read().await?, true),
        };
        // The last write nobody knows the end of: what it wanted, and why that is not known.
        let mut unresolved: Option<(Decision, LinkError)> = None;
        let mut attempts = 0;
        loop {
            let decision = match decide.on(&row.conversation) {
                Ok(decision) if decision.writes() => decision,
                // Only a decision that writes may rest on a remembered row: its condition then proves the row was current.
                _ if !fresh => {
                    (row, fresh) = (self.read().await?, true);
                    continue;
                }
                settled => {
                    self.exchange.remember(row);
                    return settled;
                }
            };
            if attempts == MAX_ATTEMPTS {
                return Err(unresolved.map_or_else(|| self.conflict(), |(_, fault)| fault));
            }
            attempts += 1;
            match self.write(&row, &decision, unresolved.is_some()).await? {
                Written::Confirmed(shown) => {
                    self.exchange.remember(shown);
                    return Ok(decision);
                }
                Written::Stale => {}
                Written::Unknown(fault) => unresolved = Some((decision, fault)),
            }
            // A remembered row that turned out old is nobody's storm.
            if fresh && attempts < MAX_ATTEMPTS {
                let pause = clock::jitter(&*self.shared().clock, PAUSE * 2_u32.pow(attempts - 1));
                self.shared().clock.sleep(pause).await;
            }
            let now = match self.read().await {
                Ok(now) => now,
                // The conversation is gone, and with it whatever became of the write.
                Err(gone) if gone.code() == Code::ConversationNotFound => return Err(gone),
                // What became of the write cannot be found out, which matters more than why the look failed.
                Err(failed) => return Err(unresolved.map_or(failed, |(_, fault)| fault)),
            };
            if let Some((wanted, fault)) = &unresolved {
                match trace(wanted, &row, &now) {
                    Traced::NotArrived if self.shared().budget.affords_another() => {}
                    // It may still arrive.
                    Traced::NotArrived => return Err(fault.repeated()),
                    Traced::Applied => {
                        self.exchange.remember(now);
                        return Ok(*wanted);
                    }
                    Traced::TooLate => {
                        self.exchange.call.write_refused();
                        unresolved = None;
                    }
                    Traced::Overtaken => return Err(self.overtaken(wanted, &now)),
                }
            }
            (row, fresh) = (now, true);
        }
    }

    fn conflict(&self) -> LinkError {
        let message = format!(
            "Conversation {} was changed by others at each of {MAX_ATTEMPTS} attempts; nothing was written.",
            self.id
        );
        LinkError::new(Code::Conflict, message)
            .hint("Call again; if this persists, something rewrites the conversation all the time.")
    }

    fn overtaken(&self, wanted: &Decision, now: &Row) -> LinkError {
        let current = now.conversation.linked(wanted.slot);
        LinkError::new(
            Code::Conflict,
            format!(
                "The {} slot of conversation {} was changed by others while the answer was lost.",
                wanted.slot, self.id
            ),
        )
        .hint("The change may have been applied before theirs; look at `current` and decide again.")
        .with(|details| details.current = Some(current.map(Into::into)))
    }

    fn shared(&self) -> &Shared {
        self.exchange.shared
    }

    async fn read(&self) -> Result<Row, LinkError> {
        self.exchange.row(self.id).await
    }

    /// `in_doubt`: an earlier write may still be applied, so a refusal of this one proves nothing.
    async fn write(&self, row: &Row, decision: &Decision, in_doubt: bool) -> Result<Written, LinkError> {
        let refused = || {
            if !in_doubt {
                self.exchange.call.write_refused();
            }
        };
        // Part of the call's time is kept for finding out what became of the write.
        let now = self.shared().clock.now();
        let deadline =
            self.exchange.call.deadline().map(|end| now + end.saturating_duration_since(now).mul_f64(WRITE_SHARE));
        // A mark of its own while in doubt: the call's stays.
        let in_flight = if in_doubt { Arc::default() } else { self.exchange.call.write_mark() };
        let condition = match self.shared().concurrency {
            Concurrency::CompareAndSwap => row.etag.condition(),
            // Only that the row exists: without any condition a missing one would be created.
            Concurrency::ReadCheckWrite => HeaderValue::from_static("*"),
        };
        let mut request =
            request::write(&self.shared().environment, self.id, condition, decision, self.exchange.sender());
        (request.deadline, request.in_flight) = (deadline, in_flight);
        let answer = match self.answered(request).await {
            Ok(answer) => answer,
            Err(Unanswered::Never(fault)) => {
                refused();
                return Err(fault);
            }
            Err(Unanswered::Perhaps(fault)) => return Ok(Written::Unknown(fault)),
        };
        if answer.response.status.is_success() {
            let shown = answer::representation(&answer, self.id);
            return self.verify(shown, decision).await.map(Written::Confirmed);
        }
        // A 5xx may come from a gateway that gave up waiting for a server that did not.
        if answer.response.status.is_server_error() {
            return Ok(Written::Unknown(fault::explain(&answer)));
        }
        refused();
        if fault::is_stale(&answer.response) {
            return Ok(Written::Stale);
        }
        if !fault::is_row_not_found(&answer.response) {
            return Err(fault::explain(&answer));
        }
        // Either thing may be missing; only the conversation can be asked for without guessing.
        self.read().await?;
        match decision.after {
            Some(record) => {
                // An earlier write that is still on its way finds no record either.
                self.exchange.call.write_refused();
                Err(record_not_found(record))
            }
            // Nothing but the conversation was named, and it is there: it came back in between.
            None => Ok(Written::Stale),
        }
    }

    /// Compares what the server shows with what was wanted. The representation is a second step inside the server, so one
    /// that differs may only be late, or early: one fresh look decides.
    async fn verify(&self, shown: Option<Row>, decision: &Decision) -> Result<Row, LinkError> {
        let holds = |row: &Row| row.conversation.linked(decision.slot) == decision.after;
        let first = match shown {
            Some(row) => row,
            None => self.read().await?,
        };
        if holds(&first) {
            return Ok(first);
        }
        let second = self.read().await?;
        if holds(&second) {
            return Ok(second);
        }
        let current = second.conversation.linked(decision.slot);
        let instead = current.map_or_else(|| "nothing".to_owned(), |record| record.to_string());
        Err(LinkError::new(
            Code::VerificationFailed,
            format!(
                "The server confirmed the change, but the {} slot of conversation {} holds {instead}.",
                decision.slot, self.id
            ),
        )
        .hint("Another writer or a plug-in may have changed it right afterwards; look before calling again.")
        .with(|details| details.current = Some(current.map(Into::into))))
    }

    /// Sends a write, and waits for the answer until the request's deadline.
    async fn answered(&self, request: HttpRequest) -> Result<AuthorizedResponse, Unanswered> {
        let (deadline, in_flight) = (request.deadline, Arc::clone(&request.in_flight));
        let end = |fault: LinkError| {
            if in_flight.load(Ordering::SeqCst) { Unanswered::Perhaps(fault) } else { Unanswered::Never(fault) }
        };
        let answer = self.exchange.send(request);
        let Some(deadline) = deadline else { return answer.await.map_err(|error| end(fault::unreachable(error))) };
        let clock = &self.shared().clock;
        let patience = deadline.saturating_duration_since(clock.now());
        let answered = tokio::select! {
            biased;
            answered = answer => Some(answered),
            () = clock.sleep(patience) => None,
        };
        // The exchange is over or dropped, so the mark is final.
        match answered {
            Some(answered) => answered.map_err(|error| end(fault::unreachable(error))),
            None => Err(end(fault::unanswered(patience))),
        }
    }
}

/// What a look at the row says of a write that was not answered.
enum Traced {
    /// The version is the one it was sent for. The same condition holds for a second one, so at most one is applied.
    NotArrived,
    /// The slot is as wanted.
    Applied,
    /// The version moved on without it: it can no longer be applied.
    TooLate,
    /// The slot holds something else.
    Overtaken,
}

fn trace(wanted: &Decision, sent_for: &Row, now: &Row) -> Traced {
    let linked = now.conversation.linked(wanted.slot);
    if now.etag == sent_for.etag {
        Traced::NotArrived
    } else if linked == wanted.after {
        Traced::Applied
    } else if linked == wanted.before {
        Traced::TooLate
    } else {
        Traced::Overtaken
    }
}

/// A write without an answer.
enum Unanswered {
    /// The server has not seen it.
    Never(LinkError),
    /// The server may have acted on it.
    Perhaps(LinkError),
}
