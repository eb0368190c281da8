//! Names of sets and operations that Dataverse has and the emulator does not, so that they are not "not found".

use std::{collections::HashSet, sync::LazyLock};

static SETS: LazyLock<HashSet<&str>> = LazyLock::new(|| lines(include_str!("../../definitions/known-sets.txt")));
static OPERATIONS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| lines(include_str!("../../definitions/known-operations.txt")));

fn lines(text: &'static str) -> HashSet<&'static str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

pub(crate) fn is_known_set(name: &str) -> bool {
    SETS.contains(name)
}

/// Whether it is a function or an action.
pub(crate) fn is_known_operation(name: &str) -> bool {
    OPERATIONS.contains(name)
}
