//! Parses the `Prefer` header.

use axum::http::HeaderMap;

use crate::error::ODataError;

/// The supported preferences of a request.
#[derive(Debug, Default)]
pub(crate) struct Preferences {
    pub(crate) representation: bool,
    pub(crate) annotations: Annotations,
    /// Rows per page of a set.
    pub(crate) page_size: Option<usize>,
    /// The response shall have a link to later changes.
    pub(crate) track_changes: bool,
    /// An action shall run in the background.
    pub(crate) respond_async: bool,
    /// As sent and in the same order, for `Preference-Applied`.
    known: Vec<(Known, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Representation,
    Annotations,
    PageSize,
    TrackChanges,
}

/// The requested annotations, as names or as patterns such as `prefix.*`.
#[derive(Debug, Default)]
pub(crate) struct Annotations(Vec<String>);

impl Annotations {
    /// Whether the annotation with this full name was requested.
    pub(crate) fn include(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == pattern,
        })
    }

    pub(crate) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    pub(crate) fn all(&self) -> bool {
        self.0.iter().any(|pattern| pattern == "*")
    }
}

impl Preferences {
    /// Parses the header. Unknown preferences are ignored, as RFC 7240 requires.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, ODataError> {
        let mut preferences = Self::default();
        for header in headers.get_all("prefer") {
            let text =
                header.to_str().map_err(|_| ODataError::NotEmulated("a Prefer header that is not ASCII".to_owned()))?;
            for sent in split_outside_quotes(text) {
                let (name, value) = sent.split_once('=').unwrap_or((sent, ""));
                let value = value.trim().trim_matches('"');
                match (name.trim(), value) {
                    ("return", "representation") => {
                        preferences.representation = true;
                        preferences.known.push((Known::Representation, sent.to_owned()));
                    }
                    ("odata.include-annotations", names) => {
                        let names: Vec<_> = names.split(',').map(|name| name.trim().to_owned()).collect();
                        if let Some(odd) =
                            names.iter().find(|name| name.is_empty() || name.starts_with('-') || name.contains('#'))
                        {
                            let why = format!("'{odd}' in odata.include-annotations");
                            return Err(ODataError::NotEmulated(why));
                        }
                        preferences.annotations.0.extend(names);
                        preferences.known.push((Known::Annotations, sent.to_owned()));
                    }
                    ("odata.maxpagesize", size) => {
                        let Some(size) = size.parse().ok().filter(|size| *size > 0) else { continue };
                        preferences.page_size = Some(size);
                        preferences.known.push((Known::PageSize, sent.to_owned()));
                    }
                    ("respond-async", _) => preferences.respond_async = true,
                    ("odata.track-changes", _) => {
                        preferences.track_changes = true;
                        preferences.known.push((Known::TrackChanges, sent.to_owned()));
                    }
                    _ => {}
                }
            }
        }
        Ok(preferences)
    }

    /// The value of `Preference-Applied` for a `GET`, where `return=representation` has no effect.
    pub(crate) fn applied_to_read(&self) -> Option<String> {
        join(self.known.iter().filter(|(known, _)| *known == Known::Annotations))
    }

    /// The value of `Preference-Applied` for a set.
    pub(crate) fn applied_to_set(&self) -> Option<String> {
        join(self.known.iter().filter(|(known, _)| *known != Known::Representation))
    }

    /// The value of `Preference-Applied` for a write that returns the row.
    pub(crate) fn applied_to_write(&self) -> Option<String> {
        join(self.known.iter().filter(|(known, _)| !matches!(known, Known::PageSize | Known::TrackChanges)))
    }
}

fn join<'a>(known: impl Iterator<Item = &'a (Known, String)>) -> Option<String> {
    let sent: Vec<_> = known.map(|(_, sent)| sent.as_str()).collect();
    (!sent.is_empty()).then(|| sent.join(","))
}

fn split_outside_quotes(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        !quoted && (c == ',' || c == ';')
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}
