//! From a request to an answer: who may ask, which row is meant, which verb does what.

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
    fault::{self, Fault},
    keys, metadata,
    organisation::{Changes, Organisation},
    prefer::Preferences,
    privileges::{self, Right},
    query::{self, QueryFault},
    read,
    state::Contents,
    token::{self, Application, TENANT},
    update,
};

const TOKEN_ENDPOINT: &str = "/oauth2/v2.0/token";

/// The longest URL, in characters. What comes of a longer one is not documented.
const MAX_URL: usize = 32_768;

/// One request, apart from how it came.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As in the request line, percent-encoding included.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    /// `None` when it was larger than the server takes.
    pub(crate) body: Option<Bytes>,
}

/// One answer, apart from the headers that every answer carries.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// They replace what every answer carries under the same name.
    pub(crate) headers: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: Option<Content>,
    /// It does not come from the Web API, but from a gateway or the token endpoint: none of its headers.
    pub(crate) is_foreign: bool,
    /// What Dataverse accepts although it is hardly ever meant; shown in the request log.
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

/// What else happens to the conversation while one request is executed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interference {
    /// Another writer, before the request is executed.
    pub(crate) before: Option<Write>,
    /// Another writer, after the request is executed and before the row is read for the answer.
    pub(crate) after: Option<Write>,
    /// A write is confirmed and not stored.
    pub(crate) loses_writes: bool,
}

/// What another writer does to the row that is addressed.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Change(Changes),
    Delete,
}

/// What the server knows of itself.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) url: String,
    /// What its certificate is good for; none without TLS.
    pub(crate) hosts: Vec<String>,
    pub(crate) credential: String,
    pub(crate) application: Application,
}

