//! The state that requests read and change.

use crate::{
    authority::token::Tokens,
    conditions::{Conditions, Throttle},
    faults::Plan,
    log::Log,
    organisation::Organisation,
    webhooks::Webhook,
};

#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) organisation: Organisation,
    /// The rows that a reset restores.
    pub(crate) seed: Organisation,
    pub(crate) log: Log,
    pub(crate) plan: Plan,
    pub(crate) conditions: Conditions,
    pub(crate) throttle: Throttle,
    pub(crate) tokens: Tokens,
    pub(crate) webhooks: Vec<Webhook>,
    /// The clock. It only moves when a test advances it.
    pub(crate) now_in_ms: u64,
}

impl Contents {
    /// Time in milliseconds since 1970: that of the conditions or of the machine, moved by the clock.
    pub(crate) fn time_in_ms(&self) -> u64 {
        let machine = || {
            let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
            u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
        };
        self.conditions.date_in_ms.unwrap_or_else(machine).saturating_add(self.now_in_ms)
    }
}
