//! Checks that comments and documents are written in plain English: they name the thing first, without indefinite pronouns for people.

use std::fs;

/// Lines of comments in Rust that may start with one of [`OPENINGS`].
const MAX_OPENINGS: usize = 14;
const OPENINGS: [&str; 5] = ["What", "Who", "Whose", "Where", "Whoever"];
const PRONOUNS: [&str; 4] = ["nobody", "somebody", "everybody", "whoever"];

#[test]
fn comments_and_documents_are_in_plain_english() {
    let (mut openings, mut pronouns) = (Vec::new(), Vec::new());
    for file in files(".") {
        for (line, number) in fs::read_to_string(&file).unwrap().lines().zip(1..) {
            let place = || format!("{file}:{number}: {}", line.trim());
            openings.extend(has_opening(&file, line).then(place));
            pronouns.extend(has_pronoun(&file, line).then(place));
        }
    }
    let many = if openings.len() > MAX_OPENINGS { openings } else { Vec::new() };
    assert!(
        pronouns.is_empty() && many.is_empty(),
        "{} lines have one of {PRONOUNS:?}:\n{}\n{} comment lines start with one of {OPENINGS:?}:\n{}",
        pronouns.len(),
        pronouns.join("\n"),
        many.len(),
        many.join("\n"),
    );
}

#[test]
fn planted_lines_are_found() {
    for (file, line, is_opening, is_pronoun) in [
        ("a.rs", "    /// What a call returns.", true, false),
        ("a.rs", "//Who calls.", true, false),
        ("a.rs", "//! Whoever calls.", true, true),
        ("a.rs", "    call();\u{20}// Nobody's", false, true),
        ("a.rs", "    // Whatever the caller does, somewhere.", false, false),
        ("a.rs", "    let nobody = \"everybody\";", false, false),
        ("a.mjs", "\u{20}\u{20}// What somebody calls", false, true),
        ("a.d.ts", "   * Called by EVERYBODY.", false, true),
        ("a.js", "const NOBODY = 1", false, false),
        ("a.md", "It is for everybody.", false, true),
        ("a.md", "What a rule with *nobody* in it says", false, false),
    ] {
        assert_eq!((has_opening(file, line), has_pronoun(file, line)), (is_opening, is_pronoun), "{file}: {line}");
    }
}

fn has_opening(file: &str, line: &str) -> bool {
    let comment = line.trim_start().strip_prefix("//").filter(|_| extension(file) == "rs");
    let text = comment.map_or("", |comment| comment.strip_prefix(['/', '!']).unwrap_or(comment).trim_start());
    text.split(|c: char| !c.is_alphanumeric()).next().is_some_and(|word| OPENINGS.contains(&word))
}

fn has_pronoun(file: &str, line: &str) -> bool {
    let comments: &[_] = if extension(file) == "rs" { &["//"] } else { &["//", "/*", "*"] };
    let is_text = extension(file) == "md" || comments.iter().any(|start| line.trim_start().starts_with(start));
    let text = if is_text { line } else { line.split_once(" // ").map_or("", |(_, comment)| comment) };
    let text = text.to_lowercase();
    let is_used = |word| PRONOUNS.contains(&word) && !text.contains(&format!("*{word}*"));
    text.split(|c: char| !c.is_alphanumeric()).any(is_used)
}

fn extension(file: &str) -> &str {
    file.rsplit('.').next().unwrap_or_default()
}

/// All sources and documents below a folder. Cargo runs tests at the package's root.
fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_ours = |name: &String| !["/target", "/node_modules", "/docs/api"].iter().any(|end| name.ends_with(end));
    let names = entries.map(|entry| format!("{folder}/{}", entry.file_name().display()));
    names
        .filter(|name| is_ours(name) && !name[1..].contains("/."))
        .flat_map(|name| if fs::metadata(&name).is_ok_and(|entry| entry.is_dir()) { files(&name) } else { vec![name] })
        .filter(|name| ["rs", "js", "mjs", "cjs", "ts", "md"].contains(&extension(name)))
        .collect()
}