/// What every verb needs of a request.
pub(crate) struct Context<'a> {
    pub(crate) request: &'a Request,
    pub(crate) options: Options,
    pub(crate) preferences: Preferences,
    /// Scheme, host and port as the client calls them.
    pub(crate) origin: String,
    /// URL that set names are appended to, with the version the client uses.
    pub(crate) root: String,
    pub(crate) interference: &'a Interference,
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

    /// The one value of a header, however many lines it came in.
    pub(crate) fn header(&self, name: &str) -> Result<Option<String>, Fault> {
        let unreadable = |_| Fault::NotEmulated(format!("header {name} is not ASCII"));
        let values: Result<Vec<_>, _> = self.headers.get_all(name).iter().map(|value| value.to_str()).collect();
        let values = values.map_err(unreadable)?;
        Ok((!values.is_empty()).then(|| values.join(", ")))
    }

    /// Whether it goes to the token endpoint, whichever tenant it names.
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
    /// Whether the request carries the credential that the emulator was started with.
    pub(crate) fn authorises(&self, headers: &HeaderMap) -> bool {
        bearer(headers) == Some(&self.credential)
    }

    /// Answers one request, while `others` are in flight. A fault leaves the organisation as it was.
    pub(crate) fn answer(
        &self,
        contents: &mut Contents,
        request: &Request,
        interference: &Interference,
        others: u64,
    ) -> Answer {
        let origin = self.origin(request);
        let answer = if request.is_for_a_token() {
            let is_resource = |resource: &str| self.is_resource(&origin, resource);
            let Contents { tokens, conditions, now_in_ms, .. } = contents;
            token::answer(&self.application, tokens, conditions, *now_in_ms, request, is_resource)
        } else if let Some(answer) = entra::answer(request, &origin) {
            answer
        } else {
            self.admit(contents, request, others).and_then(|()| try_answer(contents, request, interference, origin))
        };
        answer.unwrap_or_else(|fault| self.refuse(&fault, request))
    }

    /// Scheme, host and port as the client calls them.
    fn origin(&self, request: &Request) -> String {
        let host = request.headers.get("host").and_then(|host| host.to_str().ok());
        let scheme = self.url.split(':').next().unwrap_or_default();
        host.map_or_else(|| self.url.clone(), |host| format!("{scheme}://{host}"))
    }

    /// Whether tokens are given for this resource: the emulator by any name it has, with any port or none.
    fn is_resource(&self, origin: &str, resource: &str) -> bool {
        let Some(authority) = resource.strip_prefix("https://") else {
            return resource == origin || resource == self.url;
        };
        let port = authority.rfind(':').filter(|at| authority[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
        let host = authority[..port.unwrap_or(authority.len())].trim_start_matches('[').trim_end_matches(']');
        self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }

    /// Who asks, for whom, and how often.
    fn admit(&self, contents: &mut Contents, request: &Request, others: u64) -> Result<(), Fault> {
        let issued = request.bearer().is_some_and(|token| contents.tokens.accept(token, contents.now_in_ms));
        if !issued && !self.authorises(&request.headers) {
            return Err(Fault::Unauthorized);
        }
        if issued && contents.conditions.application_user_missing {
            return Err(Fault::NotAMember);
        }
        let throttled = contents.throttle.admit(&contents.conditions, contents.now_in_ms, others);
        throttled.map_err(|(limit, wait_in_ms)| throttled_by(limit, &contents.conditions.limits, wait_in_ms))?;
        for header in ["callerobjectid", "mscrmcallerid"] {
            let Some(caller) = request.header(header)? else { continue };
            if contents.conditions.unprivileged_callers.iter().any(|unknown| unknown.eq_ignore_ascii_case(&caller)) {
                return Err(Fault::MayNotImpersonate { caller });
            }
        }
        Ok(())
    }

    /// The answer to a request that is refused.
    pub(crate) fn refuse(&self, fault: &Fault, request: &Request) -> Answer {
        let origin = self.origin(request);
        let (status, code, message) = fault.parts(&format!("{} {}", request.method, request.target()));
        let header = match fault {
            Fault::Unauthorized => Some((
                "www-authenticate".into(),
                format!("Bearer authorization_uri={origin}/{TENANT}/oauth2/authorize, resource_id={origin}/"),
            )),
            Fault::Throttled { retry_after_in_seconds, .. } => {
                Some(("retry-after".into(), retry_after_in_seconds.to_string()))
            }
            _ => None,
        };
        let all_annotations = Preferences::of(&request.headers).is_ok_and(|preferences| preferences.annotations.all());
        let body = (status != 401).then(|| fault::body(code, &message, all_annotations).into());
        Answer { status, headers: header.into_iter().collect(), body, ..Answer::default() }
    }
}

/// The fault for a limit that was met.
pub(crate) fn throttled_by(limit: Limit, limits: &crate::conditions::Limits, wait_in_ms: u64) -> Fault {
    Fault::Throttled {
        code: limit.code(),
        message: limit.message(limits),
        retry_after_in_seconds: wait_in_ms.div_ceil(1000),
    }
}

fn try_answer(
    contents: &mut Contents,
    request: &Request,
    interference: &Interference,
    origin: String,
) -> Result<Answer, Fault> {
    check_form(request, &origin)?;
    if let Some(answer) = metadata::answer(&contents.conditions, request, &origin) {
        return answer;
    }
    let Contents { organisation, conditions, .. } = contents;
    let address = Address::parse(&request.path, |table, key| match keys::find(organisation, conditions, table, key) {
        Err(Fault::Query(QueryFault::KeyNotFound { .. }))
            if request.method == Method::PATCH && request.header("if-match")?.is_none() =>
        {
            Err(Fault::NotEmulated("creating a row by its alternate key".to_owned()))
        }
        found => found,
    })?;
    let preferences = Preferences::of(&request.headers)?;
    // A write that returns the row takes both, and does nothing without the first: a guess.
    if request.method == Method::GET || preferences.representation {
        privileges::check(conditions, Right::Read, address.table)?;
    }
    if matches!(request.method, Method::PATCH | Method::PUT | Method::DELETE) {
        privileges::check(conditions, Right::Write, address.table)?;
    }
    let options = Options::parse(request.query.as_deref(), address.id.is_none())?;
    let root = format!("{origin}/api/data/{}", address.version);
    let context = Context { request, options, preferences, origin, root, interference, conditions };
    let_write(organisation, &address, interference.before.as_ref());
    match (&request.method, address.id) {
        (&Method::PUT | &Method::DELETE, Some(id)) if address.reference.is_some() => {
            update::reference(organisation, &context, &address, id)
        }
        _ if address.reference.is_some() => Err(Fault::NotEmulated("this verb is unknown to it here".to_owned())),
        (&Method::GET, Some(id)) => {
            let answer = read::get(organisation, &context, address.table, id);
            let_write(organisation, &address, interference.after.as_ref());
            answer
        }
        (&Method::GET, None) => query::get(organisation, &context, address.table),
        (&Method::PATCH, Some(id)) => update::patch(organisation, &context, &address, id),
        // A row takes no POST, a set neither of the others.
        (&Method::POST, Some(_)) | (&Method::PATCH | &Method::PUT | &Method::DELETE, None) => {
            Err(Fault::NoResource { uri: format!("{}{}", context.origin, request.target()) })
        }
        _ => Err(Fault::NotEmulated("this verb is unknown to it here".to_owned())),
    }
}

/// Refuses what would be answered otherwise whichever row is meant.
fn check_form(request: &Request, origin: &str) -> Result<(), Fault> {
    let length = origin.len() + request.target().len();
    if length > MAX_URL {
        return Err(Fault::NotEmulated(format!("a URL of {length} characters, more than {MAX_URL}")));
    }
    let accept = request.header("accept")?.unwrap_or_default().to_ascii_lowercase();
    let mut parameters = accept.split([';', ',']).map(str::trim).filter(|part| part.starts_with("odata.metadata="));
    match parameters.find(|asked| asked.replace('"', "") != "odata.metadata=minimal") {
        Some(other) => Err(Fault::NotEmulated(format!("Accept with {other}"))),
        None => Ok(()),
    }
}

/// Lets another writer at the row that is addressed, if there is one.
pub(crate) fn let_write(organisation: &mut Organisation, address: &Address, write: Option<&Write>) {
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
