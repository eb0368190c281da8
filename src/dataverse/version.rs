//! The version of a row: the condition of every write.

use http::{HeaderMap, HeaderValue, header::ETAG};

/// One entity tag, weak or strong (RFC 9110, 8.8.3). Compared and sent back as it came, never looked into.
///
/// Whatever else a server or a proxy may put into its place is refused: sent back, `*` would match every row, and a list several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version(HeaderValue);

/// Why there is no version.
const ABSENT: &str = "the response holds no ETag";
const ODD: &str = "the response's ETag is not one version";

/// Dataverse's have about 15 characters, and thousands are kept.
const MAX_LENGTH: usize = 256;

impl Version {
    /// The version that the text is, or why it is none.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let quoted = text.strip_prefix("W/").unwrap_or(text);
        let opaque = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
        let is_opaque = !opaque.is_empty() && opaque.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e));
        if !is_opaque || text.len() > MAX_LENGTH {
            return Err(ODD);
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| ODD)
    }

    /// The version in the headers, or why there is none.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, &'static str> {
        let mut etags = headers.get_all(ETAG).iter();
        let only = etags.next().ok_or(ABSENT)?;
        // A second one makes it a list.
        only.to_str().ok().filter(|_| etags.next().is_none()).map_or(Err(ODD), Self::parse)
    }

    /// The value of `If-Match`.
    pub(super) fn condition(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_VERSIONS: [&str; 24] = [
        "",
        " ",
        "*",
        "\"",
        "\"\"",
        "W/",
        "W/\"",
        "W/\"\"",
        "W/*",
        "7",
        "W/7",
        "w/\"7\"",
        "W /\"7\"",
        "W/ \"7\"",
        " W/\"7\"",
        "W/\"7\" ",
        "W/W/\"7\"",
        "\"W/\"7\"\"",
        "W/'7'",
        "\"*\", \"7\"",
        "W/\"7\", W/\"8\"",
        "W/\"7\",",
        "W/\"7 8\"",
        "W/\"7\u{e9}\"",
    ];

    #[test]
    fn a_version_is_one_entity_tag_and_is_sent_back_as_it_came() {
        for text in ["W/\"7\"", "W/\"48213377\"", "\"7\"", "W/\"2d9f1c55-7b0a\"", "\"a,b\"", "W/\"*\""] {
            assert_eq!(Version::parse(text).unwrap().condition(), text);
        }
    }

    #[test]
    fn nothing_else_is_a_version() {
        let long = format!("W/\"{}\"", "7".repeat(MAX_LENGTH));
        for text in NO_VERSIONS.into_iter().chain(["W/\"7\"\r\nIf-Match: *", "W/\"\0\"", long.as_str()]) {
            assert_eq!(Version::parse(text), Err(ODD), "{text:?}");
        }
    }

    #[test]
    fn headers_hold_one_version_or_none() {
        let headers = |values: &[&str]| {
            let field = |value: &&str| (ETAG, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            values.iter().map(field).collect::<HeaderMap>()
        };
        assert_eq!(Version::of(&headers(&[])), Err(ABSENT));
        assert_eq!(Version::of(&headers(&["W/\"7\""])), Version::parse("W/\"7\""));
        for text in NO_VERSIONS {
            assert_eq!(Version::of(&headers(&[text])), Err(ODD), "{text:?}");
        }
        assert_eq!(Version::of(&headers(&["W/\"7\"", "W/\"7\""])), Err(ODD), "a list on two lines");
    }
}
