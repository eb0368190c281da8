//! What an examination of a store found: one check per thing that links rest on.

use std::time::Duration;

use super::store::StoreName;
use crate::error::{Code, LinkError};

/// Builds [`CheckName`] and what each check means from one table.
macro_rules! checks {
    ($( $(#[$doc:meta])+ $variant:ident = $text:literal, $passed:literal, $failed:literal; )+) => {
        /// What is looked at. Each variant names its `name` in JavaScript.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum CheckName { $( $(#[$doc])+ $variant, )+ }

        impl CheckName {
            /// All of them, in the order in which they are made.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// The `name` that JavaScript sees.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }

            const fn meanings(self) -> (&'static str, &'static str) {
                match self { $( Self::$variant => ($passed, $failed), )+ }
            }
        }
    };
}

checks! {
    /// `proxy`: which one the way goes through.
    Proxy = "proxy", "Every request takes this way.", "No request reaches the server.";
    /// `dns`: whether the server's name has an address.
    Dns = "dns", "The server can be found.", "The server cannot be found, so every call fails.";
    /// `tls`: whose certificate the server shows, and whether it is trusted.
    Tls = "tls", "The server is who it says it is, and nobody reads along but who issued this certificate.",
        "No connection comes about, so every call fails.";
    /// `token`: whether the credential gives one, and for what.
    Token = "token", "The client can say who is calling.", "The server will not know who is calling, so every call fails.";
    /// `whoAmI`: who the token is, to the environment.
    WhoAmI = "whoAmI", "The environment knows the caller: links are made in this user's name.",
        "The environment does not answer the caller, so every call fails.";
    /// `clockSkew`: whether this machine and the server agree on the time.
    ClockSkew = "clockSkew", "Tokens are good for as long as they say.",
        "Tokens count as expired, or as not good yet, and certificates likewise.";
    /// `latency`: how long a round trip takes.
    Latency = "latency", "A link costs two of these round trips, one if the client knows the conversation already.",
        "Nothing reliable can be said about how long a link takes.";
    /// `table`: whether there are conversations, under the names that are used.
    Table = "table", "Conversations are where this client looks for them.",
        "Conversations are not where this client looks for them, so every call fails.";
    /// `concurrency`: whether the table checks versions.
    Concurrency = "concurrency", "This is how a link is kept from overwriting another writer's.",
        "Every write is refused, because it depends on the row's version.";
    /// `navigation`: whether the properties by which records are linked are there, spelled exactly so.
    Navigation = "navigation", "Accounts, contacts and cases are linked through these properties.",
        "What would go through a missing property cannot be linked or unlinked.";
    /// `privileges`: whether the caller may do what links need.
    Privileges = "privileges", "The caller may link and unlink, unless access to a single row is missing.",
        "Calls that need a missing privilege fail with FORBIDDEN.";
    /// `limits`: what the server said of its limits.
    Limits = "limits", "This is what the server grants this user, in any five minutes.",
        "Nothing can be said about the server's limits.";

    /// `file`: whether the embedded store's file is there.
    File = "file", "Links are kept in this file; where there is none, the first import creates it.",
        "There is no place for the file, so nothing can be imported or linked.";
    /// `database`: whether it is a database of this package.
    Database = "database", "This version of the package can read and write the file.",
        "This version of the package does not touch the file, so every call fails.";
    /// `integrity`: whether it is undamaged.
    Integrity = "integrity", "The file is sound.", "What was linked may be lost, and calls fail at random.";
    /// `writable`: whether it can be written now.
    Writable = "writable", "Links can be written.", "Links and unlinks fail; nothing is lost.";
    /// `contents`: what is in it.
    Contents = "contents", "Only these conversations can be linked. A dangling link holds a record that was not imported.",
        "Nothing can be said about what can be linked.";
}

/// What came of a check. The texts hold no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// In order; what was seen.
    Passed(String),
    /// A link or unlink would fail.
    Failed {
        /// What was seen.
        found: String,
        /// What to do about it.
        fix: String,
        /// Of the error that a link would meet.
        code: Code,
    },
    /// Not looked at, and why: what it rests on failed, or it does not apply here.
    Skipped(String),
}

impl From<LinkError> for Finding {
    fn from(error: LinkError) -> Self {
        let unknown =
            || "If it stays so, show `found` to whoever runs the server, or the network on the way to it.".into();
        let fix = error.details().hint.clone().unwrap_or_else(unknown);
        Self::Failed { found: error.message().to_owned(), fix, code: error.code() }
    }
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: CheckName,
    /// What came of it.
    pub finding: Finding,
    /// How long it took.
    pub duration: Duration,
}

impl Check {
    /// `passed`, `failed` or `skipped`.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self.finding {
            Finding::Passed(_) => "passed",
            Finding::Failed { .. } => "failed",
            Finding::Skipped(_) => "skipped",
        }
    }

    /// What was seen, or why nothing was looked at.
    #[must_use]
    pub fn found(&self) -> &str {
        match &self.finding {
            Finding::Passed(found) | Finding::Failed { found, .. } | Finding::Skipped(found) => found,
        }
    }

    /// What it means for link and unlink.
    #[must_use]
    pub const fn meaning(&self) -> &'static str {
        let (passed, failed) = self.name.meanings();
        match self.finding {
            Finding::Passed(_) => passed,
            Finding::Failed { .. } => failed,
            Finding::Skipped(_) => "It says nothing about links, for or against.",
        }
    }
}

/// What an examination found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was examined.
    pub store: StoreName,
    /// The environment's URL, or the file's path.
    pub target: String,
    /// In the order in which they were made.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether no check failed.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        !self.checks.iter().any(|check| matches!(check.finding, Finding::Failed { .. }))
    }
}
