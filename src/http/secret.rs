//! Texts that nobody may see, and how they are kept out of the texts that are shown.

use std::{borrow::Cow, fmt};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use percent_encoding::percent_decode_str;

/// Somebody else's text is cut to this many characters.
const MAX_SHOWN: usize = 500;
const REDACTED: &str = "[redacted]";

/// A secret. Shows itself to nobody who does not ask.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What may be shown of somebody else's text: without the secrets, however they are written, and without what looks like one;
/// in one line, and cut to 500 characters. `None` if nothing is left.
#[must_use]
pub fn presentable(text: &str, secrets: &[&str]) -> Option<String> {
    // A secret may hold spaces, so it is looked for before the text falls into words.
    let whole = secrets.iter().filter(|secret| !secret.is_empty()).fold(Cow::Borrowed(text), |text, secret| {
        if text.contains(secret) { text.replace(secret, REDACTED).into() } else { text }
    });
    let hidden = |word: &&str| looks_secret(word) || secrets.iter().any(|secret| is_written_in(secret, word));
    let words = whole.split_whitespace().map(|word| if hidden(&word) { REDACTED } else { word });
    let shown: String = words.collect::<Vec<_>>().join(" ").chars().take(MAX_SHOWN).collect();
    (!shown.is_empty()).then_some(shown)
}

/// JSON web tokens begin with an encoded brace; URLs may carry secrets in their query.
fn looks_secret(word: &str) -> bool {
    word.contains("eyJ") || (word.contains("://") && word.contains('?') && word.contains('='))
}

/// Whether the text holds the secret: plainly, with some of it percent-encoded, or in base64, also as a part of what was encoded.
fn is_written_in(secret: &str, text: &str) -> bool {
    if secret.is_empty() {
        return false;
    }
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    [text, &decoded].into_iter().any(|text| {
        text.contains(secret)
            || (0..3).any(|shift| {
                let padded = [&[0; 3][..shift], secret.as_bytes()].concat();
                // The characters that depend on the secret alone, whatever stands before and behind it.
                let own = (shift * 8).div_ceil(6)..padded.len() * 8 / 6;
                own.len() >= 4
                    && [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)]
                        .iter()
                        .any(|encoded| text.contains(&encoded[own.clone()]))
            })
    })
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;

    const SECRET: &str = "~s3cret/~+of?mine ";

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let percent = utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string();
        let mut forms = vec![SECRET.trim().to_owned(), percent.clone(), percent.to_lowercase()];
        for around in ["", "a", "ab", "abc", "user:"] {
            let text = format!("{around}{SECRET}{around}");
            forms.extend([STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)]);
            forms.push(utf8_percent_encode(&STANDARD_NO_PAD.encode(&text), NON_ALPHANUMERIC).to_string());
        }
        for form in forms {
            let text = format!("Said ({form}) and more");
            let shown = presentable(&text, &[SECRET.trim()]).unwrap().replace(['(', ')'], "");
            assert_eq!(shown, "Said [redacted] and more", "{form}");
        }
        assert_eq!(presentable("a two words b", &["two words"]).unwrap(), "a [redacted] b");
    }

    #[test]
    fn what_is_no_secret_is_shown_as_it_is() {
        let text =
            "The object cannot be updated because it is inactive (https://go.microsoft.com/fwlink/?linkid=2195293).";
        assert_eq!(presentable("Plain 100% text", &[SECRET, ""]).unwrap(), "Plain 100% text");
        assert_eq!(presentable(text, &[SECRET]).unwrap().matches(REDACTED).count(), 1, "a query is left out");
        assert_eq!(presentable(" \r\n", &[]), None);
    }

    #[test]
    fn texts_are_cut_and_what_looks_like_a_token_is_left_out() {
        let text = format!("Token eyJabc.def.ghi refused https://x/?sig=1 {}", "long ".repeat(300));
        let shown = presentable(&text, &[]).unwrap();
        assert!(shown.starts_with("Token [redacted] refused [redacted] long"), "{shown}");
        assert_eq!(shown.chars().count(), MAX_SHOWN);
    }

    #[test]
    fn a_secret_shows_itself_to_nobody() {
        assert_eq!(format!("{:?}", Secret::new(SECRET)), "Secret");
    }
}
