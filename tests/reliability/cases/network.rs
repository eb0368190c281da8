//! No connection, a connection that ends, and silence.

use std::time::Duration;

use serde_json::json;

use super::{Case, Group, Way, at, stored, with_reads, with_writes};

pub(super) fn group() -> Group {
    let (reset, hang) = (json!({ "kind": "drop" }), json!({ "kind": "hang" }));
    let in_body = json!({ "kind": "hangInBody" });
    // Hits the response to the first write, and then every read that looks for its result.
    let unseen = |fault: &serde_json::Value| {
        json!([
            { "on": { "method": "PATCH" }, "fault": stored(fault) },
            { "on": { "method": "GET", "nth": 2 }, "times": "always", "fault": fault },
        ])
    };
    let mut cases = vec![
        Case::new("Nothing", "no request", json!([])),
        Case::over("Nothing, over TLS", "no request", Way::Trusted),
        Case::over("Connection refused", "every request", Way::Refused),
        Case::over("Connection refused", "every write", Way::RefusedAtTheWrite),
        Case::over("Name not found (DNS)", "every request", Way::Nameless),
        Case::over("Certificate of an unknown issuer", "every request", Way::Distrusted),
    ];
    cases.extend(with_reads("Connection reset", &reset));
    cases.extend(with_writes("Connection reset", &reset));
    cases.push(Case::new("Connection reset", "the write, stored, and every read after it", unseen(&reset)));
    let rejected = json!({ "kind": "status", "status": 500 });
    let then_reset = json!([
        { "on": { "method": "GET" }, "fault": rejected },
        { "on": { "method": "GET" }, "times": "always", "fault": reset },
    ]);
    cases.push(Case::new("500, and then the connection is reset", "every read", then_reset));
    cases.push(Case::new("No response", "the read", at("GET", &hang)));
    cases.extend(with_writes("No response", &hang));
    cases.push(Case::new("No response", "the write, stored, and every read after it", unseen(&hang)));
    cases.push(Case::new("Silence inside a response", "the read", at("GET", &in_body)));
    cases.push(Case::new("Silence inside a response", "the write, stored", at("PATCH", &in_body)));
    cases.push(Case::over("Write delivered late, right before the second", "the write", Way::Late));
    cases.push(Case::over("Write delivered late, right after the second", "the write", Way::Last));
    let hour = Duration::from_secs(3_600);
    let throttled = json!({ "kind": "throttle", "limit": "requests", "retryAfterInSeconds": hour.as_secs() });
    let forbidden = json!({ "kind": "status", "status": 403, "code": "0x80040220", "message": "No." });
    for (name, fault) in [("throttled for an hour", &throttled), ("rejected (403)", &forbidden)] {
        let fault =
            Case::new(format!("Write delivered late, after the second was {name}"), "the write", at("PATCH", fault));
        cases.push(Case { way: Way::Last, pause: hour, ..fault });
    }
    Group {
        title: "Network",
        about: "No connection, a connection that ends before the response does, and silence.",
        cases,
    }
}
