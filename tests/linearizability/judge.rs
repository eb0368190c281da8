//! Checks that each call took effect at a single moment. Uses only what the server stored and the ends of the calls, nothing from
//! inside the client.

use std::collections::HashMap;

use omnichannel_link::{
    domain::{LinkOutcome, UnlinkOutcome},
    error::{Code, LinkError},
};

use crate::{
    calls::{Call, Claim, End, held},
    fates::Sent,
    rows::{self, Applied, By, Rows, State, Tick, Version},
    run::History,
};

struct Judge<'a> {
    rows: &'a Rows,
    number: usize,
    call: &'a Call,
    end: &'a End,
    /// The first and the last moment at which the call can have taken effect.
    span: (Tick, Tick),
    sent: Vec<&'a Sent>,
    broken: Vec<String>,
}

/// Describes every violation.
pub(crate) fn broken(history: &History) -> Vec<String> {
    let mut broken = versions(history);
    // The end of the last update of each client on a conversation.
    let mut turns = HashMap::new();
    for (number, call) in history.calls.iter().enumerate() {
        let Some((last, end)) = &call.end else {
            broken.push(format!("call {number} never ended"));
            continue;
        };
        // Calls of one client on one conversation take effect in the order in which they were made.
        let turn = turns.entry((call.client, call.conversation)).or_insert(0);
        let span = (call.begin.max(*turn), *last);
        if call.kind.record().is_some() && !call.is_dry {
            *turn = (*turn).max(*last);
        }
        let sent = history.sent.iter().filter(|sent| sent.write.call == number).collect();
        let mut judge = Judge { rows: &history.rows, number, call, end, span, sent, broken: Vec::new() };
        judge.judge();
        broken.append(&mut judge.broken);
    }
    broken
}

/// Every version comes from exactly one write, which was conditional on the version before it.
fn versions(history: &History) -> Vec<String> {
    let mut broken = Vec::new();
    for (conversation, versions) in history.rows.histories.iter().enumerate() {
        for pair in versions.windows(2) {
            let [before, after] = pair else { continue };
            let makers = history.sent.iter().filter(|Sent { write, tried, .. }| {
                *tried == Some((after.since, Applied::Yes))
                    && write.conversation == conversation
                    && By::Call(write.call) == after.by
                    && write.condition == format!("W/\"{}\"", before.number)
            });
            let is_made_once = makers.count() == usize::from(after.by != By::AnotherWriter);
            if !is_made_once || after.number <= before.number {
                broken
                    .push(format!("version {} of conversation {conversation} was not made by one write", after.number));
            }
        }
    }
    broken
}

