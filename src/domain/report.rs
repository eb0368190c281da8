//! A diagnosis of a store: one check for each thing that links depend on.

use std::time::{Duration, Instant};

use crate::{
    clock::SharedClock,
    error::{Code, LinkError, StoreName},
};

/// A check that a store makes. Each is defined beside the code that runs it.
#[derive(Debug)]
pub struct CheckKind {
    /// The `name` in JavaScript.
    pub name: &'static str,
    /// Consequence for links and unlinks if it passed.
    pub if_passed: &'static str,
    /// Consequence for links and unlinks if it failed.
    pub if_failed: &'static str,
}

/// Value that later checks need, with the outcome to report. An error is reported as a failed check.
pub type CheckResult<T> = Result<(T, CheckOutcome), LinkError>;

/// Result of a check. The strings hold no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// Passed, with a description of the result.
    Passed(String),
    /// A link or unlink would fail.
    Failed {
        found: String,
        fix: String,
        /// Code of the error that a link would fail with.
        code: Code,
    },
    /// Not checked, with the reason: an earlier check failed, or the check does not apply here.
    Skipped(String),
}

impl From<LinkError> for CheckOutcome {
    fn from(error: LinkError) -> Self {
        let fix = error.details().hint.clone().unwrap_or_else(|| {
            "If it persists, report `found` to the administrators of the server or of the network.".into()
        });
        Self::Failed { found: error.message().to_owned(), fix, code: error.code() }
    }
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub outcome: CheckOutcome,
    pub meaning: &'static str,
    pub duration: Duration,
}

impl Check {
    /// `passed`, `failed` or `skipped`.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self.outcome {
            CheckOutcome::Passed(_) => "passed",
            CheckOutcome::Failed { .. } => "failed",
            CheckOutcome::Skipped(_) => "skipped",
        }
    }

    /// Description of the result, or why the check was skipped.
    #[must_use]
    pub fn found(&self) -> &str {
        match &self.outcome {
            CheckOutcome::Passed(found) | CheckOutcome::Failed { found, .. } | CheckOutcome::Skipped(found) => found,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub store: StoreName,
    /// The environment's URL, or the file's path.
    pub target: String,
    /// In the order in which they were made.
    pub checks: Vec<Check>,
}

impl Report {
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        !self.checks.iter().any(|check| matches!(check.outcome, CheckOutcome::Failed { .. }))
    }
}

pub struct ReportBuilder {
    clock: SharedClock,
    checks: Vec<Check>,
}

impl ReportBuilder {
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, checks: Vec::new() }
    }

    /// Makes a check and reports it. Returns its value unless it failed.
    pub fn check<T>(&mut self, kind: &CheckKind, check: impl FnOnce() -> CheckResult<T>) -> Option<T> {
        let begun = self.clock.now();
        self.add(kind, begun, check())
    }

    /// The same for a check that waits for something.
    pub async fn check_async<T>(&mut self, kind: &CheckKind, check: impl Future<Output = CheckResult<T>>) -> Option<T> {
        let begun = self.clock.now();
        let result = check.await;
        self.add(kind, begun, result)
    }

    /// Reports that these checks were not made, and why.
    pub fn skip(&mut self, kinds: &[&CheckKind], why: &str) {
        for kind in kinds {
            self.add(kind, self.clock.now(), Ok(((), CheckOutcome::Skipped(why.to_owned()))));
        }
    }

    /// Reports that these checks were not made, because a check that they depend on failed.
    pub fn skip_after(&mut self, failed: &CheckKind, kinds: &[&CheckKind]) {
        self.skip(kinds, &format!("It depends on `{}`, which failed.", failed.name));
    }

    /// The report of all checks so far.
    #[must_use]
    pub fn finish(self, store: StoreName, target: String) -> Report {
        Report { store, target, checks: self.checks }
    }

    fn add<T>(&mut self, kind: &CheckKind, begun: Instant, result: CheckResult<T>) -> Option<T> {
        let (value, outcome) = match result {
            Ok((value, outcome)) => (Some(value), outcome),
            Err(error) => (None, error.into()),
        };
        let meaning = match outcome {
            CheckOutcome::Passed(_) => kind.if_passed,
            CheckOutcome::Failed { .. } => kind.if_failed,
            CheckOutcome::Skipped(_) => "Unknown: this was not checked.",
        };
        let duration = self.clock.now().saturating_duration_since(begun);
        self.checks.push(Check { name: kind.name, outcome, meaning, duration });
        value
    }
}
