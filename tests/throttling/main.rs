//! Links against servers that throttle. Time is virtual: minutes pass in milliseconds.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../support/mod.rs"]
mod support;

mod server;

use std::{
    fmt::Write,
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, future::join_all, stream};
use omnichannel_link::{
    clock::Clock,
    dataverse::{DataverseOptions, DataverseStore},
    domain::{CallOptions, ConversationId, LinkPolicy, LinkService, LinkStatus},
    error::{Code, LinkError},
    http::{NoopObserver, RetryPolicy, StaticToken, Token},
};
use server::{Behaviour, Counting, Environment, Seen};
use support::{account, clock::TestClock};

/// Included by tests/reliability.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/throttling/table.md");

const MINUTE: Duration = Duration::from_secs(60);

fn client_with(environment: &Arc<Environment>, retries: RetryPolicy, timeout: Duration) -> LinkService {
    let clock = Arc::new(TestClock::auto_advance(environment.next_seed()));
    let store = DataverseStore::new(
        "https://contoso.crm4.dynamics.com".parse().unwrap(),
        environment.clone(),
        Arc::new(StaticToken(Token::new("t0ken").unwrap())),
        DataverseOptions { retries, ..DataverseOptions::default() },
        clock.clone(),
        Arc::new(NoopObserver),
    );
    LinkService::new(Arc::new(store), clock, timeout, None)
}

fn client(environment: &Arc<Environment>) -> LinkService {
    client_with(environment, RetryPolicy::default(), 10 * MINUTE)
}

/// Links one account to conversations with these numbers, 256 at once, as `linkMany` does.
async fn link_many(client: &LinkService, numbers: std::ops::Range<u128>) -> Vec<Result<LinkStatus, LinkError>> {
    let link = |number: u128| {
        let id = ConversationId::from(number.to_be_bytes());
        let linked = client.link(account(1), Some(id), LinkPolicy::default(), CallOptions::default());
        async move { linked.await.map(|outcome| outcome.status) }
    };
    stream::iter(numbers).map(link).buffered(256).collect().await
}

fn assert_all_linked(outcomes: &[Result<LinkStatus, LinkError>]) {
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !matches!(outcome, Ok(LinkStatus::Linked))).collect();
    assert!(failed.is_empty(), "{} of {} failed, the first with {:?}", failed.len(), outcomes.len(), failed.first());
}

struct Run {
    seen: Seen,
    /// Accepted requests as a share of those that the limit allows in the same time.
    used: f64,
    /// Throttled requests as a share of all.
    throttled: f64,
}

/// Links `links` conversations, with one client alone or while a second one is always busy.
async fn run(behaviour: Behaviour, clients: u8, links: u128) -> Run {
    let environment = Environment::new(behaviour);
    let (first, second) = (client(&environment), client(&environment));
    let neighbour = async {
        if clients == 2 {
            link_many(&second, links..10 * links).await;
        }
        std::future::pending::<()>().await;
    };
    let outcomes = tokio::select! {
        biased;
        outcomes = link_many(&first, 0..links) => outcomes,
        () = neighbour => unreachable!("it never ends"),
    };
    assert_all_linked(&outcomes);
    assert!(environment.holding(&account(1).id.to_string()) >= outcomes.len());
    let seen = environment.seen();
    // No more than the recommended number of requests are in flight.
    let possible = behaviour.hint.parse::<f64>().unwrap() * f64::from(clients) / behaviour.latency.as_secs_f64();
    let allowed = f64::from(behaviour.per_second).min(possible) * seen.last_accepted.as_secs_f64();
    let (accepted, throttled) = (as_f64(seen.accepted), as_f64(seen.throttled));
    Run { seen, used: accepted / allowed, throttled: throttled / (accepted + throttled) }
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).unwrap().into()
}

/// The rows are part of docs/reliability.md. `UPDATE_DOCS=1` writes them.
#[tokio::test(start_paused = true)]
async fn a_steady_limit_is_used_with_little_throttling() {
    let mut table = String::new();
    for counting in [Counting::FixedWindow, Counting::SlidingWindow, Counting::FullBucket] {
        for (per_second, links) in [(10, 800), (60, 2_400), (1_000, 16_000)] {
            // Two clients need more time to find their shares.
            for (hint, clients, least) in [("48", 1, 0.9), ("4", 1, 0.9), ("48", 2, 0.85), ("4", 2, 0.85)] {
                let limit = Behaviour { counting, per_second, hint, ..Behaviour::UNLIMITED };
                let Run { used, throttled, seen } = run(limit, clients, links).await;
                assert!(used > least, "used {used:.3}: {limit:?}, {clients} clients, {seen:?}");
                assert!(throttled < 0.1, "throttled {throttled:.3}: {limit:?}, {clients} clients, {seen:?}");
                let (used, throttled) = (100.0 * used.min(1.0), 100.0 * throttled);
                let counting = counting.name();
                let _ = writeln!(
                    table,
                    "| {per_second} | {counting} | {hint} | {clients} | {links} | {used:.0} % | {throttled:.1} % |"
                );
            }
        }
    }
    let recorded = fs::read_to_string(TABLE).unwrap_or_default().replace("\r\n", "\n");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(TABLE, &table).unwrap();
    } else {
        assert_eq!(table, recorded, "{TABLE} is old");
    }
}

/// With few calls the first throttled requests weigh most.
#[tokio::test(start_paused = true)]
async fn few_calls_are_rarely_throttled_too() {
    for (per_second, links) in [(10, 80), (60, 600)] {
        for clients in [1, 2] {
            let limit = Behaviour { per_second, ..Behaviour::UNLIMITED };
            let Run { used, throttled, seen } = run(limit, clients, links).await;
            assert!(
                used > 0.85 && throttled < 0.1,
                "used {used:.3}, throttled {throttled:.3}, {clients} clients, {seen:?}"
            );
        }
    }
}

