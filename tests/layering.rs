//! Who may use which of our modules, and which crates a module must not touch. The sources are read as tokens, so that
//! comments and strings do not count while macro bodies do.

use std::{collections::HashMap, fs};

use proc_macro2::{
    Delimiter::{self, Brace, Bracket, Parenthesis},
    TokenStream, TokenTree,
};

use self::{
    Crates::{Not, Only},
    Token::{ForTests, Group, Mark, Path},
};

/// A module, the modules of ours it may use besides itself, and the crates besides the standard library.
type Row = (&'static str, &'static [&'static str], Crates);

enum Crates {
    Only(&'static [&'static str]),
    Not(&'static [&'static str]),
}

/// A name stands for all below it, and `dataverse::tables` is less than `dataverse`. A `*` is whatever comes there.
#[rustfmt::skip]
const TABLE: [Row; 12] = [
    ("error",     &[],                                     Only(&["thiserror"])),
    ("clock",     &["error"],                              Only(&["tokio::time", "rand"])),
    ("sync",      &[],                                     Only(&[])),
    ("progress",  &["sync"],                               Only(&["uuid"])),
    ("json",      &[],                                     Only(&["serde", "serde_json"])),
    ("domain",    &["error", "clock", "progress"],          Not(&["serde_json", "reqwest", "rusqlite", "napi*"])),
    ("session",   &["domain", "error"],               Not(&["reqwest", "rusqlite", "napi*"])),
    ("http",      &["error", "clock", "json", "progress", "sync"], Not(&["rusqlite", "napi*"])),
    ("dataverse", &["domain", "http", "error", "clock", "json"], Not(&["rusqlite", "napi*"])),
    ("embedded",  &["dataverse::tables", "dataverse::time", "domain", "error", "clock", "json", "sync"], Not(&["reqwest", "napi*"])),
    ("node",      &["*"],                                  Not(&[])),
    // The crate in emulator/. Its tests may use what is in its [dev-dependencies], as all tests may.
    ("emulator",  &[],                                     Not(&["reqwest", "rusqlite", "napi*"])),
];

#[test]
fn every_module_keeps_to_the_table() {
    let mut link = Package::new(&[], include_str!("../Cargo.toml"));
    let mut emulator = Package::new(&["emulator"], include_str!("../emulator/Cargo.toml"));
    for file in ["src", "emulator/src", "emulator/tests"].into_iter().flat_map(files) {
        let package = if file.starts_with("emulator") { &mut emulator } else { &mut link };
        package.read(&file, &fs::read_to_string(&file).unwrap());
    }
    for (module, ..) in TABLE {
        let is_there = link.modules.iter().chain(&emulator.modules).any(|there| there == module);
        assert!(is_there, "{module} has a row in TABLE, {}, but no source", file!());
    }
    let broken = [link.violations(), emulator.violations()].concat().join("\n");
    assert!(broken.is_empty(), "Who may use what is in TABLE, {}. These break it:\n{broken}\n", file!());
}

