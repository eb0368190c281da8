//! Calls of clients, their ends, and what an end claims about the conversation.

use omnichannel_link::{
    domain::{ConversationDetails, IfLinked, LinkOutcome, LinkPolicy, LinkStatus, RecordReference, UnlinkOutcome},
    error::{Code, LinkError},
};

use crate::{
    dice::Dice,
    rows::{ACTIVE, CLOSED, State, Tick, records},
};

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Link(RecordReference, LinkPolicy),
    Unlink(RecordReference),
    Read,
}

#[derive(Debug)]
pub(crate) enum End {
    Linked(LinkOutcome),
    Unlinked(UnlinkOutcome),
    Read(ConversationDetails),
    Failed(LinkError),
    /// Its caller stopped waiting.
    Cancelled,
}

/// A call and its history.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) client: usize,
    pub(crate) conversation: usize,
    pub(crate) kind: Kind,
    pub(crate) is_dry: bool,
    pub(crate) begin: Tick,
    /// When and how it ended.
    pub(crate) end: Option<(Tick, End)>,
}

/// The claim of an end about the conversation. The sequential specification has the same type, so that both can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Linked,
    Replaced(RecordReference),
    AlreadyLinked,
    Kept(RecordReference),
    Unlinked,
    NotActive(i32),
    NotExpected(Option<RecordReference>),
    Occupied(RecordReference),
    NotLinked(Option<RecordReference>),
}

impl Claim {
    /// Whether it claims that the slot was changed.
    pub(crate) fn is_change(self) -> bool {
        matches!(self, Self::Linked | Self::Replaced(_) | Self::Unlinked)
    }
}

impl Kind {
    /// A random call on a conversation in this state.
    pub(crate) fn any(state: &State, dice: &mut Dice) -> Self {
        // Some records are more likely, so that calls collide.
        let record = records()[dice.weighted(&[6, 3, 3, 4, 2, 1])];
        match dice.weighted(&[7, 3, 1]) {
            0 => Self::Link(record, policy(record, dice)),
            1 => {
                let held = state.slot(record.entity.slot()).filter(|_| dice.percent(80));
                Self::Unlink(held.unwrap_or(record))
            }
            _ => Self::Read,
        }
    }

    pub(crate) fn record(&self) -> Option<RecordReference> {
        match self {
            Self::Link(record, _) | Self::Unlink(record) => Some(*record),
            Self::Read => None,
        }
    }

    /// The correct claim of the call about a conversation in this state.
    pub(crate) fn on(&self, state: &State) -> Option<Claim> {
        let record = self.record()?;
        let held = state.slot(record.entity.slot());
        let Self::Link(_, LinkPolicy { linkable_statuses, if_linked, expected }) = self else {
            return Some(if held == Some(record) { Claim::Unlinked } else { Claim::NotLinked(held) });
        };
        let is_linkable = state.status == ACTIVE || linkable_statuses.contains(&state.status.into());
        Some(match held {
            _ if !is_linkable => Claim::NotActive(state.status),
            held if expected.is_some_and(|expected| expected != held) => Claim::NotExpected(held),
            None => Claim::Linked,
            Some(held) if held == record => Claim::AlreadyLinked,
            Some(held) => match if_linked {
                IfLinked::Replace => Claim::Replaced(held),
                IfLinked::Keep => Claim::Kept(held),
                IfLinked::Reject => Claim::Occupied(held),
            },
        })
    }
}

fn policy(record: RecordReference, dice: &mut Dice) -> LinkPolicy {
    let mut policy = LinkPolicy::default();
    match dice.weighted(&[5, 1, 1, 2, 1]) {
        1 => policy.if_linked = IfLinked::Keep,
        2 => policy.if_linked = IfLinked::Reject,
        3 => {
            let fits: Vec<_> = records().into_iter().filter(|one| one.entity.slot() == record.entity.slot()).collect();
            policy.expected = Some(dice.percent(70).then(|| dice.pick(&fits)));
        }
        4 => policy.linkable_statuses = vec![CLOSED.into()],
        _ => {}
    }
    policy
}

impl End {
    /// Its claim about the conversation, if it makes one.
    pub(crate) fn claim(&self) -> Option<Claim> {
        match self {
            Self::Linked(LinkOutcome { status, previous, current, .. }) => match (status, previous, current) {
                (LinkStatus::Linked, None, None) => Some(Claim::Linked),
                (LinkStatus::Replaced, Some(previous), None) => Some(Claim::Replaced(*previous)),
                (LinkStatus::AlreadyLinked, None, None) => Some(Claim::AlreadyLinked),
                (LinkStatus::Kept, None, Some(current)) => Some(Claim::Kept(*current)),
                _ => None,
            },
            Self::Unlinked(_) => Some(Claim::Unlinked),
            Self::Read(_) | Self::Cancelled => None,
            Self::Failed(error) => match (error.code(), held(error)) {
                (Code::ConversationNotActive, _) => error.details().conversation_status.map(Claim::NotActive),
                (Code::Conflict, Some(held)) if !error.is_retryable() => Some(Claim::NotExpected(held)),
                (Code::Occupied, Some(Some(held))) => Some(Claim::Occupied(held)),
                (Code::NotLinked, Some(held)) => Some(Claim::NotLinked(held)),
                _ => None,
            },
        }
    }

    /// Its status or code, and whether it is in doubt.
    pub(crate) fn word(&self) -> (&'static str, bool) {
        let word = match self {
            Self::Linked(outcome) => outcome.status.as_str(),
            Self::Unlinked(_) => "unlinked",
            Self::Read(_) => "read",
            Self::Failed(error) => error.code().as_str(),
            Self::Cancelled => "cancelled",
        };
        (word, self.is_in_doubt())
    }

    pub(crate) fn is_in_doubt(&self) -> bool {
        matches!(self, Self::Failed(error) if error.details().maybe_applied)
    }
}

/// The record in the slot, if the error states it.
#[expect(clippy::option_option, reason = "unknown differs from empty")]
pub(crate) fn held(error: &LinkError) -> Option<Option<RecordReference>> {
    let current = error.details().current.as_ref()?;
    Some(
        current.as_ref().map(|record| records().into_iter().find(|one| *record == (*one).into()).expect("a known one")),
    )
}
