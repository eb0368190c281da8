//! What is told to whoever wants to watch the traffic: never a token, a query or a body.

use std::{
    fmt,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, Method};
use url::Url;
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
    /// The verb.
    pub method: Method,
    /// `contoso.crm4.dynamics.com`, with the port if it is not the scheme's own.
    pub host: String,
    /// Without the query.
    pub path: String,
    /// The id of the call, if the request has one.
    pub request_id: Option<String>,
    /// 1 for the first.
    pub attempt: u32,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With an answer of this status, under this id.
    Answered {
        /// Its status.
        status: u16,
        /// The id that the server gave it: a GUID.
        service_request_id: Option<String>,
    },
    /// Without one.
    Failed(HttpErrorKind),
    /// Its caller stopped waiting.
    GivenUp,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// An attempt is over.
    Request {
        /// What was asked.
        subject: Subject,
        /// How it ended.
        ending: Ending,
        /// How long it took.
        duration: Duration,
    },
    /// There will be another attempt, after this pause.
    Retry {
        /// What will be asked again.
        subject: Subject,
        /// Why.
        ending: Ending,
        /// The pause.
        delay: Duration,
    },
    /// The server throttles: the whole client pauses.
    Throttle {
        /// What was refused.
        subject: Subject,
        /// The pause.
        delay: Duration,
    },
}

/// Who watches.
pub trait Observer: Send + Sync {
    /// Whether anybody listens: nothing is prepared for nobody.
    fn is_listening(&self) -> bool;
    /// Must not block.
    fn observe(&self, event: Event);
}

/// Nobody.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Observer for Nobody {
    fn is_listening(&self) -> bool {
        false
    }

    fn observe(&self, _: Event) {}
}

impl Subject {
    pub(super) fn of(request: &HttpRequest, attempt: u32) -> Self {
        let text = |url: &Url| match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        Self {
            method: request.method.clone(),
            host: text(&request.url),
            path: request.url.path().to_owned(),
            request_id: guid(&request.headers, &CLIENT_REQUEST_ID),
            attempt,
        }
    }
}

impl Ending {
    pub(super) fn of(answer: &Result<HttpResponse, HttpError>) -> Self {
        match answer {
            Ok(HttpResponse { status, headers, .. }) => {
                Self::Answered { status: status.as_u16(), service_request_id: guid(headers, &SERVICE_REQUEST_ID) }
            }
            Err(error) => Self::Failed(error.kind),
        }
    }
}

/// The id that the server gave the request.
pub(super) fn service_request_id(headers: &HeaderMap) -> Option<Uuid> {
    parsed(headers, &SERVICE_REQUEST_ID).or_else(|| parsed(headers, &REQ_ID))
}

/// Ids are GUIDs; whatever else stands there is not repeated.
fn guid(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    parsed(headers, name).map(|id| id.to_string())
}

fn parsed(headers: &HeaderMap, name: &HeaderName) -> Option<Uuid> {
    field_lines(headers, name).find_map(|line| line.split(',').find_map(|id| Uuid::try_parse(id.trim()).ok()))
}

/// One attempt being watched. Dropped before its end, because its caller stopped waiting, it says so.
pub(super) struct Watched<'a> {
    observer: &'a dyn Observer,
    clock: &'a dyn Clock,
    begun: Option<(Subject, Instant)>,
}

impl<'a> Watched<'a> {
    pub(super) fn begin(observer: &'a dyn Observer, clock: &'a dyn Clock, request: &HttpRequest, attempt: u32) -> Self {
        let begun = observer.is_listening().then(|| (Subject::of(request, attempt), clock.now()));
        Self { observer, clock, begun }
    }

    pub(super) fn end(mut self, answer: &Result<HttpResponse, HttpError>) {
        self.tell(|| Ending::of(answer));
    }

    fn tell(&mut self, ending: impl FnOnce() -> Ending) {
        if let Some((subject, since)) = self.begun.take() {
            let duration = self.clock.now().saturating_duration_since(since);
            self.observer.observe(Event::Request { subject, ending: ending(), duration });
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.tell(|| Ending::GivenUp);
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
            Self::Answered { status, .. } => write!(f, "{status}"),
            Self::Failed(kind) => write!(f, "{kind:?}"),
            Self::GivenUp => f.write_str("given up"),
        }
    }
}

impl fmt::Display for Event {
    /// One line for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = match self {
            Self::Request { subject, ending, duration } => {
                write!(f, "request {subject}: {ending} after {} ms", duration.as_millis())?;
                if let Ending::Answered { service_request_id: Some(id), .. } = ending {
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
