//! A client of a scripted server.

use std::{fmt::Write, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, header::RETRY_AFTER};
use omnichannel_link::{
    dataverse::{Concurrency, DataverseOptions, DataverseStore},
    domain::{
        CallOptions, ConversationDetails, ConversationQuery, LinkOutcome, LinkPolicy, LinkService, Listing,
        RecordReference, UnlinkOutcome,
    },
    error::LinkError,
    http::{HttpRequest, HttpService, NoopObserver, RetryPolicy, StaticToken, Token, TokenProvider},
};

use crate::support::{
    CONVERSATION,
    clock::TestClock,
    conversation,
    http::{Reply, ScriptedHttp},
};

const SERVICE_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-service-request-id");
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// The `x-ms-service-request-id` of every response.
pub(crate) const RESPONSE_ID: &str = "5e12c1de-0000-4000-8000-000000000001";

/// The token, which no error may show.
pub(crate) const SECRET: &str = "s3ntinel-t0ken";

/// A response with the server's id, and with a `Retry-After` that no call waits for if it is throttled.
pub(crate) fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    let mut headers = HeaderMap::from_iter([(SERVICE_REQUEST_ID, RESPONSE_ID.parse().unwrap())]);
    if status == 429 {
        headers.insert(RETRY_AFTER, 3600.into());
    }
    Reply::response(status, headers, body)
}

/// The row as a GET returns it, and a PATCH that asks for it.
pub(crate) fn row(
    version: u32,
    status: i32,
    customer: Option<RecordReference>,
    case: Option<RecordReference>,
) -> Reply {
    reply(200, row_json(version, status, customer, case))
}

