//! One test per documented rule, over a real socket.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not test functions, and clippy allows it only in those")]

mod actions;
mod batch;
mod change_tracking;
mod client;
mod conditions;
mod conversation;
mod conversation_columns;
mod create;
mod definitions;
mod delete;
mod entra;
mod expand;
mod facts;
mod fault_rules;
mod faults;
mod fetchxml;
mod keys;
mod metadata;
mod organisation;
mod program;
mod protocol;
mod query;
mod query_functions;
mod read;
mod reference;
mod seed;
mod service;
mod slow;
mod state;
mod tls;
mod update;
mod webhooks;
mod wire;
