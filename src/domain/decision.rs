//! Decisions: the change that a link or unlink makes, computed from the conversation alone. The table under "Results" in README.md.

use super::{
    conversation::{Conversation, Slot, Status},
    ids::{ConversationId, RecordReference},
};
use crate::error::{Code, LinkError};

/// Conditions of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkPolicy {
    /// Statuses besides active in which a conversation can be linked.
    pub linkable_statuses: Vec<Status>,
    /// Treatment of another record in the slot.
    pub if_linked: IfLinked,
    /// Required content of the slot, if given.
    pub expected: Option<Option<RecordReference>>,
}

/// Treatment of another record in the slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfLinked {
    /// The new record replaces it.
    #[default]
    Replace,
    /// It stays, and the outcome names it.
    Keep,
    /// It stays, and the call fails.
    Reject,
}

/// Change of one slot. Nothing is written if `before` equals `after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub slot: Slot,
    /// Content of the slot now.
    pub before: Option<RecordReference>,
    /// Content of the slot afterwards.
    pub after: Option<RecordReference>,
}

impl Decision {
    /// Whether anything has to be written.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.before != self.after
    }
}

/// A link or unlink that has not been decided yet. A value rather than a closure, so that a store can queue it, decide again on a newer
/// row, and print it when a test fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decide {
    /// Put the record into its slot, as the policy allows.
    Link(RecordReference, LinkPolicy),
    /// Empty the slot, if it holds this record.
    Unlink(RecordReference),
}

impl Decide {
    /// Decides, given the current row.
    pub fn on(&self, conversation: &Conversation) -> Result<Decision, LinkError> {
        match self {
            Self::Link(record, policy) => decide_link(conversation, *record, policy),
            Self::Unlink(record) => decide_unlink(conversation, *record),
        }
    }

    /// Rejects a link that no row would allow.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`].
    pub fn ensure_possible(&self) -> Result<(), LinkError> {
        let Self::Link(record, LinkPolicy { expected: Some(Some(expected)), .. }) = self else { return Ok(()) };
        let slot = record.entity.slot();
        if expected.entity.slot() == slot {
            return Ok(());
        }
        let why = format!("the {expected} can never be in the {slot} slot, which is the slot of the {record}");
        Err(LinkError::invalid_argument("options.expected", why))
    }
}

/// Decides on a link: it replaces another record unless the policy forbids it. Only active conversations can be linked.
///
/// # Errors
/// [`Code::ConversationNotActive`]; [`Code::Conflict`] if the slot does not hold what is expected, [`Code::Occupied`] if it holds a record
/// that must not be replaced; both with the content of the slot.
fn decide_link(
    conversation: &Conversation,
    record: RecordReference,
    policy: &LinkPolicy,
) -> Result<Decision, LinkError> {
    let status = conversation.status;
    if status != Status::ACTIVE && !policy.linkable_statuses.contains(&status) {
        return Err(LinkError::new(
            Code::ConversationNotActive,
            format!(
                "Conversation {} is {status}, not active; only active conversations can be linked.",
                conversation.id
            ),
        )
        .hint("If your process links in this status too, allow it with the option for further statuses.")
        .with(|details| details.conversation_status = Some(status.code())));
    }
    let slot = record.entity.slot();
    let before = conversation.linked(slot);
    let unsuitable = |code, why: &str| {
        let instead = before.map_or_else(|| "nothing".to_owned(), |current| current.to_string());
        let message = format!("The {slot} slot of conversation {} holds {instead}, {why}.", conversation.id);
        LinkError::new(code, message).with(|details| details.current = Some(before.map(Into::into)))
    };
    if policy.expected.is_some_and(|expected| expected != before) {
        // A retry with the same expectation fails in the same way.
        return Err(
            unsuitable(Code::Conflict, "not the expected record").with(|details| details.retryable = Some(false))
        );
    }
    let after = match policy.if_linked {
        _ if before.is_none_or(|held| held == record) => record,
        IfLinked::Replace => record,
        IfLinked::Keep => before.unwrap_or(record),
        IfLinked::Reject => return Err(unsuitable(Code::Occupied, "which must not be replaced")),
    };
    Ok(Decision { slot, before, after: Some(after) })
}

