//! `POST $batch`: several requests in one, in order, and change sets that succeed or fail as a whole.

use std::collections::HashMap;

use axum::{
    body::Bytes,
    http::{Method, StatusCode},
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    authority::entra::TENANT,
    contents::Contents,
    error::ODataError,
    json,
    message::{self, ApiResponse, Content, Request},
};
use parts::{InnerRequest, Part, unreadable};

mod parts;

/// Most requests in one batch, as documented.
const MAX_REQUESTS: usize = 1000;

/// Headers of the batch that also hold for its requests.
const COMMON: [&str; 4] = ["authorization", "callerobjectid", "host", "mscrmcallerid"];

/// Executes one request of a batch.
pub(super) type Execute<'a> = &'a mut dyn FnMut(&mut Contents, &Request) -> Result<ApiResponse, ODataError>;

/// Whether the request is a batch.
pub(super) fn is_batch(request: &Request, segments: &[&str]) -> bool {
    request.method == Method::POST && segments == ["$batch"]
}

/// Responds to a batch. Without `odata.continue-on-error` it ends at the first failure, whose status it then has. `origin` is the server
/// as the client addresses it.
pub(super) fn respond(
    contents: &mut Contents,
    request: &Request,
    origin: &str,
    execute: Execute<'_>,
) -> Result<ApiResponse, ODataError> {
    let Some(body) = &request.body else { return Err(ODataError::PayloadTooLarge) };
    let body = std::str::from_utf8(body).map_err(|_| unreadable("The body is not UTF-8."))?;
    if contents.conditions.batch_needs_crlf && body.replace("\r\n", "").contains('\n') {
        return Err(unreadable("The lines of a batch must end with CRLF."));
    }
    let content_type = request.header("content-type")?.unwrap_or_default();
    let boundary = parts::boundary(&content_type)
        .ok_or_else(|| unreadable("The Content-Type must be multipart/mixed with a boundary."))?;
    let parts = parts::split(body, boundary)?;
    let count = |part: &Part| if let Part::ChangeSet(set) = part { set.len() } else { 1 };
    if parts.iter().map(count).sum::<usize>() > MAX_REQUESTS {
        return Err(ODataError::TooManyParts);
    }
    let continues = request.header("prefer")?.is_some_and(|prefer| {
        prefer.split([',', ';']).any(|preference| preference.trim() == "odata.continue-on-error")
    });
    let mut batch = Batch { request, origin, execute, text: String::new(), warnings: Vec::new() };
    let boundary = format!("batchresponse_{}", Uuid::new_v4());
    let mut status = 200;
    for part in parts {
        let failed = match part {
            Part::Request(inner) => batch.single(contents, &inner, &boundary),
            Part::ChangeSet(set) => batch.change_set(contents, &set, &boundary),
        };
        if let Some(failed) = failed.filter(|_| !continues) {
            status = failed;
            break;
        }
    }
    let Batch { mut text, warnings, .. } = batch;
    text.extend(["--", &boundary, "--\r\n"]);
    Ok(ApiResponse {
        status,
        body: Some(Content::Multipart { boundary, body: text }),
        warnings,
        ..ApiResponse::default()
    })
}

struct Batch<'a> {
    request: &'a Request,
    origin: &'a str,
    execute: Execute<'a>,
    text: String,
    warnings: Vec<String>,
}

/// The URLs of the rows that earlier requests of a change set wrote, by `Content-ID`.
type References = HashMap<String, String>;

