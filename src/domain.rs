//! Links, and when they may be made. Pure: no I/O, no JSON, no Node.

mod call;
mod conversation;
mod decision;
mod ids;
mod listing;
mod outcome;
mod query;
mod report;
mod service;
mod store;

pub use call::{Call, CallOptions, Traceparent};
pub use conversation::{Conversation, Slot, Status};
pub use decision::{Decide, Decision, IfLinked, LinkPolicy, conversation_not_found, record_not_found};
pub use ids::{
    AgentId, CallerId, ConversationId, EntityLogicalName, MalformedGuid, RecordId, RecordReference, RequestId,
};
pub use listing::Listing;
pub use outcome::{ExpectedLink, LinkOutcome, LinkStatus, UnlinkOutcome};
pub use query::{
    ConversationDetails, ConversationPage, ConversationQuery, KeyValue, NamedRecord, Order, Property, RecordKey,
    distinct_statuses,
};
pub use report::{Check, CheckKind, CheckOutcome, CheckResult, Report, ReportBuilder};
pub use service::LinkService;
pub use store::{LinkStore, StoreFuture};
