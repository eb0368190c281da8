//! 429 with every limit and with every way to say how long.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Case, Group, at, at_every};

/// What most of them ask for.
const SEVEN: Duration = Duration::from_secs(7);
const NONE: Duration = Duration::ZERO;
const IN_MS: Duration = Duration::from_millis(4_500);
const NOW: &str = "Sat, 21 Nov 2026 10:00:00 GMT";
const IN_SEVEN_SECONDS: &str = "Sat, 21 Nov 2026 10:00:07 GMT";
const AN_HOUR_AGO: &str = "Sat, 21 Nov 2026 09:00:00 GMT";

fn throttled(status: u16, headers: &[(&str, &str)]) -> Value {
    let headers: Value = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    json!({ "kind": "status", "status": status, "code": "0x80072322", "message": "Too many.", "headers": headers })
}

pub(super) fn group() -> Group {
    let mut cases = Vec::new();
    for (name, limit) in [
        ("429: number of requests (0x80072322)", "requests"),
        ("429: execution time (0x80072321)", "executionTime"),
        ("429: concurrent requests (0x80072326)", "concurrency"),
    ] {
        let fault = json!({ "kind": "throttle", "limit": limit, "retryAfterInSeconds": 7 });
        cases.push(Case::new(name, "the read", at("GET", &fault)).asking_for(SEVEN));
        cases.push(Case::new(name, "the write", at("PATCH", &fault)).asking_for(SEVEN));
    }
    for (name, headers, pause) in [
        ("429, `Retry-After: 7`", &[("retry-after", "7")][..], SEVEN),
        ("429, `Retry-After: 0`", &[("retry-after", "0")], NONE),
        (
            "429, `Retry-After` with a date 7 s after the server's `Date`",
            &[("date", NOW), ("retry-after", IN_SEVEN_SECONDS)],
            SEVEN,
        ),
        ("429, `Retry-After` with a date in the past", &[("date", NOW), ("retry-after", AN_HOUR_AGO)], NONE),
        ("429, `x-ms-retry-after-ms: 4500`", &[("x-ms-retry-after-ms", "4500"), ("retry-after", "7")], IN_MS),
        ("429, `retry-after-ms: 4500`", &[("retry-after-ms", "4500"), ("retry-after", "7")], IN_MS),
        ("429 without `Retry-After`", &[], NONE),
        ("429, `Retry-After: soon`", &[("retry-after", "soon")], NONE),
        ("429, `Retry-After: 3600`, beyond the call's time", &[("retry-after", "3600")], Duration::from_secs(3600)),
    ] {
        cases.push(Case::new(name, "the write", at("PATCH", &throttled(429, headers))).asking_for(pause));
    }
    let seven = throttled(429, &[("retry-after", "7")]);
    cases.push(Case::new("429, `Retry-After: 7`", "every read", at_every("GET", &seven)).asking_for(SEVEN));
    cases.push(Case::new("429, `Retry-After: 7`", "every write", at_every("PATCH", &seven)).asking_for(SEVEN));
    let overloaded = throttled(503, &[("retry-after", "7")]);
    cases.push(Case::new("503, `Retry-After: 7`", "the read", at("GET", &overloaded)).asking_for(SEVEN));
    cases.push(Case::new("503, `Retry-After: 7`", "the write, not stored", at("PATCH", &overloaded)).asking_for(SEVEN));
    Group {
        title: "Throttling",
        about: "The whole client pauses for as long as the server asks, and at least for its own pause between attempts.",
        cases,
    }
}
