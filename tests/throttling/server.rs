//! An environment in virtual time: holds conversations, responds after a latency, and throttles requests beyond its limit.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use omnichannel_link::{
    clock::Clock,
    http::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService},
};

use crate::support::clock::TestClock;

/// How requests are counted. All allow the same rate in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// A number in each second of the clock.
    FixedWindow,
    /// A number in the second before each request.
    SlidingWindow,
    /// A bucket that holds the tokens of one second.
    FullBucket,
    /// A bucket that holds a tenth of that, but at least three.
    SmallBucket,
}

impl Counting {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FixedWindow => "fixed windows",
            Self::SlidingWindow => "sliding window",
            Self::FullBucket => "token bucket",
            Self::SmallBucket => "small token bucket",
        }
    }
}

/// Limits and faults of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    pub(crate) counting: Counting,
    pub(crate) per_second: u32,
    /// Requests in flight beyond which more are throttled.
    pub(crate) in_flight: usize,
    pub(crate) hint: &'static str,
    pub(crate) latency: Duration,
    /// One request of this many is throttled, at any rate; 0 for none.
    pub(crate) throttles_every: usize,
    /// Status of a throttled request, with its `Retry-After` in seconds.
    pub(crate) throttle_response: (u16, Option<u64>),
    /// Start and end of an outage, with the status of its responses: `None` for a lost connection.
    pub(crate) outage: Option<(Duration, Duration, Option<u16>)>,
}

impl Behaviour {
    pub(crate) const UNLIMITED: Self = Self {
        counting: Counting::FullBucket,
        per_second: u32::MAX,
        in_flight: usize::MAX,
        throttles_every: 0,
        hint: "48",
        latency: Duration::from_millis(5),
        throttle_response: (429, Some(1)),
        outage: None,
    };
}

pub(crate) struct Environment {
    clock: TestClock,
    start: Instant,
    behaviour: Behaviour,
    state: Mutex<State>,
    clients: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Version and account, by id.
    rows: HashMap<String, (u32, Option<String>)>,
    /// When requests were accepted.
    recent: VecDeque<Duration>,
    bucket: f64,
    filled_at: Duration,
    in_flight: usize,
    accepted: usize,
    throttled: usize,
    failed: usize,
    last_accepted: Duration,
}

/// Counts of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) accepted: usize,
    pub(crate) throttled: usize,
    pub(crate) failed: usize,
    /// When the last request was accepted.
    pub(crate) last_accepted: Duration,
}

impl Environment {
    pub(crate) fn new(behaviour: Behaviour) -> Arc<Self> {
        let clock = TestClock::auto_advance(0);
        let start = clock.now();
        let state = State { bucket: capacity(behaviour), ..State::default() };
        Arc::new(Self { clock, start, behaviour, state: Mutex::new(state), clients: AtomicU64::default() })
    }

    /// Seed of the next client.
    pub(crate) fn next_seed(&self) -> u64 {
        self.clients.fetch_add(1_000_003, Ordering::Relaxed)
    }

    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    pub(crate) fn seen(&self) -> Seen {
        let State { accepted, throttled, failed, last_accepted, .. } = *self.state.lock().unwrap();
        Seen { accepted, throttled, failed, last_accepted }
    }

    /// Number of conversations with this account.
    pub(crate) fn holding(&self, account: &str) -> usize {
        let state = self.state.lock().unwrap();
        state.rows.values().filter(|(_, held)| held.as_deref() == Some(account)).count()
    }

    fn elapsed(&self) -> Duration {
        self.clock.now() - self.start
    }

