//! Options of calls and clients, and the process environment.

pub(super) mod call;
pub(super) mod client;
pub(super) mod credential;
pub(super) mod network;
mod numbers;
pub(super) mod process_env;
