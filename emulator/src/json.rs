//! Parses JSON as tolerantly as .NET, on which the Web API is built: accepts a byte order mark, and strings that were cut in the middle of
//! an emoji.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// Parses a document. An unpaired surrogate, which a string cannot hold, becomes U+FFFD.
///
/// # Errors
/// If the document is not JSON, or something follows it.
pub fn parse(document: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(&with_whole_pairs(document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document)))
}

/// The reason why a document was rejected.
#[derive(Debug)]
pub(crate) enum Error {
    Invalid(String),
    /// An object has this property twice.
    Duplicate(String),
}

/// Parses a document in which no object may have a property twice.
pub(crate) fn parse_unique(document: &[u8]) -> Result<Value, Error> {
    let value = parse(document).map_err(|error| Error::Invalid(error.to_string()))?;
    let document = with_whole_pairs(document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document));
    match serde_json::from_slice::<Unique>(&document) {
        Ok(_) => Ok(value),
        Err(error) => {
            let text = error.to_string();
            let name = text.strip_prefix(TWICE).and_then(|rest| rest.split_once('\'')).map_or("", |(name, _)| name);
            Err(Error::Duplicate(name.to_owned()))
        }
    }
}

const TWICE: &str = "twice '";

/// A value without the same property twice in one object. `Value` keeps the last one instead.
struct Unique;

struct UniqueVisitor;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut names = HashSet::<String>::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<Unique>()?;
            let text = format!("{TWICE}{name}'");
            if !names.insert(name) {
                return Err(serde::de::Error::custom(text));
            }
        }
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Unique, A::Error> {
        while list.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }
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
