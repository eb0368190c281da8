//! Answers and exchanges that are not what was asked for, as errors. Status first; messages are passed on, never understood.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::{
    error::{Code, LinkError},
    http::{AuthorizedResponse, CallError, HttpErrorKind, HttpResponse, Token, retry_after},
};

/// The server's own text is cut to this many characters.
const MAX_SERVICE_MESSAGE: usize = 500;

const ROW_NOT_FOUND: &str = "0x80040217";
const CONCURRENCY_OFF: [&str; 2] = ["0x8006088d", "0x80060883"];
/// Undeclared property, bad syntax, unknown column: the request itself was not understood.
const NOT_UNDERSTOOD: [&str; 4] = ["0x80048d19", "0x80060888", "0x0", ""];

/// Whether this is Dataverse saying that a row does not exist, and not some proxy saying that a page does not.
pub(super) fn is_row_not_found(response: &HttpResponse) -> bool {
    response.status == StatusCode::NOT_FOUND && ServiceError::of(response).code.as_deref() == Some(ROW_NOT_FOUND)
}

/// Whether the row changed since it was read.
pub(super) fn is_stale(response: &HttpResponse) -> bool {
    response.status == StatusCode::PRECONDITION_FAILED && !CONCURRENCY_OFF.contains(&ServiceError::of(response).code())
}

/// An answer that does not follow the Web API.
pub(super) fn protocol(response: &HttpResponse, what: &str) -> LinkError {
    let status = response.status.as_u16();
    LinkError::new(Code::Protocol, format!("The server answered {status}, but {what}."))
        .hint("Check that the URL is the environment's own and that no proxy answers in its place.")
        .with(|details| {
            details.http_status = Some(status);
            details.service_request_id = service_request_id(&response.headers);
        })
}

/// An answer that is not a success. The server may repeat the token it was sent; we do not.
pub(super) fn explain(AuthorizedResponse { response, token }: &AuthorizedResponse) -> LinkError {
    let status = response.status;
    let mut service = ServiceError::of(response);
    service.message = service.message.and_then(|text| presentable(&text, token));
    let (code, what, hint) = classify(status, &service);
    let message = match &service.message {
        Some(text) => format!("{what} ({}): {text}", status.as_u16()),
        None => format!("{what} ({}, without a readable explanation).", status.as_u16()),
    };
    let mut error = LinkError::new(code, message);
    if let Some(hint) = hint {
        error = error.hint(hint);
    }
    error.with(|details| {
        details.http_status = Some(status.as_u16());
        details.service_request_id = service_request_id(&response.headers);
        details.retry_after = retry_after(&response.headers);
        details.service_code = service.code;
        details.service_message = service.message;
    })
}

fn classify(status: StatusCode, service: &ServiceError) -> (Code, &'static str, Option<&'static str>) {
    if CONCURRENCY_OFF.contains(&service.code()) {
        return (
            Code::InvalidConfiguration,
            "The conversation table does not check versions",
            Some(
                "Turn on optimistic concurrency for msdyn_ocliveworkitem. Or set `concurrency: 'readCheckWrite'`, and accept that a link may then overwrite another writer's.",
            ),
        );
    }
    match status.as_u16() {
        300..=399 => (
            Code::Protocol,
            "The server redirected the request",
            Some("Redirects are not followed, because the token would travel along. Use the environment's own URL."),
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
            Some("Linking needs Read, Write and Append on the conversation and AppendTo on the record."),
        ),
        404 => (
            Code::InvalidConfiguration,
            "The server does not know the conversation table",
            Some("Check the URL, and that Omnichannel for Customer Service is installed in this environment."),
        ),
        429 => (Code::Throttled, "The server's limits for this user are used up", Some("Wait for `retryAfterInMs`.")),
        400 if !NOT_UNDERSTOOD.contains(&service.code()) => {
            (Code::Rejected, "The server refused the change", Some("A plug-in or a business rule may be behind it."))
        }
        400..=499 => (Code::Protocol, "The server did not understand the request", None),
        _ => (Code::Unavailable, "The server failed", None),
    }
}

/// An exchange without an answer.
pub(super) fn unreachable(error: CallError) -> LinkError {
    let error = match error {
        CallError::NoToken(fault) => return fault,
        CallError::Exchange(error) => error,
    };
    let what = match error.kind {
        HttpErrorKind::Connect => "The server cannot be reached",
        HttpErrorKind::ConnectTimeout => "The server could not be reached in time",
        HttpErrorKind::Interrupted => "The connection was lost before the answer came",
        HttpErrorKind::Throttled => "The server's limits for this user are used up",
        HttpErrorKind::TooLarge => "The answer is too long",
    };
    let code = match error.kind {
        HttpErrorKind::Throttled => Code::Throttled,
        HttpErrorKind::TooLarge => Code::Protocol,
        _ => Code::Unavailable,
    };
    let after = error.retry_after;
    let fault = LinkError::new(code, format!("{what}: {}.", error.message)).caused_by(error);
    fault.with(|details| details.retry_after = after)
}

/// A write that was given up on while there was still time to look at what became of it.
pub(super) fn unanswered(after: Duration) -> LinkError {
    LinkError::new(Code::Timeout, format!("The server did not answer the change within {} ms.", after.as_millis()))
        .hint("Raise `timeoutInMs` if the server is known to be slow.")
}

