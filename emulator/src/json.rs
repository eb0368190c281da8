//! Parses JSON as tolerantly as .NET, on which the Web API is built: accepts a byte order mark, and strings that were cut in the middle of
//! an emoji.

use std::borrow::Cow;

use serde_json::Value;

/// Parses a document. An unpaired surrogate, which a string cannot hold, becomes U+FFFD.
///
/// # Errors
/// If the document is not JSON, or something follows it.
pub fn parse(document: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(&with_whole_pairs(document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document)))
}

fn with_whole_pairs(json: &[u8]) -> Cow<'_, [u8]> {
    let mut json = Cow::Borrowed(json);
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        at += found;
        at += match (code_unit(&json[at..]), json.get(at + 6..).and_then(code_unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                json.to_mut()[at..at + 6].copy_from_slice(b"\\ufffd");
                6
            }
            _ => 2,
        };
    }
    json
}

/// The code unit of an escape such as `\ud83d`.
fn code_unit(escape: &[u8]) -> Option<u32> {
    let digits = escape.get(..6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_a_surrogate_pair_become_the_replacement_character() {
        for (json, expected) in [
            (r#""x\ud83d""#, "x\u{fffd}"),
            (r#""\uDE00\ud83d\ude00\ud83d\ud83d""#, "\u{fffd}\u{1f600}\u{fffd}\u{fffd}"),
            (r#""\\ud83d""#, "\\ud83d"),
            (r#""\\\ud83dé""#, "\\\u{fffd}é"),
            ("\u{feff}\"x\"\r\n", "x"),
        ] {
            assert_eq!(parse(json.as_bytes()).unwrap(), expected, "{json}");
        }
        for invalid in [&br#""\"#[..], br#""\ud83"#, br#""\ud83g""#, b"\"\\\xC3\"", b"\"\"x", b""] {
            assert!(parse(invalid).is_err(), "{invalid:?}");
        }
    }
}
