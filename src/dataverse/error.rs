//! Maps unsuccessful responses and transport errors to `LinkError`. The status decides; messages are passed on, never interpreted.

use std::{fmt, time::Duration};

use ::http::StatusCode;
use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    error::{Code, LinkError},
    http::{CallError, HttpResponse, redact},
    json::{self, Object, Whole},
};

const ROW_NOT_FOUND: &str = "0x80040217";
const CONCURRENCY_OFF: [&str; 2] = ["0x8006088d", "0x80060883"];
/// Undeclared property, invalid syntax, unknown column: the request itself is invalid.
const INVALID_REQUEST: [&str; 4] = ["0x80048d19", "0x80060888", "0x0", ""];

/// Whether Dataverse itself reports that a row does not exist. A 404 of a proxy does not prove that.
pub(super) fn is_row_not_found(response: &HttpResponse) -> bool {
    response.status == StatusCode::NOT_FOUND && ServiceError::parse(response).code.as_deref() == Some(ROW_NOT_FOUND)
}

/// Whether the row changed since it was read.
pub(super) fn is_stale(response: &HttpResponse) -> bool {
    response.status == StatusCode::PRECONDITION_FAILED
        && !CONCURRENCY_OFF.contains(&ServiceError::parse(response).code())
}

/// Error of a response that does not follow the Web API.
pub(super) fn protocol(response: &HttpResponse, why: &str) -> LinkError {
    let status = response.status.as_u16();
    // The reason may quote the response.
    let why = redact(why, &[]).unwrap_or_default();
    LinkError::new(Code::Protocol, format!("The server returned {status}, but {why}."))
        .hint("Check that the URL is the environment's own and that the response does not come from a proxy.")
        .with(|details| details.http_status = Some(status))
}

/// Error of an unsuccessful response.
pub(super) fn explain(response: &HttpResponse) -> LinkError {
    let status = response.status;
    let mut service = ServiceError::parse(response);
    for text in [&mut service.message, &mut service.code] {
        *text = text.take().and_then(|text| redact(&text, &[]));
    }
    let after = response.retry_after();
    let (code, summary, hint) = classify(status, &service, after);
    let message = match &service.message {
        Some(text) => format!("{summary} ({}): {text}", status.as_u16()),
        None => format!("{summary} ({}, without error details).", status.as_u16()),
    };
    let mut error = LinkError::new(code, message);
    if let Some(hint) = hint {
        error = error.hint(hint);
    }
    error.with(|details| {
        details.http_status = Some(status.as_u16());
        details.retry_after = after;
        details.service_code = service.code;
        details.service_message = service.message;
    })
}

/// The token is valid, but its user does not exist in this environment or is disabled there.
const NO_USER: [&str; 2] = ["0x80072560", "0x80040225"];

/// Hint if the conversation table has no optimistic concurrency.
pub(super) const NO_VERSIONS_HINT: &str = "Turn on optimistic concurrency for msdyn_ocliveworkitem. Or set `optimisticConcurrency: false`, and accept that a link may then overwrite another writer's.";

/// Code, summary and hint.
fn classify(
    status: StatusCode,
    service: &ServiceError,
    after: Option<Duration>,
) -> (Code, &'static str, Option<&'static str>) {
    if CONCURRENCY_OFF.contains(&service.code()) {
        return (Code::InvalidConfiguration, "The conversation table does not check versions", Some(NO_VERSIONS_HINT));
    }
    if NO_USER.contains(&service.code()) {
        return (
            Code::AuthenticationFailed,
            "The environment does not know the caller, or has disabled it",
            Some(
                "Make the application a user of the environment: Power Platform admin center, Settings, Application users.",
            ),
        );
    }
    match status.as_u16() {
        300..=399 => (
            Code::Protocol,
            "The server redirected the request",
            Some("Redirects are not followed, because the request holds the token. Use the environment's own URL."),
        ),
        401 => (
            Code::AuthenticationFailed,
            "The server did not accept the token",
            Some(
                "Request it for the scope <environment URL>/.default, and make its application a user of the environment.",
            ),
        ),
        403 => (
            Code::Forbidden,
            "The caller lacks a privilege",
            Some(
                "Linking needs Read, Write and Append on the conversation and AppendTo on the record; finding a record needs Read on it.",
            ),
        ),
        404 => (
            Code::InvalidConfiguration,
            "The environment has no conversation table",
            Some("Check the URL, and that Omnichannel for Customer Service is installed in this environment."),
        ),
        429 => {
            let hint = if after.is_some() {
                "Call again after the time in `retryAfterInMs`."
            } else {
                "Call again later, and less often."
            };
            (Code::Throttled, "The server is throttling this user", Some(hint))
        }
        400 if !INVALID_REQUEST.contains(&service.code()) => {
            (Code::Rejected, "The server rejected the change", Some("A plug-in or a business rule may be the cause."))
        }
        400..=499 => (Code::Protocol, "The server rejected the request as invalid", None),
        _ => (Code::Unavailable, "The server failed", None),
    }
}

