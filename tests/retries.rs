//! Which requests are retried, when and how often, and how a 429 affects the whole client. Time is virtual.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use http::{HeaderMap, Method, StatusCode};
use omnichannel_link::{
    clock::Clock,
    http::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, NoopObserver, RetryPolicy, RetryingHttp},
    progress::Progress,
};
use support::clock::TestClock;

const SECOND: Duration = Duration::from_secs(1);

/// How the server handles a request.
#[derive(Clone, Copy)]
enum Does {
    Responds(u16),
    RespondsLate(u16),
    /// Responds with this status and `Retry-After` in seconds.
    Throttles(u16, u64),
    /// Responds with a recommended degree of parallelism.
    Recommends(&'static str),
    Fails(HttpErrorKind),
    Hangs,
}

/// `does` receives the number of the request, from 0, and the time since the start. Records when each request arrived.
struct Server<F> {
    does: F,
    start: Instant,
    arrivals: Mutex<Vec<Duration>>,
}

impl<F: Fn(usize, Duration) -> Does + Send + Sync> HttpService for Server<F> {
    fn call<'a>(&'a self, _: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            let time = TestClock::auto_advance(0).now() - self.start;
            let number = {
                let mut arrivals = self.arrivals.lock().unwrap();
                arrivals.push(time);
                arrivals.len() - 1
            };
            // So that requests overlap.
            TestClock::auto_advance(0).sleep(Duration::from_millis(5)).await;
            let mut headers = HeaderMap::new();
            let (status, retry_after) = match (self.does)(number, time) {
                Does::Responds(status) => (status, None),
                Does::RespondsLate(status) => {
                    TestClock::auto_advance(0).sleep(Duration::from_millis(50)).await;
                    (status, None)
                }
                Does::Throttles(status, seconds) => (status, Some(seconds)),
                Does::Recommends(hint) => {
                    headers.insert("x-ms-dop-hint", hint.parse().unwrap());
                    (200, None)
                }
                Does::Hangs => std::future::pending().await,
                Does::Fails(kind) => {
                    return Err(HttpError { kind, message: "lost".into(), retry_after: None, source: None });
                }
            };
            if let Some(seconds) = retry_after {
                headers.insert("retry-after", seconds.into());
            }
            Ok(HttpResponse {
                status: StatusCode::from_u16(status).unwrap(),
                headers,
                body: Bytes::new(),
                received: TestClock::auto_advance(0).wall(),
            })
        })
    }
}

struct Client<F> {
    server: Arc<Server<F>>,
    http: RetryingHttp,
}

fn client<F: Fn(usize, Duration) -> Does + Send + Sync + 'static>(does: F) -> Client<F> {
    client_with(RetryPolicy::default(), does)
}

fn client_with<F: Fn(usize, Duration) -> Does + Send + Sync + 'static>(policy: RetryPolicy, does: F) -> Client<F> {
    let clock = Arc::new(TestClock::auto_advance(0));
    let server = Arc::new(Server { does, start: clock.now(), arrivals: Mutex::default() });
    let http = RetryingHttp::new(server.clone(), clock, policy, Arc::default(), Arc::new(NoopObserver));
    Client { server, http }
}

