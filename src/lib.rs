//! Links accounts, contacts and cases to Omnichannel conversations, in Dataverse or in an embedded SQLite file.
//!
//! The domain decides, the store makes it atomic, node only converts. ARCHITECTURE.md is the map.

pub mod clock;
pub mod dataverse;
pub mod domain;
pub mod embedded;
pub mod error;
pub mod http;
pub mod json;
mod node;
pub mod progress;
pub mod session;
mod sync;