pub(crate) fn row_json(
    version: u32,
    status: i32,
    customer: Option<RecordReference>,
    case: Option<RecordReference>,
) -> String {
    let annotation = customer.map_or_else(String::new, |record| {
        format!(r#""_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname":"{}","#, record.entity)
    });
    let id = |record: Option<RecordReference>| record.map_or("null".into(), |record| format!(r#""{}""#, record.id));
    let (customer, case) = (id(customer), id(case));
    format!(
        r#"{{"@odata.etag":"W/\"{version}\"","activityid":"{CONVERSATION}","statecode":0,"statuscode":{status},{annotation}"_msdyn_customer_value":{customer},"_msdyn_issueid_value":{case}}}"#
    )
}

pub(crate) fn fault(status: u16, code: &str) -> Reply {
    reply(status, format!(r#"{{"error":{{"code":"{code}","message":"So says the server"}}}}"#))
}

/// The request line, the headers by name, the body.
fn show(request: &HttpRequest) -> String {
    let query = request.uri.query().unwrap_or_default();
    let mut text = format!("{} {}?{query}\n", request.method, request.uri.path());
    let mut headers: Vec<_> = request.headers.iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).replace(SECRET, "<token>");
        let _ = writeln!(text, "{name}: {value}");
    }
    let _ = write!(text, "\n{}", String::from_utf8_lossy(&request.body));
    text
}

/// A client of any server.
pub(crate) fn client(concurrency: Concurrency, server: Arc<dyn HttpService>) -> (Arc<TestClock>, LinkService) {
    client_with(Arc::new(StaticToken(Token::new(SECRET).unwrap())), concurrency, server)
}

fn client_with(
    tokens: Arc<dyn TokenProvider>,
    concurrency: Concurrency,
    server: Arc<dyn HttpService>,
) -> (Arc<TestClock>, LinkService) {
    let clock = Arc::new(TestClock::default());
    let environment = "https://contoso.crm4.dynamics.com".parse().unwrap();
    // Retries of single requests are tested in tests/retries.rs.
    let retries = RetryPolicy { max_retries: 0, ..RetryPolicy::default() };
    let store = DataverseStore::new(
        environment,
        server,
        tokens,
        DataverseOptions { retries, concurrency, caller: None },
        clock.clone(),
        Arc::new(NoopObserver),
    );
    let service = LinkService::new(Arc::new(store), clock.clone(), Duration::from_secs(30), None);
    (clock, service)
}

/// A client of a server that sends these replies, in this order.
pub(crate) struct Script {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) service: LinkService,
    server: Arc<ScriptedHttp>,
    replies: Vec<Reply>,
}

impl Script {
    pub(crate) fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with_concurrency(Concurrency::CompareAndSwap, replies)
    }

    pub(crate) fn with_concurrency(concurrency: Concurrency, replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with_tokens(Arc::new(StaticToken(Token::new(SECRET).unwrap())), concurrency, replies)
    }

    pub(crate) fn with_tokens(
        tokens: Arc<dyn TokenProvider>,
        concurrency: Concurrency,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Self {
        let replies: Vec<_> = replies.into_iter().collect();
        let script = replies.clone();
        let server = ScriptedHttp::new(move |number, _| {
            script.get(number).expect("the script ends before this request").clone()
        });
        let (clock, service) = client_with(tokens, concurrency, server.clone());
        Self { clock, service, server, replies }
    }

    /// The last call of the script.
    pub(crate) async fn link(&self, record: RecordReference) -> Result<LinkOutcome, LinkError> {
        self.checked(self.link_more(record).await)
    }

    /// A call with more to come.
    pub(crate) async fn link_more(&self, record: RecordReference) -> Result<LinkOutcome, LinkError> {
        let id = Some(conversation(CONVERSATION));
        self.service.link(record, id, LinkPolicy::default(), CallOptions::default()).await
    }

    /// The last call of the script, under a policy.
    pub(crate) async fn link_if(&self, record: RecordReference, policy: LinkPolicy) -> Result<LinkOutcome, LinkError> {
        let id = Some(conversation(CONVERSATION));
        self.checked(self.service.link(record, id, policy, CallOptions::default()).await)
    }

    /// A call on behalf of a user, with more to come.
    pub(crate) async fn link_as(&self, caller: &str, record: RecordReference) -> Result<LinkOutcome, LinkError> {
        let traceparent = Some(TRACEPARENT.parse().unwrap());
        let options = CallOptions { caller: Some(caller.parse().unwrap()), traceparent, ..CallOptions::default() };
        self.service.link(record, Some(conversation(CONVERSATION)), LinkPolicy::default(), options).await
    }

    /// The last call of the script.
    pub(crate) async fn unlink(&self, record: RecordReference) -> Result<UnlinkOutcome, LinkError> {
        let id = Some(conversation(CONVERSATION));
        self.checked(self.service.unlink(record, id, CallOptions::default()).await)
    }

    /// All conversations, page by page.
    pub(crate) async fn list(&self) -> Result<Vec<ConversationDetails>, LinkError> {
        let mut rest = Some(Listing::new(ConversationQuery::default(), None));
        let mut all = Vec::new();
        while let Some(listing) = rest {
            let (found, more) = self.service.list(listing, CallOptions::default()).await?;
            all.extend(found);
            rest = more;
        }
        Ok(all)
    }

    /// All requests as text.
    pub(crate) fn sent(&self) -> String {
        self.server.requests().iter().map(show).collect::<Vec<_>>().join("\n--\n")
    }

    /// Their methods.
    pub(crate) fn methods(&self) -> String {
        self.server.requests().iter().map(|request| request.method.to_string()).collect::<Vec<_>>().join(" ")
    }

    fn checked<T>(&self, outcome: Result<T, LinkError>) -> Result<T, LinkError> {
        assert_eq!(self.server.requests().len(), self.replies.len(), "the whole script was played");
        outcome.inspect_err(|error| {
            assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
            let has_response = self.replies.iter().any(|reply| matches!(reply, Reply::Response(_)));
            let expected = has_response.then_some(RESPONSE_ID);
            assert_eq!(error.details().service_request_id.as_deref(), expected, "both ids in every error: {error:?}");
            assert!(error.details().request_id.is_some());
        })
    }
}
