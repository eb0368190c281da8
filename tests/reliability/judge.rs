//! The promises, checked against what the server stored and logged. The expected table is not used.

use omnichannel_link::domain::RecordReference;

use crate::{
    cases::{Case, Does, Way, Writer},
    fixture::{TIMEOUT, record},
    network::Ending,
    observe::{End, Observation},
    support::CONVERSATION,
};

const ACTIVE: i64 = 2;
const CLOSED: i64 = 4;

/// Codes of errors after which the same call may succeed.
const RETRYABLE: [&str; 4] = ["CONFLICT", "THROTTLED", "TIMEOUT", "UNAVAILABLE"];

struct Judge<'a> {
    case: &'a Case,
    seen: &'a Observation,
    writer: Option<Writer>,
    /// Writes of the client that were stored.
    ours: u64,
    broken: Vec<String>,
}

/// Describes every broken promise.
pub(crate) fn broken(case: &Case, seen: &Observation) -> Vec<String> {
    let met = seen.log.iter().filter(|request| request.fault == Some("writer"));
    // It does not write after a rejected write.
    let visits = met.filter(|request| case.writer().is_some_and(|writer| !writer.is_after || request.status < 300));
    let visits = visits.count() as u64;
    let writer = case.writer().filter(|_| visits > 0);
    // It deletes only once.
    let deletes = writer.is_some_and(|writer| writer.does == Does::Deletes);
    let theirs = if deletes { visits.min(1) } else { visits };
    let mut judge = Judge { case, seen, writer, ours: 0, broken: Vec::new() };
    match seen.writes.checked_sub(theirs) {
        Some(ours) => judge.ours = ours,
        None => judge.must(false, "another writer's change was not stored"),
    }
    judge.applied_at_most_once();
    judge.ends_as_the_row_shows();
    judge.others_are_respected();
    judge.errors_are_honest();
    judge.codes_are_true();
    judge.requests_are_in_order();
    judge.broken
}

