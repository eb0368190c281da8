//! Sends requests made from a grammar, and broken ones, over real sockets, and checks every response.
//!
//! `FUZZ_REQUESTS` is their number, `FUZZ_SEED` the seed. The same seed gives the same requests.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not test functions, and clippy allows it only in those")]

mod catalog;
mod check;
mod faults;
mod grammar;
mod http;
mod mutate;
mod random;
mod run;
mod world;

use std::{env, sync::Mutex};

use run::Run;

const SEED: u64 = 1;
const REQUESTS: u64 = 20_000;

/// Most memory of the whole process in KiB, at any time.
const MOST_MEMORY: u64 = 100 * 1024;

/// So that rows and log stay few.
const BETWEEN_RESETS: u64 = 1000;

/// Panics of the server's thread.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn no_request_breaks_the_server() {
    let (seed, requests) = (number("FUZZ_SEED", SEED), number("FUZZ_REQUESTS", REQUESTS));
    let test = std::thread::current().id();
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == test {
            print(panic);
        } else {
            PANICS.lock().unwrap().push(panic.to_string());
        }
    }));

    let mut run = Run::new(seed);
    let mut sizes = Vec::new();
    for number in 0..requests {
        run.step(number);
        if number % BETWEEN_RESETS == 0 {
            run.reset();
            sizes.push(check::memory());
        }
    }

    let failures = run.failures.join("\n\n");
    assert!(failures.is_empty(), "FUZZ_SEED={seed}\n{failures}");
    let sizes: Vec<_> = sizes.into_iter().flatten().collect();
    let Some((peak, _)) = sizes.last() else { return };
    assert!(*peak < MOST_MEMORY, "the process needed {peak} KiB");
    // The smallest sizes count, because the allocator keeps what it may need again. The first requests fill its caches.
    let smallest = |sizes: &[(u64, u64)]| sizes.iter().map(|(_, size)| *size).min().unwrap_or_default();
    let (earlier, later) = sizes.split_at(sizes.len() / 2);
    let (earlier, later) = (smallest(&earlier[earlier.len() / 2..]), smallest(later));
    assert!(later < earlier + earlier / 2, "the process grew from {earlier} to {later} KiB");
}
