//! A server that answers from a script and writes down what it was sent.

use std::{
    collections::VecDeque,
    fmt::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, Method, StatusCode, header::RETRY_AFTER};
use omnichannel_link::{
    dataverse::{Concurrency, DataverseOptions, DataverseStore},
    domain::{CallOptions, LinkOutcome, LinkPolicy, LinkService, RecordReference, UnlinkOutcome},
    error::LinkError,
    http::{
        HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, NoopObserver, RetryPolicy, StaticToken,
        Token, TokenProvider,
    },
};

use crate::support::{CONVERSATION, clock::TestClock, conversation};

const SERVICE_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-service-request-id");
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// The id of every answer.
pub(crate) const ANSWER: &str = "5e12c1de-0000-4000-8000-000000000001";

/// Nobody may ever see it.
pub(crate) const SECRET: &str = "s3ntinel-t0ken";

/// One exchange as the server ends it.
#[derive(Clone)]
pub(crate) enum Answer {
    Is(u16, String),
    Fails(HttpErrorKind),
    Hangs,
}

/// The row at a version, with what its slots hold: 200 to a GET, and to a PATCH that asked for it.
pub(crate) fn row(
    version: u32,
    status: i32,
    customer: Option<RecordReference>,
    case: Option<RecordReference>,
) -> Answer {
    let annotation = customer.map_or_else(String::new, |record| {
        format!(r#""_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname":"{}","#, record.entity)
    });
    let id = |record: Option<RecordReference>| record.map_or("null".into(), |record| format!(r#""{}""#, record.id));
    let (customer, case) = (id(customer), id(case));
    Answer::Is(
        200,
        format!(
            r#"{{"@odata.etag":"W/\"{version}\"","activityid":"{CONVERSATION}","statecode":0,"statuscode":{status},{annotation}"_msdyn_customer_value":{customer},"_msdyn_issueid_value":{case}}}"#
        ),
    )
}

pub(crate) fn fault(status: u16, code: &str) -> Answer {
    Answer::Is(status, format!(r#"{{"error":{{"code":"{code}","message":"So says the server"}}}}"#))
}

#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Answer>>,
    sent: Mutex<Vec<String>>,
    answered: AtomicBool,
}

impl HttpService for Script {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        let shown = show(&request);
        Box::pin(async move {
            self.sent.lock().unwrap().push(shown);
            let answer = self.answers.lock().unwrap().pop_front().expect("the script ends before this request");
            let given = answer.given().await;
            self.answered.fetch_or(given.is_ok(), Ordering::Relaxed);
            given
        })
    }
}

impl Answer {
    async fn given(self) -> Result<HttpResponse, HttpError> {
        match self {
            Self::Is(status, body) => {
                let status = StatusCode::from_u16(status).unwrap();
                let mut headers = HeaderMap::from_iter([(SERVICE_REQUEST_ID, ANSWER.parse().unwrap())]);
                if status == StatusCode::TOO_MANY_REQUESTS {
                    // Longer than any call waits.
                    headers.insert(RETRY_AFTER, 3600.into());
                }
                Ok(HttpResponse { status, headers, body: Bytes::from(body), received: SystemTime::UNIX_EPOCH })
            }
            Self::Fails(kind) => Err(HttpError { kind, message: "it broke".into(), retry_after: None, source: None }),
            Self::Hangs => std::future::pending().await,
        }
    }
}

/// A server whose rows can be read, and that loses every write.
#[derive(Default)]
pub(crate) struct Outage {
    pub(crate) writes: AtomicUsize,
}

impl HttpService for Outage {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        let answer = if request.method == Method::PATCH {
            self.writes.fetch_add(1, Ordering::Relaxed);
            Answer::Fails(HttpErrorKind::Interrupted)
        } else {
            row(7, 2, None, None)
        };
        Box::pin(answer.given())
    }
}

/// The request line, the headers by name, the body.
fn show(request: &HttpRequest) -> String {
    let query = request.url.query().unwrap_or_default();
    let mut text = format!("{} {}?{query}\n", request.method, request.url.path());
    let mut headers: Vec<_> = request.headers.iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).replace(SECRET, "<token>");
        let _ = writeln!(text, "{name}: {value}");
    }
    let _ = write!(text, "\n{}", String::from_utf8_lossy(&request.body));
    text
}

/// A client of this server, on a clock of the test's.
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
    // What is repeated without a decision is tested in tests/retries.rs.
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

/// A client of a scripted server.
pub(crate) struct Conversation {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) service: LinkService,
    script: Arc<Script>,
}

impl Conversation {
    pub(crate) fn with(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::that(Concurrency::CompareAndSwap, answers)
    }

    pub(crate) fn that(concurrency: Concurrency, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::of(Arc::new(StaticToken(Token::new(SECRET).unwrap())), concurrency, answers)
    }

    /// A client whose tokens come from there.
    pub(crate) fn of(
        tokens: Arc<dyn TokenProvider>,
        concurrency: Concurrency,
        answers: impl IntoIterator<Item = Answer>,
    ) -> Self {
        let script = Arc::new(Script { answers: Mutex::new(answers.into_iter().collect()), ..Script::default() });
        let (clock, service) = client_with(tokens, concurrency, script.clone());
        Self { clock, service, script }
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

    /// A call on somebody's behalf with more to come.
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

    /// The whole of what was sent.
    pub(crate) fn sent(&self) -> String {
        self.script.sent.lock().unwrap().join("\n--\n")
    }

    /// Only the verbs.
    pub(crate) fn verbs(&self) -> String {
        let sent = self.script.sent.lock().unwrap();
        sent.iter().filter_map(|request| request.split(' ').next()).collect::<Vec<_>>().join(" ")
    }

    fn checked<T>(&self, outcome: Result<T, LinkError>) -> Result<T, LinkError> {
        assert_eq!(self.script.answers.lock().unwrap().len(), 0, "the whole script was played");
        outcome.inspect_err(|error| {
            assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
            let answered = self.script.answered.load(Ordering::Relaxed);
            let expected = answered.then_some(ANSWER);
            assert_eq!(error.details().service_request_id.as_deref(), expected, "both ids in every error: {error:?}");
            assert!(error.details().request_id.is_some());
        })
    }
}