/// Error of a request without a response.
pub(super) fn no_response(error: CallError) -> LinkError {
    match error {
        CallError::NoToken(error) => error,
        CallError::Exchange(error) => error.into_link_error("The server"),
    }
}

/// Error of a write that was cancelled early enough to find out whether it was applied.
pub(super) fn write_timed_out(after: Duration) -> LinkError {
    LinkError::new(Code::Timeout, format!("The server did not respond to the change within {} ms.", after.as_millis()))
        .hint("Raise the timeout if the server is known to be slow.")
}

/// Error of a write that waited for its turn until it was too late.
pub(super) fn write_not_sent(after: Duration) -> LinkError {
    let message = format!(
        "The change was not sent within {} ms: requests wait while the server throttles this client, while too many are in flight, or for a token.",
        after.as_millis()
    );
    LinkError::new(Code::Timeout, message).hint("Make fewer calls at once, or raise the timeout.")
}

/// Code and message of an error response, in any of its three forms.
#[derive(Default)]
struct ServiceError {
    code: Option<String>,
    message: Option<String>,
}

impl ServiceError {
    /// Parses field by field, up to the first invalid JSON, so that an irregular body does not hide the server's error.
    fn parse(response: &HttpResponse) -> Self {
        let (mut inner, mut bare) = (Self::default(), Self::default());
        let text = json::text(&response.body);
        // It fails at the first invalid JSON; the fields before it are used.
        let _ = Fields { found: &mut bare, inner: Some(&mut inner) }
            .deserialize(&mut serde_json::Deserializer::from_str(&text));
        Self { code: inner.code.or(bare.code), message: inner.message.or(bare.message) }
    }

    fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_default()
    }
}

