//! The faults as data: rules for the emulator, and how the client connects.

mod authentication;
mod broken;
mod failures;
mod mixed;
mod network;
mod refusals;
mod throttling;
mod writers;

use std::time::Duration;

pub(crate) use mixed::mixtures;
use omnichannel_link::domain::RecordReference;
use serde_json::{Value, json};

use crate::fixture::{other, previous, record};

/// One fault.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The name of the fault.
    pub(crate) fault: String,
    /// The requests that it affects.
    pub(crate) hits: &'static str,
    pub(crate) faults: Value,
    /// A plan of random faults, or null.
    pub(crate) random: Value,
    pub(crate) conditions: Value,
    pub(crate) way: Way,
    pub(crate) credential: Credential,
    pub(crate) record_exists: bool,
    pub(crate) checks_versions: bool,
    /// The pause that the server asks for.
    pub(crate) pause: Duration,
}

/// How the client connects to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    /// By https.
    Trusted,
    /// By https with a certificate authority that the client does not trust.
    Distrusted,
    /// To a closed port.
    Refused,
    /// To a port that is closed after the first read.
    RefusedAtTheWrite,
    /// To a name that does not exist.
    Nameless,
    /// Through a gateway that holds the first write and delivers it late, right before the retry.
    Late,
    /// The same, right after the retry.
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A token, always the same.
    Token,
    /// A client secret, for which the token endpoint of the emulator issues tokens.
    Secret,
}

/// A part of the table.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) cases: Vec<Case>,
}

pub(crate) fn groups() -> Vec<Group> {
    vec![
        network::group(),
        authentication::group(),
        refusals::group(),
        throttling::group(),
        failures::group(),
        broken::group(),
        writers::group(),
    ]
}

impl Case {
    fn new(fault: impl Into<String>, hits: &'static str, faults: Value) -> Self {
        Self {
            fault: fault.into(),
            hits,
            faults,
            random: Value::Null,
            conditions: json!({}),
            way: Way::Direct,
            credential: Credential::Token,
            record_exists: true,
            checks_versions: true,
            pause: Duration::ZERO,
        }
    }

    fn over(fault: &str, hits: &'static str, way: Way) -> Self {
        Self { way, ..Self::new(fault, hits, json!([])) }
    }

    fn under(fault: &str, hits: &'static str, conditions: Value) -> Self {
        Self { conditions, ..Self::new(fault, hits, json!([])) }
    }

    fn asking_for(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    fn with_secret(self) -> Self {
        Self { credential: Credential::Secret, ..self }
    }

    /// The other writer, if there is one. No case has two.
    pub(crate) fn writer(&self) -> Option<Writer> {
        let rules = self.faults.as_array().into_iter().flatten().map(|rule| &rule["fault"]);
        let random = self.random["faults"].as_array().into_iter().flatten();
        let fault = rules.chain(random).find(|fault| fault["kind"] == "writer")?;
        let changes = &fault["changes"];
        let does = match changes.get("msdyn_customer") {
            Some(Value::Null) => Does::Links(None),
            Some(to) => Does::Links(
                [record(), previous(), other()].into_iter().find(|known| to["recordId"] == known.id.to_string()),
            ),
            None if fault["delete"] == true => Does::Deletes,
            None if changes.get("statuscode").is_some() => Does::Closes,
            None => Does::Touches,
        };
        Some(Writer { is_after: fault["when"] == "after", does })
    }
}

/// The properties of another writer that the judge needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer {
    pub(crate) is_after: bool,
    pub(crate) does: Does,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// Changes another column.
    Touches,
    /// Puts this into the slot, or empties it.
    Links(Option<RecordReference>),
    Closes,
    Deletes,
}

fn at(method: &str, fault: &Value) -> Value {
    json!([{ "on": { "method": method }, "fault": fault }])
}

fn at_every(method: &str, fault: &Value) -> Value {
    json!([{ "on": { "method": method }, "times": "always", "fault": fault }])
}

fn stored(fault: &Value) -> Value {
    let mut fault = fault.clone();
    fault["commit"] = true.into();
    fault
}

/// With the read: once and always.
fn with_reads(name: &str, fault: &Value) -> [Case; 2] {
    [Case::new(name, "the read", at("GET", fault)), Case::new(name, "every read", at_every("GET", fault))]
}

/// With the write: before it is stored, once and always, and after.
fn with_writes(name: &str, fault: &Value) -> [Case; 3] {
    [
        Case::new(name, "the write, not stored", at("PATCH", fault)),
        Case::new(name, "the write, stored", at("PATCH", &stored(fault))),
        Case::new(name, "every write, not stored", at_every("PATCH", fault)),
    ]
}