/// `===` names a file. A line is reported as its `//~` says, and the other lines only look like a violation.
const PLANTED: &str = r#"
=== src/domain/ids.rs
use crate::http::Call; //~ crate::http::Call: domain may use of ours [error, clock, progress]
use crate::{error::Code, domain::{store, ids::Id},
    http::X, //~ crate::http::X: domain may use of ours [error, clock, progress]
    r#http::{self}, }; //~ crate::http::self: domain may use of ours [error, clock, progress]
use crate::http as h; //~ crate::http: domain may use of ours [error, clock, progress]
use super::{store, super::{error, session::A}}; //~ super::super::session::A: domain may use of ours [error, clock, progress]
use crate as root; //~ crate: domain may use of ours [error, clock, progress]
use super::super::{*, error}; //~ super::super::*: domain may use of ours [error, clock, progress]
extern crate self as own; //~ crate: domain may use of ours [error, clock, progress]
fn f() { h::call(); crate::http::call() } //~ crate::http::call: domain may use of ours [error, clock, progress]
type A = Vec<super::super::http::A>; //~ super::super::http::A: domain may use of ours [error, clock, progress]
mod tests { use super::super::{super::clock, store};
    use super::super::super::http; } //~ super::super::super::http: domain may use of ours [error, clock, progress]
macro_rules! m { ($m:ident) => {
    $crate::http::X, //~ crate::http::X: domain may use of ours [error, clock, progress]
    $reqwest::X, crate::$m::X } } //~ crate::*: domain may use of ours [error, clock, progress]
tokio::select! { _ = a => { crate::http::call() } } //~ crate::http::call: domain may use of ours [error, clock, progress]
tokio::select! { _ = reqwest::get(url) => {} } //~ reqwest::get: domain must not touch reqwest
use reqwest::{self}; //~ reqwest::self: domain must not touch reqwest
use ::reqwest::Body; //~ ::reqwest::Body: domain must not touch reqwest
use reqwest as r; //~ reqwest: domain must not touch reqwest
extern crate reqwest as q; //~ ::reqwest: domain must not touch reqwest
fn f(client: &reqwest::Client) {} //~ reqwest::Client: domain must not touch reqwest
impl<T> reqwest::Body for A<T> {} //~ reqwest::Body: domain must not touch reqwest
impl ::reqwest::Body for A {} //~ ::reqwest::Body: domain must not touch reqwest
/// [`crate::http`] and reqwest::A
const A: &str = "crate::http"; /* use reqwest::B; */ use reqwest_like::B; // use reqwest::A;
fn f(a: A) { a.reqwest.get(); B { reqwest: 1 }; let rusqlite = a.reqwest::<u8>(); C::reqwest::f(); D::<u8>::reqwest() }
pub(in super::super) fn f() -> impl A + use<'_> {}
mod nested { mod rusqlite { fn f() {} } use self::rusqlite::f; fn g() { rusqlite::f() } }
mod nested_too { use super::A::rusqlite::{self, B}; fn g() { rusqlite::f() } }
use rusqlite::A; //~ rusqlite::A: domain must not touch rusqlite
use self::super::super::http::X; //~ self::super::super::http::X: domain may use of ours [error, clock, progress]
pub(super) use super::store::{Id, A as napi};
fn f() { napi::parse(); ::napi::f() } //~ ::napi::f: domain must not touch napi
=== src/session.rs
#[napi_derive::napi] //~ napi_derive::napi: session must not touch napi_derive
=== src/embedded.rs
use crate::dataverse::{tables::{self, Id}, Row}; //~ crate::dataverse::Row: embedded may use of ours [dataverse::tables, dataverse::time, domain, error, clock, json, sync]
use crate::dataverse; //~ crate::dataverse: embedded may use of ours [dataverse::tables, dataverse::time, domain, error, clock, json, sync]
mod http; use self::http::A;
mod tests { use super::{http::A, super::domain}; }
=== src/clock.rs
use tokio::{time, task::spawn}; //~ tokio::task::spawn: clock may use of crates [tokio::time, rand]
use tokio as t; //~ tokio: clock may use of crates [tokio::time, rand]
fn f() { A::<u8>::http(rand::random(), tokio::time::sleep(a), std::mem::take(b)) }
#[cfg(test)] mod tests; use insta::A; //~ insta::A: clock may use of crates [tokio::time, rand]
=== src/clock/tests.rs
use insta::A;
=== src/error.rs
#[cfg(test)] use insta::A; use insta::B; //~ insta::B: error may use of crates [thiserror]
#[cfg(test)] fn f(a: A) { insta::f() } use insta::B; //~ insta::B: error may use of crates [thiserror]
#[cfg(test)] mod tests { use super::*; #[tokio::test] fn f() {}
    use serde::A; //~ serde::A: error may use of crates [thiserror]
    use crate::clock; } //~ crate::clock: error may use of ours []
=== src/node/mod.rs
use crate::{*, http, session}; use napi_derive::napi;
=== src/metrics/mod.rs
mod a; //~ metrics: this module has no row
=== src/lib.rs
//! Docs of `crate::http`.
#![warn(unsafe_code)]
/// Docs.
#[cfg(test)] pub(crate) mod a;
pub use a::A; //~ use: only docs and `mod` lines here
mod b {} //~ mod: only docs and `mod` lines here
=== emulator/src/main.rs
use omnichannel_link_emulator::A; use crate::http::B;
use omnichannel_link::domain; //~ omnichannel_link::domain: emulator may use of ours []
use reqwest::A; //~ reqwest::A: emulator must not touch reqwest
=== emulator/tests/http.rs
use reqwest::Client; use omnichannel_link as link; //~ omnichannel_link: emulator may use of ours []
"#;

