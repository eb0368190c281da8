//! Unpaired surrogates in JSON. `JSON.stringify`, .NET and Python write them when a string was cut in the middle of a character.

use crate::json::code_unit;

const REPLACEMENT: &[u8] = br"\ufffd";
/// Length of `\uXXXX` in bytes.
const ESCAPE: usize = REPLACEMENT.len();

/// Replaces every unpaired surrogate `\uXXXX` in `json` with U+FFFD, in place. Everything else stays, valid or not.
///
/// Returns the number of final bytes. The rest, fewer than twelve bytes, begins an escape that may continue in the next chunk; pass it
/// again at the start of the next call. If `is_last`, all bytes are final.
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
            // The second half may follow in the next chunk.
            Some(0xD800..=0xDBFF)
                if is_cut(2 * ESCAPE) && rest[ESCAPE..].iter().zip(br"\u").all(|(byte, expected)| byte == expected) =>
            {
                return at;
            }
            Some(0xD800..=0xDFFF) => {
                json[at..at + ESCAPE].copy_from_slice(REPLACEMENT);
                ESCAPE
            }
            // Skips the escaped character too: it may be a backslash, which does not begin another escape.
            _ => 2,
        };
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that the result is the same wherever the JSON is cut in two.
    fn replaced(json: &str) -> String {
        let whole = in_chunks(&[json.as_bytes()]);
        for cut in 0..=json.len() {
            assert_eq!(in_chunks(&[&json.as_bytes()[..cut], &json.as_bytes()[cut..]]), whole, "{json} cut at {cut}");
        }
        String::from_utf8(whole).unwrap()
    }

    fn in_chunks(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut done, mut rest) = (Vec::new(), Vec::new());
        for (index, chunk) in chunks.iter().enumerate() {
            rest.extend_from_slice(chunk);
            let final_end = replace_unpaired(&mut rest, index + 1 == chunks.len());
            assert!(rest.len() - final_end < 2 * ESCAPE);
            done.extend(rest.drain(..final_end));
        }
        done
    }

    #[test]
    fn only_unpaired_surrogates_are_replaced() {
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
            // Invalid JSON, left for the parser to report.
            (r"\ud8", r"\ud8"),
            (r"\ud83d\", r"\ufffd\"),
            (r"\ud83d\u12", r"\ufffd\u12"),
            (r"\ud83g\", r"\ud83g\"),
        ] {
            assert_eq!(replaced(json), expected, "{json}");
        }
    }
}