impl<F: Fn(usize, Duration) -> Does + Send + Sync + 'static> Client<F> {
    async fn send(&self, method: Method) -> Result<u16, HttpError> {
        self.send_within(method, None, &Arc::default()).await
    }

    async fn send_within(
        &self,
        method: Method,
        time: Option<Duration>,
        progress: &Arc<Progress>,
    ) -> Result<u16, HttpError> {
        let deadline = time.map(|time| TestClock::auto_advance(0).now() + time);
        let uri = "https://contoso.crm4.dynamics.com/".parse().unwrap();
        let progress = Arc::clone(progress);
        let repeatable = method == Method::GET;
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let request = HttpRequest { method, uri, headers, body, repeatable, deadline, progress };
        self.http.call(&request).await.map(|response| response.status.as_u16())
    }

    fn arrivals(&self) -> Vec<Duration> {
        self.server.arrivals.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_is_retried_with_pauses_that_depend_on_the_previous_one_and_then_fails() {
    for does in [
        Does::Responds(500),
        Does::Responds(502),
        Does::Responds(503),
        Does::Responds(504),
        Does::Fails(HttpErrorKind::Interrupted),
    ] {
        let down = client(move |_, _| does);
        let _ = down.send(Method::GET).await;
        let arrivals = down.arrivals();
        assert_eq!(arrivals.len(), 4, "one attempt and three retries");
        let mut most = Duration::from_millis(2_400);
        for pair in arrivals.windows(2) {
            let pause = pair[1].checked_sub(pair[0]).unwrap();
            assert!(pause >= Duration::from_millis(800) && pause <= most + Duration::from_millis(10), "{arrivals:?}");
            most = pause * 3;
        }
        let back = client(move |number, _| if number < 2 { does } else { Does::Responds(200) });
        assert_eq!(back.send(Method::GET).await.unwrap(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_is_retried_only_if_the_server_certainly_did_nothing() {
    for (does, requests) in [
        (Does::Responds(500), 1),
        (Does::Responds(503), 1),
        (Does::Fails(HttpErrorKind::Interrupted), 1),
        (Does::Fails(HttpErrorKind::TooLarge), 1),
        (Does::Fails(HttpErrorKind::Connect), 4),
        (Does::Fails(HttpErrorKind::ConnectTimeout), 4),
    ] {
        let client = client(move |_, _| does);
        let progress = Arc::default();
        let _ = client.send_within(Method::PATCH, None, &progress).await;
        assert_eq!(client.arrivals().len(), requests);
        // In doubt: only the caller can find out whether it was applied.
        assert_eq!(progress.maybe_applied(), requests == 1);
    }
}

#[tokio::test(start_paused = true)]
async fn other_responses_are_final() {
    for status in [200, 204, 302, 400, 401, 403, 404, 412, 413, 501] {
        for method in [Method::GET, Method::PATCH] {
            let client = client(move |_, _| Does::Responds(status));
            assert_eq!(client.send(method).await.unwrap(), status);
            assert_eq!(client.arrivals().len(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_with_a_time_costs_no_retries_and_no_budget() {
    let policy = RetryPolicy { max_retries: 0, ..RetryPolicy::default() };
    for (status, method) in [(429, Method::GET), (429, Method::PATCH), (503, Method::GET)] {
        let throttled =
            move |_, time| if time < 600 * SECOND { Does::Throttles(status, 1) } else { Does::Responds(200) };
        let client = client_with(policy, throttled);
        let progress = Arc::default();
        let response = client.send_within(method, Some(900 * SECOND), &progress).await;
        assert_eq!(response.unwrap(), 200);
        let requests = client.arrivals().len();
        assert!((500..=600).contains(&requests), "one after each pause: {requests}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_without_a_time_is_waited_out_with_growing_pauses() {
    for throttled in [Does::Responds(429), Does::Throttles(429, 0)] {
        let client = client(move |_, time| if time < 600 * SECOND { throttled } else { Does::Responds(200) });
        let progress = Arc::default();
        assert_eq!(client.send_within(Method::PATCH, Some(900 * SECOND), &progress).await.unwrap(), 200);
        assert!(client.arrivals().len() < 60, "{:?}", client.arrivals());
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_sends_nothing_after_the_pause() {
    let client = client(|_, _| Does::Throttles(429, 1));
    let cancelled = TestClock::auto_advance(0).sleep(100 * SECOND);
    tokio::select! { outcome = client.send(Method::PATCH) => panic!("{outcome:?}"), () = cancelled => {} }
    let requests = client.arrivals().len();
    TestClock::auto_advance(0).sleep(100 * SECOND).await;
    assert_eq!(client.arrivals().len(), requests);
}

#[tokio::test(start_paused = true)]
async fn fifty_calls_against_a_throttling_server_send_one_probe_and_none_early() {
    let client = client(|_, time| if time < 20 * SECOND { Does::Throttles(429, 7) } else { Does::Responds(200) });
    let outcomes = join_all((0..50).map(|_| client.send(Method::PATCH))).await;
    assert!(outcomes.into_iter().all(|status| status.unwrap() == 200));
    let arrivals = client.arrivals();
    let between = |from: u64, to: u64| arrivals.iter().filter(|time| (from..to).contains(&time.as_secs())).count();
    // The 46 without a slot when the gate closed were not sent.
    assert_eq!((between(0, 7), between(7, 14), between(14, 21)), (4, 1, 1), "{arrivals:?}");
    // The third probe succeeds, and all the others follow.
    assert_eq!((between(21, 24), arrivals.len()), (50, 56), "{arrivals:?}");
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_in_flight_than_the_server_recommends() {
    let client = client(|number, _| Does::Recommends(if number < 16 { "2" } else { "100" }));
    assert!(
        join_all((0..3_000).map(|_| client.send(Method::GET))).await.into_iter().all(|status| status.unwrap() == 200)
    );
    let arrivals = client.arrivals();
    // All exchanges take equally long, so those in flight together start together.
    let mut together: Vec<usize> = Vec::new();
    for (number, time) in arrivals.iter().enumerate() {
        if number > 0 && arrivals[number - 1] == *time { *together.last_mut().unwrap() += 1 } else { together.push(1) }
    }
    assert_eq!(together[..3], [4, 2, 2], "{together:?}");
    assert_eq!(together.iter().max(), Some(&48), "{together:?}");
    assert!(together.windows(2).skip(8).all(|pair| pair[1] <= pair[0] + 1), "one more per round trip: {together:?}");
}

#[tokio::test(start_paused = true)]
async fn a_503_with_a_time_pauses_the_whole_client_too() {
    let client = client(|number, _| if number == 0 { Does::Throttles(503, 3) } else { Does::Responds(200) });
    let (first, second) = tokio::join!(client.send(Method::GET), async {
        TestClock::auto_advance(0).sleep(SECOND).await;
        client.send(Method::GET).await
    });
    assert_eq!((first.unwrap(), second.unwrap()), (200, 200));
    assert!(client.arrivals()[1..].iter().all(|time| *time >= 3 * SECOND), "{:?}", client.arrivals());
}

#[tokio::test(start_paused = true)]
async fn a_late_response_to_an_earlier_request_does_not_end_the_pause() {
    let client = client(|number, _| match number {
        0 => Does::RespondsLate(200),
        1 => Does::Throttles(429, 3),
        _ => Does::Responds(200),
    });
    let (early, throttled, later) = tokio::join!(client.send(Method::GET), client.send(Method::GET), async {
        TestClock::auto_advance(0).sleep(SECOND).await;
        client.send(Method::GET).await
    });
    assert_eq!((early.unwrap(), throttled.unwrap(), later.unwrap()), (200, 200, 200));
    assert!(client.arrivals()[2..].iter().all(|time| *time >= 3 * SECOND), "{:?}", client.arrivals());
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    let client = client(|_, _| Does::Throttles(429, 60));
    let start = TestClock::auto_advance(0).now();
    let progress = Arc::default();
    assert_eq!(
        client.send_within(Method::PATCH, Some(30 * SECOND), &progress).await.unwrap(),
        429,
        "the response of the server"
    );
    let next = client.send_within(Method::PATCH, Some(30 * SECOND), &progress).await.unwrap_err();
    assert_eq!(next.kind, HttpErrorKind::Throttled);
    assert!(next.retry_after.unwrap() > 59 * SECOND);
    assert_eq!(client.arrivals().len(), 1, "the second call sent nothing");
    assert!(TestClock::auto_advance(0).now() - start < SECOND);
    assert!(!progress.maybe_applied());
}

#[tokio::test(start_paused = true)]
async fn after_a_cancelled_probe_the_next_request_is_sent() {
    let client = client(|number, _| if number == 0 { Does::Throttles(429, 2) } else { Does::Responds(200) });
    {
        let first = client.send(Method::GET);
        tokio::pin!(first);
        // Until its probe is in flight.
        while client.arrivals().len() < 2 {
            tokio::select! { _ = &mut first => unreachable!("it is dropped before"), () = TestClock::auto_advance(0).sleep(Duration::from_millis(1)) => {} }
        }
    }
    assert_eq!(client.send(Method::GET).await.unwrap(), 200);
    assert_eq!(client.arrivals().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_probe_without_a_response_delays_the_others_only_briefly() {
    let client = client(|number, _| match number {
        0 => Does::Throttles(429, 1),
        1 => Does::Hangs,
        _ => Does::Responds(200),
    });
    let start = TestClock::auto_advance(0).now();
    let all = join_all((0..20).map(|_| client.send(Method::GET)));
    let time = TestClock::auto_advance(0).sleep(6 * SECOND);
    // Only the request that hangs is still waiting.
    tokio::select! { _ = all => unreachable!("one hangs"), () = time => {} }
    assert_eq!(client.arrivals().len(), 21, "{:?}", client.arrivals());
    assert!(*client.arrivals().last().unwrap() < 5 * SECOND, "{:?}", TestClock::auto_advance(0).now() - start);
}

#[tokio::test(start_paused = true)]
async fn an_outage_does_not_multiply_traffic() {
    let client = client(|_, _| Does::Responds(503));
    for _ in 0..1_000 {
        assert_eq!(client.send(Method::GET).await.unwrap(), 503);
        // A write that fails is not retried, and costs nothing.
        assert_eq!(client.send(Method::PATCH).await.unwrap(), 503);
    }
    let requests = client.arrivals().len();
    assert!(requests <= 2_000 + 50, "{requests}");
}
