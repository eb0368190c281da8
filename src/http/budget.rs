//! Can we afford another attempt? Retries draw on what successes pay in, so that an outage never multiplies traffic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What one client may spend on attempts after the first.
pub struct RetryBudget(Mutex<u32>);

impl RetryBudget {
    const FULL: u32 = 500;
    /// Another attempt after a failure.
    pub(super) const FAILED: u32 = 10;
    /// After a 429, which cost the server next to nothing.
    pub(super) const THROTTLED: u32 = 5;

    /// Pays for another attempt after a failure, if there is enough left.
    #[must_use]
    pub fn affords_another(&self) -> bool {
        self.spend(Self::FAILED)
    }

    pub(super) fn spend(&self, price: u32) -> bool {
        let mut left = self.lock();
        let enough = *left >= price;
        if enough {
            *left -= price;
        }
        enough
    }

    /// A request succeeded.
    pub(super) fn refund(&self) {
        let mut left = self.lock();
        *left = (*left + 1).min(Self::FULL);
    }

    fn lock(&self) -> MutexGuard<'_, u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self(Mutex::new(Self::FULL))
    }
}
