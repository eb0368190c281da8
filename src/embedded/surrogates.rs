//! Unpaired surrogates in JSON: halves of a character that `JSON.stringify`, .NET and Python write when they cut a string in two.

use crate::json::code_unit;

const REPLACEMENT: &[u8] = br"\ufffd";
/// Bytes of `\uXXXX`.
const ESCAPE: usize = REPLACEMENT.len();

/// Replaces every `\uXXXX` in `json` that is half of a surrogate pair by U+FFFD, in place. Everything else stays, valid or not.
///
/// Returns how many bytes are final. The others begin an escape that may continue in the next piece of the text: they come first in
/// the next call. There are none if `is_last`, and fewer than twelve otherwise.
pub(super) fn replace_unpaired(json: &mut [u8], is_last: bool) -> usize {
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        at += found;
        let rest = &json[at..];
        let is_cut = |length| rest.len() < length && !is_last;
        if is_cut(2) || rest.get(1) == Some(&b'u') && is_cut(ESCAPE) {
            return at;
        }
        at += match code_unit(rest) {
            Some(0xD800..=0xDBFF) if matches!(code_unit(&rest[ESCAPE..]), Some(0xDC00..=0xDFFF)) => 2 * ESCAPE,
            // Only what may still become the other half is waited for.
            Some(0xD800..=0xDBFF)
                if is_cut(2 * ESCAPE) && rest[ESCAPE..].iter().zip(br"\u").all(|(is, wanted)| is == wanted) =>
            {
                return at;
            }
            Some(0xD800..=0xDFFF) => {
                json[at..at + ESCAPE].copy_from_slice(REPLACEMENT);
                ESCAPE
            }
            // The escaped character may be a backslash, which begins nothing.
            _ => 2,
        };
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As one piece, and cut in two at every place.
    fn replaced(json: &str) -> String {
        let whole = in_pieces(&[json.as_bytes()]);
        for cut in 0..=json.len() {
            assert_eq!(in_pieces(&[&json.as_bytes()[..cut], &json.as_bytes()[cut..]]), whole, "{json} cut at {cut}");
        }
        String::from_utf8(whole).unwrap()
    }

    fn in_pieces(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut done, mut text) = (Vec::new(), Vec::new());
        for (index, piece) in pieces.iter().enumerate() {
            text.extend_from_slice(piece);
            let is_final = replace_unpaired(&mut text, index + 1 == pieces.len());
            assert!(text.len() - is_final < 2 * ESCAPE);
            done.extend(text.drain(..is_final));
        }
        done
    }

    #[test]
    fn only_a_half_without_its_other_half_is_replaced() {
        for (json, expected) in [
            (r#""x\ud83d""#, r#""x\ufffd""#),
            (r#""\uD83D\uDE00""#, r#""\uD83D\uDE00""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00\ude00""#, r#""\ufffd\ud83d\ude00\ufffd""#),
            (r#""\ud83d\u0041\n""#, r#""\ufffd\u0041\n""#),
            (r#""\ud83d\\ude00""#, r#""\ufffd\\ude00""#),
            (r#""\\ud83d \\\ud83d""#, r#""\\ud83d \\\ufffd""#),
            (r#""\ud83dx\uDE00""#, r#""\ufffdx\ufffd""#),
            (r#"{"\udc00":"ü\u00fc"}"#, r#"{"\ufffd":"ü\u00fc"}"#),
            // Not JSON, which is for the parser to say.
            (r"\ud8", r"\ud8"),
            (r"\ud83d\", r"\ufffd\"),
            (r"\ud83d\u12", r"\ufffd\u12"),
            (r"\ud83g\", r"\ud83g\"),
        ] {
            assert_eq!(replaced(json), expected, "{json}");
        }
    }
}
