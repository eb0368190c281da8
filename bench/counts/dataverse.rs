//! Calls on Dataverse, answered from memory.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, ready};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use omnichannel_link::{
    dataverse::{DataverseOptions, DataverseStore},
    domain::{CallOptions, LinkPolicy, LinkService},
    http::{HttpError, HttpRequest, HttpResponse, HttpService, NoopObserver, StaticToken, Token},
};

use super::{Failed, contact, conversation, ensure_written, still_clock::StillClock};

/// Longer than a row is remembered.
const TEN_MINUTES: u64 = 600;

pub(crate) async fn warm_links(calls: usize) -> Result<(), Failed> {
    let client = Client::new(false)?;
    // The first link reads the row.
    client.link(0).await?;
    for call in 1..=calls {
        client.link(call).await?;
    }
    client.ensure_requests(calls + 2)
}

pub(crate) async fn cold_links(calls: usize) -> Result<(), Failed> {
    let client = Client::new(false)?;
    for call in 0..calls {
        client.link(call).await?;
        client.clock.advance(TEN_MINUTES);
    }
    client.ensure_requests(calls * 2)
}

pub(crate) async fn reads(calls: usize) -> Result<(), Failed> {
    let client = Client::new(false)?;
    for _ in 0..calls {
        client.read().await?;
    }
    client.ensure_requests(calls)
}

pub(crate) async fn reads_after_503(calls: usize) -> Result<(), Failed> {
    let client = Client::new(true)?;
    for _ in 0..calls {
        client.read().await?;
    }
    client.ensure_requests(calls * 2)
}

struct Client {
    clock: Arc<StillClock>,
    server: Arc<Server>,
    service: LinkService,
}

impl Client {
    fn new(fails_first: bool) -> Result<Self, Failed> {
        let clock = Arc::<StillClock>::default();
        let server = Arc::new(Server::new(fails_first)?);
        let store = DataverseStore::new(
            "https://contoso.crm4.dynamics.com".parse()?,
            Arc::clone(&server) as _,
            Arc::new(StaticToken(Token::new(&"token".repeat(300))?)),
            DataverseOptions::default(),
            Arc::clone(&clock) as _,
            Arc::new(NoopObserver),
        );
        let service = LinkService::new(Arc::new(store), Arc::clone(&clock) as _, Duration::from_secs(30), None);
        Ok(Self { clock, server, service })
    }

    async fn link(&self, call: usize) -> Result<(), Failed> {
        let (policy, options) = (LinkPolicy::default(), CallOptions::default());
        ensure_written(&self.service.link(contact(call), Some(conversation(9)), policy, options).await?)
    }

    async fn read(&self) -> Result<(), Failed> {
        self.service.read(Some(conversation(9)), CallOptions::default()).await?;
        Ok(())
    }

    fn ensure_requests(&self, expected: usize) -> Result<(), Failed> {
        match self.server.requests.load(Ordering::Relaxed) {
            requests if requests == expected => Ok(()),
            requests => Err(format!("expected {expected} requests, not {requests}").into()),
        }
    }
}

/// A server of one conversation, whose responses are made in advance. Its row is linked to one of two contacts, and each PATCH links
/// the other one.
struct Server {
    /// The rows with the first and with the second contact.
    rows: [Bytes; 2],
    headers: HeaderMap,
    version: AtomicU64,
    requests: AtomicUsize,
    /// Whether it answers each request with 503 first.
    fails_first: bool,
    has_failed: AtomicBool,
}

impl Server {
    fn new(fails_first: bool) -> Result<Self, Failed> {
        let mut headers = HeaderMap::new();
        for (name, value) in HEADERS {
            headers.insert(HeaderName::from_static(name), value.parse()?);
        }
        let rows = [row(0), row(1)];
        let (version, requests, has_failed) = (AtomicU64::new(1), AtomicUsize::default(), AtomicBool::default());
        Ok(Self { rows, headers, version, requests, fails_first, has_failed })
    }

    fn respond(&self, request: &HttpRequest) -> HttpResponse {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut response = HttpResponse {
            status: StatusCode::SERVICE_UNAVAILABLE,
            headers: self.headers.clone(),
            body: Bytes::new(),
            received: SystemTime::UNIX_EPOCH,
        };
        if self.fails_first && !self.has_failed.fetch_not(Ordering::Relaxed) {
            return response;
        }
        let writes = u64::from(request.method == Method::PATCH);
        let version = self.version.fetch_add(writes, Ordering::Relaxed) + writes;
        response.status = StatusCode::OK;
        response.body = self.rows[usize::from(!version.is_multiple_of(2))].clone();
        response
    }
}

impl HttpService for Server {
    fn call<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, HttpError>> {
        Box::pin(ready(Ok(self.respond(request))))
    }
}

/// As Dataverse sends them.
const HEADERS: [(&str, &str); 10] = [
    ("cache-control", "no-cache"),
    ("content-type", "application/json; odata.metadata=minimal"),
    ("date", "Sat, 28 Nov 2026 12:00:00 GMT"),
    ("odata-version", "4.0"),
    ("preference-applied", "return=representation,odata.include-annotations=\"*\""),
    ("req_id", "5fe1bc8a-7d02-4cbb-9d3f-9e1e0a5a3a11"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-ms-ratelimit-burst-remaining-xrm-requests", "7999"),
    ("x-ms-ratelimit-time-remaining-xrm-requests", "1,199.97"),
    ("x-ms-service-request-id", "5fe1bc8a-7d02-4cbb-9d3f-9e1e0a5a3a11"),
];

/// The conversation, linked to one of the two contacts, with annotations.
fn row(call: usize) -> Bytes {
    let (id, contact) = (conversation(9), contact(call).id);
    format!(
        r#"{{"@odata.context":"https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#msdyn_ocliveworkitems(activityid,statecode,statuscode,subject,_msdyn_customer_value,_msdyn_issueid_value)/$entity","@odata.etag":"W/\"{call}\"","activityid":"{id}","statecode@OData.Community.Display.V1.FormattedValue":"Open","statecode":0,"statuscode@OData.Community.Display.V1.FormattedValue":"Active","statuscode":2,"subject":"Alex Morgan: question about an invoice","createdon":"2026-11-28T11:52:07Z","modifiedon":"2026-11-28T11:58:31Z","_msdyn_customer_value@OData.Community.Display.V1.FormattedValue":"Alex Morgan","_msdyn_customer_value@Microsoft.Dynamics.CRM.associatednavigationproperty":"msdyn_customer_msdyn_ocliveworkitem_contact","_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname":"contact","_msdyn_customer_value":"{contact}","_msdyn_issueid_value":null}}"#
    )
    .into()
}
