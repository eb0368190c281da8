//! Compare-and-swap: read the row, decide, write on the condition that the row is unchanged, verify the result.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::http::{HeaderValue, StatusCode};
use futures_util::future::BoxFuture;

use super::{
    context::{Concurrency, RequestContext},
    error, read, request,
    response::{self, Row},
};
use crate::{
    clock,
    domain::{ConversationId, Decide, Decision, record_not_found},
    error::{Code, LinkError},
    http::{HttpRequest, HttpResponse},
};

/// Attempts before `CONFLICT`. The product itself writes to live conversations often, so some conflicts are to be expected.
const MAX_ATTEMPTS: u32 = 5;
/// Longest pause before the second attempt. It doubles with each further attempt.
const PAUSE: Duration = Duration::from_millis(50);

/// Share of the remaining time that a write may take. The rest is for finding out whether it was applied.
const WRITE_SHARE: f64 = 0.75;

/// Hint of an error after a lost response.
const IN_DOUBT: &str = "The response to a write of this call was lost, so the change may have been made.";

/// A link or an unlink of one conversation.
pub(super) struct CompareAndSwap<'a> {
    pub(super) context: RequestContext<'a>,
    pub(super) id: ConversationId,
}

/// Result of a conditional write.
enum Written {
    /// The server shows the change.
    Confirmed(Row),
    /// The row had changed since it was read; nothing was written.
    Stale,
    /// The response reports success, but does not come from Dataverse for certain. The row is as wanted, but it may have been so
    /// before the call.
    Unproven(Row),
    /// The write may or may not have been applied.
    Unknown(LinkError),
    /// The server has not received the write.
    NotSent(LinkError),
}

