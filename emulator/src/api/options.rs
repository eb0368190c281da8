//! Splits the query of a request into its options.

use std::collections::BTreeMap;

use crate::{error::ODataError, message::decode};

/// The supported query options, as sent.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) select: Option<String>,
    pub(crate) expand: Option<String>,
    pub(crate) filter: Option<String>,
    pub(crate) order_by: Option<String>,
    pub(crate) top: Option<String>,
    pub(crate) count: Option<String>,
    pub(crate) skip_token: Option<String>,
    pub(crate) delta_token: Option<String>,
    pub(crate) fetch_xml: Option<String>,
    /// The values of parameter aliases such as `@p1`.
    pub(crate) aliases: BTreeMap<String, String>,
}

/// The kind of resource that a query is for. It decides which options there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    Set,
    /// A row, or a write.
    Row,
    /// An expanded navigation property.
    Expanded,
}

impl Options {
    /// Parses the query of the request line.
    pub(crate) fn parse(query: Option<&str>, whom: For) -> Result<Self, ODataError> {
        let mut options = Self::default();
        for option in query.unwrap_or_default().split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            options.set(&decode(name)?, decode(&value.replace('+', " "))?, whom)?;
        }
        Ok(options)
    }

    /// Parses the options in the parentheses of an expanded property, which are not encoded.
    pub(crate) fn parse_expanded(text: &str) -> Result<Self, ODataError> {
        let mut options = Self::default();
        for option in split_outside(text, ';') {
            let (name, value) = option.split_once('=').ok_or(ODataError::QuerySyntax)?;
            options.set(name.trim(), value.trim().to_owned(), For::Expanded)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: String, whom: For) -> Result<(), ODataError> {
        let is_of_set = whom == For::Set;
        let has_rows = whom != For::Row;
        let place = match name {
            "$select" => &mut self.select,
            "$expand" => &mut self.expand,
            // A shared variable for plug-ins. It does not change the response.
            "tag" => return Ok(()),
            "$skip" if is_of_set => return Err(ODataError::SkipNotSupported),
            "$filter" if has_rows => &mut self.filter,
            "$orderby" if has_rows => &mut self.order_by,
            "$top" if has_rows => &mut self.top,
            "$count" if is_of_set => &mut self.count,
            "$skiptoken" if is_of_set => &mut self.skip_token,
            "$deltatoken" if is_of_set => &mut self.delta_token,
            "fetchXml" if is_of_set => &mut self.fetch_xml,
            _ if name.starts_with('@') => {
                self.aliases.insert(name.to_owned(), value);
                return Ok(());
            }
            other => return Err(ODataError::NotEmulated(format!("query option '{other}'"))),
        };
        if place.replace(value).is_some() {
            return Err(ODataError::NotEmulated(format!("'{name}' given twice")));
        }
        Ok(())
    }
}

/// Splits a list at a separator that is outside of quotes, parentheses and brackets. Parts are trimmed, empty ones are left out.
pub(crate) fn split_outside(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut quoted, mut start, mut parts) = (0_i32, false, 0, Vec::new());
    for (at, next) in text.char_indices() {
        match next {
            '\'' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ if next == separator && depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + next.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}
