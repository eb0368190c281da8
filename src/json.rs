//! JSON from other programs. Values that decisions depend on are read strictly. Anything else that is invalid in a document does not
//! affect the values around it.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// Repairs a document so that it parses. A byte order mark is removed. Bytes that are not UTF-8 become U+FFFD, and so do unpaired
/// surrogates, which JavaScript, .NET and Python write when a string was cut in the middle of an emoji. Control characters in strings
/// are escaped, and so is a backslash that does not begin an escape, as in a Windows path. `NaN` and `Infinity`, which Python writes,
/// become a number out of range: only reading that value fails.
#[must_use]
pub fn text(document: &[u8]) -> Cow<'_, str> {
    let document = document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document);
    // Several times as fast as `from_utf8_lossy`, which copies nothing either if all is well.
    if let Ok(text) = str::from_utf8(document) {
        return repaired(text).map_or(Cow::Borrowed(text), Cow::Owned);
    }
    let text = String::from_utf8_lossy(document).into_owned();
    Cow::Owned(repaired(&text).unwrap_or(text))
}

/// The repaired document, or `None` if it needs no repair.
fn repaired(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut repaired: Option<String> = None;
    let (mut at, mut copied, mut is_in_string) = (0, 0, false);
    while let Some(byte) = bytes.get(at) {
        let (length, replacement) = match byte {
            b'"' => {
                is_in_string = !is_in_string;
                (1, None)
            }
            0..0x20 if is_in_string => (1, Some(format!("\\u{byte:04x}"))),
            b'N' if !is_in_string && bytes[at..].starts_with(b"NaN") => (3, Some(OUT_OF_RANGE.to_owned())),
            b'I' if !is_in_string && bytes[at..].starts_with(b"Infinity") => (8, Some(OUT_OF_RANGE.to_owned())),
            b'\\' if is_in_string && !begins_escape(&bytes[at..]) => (1, Some("\\\\".to_owned())),
            b'\\' => match (code_unit(&bytes[at..]), bytes.get(at + 6..).and_then(code_unit)) {
                (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (12, None),
                (Some(0xD800..=0xDFFF), _) => (6, Some("\\ufffd".to_owned())),
                _ => (2, None),
            },
            _ => (1, None),
        };
        if let Some(replacement) = replacement {
            let repaired = repaired.get_or_insert_default();
            repaired.push_str(&text[copied..at]);
            repaired.push_str(&replacement);
            copied = at + length;
        }
        at += length;
    }
    repaired.map(|repaired| repaired + &text[copied..])
}

/// A number that parses, but fails when its value is read.
const OUT_OF_RANGE: &str = "1e999";

/// Whether a string that begins with a backslash begins with an escape. An incomplete one at the end of the document counts as an escape,
/// because the document may be cut off.
fn begins_escape(text: &[u8]) -> bool {
    match text.get(1) {
        Some(b'u') => text.len() < 6 || code_unit(text).is_some(),
        Some(letter) => b"\"\\/bfnrt".contains(letter),
        None => true,
    }
}

/// The code unit of `escape` if it begins with one, such as `\ud83d`.
#[must_use]
pub fn code_unit(escape: &[u8]) -> Option<u16> {
    let digits = escape.get(..6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + u16::try_from(char::from(*digit).to_digit(16)?).ok()?))
}

/// An object whose values are parsed when they are read, each by itself.
#[derive(Debug)]
pub struct Object<'a>(Vec<(Key<'a>, &'a RawValue)>);

