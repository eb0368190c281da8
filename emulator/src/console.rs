//! The console: a page that shows and changes conversations, the request log and the faults. Everything but the page itself needs the
//! credential.

use std::sync::Arc;

use axum::{
    body::to_bytes,
    extract::{RawQuery, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    definitions::kind::Kind,
    organisation::{Caller, Changes, Organisation, Reference, Row, USER},
    state::Shared,
    table::{ACCOUNT, CONTACT, CONVERSATION, INCIDENT},
};

pub(crate) const PAGE: &str = "/";
pub(crate) const SCRIPT: &str = "/_emulator/console.js";
pub(crate) const STYLE: &str = "/_emulator/console.css";
pub(crate) const STATE: &str = "/_emulator/console/state";

/// Most conversations, and most records of each table, that the page shows.
const SHOWN: usize = 1000;

/// Largest body of a request to the console or the test API.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Most requests that the page shows.
const REQUESTS: usize = 200;

/// The page loads nothing from elsewhere, and nothing can contain it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

pub(crate) async fn page() -> Response {
    file("text/html; charset=utf-8", include_str!("../console/index.html"))
}

pub(crate) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("../console/console.js"))
}

pub(crate) async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("../console/console.css"))
}

fn file(media: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}

/// Refuses requests that a page of another origin sends, and hosts that are not the emulator's: such a name may lead here by a trick of
/// its owner's DNS server.
pub(crate) async fn refuse_others(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path != PAGE && !path.starts_with("/_emulator/") {
        return next.run(request).await;
    }
    // A connection can be used again only if the body was read, whatever the response.
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        let text = "The body is longer than 16 MiB, or did not arrive in time.\n";
        return (StatusCode::BAD_REQUEST, [(header::CONNECTION, "close")], text).into_response();
    };
    if comes_from_here(&shared, &parts.headers) {
        return next.run(Request::from_parts(parts, body.into())).await;
    }
    (StatusCode::FORBIDDEN, "The console and the test API accept no requests of other origins.\n").into_response()
}

fn comes_from_here(shared: &Shared, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scheme = if shared.service.hosts.is_empty() { "http" } else { "https" };
    let own = format!("{scheme}://{host}");
    shared.service.is_own_host(host) && headers.get(header::ORIGIN).is_none_or(|origin| *origin == own)
}

/// The state of the page, when it is newer than the one with the number `after`.
pub(crate) async fn state(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    if !shared.service.authorises(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let after = query.as_deref().and_then(|query| query.strip_prefix("after=")?.parse().ok());
    shared.changed_after(after.unwrap_or_default()).await;
    let text = read(&shared).to_string();
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}

fn read(shared: &Shared) -> Value {
    // Taken first, so that a change meanwhile is newer.
    let revision = shared.revision();
    let contents = shared.lock();
    let organisation = &contents.organisation;
    let mut requests: Vec<_> = contents.log.entries();
    requests.reverse();
    requests.truncate(REQUESTS);
    let conversations = organisation.rows(CONVERSATION).take(SHOWN);
    let conversations = conversations.map(|(id, row)| conversation(organisation, id, row));
    let of_table = |table| organisation.ids(table).take(SHOWN).map(move |id| Reference::new(table, id));
    let records = [ACCOUNT, CONTACT, INCIDENT].into_iter().flat_map(of_table).map(|to| record(organisation, &to));
    json!({
        "revision": revision,
        "total": organisation.ids(CONVERSATION).count(),
        "conversations": conversations.collect::<Value>(),
        "statuses": statuses(organisation),
        "records": records.collect::<Value>(),
        "faults": contents.plan.waiting(),
        "requests": requests.iter().map(crate::log::LoggedRequest::to_json).collect::<Value>(),
    })
}

fn conversation(organisation: &Organisation, id: Uuid, row: &Row) -> Value {
    let linked = |lookup: &str| row.lookup(lookup).map(|to| record(organisation, to));
    json!({
        "id": id,
        "subject": row.column("subject"),
        "status": row.column("statuscode"),
        "customer": linked("msdyn_customer"),
        "case": linked("msdyn_issueid"),
    })
}

fn record(organisation: &Organisation, to: &Reference) -> Value {
    json!({ "table": to.logical_name(), "id": to.id(), "name": organisation.name_of(to) })
}

fn statuses(organisation: &Organisation) -> Value {
    let table = organisation.definitions().by_logical_name(CONVERSATION);
    match table.and_then(|table| table.column("statuscode")).map(|column| &column.kind) {
        Some(Kind::Status(statuses)) => {
            statuses.iter().map(|status| json!({ "code": status.code, "label": status.label })).collect()
        }
        _ => json!([]),
    }
}

/// A change of a conversation by the page. It is not a request to the Web API, and is not in the log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsoleWrite {
    conversation: Uuid,
    status: Option<i64>,
    link: Option<Target>,
    unlink: Option<Slot>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    table: String,
    id: Uuid,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Slot {
    Customer,
    Case,
}

impl ConsoleWrite {
    pub(crate) fn apply(self, organisation: &mut Organisation) -> Result<(), String> {
        let Self { conversation, status, link, unlink } = self;
        if organisation.row(CONVERSATION, conversation).is_none() {
            return Err(format!("no conversation {conversation}"));
        }
        let mut changes = Changes::new();
        if let Some(status) = status {
            let definitions = organisation.definitions();
            let known = definitions.by_logical_name(CONVERSATION).is_some_and(|table| table.status(status).is_some());
            if !known {
                return Err(format!("no status {status}"));
            }
            changes = changes.set("statuscode", status);
        }
        if let Some(Target { table, id }) = link {
            let lookup = match table.as_str() {
                ACCOUNT | CONTACT => "msdyn_customer",
                INCIDENT => "msdyn_issueid",
                other => return Err(format!("'{other}' cannot be linked")),
            };
            if organisation.row(&table, id).is_none() {
                return Err(format!("no {table} {id}"));
            }
            changes = changes.link(lookup, Reference::new(&table, id));
        }
        changes = match unlink {
            Some(Slot::Customer) => changes.clear("msdyn_customer"),
            Some(Slot::Case) => changes.clear("msdyn_issueid"),
            None => changes,
        };
        let definitions = Arc::clone(organisation.definitions());
        let table = definitions.by_logical_name(CONVERSATION).ok_or("no conversations")?;
        organisation.save(table, conversation, changes, Caller { user: USER, on_behalf_by: None });
        Ok(())
    }
}
