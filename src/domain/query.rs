//! Reading: a conversation with what people want to see of it, and which conversations are asked for.

use std::time::SystemTime;

use super::{
    conversation::{Conversation, Status},
    ids::{AgentId, RecordReference},
};

/// A conversation, with what no decision rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationDetails {
    /// What decisions rest on.
    pub conversation: Conversation,
    /// Its title.
    pub subject: Option<String>,
    /// When it was created.
    pub created_on: Option<SystemTime>,
    /// The system user who serves it or did last.
    pub agent: Option<AgentId>,
    /// The name of the account or contact that is linked.
    pub customer_name: Option<String>,
    /// The title of the case that is linked.
    pub case_name: Option<String>,
}

/// Which conversations, in which order. All that is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationQuery {
    /// Linked to this record.
    pub linked: Option<RecordReference>,
    /// Served by this user, or by them last.
    pub agent: Option<AgentId>,
    /// In one of these; in any if there are none.
    pub statuses: Vec<Status>,
    /// Created then or before.
    pub created_until: Option<SystemTime>,
    /// By what they are ordered. Ties are broken by id.
    pub order: Vec<Order>,
    /// At most so many in one page.
    pub page_size: u32,
}

/// One part of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: Property,
    /// The greatest first.
    pub descending: bool,
}

/// What conversations can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// When they were created.
    CreatedOn,
    /// Their status, by number.
    Status,
    /// Their title.
    Subject,
}

/// Some of the conversations asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationPage {
    /// In order.
    pub conversations: Vec<ConversationDetails>,
    /// What to ask for the next ones with: the store's own word. `None` for the last page.
    pub next: Option<String>,
}
