//! Decides which request gets which fault.

use serde_json::Value;

use super::{
    random::Random,
    rule::{Fault, FaultError, RequestView, Rule, Times, parse},
};

/// All pending faults.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    rules: Vec<Active>,
    random: Option<Random>,
}

#[derive(Debug)]
struct Active {
    rule: Rule,
    /// Number of matching requests so far.
    seen: u64,
    used: u64,
}

impl Active {
    fn is_used_up(&self) -> bool {
        matches!(self.rule.times, Times::Count(times) if self.used >= times)
    }
}

impl Plan {
    /// Appends a rule, or an array of rules. After an error none is added.
    pub(crate) fn add(&mut self, rules: Value) -> Result<(), FaultError> {
        let rules: Vec<Rule> = match rules {
            Value::Array(_) => parse("a fault rule", rules)?,
            one => vec![parse("a fault rule", one)?],
        };
        for rule in &rules {
            rule.on.check()?;
            rule.fault.check()?;
        }
        self.rules.extend(rules.into_iter().map(|rule| Active { rule, seen: 0, used: 0 }));
        Ok(())
    }

    pub(crate) fn set_random(&mut self, random: Value) -> Result<(), FaultError> {
        self.random = Some(Random::parse(random)?);
        Ok(())
    }

    /// Number of rules that are not used up, including those that always apply.
    pub(crate) fn waiting(&self) -> usize {
        self.rules.len()
    }

    /// The fault of this request. The first rule that applies takes the request; later rules do not count it.
    pub(crate) fn next(&mut self, view: &RequestView<'_>) -> Option<Fault> {
        for index in 0..self.rules.len() {
            let active = &mut self.rules[index];
            if !active.rule.on.fits(view) || !active.rule.fault.applies_to(view) {
                continue;
            }
            active.seen += 1;
            if !active.rule.on.counts(active.seen) || active.is_used_up() {
                continue;
            }
            active.used += 1;
            let kind = active.rule.fault.clone();
            if active.is_used_up() {
                self.rules.remove(index);
            }
            return Some(kind);
        }
        self.random.as_mut()?.next(view)
    }
}
