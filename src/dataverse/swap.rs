//! The compare-and-swap: read, decide, write on condition, compare what the server shows.

use std::time::Duration;

use super::{
    Shared,
    answer::{self, Row},
    fault, request,
};
use crate::{
    clock,
    domain::{
        Call, ConversationId, Decide, Decision,
        decision::{conversation_not_found, record_not_found},
    },
    error::{Code, LinkError},
    http::{HttpRequest, Token},
};

/// The product writes to live conversations often, so some of these are nobody's fault.
const MAX_ATTEMPTS: u32 = 5;
/// The longest pause before the second attempt; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(50);

/// One call's dealings with the server.
pub(super) struct Exchange<'a> {
    pub(super) shared: &'a Shared,
    pub(super) id: ConversationId,
    pub(super) call: &'a Call,
}

/// What became of a conditional write.
enum Written {
    /// The server shows what was wanted.
    Confirmed,
    /// The row had changed since it was read; nothing was written.
    Stale,
}

impl Exchange<'_> {
    /// Runs the decision on the current row and commits what it says.
    pub(super) async fn swap(&self, decide: &Decide) -> Result<Decision, LinkError> {
        let token = self.shared.tokens.token().await?;
        for attempt in 0..MAX_ATTEMPTS {
            if attempt > 0 {
                let pause = clock::jitter(&*self.shared.clock, PAUSE * 2_u32.pow(attempt - 1));
                self.shared.clock.sleep(pause).await;
            }
            let row = self.read(&token).await?;
            let decision = decide.on(&row.conversation)?;
            if !decision.writes() {
                return Ok(decision);
            }
            match self.write(&row, &decision, &token).await? {
                Written::Confirmed => return Ok(decision),
                Written::Stale => {}
            }
        }
        Err(LinkError::new(
            Code::Conflict,
            format!(
                "Conversation {} was changed by others at each of {MAX_ATTEMPTS} attempts; nothing was written.",
                self.id
            ),
        )
        .hint("Call again; if this persists, something rewrites the conversation all the time."))
    }

    async fn read(&self, token: &Token) -> Result<Row, LinkError> {
        let response = self.send(request::read(&self.shared.environment, self.id, self.call, token)).await?;
        if fault::is_row_not_found(&response) {
            return Err(conversation_not_found(self.id));
        }
        answer::row(&answer::success(response, token)?, self.id)
    }

    async fn write(&self, row: &Row, decision: &Decision, token: &Token) -> Result<Written, LinkError> {
        let request = request::write(&self.shared.environment, row, decision, self.call, token)?;
        self.call.write_begins();
        let response = match self.shared.http.call(request).await {
            Ok(response) => response,
            Err(error) => {
                if !error.kind.may_have_been_sent() {
                    self.call.write_refused();
                }
                return Err(fault::unreachable(error));
            }
        };
        if answer::succeeded(&response) {
            let shown = answer::representation(&response, self.id);
            return self.verify(shown, decision, token).await.map(|()| Written::Confirmed);
        }
        // A 5xx may come from a gateway that gave up waiting for a server that did not.
        if response.status.is_server_error() {
            return Err(fault::explain(&response, token));
        }
        self.call.write_refused();
        if fault::is_stale(&response) {
            return Ok(Written::Stale);
        }
        if !fault::is_row_not_found(&response) {
            return Err(fault::explain(&response, token));
        }
        // Either thing may be missing; only the conversation can be asked for without guessing.
        self.read(token).await?;
        match decision.after {
            Some(record) => Err(record_not_found(record)),
            // Nothing but the conversation was named, and it is there: it came back in between.
            None => Ok(Written::Stale),
        }
    }

    /// Compares what the server shows with what was wanted. The representation is a second step inside the server, so one
    /// that differs may only be late, or early: one fresh look decides.
    async fn verify(&self, shown: Option<Row>, decision: &Decision, token: &Token) -> Result<(), LinkError> {
        let holds = |row: &Row| row.conversation.linked(decision.slot) == decision.after;
        let first = match shown {
            Some(row) => row,
            None => self.read(token).await?,
        };
        if holds(&first) {
            return Ok(());
        }
        let second = self.read(token).await?;
        if holds(&second) {
            return Ok(());
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

    async fn send(&self, request: HttpRequest) -> Result<crate::http::HttpResponse, LinkError> {
        self.shared.http.call(request).await.map_err(fault::unreachable)
    }
}