impl Judge<'_> {
    fn must(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(format!("call {}: {}; {:?}", self.number, otherwise(), self.call));
        }
    }

    /// The conversation at each moment of the call, oldest first.
    fn moments(&self) -> Vec<State> {
        let versions = &self.rows.histories[self.call.conversation];
        let first = versions.iter().rposition(|version| version.since <= self.span.0).unwrap_or(0);
        let during = versions[first..].iter().take_while(|version| version.since <= self.span.1);
        during.map(|version| version.state).collect()
    }

    /// The call's own changes: the state before each, and when it was made.
    fn own(&self) -> Vec<(State, Tick)> {
        let versions = self.rows.histories[self.call.conversation].windows(2);
        let own = versions.filter(|pair| pair[1].by == By::Call(self.number));
        own.map(|pair: &[Version]| (pair[0].state, pair[1].since)).collect()
    }

    fn judge(&mut self) {
        let (own, unproven) = (self.own(), self.sent.iter().filter(|sent| !sent.is_proven).count());
        self.must(own.len() <= 1 + unproven, || format!("it was applied {} times", own.len()));
        self.must(own.is_empty() || !self.call.is_dry, || "it was a dry run, but applied".to_owned());
        self.must(self.sent.is_empty() || self.call.kind.record().is_some(), || "a read that writes".to_owned());
        let is_undoubted = !self.end.is_in_doubt() && !matches!(self.end, End::Cancelled);
        let is_over = own.iter().all(|(_, since)| *since <= self.span.1);
        self.must(!is_undoubted || is_over, || "it was applied after its end".to_owned());
        if let Some(claim) = self.end.claim() {
            self.claims_what_is_true(claim, &own, unproven);
        }
        match self.end {
            End::Failed(error) => self.fails_honestly(error, &own, unproven),
            End::Read(details) => {
                let seen = &details.conversation;
                let seen = State { status: seen.status.code(), customer: seen.customer, case: seen.case };
                self.must(self.moments().contains(&seen), || format!("it was never {seen:?}"));
            }
            End::Linked(LinkOutcome { conversation_id, record, .. })
            | End::Unlinked(UnlinkOutcome { conversation_id, record, .. }) => {
                let is_its = *conversation_id == rows::conversation_id(self.call.conversation)
                    && Some(*record) == self.call.kind.record();
                self.must(is_its && self.end.claim().is_some(), || "the outcome is another call's".to_owned());
            }
            End::Cancelled => {}
        }
    }

    fn claims_what_is_true(&mut self, claim: Claim, own: &[(State, Tick)], unproven: usize) {
        let is_true = |state: &State| self.call.kind.on(state) == Some(claim);
        let moments = self.moments();
        if !claim.is_change() || self.call.is_dry {
            self.must(moments.iter().any(is_true), || format!("{claim:?} was not true at any moment of it"));
            self.must(own.is_empty() || unproven > 0, || format!("{claim:?}, but it was applied"));
        } else if let Some((before, _)) = own.last() {
            self.must(is_true(before), || format!("{claim:?}, but it changed {before:?}"));
        } else {
            // Such a change cannot be told apart from one of another writer in between.
            let record = self.call.kind.record();
            let wanted = if claim == Claim::Unlinked { None } else { record };
            let slot = record.map(|record| record.entity.slot());
            let is_wanted = |state: &State| slot.is_some_and(|slot| state.slot(slot) == wanted);
            let since = moments.iter().position(is_true);
            let is_led_to = since.is_some_and(|since| moments[since..].iter().any(is_wanted));
            self.must(unproven > 0, || format!("{claim:?}, but no write was stored or lost"));
            self.must(is_led_to, || {
                format!("{claim:?}, but nothing was stored, and it was not true at any moment of it")
            });
        }
    }

    fn fails_honestly(&mut self, error: &LinkError, own: &[(State, Tick)], unproven: usize) {
        let code = error.code();
        let is_doubtful = unproven > 0 || !own.is_empty();
        if error.details().maybe_applied {
            self.must(is_doubtful, || "it is in doubt, but no write was".to_owned());
        } else {
            self.must(own.is_empty(), || "it changed nothing for certain, but was applied".to_owned());
            self.must(unproven == 0, || "it changed nothing for certain, but a write was lost".to_owned());
        }
        let is_verbose = !error.details().maybe_applied || !error.message().contains("nothing was");
        self.must(is_verbose, || "the message is certain, and maybeApplied is not".to_owned());
        let may_happen = !matches!(
            code,
            Code::ConversationNotFound | Code::Internal | Code::InvalidArgument | Code::Rejected | Code::Store
        );
        self.must(may_happen, || "nothing of the kind happened".to_owned());
        let record = self.call.kind.record();
        if let (Some(current), Some(record)) = (held(error), record) {
            let is_true = self.moments().iter().any(|state| state.slot(record.entity.slot()) == current);
            self.must(is_true, || format!("the slot held {current:?} at no moment of it"));
        }
        if code == Code::RecordNotFound {
            let is_missing = record.is_some_and(|record| {
                let known = self.rows.existence.iter().filter(|(_, known, _)| *known == record);
                let (before, during): (Vec<_>, Vec<_>) =
                    known.filter(|(since, ..)| *since <= self.span.1).partition(|(since, ..)| *since <= self.span.0);
                before.last().into_iter().chain(&during).any(|(_, _, exists)| !exists)
            });
            self.must(is_missing, || "the record was there all the time".to_owned());
        }
    }
}
