//! Links accounts, contacts and cases to Omnichannel conversations, in Dataverse or in an embedded SQLite file.
//!
//! `domain` decides what a link changes, `dataverse` and `embedded` apply it atomically, and `node` converts between Rust and JavaScript. See
//! ARCHITECTURE.md.

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

/// Allocator of the Rust code. Node and SQLite keep the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