    /// Counts a request. Returns whether it is within the limit.
    fn admits(&self, state: &mut State, now: Duration) -> bool {
        let Behaviour { counting, per_second, in_flight, .. } = self.behaviour;
        if per_second == u32::MAX {
            return state.in_flight < in_flight;
        }
        let window = match counting {
            Counting::FixedWindow => Duration::from_secs(now.as_secs()),
            _ => now.saturating_sub(Duration::from_secs(1)),
        };
        while state.recent.front().is_some_and(|time| *time < window) {
            state.recent.pop_front();
        }
        let since = now.saturating_sub(std::mem::replace(&mut state.filled_at, now));
        state.bucket = (state.bucket + since.as_secs_f64() * f64::from(per_second)).min(capacity(self.behaviour));
        let is_within = match counting {
            Counting::FixedWindow | Counting::SlidingWindow => state.recent.len() < per_second as usize,
            Counting::FullBucket | Counting::SmallBucket => state.bucket >= 1.0,
        };
        let admits = is_within && state.in_flight < in_flight;
        if admits {
            state.recent.push_back(now);
            state.bucket -= 1.0;
        }
        admits
    }

    /// Accepts the request, or responds at once.
    fn begin(&self) -> Option<Result<HttpResponse, HttpError>> {
        let now = self.elapsed();
        let mut state = self.state.lock().unwrap();
        if let Some((from, to, status)) = self.behaviour.outage
            && (from..to).contains(&now)
        {
            state.failed += 1;
            return Some(match status {
                Some(status) => Ok(self.response(status, None, String::new())),
                None => Err(HttpError {
                    kind: HttpErrorKind::Interrupted,
                    message: "it broke".into(),
                    retry_after: None,
                    source: None,
                }),
            });
        }
        let total = state.accepted + state.throttled + 1;
        let is_every_nth = total.checked_rem(self.behaviour.throttles_every) == Some(0);
        if is_every_nth || !self.admits(&mut state, now) {
            state.throttled += 1;
            let (status, seconds) = self.behaviour.throttle_response;
            return Some(Ok(self.response(status, seconds, String::new())));
        }
        state.accepted += 1;
        state.in_flight += 1;
        state.last_accepted = now;
        None
    }

    fn end(&self, request: &HttpRequest) -> HttpResponse {
        let path = request.uri.path();
        let id = &path[path.find('(').unwrap() + 1..path.find(')').unwrap()];
        let mut state = self.state.lock().unwrap();
        state.in_flight -= 1;
        let (version, account) = state.rows.entry(id.to_owned()).or_insert((1, None));
        if request.method == Method::PATCH {
            if request.headers["if-match"] != format!("W/\"{version}\"") {
                return self.response(412, None, String::new());
            }
            let body = String::from_utf8_lossy(&request.body);
            *version += 1;
            *account = body.find("accounts(").map(|at| body[at + 9..at + 45].to_owned());
        }
        let (entity, value) = account.as_ref().map_or_else(
            || (String::new(), "null".to_owned()),
            |id| {
                (
                    r#""_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname":"account","#.into(),
                    format!("\"{id}\""),
                )
            },
        );
        let body = format!(
            r#"{{"@odata.etag":"W/\"{version}\"","activityid":"{id}","statecode":0,"statuscode":2,{entity}"_msdyn_customer_value":{value},"_msdyn_issueid_value":null}}"#
        );
        self.response(200, None, body)
    }

    fn response(&self, status: u16, retry_after: Option<u64>, body: String) -> HttpResponse {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-dop-hint", HeaderValue::from_static(self.behaviour.hint));
        if let Some(seconds) = retry_after {
            headers.insert("retry-after", seconds.into());
        }
        HttpResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: Bytes::from(body),
            received: self.clock.wall(),
        }
    }
}

fn capacity(Behaviour { counting, per_second, .. }: Behaviour) -> f64 {
    let tenth = if counting == Counting::SmallBucket { 0.1 } else { 1.0 };
    (f64::from(per_second) * tenth).max(3.0)
}

impl HttpService for Environment {
    fn call<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            let begun = self.begin();
            self.clock.sleep(self.behaviour.latency).await;
            begun.unwrap_or_else(|| Ok(self.end(request)))
        })
    }
}
