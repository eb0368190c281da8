//! The compare-and-swap: read, decide, write on condition, compare what the server shows.

use std::{sync::Arc, time::Duration};

use ::http::{HeaderValue, StatusCode};

use super::{
    Concurrency, Shared,
    answer::{self, Row},
    exchange::Exchange,
    fault, request,
};
use crate::{
    clock,
    domain::{ConversationId, Decide, Decision, record_not_found},
    error::{Code, LinkError},
    http::{HttpRequest, HttpResponse},
};

/// The product writes to live conversations often, so some of these are nobody's fault.
const MAX_ATTEMPTS: u32 = 5;
/// The longest pause before the second attempt; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(50);

/// How much of the time left a write may take; the rest is for looking at what became of it.
const WRITE_SHARE: f64 = 0.75;

/// For an error after a lost response.
const DOUBT: &str = "The response to a write of this call was lost; the change may have been made all the same.";

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
    /// The response says that it was written but not that Dataverse says so, and the row is as wanted. Whose work that is
    /// cannot be told, because it may have been so before the call.
    Unproven(Row),
    /// No response that says so or otherwise.
    Unknown(LinkError),
    /// The server has not seen it.
    Unsent(LinkError),
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
        // Set when a write may have reached the server, and never cleared: no look at the row can prove that it did not take
        // effect, because another writer may have taken it back.
        let mut in_doubt = false;
        // The write whose response was lost, while it may still be applied: what it wanted, and what happened to the response.
        let mut lost: Option<(Decision, LinkError)> = None;
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
                    return settled.map_err(|error| if in_doubt { error.hint(DOUBT) } else { error });
                }
            };
            if attempts == MAX_ATTEMPTS {
                return Err(lost.map_or_else(|| self.conflict(in_doubt), |(_, fault)| fault));
            }
            attempts += 1;
            match self.write(&row, fresh, &decision, in_doubt).await? {
                Written::Confirmed(shown) => {
                    self.exchange.remember(shown);
                    return Ok(decision);
                }
                Written::Unproven(now) => {
                    (row, fresh, in_doubt) = (now, true, true);
                    continue;
                }
                Written::Stale => {}
                Written::Unknown(fault) => {
                    if asks_to_wait(&fault) {
                        attempts -= 1;
                    }
                    (lost, in_doubt) = (Some((decision, fault)), true);
                }
                // An earlier write that may still be applied matters more than why this one was not sent.
                Written::Unsent(fault) => return Err(lost.map_or(fault, |(_, earlier)| earlier)),
            }
            // A remembered row that turned out old is nobody's storm.
            if fresh && (1..MAX_ATTEMPTS).contains(&attempts) {
                let pause = clock::jitter(&*self.shared().clock, PAUSE * 2_u32.pow(attempts - 1));
                self.shared().clock.sleep(pause).await;
            }
            let now = match self.read().await {
                Ok(now) => now,
                // The conversation is gone, and with it whatever became of the write.
                Err(gone) if gone.code() == Code::ConversationNotFound => return Err(gone),
                // What became of the write cannot be found out, which matters more than why the look failed.
                Err(failed) => return Err(lost.map_or(failed, |(_, fault)| fault)),
            };
            if let Some((wanted, fault)) = &lost {
                match trace(wanted, &row, fresh, &now) {
                    Traced::NotYet if asks_to_wait(fault) || self.shared().budget.affords_retry() => {}
                    // It may still arrive.
                    Traced::NotYet => return Err(fault.repeated()),
                    Traced::Done => {
                        self.exchange.remember(now);
                        return Ok(*wanted);
                    }
                    Traced::Open => lost = None,
                    Traced::Overtaken => return Err(self.overtaken(wanted, &now)),
                }
            }
            (row, fresh) = (now, true);
        }
    }

    fn conflict(&self, in_doubt: bool) -> LinkError {
        let written = if in_doubt { "" } else { "; nothing was written" };
        let message =
            format!("Conversation {} was changed by others at each of {MAX_ATTEMPTS} attempts{written}.", self.id);
        let error = LinkError::new(Code::Conflict, message)
            .hint("Call again; if this persists, something rewrites the conversation all the time.");
        if in_doubt { error.hint(DOUBT) } else { error }
    }

    fn overtaken(&self, wanted: &Decision, now: &Row) -> LinkError {
        let current = now.conversation.linked(wanted.slot);
        LinkError::new(
            Code::Conflict,
            format!(
                "The {} slot of conversation {} was changed by others, and the response to this change was lost.",
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

    /// `in_doubt`: an earlier write may have been applied or may still be, so a refusal of this one proves nothing.
    async fn write(&self, row: &Row, fresh: bool, decision: &Decision, in_doubt: bool) -> Result<Written, LinkError> {
        let refused = || {
            if !in_doubt {
                self.exchange.call.progress().not_applied();
            }
        };
        // Part of the call's time is kept for finding out what became of the write.
        let now = self.shared().clock.now();
        let deadline =
            self.exchange.call.deadline().map(|end| now + end.saturating_duration_since(now).mul_f64(WRITE_SHARE));
        let condition = match self.shared().concurrency {
            Concurrency::CompareAndSwap => row.etag.condition(),
            // Only that the row exists: without any condition a missing one would be created.
            Concurrency::ReadCheckWrite => HeaderValue::from_static("*"),
        };
        let mut request =
            request::write(&self.shared().environment, self.id, condition, decision, self.exchange.sender());
        request.deadline = deadline;
        // While an earlier write is in doubt, so is the call, whatever becomes of this one.
        if !in_doubt {
            request.progress = Arc::clone(self.exchange.call.progress());
        }
        let answer = match self.answered(request).await {
            Ok(answer) => answer,
            Err(Unanswered::Never(fault)) => {
                refused();
                return Ok(Written::Unsent(fault));
            }
            Err(Unanswered::Perhaps(fault)) => return Ok(Written::Unknown(fault)),
        };
        if answer.status.is_success() {
            let shown = answer::representation(&answer, self.id);
            // Only a write that Dataverse itself confirms proves that a remembered row was current.
            let is_proof = fresh || shown.is_some() || answer.status == StatusCode::NO_CONTENT;
            let verified = self.verify(shown, decision).await?;
            return Ok(if is_proof { Written::Confirmed(verified) } else { Written::Unproven(verified) });
        }
        // A 5xx or a 408 may come from a gateway that gave up waiting for a server that did not.
        if answer.status.is_server_error() || answer.status == StatusCode::REQUEST_TIMEOUT {
            return Ok(Written::Unknown(fault::explain(&answer)));
        }
        if is_refusal(&answer) {
            refused();
        }
        if fault::is_stale(&answer) {
            return Ok(Written::Stale);
        }
        if !fault::is_row_not_found(&answer) {
            return Err(fault::explain(&answer));
        }
        // Either thing may be missing; only the conversation can be asked for without guessing.
        self.read().await?;
        match decision.after {
            // Nothing of an earlier write: it may have found the record, or find it yet.
            Some(record) => Err(record_not_found(record)),
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
    async fn answered(&self, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
        let (deadline, progress) = (request.deadline, Arc::clone(&request.progress));
        let end = |fault: LinkError| {
            if progress.maybe_applied() { Unanswered::Perhaps(fault) } else { Unanswered::Never(fault) }
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
            None if progress.maybe_applied() => Err(Unanswered::Perhaps(fault::unanswered(patience))),
            None => Err(Unanswered::Never(fault::unsent(patience))),
        }
    }
}

/// What a look at the row says of a write whose response was lost.
#[derive(Debug, PartialEq, Eq)]
enum Traced {
    /// It has not been applied, and still may be. A second one on the same version is safe: one of them at the most is applied.
    NotYet,
    /// The outcome is true: the slot held the one thing and then the other, both within the call.
    Done,
    /// It can no longer be applied, and nothing more is known: decide again, on the row as it is now.
    Open,
    /// The slot holds something else, perhaps in the place of what the write had put there.
    Overtaken,
}

/// What may be said of a write whose response was lost. It was conditional on the version of `row`; the server then showed `now`.
///
/// | row is  | version | slot is   | then        | because |
/// |---------|---------|-----------|-------------|---------|
/// | any     | same    | (same)    | `NotYet`    | Every change makes a new version, so there was none. `row` counts as fresh from here on: the look proves that it is current. |
/// | fresh   | other   | as wanted | `Done`      | The call itself read `before` and now `after`. Its own write led there, or another writer's that came in between; the outcome is true of both moments. |
/// | cached  | other   | as wanted | `Open`      | It may have been so before the call began: then the write never matched, and the slot never held `before` during the call. |
/// | any     | other   | as before | `Open`      | The version that the write needs is gone for good. It may have been applied and taken back. |
/// | any     | other   | else      | `Overtaken` | The last writer may have seen our change, so it is not made again over theirs. |
///
/// *Fresh* means read by this call, *cached* means kept from an earlier one, which proves nothing until a write on its version is
/// confirmed. Only equality of versions counts: other changes of the organisation move the numbers as well.
///
/// With `ReadCheckWrite` no version keeps a late write away, which was accepted with that option.
///
/// In each row the write may have been applied, except in the first, where it still may be: `maybeApplied` stays in all of them.
/// Deciding again is always true, since a new decision rests on `now` alone: `alreadyLinked`, `NOT_LINKED`, the conflict with
/// `expected`, and what a second write replaces.
fn trace(wanted: &Decision, row: &Row, fresh: bool, now: &Row) -> Traced {
    let linked = now.conversation.linked(wanted.slot);
    if now.etag == row.etag {
        Traced::NotYet
    } else if linked == wanted.after {
        if fresh { Traced::Done } else { Traced::Open }
    } else if linked == wanted.before {
        Traced::Open
    } else {
        Traced::Overtaken
    }
}

/// Whether the response proves that the write was not applied: a failed condition, a refused token, a full quota, or an error in
/// Dataverse's own form. Any other page may come from something on the way that withholds the server's response.
fn is_refusal(answer: &HttpResponse) -> bool {
    let error = fault::explain(answer);
    let is_explained = error.details().service_code.is_some() || error.details().service_message.is_some();
    is_explained
        || matches!(
            answer.status,
            StatusCode::PRECONDITION_FAILED | StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS
        )
}

/// Whether this is a 503 with `Retry-After`. The pause is waited out where requests are sent, and a write after it costs nothing.
fn asks_to_wait(error: &LinkError) -> bool {
    error.details().http_status == Some(503) && error.details().retry_after.is_some()
}

/// A write without an answer.
enum Unanswered {
    /// The server has not seen it.
    Never(LinkError),
    /// The server may have acted on it.
    Perhaps(LinkError),
}
