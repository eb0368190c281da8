//! Files of this repository and of tests. Cargo runs tests at the package's root.
#![allow(dead_code, reason = "each suite uses a part of it")]

use std::{fs, path::Path};

/// All files below a folder, without what is built, installed or hidden.
pub(crate) fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| format!("{folder}/{}", entry.file_name().display()));
    let is_ours = |name: &String| {
        !name[1..].contains("/.") && !["/target", "/node_modules", "/docs/api"].iter().any(|end| name.ends_with(end))
    };
    names
        .filter(is_ours)
        .flat_map(|name| if fs::metadata(&name).is_ok_and(|entry| entry.is_dir()) { files(&name) } else { vec![name] })
        .collect()
}

/// Sorted names in a folder.
#[expect(clippy::unwrap_used, reason = "a test's helper")]
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
