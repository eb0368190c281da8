//! Reading: conversations with their details, and queries for conversations and records.

use std::time::SystemTime;

use super::{
    conversation::{Conversation, Status},
    ids::{AgentId, EntityLogicalName, RecordId, RecordReference},
};
use crate::error::{Code, LinkError};

/// A conversation, with columns for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationDetails {
    /// The part that decisions are based on.
    pub conversation: Conversation,
    pub subject: Option<String>,
    pub created_on: Option<SystemTime>,
    /// The system user who handles it, or who handled it last.
    pub agent: Option<AgentId>,
    pub customer_name: Option<String>,
    pub case_name: Option<String>,
}

/// Selects and orders conversations. All given conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationQuery {
    pub linked: Option<RecordReference>,
    /// Handled by this user, or handled last.
    pub agent: Option<AgentId>,
    /// In one of these statuses; in any status if empty.
    pub statuses: Vec<Status>,
    pub created_until: Option<SystemTime>,
    /// Order of the list. Ties are broken by id.
    pub order: Vec<Order>,
    pub page_size: u32,
}

/// Most statuses of a query. Far more than exist, and few enough for a URL that servers accept.
const MAX_STATUSES: usize = 100;

/// The statuses without repetitions.
///
/// # Errors
/// `INVALID_ARGUMENT` if there are none, because an empty list would select every status, or too many.
pub fn distinct_statuses(given: &[Status]) -> Result<Vec<Status>, LinkError> {
    let mut statuses: Vec<Status> = Vec::new();
    for status in given {
        if !statuses.contains(status) {
            statuses.push(*status);
        }
        if statuses.len() > MAX_STATUSES {
            let why = format!("expected at most {MAX_STATUSES} different statuses");
            return Err(LinkError::invalid_argument("options.statuses", why));
        }
    }
    if statuses.is_empty() {
        let why = "expected at least one status; omit the option for all statuses";
        return Err(LinkError::invalid_argument("options.statuses", why));
    }
    Ok(statuses)
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub by: Property,
    /// Whether the greatest value comes first.
    pub descending: bool,
}

/// Properties that conversations can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    CreatedOn,
    Status,
    Subject,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationPage {
    /// In the order of the query.
    pub conversations: Vec<ConversationDetails>,
    /// Continuation token of the next page. `None` for the last page.
    pub next: Option<String>,
}

/// Columns that identify a record, such as an alternate key. All must match; strings are compared case-insensitively.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordKey {
    pub entity: EntityLogicalName,
    /// Validated logical names of columns, with the required values. At least one.
    pub columns: Vec<(String, KeyValue)>,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValue {
    Text(String),
    Number(i64),
    Flag(bool),
    /// The record's own id, or the id in a lookup.
    Id(RecordId),
}

/// A record, with its name if the store has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRecord {
    pub record: RecordReference,
    /// Name of the account or contact, or title of the case.
    pub name: Option<String>,
}

impl RecordKey {
    /// Most candidates that an `AMBIGUOUS` error lists.
    pub const MAX_CANDIDATES: usize = 10;

    /// The only record that was found.
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
                let many = if count > Self::MAX_CANDIDATES {
                    format!("More than {}", Self::MAX_CANDIDATES)
                } else {
                    count.to_string()
                };
                found.truncate(Self::MAX_CANDIDATES);
                Err(LinkError::new(Code::Ambiguous, format!("{many} {}s have this {key}.", self.entity))
                    .hint("Choose one of `candidates`, or name more columns.")
                    .with(|details| {
                        details.candidates = found.into_iter().map(|named| (named.record.into(), named.name)).collect();
                    }))
            }
        }
    }
}
