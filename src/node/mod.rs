//! The only code that knows Node: parse, call, settle. No business rule lives here.

#![expect(unreachable_pub, reason = "what napi exports must be pub, and is reached by JavaScript alone")]

mod arguments;
mod cancellation;
mod client;
mod credential;
mod error;
mod options;
mod outcome;
mod promise;
mod runtime;

use napi_derive::napi;

/// `release`, or `debug` for a build that is many times slower: whoever measures should look.
#[napi]
pub const BUILD_PROFILE: &str = if cfg!(debug_assertions) { "debug" } else { "release" };
