//! Another writer at each step.

use serde_json::{Value, json};

use super::{Case, Group};
use crate::{
    support::CONVERSATION,
    world::{other, record},
};

/// When the other writer comes: the name, and the rules around its own.
fn steps(does: &Value) -> [(&'static str, Value); 6] {
    let writes = |when: &str| {
        let mut fault = does.clone();
        (fault["kind"], fault["when"]) = ("writer".into(), when.into());
        fault
    };
    let lost = |commit: bool| {
        json!([
            { "on": { "method": "PATCH" }, "fault": { "kind": "drop", "commit": commit } },
            { "on": { "method": "GET", "nth": 2 }, "fault": writes("before") },
        ])
    };
    [
        ("before the read", json!([{ "on": { "method": "GET" }, "fault": writes("before") }])),
        ("between read and write", json!([{ "on": { "method": "PATCH" }, "fault": writes("before") }])),
        ("between the write and its answer", json!([{ "on": { "method": "PATCH" }, "fault": writes("after") }])),
        ("after a stored write whose answer is lost", lost(true)),
        ("after a lost write that was not stored", lost(false)),
        (
            "between the look for a lost write and the second write",
            json!([
                { "on": { "method": "PATCH" }, "fault": { "kind": "drop" } },
                { "on": { "method": "PATCH" }, "fault": writes("before") },
            ]),
        ),
    ]
}

pub(super) fn group() -> Group {
    let reference = |record: omnichannel_link::domain::RecordReference| json!({ "entityLogicalName": record.entity.to_string(), "recordId": record.id.to_string() });
    let changes = |column: &str, to: Value| json!({ "changes": { column: to } });
    let elsewhere = changes("subject", "Touched".into());
    let links = changes("msdyn_customer", reference(other()));
    let mut cases = Vec::new();
    for (name, does) in [
        ("Another column is changed", elsewhere.clone()),
        ("Another record is linked", links.clone()),
        ("The slot is emptied", changes("msdyn_customer", Value::Null)),
        ("The same record is linked", changes("msdyn_customer", reference(record()))),
        ("The conversation is closed", changes("statuscode", 4.into())),
        ("The conversation is deleted", json!({ "delete": true })),
    ] {
        cases.extend(steps(&does).map(|(when, faults)| Case::new(name, when, faults)));
    }
    let before_writes = |does: &Value, times: Value| {
        let mut fault = does.clone();
        (fault["kind"], fault["when"]) = ("writer".into(), "before".into());
        json!([{ "on": { "method": "PATCH", "conversation": CONVERSATION }, "times": times, "fault": fault }])
    };
    cases.push(Case::new(
        "412 storm: another column is changed",
        "before four writes",
        before_writes(&elsewhere, 4.into()),
    ));
    cases.push(Case::new(
        "412 storm: another column is changed",
        "before every write",
        before_writes(&elsewhere, "always".into()),
    ));
    cases.push(Case::new(
        "412 storm: another record is linked",
        "before every write",
        before_writes(&links, "always".into()),
    ));
    // Accepted by whoever chooses that option.
    cases.push(Case {
        conditions: json!({ "concurrencyOff": ["msdyn_ocliveworkitem"] }),
        checks_versions: false,
        ..Case::new(
            "Another record is linked, and `readCheckWrite` is chosen",
            "between read and write",
            before_writes(&links, 1.into()),
        )
    });
    Group {
        title: "Other writers",
        about: "Somebody else changes the conversation at each step of the call. The last row shows what `concurrency: 'readCheckWrite'` costs, \
                an option for environments that check no versions: there, and only there, another writer's link is overwritten unseen.",
        cases,
    }
}
