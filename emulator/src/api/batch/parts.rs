//! Splits a multipart body into the requests that it contains.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::error::ODataError;

/// One part of a batch.
#[derive(Debug)]
pub(super) enum Part {
    Request(InnerRequest),
    ChangeSet(Vec<InnerRequest>),
}

/// A request in a batch, as it is written there.
#[derive(Debug)]
pub(super) struct InnerRequest {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    pub(super) content_id: Option<String>,
}

/// Splits a body. Both kinds of line ends are accepted.
pub(super) fn split(body: &str, boundary: &str) -> Result<Vec<Part>, ODataError> {
    sections(body, boundary)?.into_iter().map(part).collect()
}

/// The boundary in a `Content-Type`, with or without quotes. `None`: it is not multipart.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').map(str::trim);
    if !parameters.next()?.eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let named = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then_some(value)
    });
    named.map(|value| value.trim().trim_matches('"')).filter(|value| !value.is_empty())
}

/// The text between the delimiters. Text before the first one and after the last one is ignored.
fn sections<'a>(body: &'a str, boundary: &str) -> Result<Vec<&'a str>, ODataError> {
    let (mut sections, mut start, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive('\n') {
        let next = at + line.len();
        if let Some(end) = line.trim_end().strip_prefix("--").and_then(|rest| rest.strip_prefix(boundary))
            && matches!(end, "" | "--")
        {
            sections.extend(start.map(|start| &body[start..at]));
            if end == "--" {
                return Ok(sections);
            }
            start = Some(next);
        }
        at = next;
    }
    Err(unreadable(&format!("The end of the part with the boundary '{boundary}' is missing.")))
}

fn part(section: &str) -> Result<Part, ODataError> {
    let (headers, content) = headers(section)?;
    let content_type = text(&headers, "content-type");
    if let Some(boundary) = boundary(content_type) {
        let requests = sections(content, boundary)?.into_iter().map(|section| match part_of_set(section)? {
            request if request.method == Method::GET => Err(unreadable("A change set cannot contain a GET request.")),
            request => Ok(request),
        });
        return requests.collect::<Result<_, _>>().map(Part::ChangeSet);
    }
    request(&headers, content).map(Part::Request)
}

fn part_of_set(section: &str) -> Result<InnerRequest, ODataError> {
    let (headers, content) = headers(section)?;
    if boundary(text(&headers, "content-type")).is_some() {
        return Err(unreadable("A change set cannot contain another one."));
    }
    request(&headers, content)
}

/// `content`: a request line, headers, and a body after an empty line.
fn request(part: &HeaderMap, content: &str) -> Result<InnerRequest, ODataError> {
    if !text(part, "content-type").to_ascii_lowercase().starts_with("application/http") {
        return Err(unreadable("A part has a Content-Type other than application/http."));
    }
    let content = content.trim_start();
    let (line, rest) = content.split_once('\n').unwrap_or((content, ""));
    let line = line.trim_end();
    // The URL may contain spaces.
    let (method, rest_of_line) = line.split_once(' ').unwrap_or_default();
    let (url, version) = rest_of_line.rsplit_once(' ').unwrap_or_default();
    let method = Method::from_bytes(method.as_bytes()).ok().filter(|_| version.starts_with("HTTP/"));
    let Some(method) = method else { return Err(unreadable(&format!("'{line}' is not a request line."))) };
    let (headers, body) = headers(rest)?;
    let content_id = [part, &headers].into_iter().map(|headers| text(headers, "content-id")).find(|id| !id.is_empty());
    let content_id = content_id.map(str::to_owned);
    // Clients that write `undefined` have no body.
    let body = body.trim();
    let has_body = !matches!(method, Method::GET | Method::DELETE) && !body.is_empty();
    Ok(InnerRequest {
        method,
        url: url.trim().to_owned(),
        body: if has_body { body } else { "" }.to_owned(),
        headers,
        content_id,
    })
}

/// Headers up to an empty line or the end, and what follows.
fn headers(section: &str) -> Result<(HeaderMap, &str), ODataError> {
    let mut headers = HeaderMap::new();
    let mut rest = section;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        let invalid = || unreadable(&format!("'{line}' is not a header."));
        let (name, value) = line.split_once(':').ok_or_else(invalid)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| invalid())?;
        headers.append(name, HeaderValue::from_str(value.trim()).map_err(|_| invalid())?);
    }
    Ok((headers, rest))
}

/// A header as text; empty if there is none.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub(super) fn unreadable(detail: &str) -> ODataError {
    ODataError::BatchNotReadable(detail.to_owned())
}
