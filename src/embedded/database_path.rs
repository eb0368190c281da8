//! Paths to database files. Names with a special meaning to SQLite, a shell or a URL parser are rejected instead of taken literally: a file
//! called `:memory:` or a folder called `~` is certainly not intended.

use std::{
    path::{PathBuf, absolute, is_separator},
    str::FromStr,
};

use super::files::{JOURNAL, SHM, WAL};

/// An absolute path to a file, so that a later change of the working directory does not change the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabasePath(PathBuf);

/// The reason why a string is not such a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a path to a file ({reason})")]
pub struct UnusablePath {
    reason: String,
    hint: &'static str,
}

const NAME_A_FILE: &str = "Name a file, such as omnichannel-link.db.";
const IN_MEMORY: &str = "The store is a file, because a promise resolves only when its write is on the disk. For a test, use a file \
                         in a folder of fs.mkdtempSync(path.join(os.tmpdir(), 'links-')).";
const PLAIN_PATH: &str = "Give a plain path; fileURLToPath() of node:url converts a file: URL.";
const ENVIRONMENT: &str = "The URL of a Dataverse environment belongs in the option `url`.";
const HOME: &str = "Only a shell expands it; in code, use path.join(os.homedir(), 'omnichannel-link.db').";
const VARIABLE: &str = "Only a shell expands it; in code, use process.env.";
const NO_LOG: &str = "SQLite keeps files of that name beside a database. Name the database itself.";

/// Schemes of URLs and of connection strings that name SQLite files.
const SCHEMES: [&str; 4] = ["file", "jdbc", "sqlite", "sqlite3"];

impl UnusablePath {
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.hint
    }
}

impl From<DatabasePath> for PathBuf {
    fn from(path: DatabasePath) -> Self {
        path.0
    }
}

impl FromStr for DatabasePath {
    type Err = UnusablePath;

    fn from_str(text: &str) -> Result<Self, UnusablePath> {
        if let Some((reason, hint)) = special(text) {
            return Err(UnusablePath { reason: reason.to_owned(), hint });
        }
        let unusable = |error: std::io::Error| UnusablePath { reason: error.to_string(), hint: NAME_A_FILE };
        absolute(text).map(Self).map_err(unusable)
    }
}

/// If the string is not a plain path to a file: the reason, and a hint.
fn special(text: &str) -> Option<(&'static str, &'static str)> {
    if text.is_empty() {
        return Some(("it is empty", NAME_A_FILE));
    }
    if text.chars().any(char::is_control) {
        return Some(("it holds a control character, such as a line break or a zero byte", NAME_A_FILE));
    }
    if text.trim() != text {
        return Some(("it begins or ends with white space", NAME_A_FILE));
    }
    if text.starts_with(':') {
        return Some(("names that begin with a colon have a special meaning to SQLite", IN_MEMORY));
    }
    if let Some((scheme, rest)) = text.split_once(':') {
        let scheme = scheme.to_ascii_lowercase();
        if ["http", "https"].contains(&scheme.as_str()) {
            return Some(("it is a URL", ENVIRONMENT));
        }
        let is_scheme =
            scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if SCHEMES.contains(&scheme.as_str()) || is_scheme && rest.starts_with("//") {
            return Some(("it is a URL", PLAIN_PATH));
        }
    }
    let names: Vec<_> = text.split(is_separator).collect();
    if let [first, .., last] | [first @ last] = names[..] {
        let has_more = names.len() > 1;
        if first == "~" || first.starts_with('~') && has_more {
            return Some(("~ does not mean the home folder here", HOME));
        }
        let is_variable =
            |name: &str| name.starts_with('$') || name.len() > 2 && name.starts_with('%') && name.ends_with('%');
        if is_variable(first) && has_more {
            return Some(("variables of the environment are not expanded here", VARIABLE));
        }
        if ["", ".", ".."].contains(&last) {
            return Some(("it names a folder", NAME_A_FILE));
        }
        if [WAL, SHM, JOURNAL].iter().any(|suffix| last.ends_with(suffix)) {
            return Some(("it names a file that SQLite keeps beside a database", NO_LOG));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_names_are_rejected_with_a_hint() {
        for (text, reason, hint) in [
            ("", "empty", "Name a file"),
            (" ", "white space", "Name a file"),
            ("links.db ", "white space", "Name a file"),
            ("links.db\n", "control character", "Name a file"),
            ("links\0.db", "zero byte", "Name a file"),
            (":memory:", "colon", "mkdtempSync"),
            (":MEMORY:", "colon", "mkdtempSync"),
            (":memory:?cache=shared", "colon", "mkdtempSync"),
            ("file:links.db", "URL", "fileURLToPath"),
            ("FILE:///tmp/links.db", "URL", "fileURLToPath"),
            ("file::memory:?cache=shared", "URL", "fileURLToPath"),
            ("file:", "URL", "fileURLToPath"),
            ("sqlite://links.db", "URL", "fileURLToPath"),
            ("sqlite:links.db", "URL", "fileURLToPath"),
            ("jdbc:sqlite:links.db", "URL", "fileURLToPath"),
            ("smb://server/links.db", "URL", "fileURLToPath"),
            ("https://contoso.crm4.dynamics.com", "URL", "option `url`"),
            ("~", "home folder", "os.homedir()"),
            ("~/links.db", "home folder", "os.homedir()"),
            ("~agent/links.db", "home folder", "os.homedir()"),
            ("$HOME/links.db", "variables", "process.env"),
            ("${HOME}/links.db", "variables", "process.env"),
            ("%APPDATA%/links.db", "variables", "process.env"),
            ("/", "folder", "Name a file"),
            ("/tmp/", "folder", "Name a file"),
            (".", "folder", "Name a file"),
            ("..", "folder", "Name a file"),
            ("data/.", "folder", "Name a file"),
            ("data/..", "folder", "Name a file"),
            ("links.db-wal", "keeps beside", "database itself"),
            ("/tmp/links.db-shm", "keeps beside", "database itself"),
            ("links.db-journal", "keeps beside", "database itself"),
        ] {
            let error = text.parse::<DatabasePath>().unwrap_err();
            assert!(
                error.to_string().starts_with("expected a path to a file (") && error.to_string().contains(reason),
                "{text:?}: {error}"
            );
            assert!(error.hint().contains(hint), "{text:?}: {}", error.hint());
        }
    }

    #[test]
    fn other_names_are_accepted_unchanged() {
        let here = std::env::current_dir().unwrap();
        for text in [
            "links.db",
            "links",
            "data/links.db",
            "./~/links.db",
            "~links.db",
            "$links.db",
            "%links%.db",
            "100%/links.db",
            "li:nks.db",
            "memory",
            "links #1?mode=memory.db",
            "Größe/链接.db",
            "links.db-wal.db",
            "..db",
            "a b/c d.db",
            "-wal/links.db",
        ] {
            assert_eq!(
                text.parse::<DatabasePath>().map(PathBuf::from),
                Ok(absolute(here.join(text)).unwrap()),
                "{text}"
            );
        }
    }
}
