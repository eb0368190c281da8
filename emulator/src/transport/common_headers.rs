//! The headers that every response has, as in the documented trace of `WhoAmI`.

use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::{
    message::{ApiResponse, Request},
    organisation::ORGANISATION,
    state::Shared,
};

const YEAR_10000_IN_MS: u64 = 253_402_300_800_000;

type Headers = Vec<(&'static str, String)>;

pub(crate) fn of(shared: &Shared, request: &Request, response: &ApiResponse) -> Headers {
    let mut headers = vec![("cache-control", "no-cache".to_owned()), ("expires", "-1".to_owned())];
    headers.extend(date(shared).map(|date| ("date", date)));
    if response.is_foreign {
        return headers;
    }
    // Sent twice, as in the documented trace, and only the last one is that of the request.
    let request_id = Uuid::new_v4().to_string();
    headers.push(("x-ms-service-request-id", Uuid::new_v4().to_string()));
    headers.push(("x-ms-service-request-id", request_id.clone()));
    headers.push(("req_id", request_id));
    let is_secure = shared.service.url.starts_with("https:");
    // Never without TLS, as the standard demands. Never for this machine itself, because a browser would then demand https of every other
    // local server for a year.
    if is_secure && !names_this_machine(request) {
        headers.push(("strict-transport-security", "max-age=31536000; includeSubDomains".to_owned()));
    }
    if response.status != 401 {
        headers.extend(of_a_caller(is_secure));
    }
    headers
}

/// The headers for a caller with a valid token. An executed request replaces the limits.
fn of_a_caller(is_secure: bool) -> Headers {
    // Cookies with `secure` would not come back without TLS.
    let secure = if is_secure { "; secure" } else { "" };
    let cookie = |name: &str, value: &str| ("set-cookie", format!("{name}={value}; path=/{secure}; HttpOnly"));
    vec![
        ("odata-version", "4.0".to_owned()),
        ("vary", "Accept-Encoding".to_owned()),
        ("x-ms-ratelimit-time-remaining-xrm-requests", "1,200.00".to_owned()),
        ("x-ms-ratelimit-burst-remaining-xrm-requests", "6000".to_owned()),
        ("x-ms-dop-hint", "48".to_owned()),
        ("crm.serviceid", "framework".to_owned()),
        ("authactivityid", Uuid::new_v4().to_string()),
        cookie("ARRAffinity", "e2b0c4"),
        cookie("ReqClientId", "6d1f8a02-94c7-4b5e-a3d8-0e7b2c9f4a61"),
        cookie("orgId", &ORGANISATION.to_string()),
    ]
}

fn names_this_machine(request: &Request) -> bool {
    let host = request.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_local = |name: &str| host.strip_prefix(name).is_some_and(|port| port.is_empty() || port.starts_with(':'));
    ["localhost", "127.0.0.1", "[::1]", ""].into_iter().any(is_local)
}

/// The `Date` header, if the conditions define when the clock began.
fn date(shared: &Shared) -> Option<String> {
    let contents = shared.lock();
    let since_1970 = contents.conditions.date_in_ms?.checked_add(contents.now_in_ms)?;
    // Later years have no date in a header.
    (since_1970 < YEAR_10000_IN_MS).then(|| {
        let since_1970 = Duration::from_millis(since_1970);
        httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since_1970)
    })
}
