//! Claims of a token, for diagnosis. The signature is not verified.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use url::Url;
use uuid::Uuid;

use super::Token;
use crate::json::{self, Object};

/// The three claims of a token that are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub audience: Option<Audience>,
    pub tenant: Option<Uuid>,
    pub application: Option<Uuid>,
}

/// The resource that a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    Origin(String),
    Application(Uuid),
    /// Anything else. It is not shown.
    Other,
}

impl Token {
    /// The claims of a JSON web token. `None` for an opaque token.
    #[must_use]
    pub fn claims(&self) -> Option<Claims> {
        let mut parts = self.reveal().split('.');
        let (_, Some(payload), Some(_), None) = (parts.next()?, parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let payload = json::text(&payload);
        let payload = Object::parse(&payload).ok()?;
        // The first of several audiences counts.
        let first = || payload.lenient::<Vec<String>>("aud")?.into_iter().next();
        let aud: Option<String> = payload.lenient("aud").or_else(first);
        let id = |name| payload.lenient(name);
        Some(Claims {
            audience: aud.map(|text| parse_audience(&text)),
            tenant: id("tid"),
            application: id("appid").or_else(|| id("azp")),
        })
    }
}

fn parse_audience(text: &str) -> Audience {
    if let Ok(id) = Uuid::try_parse(text) {
        return Audience::Application(id);
    }
    match Url::parse(text).map(|url| url.origin()) {
        Ok(origin) if origin.is_tuple() => Audience::Origin(origin.ascii_serialization()),
        _ => Audience::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(payload: &str) -> Option<Claims> {
        Token::new(&format!("eyJhbGciOiJub25lIn0.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))).unwrap().claims()
    }

    #[test]
    fn the_audience_is_compared_as_an_origin() {
        for (aud, expected) in [
            ("https://contoso.crm4.dynamics.com", Audience::Origin("https://contoso.crm4.dynamics.com".into())),
            ("https://CONTOSO.crm4.dynamics.com/", Audience::Origin("https://contoso.crm4.dynamics.com".into())),
            (
                "00000007-0000-0000-c000-000000000000",
                Audience::Application(Uuid::from_u128(0x7_0000_0000_c000_0000_0000_0000)),
            ),
            ("api://s3cret", Audience::Other),
            ("s3cret", Audience::Other),
        ] {
            assert_eq!(claims(&format!(r#"{{"aud":"{aud}"}}"#)).unwrap().audience, Some(expected), "{aud}");
        }
    }

    #[test]
    fn only_ids_are_read() {
        let id = "6b726d86-d37c-43b8-b3a4-c4056ddd2e07";
        let all = claims(&format!(r#"{{"tid":"{id}","azp":"{id}","upn":"s3cret","exp":1}}"#)).unwrap();
        assert_eq!((all.tenant, all.application), (Uuid::try_parse(id).ok(), Uuid::try_parse(id).ok()));
        let partly =
            claims(&format!(r#"{{"aud":["{id}","x"],"tid":7,"appid":["x"],"azp":"{id}","name":"\ud83d","n":1e999}}"#));
        let (audience, application) = (Uuid::try_parse(id).map(Audience::Application).ok(), Uuid::try_parse(id).ok());
        assert_eq!(partly, Some(Claims { audience, tenant: None, application }));
        let odd = claims(r#"{"tid":"s3cret","appid":"s3cret"}"#).unwrap();
        assert_eq!(odd, Claims { audience: None, tenant: None, application: None });
    }

    #[test]
    fn an_opaque_token_has_no_claims() {
        for opaque in ["emulator-0123", "a.b.c", "a.b", "..", "a.e30.c.d"] {
            assert_eq!(Token::new(opaque).unwrap().claims(), None, "{opaque}");
        }
        assert_eq!(claims("[]"), None);
    }
}
