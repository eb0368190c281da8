//! Random faults that are reproducible by their seed.

use serde::Deserialize;
use serde_json::Value;

use super::rule::{Fault, FaultError, On, RequestView, parse};

/// The plan of random faults. The fault of a request depends only on the seed and on its number since the plan was set.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Random {
    seed: u64,
    /// From 0 (never) to 1 (always).
    rate: f64,
    #[serde(default)]
    on: On,
    faults: Vec<Fault>,
    /// Number of matching requests so far.
    #[serde(skip)]
    seen: u64,
}

impl Random {
    pub(crate) fn parse(value: Value) -> Result<Self, FaultError> {
        let random: Self = parse("random faults", value)?;
        random.on.check()?;
        for fault in &random.faults {
            fault.check()?;
        }
        if !(0.0..=1.0).contains(&random.rate) {
            return Err(FaultError(format!("`rate` must be from 0 to 1, not {}", random.rate)));
        }
        if random.faults.is_empty() {
            return Err(FaultError("`faults` is empty".to_owned()));
        }
        Ok(random)
    }

    pub(crate) fn next(&mut self, view: &RequestView<'_>) -> Option<Fault> {
        if !self.on.fits(view) {
            return None;
        }
        self.seen += 1;
        if !self.on.counts(self.seen) {
            return None;
        }
        let chance = mix(self.seed ^ mix(self.seen));
        // 32 bits are exact in an f64 and precise enough for a rate.
        let share = f64::from(u32::try_from(chance >> 32).unwrap_or(u32::MAX)) / (f64::from(u32::MAX) + 1.0);
        if share >= self.rate {
            return None;
        }
        let index = usize::try_from(mix(chance)).unwrap_or_default() % self.faults.len();
        Some(self.faults[index].clone()).filter(|fault| fault.applies_to(view))
    }
}

/// One step of `SplitMix64`.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
