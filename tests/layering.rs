//! Which modules and crates each module may use, and no import circle among the files of a folder. A re-export counts as a use.
//!
//! Sources are read as tokens, so that comments and strings do not count, and macro bodies do. Code under `#[cfg(test)]` is left out.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "support/files.rs"]
mod files;

use std::{collections::BTreeSet, fs};

use proc_macro2::{Punct, Spacing, TokenStream, TokenTree};

/// A module, our modules that it may use besides itself, and the crates that it may use besides the standard library.
type Row = (&'static str, &'static [&'static str], &'static str, &'static [&'static str]);

/// An entry covers everything below it: `dataverse::tables` is less than `dataverse`.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("lib",       &[],                                                   "only", &["mimalloc"]),
    ("error",     &[],                                                   "only", &["thiserror"]),
    ("clock",     &["error"],                                            "only", &["tokio::time", "rand"]),
    ("sync",      &[],                                                   "only", &[]),
    ("progress",  &["sync"],                                             "only", &["uuid"]),
    ("json",      &[],                                                   "only", &["serde", "serde_json"]),
    ("domain",    &["error", "clock", "progress"],                       "except", &["serde_json", "hyper", "rusqlite", "napi", "napi_derive"]),
    ("session",   &["domain", "error"],                                  "except", &["hyper", "rusqlite", "napi", "napi_derive"]),
    ("http",      &["error", "clock", "json", "progress", "sync"],       "except", &["rusqlite", "napi", "napi_derive"]),
    ("dataverse", &["domain", "http", "error", "clock", "json", "sync"], "except", &["rusqlite", "napi", "napi_derive"]),
    ("embedded",  &["dataverse::tables", "dataverse::time", "domain", "error", "clock", "json", "sync"], "except", &["hyper", "napi", "napi_derive"]),
    ("node",      &["dataverse", "embedded", "http", "session", "domain", "error", "clock", "json", "sync"], "except", &[]),
    // The crate in emulator/.
    ("emulator",  &[],                                                   "except", &["reqwest", "rusqlite", "napi", "napi_derive"]),
];

#[test]
fn every_module_keeps_to_the_table() {
    let mut sources = Sources::default();
    for file in ["src", "emulator/src"].into_iter().flat_map(files::files) {
        sources.read(&file, &fs::read_to_string(&file).unwrap());
    }
    for (module, ..) in &TABLE[1..] {
        assert!(sources.files.iter().any(|file| file.starts_with(&[(*module).into()])), "{module} has no source");
    }
    let broken = sources.violations().join("\n");
    assert!(broken.is_empty(), "TABLE in {} states who may use what. These break it:\n{broken}\n", file!());
}

#[test]
fn planted_violations_are_reported_and_lookalikes_are_not() {
    let (mut sources, mut expected) = (Sources::default(), BTreeSet::new());
    // `===` names a file. Each `//~` states what is reported of its line. The other lines only look like violations.
    for (file, source) in include_str!("layering/planted.txt").split("=== ").filter_map(|file| file.split_once('\n')) {
        sources.read(file, source);
        let marks = source.lines().zip(1..).filter_map(|(text, line)| Some((text.split_once("//~ ")?.1, line)));
        expected.extend(marks.map(|(mark, line)| format!("{file}:{line}: {mark}")));
    }
    let without_list = |violation: &String| violation.split(" [").next().map(String::from);
    let reported: BTreeSet<_> = sources.violations().iter().filter_map(without_list).collect();
    assert_eq!(reported, expected);
}

/// A path in a source.
struct Use {
    /// File, line and path.
    place: String,
    module: Vec<String>,
    path: Vec<String>,
}

#[derive(Default)]
struct Sources {
    /// The modules that have a file.
    files: BTreeSet<Vec<String>>,
    uses: Vec<Use>,
}

impl Sources {
    fn read(&mut self, file: &str, source: &str) {
        let names = file.strip_suffix(".rs").expect(file).split('/').filter(|name| *name != "src");
        let mut module: Vec<_> = names.map(String::from).collect();
        module.pop_if(|last| ["lib", "main"].contains(&last.as_str()));
        if module.last().is_none_or(|last| last != "tests") {
            self.walk((file, &module), false, &[], source.parse().expect(file));
            self.files.insert(module);
        }
    }