/// The three shapes in which errors come (`dataverse-wire.md` 4.7), and everything else.
#[derive(Default)]
struct ServiceError {
    code: Option<String>,
    message: Option<String>,
}

impl ServiceError {
    fn of(response: &HttpResponse) -> Self {
        #[derive(Deserialize)]
        struct Body {
            error: Option<Inner>,
            #[serde(flatten)]
            bare: Inner,
        }
        #[derive(Default, Deserialize)]
        struct Inner {
            #[serde(alias = "Code", alias = "ErrorCode", alias = "errorCode")]
            code: Option<serde_json::Value>,
            #[serde(alias = "Message")]
            message: Option<String>,
        }
        let Ok(body) = serde_json::from_slice::<Body>(&response.body) else { return Self::default() };
        let Inner { code, message } = body.error.unwrap_or(body.bare);
        let code = code.map(|code| match code {
            serde_json::Value::String(text) => text.to_ascii_lowercase(),
            other => other.to_string(),
        });
        Self { code: code.map(|code| hexadecimal(&code)), message }
    }

    fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_default()
    }
}

/// The same numbers appear as signed decimals.
fn hexadecimal(code: &str) -> String {
    code.parse::<i32>().map_or_else(|_| code.to_owned(), |number| format!("{number:#010x}"))
}

/// Redacts what is or looks like a token, and cuts.
fn presentable(text: &str, token: &Token) -> Option<String> {
    let redacted = |word: &&str| looks_secret(word) || token.is_in(word);
    let words = text.split_whitespace().map(|word| if redacted(&word) { "[redacted]" } else { word });
    let text = words.collect::<Vec<_>>().join(" ");
    let cut: String = text.chars().take(MAX_SERVICE_MESSAGE).collect();
    (!cut.is_empty()).then_some(cut)
}

/// JSON web tokens begin with an encoded brace; URLs may carry secrets in their query.
fn looks_secret(word: &str) -> bool {
    word.contains("eyJ") || (word.contains("://") && word.contains('?') && word.contains('='))
}

fn service_request_id(headers: &HeaderMap) -> Option<String> {
    ["x-ms-service-request-id", "req_id"].iter().find_map(|name| Some(headers.get(*name)?.to_str().ok()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(status: u16, body: &str) -> HttpResponse {
        let status = StatusCode::from_u16(status).unwrap();
        HttpResponse { status, headers: HeaderMap::new(), body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    fn token() -> Token {
        Token::new("s3cret").unwrap()
    }

    fn refused(status: u16, body: &str) -> AuthorizedResponse {
        AuthorizedResponse { response: answer(status, body), token: token() }
    }

    fn odata(code: &str) -> String {
        format!(r#"{{"error":{{"code":"{code}","message":"Said by the server"}}}}"#)
    }

    #[test]
    fn every_documented_fault_has_its_code() {
        for (status, service, expected) in [
            (400, "0x80048d19", Code::Protocol),
            (400, "0x80060888", Code::Protocol),
            (400, "0x0", Code::Protocol),
            (400, "0x80040265", Code::Rejected),
            (400, "0x80040230", Code::Rejected),
            (400, "0x8006088D", Code::InvalidConfiguration),
            (401, "", Code::AuthenticationFailed),
            (403, "0x80040220", Code::Forbidden),
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
            let error = explain(&refused(status, &odata(service)));
            assert_eq!(error.code(), expected, "{status} {service}");
            assert_eq!(error.details().http_status, Some(status));
            assert_eq!(error.details().service_code.as_deref(), Some(service.to_lowercase().as_str()));
            assert!(error.message().ends_with(": Said by the server"), "{error}");
        }
    }

    #[test]
    fn no_body_makes_an_empty_message() {
        for body in [
            "",
            "<html><title>502</title>",
            r#"{"error":{"code":"0x8"#,
            "{}",
            "[]",
            r#"{"error":{"message":""}}"#,
            "null",
        ] {
            let error = explain(&refused(502, body));
            assert_eq!(error.message(), "The server failed (502, without a readable explanation).", "{body}");
            assert_eq!(error.details().service_message, None);
        }
    }

    #[test]
    fn the_other_shapes_are_read_too() {
        for body in [
            r#"{"Message":"Busy","ErrorCode":"0x80040217"}"#,
            r#"{"message":"Busy","code":-2147220969}"#,
            r#"{"error":{"code":"-2147220969","message":"Busy"}}"#,
        ] {
            let error = explain(&refused(404, body));
            assert_eq!(error.details().service_message.as_deref(), Some("Busy"), "{body}");
            assert!(is_row_not_found(&answer(404, body)), "{body}");
        }
        assert!(!is_row_not_found(&answer(404, "<html>")));
    }

    #[test]
    fn any_412_means_stale_unless_versions_are_not_checked() {
        assert!(is_stale(&answer(412, "")));
        assert!(is_stale(&answer(412, &odata("0x80060882"))));
        assert!(!is_stale(&answer(412, &odata("0x80060883"))));
        assert!(!is_stale(&answer(404, "")));
    }

    #[test]
    fn the_servers_text_is_cut_and_redacted() {
        let text = format!("Token eyJabc.def.ghi or (s3cret) refused https://x/?sig=1 {}", "long ".repeat(300));
        let shown = presentable(&text, &token()).unwrap();
        assert!(shown.starts_with("Token [redacted] or [redacted] refused [redacted] long"), "{shown}");
        assert_eq!(shown.chars().count(), MAX_SERVICE_MESSAGE);
    }
}
