//! Random faults, one after the other.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Case, writers};

/// One mixture per seed. Most have another writer, with one of several changes at one of two times.
pub(crate) fn mixtures(seeds: u64) -> impl Iterator<Item = Case> {
    let mut writers: Vec<Option<Value>> = vec![None];
    for when in ["before", "after"] {
        writers.extend(writers::deeds().map(|(_, does)| Some(writers::coming(&does, when))));
    }
    (0..seeds).zip(writers.into_iter().cycle()).map(|(seed, writer)| {
        let mut faults = faults();
        // As likely as four other faults together.
        faults.extend(writer.into_iter().flat_map(|writer| [(); 4].map(|()| writer.clone())));
        let random = json!({ "seed": seed, "rate": 0.5, "faults": faults, "on": { "path": "/api/" } });
        let case = Case::new(format!("Mixture {seed}"), "no request", json!([]));
        let case = if seed % 2 == 0 { case } else { case.with_secret() };
        Case { random, ..case }.asking_for(Duration::from_secs(1))
    })
}

fn faults() -> Vec<Value> {
    vec![
        json!({ "kind": "drop" }),
        json!({ "kind": "drop", "commit": true }),
        json!({ "kind": "hang" }),
        json!({ "kind": "hang", "commit": true }),
        json!({ "kind": "hangInBody" }),
        json!({ "kind": "truncate" }),
        json!({ "kind": "status", "status": 500 }),
        json!({ "kind": "status", "status": 502, "body": "html", "commit": true }),
        json!({ "kind": "status", "status": 204, "body": "empty", "commit": true }),
        json!({ "kind": "status", "status": 412, "code": "0x80060882" }),
        json!({ "kind": "throttle", "limit": "requests" }),
        json!({ "kind": "unauthorized" }),
        json!({ "kind": "notStored" }),
    ]
}
