//! Reports as JavaScript sees them. types/diagnose.d.ts documents them.

use napi_derive::napi;

use crate::domain::{Check, CheckOutcome, Report};

/// `DoctorReport`
#[napi(object, object_from_js = false)]
pub struct DoctorReportObject {
    pub store: &'static str,
    pub target: String,
    pub healthy: bool,
    pub checks: Vec<DoctorCheckObject>,
}

/// `DoctorCheck`
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct DoctorCheckObject {
    pub name: &'static str,
    pub status: &'static str,
    pub found: String,
    pub meaning: &'static str,
    pub fix: Option<String>,
    pub code: Option<&'static str>,
    pub duration_in_ms: f64,
}

impl From<Report> for DoctorReportObject {
    fn from(report: Report) -> Self {
        let healthy = report.is_healthy();
        let checks = report.checks.into_iter().map(Into::into).collect();
        Self { store: report.store.as_str(), target: report.target, healthy, checks }
    }
}

impl From<Check> for DoctorCheckObject {
    fn from(check: Check) -> Self {
        let (fix, code) = match &check.outcome {
            CheckOutcome::Failed { fix, code, .. } => (Some(fix.clone()), Some(code.as_str())),
            _ => (None, None),
        };
        Self {
            name: check.name,
            status: check.status(),
            found: check.found().to_owned(),
            meaning: check.meaning,
            fix,
            code,
            duration_in_ms: check.duration.as_secs_f64() * 1e3,
        }
    }
}
