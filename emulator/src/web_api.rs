//! Maps requests to responses: authorisation, address, and the handler of the method.

use std::borrow::Cow;

use axum::{
    body::Bytes,
    http::{HeaderMap, Method},
};
use serde_json::Value;

use crate::{
    address::{Address, Options},
    conditions::{Conditions, Limit},
    entra,
    error::{self, ODataError},
    keys, metadata,
    organisation::{Changes, Organisation},
    prefer::Preferences,
    privileges::{self, Right},
    query::{self, QueryError},
    read,
    state::Contents,
    token::{self, Application, TENANT},
    update,
};

const TOKEN_ENDPOINT: &str = "/oauth2/v2.0/token";

/// Longest URL, in characters. The behaviour for longer ones is not documented.
const MAX_URL: usize = 32_768;

/// A request, independent of the connection.
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
}

impl From<Value> for Content {
    fn from(value: Value) -> Self {
        Content::Json(value)
    }
}

/// Concurrent changes to the conversation while one request is executed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConcurrentWriter {
    /// A write before the request is executed.
    pub(crate) before: Option<Write>,
    /// A write after the request is executed and before the row is read for the response.
    pub(crate) after: Option<Write>,
    /// The request's own write is confirmed but not stored.
    pub(crate) loses_writes: bool,
}

/// A write of another writer to the addressed row.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Change(Changes),
    Delete,
}

/// Fixed properties of the server.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) url: String,
    /// Names that its certificate is valid for; empty without TLS.
    pub(crate) hosts: Vec<String>,
    pub(crate) credential: String,
    pub(crate) application: Application,
}

