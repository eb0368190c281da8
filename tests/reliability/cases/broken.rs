//! Invalid and unexpected responses.

use serde_json::json;

use super::{Case, Group, at, at_every, stored, with_reads};

pub(super) fn group() -> Group {
    let truncated = json!({ "kind": "truncate" });
    let endless = json!({ "kind": "endless" });
    let page = json!({ "kind": "status", "status": 200, "body": "html" });
    let no_row = json!({ "kind": "status", "status": 200, "code": "0x0", "message": "Fine." });
    let nothing = json!({ "kind": "status", "status": 204, "body": "empty" });
    let typed = json!({ "kind": "contentType", "contentType": "text/html" });
    let slowly = json!({ "kind": "trickle" });
    let not_stored = json!({ "kind": "notStored" });
    let mut cases = Vec::new();
    for (name, fault) in [("Truncated JSON", &truncated), ("Endless body", &endless)] {
        cases.extend(with_reads(name, fault));
        cases.push(Case::new(name, "the write, stored", at("PATCH", fault)));
        cases.push(Case::new(name, "every write, stored", at_every("PATCH", fault)));
    }
    for (name, fault) in [("Wrong content type, right content", &typed), ("Byte by byte", &slowly)] {
        cases.push(Case::new(name, "the read", at("GET", fault)));
        cases.push(Case::new(name, "the write, stored", at("PATCH", fault)));
    }
    for (name, fault) in [("200 with a web page", &page), ("200 with JSON that is not a row", &no_row)] {
        cases.push(Case::new(name, "the read", at("GET", fault)));
        cases.push(Case::new(name, "the write, not stored", at("PATCH", fault)));
        cases.push(Case::new(name, "the write, stored", at("PATCH", &stored(fault))));
    }
    cases.push(Case::new("204 instead of the row", "the read", at("GET", &nothing)));
    cases.push(Case::new("204 instead of the row", "the write, stored", at("PATCH", &stored(&nothing))));
    cases.push(Case::new("204, and nothing was stored", "the write, not stored", at("PATCH", &not_stored)));
    cases.push(Case::new(
        "Truncated JSON, then a reset connection",
        "the write, stored, and every read after it",
        json!([
            { "on": { "method": "PATCH" }, "fault": truncated },
            { "on": { "method": "GET", "nth": 2 }, "times": "always", "fault": { "kind": "drop" } },
        ]),
    ));
    Group {
        title: "Broken responses",
        about: "Responses that end too early, never end, or are something else. After a confirmed write the client compares the row in the response.",
        cases,
    }
}
