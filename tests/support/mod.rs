//! Shared by the suites: ids, a clock, files, HTTP doubles.
#![allow(dead_code, reason = "each suite uses a part of it")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

pub(crate) mod clock;
pub(crate) mod files;
pub(crate) mod http;

use omnichannel_link::domain::{ConversationId, EntityLogicalName, RecordReference};

/// The conversation of the documentation's example.
pub(crate) const CONVERSATION: &str = "b7397aae-ecf8-43a6-aeb0-07d294efb494";
/// A conversation that does not exist.
pub(crate) const NOWHERE: &str = "00000000-0000-4000-8000-00000000dead";

pub(crate) fn conversation(id: &str) -> ConversationId {
    id.parse().expect("a conversation id")
}

pub(crate) fn account(number: u8) -> RecordReference {
    RecordReference { entity: EntityLogicalName::Account, id: [number; 16].into() }
}

pub(crate) fn contact(number: u8) -> RecordReference {
    RecordReference { entity: EntityLogicalName::Contact, id: [number; 16].into() }
}

pub(crate) fn incident(number: u8) -> RecordReference {
    RecordReference { entity: EntityLogicalName::Incident, id: [number; 16].into() }
}
