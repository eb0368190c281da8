//! Every fault on a real socket, with link and with unlink: the outcome and the row. These tests write `docs/reliability.md` with
//! `UPDATE_DOCS=1`, and compare it otherwise. Time is simulated: see `support/clock.rs`.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod fixture;
mod introduction;
mod judge;
mod judge_tests;
mod network;
mod observe;
mod relay;
mod table;

use std::fs;

use observe::{Call, Observation};

/// Upper bound: five writes, a read after each, and the retries of one of them.
const MOST_REQUESTS: usize = 16;

/// Random mixtures of faults. Every call is tried with each.
const MIXTURES: u64 = 130;

#[tokio::test]
async fn every_fault_ends_as_documented_and_breaks_no_promise() {
    let (mut sections, mut broken, mut calls) = (String::new(), Vec::new(), 0);
    let groups = cases::groups();
    for group in &groups {
        let mut rows = String::new();
        for case in &group.cases {
            let mut observations = Vec::new();
            for call in Call::ALL.into_iter().filter(|call| call.applies_to(case)) {
                let seen = Observation::of(case, call).await;
                let mut found = judge::broken(case, &seen);
                let requests = seen.seen.exchanges.len();
                if requests > MOST_REQUESTS {
                    found.push(format!("{requests} requests"));
                }
                broken.extend(found.iter().map(|what| format!("{}, {}, {call:?}: {what}", case.fault, case.hits)));
                observations.push(seen);
                calls += 1;
            }
            rows += &table::rows(case, &observations);
        }
        sections += &table::section(group, &rows);
    }
    let faults = groups.iter().map(|group| group.cases.len()).sum();
    let document = introduction::introduction(faults, calls, MIXTURES * Call::ALL.len() as u64) + &sections;
    let recorded = fs::read_to_string(table::FILE).unwrap_or_default().replace("\r\n", "\n");
    if std::env::var_os("UPDATE_DOCS").is_some() && broken.is_empty() {
        fs::write(table::FILE, &document).unwrap();
    } else {
        let changed = document.lines().filter(|line| !recorded.lines().any(|known| known == *line));
        broken.extend(changed.map(|line| format!("not in docs/reliability.md: {line}")));
        if broken.is_empty() && document != recorded {
            broken.push("docs/reliability.md has rows that no test produced".to_owned());
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[tokio::test]
async fn no_mixture_of_faults_breaks_a_promise() {
    let mut broken = Vec::new();
    for case in cases::mixtures(MIXTURES) {
        for call in Call::ALL {
            let seen = Observation::of(&case, call).await;
            let found = judge::broken(&case, &seen);
            let shown = || seen.seen.exchanges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            broken.extend(found.iter().map(|what| format!("{}, {call:?}: {what}; {}", case.fault, shown())));
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}
