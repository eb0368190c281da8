//! Maps requests to responses: authorisation, address, and the handler of the method.

use std::borrow::Cow;

use axum::http::{HeaderMap, Method};
use uuid::Uuid;

use super::{
    address::{Address, Part, split},
    batch,
    context::{ConcurrentWriter, Context, apply_write},
    csdl, fetchxml, functions, keys,
    keys::Key,
    list, metadata,
    options::{For, Options},
    read, reference, render, tracking, write,
};
use crate::{
    authority::{
        entra,
        entra::TENANT,
        privileges::{self, Right},
        token::{self, Application},
    },
    conditions::{Limit, Limits},
    contents::Contents,
    definitions::{TableRef, formatted::decimal, table::Column},
    error::ODataError,
    message::{self, ApiResponse, Request},
    organisation::{Caller, Organisation, USER},
    prefer::Preferences,
};

/// Longest URL, in characters. The behaviour for longer ones is not documented.
const MAX_URL: usize = 32_768;

/// The same for a request in a batch.
const MAX_URL_IN_BATCH: usize = 65_536;

/// Fixed properties of the server.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) url: String,
    /// Names that its certificate is valid for; empty without TLS.
    pub(crate) hosts: Vec<String>,
    pub(crate) credential: String,
    pub(crate) application: Application,
}

impl Service {
    /// Whether the request carries the emulator's own credential.
    pub(crate) fn authorises(&self, headers: &HeaderMap) -> bool {
        message::bearer(headers) == Some(&self.credential)
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
        let response = if token::is_for_a_token(request) {
            let is_resource = |resource: &str| self.is_resource(&origin, resource);
            let Contents { tokens, conditions, now_in_ms, .. } = contents;
            token::respond(&self.application, tokens, conditions, *now_in_ms, request, is_resource)
        } else if let Some(response) = entra::respond(request, &origin) {
            response
        } else {
            let response = self.admit(contents, request, others).and_then(|()| {
                let now = contents.time_in_ms();
                contents.organisation.set_now(now);
                let (_, segments) = split(&request.path)?;
                if !batch::is_batch(request, &segments) {
                    return execute(contents, request, writer, &origin, MAX_URL);
                }
                batch::respond(contents, request, &origin, &mut |contents, inner| {
                    // Documented: the limits count the requests in a batch.
                    throttle(contents, others)?;
                    execute(contents, inner, writer, &origin, MAX_URL_IN_BATCH)
                })
            });
            let mut response =
                response.unwrap_or_else(|error| message::error_response(&error, request, &origin, TENANT));
            if response.status != 401 {
                response.headers.extend(remaining(contents));
            }
            Ok(response)
        };
        response.unwrap_or_else(|error| message::error_response(&error, request, &origin, TENANT))
    }

    /// The response for an injected error.
    pub(crate) fn error_response(&self, error: &ODataError, request: &Request) -> ApiResponse {
        message::error_response(error, request, &self.origin(request), TENANT)
    }

    /// Scheme, host and port as the client addresses them.
    fn origin(&self, request: &Request) -> String {
        let host = request.headers.get("host").and_then(|host| host.to_str().ok());
        let scheme = self.url.split(':').next().unwrap_or_default();
        host.map_or_else(|| self.url.clone(), |host| format!("{scheme}://{host}"))
    }

    /// Whether a `Host` header names the emulator.
    pub(crate) fn is_own_host(&self, authority: &str) -> bool {
        let host = host_of(authority);
        ["127.0.0.1", "::1", "localhost"]
            .into_iter()
            .chain(self.hosts.iter().map(String::as_str))
            .any(|own| own.eq_ignore_ascii_case(host))
    }

    /// Whether tokens are issued for this resource: the emulator under any of its names, with any port.
    fn is_resource(&self, origin: &str, resource: &str) -> bool {
        let Some(authority) = resource.strip_prefix("https://") else {
            return resource == origin || resource == self.url;
        };
        let host = host_of(authority);
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
        throttle(contents, others)?;
        for header in IMPERSONATION {
            let Some(caller) = request.header(header)? else { continue };
            if contents.conditions.unprivileged_callers.iter().any(|unknown| unknown.eq_ignore_ascii_case(&caller)) {
                return Err(ODataError::MayNotImpersonate { caller });
            }
        }
        Ok(())
    }
}

