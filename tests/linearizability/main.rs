//! Checks that every outcome is true. Many calls work on few conversations beside another writer, and requests and responses are lost,
//! delayed and rejected. The client is the real one on real sockets; only time and randomness are simulated.
//!
//! A run depends on its seed alone: `LINEARIZABILITY_SEED=7` replays one and prints its events.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod dice;
mod fates;
mod judge;
mod judge_tests;
mod rows;
mod run;
mod server;

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use run::{History, Run};

const RUNS: u64 = 250;
const CALLS_PER_RUN: usize = 400;

/// Ends that the runs must reach, and whether they are in doubt. Otherwise the runs prove nothing.
const WORDS: [(&str, bool); 15] = [
    ("linked", false),
    ("replaced", false),
    ("alreadyLinked", false),
    ("kept", false),
    ("unlinked", false),
    ("read", false),
    ("CONFLICT", false),
    ("CONFLICT", true),
    ("CONVERSATION_NOT_ACTIVE", false),
    ("CONVERSATION_NOT_ACTIVE", true),
    ("NOT_LINKED", false),
    ("NOT_LINKED", true),
    ("OCCUPIED", false),
    ("RECORD_NOT_FOUND", false),
    ("TIMEOUT", true),
];

/// How often each must be reached at least.
const LEAST: usize = 20;

fn run(seed: u64, is_verbose: bool) -> History {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Run::run(seed, CALLS_PER_RUN, is_verbose))
}

#[test]
fn a_hundred_thousand_calls_end_with_what_was_true_while_they_ran() {
    let broken = match std::env::var("LINEARIZABILITY_SEED") {
        Ok(seed) => judge::broken(&run(seed.parse().expect("a number"), true)),
        Err(_) => all(),
    };
    assert!(broken.is_empty(), "{} violations:\n{}\n", broken.len(), broken.join("\n"));
}

/// All runs, on all processors.
fn all() -> Vec<String> {
    let (started, tally) = (AtomicU64::new(0), Mutex::new((Vec::new(), HashMap::new())));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = started.fetch_add(1, Ordering::Relaxed);
                    if seed >= RUNS {
                        return;
                    }
                    let history = run(seed, false);
                    let found = judge::broken(&history);
                    let (broken, words) = &mut *tally.lock().unwrap();
                    broken.extend(found.iter().map(|what| format!("LINEARIZABILITY_SEED={seed}: {what}")));
                    for (_, end) in history.calls.iter().filter_map(|call| call.end.as_ref()) {
                        *words.entry(end.word()).or_insert(0) += 1;
                    }
                }
            });
        }
    });
    let (broken, words) = tally.into_inner().unwrap();
    let rare: Vec<_> = WORDS.iter().filter(|word| words.get(word).is_none_or(|times| *times < LEAST)).collect();
    assert!(rare.is_empty() || !broken.is_empty(), "the runs hardly ever came to {rare:?}: {words:?}");
    broken
}
