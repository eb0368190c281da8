//! The observations as Markdown tables.

use std::{fmt::Write, time::Duration};

use crate::{
    cases::{Case, Group},
    fixture::{other, previous, record},
    network::Exchange,
    observe::{Call, End, Observation},
};

pub(crate) const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md");

/// The cells of a row that are compared between calls.
#[derive(PartialEq, Eq)]
struct Row {
    outcome: String,
    maybe_applied: &'static str,
    retryable: &'static str,
    slot: &'static str,
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn describe(seen: &Observation) -> Row {
    let slot = match seen.after.customer {
        _ if seen.after.status.is_none() => "conversation gone",
        None => "empty",
        Some(held) if held == record() => "the record",
        Some(held) if held == previous() => "the previous record",
        Some(held) if held == other() => "the other writer's",
        Some(_) => "something unknown",
    };
    let (outcome, maybe_applied, retryable) = match &seen.end {
        End::Done("replaced", replaced) if *replaced == Some(other()) => {
            ("`replaced`, previous: the other writer's".to_owned(), "", "")
        }
        End::Done(word, _) => (format!("`{word}`"), "", ""),
        End::Failed(error) => {
            let (maybe, retryable) = (yes_or_no(seen.maybe_applied()), yes_or_no(error.is_retryable()));
            (format!("`{}`", error.code()), maybe, retryable)
        }
    };
    Row { outcome, maybe_applied, retryable, slot }
}

/// Whether the row differs from the usual call, apart from what the slot held before.
fn differs(seen: &Observation, usual: &Observation) -> bool {
    let general = |seen: &Observation| {
        let mut describe = describe(seen);
        if describe.outcome == "`replaced`" {
            "`linked`".clone_into(&mut describe.outcome);
        }
        if seen.after.customer == seen.before.customer && seen.after.status.is_some() {
            describe.slot = "as before";
        }
        describe
    };
    seen.is_faulty() && general(seen) != general(usual)
}

fn name(call: Call) -> &'static str {
    match call {
        Call::Link => "link",
        Call::Replace => "link over another",
        Call::WarmReplace => "link over another, row cached",
        Call::Unlink => "unlink",
        Call::WarmUnlink => "unlink, row cached",
        Call::Again => "link once more",
    }
}

/// `GET 200, (PATCH 412, GET 200) ×4`.
fn requests(exchanges: &[Exchange]) -> String {
    let words: Vec<_> = exchanges.iter().map(ToString::to_string).collect();
    let mut describe = Vec::new();
    let mut rest = &words[..];
    while !rest.is_empty() {
        let times = |length: usize| rest.chunks(length).take_while(|chunk| *chunk == &rest[..length]).count();
        let (one, two) = (times(1), if rest.len() > 1 { times(2) } else { 0 });
        let (text, length) = match (one, two) {
            (2.., _) => (format!("{} ×{one}", rest[0]), one),
            (_, 2..) => (format!("({}, {}) ×{two}", rest[0], rest[1]), 2 * two),
            _ => (rest[0].clone(), 1),
        };
        describe.push(text);
        rest = &rest[length..];
    }
    describe.join(", ")
}

fn seconds(time: Duration) -> String {
    match time.as_millis() {
        0 => "0".to_owned(),
        1..100 => "< 0.1 s".to_owned(),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// The rows of one case: link and unlink always, the others if they end differently.
pub(crate) fn rows(case: &Case, observations: &[Observation]) -> String {
    let find = |call| observations.iter().find(|seen| seen.call == call);
    let usual = |call: Call| {
        find(match call {
            Call::Link | Call::Replace | Call::Again => Call::Link,
            // Shown if the cached row makes a difference.
            Call::WarmReplace => Call::Replace,
            Call::Unlink | Call::WarmUnlink => Call::Unlink,
        })
    };
    let mut text = String::new();
    let mut fault = format!("{} | {}", case.fault, case.hits);
    for seen in Call::ALL.into_iter().filter_map(find) {
        let is_usual = matches!(seen.call, Call::Link | Call::Unlink);
        // It always ends differently.
        if seen.call == Call::Again {
            continue;
        }
        if !is_usual && !usual(seen.call).is_some_and(|usual| differs(seen, usual)) {
            continue;
        }
        let Row { outcome, maybe_applied, retryable, slot } = describe(seen);
        let (call, sent, time) = (name(seen.call), requests(&seen.seen.exchanges), seconds(seen.took));
        let _ = writeln!(
            text,
            "| {fault} | {call} | {outcome} | {maybe_applied} | {retryable} | {sent} | {time} | {slot} |"
        );
        " | ".clone_into(&mut fault);
    }
    text
}

pub(crate) fn section(group: &Group, rows: &str) -> String {
    format!(
        "\n## {}\n\n{}\n\n\
         | fault | with | call | outcome | maybe applied | retryable | requests | time | the slot holds afterwards |\n\
         |---|---|---|---|---|---|---|---|---|\n{rows}",
        group.title, group.about
    )
}