/// Decides on an unlink: it removes exactly this record, in every status.
///
/// # Errors
/// [`Code::NotLinked`], with the record that is linked instead.
fn decide_unlink(conversation: &Conversation, record: RecordReference) -> Result<Decision, LinkError> {
    let slot = record.entity.slot();
    let before = conversation.linked(slot);
    if before == Some(record) {
        return Ok(Decision { slot, before, after: None });
    }
    let instead = before.map_or_else(|| format!("no {slot} is linked"), |current| format!("{current} is linked"));
    Err(LinkError::new(
        Code::NotLinked,
        format!("The {record} is not linked to conversation {}: {instead}.", conversation.id),
    )
    .with(|details| details.current = Some(before.map(Into::into))))
}

/// Error of every store for an unknown conversation.
#[must_use]
pub fn conversation_not_found(id: ConversationId) -> LinkError {
    LinkError::new(Code::ConversationNotFound, format!("Conversation {id} does not exist in this store."))
}

/// Error of every store for an unknown record.
#[must_use]
pub fn record_not_found(record: RecordReference) -> LinkError {
    LinkError::new(Code::RecordNotFound, format!("The {record} does not exist in this store."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::ids::EntityLogicalName, error::CurrentRecord};

    fn record(entity: EntityLogicalName, byte: u8) -> RecordReference {
        RecordReference { entity, id: [byte; 16].into() }
    }

    const ACCOUNT: EntityLogicalName = EntityLogicalName::Account;
    const CONTACT: EntityLogicalName = EntityLogicalName::Contact;
    const INCIDENT: EntityLogicalName = EntityLogicalName::Incident;

    fn conversation(status: Status, customer: Option<RecordReference>, case: Option<RecordReference>) -> Conversation {
        Conversation { id: [9; 16].into(), status, customer, case }
    }

    fn link(conversation: &Conversation, record: RecordReference) -> Result<Decision, LinkError> {
        decide_link(conversation, record, &LinkPolicy::default())
    }

    #[test]
    fn row_5_only_active_conversations_can_be_linked() {
        for code in [1, 3, 4, 5, 6, 7, 0, -1, 192_350_000] {
            let held = record(ACCOUNT, 1);
            let error = link(&conversation(code.into(), Some(held), None), held).unwrap_err();
            assert_eq!(error.code(), Code::ConversationNotActive);
            assert_eq!(error.details().conversation_status, Some(code));
            assert!(error.message().contains(&Status::from(code).to_string()), "{error}");
        }
        assert!(link(&conversation(Status::ACTIVE, None, None), record(ACCOUNT, 1)).is_ok());
    }

    #[test]
    fn row_5_linkable_statuses_widen_the_set_and_keep_active_in_it() {
        let policy = LinkPolicy { linkable_statuses: vec![Status::WRAP_UP], ..LinkPolicy::default() };
        let decide = |status| decide_link(&conversation(status, None, None), record(ACCOUNT, 1), &policy);
        assert!(decide(Status::WRAP_UP).is_ok());
        assert!(decide(Status::ACTIVE).is_ok());
        assert_eq!(decide(Status::CLOSED).unwrap_err().code(), Code::ConversationNotActive);
    }

    #[test]
    fn row_5_unlink_is_allowed_in_every_status() {
        let held = record(INCIDENT, 1);
        for code in 0..9 {
            assert!(decide_unlink(&conversation(code.into(), None, Some(held)), held).is_ok());
        }
    }

    #[test]
    fn row_6_a_record_that_is_linked_is_not_written_again() {
        let held = record(CONTACT, 1);
        let decision = link(&conversation(Status::ACTIVE, Some(held), None), held).unwrap();
        assert!(!decision.writes());
    }

    #[test]
    fn row_6_unlinking_the_linked_record_empties_its_slot() {
        let held = record(CONTACT, 1);
        let decision = decide_unlink(&conversation(Status::ACTIVE, Some(held), None), held).unwrap();
        assert_eq!(decision, Decision { slot: Slot::Customer, before: Some(held), after: None });
        assert!(decision.writes());
    }

    #[test]
    fn row_7_a_new_link_replaces_the_old_one_and_reports_it() {
        let (old, new) = (record(ACCOUNT, 1), record(CONTACT, 2));
        let decision = link(&conversation(Status::ACTIVE, Some(old), None), new).unwrap();
        assert_eq!(decision, Decision { slot: Slot::Customer, before: Some(old), after: Some(new) });
    }

    #[test]
    fn row_7_unlinking_another_record_leaves_the_linked_one() {
        // The same id in another table is another record.
        for (held, named) in [
            (record(ACCOUNT, 1), record(ACCOUNT, 2)),
            (record(ACCOUNT, 1), record(CONTACT, 1)),
            (record(INCIDENT, 1), record(INCIDENT, 2)),
        ] {
            let (customer, case) = if held.entity == INCIDENT { (None, Some(held)) } else { (Some(held), None) };
            let error = decide_unlink(&conversation(Status::ACTIVE, customer, case), named).unwrap_err();
            assert_eq!(error.code(), Code::NotLinked);
            assert_eq!(error.details().current, Some(Some(CurrentRecord::from(held))));
        }
    }

    #[test]
    fn row_8_an_empty_slot_can_be_linked_but_not_unlinked() {
        let empty = conversation(Status::ACTIVE, None, None);
        let decision = link(&empty, record(INCIDENT, 1)).unwrap();
        assert_eq!((decision.slot, decision.before), (Slot::Case, None));
        let error = decide_unlink(&empty, record(INCIDENT, 1)).unwrap_err();
        assert_eq!((error.code(), error.details().current.clone()), (Code::NotLinked, Some(None)));
    }

    #[test]
    fn another_record_is_replaced_kept_or_an_error() {
        let (old, new) = (record(ACCOUNT, 1), record(CONTACT, 2));
        let held = conversation(Status::ACTIVE, Some(old), None);
        let decide = |conversation: &Conversation, if_linked| {
            decide_link(conversation, new, &LinkPolicy { if_linked, ..LinkPolicy::default() })
        };
        assert_eq!(decide(&held, IfLinked::Replace).unwrap().after, Some(new));
        let kept = decide(&held, IfLinked::Keep).unwrap();
        assert_eq!((kept.before, kept.after, kept.writes()), (Some(old), Some(old), false));
        let rejected = decide(&held, IfLinked::Reject).unwrap_err();
        assert_eq!((rejected.code(), rejected.details().current.clone()), (Code::Occupied, Some(Some(old.into()))));
        for if_linked in [IfLinked::Keep, IfLinked::Reject] {
            assert_eq!(decide(&conversation(Status::ACTIVE, None, None), if_linked).unwrap().after, Some(new));
            let same = decide(&conversation(Status::ACTIVE, Some(new), None), if_linked).unwrap();
            assert_eq!((same.after, same.writes()), (Some(new), false));
        }
    }

    #[test]
    fn the_slot_must_hold_exactly_the_expected_record() {
        let (old, new) = (record(ACCOUNT, 1), record(ACCOUNT, 2));
        for (holds, expected, fits) in [
            (None, None, true),
            (Some(old), Some(old), true),
            (Some(old), None, false),
            (None, Some(old), false),
            (Some(record(CONTACT, 1)), Some(old), false),
            (Some(new), Some(old), false),
        ] {
            let policy = LinkPolicy { expected: Some(expected), ..LinkPolicy::default() };
            let decision = decide_link(&conversation(Status::ACTIVE, holds, None), new, &policy);
            match decision {
                Ok(decision) => assert!(fits && decision.after == Some(new)),
                Err(error) => {
                    assert!(!fits && !error.is_retryable());
                    assert_eq!(
                        (error.code(), error.details().current.clone()),
                        (Code::Conflict, Some(holds.map(Into::into)))
                    );
                }
            }
        }
    }

    #[test]
    fn a_record_of_the_other_slot_cannot_be_expected() {
        let decide = |record, expected| Decide::Link(record, LinkPolicy { expected, ..LinkPolicy::default() });
        let (account, contact, incident) = (record(ACCOUNT, 1), record(CONTACT, 1), record(INCIDENT, 1));
        for expected in [None, Some(None), Some(Some(account)), Some(Some(contact))] {
            assert!(decide(contact, expected).ensure_possible().is_ok());
        }
        for (record, expected) in [(contact, incident), (incident, account)] {
            let rejected = decide(record, Some(Some(expected))).ensure_possible().unwrap_err();
            assert_eq!(rejected.code(), Code::InvalidArgument);
        }
    }

    #[test]
    fn the_slots_are_independent() {
        let (customer, case) = (record(ACCOUNT, 1), record(INCIDENT, 1));
        let both = conversation(Status::ACTIVE, Some(customer), Some(case));
        assert_eq!(link(&both, record(CONTACT, 2)).unwrap().slot, Slot::Customer);
        assert_eq!(decide_unlink(&both, case).unwrap().slot, Slot::Case);
    }
}
