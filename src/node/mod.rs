//! The only code that knows Node: parse, call, settle. No business rule lives here.

#![expect(unreachable_pub, reason = "what napi exports must be pub, and is reached by JavaScript alone")]

mod arguments;
mod cancellation;
mod client;
mod configuration;
mod conversations;
mod credential;
mod doctor;
mod error;
mod log;
mod network;
mod numbers;
mod object;
mod observer;
mod options;
mod outcome;
mod panics;
mod promise;
mod reading;
mod runtime;
mod verification;