#[test]
fn planted_violations_are_reported_and_what_only_looks_like_one_is_not() {
    let ours = "[dependencies]\nhttp = 1\nnapi = 3\nnapi-derive.workspace = true\nrand = 1\nreqwest = 1\nrusqlite = 1\n\
        serde = 1\ntokio = 1\n[dev-dependencies]\n# Two.\ninsta = 1\ntokio = 1\n";
    let mut link = Package::new(&[], ours);
    let mut emulator = Package::new(&["emulator"], "[dependencies]\nhttp = 1\n[dev-dependencies]\nreqwest = 1\n");
    let mut expected = Vec::new();
    for (file, source) in PLANTED.split("\n=== ").filter_map(|planted| planted.split_once('\n')) {
        let package = if file.starts_with("emulator") { &mut emulator } else { &mut link };
        package.read(file, source);
        let marks = source.lines().zip(1..).filter_map(|(text, line)| Some((text.split_once("//~ ")?.1, line)));
        expected.extend(marks.map(|(mark, line)| format!("{file}:{line}: {mark}")));
    }
    let mut reported = [link.violations(), emulator.violations()].concat();
    expected.sort();
    reported.sort();
    assert_eq!(reported, expected);
}

/// One crate and what its sources name.
#[derive(Default)]
struct Package {
    /// The path that `crate` stands for. Below the emulator's, all is the emulator's own.
    root: Vec<String>,
    /// Its dependencies, and whether tests may use them anywhere.
    crates: HashMap<String, bool>,
    modules: Vec<String>,
    uses: Vec<Use>,
    /// Names bound in a module. They hide a crate of that name, and are judged where they are bound.
    bound: Vec<(Vec<String>, String)>,
    /// Modules in files of their own that are compiled for tests only.
    tests: Vec<Vec<String>>,
    broken: Vec<String>,
}

/// A path and where it stands. It begins with an empty name for a leading `::`; its last name may be `*`.
#[derive(Clone)]
struct Use {
    file: String,
    line: usize,
    module: Vec<String>,
    is_test: bool,
    path: Vec<String>,
}

