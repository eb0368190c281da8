//! Events about requests, for logs and for the application. They never hold a token, a query or a body.

use std::{
    fmt,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, Method, Uri};
use uuid::Uuid;

use super::service::{
    HttpRequest, HttpResponse,
    error::{HttpError, HttpErrorKind},
    headers::field_lines,
};
use crate::clock::Clock;

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const SERVICE_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-service-request-id");
const REQ_ID: HeaderName = HeaderName::from_static("req_id");

/// A request without its secrets.
#[derive(Clone, Debug)]
pub struct Subject {
    pub method: Method,
    /// `contoso.crm4.dynamics.com`, with the port if it is not the default.
    pub host: String,
    /// Without the query.
    pub path: String,
    /// Id of the call, if the request has one.
    pub request_id: Option<String>,
    /// 1 for the first.
    pub attempt: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Responded {
        status: u16,
        /// Id that the server gave the request: a GUID.
        service_request_id: Option<String>,
    },
    Failed(HttpErrorKind),
    Cancelled,
}

#[derive(Clone, Debug)]
pub enum Event {
    Request {
        subject: Subject,
        ending: Ending,
        duration: Duration,
    },
    /// The request will be sent again after this delay.
    Retry {
        subject: Subject,
        ending: Ending,
        delay: Duration,
    },
    /// The server throttled a request, so the whole client pauses.
    Throttle {
        subject: Subject,
        delay: Duration,
    },
}

pub trait Observer: Send + Sync {
    /// Events are built only while this is true.
    fn is_listening(&self) -> bool;
    /// Must not block.
    fn observe(&self, event: Event);
}

/// An observer that ignores everything.
#[derive(Clone, Copy, Debug)]
pub struct NoopObserver;

impl Observer for NoopObserver {
    fn is_listening(&self) -> bool {
        false
    }

    fn observe(&self, _: Event) {}
}

impl Subject {
    pub(super) fn new(request: &HttpRequest, attempt: u32) -> Self {
        let host = |uri: &Uri| match (uri.host(), uri.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        Self {
            method: request.method.clone(),
            host: host(&request.uri),
            path: request.uri.path().to_owned(),
            request_id: guid_string(&request.headers, &CLIENT_REQUEST_ID),
            attempt,
        }
    }
}

impl From<&Result<HttpResponse, HttpError>> for Ending {
    fn from(outcome: &Result<HttpResponse, HttpError>) -> Self {
        match outcome {
            Ok(HttpResponse { status, headers, .. }) => Self::Responded {
                status: status.as_u16(),
                service_request_id: guid_string(headers, &SERVICE_REQUEST_ID),
            },
            Err(error) => Self::Failed(error.kind),
        }
    }
}

pub(super) fn service_request_id(headers: &HeaderMap) -> Option<Uuid> {
    parse_guid(headers, &SERVICE_REQUEST_ID).or_else(|| parse_guid(headers, &REQ_ID))
}

/// Ids are GUIDs. Anything else is not repeated.
fn guid_string(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    parse_guid(headers, name).map(|id| id.to_string())
}

fn parse_guid(headers: &HeaderMap, name: &HeaderName) -> Option<Uuid> {
    field_lines(headers, name).find_map(|line| line.split(',').find_map(|id| Uuid::try_parse(id.trim()).ok()))
}

/// Reports one attempt when it ends. If dropped before, because the call was cancelled, it reports that.
pub(super) struct AttemptTimer<'a> {
    observer: &'a dyn Observer,
    clock: &'a dyn Clock,
    started: Option<(Subject, Instant)>,
}

impl<'a> AttemptTimer<'a> {
    pub(super) fn start(observer: &'a dyn Observer, clock: &'a dyn Clock, request: &HttpRequest, attempt: u32) -> Self {
        let started = observer.is_listening().then(|| (Subject::new(request, attempt), clock.now()));
        Self { observer, clock, started }
    }

    pub(super) fn stop(mut self, outcome: &Result<HttpResponse, HttpError>) {
        self.report(|| outcome.into());
    }

    fn report(&mut self, ending: impl FnOnce() -> Ending) {
        if let Some((subject, since)) = self.started.take() {
            let duration = self.clock.now().saturating_duration_since(since);
            self.observer.observe(Event::Request { subject, ending: ending(), duration });
        }
    }
}

impl Drop for AttemptTimer<'_> {
    fn drop(&mut self) {
        self.report(|| Ending::Cancelled);
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.host, self.path)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Responded { status, .. } => write!(f, "{status}"),
            Self::Failed(kind) => write!(f, "{kind:?}"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = match self {
            Self::Request { subject, ending, duration } => {
                write!(f, "request {subject}: {ending} after {} ms", duration.as_millis())?;
                if let Ending::Responded { service_request_id: Some(id), .. } = ending {
                    write!(f, ", service request {id}")?;
                }
                subject
            }
            Self::Retry { subject, ending, delay } => {
                write!(f, "retry {subject}: {ending}, again in {} ms", delay.as_millis())?;
                subject
            }
            Self::Throttle { subject, delay } => {
                write!(f, "throttle {subject}: the client pauses for {} ms", delay.as_millis())?;
                subject
            }
        };
        write!(f, ", attempt {}", subject.attempt)?;
        if let Some(id) = &subject.request_id {
            write!(f, ", call {id}")?;
        }
        Ok(())
    }
}
