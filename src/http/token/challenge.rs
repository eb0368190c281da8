//! Challenges of a server that requires another token: `WWW-Authenticate`, RFC 9110 section 11.6.1.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{GeneralPurpose, general_purpose::NO_PAD},
};
use http::{HeaderMap, header::WWW_AUTHENTICATE};

use crate::{
    http::service::headers::field_lines,
    json::{self, Object},
};

/// Accepts the output of any encoder, after `-` and `_` are replaced and the padding is removed.
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, NO_PAD.with_decode_allow_trailing_bits(true));

/// Claims that conditional access requires of the next token, as JSON: `Bearer error="insufficient_claims", claims="<base64>"`.
pub(super) fn claims(headers: &HeaderMap) -> Option<String> {
    field_lines(headers, &WWW_AUTHENTICATE).find_map(|line| {
        let mut parameters = parameters(&line).into_iter();
        parameters.find_map(|(name, value)| name.eq_ignore_ascii_case("claims").then(|| decode(&value))?)
    })
}

/// Decodes a JSON object from either base64 alphabet, with or without padding, or not encoded at all.
fn decode(claims: &str) -> Option<String> {
    let claims = if claims.starts_with('{') {
        claims.to_owned()
    } else {
        let claims: String = claims.split_ascii_whitespace().collect();
        let claims = claims.trim_end_matches('=').replace('-', "+").replace('_', "/");
        json::text(&BASE64.decode(claims).ok()?).into_owned()
    };
    Object::parse(&claims).is_ok().then_some(claims)
}

/// The parameters of all challenges in a line. Schemes and their tokens are skipped, or read as parameters with irrelevant names. Accepts
/// more than RFC 9110 allows servers to send.
fn parameters(line: &str) -> Vec<(&str, String)> {
    const SPACE: [char; 2] = [' ', '\t'];
    let mut parameters = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return parameters;
        }
        let (name, after) = rest.split_at(rest.find([' ', '\t', ',', '=', '"']).unwrap_or(rest.len()));
        rest = after.trim_start_matches(SPACE);
        let value = rest.strip_prefix('=').map(|value| value.trim_start_matches(SPACE));
        let (is_parameter, value) = (value.is_some(), value.unwrap_or(rest));
        if let Some(quoted) = value.strip_prefix('"') {
            let (value, after) = split_quoted(quoted);
            parameters.push((name, value));
            rest = after;
        } else if is_parameter {
            let (value, after) = value.split_at(value.find([' ', '\t', ',']).unwrap_or(value.len()));
            parameters.push((name, value.to_owned()));
            rest = after;
        }
    }
}

/// Splits a quoted string, after its opening quote, from the rest of the line.
fn split_quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    (value, characters.as_str())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const DEMANDED: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"~?>c1"}}}"#;
    const ENCODED: &str = "eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoifj8+YzEifX19";

    fn found(lines: &[&str]) -> Option<String> {
        let lines = lines.iter().map(|line| {
            let line = line.replace("CLAIMS", ENCODED).replace("SAFE", &ENCODED.replace('+', "-"));
            (WWW_AUTHENTICATE, HeaderValue::from_bytes(line.as_bytes()).unwrap())
        });
        claims(&lines.collect())
    }

    #[test]
    fn claims_are_found_in_every_position_and_spelling() {
        let quoted = format!(r#"Bearer claims="{}""#, ENCODED.replace('c', r"\c"));
        let plain = format!(r#"Bearer claims="{}""#, DEMANDED.replace('"', r#"\""#));
        for lines in [
            &[r#"Bearer claims="CLAIMS""#][..],
            &[r#"Bearer claims="SAFE==""#],
            &["Negotiate", r#"Bearer error="x", claims="CLAIMS""#],
            &["Negotiate YWJj==", r#"Basic realm="a, b""#, r#"Bearer claims="CLAIMS""#],
            &[r#"Bearer error="x""#, r#"claims="CLAIMS""#],
            &[r#"Bearer error="x", Bearer claims="CLAIMS""#],
            &[r#"Negotiate YWJj==, Bearer realm="", claims="CLAIMS", Basic realm="x""#],
            &[r#"Digest realm="claims=\"e30=\"", nonce=e30=, Bearer claims="CLAIMS""#],
            &["Bearer claims=CLAIMS"],
            &["Bearer claims=SAFE= , error=x"],
            &["Bearer error=insufficient_claims,claims=SAFE,realm=x"],
            &[r#"Bearer claims = "CLAIMS""#],
            &["bearer\tClaims\t=\t\"SAFE\""],
            &[r#",, Bearer ,error="x",, claims="SAFE=",,"#],
            &[r#"Bearer realm="é", claims="CLAIMS""#],
            &[r#"Bearer claims="", claims="no base64!", claims="CLAIMS""#],
            &[r#"Bearer claims="bm90IEpTT04=""#, r#"PoP claims="CLAIMS""#],
            &[r#"Bearer xclaims="e30=", claims="CLAIMS""#],
            &[r#"Bearer claims="CLAIMS"#],
            &[&quoted],
            &[&plain],
        ] {
            assert_eq!(found(lines).as_deref(), Some(DEMANDED), "{lines:?}");
        }
    }

    #[test]
    fn other_challenges_hold_no_claims() {
        for none in [
            "",
            "Bearer",
            "Bearer claims",
            "Bearer claims=",
            "Bearer claims e30=",
            r#"Bearer x="claims=\"e30=\"""#,
            r#"=,"\"#,
            r#"Bearer ="claims="#,
            r#"Bearer claims="bm90IEpTT04=""#,
            "Bearer claims=W10",
        ] {
            assert_eq!(found(&[none]), None, "{none}");
        }
        assert_eq!(found(&[]), None);
    }
}
