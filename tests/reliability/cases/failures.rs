//! Servers and gateways that fail.

use serde_json::json;

use super::{Case, Group, with_reads, with_writes};

pub(super) fn group() -> Group {
    let faults = [
        ("500", json!({ "kind": "status", "status": 500, "code": "0x80044150", "message": "Generic SQL error." })),
        ("502 with a web page", json!({ "kind": "status", "status": 502, "body": "html" })),
        ("503", json!({ "kind": "status", "status": 503, "body": "empty" })),
        ("504", json!({ "kind": "status", "status": 504, "body": "empty" })),
    ];
    let cases: Vec<Case> = faults
        .iter()
        .flat_map(|(name, fault)| with_reads(name, fault).into_iter().chain(with_writes(name, fault)))
        .collect();
    Group {
        title: "Server failures",
        about: "A 5xx response does not show whether a write was stored, so the client reads the row.",
        cases,
    }
}
