//! One test per documented rule, over a real socket.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not test functions, and clippy allows it only in those")]

mod actions;
mod batch;
mod change_tracking;
mod client;
mod columns;
mod conditions;
mod console;
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
mod headers;
mod impersonation;
mod injected;
mod keys;
mod metadata;
mod organisation;
mod program;
mod protocol;
mod query;
mod query_functions;
mod read;
mod reading;
mod reference;
mod seed;
mod seed_tables;
mod service;
mod slow;
mod state;
mod tls;
mod update;
mod webhooks;
mod wire;
