//! Requests and responses, independent of the connection.

use std::borrow::Cow;

use axum::{
    body::Bytes,
    http::{HeaderMap, Method},
};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::{
    error::{self, ODataError},
    prefer::Preferences,
};

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As in the request line, with its percent-encoding.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    /// `None` if it exceeded the size limit.
    pub(crate) body: Option<Bytes>,
}

/// A response without the common headers.
#[derive(Debug, Default)]
pub(crate) struct ApiResponse {
    pub(crate) status: u16,
    /// They replace common headers with the same name.
    pub(crate) headers: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: Option<Content>,
    /// The response comes from a gateway or the token endpoint, so it has no headers of the Web API.
    pub(crate) is_foreign: bool,
    /// Requests that Dataverse accepts but that are rarely intended. Shown in the request log.
    pub(crate) warnings: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum Content {
    Json(Value),
    Html(String),
    /// Text of this media type.
    Text(&'static str, String),
    /// The parts of a batch response, with its boundary.
    Multipart {
        boundary: String,
        body: String,
    },
}

impl From<Value> for Content {
    fn from(value: Value) -> Self {
        Content::Json(value)
    }
}

impl ApiResponse {
    /// A response with a JSON body.
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, body: Some(body.into()), ..Self::default() }
    }

    /// `204 No Content`
    pub(crate) fn empty() -> Self {
        Self { status: 204, ..Self::default() }
    }

    #[must_use]
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

impl Request {
    /// Method and path with query.
    pub(crate) fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The value of a header. Several lines are joined.
    pub(crate) fn header(&self, name: &str) -> Result<Option<String>, ODataError> {
        let unreadable = |_| ODataError::NotEmulated(format!("a header {name} that is not ASCII"));
        let values: Result<Vec<_>, _> = self.headers.get_all(name).iter().map(|value| value.to_str()).collect();
        let values = values.map_err(unreadable)?;
        Ok((!values.is_empty()).then(|| values.join(", ")))
    }

    /// The bearer token.
    pub(crate) fn bearer(&self) -> Option<&str> {
        bearer(&self.headers)
    }
}

/// Decodes percent-encoding.
pub(crate) fn decode(text: &str) -> Result<String, ODataError> {
    Ok(percent_decode_str(text).decode_utf8().map_err(|_| ODataError::QuerySyntax)?.into_owned())
}

/// The bearer token of a request with these headers.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get("authorization")?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The response for an error. `origin` is the server as the client addresses it.
pub(crate) fn error_response(error: &ODataError, request: &Request, origin: &str, tenant: &str) -> ApiResponse {
    let (status, code, message) = error.parts(&format!("{} {}", request.method, request.target()));
    let header = match error {
        ODataError::Unauthorized => Some((
            "www-authenticate".into(),
            format!("Bearer authorization_uri={origin}/{tenant}/oauth2/authorize, resource_id={origin}/"),
        )),
        ODataError::Throttled { retry_after_in_seconds, .. } => {
            Some(("retry-after".into(), retry_after_in_seconds.to_string()))
        }
        _ => None,
    };
    let all_annotations = Preferences::of(&request.headers).is_ok_and(|preferences| preferences.annotations.all());
    let body = (status != 401).then(|| error::body(code, &message, all_annotations).into());
    ApiResponse { status, headers: header.into_iter().collect(), body, ..ApiResponse::default() }
}
