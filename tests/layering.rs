//! Which modules and crates each module may use, and no import circle among the files of a folder. Sources are read as tokens, so that
//! comments and strings do not count, and macro bodies do.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use self::Crates::{Not, Only};

/// A module, our modules that it may use besides itself, and the crates besides the standard library.
type Row = (&'static str, &'static [&'static str], Crates);

enum Crates {
    Only(&'static [&'static str]),
    Not(&'static [&'static str]),
}

/// An entry covers everything below it: `dataverse::tables` is less than `dataverse`. A `*` stands for any rest.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("error",     &[],                                     Only(&["thiserror"])),
    ("clock",     &["error"],                              Only(&["tokio::time", "rand"])),
    ("sync",      &[],                                     Only(&[])),
    ("progress",  &["sync"],                               Only(&["uuid"])),
    ("json",      &[],                                     Only(&["serde", "serde_json"])),
    ("domain",    &["error", "clock", "progress"],          Not(&["serde_json", "reqwest", "rusqlite", "napi*"])),
    ("session",   &["domain", "error"],               Not(&["reqwest", "rusqlite", "napi*"])),
    ("http",      &["error", "clock", "json", "progress", "sync"], Not(&["rusqlite", "napi*"])),
    ("dataverse", &["domain", "http", "error", "clock", "json", "sync"], Not(&["rusqlite", "napi*"])),
    ("embedded",  &["dataverse::tables", "dataverse::time", "domain", "error", "clock", "json", "sync"], Not(&["reqwest", "napi*"])),
    ("node",      &["*"],                                  Not(&[])),
    // The crate in emulator/. Tests may use its [dev-dependencies], as all tests may.
    ("emulator",  &[],                                     Not(&["reqwest", "rusqlite", "napi*"])),
];

const MANIFEST: &str = include_str!("../Cargo.toml");
const EMULATOR_MANIFEST: &str = include_str!("../emulator/Cargo.toml");

#[test]
fn every_module_keeps_to_the_table() {
    let mut sources = Sources::default();
    for file in ["src", "emulator/src", "emulator/tests"].into_iter().flat_map(files) {
        sources.read(&file, &fs::read_to_string(&file).unwrap());
    }
    for (module, ..) in TABLE {
        assert!(sources.files.iter().any(|file| file[0] == *module), "{module} has a row in TABLE, but no source");
    }
    let broken = [sources.violations(), sources.circles()].concat().join("\n");
    assert!(broken.is_empty(), "TABLE in {} states who may use what. These break it:\n{broken}\n", file!());
}

/// `===` names a file. Each `//~` states what is reported of its line. The other lines only look like violations.
const PLANTED: &str = include_str!("layering/planted.txt");

const PLANTED_CIRCLES: [&str; 2] = [
    "http has a circle: gate -> slots, network -> trust, slots -> trust, trust -> gate, trust -> network",
    "http has a circle: mod -> retry, retry -> mod",
];

#[test]
fn planted_violations_are_reported_and_lookalikes_are_not() {
    let (mut sources, mut expected) = (Sources::default(), Vec::new());
    for (file, source) in PLANTED.split("=== ").filter_map(|planted| planted.split_once('\n')) {
        sources.read(file, source);
        let marks = source.lines().zip(1..).filter_map(|(text, line)| Some((text.split_once("//~ ")?.1, line)));
        expected.extend(marks.map(|(mark, line)| format!("{file}:{line}: {mark}")));
    }
    // Without the list of what is allowed.
    let violations = sources.violations();
    let mut reported: Vec<_> = violations.iter().filter_map(|violation| violation.split(" [").next()).collect();
    expected.sort();
    reported.sort_unstable();
    assert_eq!(reported, expected);
    assert_eq!(sources.circles(), PLANTED_CIRCLES);
}

/// A path where it stands. Its first name is empty for a leading `::`.
struct Use {
    file: String,
    line: usize,
    module: Vec<String>,
    is_test: bool,
    is_reexport: bool,
    path: Vec<String>,
    /// The name that an import gives it.
    name: Option<String>,
}

/// The paths in all sources, and what breaks a rule by itself.
#[derive(Default)]
struct Sources {
    /// The modules that have a file.
    files: BTreeSet<Vec<String>>,
    uses: Vec<Use>,
    broken: Vec<String>,
}

impl Sources {
    fn read(&mut self, file: &str, source: &str) {
        let names = file.strip_suffix(".rs").unwrap_or_default().split('/').filter(|name| *name != "src");
        let mut module: Vec<_> = names.map(String::from).collect();
        module.pop_if(|last| ["lib", "main", "mod"].contains(&last.as_str()));
        let Some(top) = module.first() else {
            let allowed = |line: &str| ["//", "#", "mod ", "pub mod "].iter().any(|start| line.starts_with(start));
            let others = source.lines().zip(1..).filter(|(line, _)| !line.is_empty() && !allowed(line));
            let others = others.map(|(_, number)| format!("{file}:{number}: only docs and `mod` lines here"));
            return self.broken.extend(others);
        };
        if TABLE.iter().all(|row| row.0 != top) {
            self.broken.push(format!("{file}:1: {top}: this module has no row"));
        }
        let mut tokens = Vec::new();
        flatten(source.parse().expect(file), &mut tokens);
        self.walk(file, &module, &tokens);
        self.files.insert(module);
    }

