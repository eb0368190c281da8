//! What a link is and when it may be made. Pure: no I/O, no JSON, no Node.

pub mod call;
pub mod conversation;
pub mod decision;
pub mod ids;
pub mod listing;
pub mod outcome;
pub mod query;
pub mod report;
pub mod service;
pub mod store;

pub use call::{Call, CallOptions, Traceparent};
pub use conversation::{Conversation, Slot, Status};
pub use decision::{Decide, Decision, IfLinked, LinkPolicy};
pub use ids::{
    AgentId, CallerId, ConversationId, EntityLogicalName, MalformedGuid, RecordId, RecordReference, RequestId,
};
pub use listing::Listing;
pub use outcome::{Claim, LinkOutcome, LinkStatus, UnlinkOutcome};
pub use query::{
    ConversationDetails, ConversationPage, ConversationQuery, KeyValue, NamedRecord, Order, Property, RecordKey,
};
pub use report::{Check, CheckKind, CheckOutcome, CheckResult, Report, ReportBuilder};
pub use service::LinkService;
pub use store::{LinkStore, StoreFuture, StoreName};
