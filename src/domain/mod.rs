//! What a link is and when it may be made. Pure: no I/O, no JSON, no Node.

pub mod conversation;
pub mod decision;
pub mod ids;
pub mod service;
pub mod store;

pub use conversation::{Conversation, Slot, Status};
pub use decision::{Decide, Decision, LinkPolicy};
pub use ids::{ConversationId, EntityLogicalName, RecordId, RecordReference};
pub use service::{CallOptions, LinkOutcome, LinkService, LinkStatus, UnlinkOutcome};
pub use store::{Call, LinkStore, StoreFuture, StoreName};
