//! One test per documented rule, over a real socket.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not test functions, and clippy allows it only in those")]

mod client;
mod conditions;
mod entra;
mod fault_rules;
mod faults;
mod keys;
mod metadata;
mod organisation;
mod program;
mod protocol;
mod query;
mod read;
mod reference;
mod seed;
mod service;
mod tls;
mod update;
mod wire;