    fn walk(&mut self, file: &str, module: &[String], tokens: &[(String, usize)]) {
        let words: Vec<_> = tokens.iter().map(|(word, _)| word.as_str()).collect();
        let in_tests = file.starts_with("emulator/tests/") || module.last().is_some_and(|name| name == "tests");
        let (mut depth, mut inline, mut test_item) = (0, Vec::new(), None);
        let mut at = 0;
        while at < words.len() {
            let (start, before) = (at, if at == 0 { "" } else { words[at - 1] });
            let mut found = Vec::new();
            at += 1;
            match &words[start..] {
                ["#", "[", "cfg", "(", "test", ")", "]", ..] => test_item = test_item.or(Some(depth)),
                ["{", ..] => depth += 1,
                ["}", ..] => {
                    depth -= 1;
                    inline.pop_if(|(_, outside)| *outside == depth);
                    test_item.take_if(|outside| *outside == depth);
                }
                [";", ..] => drop(test_item.take_if(|outside| *outside == depth)),
                ["pub", "(", "in", path @ ..] => at += 2 + path.iter().take_while(|word| **word != ")").count(),
                ["mod", name, "{", ..] => inline.push(((*name).to_owned(), depth)),
                ["use", next, ..] if *next != "<" => import(&words, &mut at, &[], &mut found),
                ["extern", "crate", name, ..] => found.push((vec![(*name).to_owned()], None, at)),
                // Neither a field nor the rest of a generic path, nor a parameter of a macro.
                [word, ..] if ![".", "::"].contains(&before) && (before != "$" || *word == "crate") => {
                    let is_global = *word == "::" && before != ">";
                    let mut path = vec![if is_global { String::new() } else { (*word).to_owned() }];
                    at -= usize::from(is_global);
                    while let ["::", name, ..] = words[at..]
                        && is_name(name)
                        && (is_global || is_name(word) && !BEFORE_A_PATH.contains(word))
                    {
                        path.push(name.to_owned());
                        at += 2;
                    }
                    at = at.max(start + 1);
                    if path.len() > 1 {
                        found.push((path, None, start));
                    }
                }
                _ => {}
            }
            for (path, name, token) in found {
                let module = module.iter().chain(inline.iter().map(|(name, _)| name)).cloned().collect();
                let (is_test, is_reexport) = (in_tests || test_item.is_some(), ["pub", ")"].contains(&before));
                let (file, line) = (file.to_owned(), tokens[token].1);
                self.uses.push(Use { file, line, module, is_test, is_reexport, path, name });
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
            None => path.iter().map(String::as_str).take(entry.split("::").count()).eq(entry.split("::")),
        };
        let rule = match crates {
            _ if is_ours && (path.first().is_some_and(|first| first == module) || ours.iter().any(covers)) => {
                return None;
            }
            _ if is_ours => format!("may use of ours [{}]", ours.join(", ")),
            _ if used.is_test && is_dev_dependency(module, &path[0]) => return None,
            Only(those) if !those.iter().any(covers) => format!("may use of crates [{}]", those.join(", ")),
            Not(those) if those.iter().any(covers) => format!("must not touch {}", path[0]),
            _ => return None,
        };
        Some(format!("{}:{}: {}: {module} {rule}", used.file, used.line, used.path.join("::")))
    }

    /// The full path, and whether it is ours or a crate's. `None` if it is neither.
    fn resolve(&self, used: &Use) -> Option<(bool, Vec<String>)> {
        let is_global = used.path[0].is_empty();
        let path = &used.path[usize::from(is_global)..];
        let mut target = match path[0].as_str() {
            "crate" if used.module[0] == "emulator" => vec!["emulator".to_owned()],
            "crate" | "omnichannel_link" => Vec::new(),
            "self" => used.module.clone(),
            "super" => used.module[..used.module.len() - 1].to_vec(),
            name if !is_global && self.files.contains(&[&used.module[..], &[name.to_owned()]].concat()) => {
                [&used.module[..], &[name.to_owned()]].concat()
            }
            name if declares(MANIFEST, name) || declares(EMULATOR_MANIFEST, name) => {
                return Some((false, path.to_vec()));
            }
            _ => return None,
        };
        for name in &path[1..] {
            match name.as_str() {
                "super" => drop(target.pop()),
                "self" => {}
                _ => target.push(name.clone()),
            }
        }
        Some((true, target))
    }

    /// Import circles among the files and folders of each folder. Imports in tests and re-exports do not count.
    fn circles(&self) -> Vec<String> {
        let mut imported = HashMap::new();
        for used in &self.uses {
            if let (Some(name), Some((true, target))) = (&used.name, self.resolve(used)) {
                imported.insert([&used.module[..], std::slice::from_ref(name)].concat(), target);
            }
        }
        // The module that defines what a path names, also if another module imports it from there.
        let owner = |mut path: Vec<String>| {
            // Bounded, because two modules may import a name from each other.
            for _ in 0..8 {
                let Some(length) = (1..=path.len()).find(|length| imported.contains_key(&path[..*length])) else {
                    break;
                };
                path = [&imported[&path[..length]], &path[length..]].concat();
            }
            while !path.is_empty() && !self.files.contains(&path) {
                path.pop();
            }
            path
        };
        let mut uses = BTreeMap::<_, BTreeMap<_, BTreeSet<_>>>::new();
        for used in self.uses.iter().filter(|used| used.module[0] != "emulator" && !used.is_test && !used.is_reexport) {
            let Some((true, target)) = self.resolve(used) else { continue };
            let (from, to) = (owner(used.module.clone()), owner(target));
            let shared = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
            let file = |path: &[String]| path.get(shared).map_or("mod", String::as_str).to_owned();
            // Between the folders of src/ TABLE decides.
            if from != to && shared > 0 {
                uses.entry(from[..shared].join("/")).or_default().entry(file(&from)).or_default().insert(file(&to));
            }
        }
        let mut circles = BTreeSet::new();
        for (folder, files) in &uses {
            let reached = |from: &String| {
                let mut reached = files.get(from).cloned().unwrap_or_default();
                loop {
                    let more: Vec<_> = reached.iter().filter_map(|file| files.get(file)).flatten().cloned().collect();
                    let before = reached.len();
                    reached.extend(more);
                    if reached.len() == before {
                        return reached;
                    }
                }
            };
            for file in files.keys() {
                let circle: Vec<_> = reached(file).into_iter().filter(|other| reached(other).contains(file)).collect();
                let inside =
                    |from| files[from].iter().filter(|to| circle.contains(to)).map(move |to| format!("{from} -> {to}"));
                let uses: Vec<_> = circle.iter().flat_map(inside).collect();
                if !uses.is_empty() {
                    circles.insert(format!("{folder} has a circle: {}", uses.join(", ")));
                }
            }
        }
        circles.into_iter().collect()
    }
}

/// Reads as much TOML as our manifests need.
fn declares(manifest: &str, name: &str) -> bool {
    let mut keys = manifest.lines().filter_map(|line| line.split(['=', '.', ' ']).next());
    keys.any(|key| key.replace('-', "_") == name)
}

fn is_dev_dependency(module: &str, name: &str) -> bool {
    let manifest = if module == "emulator" { EMULATOR_MANIFEST } else { MANIFEST };
    let section = manifest.split("\n[").find(|section| section.starts_with("dev-dependencies]"));
    section.is_some_and(|section| declares(section, name))
}

/// Keywords after which a leading `::` may stand.
const BEFORE_A_PATH: [&str; 9] = ["as", "break", "dyn", "else", "for", "impl", "in", "mut", "return"];

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The paths of a `use`, their names, and the indices of their last tokens.
fn import(words: &[&str], at: &mut usize, stem: &[String], found: &mut Vec<(Vec<String>, Option<String>, usize)>) {
    let mut path = stem.to_vec();
    let mut name = None;
    loop {
        match words[*at] {
            "::" if path.is_empty() => path.push(String::new()),
            "::" => {}
            "as" => {
                *at += 1;
                name = Some(words[*at].to_owned());
            }
            "{" => {
                while words[*at] != "}" {
                    *at += 1;
                    import(words, at, &path, found);
                }
                *at += 1;
                return;
            }
            "," | "}" | ";" => {
                if path.len() > stem.len() {
                    let last = path.iter().rfind(|name| *name != "self").cloned();
                    found.push((path, name.or(last), *at - 1));
                }
                return;
            }
            word => path.push(word.to_owned()),
        }
        *at += 1;
    }
}

/// The tokens in one list, with their lines. Literals are left out.
fn flatten(stream: TokenStream, tokens: &mut Vec<(String, usize)>) {
    let mut stream = stream.into_iter();
    while let Some(token) = stream.next() {
        let (start, end) = (token.span().start().line, token.span().end().line);
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                tokens.push((open.into(), start));
                flatten(group.stream(), tokens);
                tokens.push((close.into(), end));
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' && mark.spacing() == Spacing::Joint => {
                stream.next();
                tokens.push(("::".into(), start));
            }
            TokenTree::Punct(mark) => tokens.push((mark.as_char().into(), start)),
            TokenTree::Ident(name) => tokens.push((name.to_string().trim_start_matches("r#").into(), start)),
            TokenTree::Literal(_) => {}
        }
    }
}

/// All files below a folder, if it exists. Cargo runs tests at the package's root.
fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| format!("{folder}/{}", entry.file_name().display()));
    names.flat_map(|name| if fs::metadata(&name).unwrap().is_dir() { files(&name) } else { vec![name] }).collect()
}
