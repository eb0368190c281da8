//! What a link or an unlink would change, computed from the conversation alone. Rows 4 to 8 of the table in the README.

use super::{
    conversation::{Conversation, Slot, Status},
    ids::{ConversationId, RecordReference},
};
use crate::error::{Code, LinkError};

/// Which conversations a link may be made in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkPolicy {
    /// Statuses that can be linked besides active.
    pub linkable_statuses: Vec<Status>,
}

/// The change of one slot. It writes exactly if `before` and `after` differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The slot.
    pub slot: Slot,
    /// What it holds now.
    pub before: Option<RecordReference>,
    /// What it shall hold.
    pub after: Option<RecordReference>,
}

impl Decision {
    /// Whether there is anything to write.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.before != self.after
    }
}

/// A decision not yet taken: a value rather than a closure, so that a store can queue it, take it again on a newer row,
/// and show it in a test's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decide {
    /// Put the record into its slot, whatever that holds.
    Link(RecordReference, LinkPolicy),
    /// Empty the slot, if it holds this record.
    Unlink(RecordReference),
}

impl Decide {
    /// Takes the decision on a row.
    pub fn on(&self, conversation: &Conversation) -> Result<Decision, LinkError> {
        match self {
            Self::Link(record, policy) => decide_link(conversation, *record, policy),
            Self::Unlink(record) => decide_unlink(conversation, *record),
        }
    }

    /// The record that is to be linked or unlinked.
    #[must_use]
    pub fn record(&self) -> RecordReference {
        match self {
            Self::Link(record, _) | Self::Unlink(record) => *record,
        }
    }
}

/// A new link overrides the old one; only active conversations can be linked.
///
/// # Errors
/// [`Code::ConversationNotActive`].
pub fn decide_link(
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
        .hint("Name further statuses in `linkableStatuses` if your process links in them.")
        .with(|details| details.conversation_status = Some(status.code())));
    }
    let slot = record.entity.slot();
    Ok(Decision { slot, before: conversation.linked(slot), after: Some(record) })
}

/// Removes exactly the record named, in every status.
///
/// # Errors
/// [`Code::NotLinked`], with what is linked instead.
pub fn decide_unlink(conversation: &Conversation, record: RecordReference) -> Result<Decision, LinkError> {
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

/// The answer for a conversation that the store does not have, worded alike by every store.
#[must_use]
pub fn conversation_not_found(id: ConversationId) -> LinkError {
    LinkError::new(Code::ConversationNotFound, format!("Conversation {id} does not exist in this store."))
}

/// The answer for a record that the store does not have, worded alike by every store.
#[must_use]
pub fn record_not_found(record: RecordReference) -> LinkError {
    LinkError::new(Code::RecordNotFound, format!("The {record} does not exist in this store; nothing was changed."))
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
        let policy = LinkPolicy { linkable_statuses: vec![Status::WRAP_UP] };
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
    fn row_6_the_record_that_is_held_is_not_written_again() {
        let held = record(CONTACT, 1);
        let decision = link(&conversation(Status::ACTIVE, Some(held), None), held).unwrap();
        assert!(!decision.writes());
    }

    #[test]
    fn row_6_unlinking_the_record_that_is_held_empties_its_slot() {
        let held = record(CONTACT, 1);
        let decision = decide_unlink(&conversation(Status::ACTIVE, Some(held), None), held).unwrap();
        assert_eq!(decision, Decision { slot: Slot::Customer, before: Some(held), after: None });
        assert!(decision.writes());
    }

    #[test]
    fn row_7_a_new_link_overrides_the_old_one_and_knows_it() {
        let (old, new) = (record(ACCOUNT, 1), record(CONTACT, 2));
        let decision = link(&conversation(Status::ACTIVE, Some(old), None), new).unwrap();
        assert_eq!(decision, Decision { slot: Slot::Customer, before: Some(old), after: Some(new) });
    }

    #[test]
    fn row_7_unlinking_another_record_leaves_the_held_one() {
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
    fn row_8_an_empty_slot_is_linked_or_refused() {
        let empty = conversation(Status::ACTIVE, None, None);
        let decision = link(&empty, record(INCIDENT, 1)).unwrap();
        assert_eq!((decision.slot, decision.before), (Slot::Case, None));
        let error = decide_unlink(&empty, record(INCIDENT, 1)).unwrap_err();
        assert_eq!((error.code(), error.details().current.clone()), (Code::NotLinked, Some(None)));
    }

    #[test]
    fn the_slots_are_independent() {
        let (customer, case) = (record(ACCOUNT, 1), record(INCIDENT, 1));
        let both = conversation(Status::ACTIVE, Some(customer), Some(case));
        assert_eq!(link(&both, record(CONTACT, 2)).unwrap().slot, Slot::Customer);
        assert_eq!(decide_unlink(&both, case).unwrap().slot, Slot::Case);
    }
}