impl CompareAndSwap<'_> {
    /// Runs the decision on the current row and commits its change.
    pub(super) async fn run(&self, decide: &Decide) -> Result<Decision, LinkError> {
        // Without a condition on the write, nothing would prove that a cached row was current.
        let cached = match self.context.shared.concurrency {
            Concurrency::CompareAndSwap => self.context.recall(self.id),
            Concurrency::ReadCheckWrite => None,
        };
        let (mut row, mut fresh) = match cached {
            Some(row) => (row, false),
            None => (self.read().await?, true),
        };
        // Set when a write may have reached the server, and never cleared: reading the row cannot prove that the write was not
        // applied, because another writer may have reverted it.
        let mut in_doubt = false;
        // The last write whose response was lost, while it may still be applied, and the error.
        let mut lost: Option<(Decision, LinkError)> = None;
        let mut attempts = 0;
        loop {
            let decision = match decide.on(&row.conversation) {
                Ok(decision) if decision.writes() => decision,
                // Only a decision that writes may be based on a cached row: the condition then proves that the row was current.
                _ if !fresh => {
                    (row, fresh) = (self.read().await?, true);
                    continue;
                }
                settled => {
                    self.context.remember(row);
                    return settled.map_err(|error| if in_doubt { error.hint(IN_DOUBT) } else { error });
                }
            };
            if attempts == MAX_ATTEMPTS {
                return Err(lost.map_or_else(|| self.conflict(in_doubt), |(_, error)| error));
            }
            attempts += 1;
            match self.write(&row, fresh, &decision, in_doubt).await? {
                Written::Confirmed(shown) => {
                    self.context.remember(shown);
                    return Ok(decision);
                }
                Written::Unproven(now) => {
                    (row, fresh, in_doubt) = (now, true, true);
                    continue;
                }
                Written::Stale => {}
                Written::Unknown(error) => {
                    if asks_to_wait(&error) {
                        attempts -= 1;
                    }
                    (lost, in_doubt) = (Some((decision, error)), true);
                }
                // An earlier write that may still be applied is more important than the reason why this one was not sent.
                Written::NotSent(error) => return Err(lost.map_or(error, |(_, earlier)| earlier)),
            }
            // A stale cached row is not contention, so there is no back-off.
            if fresh && (1..MAX_ATTEMPTS).contains(&attempts) {
                let clock = &self.context.shared.clock;
                clock.sleep(clock::jitter(&**clock, PAUSE * 2_u32.pow(attempts - 1))).await;
            }
            let now = match self.read().await {
                Ok(now) => now,
                // The conversation was deleted, so it no longer matters whether the write was applied.
                Err(deleted) if deleted.code() == Code::ConversationNotFound => return Err(deleted),
                // The lost write is more important than the reason why the row cannot be read.
                Err(error) => return Err(lost.map_or(error, |(_, lost)| lost)),
            };
            if let Some((wanted, error)) = &lost {
                match lost_write(wanted, &row, fresh, &now) {
                    LostWrite::Pending if asks_to_wait(error) || self.context.shared.budget.affords_retry() => {}
                    // It may still arrive.
                    LostWrite::Pending => return Err(error.repeated()),
                    LostWrite::OutcomeHolds => {
                        self.context.remember(now);
                        return Ok(*wanted);
                    }
                    LostWrite::DecideAgain => lost = None,
                    LostWrite::Overtaken => return Err(self.overtaken(wanted, &now)),
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
            .hint("Call again; if this persists, another program keeps changing the conversation.");
        if in_doubt { error.hint(IN_DOUBT) } else { error }
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
        .hint("The change may have been applied before theirs; check `current` and decide again.")
        .with(|details| details.current = Some(current.map(Into::into)))
    }

    /// Boxed, so that a write, which most calls begin with, does not carry the room for each of the reads that may follow.
    fn read(&self) -> BoxFuture<'_, Result<Row, LinkError>> {
        Box::pin(read::row(self.context, self.id))
    }

    /// Writes the decision. `in_doubt`: an earlier write of this call may have been applied or may still be, so an error of this one
    /// does not prove that the call had no effect.
    async fn write(&self, row: &Row, fresh: bool, decision: &Decision, in_doubt: bool) -> Result<Written, LinkError> {
        let RequestContext { shared, call } = self.context;
        let not_applied = || {
            if !in_doubt {
                call.progress().not_applied();
            }
        };
        let condition = match shared.concurrency {
            Concurrency::CompareAndSwap => row.etag.condition(),
            // The row must exist: without any condition Dataverse would create it.
            Concurrency::ReadCheckWrite => HeaderValue::from_static("*"),
        };
        let mut request = request::patch(self.context, self.id, condition, decision)?;
        // Part of the call's time is kept for finding out whether the write was applied.
        let now = shared.clock.now();
        request.deadline = call.deadline().map(|end| now + end.saturating_duration_since(now).mul_f64(WRITE_SHARE));
        // While an earlier write is in doubt, so is the call, whatever the result of this one.
        if in_doubt {
            request.progress = call.progress().separate();
        }
        let response = match self.send(&mut request, now).await {
            Ok(response) => response,
            Err(NoResponse::NotSent(error)) => {
                not_applied();
                return Ok(Written::NotSent(error));
            }
            Err(NoResponse::MaybeSent(error)) => return Ok(Written::Unknown(error)),
        };
        if response.status.is_success() {
            let shown = response::representation(&response, self.id);
            // Only a success that comes from Dataverse itself proves that a cached row was current.
            let is_proof = fresh || shown.is_some() || response.status == StatusCode::NO_CONTENT;
            let verified = self.verify(shown, decision).await?;
            return Ok(if is_proof { Written::Confirmed(verified) } else { Written::Unproven(verified) });
        }
        // A gateway may send a 5xx or a 408 after its own timeout, while the server still executes the write.
        if response.status.is_server_error() || response.status == StatusCode::REQUEST_TIMEOUT {
            return Ok(Written::Unknown(error::explain(&response)));
        }
        if proves_rejection(&response) {
            not_applied();
        }
        if error::is_stale(&response) {
            return Ok(Written::Stale);
        }
        if !error::is_row_not_found(&response) {
            return Err(error::explain(&response));
        }
        // The conversation or the record does not exist. Reading the conversation shows which.
        self.read().await?;
        match decision.after {
            // If an earlier write is in doubt, `maybeApplied` stays true: that write may have found the record.
            Some(record) => Err(record_not_found(record)),
            // The request named only the conversation. It exists now, so it was created in between.
            None => Ok(Written::Stale),
        }
    }

    /// Compares the row in the response with the decision. The server reads that row in a separate step, so it may be older or newer
    /// than the write. If it differs, the row is read once more.
    async fn verify(&self, shown: Option<Row>, decision: &Decision) -> Result<Row, LinkError> {
        let matches = |row: &Row| row.conversation.linked(decision.slot) == decision.after;
        let first = match shown {
            Some(row) => row,
            None => self.read().await?,
        };
        if matches(&first) {
            return Ok(first);
        }
        let second = self.read().await?;
        if matches(&second) {
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
        .hint("Another writer or a plug-in may have changed it immediately afterwards; read the conversation before calling again.")
        .with(|details| details.current = Some(current.map(Into::into))))
    }

    /// Sends a write, and waits for the response until the request's deadline.
    async fn send(&self, request: &mut HttpRequest, now: Instant) -> Result<HttpResponse, NoResponse> {
        let (deadline, progress) = (request.deadline, Arc::clone(&request.progress));
        let no_response = |error: LinkError| {
            if progress.maybe_applied() { NoResponse::MaybeSent(error) } else { NoResponse::NotSent(error) }
        };
        let sending = self.context.send(request);
        let Some(deadline) = deadline else { return sending.await.map_err(no_response) };
        let clock = &self.context.shared.clock;
        let timeout = deadline.saturating_duration_since(now);
        let response = tokio::select! {
            biased;
            response = sending => Some(response),
            () = clock.sleep(timeout) => None,
        };
        // The request is finished or cancelled, so its progress no longer changes.
        match response {
            Some(response) => response.map_err(no_response),
            None if progress.maybe_applied() => Err(NoResponse::MaybeSent(error::write_timed_out(timeout))),
            None => Err(NoResponse::NotSent(error::write_not_sent(timeout))),
        }
    }
}

/// Conclusion about a write whose response was lost, from the row as it is now.
#[derive(Debug, PartialEq, Eq)]
enum LostWrite {
    /// Not applied so far, but it still may be. A second write on the same version is safe: at most one of them is applied.
    Pending,
    /// The outcome is true: the slot held `before` and then `after`, both within the call.
    OutcomeHolds,
    /// It can no longer be applied, and nothing else is known: decide again, on the current row.
    DecideAgain,
    /// The slot holds another record, which may have replaced the change.
    Overtaken,
}

/// Draws the conclusion about a write whose response was lost. Its condition was the version of `row`; a read then returned `now`.
///
/// | row is  | version | slot is   | conclusion     | because |
/// |---------|---------|-----------|----------------|---------|
/// | any     | same    | (same)    | `Pending`      | Every change makes a new version, so there was none. `row` counts as fresh from here on: the read proves that it is current. |
/// | fresh   | other   | as wanted | `OutcomeHolds` | The call itself read `before` and now `after`. The change is its own, or another writer's in between; the outcome is true in both cases. |
/// | cached  | other   | as wanted | `DecideAgain`  | It may have been so before the call began: then the write never matched, and the slot never held `before` during the call. |
/// | any     | other   | as before | `DecideAgain`  | The version that the write needs no longer exists. It may have been applied and reverted. |
/// | any     | other   | else      | `Overtaken`    | The last writer may have seen our change, so it is not made again over theirs. |
///
/// *Fresh* means read by this call. *Cached* means kept from an earlier call, which proves nothing until a write on its version is
/// confirmed. Versions are compared for equality only: other changes in the organisation increase the numbers as well.
///
/// With `ReadCheckWrite` no version prevents a late write, which that option accepts.
///
/// The write may have been applied in every row except the first, and in the first it still may be: `maybeApplied` stays in all of them.
/// Deciding again is always correct, since a new decision is based on `now` alone: `alreadyLinked`, `NOT_LINKED`, the conflict with
/// `expected`, and the record that a second write replaces.
fn lost_write(wanted: &Decision, row: &Row, fresh: bool, now: &Row) -> LostWrite {
    let linked = now.conversation.linked(wanted.slot);
    if now.etag == row.etag {
        LostWrite::Pending
    } else if linked == wanted.after {
        if fresh { LostWrite::OutcomeHolds } else { LostWrite::DecideAgain }
    } else if linked == wanted.before {
        LostWrite::DecideAgain
    } else {
        LostWrite::Overtaken
    }
}

/// Whether the response proves that the write was not applied: a failed condition, a rejected token, a used-up quota, or an error in
/// the form of Dataverse. Any other response may come from a proxy that withholds the server's own.
fn proves_rejection(response: &HttpResponse) -> bool {
    let error = error::explain(response);
    let is_explained = error.details().service_code.is_some() || error.details().service_message.is_some();
    is_explained
        || matches!(
            response.status,
            StatusCode::PRECONDITION_FAILED | StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS
        )
}

/// Whether this is a 503 with `Retry-After`. The layer that sends requests waits that long, so a further write does not count as a
/// retry.
fn asks_to_wait(error: &LinkError) -> bool {
    error.details().http_status == Some(503) && error.details().retry_after.is_some()
}

/// A write without a response.
enum NoResponse {
    /// The server has not received it.
    NotSent(LinkError),
    /// The server may have executed it.
    MaybeSent(LinkError),
}