impl Batch<'_> {
    /// Executes a request outside of change sets. Returns its status if it failed.
    fn single(&mut self, contents: &mut Contents, inner: &InnerRequest, boundary: &str) -> Option<u16> {
        let response = self.run(contents, inner, &References::new()).unwrap_or_else(|failed| *failed);
        let status = response.status;
        write_part(&mut self.text, boundary, inner.content_id.as_deref(), response);
        (status >= 400).then_some(status)
    }

    /// Executes a change set. Returns the status of the member that failed.
    fn change_set(&mut self, contents: &mut Contents, set: &[InnerRequest], boundary: &str) -> Option<u16> {
        let outermost = contents.organisation.begin();
        let (mut references, mut text, mut failed) = (References::new(), String::new(), None);
        let inner_boundary = format!("changesetresponse_{}", Uuid::new_v4());
        for inner in set {
            match self.run(contents, inner, &references) {
                Ok(response) => {
                    let entity = response.headers.iter().find(|(name, _)| name == "odata-entityid");
                    if let (Some(id), Some((_, url))) = (&inner.content_id, entity) {
                        references.insert(id.clone(), url.clone());
                    }
                    write_part(&mut text, &inner_boundary, inner.content_id.as_deref(), response);
                }
                Err(response) => {
                    failed = Some(response.status);
                    // One part stands for the whole set.
                    text.clear();
                    write_part(&mut text, boundary, inner.content_id.as_deref(), *response);
                    break;
                }
            }
        }
        if outermost {
            contents.organisation.end(failed.is_none());
        }
        if failed.is_none() {
            let start = format!("--{boundary}\r\nContent-Type: multipart/mixed; boundary={inner_boundary}\r\n\r\n");
            text = format!("{start}{text}--{inner_boundary}--\r\n");
        }
        self.text += &text;
        failed
    }

    /// The response to a request; as an error if it failed.
    fn run(
        &mut self,
        contents: &mut Contents,
        inner: &InnerRequest,
        references: &References,
    ) -> Result<ApiResponse, Box<ApiResponse>> {
        let failed = |error: &ODataError, request: &Request| {
            let response = message::error_response(error, request, self.origin, TENANT);
            Box::new(response.with_header("req_id", Uuid::new_v4().to_string()))
        };
        let request = self.request_of(inner, references).map_err(|error| failed(&error, self.request))?;
        let mut response = (self.execute)(contents, &request).map_err(|error| failed(&error, &request))?;
        self.warnings.append(&mut response.warnings);
        Ok(response)
    }

    /// The request with its references resolved.
    fn request_of(&self, inner: &InnerRequest, references: &References) -> Result<Request, ODataError> {
        let url = resolve(&inner.url, references)?.unwrap_or_else(|| inner.url.clone());
        let url = absolute_path(&url, &self.request.path);
        let (path, query) = match url.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (url, None),
        };
        if path.trim_end_matches('/').ends_with("/$batch") {
            return Err(unreadable("A batch cannot contain another one."));
        }
        let mut headers = inner.headers.clone();
        for name in COMMON {
            headers.remove(name);
            if let Some(value) = self.request.headers.get(name) {
                headers.insert(name, value.clone());
            }
        }
        let body = Bytes::from(with_references(&inner.body, references)?);
        Ok(Request { method: inner.method.clone(), path, query, headers, body: Some(body) })
    }
}

/// The path and query of a URL: absolute, from the root of the server, or from the root of the service.
fn absolute_path(url: &str, batch: &str) -> String {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{}{path}", batch.strip_suffix("$batch").unwrap_or("/"))
    }
}

/// Replaces the reference at the beginning of a URL. `None`: there is none.
fn resolve(url: &str, references: &References) -> Result<Option<String>, ODataError> {
    let Some(rest) = url.strip_prefix('/').unwrap_or(url).strip_prefix('$') else { return Ok(None) };
    let end = rest.find(['/', '?', '(']).unwrap_or(rest.len());
    let id = &rest[..end];
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match references.get(id) {
        Some(target) => Ok(Some(format!("{target}{}", &rest[end..]))),
        None => Err(ODataError::NoContentId { id: format!("${id}") }),
    }
}

/// Replaces the references in binds and ids of a body.
fn with_references(body: &str, references: &References) -> Result<String, ODataError> {
    // Other bodies stay as they are, so that errors in them are reported as usual.
    if !body.contains("\"$") && !body.contains("\"/$") {
        return Ok(body.to_owned());
    }
    let Ok(mut value) = json::parse_unique(body.as_bytes()) else { return Ok(body.to_owned()) };
    replace(&mut value, references)?;
    Ok(value.to_string())
}

fn replace(value: &mut Value, references: &References) -> Result<(), ODataError> {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(url) if name.ends_with("@odata.bind") || name == "@odata.id" => {
                        if let Some(resolved) = resolve(url, references)? {
                            *url = resolved;
                        }
                    }
                    value => replace(value, references)?,
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| replace(item, references)),
        _ => Ok(()),
    }
}

/// Writes one response.
fn write_part(text: &mut String, boundary: &str, content_id: Option<&str>, response: ApiResponse) {
    let status = StatusCode::from_u16(response.status).ok();
    let reason = status.and_then(|status| status.canonical_reason()).unwrap_or_default();
    let content_id = content_id.map(|id| format!("Content-ID: {id}\r\n")).unwrap_or_default();
    let (media, body) = match response.body {
        Some(Content::Json(body)) => (Some("application/json; odata.metadata=minimal"), body.to_string()),
        Some(Content::Text(media, body)) => (Some(media), body),
        _ => (None, String::new()),
    };
    let mut headers = String::new();
    let mut header = |name: &str, value: &str| headers.extend([name, ": ", value, "\r\n"]);
    if let Some(media) = media {
        header("Content-Type", media);
    }
    header("OData-Version", "4.0");
    for (name, value) in &response.headers {
        header(written(name), value);
        if name == "odata-entityid" && !response.headers.iter().any(|(name, _)| name == "location") {
            header("Location", value);
        }
    }
    let start = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n";
    let status = response.status.to_string();
    text.extend(["--", boundary, "\r\n", start, &content_id, "\r\nHTTP/1.1 ", &status, " ", reason, "\r\n"]);
    text.extend([&headers, "\r\n", &body, "\r\n"]);
}

/// The usual writing of a header. Some clients look for it in the text.
fn written(name: &str) -> &str {
    match name {
        "etag" => "ETag",
        "location" => "Location",
        "odata-entityid" => "OData-EntityId",
        "preference-applied" => "Preference-Applied",
        "req_id" => "REQ_ID",
        "retry-after" => "Retry-After",
        other => other,
    }
}