impl Judge<'_> {
    fn must(&mut self, holds: bool, otherwise: impl Into<String>) {
        if !holds {
            self.broken.push(otherwise.into());
        }
    }

    fn wanted(&self) -> Option<RecordReference> {
        self.seen.call.is_link().then(record)
    }

    fn other_writer(&self) -> Option<Does> {
        self.writer.map(|writer| writer.does)
    }

    /// Whether the other writer put this into the slot.
    fn is_theirs(&self, held: Option<RecordReference>) -> bool {
        self.other_writer() == Some(Does::Links(held))
    }

    fn took_the_slot(&self) -> bool {
        matches!(self.other_writer(), Some(Does::Links(_)))
    }

    fn is_deleted(&self) -> bool {
        self.other_writer() == Some(Does::Deletes)
    }

    /// Writes that the client cannot know to be stored or not.
    fn in_doubt(&self) -> impl Iterator<Item = &Ending> {
        let writes = self.seen.seen.exchanges.iter().filter(|exchange| exchange.what == "PATCH");
        let unproven = writes.filter(|exchange| !exchange.is_the_servers);
        unproven.map(|exchange| &exchange.ending).filter(|ending| **ending != Ending::Unsent)
    }

    /// How often the change may have been made and reverted unnoticed: its response was lost, and the other writer restored the slot.
    fn possibly_reverted(&self) -> u64 {
        if self.took_the_slot() { self.in_doubt().count() as u64 } else { 0 }
    }

    fn applied_at_most_once(&mut self) {
        self.must(self.ours <= 1 + self.possibly_reverted(), format!("the change was applied {} times", self.ours));
    }

    fn ends_as_the_row_shows(&mut self) {
        let Observation { before, after, end, call, .. } = self.seen;
        let (holds, wanted) = (after.customer, self.wanted());
        let is_theirs = self.is_theirs(holds) || self.is_deleted();
        match end {
            End::Done(word, replaced) => {
                self.must(holds == wanted || is_theirs, format!("{word}, but the slot holds {holds:?}"));
                let was_already = *word == "alreadyLinked" && before.customer == wanted;
                self.must(!self.seen.seen.exchanges.is_empty(), format!("{word}, but no request was sent"));
                self.must(
                    self.ours > 0 || self.is_theirs(wanted) || was_already,
                    format!("{word}, but nothing was stored"),
                );
                // With a cached row, a lost write of the call looks like a write of another writer before it.
                let is_found = call.is_warm() && self.in_doubt().next().is_some();
                self.must(*word != "alreadyLinked" || self.ours == 0 || is_found, "already linked, but stored");
                self.must(
                    (*word == "replaced") == replaced.is_some(),
                    format!("{word}, and {replaced:?} was replaced"),
                );
                let is_told =
                    self.took_the_slot() || *word == "alreadyLinked" || !call.is_link() || *replaced == before.customer;
                self.must(is_told, format!("{word}, but the slot held {:?}", before.customer));
                let was = |record: RecordReference| before.customer == Some(record) || self.is_theirs(Some(record));
                let was_there = replaced.is_none_or(was);
                self.must(was_there, format!("{replaced:?} was never there"));
                let fits = if call.is_link() { *word != "unlinked" } else { *word == "unlinked" };
                self.must(fits, format!("{call:?} ended as {word}"));
            }
            End::Failed(error) if !error.details().maybe_applied => {
                self.must(self.ours == 0, format!("{} without a doubt, but the change was stored", error.code()));
                let is_same = holds == before.customer || is_theirs;
                self.must(is_same, format!("{} without a doubt, but the slot holds {holds:?}", error.code()));
            }
            End::Failed(error) => {
                let confirmed = self.seen.log.iter().any(|sent| sent.method == "PATCH" && sent.status < 300);
                let doubtful = self.in_doubt().next().is_some() || confirmed;
                self.must(doubtful, format!("{} in doubt, but no write was", error.code()));
            }
        }
    }

    fn others_are_respected(&mut self) {
        let Observation { after, end, call, .. } = self.seen;
        let is_deleted = self.is_deleted();
        self.must(after.is_bystander_there || is_deleted, "the other slot was touched");
        self.must(after.status.is_none() == is_deleted, "the conversation came or went");
        let Some(Writer { is_after, does }) = self.writer else { return };
        match does {
            Does::Touches => self.must(after.subject.as_deref() == Some("Touched"), "another column was set back"),
            Does::Closes => {
                self.must(after.status == Some(CLOSED), "the conversation was opened again");
                // The write was last, so the other writer came before it.
                let is_last = self.seen.seen.exchanges.last().is_some_and(|sent| sent.what == "PATCH");
                let is_certain = !is_after && is_last && call.is_link() && self.in_doubt().next().is_none();
                self.must(!is_certain || matches!(end, End::Failed(_)), "a closed conversation was linked");
            }
            // Without versions, overwriting is accepted.
            Does::Links(theirs) if self.case.checks_versions => {
                let is_told = match end {
                    End::Done(_, replaced) => *replaced == theirs,
                    End::Failed(error) => error.details().maybe_applied,
                };
                let is_replaced = call.is_link() && is_told && after.customer == self.wanted();
                // An unlink removes the record that it names, no matter which writer linked it.
                let is_named = !call.is_link() && theirs == Some(record());
                let is_kept = after.customer == theirs || is_replaced || is_named;
                self.must(is_kept, "what another writer linked is gone");
            }
            Does::Links(_) | Does::Deletes => {}
        }
    }

    fn errors_are_honest(&mut self) {
        let End::Failed(error) = &self.seen.end else { return };
        let (code, details) = (error.code().as_str(), error.details());
        self.must(error.is_retryable() == RETRYABLE.contains(&code), format!("{code} with the wrong isRetryable"));
        let is_said = !details.maybe_applied || !error.message().contains("nothing was");
        self.must(is_said, "the message is certain, and maybeApplied is not");
        self.must(code != "VERIFICATION_FAILED" || details.maybe_applied, "a failed verification is a doubt");
        self.must(!["INTERNAL", "INVALID_ARGUMENT", "STORE"].contains(&code), format!("{code} is never expected here"));
        let held = self.seen.after.customer.map(Into::into);
        // It may still change after the last read.
        let is_last = self.writer.is_none_or(|writer| !writer.is_after);
        let is_current = details.current.as_ref().is_none_or(|current| *current == held || !is_last);
        self.must(is_current, format!("{code} with {:?} as current", details.current));
        let is_told = code != "THROTTLED" || details.retry_after == Some(self.case.pause);
        self.must(is_told, format!("to be sent again after {:?}", details.retry_after));
        self.must(details.request_id.is_some(), "the error has no id of the call");
        if let Some(id) = &self.seen.seen.service_request_id {
            let is_there = details.service_request_id.as_ref() == Some(id);
            self.must(is_there, "the error does not have the id of the last response");
        }
        let text = format!("{error} {error:?} {error:#?}");
        let is_discreet = self.seen.secrets.iter().all(|secret| !text.contains(secret));
        self.must(is_discreet, "the error shows a secret");
    }

    /// A request or the row shows what the code stands for.
    fn codes_are_true(&mut self) {
        let End::Failed(error) = &self.seen.end else { return };
        let (code, after) = (error.code().as_str(), &self.seen.after);
        let ended = |is: fn(&Ending) -> bool| self.seen.seen.exchanges.iter().any(|sent| is(&sent.ending));
        let may_change = self.writer.is_some_and(|writer| writer.is_after);
        let is_true = match code {
            "AUTHENTICATION_FAILED" => {
                ended(|ending| matches!(ending, Ending::Answered(401 | 403)))
                    || self.seen.seen.exchanges.last().is_some_and(|sent| sent.what == "token")
            }
            "CONFLICT" => ended(|ending| *ending == Ending::Answered(412)) || self.in_doubt().next().is_some(),
            "CONVERSATION_NOT_ACTIVE" => after.status != Some(ACTIVE),
            "CONVERSATION_NOT_FOUND" => after.status.is_none(),
            "FORBIDDEN" => ended(|ending| *ending == Ending::Answered(403)),
            "NOT_LINKED" => after.customer != Some(record()) || may_change,
            "RECORD_NOT_FOUND" => !self.case.record_exists || self.case.fault.contains("although both exist"),
            "THROTTLED" => ended(|ending| *ending == Ending::Answered(429)),
            "TIMEOUT" => ended(|ending| *ending == Ending::Waiting),
            "UNAVAILABLE" => ended(|ending| matches!(ending, Ending::Answered(500..) | Ending::Lost | Ending::Unsent)),
            "VERIFICATION_FAILED" => self.seen.log.iter().any(|sent| sent.method == "PATCH" && sent.status < 300),
            _ => true,
        };
        self.must(is_true, format!("{code}, but nothing shows it"));
    }

    fn requests_are_in_order(&mut self) {
        let Observation { log, seen, took, request_id, .. } = self.seen;
        let sent = seen.exchanges.iter().filter(|exchange| exchange.ending != Ending::Unsent).count();
        // The gateway that delivers late also delivers.
        self.must(sent == log.len(), format!("{sent} requests were sent, {} arrived", log.len()));
        self.must(*took <= TIMEOUT, format!("it took {took:?}"));
        for request in log {
            let is_for_a_token = request.path.contains("/oauth2/");
            let is_row = request.path.contains(&format!("/api/data/v9.2/msdyn_ocliveworkitems({CONVERSATION})?"));
            self.must(is_row || is_for_a_token, format!("a request for {}", request.path));
            let id = request.header("x-ms-client-request-id").map(str::to_owned);
            self.must(is_for_a_token || id == *request_id, "a request without the id of the call");
            if request.method == "PATCH" {
                let condition = request.header("if-match").unwrap_or_default();
                let is_version = condition.starts_with("W/\"");
                self.must(is_version == self.case.checks_versions, format!("a write on the condition '{condition}'"));
                self.must(request.body.contains("msdyn_customer_"), format!("a write of {}", request.body));
            }
        }
        for pair in seen.exchanges.windows(2) {
            let asked = matches!(pair[0].ending, Ending::Answered(429 | 503));
            let pause = pair[1].began.saturating_sub(pair[0].ended);
            self.must(!asked || pause >= self.case.pause, format!("sent again after {pause:?}"));
        }
        let is_expected = self.seen.is_faulty()
            || self.case.hits == "no request"
            || self.case.hits.ends_with("links")
            || (self.seen.call.is_warm() && self.case.way == Way::Direct);
        self.must(is_expected, "nothing went wrong");
    }
}