    /// Collects all paths. In a `use`, `stem` is the path before a brace.
    fn walk(&mut self, at: (&str, &[String]), is_use: bool, stem: &[String], tokens: TokenStream) {
        let mut path = stem.to_vec();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let line = token.span().start().line;
            match token {
                TokenTree::Ident(word) => match word.to_string().trim_start_matches("r#") {
                    // `pub(in path)` uses nothing.
                    "pub" => drop(tokens.next_if(|next| matches!(next, TokenTree::Group(_)))),
                    "use" if tokens.peek().is_none_or(|next| next.to_string() != "<") => {
                        let tree = tokens.by_ref().take_while(|token| token.to_string() != ";").collect();
                        self.walk(at, true, &[], tree);
                    }
                    "as" if is_use => drop(tokens.next()),
                    word => path.push(word.to_owned()),
                },
                TokenTree::Punct(mark) if mark.as_char() == '*' && !path.is_empty() => path.push("*".into()),
                TokenTree::Group(group) if path.len() > stem.len() => {
                    self.walk(at, is_use, &path, group.stream());
                    path.truncate(stem.len());
                }
                TokenTree::Group(group) if group.to_string().replace(' ', "") == "[cfg(test)]" => {
                    // Up to the end of the item.
                    tokens.by_ref().find(|token| token.to_string().ends_with(['}', ';']));
                }
                TokenTree::Group(group) => self.walk(at, false, &[], group.stream()),
                _ => {}
            }
            let is_colon = |mark: &Punct| mark.as_char() == ':' && mark.spacing() == Spacing::Joint;
            if tokens.next_if(|next| matches!(next, TokenTree::Punct(mark) if is_colon(mark))).is_some() {
                tokens.next();
            } else if path.len() > stem.len() {
                // A single name may be anything, except in a `use`.
                if is_use || path.len() > 1 {
                    let (place, module) = (format!("{}:{line}: {}", at.0, path.join("::")), at.1.to_vec());
                    self.uses.push(Use { place, module, path: path.clone() });
                }
                path.truncate(stem.len());
            }
        }
    }

    /// The full path, and whether it is ours or a crate's. `None` if it is neither.
    fn resolve(&self, used: &Use) -> Option<(bool, Vec<String>)> {
        let child = [&used.module[..], &used.path[..1]].concat();
        let mut target = match used.path[0].as_str() {
            "crate" if used.place.starts_with("emulator/") => vec!["emulator".to_owned()],
            "crate" | "omnichannel_link" => Vec::new(),
            "self" => used.module.clone(),
            "super" => used.module[..used.module.len().saturating_sub(1)].to_vec(),
            _ if self.files.contains(&child) => child,
            name if is_dependency(name) => return Some((false, used.path.clone())),
            _ => return None,
        };
        for name in used.path[1..].iter().filter(|name| *name != "self") {
            match name.as_str() {
                "super" => drop(target.pop()),
                name => target.push(name.to_owned()),
            }
        }
        Some((true, target))
    }

    fn violations(&self) -> Vec<String> {
        self.uses.iter().filter_map(|used| self.violation(used)).chain(self.circles()).collect()
    }

    fn violation(&self, used: &Use) -> Option<String> {
        let top = used.module.first().map_or("lib", String::as_str);
        let (is_ours, target) = self.resolve(used)?;
        let Some((_, ours, rule, crates)) = TABLE.iter().find(|row| row.0 == top) else {
            return Some(format!("{}: {top} has no row", used.place));
        };
        let target = target.join("::") + "::";
        let covers = |entry: &&str| target.starts_with(&format!("{entry}::"));
        let (kind, rule, list) = if is_ours { ("modules", "only", ours) } else { ("crates", *rule, crates) };
        let is_allowed = is_ours && covers(&top) || list.iter().any(covers) == (rule == "only");
        (!is_allowed).then(|| format!("{}: {top} may use {kind} {rule} {list:?}", used.place))
    }

    /// The uses that are part of an import circle among the files and folders of one folder.
    fn circles(&self) -> Vec<String> {
        let mut edges = Vec::new();
        for used in &self.uses {
            let Some((true, mut target)) = self.resolve(used) else { continue };
            while !target.is_empty() && !self.files.contains(&target) {
                target.pop();
            }
            let shared = used.module.iter().zip(&target).take_while(|(from, to)| from == to).count();
            // Between the folders of src/ TABLE decides.
            if used.module != target && shared > 0 {
                let file = |path: &[String]| path[..path.len().min(shared + 1)].join("::");
                edges.push((file(&used.module), file(&target), used));
            }
        }
        // A file that uses nothing or that nothing uses is in no circle. Without it, the same may be true of others.
        let mut before = usize::MAX;
        while edges.len() < before {
            before = edges.len();
            let all = edges.iter().map(|(from, to, _)| (from.clone(), to.clone()));
            let (users, used): (BTreeSet<_>, BTreeSet<_>) = all.unzip();
            edges.retain(|(from, to, _)| used.contains(from) && users.contains(to));
        }
        edges.into_iter().map(|(from, to, used)| format!("{}: circle with {from} -> {to}", used.place)).collect()
    }
}

fn is_dependency(name: &str) -> bool {
    let manifests =
        [include_str!("../Cargo.toml"), include_str!("../bench/Cargo.toml"), include_str!("../emulator/Cargo.toml")];
    let mut keys = manifests.iter().flat_map(|text| text.lines()).filter_map(|line| line.split([' ', '.']).next());
    keys.any(|key| key.replace('-', "_") == name)
}
