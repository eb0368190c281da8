//! The only code that knows Node: it parses arguments, starts calls and settles promises. No business rule lives here.

#![cfg_attr(test, allow(dead_code, reason = "napi registers no exports in tests"))]
#![expect(unreachable_pub, reason = "napi exports must be pub, and only JavaScript reaches them")]

mod bulk;
mod calls;
mod client;
mod error;
mod functions;
mod input;
mod log;
mod object;
mod observer;
mod options;
mod outcome;
mod output;
mod panics;
mod promise;
mod runtime;
mod settling;
