//! `ETag` of a row, which is the condition of every write.

use http::{HeaderMap, HeaderValue, header::ETAG};

/// One entity tag, weak or strong (RFC 9110, 8.8.3). Opaque: it is compared and sent back, never interpreted.
///
/// Anything else that a server or a proxy puts in its place is rejected: `*` in a condition would match every row, and a list several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Etag(HeaderValue);

const ABSENT: &str = "the response holds no ETag";
const INVALID: &str = "the response's ETag is not a single entity tag";

/// `ETag`s of Dataverse have about 15 characters. The limit exists because thousands are cached.
const MAX_LENGTH: usize = 256;

impl Etag {
    /// Parses an entity tag. Fails with a reason.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let quoted = text.strip_prefix("W/").unwrap_or(text);
        let opaque = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
        let is_opaque = !opaque.is_empty() && opaque.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e));
        if !is_opaque || text.len() > MAX_LENGTH {
            return Err(INVALID);
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| INVALID)
    }

    /// The `ETag` in the headers. Fails with a reason.
    pub(super) fn from_headers(headers: &HeaderMap) -> Result<Self, &'static str> {
        let mut etags = headers.get_all(ETAG).iter();
        let only = etags.next().ok_or(ABSENT)?;
        // Two header lines are a list.
        only.to_str().ok().filter(|_| etags.next().is_none()).map_or(Err(INVALID), Self::parse)
    }

    pub(super) fn condition(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVALID_ETAGS: [&str; 24] = [
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
    fn an_entity_tag_is_sent_back_unchanged() {
        for text in ["W/\"7\"", "W/\"48213377\"", "\"7\"", "W/\"2d9f1c55-7b0a\"", "\"a,b\"", "W/\"*\""] {
            assert_eq!(Etag::parse(text).unwrap().condition(), text);
        }
    }

    #[test]
    fn everything_else_is_rejected() {
        let long = format!("W/\"{}\"", "7".repeat(MAX_LENGTH));
        for text in INVALID_ETAGS.into_iter().chain(["W/\"7\"\r\nIf-Match: *", "W/\"\0\"", long.as_str()]) {
            assert_eq!(Etag::parse(text), Err(INVALID), "{text:?}");
        }
    }

    #[test]
    fn headers_hold_one_etag_or_none() {
        let headers = |values: &[&str]| {
            let field = |value: &&str| (ETAG, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            values.iter().map(field).collect::<HeaderMap>()
        };
        assert_eq!(Etag::from_headers(&headers(&[])), Err(ABSENT));
        assert_eq!(Etag::from_headers(&headers(&["W/\"7\""])), Etag::parse("W/\"7\""));
        for text in INVALID_ETAGS {
            assert_eq!(Etag::from_headers(&headers(&[text])), Err(INVALID), "{text:?}");
        }
        assert_eq!(Etag::from_headers(&headers(&["W/\"7\"", "W/\"7\""])), Err(INVALID), "a list on two lines");
    }
}
