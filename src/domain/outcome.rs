//! Outcomes of links and unlinks.

use super::{
    conversation::Conversation,
    ids::{ConversationId, RecordReference, RequestId},
};
use crate::error::StoreName;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkStatus {
    /// The slot was empty.
    Linked,
    /// The slot held another record.
    Replaced,
    /// The slot held this record already. After a lost response also: the slot holds it, and it is unknown whether this call wrote it.
    AlreadyLinked,
    /// The slot holds another record, which the policy keeps.
    Kept,
}

impl LinkStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Replaced => "replaced",
            Self::AlreadyLinked => "alreadyLinked",
            Self::Kept => "kept",
        }
    }
}

/// A link that the store confirmed after the call began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkOutcome {
    pub status: LinkStatus,
    pub conversation_id: ConversationId,
    /// The record of the call: linked now, unless another one was kept.
    pub record: RecordReference,
    pub previous: Option<RecordReference>,
    pub current: Option<RecordReference>,
    /// The store that confirmed it.
    pub store: StoreName,
    /// The id that this client gave the call.
    pub request_id: RequestId,
    /// Whether it was only decided, and nothing was written.
    pub dry_run: bool,
}

/// An unlink that the store confirmed after the call began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlinkOutcome {
    pub conversation_id: ConversationId,
    pub record: RecordReference,
    pub store: StoreName,
    pub request_id: RequestId,
    pub dry_run: bool,
}

/// Content of a slot according to an earlier outcome, to be compared with the conversation as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedLink {
    pub conversation_id: ConversationId,
    /// The record that was linked, kept or unlinked.
    pub record: RecordReference,
    pub is_linked: bool,
}

impl ExpectedLink {
    /// Whether the slot is still as expected.
    #[must_use]
    pub fn still_holds(&self, conversation: &Conversation) -> bool {
        let is_linked = conversation.linked(self.record.entity.slot()) == Some(self.record);
        is_linked == self.is_linked
    }
}