/// Common data of a request for all handlers.
pub(crate) struct Context<'a> {
    pub(crate) request: &'a Request,
    pub(crate) options: Options,
    pub(crate) preferences: Preferences,
    /// Scheme, host and port as the client addresses them.
    pub(crate) origin: String,
    /// Base URL of sets, with the version that the client uses.
    pub(crate) root: String,
    pub(crate) writer: &'a ConcurrentWriter,
    pub(crate) conditions: &'a Conditions,
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

    /// Whether the request is for the token endpoint, with any tenant.
    pub(crate) fn is_for_a_token(&self) -> bool {
        let tenant = self.path.strip_prefix('/').and_then(|path| path.strip_suffix(TOKEN_ENDPOINT));
        self.method == Method::POST && tenant.is_some_and(|tenant| !tenant.is_empty() && !tenant.contains('/'))
    }

    fn bearer(&self) -> Option<&str> {
        bearer(&self.headers)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get("authorization")?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl Service {
    /// Whether the request carries the emulator's own credential.
    pub(crate) fn authorises(&self, headers: &HeaderMap) -> bool {
        bearer(headers) == Some(&self.credential)
    }

    /// Responds to a request. `others` is the number of other requests in flight. An error leaves the organisation unchanged.
    pub(crate) fn respond(
        &self,
        contents: &mut Contents,
        request: &Request,
        writer: &ConcurrentWriter,
        others: u64,
    ) -> ApiResponse {
        let origin = self.origin(request);
        let response = if request.is_for_a_token() {
            let is_resource = |resource: &str| self.is_resource(&origin, resource);
            let Contents { tokens, conditions, now_in_ms, .. } = contents;
            token::respond(&self.application, tokens, conditions, *now_in_ms, request, is_resource)
        } else if let Some(response) = entra::respond(request, &origin) {
            response
        } else {
            self.admit(contents, request, others).and_then(|()| execute(contents, request, writer, origin))
        };
        response.unwrap_or_else(|error| self.error_response(&error, request))
    }

    /// Scheme, host and port as the client addresses them.
    fn origin(&self, request: &Request) -> String {
        let host = request.headers.get("host").and_then(|host| host.to_str().ok());
        let scheme = self.url.split(':').next().unwrap_or_default();
        host.map_or_else(|| self.url.clone(), |host| format!("{scheme}://{host}"))
    }

    /// Whether tokens are issued for this resource: the emulator under any of its names, with any port.
    fn is_resource(&self, origin: &str, resource: &str) -> bool {
        let Some(authority) = resource.strip_prefix("https://") else {
            return resource == origin || resource == self.url;
        };
        let port = authority.rfind(':').filter(|at| authority[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
        let host = authority[..port.unwrap_or(authority.len())].trim_start_matches('[').trim_end_matches(']');
        self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }

    /// Checks the token, the limits and impersonation.
    fn admit(&self, contents: &mut Contents, request: &Request, others: u64) -> Result<(), ODataError> {
        let issued = request.bearer().is_some_and(|token| contents.tokens.accept(token, contents.now_in_ms));
        if !issued && !self.authorises(&request.headers) {
            return Err(ODataError::Unauthorized);
        }
        if issued && contents.conditions.application_user_missing {
            return Err(ODataError::NotAMember);
        }
        let throttled = contents.throttle.admit(&contents.conditions, contents.now_in_ms, others);
        throttled.map_err(|(limit, wait_in_ms)| throttled_by(limit, &contents.conditions.limits, wait_in_ms))?;
        for header in ["callerobjectid", "mscrmcallerid"] {
            let Some(caller) = request.header(header)? else { continue };
            if contents.conditions.unprivileged_callers.iter().any(|unknown| unknown.eq_ignore_ascii_case(&caller)) {
                return Err(ODataError::MayNotImpersonate { caller });
            }
        }
        Ok(())
    }

    /// The response for an error.
    pub(crate) fn error_response(&self, error: &ODataError, request: &Request) -> ApiResponse {
        let origin = self.origin(request);
        let (status, code, message) = error.parts(&format!("{} {}", request.method, request.target()));
        let header = match error {
            ODataError::Unauthorized => Some((
                "www-authenticate".into(),
                format!("Bearer authorization_uri={origin}/{TENANT}/oauth2/authorize, resource_id={origin}/"),
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
}

/// The error for an exceeded limit.
pub(crate) fn throttled_by(limit: Limit, limits: &crate::conditions::Limits, wait_in_ms: u64) -> ODataError {
    ODataError::Throttled {
        code: limit.code(),
        message: limit.message(limits),
        retry_after_in_seconds: wait_in_ms.div_ceil(1000),
    }
}

fn execute(
    contents: &mut Contents,
    request: &Request,
    writer: &ConcurrentWriter,
    origin: String,
) -> Result<ApiResponse, ODataError> {
    check_form(request, &origin)?;
    if let Some(response) = metadata::respond(&contents.conditions, request, &origin) {
        return response;
    }
    let Contents { organisation, conditions, .. } = contents;
    let address = Address::parse(&request.path, |table, key| match keys::find(organisation, conditions, table, key) {
        Err(ODataError::Query(QueryError::KeyNotFound { .. }))
            if request.method == Method::PATCH && request.header("if-match")?.is_none() =>
        {
            Err(ODataError::NotEmulated("creating a row by its alternate key".to_owned()))
        }
        found => found,
    })?;
    let preferences = Preferences::of(&request.headers)?;
    // A guess: a write that returns the row needs both privileges, and does nothing without `Read`.
    if request.method == Method::GET || preferences.representation {
        privileges::check(conditions, Right::Read, address.table)?;
    }
    if matches!(request.method, Method::PATCH | Method::PUT | Method::DELETE) {
        privileges::check(conditions, Right::Write, address.table)?;
    }
    let options = Options::parse(request.query.as_deref(), address.id.is_none())?;
    let root = format!("{origin}/api/data/{}", address.version);
    let context = Context { request, options, preferences, origin, root, writer, conditions };
    apply_write(organisation, &address, writer.before.as_ref());
    match (&request.method, address.id) {
        (&Method::PUT | &Method::DELETE, Some(id)) if address.reference.is_some() => {
            update::reference(organisation, &context, &address, id)
        }
        _ if address.reference.is_some() => Err(ODataError::NotEmulated("this method here".to_owned())),
        (&Method::GET, Some(id)) => {
            let response = read::get(organisation, &context, address.table, id);
            apply_write(organisation, &address, writer.after.as_ref());
            response
        }
        (&Method::GET, None) => query::get(organisation, &context, address.table),
        (&Method::PATCH, Some(id)) => update::patch(organisation, &context, &address, id),
        // Rows do not support POST, sets do not support the others.
        (&Method::POST, Some(_)) | (&Method::PATCH | &Method::PUT | &Method::DELETE, None) => {
            Err(ODataError::NoResource { uri: format!("{}{}", context.origin, request.target()) })
        }
        _ => Err(ODataError::NotEmulated("this method here".to_owned())),
    }
}

/// Rejects requests with unsupported URLs or headers, whichever row they address.
fn check_form(request: &Request, origin: &str) -> Result<(), ODataError> {
    let length = origin.len() + request.target().len();
    if length > MAX_URL {
        return Err(ODataError::NotEmulated(format!("a URL of {length} characters, more than {MAX_URL}")));
    }
    let accept = request.header("accept")?.unwrap_or_default().to_ascii_lowercase();
    let mut parameters = accept.split([';', ',']).map(str::trim).filter(|part| part.starts_with("odata.metadata="));
    match parameters.find(|asked| asked.replace('"', "") != "odata.metadata=minimal") {
        Some(other) => Err(ODataError::NotEmulated(format!("Accept with {other}"))),
        None => Ok(()),
    }
}

/// Applies a concurrent write to the addressed row, if it exists.
pub(crate) fn apply_write(organisation: &mut Organisation, address: &Address, write: Option<&Write>) {
    let Some(id) = address.id.filter(|id| organisation.row(address.table, *id).is_some()) else { return };
    match write {
        Some(Write::Change(changes)) => {
            organisation.write(address.table, id, changes.clone());
        }
        Some(Write::Delete) => {
            organisation.delete(address.table, id);
        }
        None => {}
    }
}