/// Its 429 asks for one second, although the next request would be accepted much sooner. The rate must be found by trial.
#[tokio::test(start_paused = true)]
async fn a_limit_without_bursts_is_found_eventually() {
    let limit = Behaviour { counting: Counting::SmallBucket, per_second: 60, ..Behaviour::UNLIMITED };
    let Run { used, throttled, seen } = run(limit, 1, 5_000).await;
    assert!(used > 0.9 && throttled < 0.01, "used {used:.3}, throttled {throttled:.3}, {seen:?}");
}

/// Such a limit looks like a low rate for the first half minute.
#[tokio::test(start_paused = true)]
async fn a_limit_on_requests_in_flight_is_respected() {
    for in_flight in [1, 10] {
        let limit = Behaviour { in_flight, ..Behaviour::UNLIMITED };
        let Run { throttled, seen, .. } = run(limit, 1, 10_000).await;
        let possible = as_f64(in_flight) / limit.latency.as_secs_f64();
        let used = as_f64(seen.accepted) / seen.last_accepted.as_secs_f64() / possible;
        assert!(used > 0.2 && throttled < 0.01, "used {used:.3}, throttled {throttled:.3}, {limit:?}, {seen:?}");
    }
}

/// One faulty node behind a load balancer: a lower rate would not help, so only the pauses cost time.
#[tokio::test(start_paused = true)]
async fn throttling_at_any_rate_does_not_slow_the_client_down() {
    for (throttles_every, links) in [(20, 1_000), (100, 4_000), (700, 20_000)] {
        let faulty = Behaviour { throttles_every, throttle_response: (503, Some(1)), ..Behaviour::UNLIMITED };
        let Run { seen, .. } = run(faulty, 1, links).await;
        let pauses = as_f64(seen.throttled);
        let took = seen.last_accepted.as_secs_f64();
        assert!(took < 1.3 * pauses + 20.0, "{took:.1} s, of which {pauses} in pauses: {faulty:?}, {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn closing_the_client_ends_the_wait() {
    let environment = Environment::new(Behaviour { in_flight: 0, ..Behaviour::UNLIMITED });
    let client = client(&environment);
    let calls = link_many(&client, 0..20);
    let closed = async {
        TestClock::auto_advance(0).sleep(Duration::from_millis(2_500)).await;
        client.close().await
    };
    let (outcomes, closed) = tokio::join!(calls, closed);
    closed.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_err_and(|error| error.code() == Code::Throttled)));
    assert!(TestClock::auto_advance(0).now() - environment.start() < Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_503_with_a_time_is_waited_out_like_a_429() {
    let limit = Behaviour { per_second: 10, throttle_response: (503, Some(1)), ..Behaviour::UNLIMITED };
    let Run { used, throttled, seen } = run(limit, 1, 200).await;
    assert!(used > 0.9 && throttled < 0.1, "used {used:.3}, throttled {throttled:.3}, {seen:?}");
}

#[tokio::test(start_paused = true)]
async fn throttling_does_not_depend_on_the_retry_options() {
    for max_retries in [0, 10_000] {
        let limit = Behaviour { per_second: 10, ..Behaviour::UNLIMITED };
        let environment = Environment::new(limit);
        let retries = RetryPolicy { max_retries, ..RetryPolicy::default() };
        let client = client_with(&environment, retries, 10 * MINUTE);
        assert_all_linked(&link_many(&client, 0..80).await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_the_wait() {
    let environment =
        Environment::new(Behaviour { in_flight: 0, throttle_response: (429, Some(7)), ..Behaviour::UNLIMITED });
    let client = client_with(&environment, RetryPolicy::default(), MINUTE);
    for outcome in link_many(&client, 0..20).await {
        let error = outcome.unwrap_err();
        assert_eq!((error.code(), error.details().maybe_applied), (Code::Throttled, false));
        assert!(error.details().retry_after.is_some(), "{error:?}");
    }
    assert!(environment.seen().throttled < 20, "{:?}", environment.seen());
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_five_minutes_sends_no_more_than_a_healthy_run() {
    let slow = Behaviour { latency: Duration::from_millis(500), ..Behaviour::UNLIMITED };
    let (healthy, _) = busy_for_six_minutes(slow).await;
    for status in [Some(503), None] {
        let outage = Some((Duration::from_secs(30), Duration::from_secs(30) + 5 * MINUTE, status));
        let (seen, calls) = busy_for_six_minutes(Behaviour { outage, ..slow }).await;
        let sent = as_f64(seen.accepted + seen.failed);
        assert!(seen.failed > 1_000, "{seen:?}");
        assert!(sent <= 1.1 * as_f64(healthy.accepted), "{seen:?}, and in a healthy run {healthy:?}");
        assert!(sent <= 1.1 * 2.0 * as_f64(calls), "{seen:?} for {calls} calls, which take two requests each");
    }
}

/// Runs 48 loops that link one conversation after the other for six minutes. Returns the number of calls.
async fn busy_for_six_minutes(behaviour: Behaviour) -> (Seen, usize) {
    let environment = Environment::new(behaviour);
    let client = client_with(&environment, RetryPolicy::default(), MINUTE);
    let calls = AtomicU64::new(0);
    let one = async || loop {
        let number = calls.fetch_add(1, Ordering::Relaxed);
        let _ = link_many(&client, number.into()..u128::from(number) + 1).await;
    };
    let all = join_all((0..48).map(|_| one()));
    tokio::select! { biased; _ = all => unreachable!("they never end"), () = TestClock::auto_advance(0).sleep(6 * MINUTE) => {} }
    (environment.seen(), usize::try_from(calls.into_inner()).unwrap())
}
