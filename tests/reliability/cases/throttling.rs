//! 429 of every limit and with every form of `Retry-After`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Case, Group, at, at_every};

const ABOUT: &str = concat!(
    "A 429, and a 503 with `Retry-After`, is waited out. The whole client pauses for as long as the server asks and up to a twentieth
longer, so that clients that were throttled together do not return together; without `Retry-After` it pauses as between attempts. Then one
request goes ahead, and the others follow when the server accepts it. A throttled request costs neither the retry budget nor
`maxRetries`. The pause ends with the call's deadline, its signal, or `close()`. A pause that would end after the deadline is not
begun, and the call rejects with `THROTTLED`. After a 503 to a write the client reads the row before it sends the write again.

The client learns what the server accepts. It begins with 4 requests in flight, adds one per round trip while all are in use, takes
30 % away after a rejection, and never exceeds `x-ms-dop-hint` or `maxConcurrency`. After a rejection it also keeps to the rate that
was accepted, and from time to time tries a little more. Rejections that a lower rate does not make rarer, such as
those of one broken node behind a load balancer, do not lower the rate; only their pauses are kept. The table shows the result on servers with
a steady limit that respond within 5 ms and reject with `Retry-After: 1`: links of different conversations, 256 calls at once, each
link two requests. Every one is linked. *Used* is the share of the limit, or of what the hint allows if that is less; *throttled*
is the share of all requests. Of two clients the second is always busy, and the first is measured until it is done. Time is
simulated (`tests/throttling`).

| limit per second | counted in | hint | clients | links | used | throttled |
|---|---|---|---|---|---|---|
",
    include_str!("../../throttling/table.md"),
    "
A server that allows no bursts and asks for much longer pauses than it needs is used in full after half a minute; so is one that
limits only the requests in flight. Faults meet one call each in the following table."
);

/// The pause in most cases.
const SEVEN: Duration = Duration::from_secs(7);
const FIVE: Duration = Duration::from_secs(5);
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
    let soon = throttled(503, &[("retry-after", "5")]);
    let overloaded = throttled(503, &[("retry-after", "7")]);
    cases.push(Case::new("503, `Retry-After: 7`", "the read", at("GET", &overloaded)).asking_for(SEVEN));
    cases.push(Case::new("503, `Retry-After: 7`", "the write, not stored", at("PATCH", &overloaded)).asking_for(SEVEN));
    cases
        .push(Case::new("503, `Retry-After: 5`", "every write, not stored", at_every("PATCH", &soon)).asking_for(FIVE));
    Group { title: "Throttling", about: ABOUT, cases }
}
