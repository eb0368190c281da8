//! Runs one path a number of times, with nothing else that depends on time, chance or a network. `bench/counts.mjs` counts its instructions.
//!
//! Every call checks its result, so that a path that fails early is an error and not an improvement.

mod dataverse;
mod embedded;
mod still_clock;

use std::{env, error::Error};

use omnichannel_link::domain::{ConversationId, EntityLogicalName, LinkOutcome, LinkStatus, RecordReference};

type Failed = Box<dyn Error>;

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [path, calls] = &arguments[..] else { return Err("expected: PATH CALLS".into()) };
    let calls = calls.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        match path.as_str() {
            "dataverse-link-warm" => dataverse::warm_links(calls).await,
            "dataverse-link-cold" => dataverse::cold_links(calls).await,
            "dataverse-read" => dataverse::reads(calls).await,
            "dataverse-read-after-503" => dataverse::reads_after_503(calls).await,
            "embedded-link-alone" => embedded::links(calls, 1).await,
            "embedded-link-of-64" => embedded::links(calls, 64).await,
            "embedded-read" => embedded::reads(calls).await,
            _ => Err("unknown path".into()),
        }
    })
}

fn conversation(number: u8) -> ConversationId {
    [number; 16].into()
}

/// One of two contacts, so that each link changes its slot.
fn contact(call: usize) -> RecordReference {
    RecordReference { entity: EntityLogicalName::Contact, id: [if call.is_multiple_of(2) { 1 } else { 2 }; 16].into() }
}

fn ensure_written(outcome: &LinkOutcome) -> Result<(), Failed> {
    match outcome.status {
        LinkStatus::Linked | LinkStatus::Replaced => Ok(()),
        LinkStatus::AlreadyLinked | LinkStatus::Kept => Err("a link wrote nothing".into()),
    }
}
