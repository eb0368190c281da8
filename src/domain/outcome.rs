//! What a call that succeeded did.

use super::{
    conversation::Conversation,
    ids::{ConversationId, RecordReference, RequestId},
    store::StoreName,
};

/// What a link did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkStatus {
    /// The slot was empty.
    Linked,
    /// The slot held another record.
    Replaced,
    /// The slot held this record; or it holds it after a lost response, and nothing tells whether by this call.
    AlreadyLinked,
    /// The slot holds another record, which the policy keeps.
    Kept,
}

impl LinkStatus {
    /// The word that JavaScript sees.
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
    /// What happened.
    pub status: LinkStatus,
    /// Where.
    pub conversation_id: ConversationId,
    /// What is linked now; or, if another one was kept, what was to be linked.
    pub record: RecordReference,
    /// What it replaced.
    pub previous: Option<RecordReference>,
    /// What was kept.
    pub current: Option<RecordReference>,
    /// Who confirmed it.
    pub store: StoreName,
    /// The id this client gave the call.
    pub request_id: RequestId,
    /// Whether nothing was written, as was asked for.
    pub dry_run: bool,
}

/// An unlink that the store confirmed after the call began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlinkOutcome {
    /// Where.
    pub conversation_id: ConversationId,
    /// What is no longer linked.
    pub record: RecordReference,
    /// Who confirmed it.
    pub store: StoreName,
    /// The id this client gave the call.
    pub request_id: RequestId,
    /// Whether nothing was written, as was asked for.
    pub dry_run: bool,
}

/// What an outcome says of a slot, to be held against the conversation later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Where.
    pub conversation_id: ConversationId,
    /// What was linked, kept or unlinked.
    pub record: RecordReference,
    /// Whether the slot holds it.
    pub is_linked: bool,
}

impl Claim {
    /// Whether it is still so.
    #[must_use]
    pub fn stands(&self, conversation: &Conversation) -> bool {
        let is_linked = conversation.linked(self.record.entity.slot()) == Some(self.record);
        is_linked == self.is_linked
    }
}