/// Copied only if it holds an escape.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Object<'a> {
    /// Parses a document, which must be one object.
    pub fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// Reads as much of the object as possible, for example of an error that was cut off.
    #[must_use]
    pub fn readable(text: &'a str) -> Self {
        let mut pairs = Vec::new();
        // An error ends the reading. The pairs read before it are used.
        let _ = serde_json::Deserializer::from_str(text).deserialize_map(Pairs(&mut pairs));
        Self(pairs)
    }

    /// A value that must be present exactly once. The error names the key.
    pub fn required<T: Deserialize<'a>>(&self, name: &'static str) -> Result<T, String> {
        let mut found = self.0.iter().filter(|(Key(key), _)| key == name);
        let value = match (found.next(), found.next()) {
            (Some((_, value)), None) => serde_json::from_str(value.get()),
            (None, _) => Err(de::Error::missing_field(name)),
            (Some(_), Some(_)) => Err(de::Error::duplicate_field(name)),
        };
        value.map_err(|error| format!("`{name}`: {error}"))
    }

    /// A value that may be absent or null, but must otherwise be valid.
    pub fn optional<T: Deserialize<'a>>(&self, name: &'static str) -> Result<Option<T>, String> {
        if self.0.iter().any(|(Key(key), _)| key == name) { self.required(name) } else { Ok(None) }
    }

    /// A value that no decision depends on. `None` if it is invalid. If there are several, the last one counts.
    #[must_use]
    pub fn lenient<T: Deserialize<'a>>(&self, name: &str) -> Option<T> {
        let (_, value) = self.0.iter().rfind(|(Key(key), _)| key == name)?;
        serde_json::from_str(value.get()).ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(object: D) -> Result<Self, D::Error> {
        let mut pairs = Vec::new();
        object.deserialize_map(Pairs(&mut pairs))?;
        Ok(Self(pairs))
    }
}

/// Collects the pairs of an object.
struct Pairs<'p, 'a>(&'p mut Vec<(Key<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Visitor<'de> for Pairs<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(pair) = object.next_entry()? {
            self.0.push(pair);
        }
        Ok(())
    }
}