/// The headers with what is left of the limits.
fn remaining(contents: &Contents) -> [(Cow<'static, str>, String); 2] {
    let (requests, time) = contents.throttle.remaining(&contents.conditions.limits);
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    let seconds = decimal(time as f64 / 1000.0, 2);
    [
        ("x-ms-ratelimit-burst-remaining-xrm-requests".into(), requests.to_string()),
        ("x-ms-ratelimit-time-remaining-xrm-requests".into(), seconds),
    ]
}

fn throttle(contents: &mut Contents, others: u64) -> Result<(), ODataError> {
    let throttled = contents.throttle.admit(&contents.conditions, contents.now_in_ms, others);
    throttled.map_err(|(limit, wait_in_ms)| throttled_by(limit, &contents.conditions.limits, wait_in_ms))
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn host_of(authority: &str) -> &str {
    let port = authority.rfind(':').filter(|at| authority[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
    authority[..port.unwrap_or(authority.len())].trim_start_matches('[').trim_end_matches(']')
}

const IMPERSONATION: [&str; 2] = ["callerobjectid", "mscrmcallerid"];

/// The error for an exceeded limit.
pub(crate) fn throttled_by(limit: Limit, limits: &Limits, wait_in_ms: u64) -> ODataError {
    ODataError::Throttled {
        code: limit.code(),
        message: limit.message(limits),
        retry_after_in_seconds: wait_in_ms.div_ceil(1000),
    }
}

/// Executes one request, in a transaction.
pub(crate) fn execute(
    contents: &mut Contents,
    request: &Request,
    writer: &ConcurrentWriter,
    origin: &str,
    max_url: usize,
) -> Result<ApiResponse, ODataError> {
    check_form(request, origin, max_url)?;
    let (version, segments) = split(&request.path)?;
    let Contents { organisation, conditions, .. } = contents;
    let context = Context {
        request,
        preferences: Preferences::of(&request.headers)?,
        origin: origin.to_owned(),
        root: format!("{origin}/api/data/{version}"),
        definitions: organisation.definitions().clone(),
        writer,
        conditions,
        caller: caller(organisation, request)?,
        now: organisation.now(),
    };
    if let Some(response) = csdl::respond(&context, &segments).or_else(|| metadata::respond(&context, &segments)) {
        return response;
    }
    if let Some(response) =
        organisation.transaction(|organisation| functions::respond(organisation, &context, &segments).transpose())?
    {
        return Ok(response);
    }
    let address = Address::parse(&context.definitions, &segments, |name| context.conditions.hides(name))?;
    check_privileges(&context, &address)?;
    // The write of another writer stays, whatever becomes of this request.
    if let Some(write) = &writer.before
        && let Some(key) = &address.key
        && let Ok(id) = keys::find(organisation, conditions, &address.table, key)
    {
        apply_write(organisation, &address.table, id, Some(write));
    }
    organisation.transaction(|organisation| handle(organisation, &context, &address))
}

/// The user whom the request acts for. An impersonated user who has no row is believed.
fn caller(organisation: &Organisation, request: &Request) -> Result<Caller, ODataError> {
    let [object, user] = IMPERSONATION.map(|header| request.header(header));
    let id = |text: &str| Uuid::try_parse(text).ok();
    let by_object = |object: Uuid| {
        let has_it = |row: &crate::organisation::Row| {
            row.column("azureactivedirectoryobjectid").and_then(|value| id(value.as_str()?)) == Some(object)
        };
        organisation.rows("systemuser").find(|(_, row)| has_it(row)).map_or(object, |(id, _)| id)
    };
    let impersonated = match (object?, user?) {
        (Some(object), _) => id(&object).map(by_object),
        (None, user) => user.and_then(|user| id(&user)),
    };
    Ok(match impersonated {
        Some(user) => Caller { user, on_behalf_by: Some(USER) },
        None => Caller { user: USER, on_behalf_by: None },
    })
}

fn handle(
    organisation: &mut Organisation,
    context: &Context<'_>,
    address: &Address,
) -> Result<ApiResponse, ODataError> {
    let (table, method) = (&address.table, &context.request.method);
    let whom = if address.key.is_none() && method == Method::GET
        || matches!(address.part, Part::Collection(_) | Part::CollectionCount(_))
    {
        For::Set
    } else {
        For::Row
    };
    let options = Options::parse(context.request.query.as_deref(), whom)?;
    let Some(key) = &address.key else { return handle_set(organisation, context, address, &options) };
    let id = match keys::resolve(organisation, context.conditions, table, key)? {
        Key::Id(id) => id,
        Key::Missing(values) if method == Method::PATCH && matches!(address.part, Part::Whole) => {
            return write::patch_missing(organisation, context, table, &options, &address.segment, values);
        }
        Key::Missing(_) => return Err(ODataError::KeyNotFound { table: table.clone() }),
    };
    match (method, &address.part) {
        (&Method::GET, Part::Whole) => {
            let response = read::get(organisation, context, table, &options, id);
            apply_write(organisation, table, id, context.writer.after.as_ref());
            response
        }
        (&Method::PATCH, Part::Whole) => write::patch(organisation, context, table, &options, &address.segment, id),
        (&Method::DELETE, Part::Whole) => write::delete(organisation, context, table, id),
        // Rows do not support POST.
        (&Method::POST, Part::Whole) => Err(no_resource(context)),
        (_, Part::Property { column, as_text }) => property(organisation, context, table, id, column, *as_text),
        (&Method::GET, Part::Navigation(navigation)) => {
            read::navigation(organisation, context, table, &options, id, navigation)
        }
        (&Method::GET, Part::NavigationReference(navigation)) => {
            reference::get(organisation, context, table, id, navigation)
        }
        (&Method::PUT | &Method::DELETE, Part::NavigationReference(navigation)) => {
            reference::write(organisation, context, table, id, navigation)
        }
        (&Method::GET, Part::Collection(collection) | Part::CollectionCount(collection)) => {
            read::existing(organisation, table, id)?;
            let Some(target) = context.definitions.by_logical_name(&collection.table) else {
                return Err(not_here());
            };
            let rows = render::members(organisation, &table.logical_name, id, collection).into_iter();
            if matches!(address.part, Part::CollectionCount(_)) {
                return list::count(organisation, context, target, &options, rows);
            }
            let path = format!("{}({id})/{}", table.set, collection.name);
            list::get(organisation, context, target, &options, &path, rows)
        }
        (&Method::POST, Part::Collection(collection)) => {
            write::post_member(organisation, context, table, &options, id, collection)
        }
        (&Method::GET, Part::CollectionReference(collection, None)) => {
            read::existing(organisation, table, id)?;
            let Some(target) = context.definitions.by_logical_name(&collection.table) else {
                return Err(not_here());
            };
            Ok(reference::list(context, target, reference::ids(organisation, table, id, collection).into_iter()))
        }
        (&Method::POST | &Method::DELETE, Part::CollectionReference(collection, member)) => {
            reference::change(organisation, context, table, id, collection, member.as_deref())
        }
        (_, Part::Operation { name, arguments }) => {
            functions::bound(organisation, context, table, Some(id), name, arguments.as_deref())
        }
        _ => Err(not_here()),
    }
}

fn handle_set(
    organisation: &mut Organisation,
    context: &Context<'_>,
    address: &Address,
    options: &Options,
) -> Result<ApiResponse, ODataError> {
    let table = &address.table;
    match (&context.request.method, &address.part) {
        (&Method::GET, Part::Whole) if options.fetch_xml.is_some() => {
            fetchxml::get(organisation, context, table, options)
        }
        (&Method::GET, Part::Whole) if tracking::is_asked(context, options) => {
            tracking::get(organisation, context, table, options)
        }
        (&Method::GET, Part::Whole) => {
            list::get(organisation, context, table, options, &table.set, organisation.rows(&table.logical_name))
        }
        (&Method::GET, Part::Count) if options.delta_token.is_some() => {
            tracking::count(organisation, context, table, options)
        }
        (&Method::GET, Part::Count) => {
            list::count(organisation, context, table, options, organisation.rows(&table.logical_name))
        }
        (&Method::GET, Part::Reference) => Ok(reference::list(context, table, organisation.ids(&table.logical_name))),
        (&Method::POST, Part::Whole) => write::post(organisation, context, table, options),
        (_, Part::Operation { name, arguments }) => {
            functions::bound(organisation, context, table, None, name, arguments.as_deref())
        }
        // Sets do not support the others. This includes `DELETE` of the references of a set.
        (&Method::PATCH | &Method::PUT | &Method::DELETE, _) => Err(no_resource(context)),
        _ => Err(not_here()),
    }
}

/// One column: GET, PUT and DELETE.
fn property(
    organisation: &mut Organisation,
    context: &Context<'_>,
    table: &TableRef,
    id: Uuid,
    column: &Column,
    as_text: bool,
) -> Result<ApiResponse, ODataError> {
    match context.request.method {
        Method::GET => read::property(organisation, context, table, id, column, as_text),
        Method::PUT | Method::DELETE if !as_text => write::property(organisation, context, table, id, column),
        // PATCH uploads a file.
        _ => Err(not_here()),
    }
}

// A guess: a write that returns the row needs both privileges, and does nothing without `Read`.
fn check_privileges(context: &Context<'_>, address: &Address) -> Result<(), ODataError> {
    let (conditions, table, method) = (context.conditions, &address.table, &context.request.method);
    if method == Method::GET || context.preferences.representation {
        privileges::check(conditions, Right::Read, table)?;
    }
    match (method, &address.part) {
        (&Method::DELETE, Part::Whole) => privileges::check(conditions, Right::Delete, table),
        (&Method::PATCH | &Method::PUT | &Method::DELETE, _) => privileges::check(conditions, Right::Write, table),
        _ => Ok(()),
    }
}

fn no_resource(context: &Context<'_>) -> ODataError {
    ODataError::NoResource { uri: format!("{}{}", context.origin, context.request.target()) }
}

fn not_here() -> ODataError {
    ODataError::NotEmulated("this method here".to_owned())
}

/// Rejects requests with unsupported URLs or headers, whichever row they address.
fn check_form(request: &Request, origin: &str, max_url: usize) -> Result<(), ODataError> {
    let length = origin.len() + request.target().len();
    if length > max_url {
        return Err(ODataError::NotEmulated(format!("a URL of {length} characters, more than {max_url}")));
    }
    let accept = request.header("accept")?.unwrap_or_default().to_ascii_lowercase();
    let mut parameters = accept.split([';', ',']).map(str::trim).filter(|part| part.starts_with("odata.metadata="));
    match parameters.find(|asked| asked.replace('"', "") != "odata.metadata=minimal") {
        Some(other) => Err(ODataError::NotEmulated(format!("Accept with {other}"))),
        None => Ok(()),
    }
}
