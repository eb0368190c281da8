//! The API for tests: injected faults and the clock.

pub(crate) mod http;

use std::time::Duration;

use serde_json::Value;

use crate::{
    api::functions::check_conditions,
    conditions::Conditions,
    faults::{self, FaultError},
    state::{Release, Shared},
    webhooks::Webhook,
};

/// The faults of one emulator. Rules, random plans and conditions are JSON, in the form documented in `emulator/index.d.ts`.
#[derive(Clone, Copy, Debug)]
pub struct Faults<'a>(pub(crate) &'a Shared);

impl Faults<'_> {
    /// Appends a rule, or an array of rules. Each request takes the first rule that applies to it. After an error, which names the field,
    /// none is added.
    ///
    /// ```
    /// # async fn example(emulator: omnichannel_link_emulator::Emulator) -> Result<(), Box<dyn std::error::Error>> {
    /// emulator.faults().add(serde_json::json!([
    ///     { "on": { "method": "PATCH" }, "fault": { "kind": "drop", "commit": true } },
    ///     { "times": 2, "fault": { "kind": "throttle", "limit": "requests", "retryAfterInSeconds": 5 } },
    /// ]))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn add(&self, rules: impl Into<Value>) -> Result<(), FaultError> {
        self.0.lock().plan.add(rules.into())
    }

    /// Injects random faults into requests that no rule takes: `{ seed, rate, faults, on? }`. The fault of the nth request since this call
    /// depends only on the seed and on n. Another call replaces the plan.
    pub fn random(&self, plan: impl Into<Value>) -> Result<(), FaultError> {
        self.0.lock().plan.set_random(plan.into())
    }

    /// Sets the conditions of all requests: limits, switches, lifetimes. Missing fields get their defaults, so `{}` restores a healthy
    /// service.
    pub fn conditions(&self, conditions: impl Into<Value>) -> Result<(), FaultError> {
        let mut conditions: Conditions = faults::parse("conditions", conditions.into())?;
        let mut contents = self.0.lock();
        check_conditions(contents.organisation.definitions(), &mut conditions).map_err(FaultError)?;
        contents.conditions = conditions;
        contents.throttle = crate::conditions::Throttle::default();
        Ok(())
    }

    /// Removes rules, random faults and conditions, and releases requests that hang. Log, rows, tokens and clock stay.
    pub fn clear(&self) {
        let mut contents = self.0.lock();
        contents.plan = faults::Plan::default();
        contents.conditions = Conditions::default();
        contents.throttle = crate::conditions::Throttle::default();
        drop(contents);
        self.release();
    }

    /// Number of rules that are not used up.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.lock().plan.waiting()
    }

    /// Waits until at least `count` requests hang; with 0, until none does.
    pub async fn hanging(&self, count: usize) {
        self.0.gate.until_hanging(count).await;
    }

    /// Releases the requests that hang now: they are executed if they were not yet, and get their responses.
    pub fn release(&self) {
        self.0.gate.open(Release::Continue);
    }

    /// Invalidates all tokens of the token endpoint.
    pub fn revoke_tokens(&self) {
        self.0.lock().tokens.revoke();
    }
}

/// The webhooks of one emulator. They are JSON, in the form documented in `emulator/index.d.ts`.
#[derive(Clone, Copy, Debug)]
pub struct Webhooks<'a>(pub(crate) &'a Shared);

impl Webhooks<'_> {
    /// Replaces the webhooks. They are told of changes from now on.
    pub fn set(&self, webhooks: impl Into<Value>) -> Result<(), FaultError> {
        let webhooks: Vec<Webhook> = faults::parse("webhooks", webhooks.into())?;
        let mut contents = self.0.lock();
        for webhook in &webhooks {
            webhook.check(contents.organisation.definitions()).map_err(FaultError)?;
        }
        contents.organisation.record_changes(!webhooks.is_empty());
        contents.webhooks = webhooks;
        Ok(())
    }

    /// Waits until every change so far was delivered or failed, and returns the newest 1,000 results, oldest first.
    pub async fn deliveries(&self) -> Value {
        self.0.deliveries.settled().await;
        serde_json::to_value(self.0.deliveries.results()).unwrap_or_default()
    }
}

/// The clock of one emulator. It starts at 0 and moves only when a test advances it.
#[derive(Clone, Copy, Debug)]
pub struct Clock<'a>(pub(crate) &'a Shared);

impl Clock<'_> {
    /// The time since the start, or since the last reset.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_millis(self.0.lock().now_in_ms)
    }

    /// Moves the clock forward, by whole milliseconds.
    pub fn advance(&self, by: Duration) {
        let mut contents = self.0.lock();
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        contents.now_in_ms = contents.now_in_ms.saturating_add(by);
    }
}
