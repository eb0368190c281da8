//! Another writer at each step.

use omnichannel_link::domain::RecordReference;
use serde_json::{Value, json};

use super::{Case, Group, at};
use crate::fixture::{other, record};

/// The change of the other writer: its name, and the rule for the emulator.
pub(super) fn deeds() -> [(&'static str, Value); 6] {
    let reference = |record: RecordReference| json!({ "entityLogicalName": record.entity.to_string(), "recordId": record.id.to_string() });
    let changes = |column: &str, to: Value| json!({ "changes": { column: to } });
    [
        ("Another column is changed", changes("subject", "Touched".into())),
        ("Another record is linked", changes("msdyn_customer", reference(other()))),
        ("The slot is emptied", changes("msdyn_customer", Value::Null)),
        ("The same record is linked", changes("msdyn_customer", reference(record()))),
        ("The conversation is closed", changes("statuscode", 4.into())),
        ("The conversation is deleted", json!({ "delete": true })),
    ]
}

/// The writer that acts right before or right after a request is executed.
pub(super) fn coming(does: &Value, when: &str) -> Value {
    let mut fault = does.clone();
    (fault["kind"], fault["when"]) = ("writer".into(), when.into());
    fault
}

/// When the writer acts, and the rules for it.
fn steps(does: &Value) -> [(&'static str, Value); 6] {
    let lost = |commit: bool| {
        json!([
            { "on": { "method": "PATCH" }, "fault": { "kind": "drop", "commit": commit } },
            { "on": { "method": "GET", "nth": 2 }, "fault": coming(does, "before") },
        ])
    };
    [
        ("before the read", at("GET", &coming(does, "before"))),
        ("between read and write", at("PATCH", &coming(does, "before"))),
        ("between the write and its response", at("PATCH", &coming(does, "after"))),
        ("after a stored write whose response is lost", lost(true)),
        ("after a lost write that was not stored", lost(false)),
        (
            "between the look for a lost write and the second write",
            json!([
                { "on": { "method": "PATCH" }, "fault": { "kind": "drop" } },
                { "on": { "method": "PATCH" }, "fault": coming(does, "before") },
            ]),
        ),
    ]
}

pub(super) fn group() -> Group {
    let deeds = deeds();
    let mut cases: Vec<Case> = deeds
        .iter()
        .flat_map(|(name, does)| steps(does).map(|(when, faults)| Case::new(*name, when, faults)))
        .collect();
    let [(_, touches), (_, links), ..] = &deeds;
    let before_writes = |does: &Value, times: Value| json!([{ "on": { "method": "PATCH" }, "times": times, "fault": coming(does, "before") }]);
    for (name, does, hits, times) in [
        ("412 storm: another column is changed", touches, "before four writes", 4.into()),
        ("412 storm: another column is changed", touches, "before every write", "always".into()),
        ("412 storm: another record is linked", links, "before every write", "always".into()),
    ] {
        cases.push(Case::new(name, hits, before_writes(does, times)));
    }
    let takes_back = json!({ "changes": { "msdyn_customer": null, "statuscode": 4 } });
    let [.., (when, faults), _, _] = steps(&takes_back);
    cases.push(Case::new("The slot is emptied and the conversation is closed", when, faults));
    // The option accepts this.
    cases.push(Case {
        conditions: json!({ "concurrencyOff": ["msdyn_ocliveworkitem"] }),
        checks_versions: false,
        ..Case::new(
            "Another record is linked, and `optimisticConcurrency` is off",
            "between read and write",
            at("PATCH", &coming(links, "before")),
        )
    });
    Group {
        title: "Other writers",
        about: "Another writer changes the conversation at each step of the call. The last row shows what `optimisticConcurrency: false` costs, \
                an option for environments that check no versions: there, and only there, another writer's link is overwritten unseen.",
        cases,
    }
}