/// Code and message of an object, and of the object `error` in it.
struct Fields<'p> {
    found: &'p mut ServiceError,
    inner: Option<&'p mut ServiceError>,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, object: D) -> Result<(), D::Error> {
        object.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, or a message")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.found.message = Some(text.to_owned());
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        IgnoredAny.visit_seq(list).map(drop)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        while let Some(key) = object.next_key::<String>()? {
            match key.to_ascii_lowercase().as_str() {
                "error" if let Some(found) = self.inner.take() => {
                    object.next_value_seed(Fields { found, inner: None })?;
                }
                "code" | "errorcode" => {
                    let code = object.next_value().map(code)?;
                    self.found.code = self.found.code.take().or(code);
                }
                "message" => {
                    let message = object.next_value().map(message)?;
                    self.found.message = self.found.message.take().or(message);
                }
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The code in hexadecimal. Servers also write it as a decimal, with or without a sign.
fn code(value: &RawValue) -> Option<String> {
    if let Ok(Whole(number)) = serde_json::from_str(value.get()) {
        return hexadecimal(number);
    }
    let text = serde_json::from_str::<String>(value.get()).ok()?.trim().to_ascii_lowercase();
    text.parse().ok().and_then(hexadecimal).or(Some(text)).filter(|code| !code.is_empty())
}

fn hexadecimal(code: i64) -> Option<String> {
    let code = i32::try_from(code).map(i32::cast_unsigned).or_else(|_| u32::try_from(code)).ok()?;
    Some(format!("{code:#010x}"))
}

/// The message. Older services return it in an object with its language.
fn message(value: &RawValue) -> Option<String> {
    let text = value.get();
    serde_json::from_str(text).ok().or_else(|| Object::parse(text).ok()?.lenient("value"))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use ::http::HeaderMap;
    use bytes::Bytes;

    use super::*;

    fn response(status: u16, body: &str) -> HttpResponse {
        let status = StatusCode::from_u16(status).unwrap();
        HttpResponse {
            status,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            received: SystemTime::UNIX_EPOCH,
        }
    }

    fn odata(code: &str) -> String {
        format!(r#"{{"error":{{"code":"{code}","message":"Said by the server"}}}}"#)
    }

    #[test]
    fn every_documented_error_has_its_code() {
        for (status, service, expected) in [
            (400, "0x80048d19", Code::Protocol),
            (400, "0x80060888", Code::Protocol),
            (400, "0x0", Code::Protocol),
            (400, "0x80040265", Code::Rejected),
            (400, "0x80040230", Code::Rejected),
            (400, "0x8006088D", Code::InvalidConfiguration),
            (401, "", Code::AuthenticationFailed),
            (403, "0x80040220", Code::Forbidden),
            (403, "0x80072560", Code::AuthenticationFailed),
            (403, "0x80048306", Code::Forbidden),
            (404, "0x8006088a", Code::InvalidConfiguration),
            (404, "", Code::InvalidConfiguration),
            (405, "0x80040227", Code::Protocol),
            (412, "0x80060883", Code::InvalidConfiguration),
            (413, "0x8004418a", Code::Protocol),
            (429, "0x80072322", Code::Throttled),
            (500, "0x80044150", Code::Unavailable),
            (501, "", Code::Unavailable),
            (503, "", Code::Unavailable),
            (302, "", Code::Protocol),
        ] {
            let error = explain(&response(status, &odata(service)));
            assert_eq!(error.code(), expected, "{status} {service}");
            assert_eq!(error.details().http_status, Some(status));
            let shown = error.details().service_code.as_deref().unwrap_or_default();
            assert_eq!(shown, service.to_lowercase());
            assert!(error.message().ends_with(": Said by the server"), "{error}");
        }
    }

    #[test]
    fn the_hint_mentions_a_pause_only_if_the_server_requests_one() {
        let mut throttled = response(429, "");
        let hint = |error: LinkError| error.details().hint.clone().unwrap_or_default();
        assert_eq!(hint(explain(&throttled)), "Call again later, and less often.");
        throttled.headers.insert(::http::header::RETRY_AFTER, 7.into());
        assert_eq!(hint(explain(&throttled)), "Call again after the time in `retryAfterInMs`.");
    }

    #[test]
    fn no_body_leads_to_an_empty_message() {
        for body in [
            "",
            "<html><title>502</title>",
            r#"{"error":{"code":"0x8"#,
            "{}",
            "[]",
            r#"{"error":{"message":""}}"#,
            "null",
        ] {
            let error = explain(&response(502, body));
            assert_eq!(error.message(), "The server failed (502, without error details).", "{body}");
            assert_eq!(error.details().service_message, None);
        }
    }

    #[test]
    fn the_other_forms_are_parsed_too() {
        for body in [
            r#"{"Message":"Busy","ErrorCode":"0x80040217"}"#,
            r#"{"message":"Busy","code":-2147220969}"#,
            r#"{"error":{"code":"-2147220969","message":"Busy"}}"#,
        ] {
            let error = explain(&response(404, body));
            assert_eq!(error.details().service_message.as_deref(), Some("Busy"), "{body}");
            assert!(is_row_not_found(&response(404, body)), "{body}");
        }
        assert!(!is_row_not_found(&response(404, "<html>")));
        // Not quite JSON.
        for message in [r"C:\Temp", r"C:\users"] {
            let body =
                format!(r#"{{"error":{{"innererror":{{"took":NaN}},"message":"{message}","code":"0x80040217"}}}}"#);
            let error = explain(&response(404, &body));
            assert_eq!(error.details().service_message.as_deref(), Some(message));
            assert!(is_row_not_found(&response(404, &body)), "{body}");
        }
    }

    #[test]
    fn any_412_means_stale_unless_versions_are_not_checked() {
        assert!(is_stale(&response(412, "")));
        assert!(is_stale(&response(412, &odata("0x80060882"))));
        assert!(!is_stale(&response(412, &odata("0x80060883"))));
        assert!(!is_stale(&response(404, "")));
    }
}
