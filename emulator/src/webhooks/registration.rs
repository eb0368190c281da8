//! The changes that a webhook is told of.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{definitions::Definitions, organisation::Changed};

/// A receiver, and the changes that it asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    /// Logical name of a table. `None`: all tables.
    pub(super) table: Option<String>,
    /// Empty: all messages.
    #[serde(default)]
    messages: Vec<Message>,
    /// Logical names of columns: an update of other columns alone is not told. Empty: all columns.
    #[serde(default)]
    pub(super) attributes: Vec<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(super) enum Message {
    Create,
    Update,
    Delete,
}

impl Message {
    pub(super) fn of(changed: &Changed) -> Self {
        match (&changed.before, &changed.after) {
            (None, _) => Self::Create,
            (_, None) => Self::Delete,
            _ => Self::Update,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Delete => "Delete",
        }
    }
}

impl Webhook {
    /// Rejects an address that cannot be called, and names that do not exist.
    pub(crate) fn check(&self, definitions: &Definitions) -> Result<(), String> {
        let uri: Option<hyper::Uri> = self.url.parse().ok();
        let is_http = uri.is_some_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
        if !is_http {
            return Err(format!("`url`: '{}' is not an http URL; https is not supported", self.url));
        }
        let table = self
            .table
            .as_ref()
            .map(|name| definitions.by_logical_name(name).ok_or_else(|| format!("`table`: no table '{name}'")));
        let table = table.transpose()?;
        for name in &self.attributes {
            let Some(table) = table else { return Err("`attributes`: needs a `table`".to_owned()) };
            if table.column(name).is_none() {
                return Err(format!("`attributes`: {} has no column '{name}'", table.logical_name));
            }
        }
        let odd = self.headers.iter().find(|(name, value)| {
            hyper::header::HeaderName::from_bytes(name.as_bytes()).is_err()
                || hyper::header::HeaderValue::from_str(value).is_err()
        });
        odd.map_or(Ok(()), |(name, _)| Err(format!("`headers`: '{name}' is not a header, or has an invalid value")))
    }

    /// Whether the receiver asks for this change, of these columns.
    pub(super) fn asks_for(&self, changed: &Changed, columns: &[String]) -> bool {
        let message = Message::of(changed);
        self.table.as_ref().is_none_or(|table| *table == changed.table)
            && (self.messages.is_empty() || self.messages.contains(&message))
            && (message != Message::Update
                || self.attributes.is_empty()
                || self.attributes.iter().any(|name| columns.contains(name)))
    }
}
