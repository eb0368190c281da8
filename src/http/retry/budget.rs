//! Limits retries after errors, so that an outage does not multiply traffic. Each retry takes tokens, and a success returns them: the
//! retry quota of the AWS SDKs' standard mode, with its numbers of November 2026. A throttled request costs nothing, because the pause
//! already limits the traffic.

use std::sync::Mutex;

use crate::sync::lock;

pub struct RetryBudget(Mutex<u32>);

impl RetryBudget {
    const FULL: u32 = 500;
    /// Price of a retry, and the refund if it succeeds.
    const RETRY: u32 = 14;
    /// Refund for a request that succeeds at its first attempt.
    const FIRST_ATTEMPT: u32 = 1;

    /// Pays for a retry. `false` if not enough tokens are left.
    #[must_use]
    pub fn affords_retry(&self) -> bool {
        let mut left = lock(&self.0);
        let rest = left.checked_sub(Self::RETRY);
        if let Some(rest) = rest {
            *left = rest;
        }
        rest.is_some()
    }

    /// Returns tokens for a request that succeeded. `was_paid`: this budget paid for its last attempt.
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
