//! Checks of one response.

use serde_json::Value;

use crate::http::{Message, Response};

/// The problem of a response to a request with a right framing, if there is one.
pub(crate) fn response(message: &Message, response: &Response) -> Result<(), String> {
    let status = response.status;
    if status >= 500 && status != 501 {
        return Err(format!("status {status} that nothing asked for"));
    }
    let is_web_api = response.header("req_id").is_some();
    let is_for_web_api = message.target.starts_with("/api/data/");
    // Answers of the HTTP library to a head that is too long.
    let is_refused = matches!(status, 400 | 414 | 431) && response.is_last;
    if is_for_web_api && !is_web_api && !is_refused {
        return Err("no headers of the Web API".to_owned());
    }
    let media = response.header("content-type").unwrap_or_default();
    let is_json = media.starts_with("application/json");
    if response.body.is_empty() {
        let needs_body = is_web_api && status >= 400 && status != 401 && message.method != "HEAD";
        return if needs_body { Err("an error without a body".to_owned()) } else { Ok(()) };
    }
    if is_json {
        let read: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(&response.body);
        read.map_err(|error| format!("a body that is not JSON: {error}"))?;
    }
    if is_web_api && status >= 400 && !media.starts_with("multipart/mixed") {
        let body: Value = serde_json::from_slice(&response.body).map_err(|_| "an error that is not JSON")?;
        let error = &body["error"];
        let (Some(code), Some(text)) = (error["code"].as_str(), error["message"].as_str()) else {
            return Err("an error of another shape".to_owned());
        };
        let may_be_empty = status == 404 && text.contains("No HTTP resource was found");
        if text.is_empty() || code.is_empty() && !may_be_empty {
            return Err("an error without code or message".to_owned());
        }
    }
    Ok(())
}

/// Whether a rejection of this request must leave all rows as they were. The parts of a batch are independent of each other.
pub(crate) fn is_atomic(message: &Message) -> bool {
    !message.target.to_ascii_lowercase().contains("batch")
}

/// The peak and the current size of this process in KiB.
#[cfg(target_os = "linux")]
pub(crate) fn memory() -> Option<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok());
    Some((field("VmHWM:")?, field("VmRSS:")?))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn memory() -> Option<(u64, u64)> {
    None
}
