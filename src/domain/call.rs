//! One call: its options, and the context that it passes to the store.

use std::{
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::ids::{CallerId, RequestId};
use crate::progress::Progress;

#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// Timeout of the call; the service's default if absent.
    pub timeout: Option<Duration>,
    /// The user to impersonate; the store's default if absent.
    pub caller: Option<CallerId>,
    pub traceparent: Option<Traceparent>,
    /// Whether a link or unlink is only decided, and nothing is written.
    pub dry_run: bool,
}

/// Position in a distributed trace, as W3C Trace Context defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traceparent(String);

/// Error of a string that is not a `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a W3C traceparent such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
pub struct MalformedTraceparent;

impl Traceparent {
    /// Value of the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Traceparent {
    type Err = MalformedTraceparent;

    fn from_str(text: &str) -> Result<Self, MalformedTraceparent> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_field = |field: &str, length| field.len() == length && field.bytes().all(is_hex);
        let is_id = |field: &str, length| is_field(field, length) && field.bytes().any(|byte| byte != b'0');
        match text.split('-').collect::<Vec<_>>()[..] {
            [version, trace, parent, flags]
                if is_field(version, 2)
                    && version != "ff"
                    && is_id(trace, 32)
                    && is_id(parent, 16)
                    && is_field(flags, 2) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(MalformedTraceparent),
        }
    }
}

/// Context of a call, which it passes to the store.
#[derive(Debug)]
pub struct Call {
    request_id: RequestId,
    deadline: Option<Instant>,
    caller: Option<CallerId>,
    traceparent: Option<Traceparent>,
    progress: Arc<Progress>,
}

impl Call {
    /// A call that has not written yet.
    #[must_use]
    pub fn new(request_id: RequestId, deadline: Option<Instant>, options: CallOptions) -> Self {
        let CallOptions { caller, traceparent, .. } = options;
        Self { request_id, deadline, caller, traceparent, progress: Arc::default() }
    }

    /// The id of the call in the logs of client and server.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// End of the call's timeout. The service enforces it; a store uses it only to keep some time in reserve.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The user to impersonate, if the caller named one.
    #[must_use]
    pub fn caller(&self) -> Option<CallerId> {
        self.caller
    }

    #[must_use]
    pub fn traceparent(&self) -> Option<&Traceparent> {
        self.traceparent.as_ref()
    }

    #[must_use]
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_traceparent_is_passed_on() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(valid.parse::<Traceparent>().unwrap().as_str(), valid);
        for invalid in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1\n",
        ] {
            assert_eq!(invalid.parse::<Traceparent>(), Err(MalformedTraceparent), "{invalid}");
        }
    }
}
