//! Limits retries after failures, so that an outage does not multiply traffic. Each retry takes tokens, and success gives them back:
//! the retry quota of the AWS SDKs' standard mode, with its numbers of November 2026. A refusal that asks for a pause costs nothing,
//! because the pause already limits what is sent.

use std::sync::Mutex;

use crate::sync::lock;

/// The retries that one client can afford.
pub struct RetryBudget(Mutex<u32>);

impl RetryBudget {
    const FULL: u32 = 500;
    /// The price of a retry, and what its success gives back.
    const RETRY: u32 = 14;
    /// What a request gives back that succeeds at its first attempt.
    const FIRST_ATTEMPT: u32 = 1;

    /// Pays for a retry, if there is enough left.
    #[must_use]
    pub fn affords_retry(&self) -> bool {
        let mut left = lock(&self.0);
        let rest = left.checked_sub(Self::RETRY);
        if let Some(rest) = rest {
            *left = rest;
        }
        rest.is_some()
    }

    /// A request succeeded, after this budget had paid for its last attempt or without that.
    pub(super) fn succeeded(&self, was_paid: bool) {
        let mut left = lock(&self.0);
        let refund = if was_paid { Self::RETRY } else { Self::FIRST_ATTEMPT };
        *left = (*left + refund).min(Self::FULL);
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self(Mutex::new(Self::FULL))
    }
}
