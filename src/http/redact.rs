//! Secrets, and how they are kept out of messages and response bodies.

use std::{borrow::Cow, fmt};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use memchr::{memchr, memchr_iter, memmem::Finder};
use percent_encoding::percent_decode;

use crate::json;

/// Longest string of another program that is shown, in characters.
const MAX_SHOWN: usize = 500;
/// A shorter token is a placeholder rather than a secret, and removing it from a body would hit ordinary words.
const MIN_LENGTH: usize = 6;
const REDACTED: &str = "[redacted]";

/// A secret string. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

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

/// The forms in which a secret may be repeated: as it is, and the part of its base64 that does not depend on the bytes around it.
pub(super) struct SecretForms(Vec<Finder<'static>>);

impl SecretForms {
    pub(super) fn new(secret: &str) -> Self {
        let mut forms = Vec::with_capacity(7);
        if !secret.is_empty() {
            forms.push(Finder::new(secret).into_owned());
        }
        for shift in 0..3 {
            let padded = [&[0; 3][..shift], secret.as_bytes()].concat();
            let own = (shift * 8).div_ceil(6)..padded.len() * 8 / 6;
            if own.len() >= 4 && !secret.is_empty() {
                let encoded = [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|base64| base64.encode(&padded));
                forms.extend(encoded.map(|text| Finder::new(&text[own.clone()]).into_owned()));
            }
        }
        Self(forms)
    }

    /// Whether the text holds the secret, also percent-encoded in whole or in part. The text may have any encoding, the forms are ASCII.
    fn are_in(&self, text: &[u8]) -> bool {
        let are_in = |text: &[u8]| self.0.iter().any(|form| form.find(text).is_some());
        are_in(text) || (memchr(b'%', text).is_some() && are_in(&Cow::from(percent_decode(text))))
    }

    /// Length of the secret itself.
    fn len(&self) -> usize {
        self.0.first().map_or(0, |form| form.needle().len())
    }
}

/// Makes a string of another program safe to show: removes the secrets in every encoding and anything that looks like a secret, joins
/// lines, and cuts it to 500 characters. `None` if nothing is left.
#[must_use]
pub fn redact(text: &str, secrets: &[&str]) -> Option<String> {
    // Before the text is split into words, because a secret may hold spaces.
    let whole = secrets.iter().filter(|secret| !secret.is_empty()).fold(Cow::Borrowed(text), |text, secret| {
        if text.contains(secret) { text.replace(secret, REDACTED).into() } else { text }
    });
    let secrets: Vec<_> = secrets.iter().map(|secret| SecretForms::new(secret)).collect();
    let hidden = |word: &&str| looks_secret(word) || secrets.iter().any(|forms| forms.are_in(word.as_bytes()));
    let words = whole.split_whitespace().map(|word| if hidden(&word) { REDACTED } else { word });
    let shown: String = words.collect::<Vec<_>>().join(" ").chars().take(MAX_SHOWN).collect();
    (!shown.is_empty()).then_some(shown)
}

/// JSON web tokens begin with an encoded brace. URLs may hold secrets in their query.
fn looks_secret(word: &str) -> bool {
    word.contains("eyJ") || (word.contains("://") && word.contains('?') && word.contains('='))
}

/// A response body without the secret that its request was sent with: servers and proxies may echo it. Each word that holds it is
/// replaced, up to the quotes around it, so that JSON stays valid.
pub(super) fn redact_body(body: Bytes, secret: &SecretForms) -> Bytes {
    let length = secret.len();
    if length < MIN_LENGTH || body.len() < length {
        return body;
    }
    // Nearly every body ends here. Escapes hide a secret: `\"` does not, and is in every ETag.
    let may_hide = |at: usize| matches!(body.get(at + 1), Some(b'/' | b'u'));
    if !(memchr_iter(b'\\', &body).any(may_hide) || secret.are_in(&body)) {
        return body;
    }
    let text = String::from_utf8_lossy(&body);
    let is_boundary = |character: char| !character.is_ascii_graphic() || character == '"';
    let redacted: String = text
        .split_inclusive(is_boundary)
        .flat_map(|part| {
            // A backslash before a quote belongs to the quote.
            let word = part.trim_end_matches(|character| is_boundary(character) || character == '\\');
            let is_secret = word.len() >= length && secret.are_in(unescaped(word).as_bytes());
            [if is_secret { REDACTED } else { word }, &part[word.len()..]]
        })
        .collect();
    if redacted == text { body } else { redacted.into() }
}

/// The word as it is once its JSON escapes are resolved.
fn unescaped(word: &str) -> Cow<'_, str> {
    if !word.contains('\\') {
        return word.into();
    }
    let string = json::text(format!("\"{word}\"").as_bytes()).into_owned();
    serde_json::from_str(&string).map_or(word.into(), |text: String| text.into())
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;

    const SECRET: &str = "~s3cret/~+of?mine ";

    #[test]
    fn a_secret_is_found_in_every_encoding() {
        let percent = utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string();
        let mut forms = vec![SECRET.trim().to_owned(), percent.clone(), percent.to_lowercase()];
        for around in ["", "a", "ab", "abc", "user:"] {
            let text = format!("{around}{SECRET}{around}");
            forms.extend([STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)]);
            forms.push(utf8_percent_encode(&STANDARD_NO_PAD.encode(&text), NON_ALPHANUMERIC).to_string());
        }
        for form in forms {
            let text = format!("Said ({form}) and more");
            let shown = redact(&text, &[SECRET.trim()]).unwrap().replace(['(', ')'], "");
            assert_eq!(shown, "Said [redacted] and more", "{form}");
        }
        assert_eq!(redact("a two words b", &["two words"]).unwrap(), "a [redacted] b");
    }

    #[test]
    fn a_body_does_not_repeat_the_secret_and_stays_json() {
        let token = "a/b+c=d_e.f-g~h";
        let encoded = STANDARD_NO_PAD.encode(format!("token: {token}"));
        let percent = utf8_percent_encode(token, NON_ALPHANUMERIC).to_string();
        let escaped = token.replace('/', r"\/").replace('+', r"\u002B");
        for form in [token, &encoded, &percent, &escaped, &encoded.replace('/', r"\/")] {
            let body = format!(r#"{{"error":{{"code":"0x0","message":"C:\Temp\n\"{form}\" caf\u00e9"}}}}"#);
            let redacted = redact_body(body.into(), &SecretForms::new(token));
            let expected = r#"{"error":{"code":"0x0","message":"C:\Temp\n\"[redacted]\" caf\u00e9"}}"#;
            assert_eq!(redacted, expected, "{form}");
        }
        for (body, secret) in [(&b"\xE9 other words"[..], token), (b"the token", "token"), (b"", token)] {
            assert_eq!(redact_body(Bytes::from_static(body), &SecretForms::new(secret)), body);
        }
        assert_eq!(redact_body(Bytes::from_static(b"\xE9 s3cret"), &SecretForms::new("s3cret")), "\u{fffd} [redacted]");
    }

    #[test]
    fn other_text_is_not_changed() {
        let text =
            "The object cannot be updated because it is inactive (https://go.microsoft.com/fwlink/?linkid=2195293).";
        assert_eq!(redact("Plain 100% text", &[SECRET, ""]).unwrap(), "Plain 100% text");
        assert_eq!(redact(text, &[SECRET]).unwrap().matches(REDACTED).count(), 1, "a query is removed");
        assert_eq!(redact(" \r\n", &[]), None);
    }

    #[test]
    fn long_texts_are_cut_and_apparent_tokens_removed() {
        let text = format!("Token eyJabc.def.ghi refused https://x/?sig=1 {}", "long ".repeat(300));
        let shown = redact(&text, &[]).unwrap();
        assert!(shown.starts_with("Token [redacted] refused [redacted] long"), "{shown}");
        assert_eq!(shown.chars().count(), MAX_SHOWN);
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        assert_eq!(format!("{:?}", Secret::new(SECRET)), "Secret");
    }
}
