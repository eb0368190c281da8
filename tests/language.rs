//! Checks that comments and documents are written in plain English: they name the thing first, without indefinite pronouns for people.

#[path = "support/files.rs"]
mod files;

use std::fs;

/// Lines of comments that may start with one of [`OPENINGS`].
const MAX_OPENINGS: usize = 0;
const OPENINGS: [&str; 5] = ["What", "Who", "Whose", "Where", "Whoever"];
const PRONOUNS: [&str; 4] = ["nobody", "somebody", "everybody", "whoever"];

#[test]
fn comments_and_documents_are_in_plain_english() {
    let (mut openings, mut pronouns) = (Vec::new(), Vec::new());
    let is_read = |file: &String| ["rs", "js", "mjs", "cjs", "ts", "md"].contains(&extension(file));
    for file in files::files(".").into_iter().filter(is_read) {
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
        ("a.mjs", "\u{20}\u{20}// What somebody calls", true, true),
        ("a.d.ts", "   * Called by EVERYBODY.", false, true),
        ("a.d.ts", "  /** What it means. */", true, false),
        ("a.js", " * Where it stands.", true, false),
        ("a.js", "*/", false, false),
        ("a.rs", "    * What(1)", false, false),
        ("a.js", "const NOBODY = 1", false, false),
        ("a.md", "It is for everybody.", false, true),
        ("a.md", "What a rule with *nobody* in it says", false, false),
    ] {
        assert_eq!((has_opening(file, line), has_pronoun(file, line)), (is_opening, is_pronoun), "{file}: {line}");
    }
}

/// The text of a line that is a comment as a whole.
fn comment<'a>(file: &str, line: &'a str) -> Option<&'a str> {
    let starts: &[_] = if extension(file) == "rs" { &["///", "//!", "//"] } else { &["//", "/**", "/*", "*"] };
    starts.iter().find_map(|start| line.trim_start().strip_prefix(start)).filter(|_| extension(file) != "md")
}

fn has_opening(file: &str, line: &str) -> bool {
    let text = comment(file, line).unwrap_or_default().trim_start();
    text.split(|c: char| !c.is_alphanumeric()).next().is_some_and(|word| OPENINGS.contains(&word))
}

fn has_pronoun(file: &str, line: &str) -> bool {
    let at_end = || line.split_once(" // ").map(|(_, comment)| comment);
    let text = if extension(file) == "md" { Some(line) } else { comment(file, line).or_else(at_end) };
    let text = text.unwrap_or_default().to_lowercase();
    let is_used = |word| PRONOUNS.contains(&word) && !text.contains(&format!("*{word}*"));
    text.split(|c: char| !c.is_alphanumeric()).any(is_used)
}

fn extension(file: &str) -> &str {
    file.rsplit('.').next().unwrap_or_default()
}
