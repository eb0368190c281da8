//! The request log: requests and the status of their responses. It never contains a credential.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::{authority::token, message::Request};

/// Most requests that are kept.
const KEPT: usize = 10_000;

/// Most memory that they take, in bytes.
const BYTES_KEPT: usize = 32 * 1024 * 1024;

/// Most bytes of a body that are kept.
const BODY_KEPT: usize = 64 * 1024;

/// Most warnings of one request that are kept. A batch may have thousands.
const WARNINGS_KEPT: usize = 100;

/// One request and the status of its response.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoggedRequest {
    /// 1 for the first request since the start. Counting continues when older entries are dropped, so the newest number is the total.
    pub number: u64,
    /// The HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// Headers in the order sent, names in lower case, without `Authorization`.
    pub headers: Vec<(String, String)>,
    /// The first 64 KiB of the body as a string. Empty if there was none or if it exceeded the limit. Secrets of a token request are
    /// replaced by `***`.
    pub body: String,
    /// Status of the response; 0 if there was none, or none yet.
    pub status: u16,
    /// The kind of the injected fault, for example `hang`.
    pub fault: Option<&'static str>,
    /// Requests that Dataverse accepts but that are rarely intended, such as a `PATCH` that created a row because `If-Match` was missing.
    pub warnings: Vec<String>,
}

impl LoggedRequest {
    /// The first value of a header; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Memory that it takes, in bytes.
    fn size(&self) -> usize {
        // Of a string also the three words that point to it.
        let text = |text: &String| text.capacity() + size_of::<String>();
        let headers = self.headers.iter().map(|(name, value)| text(name) + text(value));
        let texts = [&self.method, &self.path, &self.body].into_iter().chain(&self.warnings).map(text);
        size_of::<Self>() + headers.chain(texts).sum::<usize>()
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut headers = serde_json::Map::new();
        for (name, value) in &self.headers {
            let joined = match headers.get(name).and_then(Value::as_str) {
                Some(before) => format!("{before}, {value}"),
                None => value.clone(),
            };
            headers.insert(name.clone(), joined.into());
        }
        json!({
            "number": self.number,
            "method": self.method,
            "path": self.path,
            "headers": headers,
            "body": self.body,
            "status": self.status,
            "fault": self.fault,
            "warnings": self.warnings,
        })
    }
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<LoggedRequest>,
    /// Memory that the entries take.
    bytes: usize,
    total: u64,
    /// Number of times the log was cleared.
    emptied: u64,
}

/// Refers to an entry until the log is cleared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    number: u64,
    emptied: u64,
}

impl Log {
    /// Adds a request without a response.
    pub(crate) fn begin(&mut self, request: &Request, fault: Option<&'static str>) -> Ticket {
        let headers = request.headers.iter().filter(|(name, _)| *name != "authorization");
        self.total += 1;
        let entry = LoggedRequest {
            number: self.total,
            method: request.method.to_string(),
            path: request.target(),
            headers: headers
                .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect(),
            body: body_of(request),
            status: 0,
            fault,
            warnings: Vec::new(),
        };
        self.bytes += entry.size();
        self.entries.push_back(entry);
        while self.entries.len() > KEPT || self.bytes > BYTES_KEPT {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.size();
        }
        Ticket { number: self.total, emptied: self.emptied }
    }

    /// Adds the response. Does nothing if the entry was dropped.
    pub(crate) fn finish(&mut self, ticket: Ticket, status: u16, warnings: Vec<String>) {
        // Searches from the newest, which is nearly always the right one.
        let entry = self.entries.iter_mut().rev().find(|entry| entry.number == ticket.number);
        if let Some(entry) = entry.filter(|_| ticket.emptied == self.emptied) {
            entry.status = status;
            self.bytes -= entry.size();
            entry.warnings.extend(warnings.into_iter().take(WARNINGS_KEPT));
            self.bytes += entry.size();
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self { emptied: self.emptied + 1, ..Self::default() };
    }

    pub(crate) fn entries(&self) -> Vec<LoggedRequest> {
        self.entries.iter().cloned().collect()
    }
}

fn body_of(request: &Request) -> String {
    let body = request.body.as_deref().unwrap_or_default();
    let text = String::from_utf8_lossy(&body[..body.len().min(BODY_KEPT)]).into_owned();
    if !token::is_for_a_token(request) {
        return text;
    }
    let hidden = text.split('&').map(|pair| match pair.split_once('=') {
        Some((name @ ("client_id" | "grant_type" | "scope"), value)) => format!("{name}={value}"),
        Some((name, _)) => format!("{name}=***"),
        None => "***".to_owned(),
    });
    hidden.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, Method};

    use super::*;

    #[test]
    fn the_newest_are_kept_and_long_bodies_are_cut() {
        let mut log = Log::default();
        let request = Request {
            method: Method::PATCH,
            path: "/x".to_owned(),
            query: Some("a=b".to_owned()),
            headers: HeaderMap::new(),
            body: Some(vec![b'x'; BODY_KEPT + 1].into()),
        };
        log.begin(&request, None);
        assert_eq!(log.entries()[0].body.len(), BODY_KEPT);
        assert_eq!(log.entries()[0].path, "/x?a=b");

        let small = Request { body: None, ..request };
        for _ in 0..=KEPT {
            log.begin(&small, None);
        }
        let numbers: Vec<_> = log.entries().iter().map(|entry| entry.number).collect();
        assert_eq!((numbers.len(), numbers[0], numbers[KEPT - 1]), (KEPT, 3, KEPT as u64 + 2));
    }

    #[test]
    fn large_requests_take_no_more_than_the_limit() {
        let mut log = Log::default();
        let request = |size: usize| Request {
            method: Method::PATCH,
            path: "/x".to_owned(),
            query: None,
            headers: HeaderMap::new(),
            body: Some(vec![b'x'; size].into()),
        };
        for _ in 0..1000 {
            let ticket = log.begin(&request(BODY_KEPT), None);
            log.finish(ticket, 204, vec!["warning".to_owned(); 1000]);
        }
        assert!(
            log.bytes <= BYTES_KEPT && log.entries.len() > 400,
            "{} bytes, {} entries",
            log.bytes,
            log.entries.len()
        );
        assert_eq!(log.bytes, log.entries.iter().map(LoggedRequest::size).sum::<usize>());
        assert_eq!(log.entries.back().map(|entry| (entry.number, entry.warnings.len())), Some((1000, WARNINGS_KEPT)));
        for _ in 0..KEPT {
            log.begin(&request(0), None);
        }
        assert_eq!(log.entries.len(), KEPT);
        log.clear();
        assert_eq!((log.bytes, log.entries.capacity()), (0, 0));
    }
}
