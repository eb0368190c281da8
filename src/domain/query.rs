//! Reading: a conversation with what people want to see of it, and which conversations are asked for.

use std::time::SystemTime;

use super::{
    conversation::{Conversation, Status},
    ids::{AgentId, EntityLogicalName, RecordId, RecordReference},
};
use crate::error::{Code, LinkError};

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

/// More of them than there are would make a request that no server takes.
const MOST_STATUSES: usize = 100;

/// Each of the statuses once.
///
/// # Errors
/// `INVALID_ARGUMENT` if there are none, which would be no condition, or too many.
pub fn distinct_statuses(given: &[Status]) -> Result<Vec<Status>, LinkError> {
    let mut statuses: Vec<Status> = Vec::new();
    for status in given {
        if !statuses.contains(status) {
            statuses.push(*status);
        }
        if statuses.len() > MOST_STATUSES {
            let message = format!("`options.statuses`: expected {MOST_STATUSES} different ones at the most.");
            return Err(LinkError::new(Code::InvalidArgument, message));
        }
    }
    if statuses.is_empty() {
        let message = "`options.statuses`: expected at least one; leave it out for every status.";
        return Err(LinkError::new(Code::InvalidArgument, message));
    }
    Ok(statuses)
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

/// Columns by which a record is looked for, such as an alternate key. All must fit; upper and lower case are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordKey {
    /// The table.
    pub entity: EntityLogicalName,
    /// Logical names of columns, checked to be such, and what they must hold. At least one.
    pub columns: Vec<(String, KeyValue)>,
}

/// What a column must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValue {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// The record's own id, or that of a record it leads to.
    Id(RecordId),
}

/// A record, with its name if the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRecord {
    /// Which one.
    pub record: RecordReference,
    /// The account's or contact's name or the case's title.
    pub name: Option<String>,
}

impl RecordKey {
    /// As many are looked for as it takes to see that it is not one, and to name some.
    pub const MOST: usize = 10;

    /// The one that was found.
    ///
    /// # Errors
    /// `RECORD_NOT_FOUND`, or `AMBIGUOUS` with candidates.
    pub fn only(&self, mut found: Vec<NamedRecord>) -> Result<NamedRecord, LinkError> {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        let key = names.join(" and ");
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(LinkError::new(
                Code::RecordNotFound,
                format!("No {} with this {key} exists in this store.", self.entity),
            )),
            count => {
                let many = if count > Self::MOST { format!("More than {}", Self::MOST) } else { count.to_string() };
                found.truncate(Self::MOST);
                Err(LinkError::new(Code::Ambiguous, format!("{many} {}s have this {key}.", self.entity))
                    .hint("Choose one of `candidates`, or name more columns.")
                    .with(|details| {
                        details.candidates = found.into_iter().map(|named| (named.record.into(), named.name)).collect();
                    }))
            }
        }
    }
}
