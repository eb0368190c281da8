//! docs/emulator.md: each fact in scope has a test that exists, and the counts are right.

use std::fs;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Smallest share of the facts in scope that tests show, in percent.
const SHOWN_IN_PERCENT: usize = 95;

#[derive(Default)]
struct Counts {
    facts: usize,
    open: usize,
    out: usize,
}

#[test]
fn every_fact_in_scope_has_a_test_that_exists() {
    let document = fs::read_to_string(format!("{ROOT}/docs/emulator.md")).unwrap();
    let (mut counts, mut problems) = (Counts::default(), Vec::new());
    let rows = document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| § "));
    for row in rows {
        counts.facts += 1;
        let [_, _, shown_by] = row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>()[..] else {
            problems.push(format!("not three columns: {row}"));
            continue;
        };
        let (is_open, is_out) = (has_reason(shown_by, "Open: "), has_reason(shown_by, "Out: "));
        counts.open += usize::from(is_open);
        counts.out += usize::from(is_out);
        let names = tests_in(shown_by);
        if names.is_empty() && !is_open && !is_out {
            problems.push(format!("neither a test nor a reason: {row}"));
        }
        let missing = names.iter().filter(|name| !exists(name)).map(|name| format!("no test '{name}': {row}"));
        problems.extend(missing);
    }
    let Counts { facts, open, out } = counts;
    let in_scope = facts - out;
    let shown = in_scope - open;
    if shown * 100 < in_scope * SHOWN_IN_PERCENT {
        problems.push(format!("only {shown} of {in_scope} facts in scope are shown"));
    }
    let stated =
        format!("**{facts} facts: {in_scope} in scope, {shown} of them shown by tests; {out} are out of scope.**");
    if !document.contains(&stated) {
        problems.push(format!("the document must state: {stated}"));
    }
    assert!(problems.is_empty(), "docs/emulator.md\n{}", problems.join("\n"));
}

fn has_reason(cell: &str, kind: &str) -> bool {
    cell.strip_prefix(kind).is_some_and(|reason| !reason.is_empty())
}

/// The names such as `file::test` in a cell.
fn tests_in(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect()
}

/// Whether a file of this folder, which is part of the suite, has this test.
fn exists(name: &str) -> bool {
    let suite = format!("{ROOT}/emulator/tests/suite");
    let Some((file, test)) = name.split_once("::") else { return false };
    let modules = fs::read_to_string(format!("{suite}/main.rs")).unwrap();
    let source = fs::read_to_string(format!("{suite}/{file}.rs")).unwrap_or_default();
    let is_test = |attribute: &str| source.contains(&format!("{attribute}\nasync fn {test}("));
    modules.lines().any(|line| line == format!("mod {file};"))
        && (is_test("#[tokio::test]") || source.contains(&format!("#[test]\nfn {test}(")))
}