impl Package {
    /// Knows only as much TOML as our manifests need.
    fn new(root: &[&str], manifest: &str) -> Self {
        let mut package = Self { root: root.iter().copied().map(String::from).collect(), ..Self::default() };
        let mut section = "";
        for line in manifest.lines() {
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_end_matches(']');
            } else if section.ends_with("dependencies") && line.starts_with(|first: char| first.is_ascii_alphabetic()) {
                assert!(!line.contains("package ="), "under another name a crate escapes TABLE: {line}");
                let name = line.split(['=', '.', ' ']).next().unwrap_or_default().replace('-', "_");
                *package.crates.entry(name).or_default() |= section == "dev-dependencies";
            }
        }
        package
    }

    #[expect(clippy::expect_used, reason = "a test's helper")]
    fn read(&mut self, file: &str, source: &str) {
        let (names, source) = file.strip_suffix(".rs").map_or((file, ""), |names| (names, source));
        let mut module: Vec<_> = names.split('/').filter(|name| *name != "src").map(String::from).collect();
        module.pop_if(|last| ["lib", "main", "mod"].contains(&last.as_str()));
        let tokens = lex(source.parse().expect(file));
        let Some(top) = module.first() else { return self.read_root(file, tokens) };
        if TABLE.iter().all(|row| row.0 != top) {
            self.broken.push(format!("{file}:1: {top}: this module has no row"));
        }
        self.modules.push(top.clone());
        let is_test = file.starts_with("emulator/tests/");
        self.walk(&tokens, &Use { file: file.into(), line: 1, module, is_test, path: Vec::new() });
    }

    fn read_root(&mut self, file: &str, mut tokens: Vec<Token>) {
        // Attributes, `pub` and its `(crate)`.
        tokens.retain(|token| !matches!(token, Mark('#' | '!') | ForTests | Group(Bracket | Parenthesis, _)));
        tokens.retain(|token| !matches!(token, Path(word, _) if *word == ["pub"]));
        for item in tokens.split(|token| matches!(token, Mark(';'))) {
            let [Path(word, line), rest @ ..] = item else { continue };
            if *word != ["mod"] || rest.len() > 1 {
                self.broken.push(format!("{file}:{line}: {}: only docs and `mod` lines here", word[0]));
            }
        }
    }

    /// `place` is where the tokens stand; its path does not matter.
    fn walk(&mut self, tokens: &[Token], place: &Use) {
        let mut here = place.clone();
        let mut rest = tokens;
        while let [first, after @ ..] = rest {
            rest = after;
            match (first, after) {
                (ForTests, _) => here.is_test = true,
                (Mark(';'), _) => here.is_test = place.is_test,
                // A macro's parameter names no crate; `$crate` does.
                (Mark('$'), [Path(path, _), behind @ ..]) if path[0] != "crate" => rest = behind,
                // `pub(in …)` uses nothing.
                (Group(Parenthesis, inner), _) if matches!(&inner[..], [Path(path, _), ..] if path[0] == "in") => {}
                (Group(delimiter, inner), _) => {
                    self.walk(inner, &here);
                    // A body ends the item that `#[cfg(test)]` is about, as a semicolon does.
                    here.is_test = if *delimiter == Brace { place.is_test } else { here.is_test };
                }
                // Not the `use<…>` of a bound.
                (Path(word, _), [next, ..]) if *word == ["use"] && !matches!(next, Mark('<')) => {
                    let end = after.iter().position(|token| matches!(token, Mark(';'))).unwrap_or(after.len());
                    self.import(&after[..end], &Use { path: Vec::new(), ..here.clone() });
                    rest = &after[end..];
                }
                (Path(word, _), [Path(name, _), body, behind @ ..]) if *word == ["mod"] => {
                    self.bound.push((here.module.clone(), name[0].clone()));
                    let inside = Use { module: [&here.module[..], name].concat(), ..here.clone() };
                    match body {
                        Group(_, body) => self.walk(body, &inside),
                        _ if here.is_test => self.tests.push(inside.module),
                        _ => {}
                    }
                    here.is_test = place.is_test;
                    rest = behind;
                }
                (Path(word, _), [Path(next, _), Path(name, line), ..]) if *word == ["extern"] && *next == ["crate"] => {
                    let path = if *name == ["self"] { next.clone() } else { vec![String::new(), name[0].clone()] };
                    self.uses.push(Use { line: *line, path, ..here.clone() });
                }
                // One name alone is a variable, or what comes behind `Vec::<u8>`.
                (Path(path, line), _) if path.iter().filter(|name| !name.is_empty()).count() > 1 => {
                    self.uses.push(Use { line: *line, path: path.clone(), ..here.clone() });
                }
                _ => {}
            }
        }
    }

    /// What a `use` names: all that `tree` branches to from the path of `stem`.
    fn import(&mut self, tree: &[Token], stem: &Use) {
        for branch in tree.split(|token| matches!(token, Mark(','))) {
            let mut leaf = stem.clone();
            match branch {
                [] => continue,
                [Path(path, line), ..] => (leaf.path.extend_from_slice(path), leaf.line = *line).0,
                [Mark('*')] => leaf.path.push("*".into()),
                _ => {}
            }
            if let [.., Group(_, inner)] = branch {
                leaf.path.pop_if(|last| last == "*");
                self.import(inner, &leaf);
            } else if let Some(last) = leaf.path.iter().rfind(|name| *name != "self") {
                let name = if let [_, _as, Path(name, _)] = branch { &name[0] } else { last };
                if leaf.path[0] != *name {
                    self.bound.push((leaf.module.clone(), name.clone()));
                }
                self.uses.push(leaf);
            }
        }
    }

    fn violations(&self) -> Vec<String> {
        self.broken.iter().cloned().chain(self.uses.iter().filter_map(|used| self.judge(used))).collect()
    }

    fn judge(&self, used: &Use) -> Option<String> {
        let (module, ours, crates) = TABLE.iter().find(|row| row.0 == used.module[0])?;
        let (is_ours, path) = self.resolve(used)?;
        let covers = |entry: &&str| match entry.strip_suffix('*') {
            Some(start) => path.join("::").starts_with(start),
            None => path.starts_with(&entry.split("::").collect::<Vec<_>>()),
        };
        let is_test = used.is_test || self.tests.iter().any(|tests| used.module.starts_with(tests));
        let rule = match crates {
            _ if is_ours && (path.first() == Some(module) || ours.iter().any(covers)) => return None,
            _ if is_ours => format!("may use of ours [{}]", ours.join(", ")),
            _ if is_test && self.crates[path[0]] => return None,
            Only(those) if !those.iter().any(covers) => format!("may use of crates [{}]", those.join(", ")),
            Not(those) if those.iter().any(covers) => format!("must not touch {}", path[0]),
            _ => return None,
        };
        Some(format!("{}:{}: {}: {module} {rule}", used.file, used.line, used.path.join("::")))
    }

    /// Whether it names something of ours or of a crate, and what. `None` for what is neither.
    fn resolve<'a>(&'a self, used: &'a Use) -> Option<(bool, Vec<&'a str>)> {
        let is_global = used.path[0].is_empty();
        let path = &used.path[usize::from(is_global)..];
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => &self.root[..],
            "self" => &used.module,
            "super" => &used.module[..used.module.len() - 1],
            _ if !is_global && self.bound.contains(&(used.module.clone(), first.clone())) => return None,
            "omnichannel_link" => &[],
            name if self.crates.contains_key(name) => return Some((false, path.iter().map(String::as_str).collect())),
            _ => return None,
        };
        let mut target: Vec<_> = start.iter().map(String::as_str).collect();
        for name in rest {
            if name == "super" {
                target.pop();
            } else {
                target.push(name);
            }
        }
        Some((true, target))
    }
}