/// A whole number, also when it is written as `2.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(number: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole, E> {
                Ok(Whole(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
                let number = i64::try_from(number);
                number
                    .map(Whole)
                    .map_err(|_| E::invalid_value(de::Unexpected::Other("a number that is too large"), &self))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Whole, E> {
                // Above 2^53 a float does not represent every whole number.
                if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
                    #[expect(clippy::cast_possible_truncation, reason = "whole, and in range")]
                    return Ok(Whole(number as i64));
                }
                Err(E::invalid_value(de::Unexpected::Float(number), &self))
            }
        }

        number.deserialize_i64(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(json: &str) -> Result<String, serde_json::Error> {
        serde_json::from_str(&text(json.as_bytes()))
    }

    #[test]
    fn unpaired_surrogates_become_the_replacement_character() {
        for (json, expected) in [
            (r#""x\ud83d""#, "x\u{fffd}"),
            (r#""\uDE00x""#, "\u{fffd}x"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83dA""#, "\u{fffd}A"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
            (r#""\\ud83d""#, "\\ud83d"),
            (r#""\\\ud83d""#, "\\\u{fffd}"),
            (r#""\u00e9é""#, "éé"),
            ("\"a\tb\nc\"", "a\tb\nc"),
            ("\n\"\\\"\u{1}\"\n", "\"\u{1}"),
            (r#""C:\Temp\é\0""#, r"C:\Temp\é\0"),
            (r#""C:\users\ud83g\"""#, "C:\\users\\ud83g\""),
            (r#""\\T\/\b""#, "\\T/\u{8}"),
            (r#""NaN Infinity""#, "NaN Infinity"),
        ] {
            assert_eq!(string(json).unwrap(), expected, "{json}");
        }
        for invalid in [r#""\"#, r#""\u"#, r#""\ud83"#, r#""\ud83d"#, r"\T", "\"", ""] {
            assert!(string(invalid).is_err(), "{invalid}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_javascript_string_is_read(units in proptest::collection::vec(0xD7F0_u16..0xE010, 0..20)) {
            use std::fmt::Write;

            let mut json = String::new();
            for unit in &units {
                let _ = write!(json, "\\u{unit:04x}");
            }
            proptest::prop_assert_eq!(string(&format!("\"{json}\"")).unwrap(), String::from_utf16_lossy(&units));
        }

        #[test]
        fn valid_json_is_not_changed(string: String) {
            let json = serde_json::to_string(&string).unwrap();
            proptest::prop_assert_eq!(text(json.as_bytes()), json.as_str());
        }

        #[test]
        fn no_input_panics(bytes: Vec<u8>, invalid in r#"[\[\]{}",:\\ud83e0 é]*"#) {
            drop(Object::parse(&text(&bytes)));
            drop(Object::readable(&text(invalid.as_bytes())));
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_replaced() {
        assert_eq!(text(b"\xEF\xBB\xBF{}"), "{}");
        assert_eq!(text(b"\"caf\xE9\""), "\"caf\u{fffd}\"");
        assert_eq!(serde_json::from_str::<String>(&text(b"\"\xED\xA0\xBD\"")).unwrap(), "\u{fffd}\u{fffd}\u{fffd}");
        assert!(matches!(text("{\"a\":\"é\\n\"}".as_bytes()), Cow::Borrowed(_)), "usually nothing is copied");
    }

    #[test]
    fn each_value_is_read_by_itself() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let json = format!(r#"{{"a":1,"huge":1e999,"deep":{deep},"twice":1,"twice":2,"b":null,"é":"x"}}"#);
        let object = Object::parse(&json).unwrap();
        assert_eq!(object.required("a"), Ok(1));
        assert_eq!(object.required("b"), Ok(None::<i32>));
        assert_eq!(object.optional::<i32>("b"), Ok(None));
        assert_eq!(object.optional::<i32>("c"), Ok(None));
        assert!(object.optional::<i32>("é").unwrap_err().starts_with("`é`: invalid type"));
        assert!(object.required::<i32>("c").unwrap_err().contains("missing field"));
        assert!(object.required::<i32>("twice").unwrap_err().contains("duplicate field"));
        assert_eq!(object.lenient("twice"), Some(2));
        assert_eq!(object.lenient::<f64>("huge"), None);
        assert_eq!(object.lenient::<String>("a"), None);
        for cut in [r#"{"a":1}x"#, r#"{"a":1,"b":"cu"#, r#"{"a":1,"b":nul}"#, r#"{"a":1"#] {
            assert_eq!(Object::readable(cut).required("a"), Ok(1), "{cut}");
        }
        for invalid in ["[]", "1", "", r#"{"a":1}x"#, r#"{"a":1"#, "{}{}"] {
            assert!(Object::parse(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn nan_and_infinity_affect_only_their_own_value() {
        let document = text(br#"{"a":NaN,"b":-Infinity,"c":[Infinity,{"d":NaN}],"e":1,"f":"NaN"}"#);
        let object = Object::parse(&document).unwrap();
        assert_eq!((object.required("e"), object.required("f")), (Ok(1), Ok("NaN".to_owned())));
        for name in ["a", "b"] {
            assert_eq!(object.lenient::<f64>(name), None, "{name}");
            assert_eq!(object.lenient::<String>(name), None, "{name}");
        }
        // They do not count as null, because a decision may depend on the value.
        assert!(object.optional::<String>("a").is_err() && object.optional::<f64>("b").is_err());
    }

    #[test]
    fn a_whole_number_may_be_written_as_a_fraction() {
        for (json, expected) in
            [("2", 2), ("2.0", 2), ("-2.00", -2), ("2e0", 2), ("20e-1", 2), ("192350000.0", 192_350_000)]
        {
            assert_eq!(serde_json::from_str::<Whole>(json).unwrap(), Whole(expected), "{json}");
        }
        for invalid in ["2.5", "\"2\"", "1e999", "1e300", "18446744073709551615", "null", "true", "[2]"] {
            assert!(serde_json::from_str::<Whole>(invalid).is_err(), "{invalid}");
        }
    }
}
