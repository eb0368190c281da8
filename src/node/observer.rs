//! Observers of the traffic: the log on stderr, and the diagnostics channels of Node.

use std::sync::Mutex;

use napi::{
    Status,
    bindgen_prelude::Function,
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode},
};
use napi_derive::napi;

use super::log;
use crate::{
    http::{Ending, Event, Observer, Subject},
    sync::lock,
};

/// Events queued for a busy JavaScript thread. Further ones are dropped.
const MAX_QUEUED: usize = 10_000;

/// One event. lib/channels.js makes the messages of types/dataverse.d.ts from it.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct EventObject {
    /// `request`, `retry` or `throttle`.
    pub kind: &'static str,
    pub method: String,
    pub host: String,
    pub path: String,
    pub request_id: Option<String>,
    pub attempt: u32,
    pub status: Option<u32>,
    pub error: Option<String>,
    pub service_request_id: Option<String>,
    /// Duration of the attempt, or delay before the next one.
    pub time_in_ms: f64,
}

/// Weak: an observer does not keep the process alive.
type Publish = ThreadsafeFunction<EventObject, (), EventObject, Status, false, true, MAX_QUEUED>;

/// The events that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LogLevel {
    Off,
    /// Retries and throttling.
    Warn,
    /// Every request.
    Debug,
}

impl LogLevel {
    /// The level in `OMNICHANNEL_LINK_LOG`. An unknown value logs everything, because it was set to see something.
    pub(super) fn parse(variable: Option<&str>) -> Self {
        match variable {
            None | Some("off" | "0") => Self::Off,
            Some("warn") => Self::Warn,
            Some(_) => Self::Debug,
        }
    }
}

/// The observer of one client.
pub(super) struct TrafficLog {
    level: LogLevel,
    channel: Mutex<Option<Publish>>,
}

impl TrafficLog {
    pub(super) fn new(level: LogLevel) -> Self {
        Self { level, channel: Mutex::default() }
    }

    /// Publishes to this function from now on, or to none.
    pub(super) fn publish(&self, function: Option<Function<'_, EventObject, ()>>) -> napi::Result<()> {
        let publish = function.map(|function| {
            function.build_threadsafe_function().weak::<true>().callee_handled::<false>().max_queue_size().build()
        });
        *lock(&self.channel) = publish.transpose()?;
        Ok(())
    }

    fn log(&self, event: &Event) {
        let needed = if matches!(event, Event::Request { .. }) { LogLevel::Debug } else { LogLevel::Warn };
        if self.level >= needed {
            log::write_line(format_args!("{event}"));
        }
    }
}

impl Observer for TrafficLog {
    fn is_listening(&self) -> bool {
        self.level > LogLevel::Off || lock(&self.channel).is_some()
    }

    fn observe(&self, event: Event) {
        self.log(&event);
        if let Some(publish) = &*lock(&self.channel) {
            publish.call(event.into(), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

impl From<Event> for EventObject {
    fn from(event: Event) -> Self {
        let (kind, subject, ending, time) = match event {
            Event::Request { subject, ending, duration } => ("request", subject, Some(ending), duration),
            Event::Retry { subject, ending, delay } => ("retry", subject, Some(ending), delay),
            Event::Throttle { subject, delay } => ("throttle", subject, None, delay),
        };
        let (status, service_request_id, error) = match ending {
            None => (None, None, None),
            Some(Ending::Responded { status, service_request_id }) => (Some(status.into()), service_request_id, None),
            Some(failed) => (None, None, Some(failed.to_string())),
        };
        let Subject { method, host, path, request_id, attempt } = subject;
        let method = method.to_string();
        let time_in_ms = time.as_secs_f64() * 1e3;
        Self { kind, method, host, path, request_id, attempt, status, error, service_request_id, time_in_ms }
    }
}