enum Token {
    /// One name or more, and the line.
    Path(Vec<String>, usize),
    Mark(char),
    Group(Delimiter, Vec<Token>),
    /// The `[cfg(test)]` of an attribute.
    ForTests,
}

impl Token {
    /// Whether `::`, or else a name, continues it. A `::` behind a keyword begins a path.
    fn goes_on_with(&self, colons: bool) -> bool {
        let keywords = "as break const dyn else for if impl in match mut pub return use while";
        let Path(path, _) = self else { return false };
        path.ends_with(&["*".into()]) != colons && keywords.split(' ').all(|keyword| path[0] != keyword)
    }
}

fn lex(stream: TokenStream) -> Vec<Token> {
    let is = |token: &TokenTree, mark| matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark);
    let mut tokens: Vec<Token> = Vec::new();
    let mut stream = stream.into_iter().peekable();
    while let Some(token) = stream.next() {
        let line = token.span().start().line;
        let is_colons = is(&token, ':') && stream.next_if(|next| is(next, ':')).is_some();
        if is_colons && stream.peek().is_some_and(|next| is(next, '<')) {
            continue; // Vec::<u8>
        }
        let token = match token {
            // A `*` holds the place behind `::` until a name takes it. It stays in `crate::$name` and `crate::{…}`.
            token if is_colons || matches!(token, TokenTree::Ident(_)) => {
                let mut path = match tokens.pop_if(|last| last.goes_on_with(is_colons)) {
                    Some(Path(path, _)) => path,
                    _ => vec![String::new(); is_colons.into()],
                };
                path.pop_if(|last| last == "*");
                path.push(if is_colons { "*".into() } else { token.to_string().trim_start_matches("r#").into() });
                Path(path, line)
            }
            TokenTree::Group(group) if group.to_string().replace(' ', "") == "[cfg(test)]" => ForTests,
            TokenTree::Group(group) => Group(group.delimiter(), lex(group.stream())),
            TokenTree::Punct(mark) => Mark(mark.as_char()),
            _ => Mark('"'),
        };
        tokens.push(token);
    }
    tokens
}

/// All files below a folder, if it exists. Cargo runs tests at the package's root.
fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| format!("{folder}/{}", entry.file_name().display())).collect();
    names.sort();
    names
        .into_iter()
        .flat_map(|name| if fs::metadata(&name).is_ok_and(|entry| entry.is_dir()) { files(&name) } else { vec![name] })
        .collect()
}
