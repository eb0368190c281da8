//! One token for all calls: how often the provider is called, what is cached, and the effect of a 401.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use omnichannel_link::{
    error::{Code, LinkError},
    http::{
        AccessToken, AuthorizedHttp, CallError, ClientSecret, ClientSecretCredential, HttpRequest, NoopObserver,
        RetryPolicy, RetryingHttp, Secret, Token, TokenCache, TokenProvider,
    },
};
use support::{
    clock::TestClock,
    http::{Reply, ScriptedHttp},
};

const HOUR: Duration = Duration::from_secs(3600);

/// Returns `token-1`, `token-2` and so on, or fails as the test says. Records the claims of each request.
#[derive(Default)]
struct Provider {
    lifetime: Option<Duration>,
    /// Always returns the same token.
    insists: bool,
    failing: Mutex<bool>,
    hanging: Mutex<bool>,
    panicking: Mutex<bool>,
    requests: Mutex<Vec<Option<String>>>,
    waiting: AtomicUsize,
}

/// A request that hangs, counted until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl TokenProvider for Provider {
    fn token(&self, claims: Option<String>) -> BoxFuture<'_, Result<AccessToken, LinkError>> {
        Box::pin(async move {
            self.requests.lock().unwrap().push(claims);
            let number = if self.insists { 1 } else { self.requests.lock().unwrap().len() };
            // Lets other calls run that wait for a token.
            tokio::task::yield_now().await;
            if *self.hanging.lock().unwrap() {
                let _waiting = Waiting::begin(&self.waiting);
                std::future::pending::<()>().await;
            }
            assert!(!*self.panicking.lock().unwrap(), "a bug of the provider");
            if *self.failing.lock().unwrap() {
                return Err(LinkError::new(Code::AuthenticationFailed, "The vault is closed."));
            }
            Ok(AccessToken { token: Token::new(&format!("token-{number}")).unwrap(), lifetime: self.lifetime })
        })
    }
}

impl Provider {
    fn hourly() -> Arc<Self> {
        Arc::new(Self { lifetime: Some(HOUR), ..Self::default() })
    }

    fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn cache(provider: &Arc<Provider>) -> (TokenCache, Arc<TestClock>) {
    let clock = Arc::new(TestClock::default());
    (TokenCache::new(provider.clone(), clock.clone()), clock)
}

async fn authorization(cache: &TokenCache) -> String {
    let token = cache.token().await.unwrap();
    String::from_utf8(token.header().as_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_hundred_calls_share_one_request() {
    let provider = Provider::hourly();
    let (cache, _) = cache(&provider);
    let tokens = join_all((0..100).map(|_| cache.token())).await;
    assert!(tokens.iter().all(Result::is_ok));
    assert_eq!(provider.requests(), 1);
}

#[tokio::test]
async fn a_hundred_calls_share_one_error_and_a_later_call_tries_again() {
    let provider = Provider::hourly();
    *provider.failing.lock().unwrap() = true;
    let (cache, clock) = cache(&provider);
    for _ in 0..2 {
        for error in join_all((0..100).map(|_| cache.token())).await.into_iter().map(Result::unwrap_err) {
            assert_eq!((error.code(), error.message()), (Code::AuthenticationFailed, "The vault is closed."));
        }
    }
    assert_eq!(provider.requests(), 1, "also by the calls right afterwards");
    *provider.failing.lock().unwrap() = false;
    clock.advance(Duration::from_secs(1));
    assert_eq!(authorization(&cache).await, "Bearer token-2");
}

#[tokio::test]
async fn a_token_is_refreshed_before_it_expires() {
    let provider = Provider::hourly();
    let (cache, clock) = cache(&provider);
    assert_eq!(authorization(&cache).await, "Bearer token-1");
    clock.advance(Duration::from_secs(3_600 - 361));
    assert_eq!(authorization(&cache).await, "Bearer token-1");
    clock.advance(Duration::from_secs(62));
    assert_eq!(authorization(&cache).await, "Bearer token-2");
}

#[tokio::test]
async fn while_one_call_refreshes_early_the_others_use_the_current_token() {
    let provider = Provider::hourly();
    let (cache, clock) = cache(&provider);
    authorization(&cache).await;
    clock.advance(Duration::from_secs(3_600 - 200));
    let (first, second) = tokio::join!(authorization(&cache), authorization(&cache));
    assert_eq!((first.as_str(), second.as_str()), ("Bearer token-2", "Bearer token-1"));
    assert_eq!(provider.requests(), 2);
}

#[tokio::test]
async fn a_refresh_that_fails_or_takes_long_is_not_repeated_for_a_while() {
    let provider = Provider::hourly();
    let (cache, clock) = cache(&provider);
    authorization(&cache).await;
    clock.advance(Duration::from_secs(3_600 - 200));
    *provider.failing.lock().unwrap() = true;
    for _ in 0..10 {
        assert_eq!(authorization(&cache).await, "Bearer token-1");
    }
    assert_eq!(provider.requests(), 2);
    clock.advance(Duration::from_secs(30));
    *provider.failing.lock().unwrap() = false;
    *provider.hanging.lock().unwrap() = true;
    clock.set_instant_sleeps(true);
    assert_eq!(authorization(&cache).await, "Bearer token-1", "the call does not wait forever");
    assert_eq!(provider.requests(), 3);
}

#[tokio::test]
async fn a_valid_token_is_used_after_a_failed_refresh_until_it_expires() {
    let provider = Provider::hourly();
    let (cache, clock) = cache(&provider);
    authorization(&cache).await;
    *provider.failing.lock().unwrap() = true;
    clock.advance(Duration::from_secs(3_600 - 100));
    assert_eq!(authorization(&cache).await, "Bearer token-1");
    clock.advance(Duration::from_secs(100));
    assert_eq!(cache.token().await.unwrap_err().code(), Code::AuthenticationFailed);
}

#[tokio::test]
async fn a_token_of_unknown_lifetime_is_kept_for_a_minute() {
    let provider = Arc::new(Provider::default());
    let (cache, clock) = cache(&provider);
    authorization(&cache).await;
    clock.advance(Duration::from_secs(30));
    assert_eq!(authorization(&cache).await, "Bearer token-1");
    clock.advance(Duration::from_secs(30));
    assert_eq!(authorization(&cache).await, "Bearer token-2");
}

#[tokio::test]
async fn an_implausible_lifetime_counts_as_unknown() {
    for lifetime in [Duration::ZERO, Duration::from_millis(999), HOUR * 24 * 400, Duration::MAX] {
        let provider = Arc::new(Provider { lifetime: Some(lifetime), ..Provider::default() });
        let (cache, clock) = cache(&provider);
        let token = cache.token().await.unwrap();
        assert_eq!(cache.remaining_lifetime(&token), None, "{lifetime:?}");
        clock.advance(Duration::from_secs(30));
        assert_eq!(authorization(&cache).await, "Bearer token-1", "{lifetime:?}");
        clock.advance(Duration::from_secs(30));
        assert_eq!(authorization(&cache).await, "Bearer token-2", "{lifetime:?}");
    }
    let provider = Arc::new(Provider { lifetime: Some(Duration::from_secs(2)), ..Provider::default() });
    let (cache, clock) = cache(&provider);
    authorization(&cache).await;
    clock.advance(Duration::from_secs(2));
    assert_eq!(authorization(&cache).await, "Bearer token-2", "a short lifetime counts");
}

#[tokio::test]
async fn a_token_that_arrives_after_its_call_was_cancelled_is_kept() {
    let provider = Provider::hourly();
    let (cache, _) = cache(&provider);
    assert!(cache.token().now_or_never().is_none());
    assert_eq!(authorization(&cache).await, "Bearer token-1");
    assert_eq!(provider.requests(), 1);
}

#[tokio::test]
async fn calls_that_are_cancelled_one_after_the_other_share_one_request() {
    let provider = Provider::hourly();
    *provider.hanging.lock().unwrap() = true;
    let (cache, _) = cache(&provider);
    for _ in 0..200 {
        assert!(cache.token().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    assert_eq!(provider.requests(), 1);
}

#[tokio::test]
async fn a_request_that_times_out_fails_all_waiting_calls_and_a_later_call_tries_again() {
    let provider = Provider::hourly();
    *provider.hanging.lock().unwrap() = true;
    let (cache, clock) = cache(&provider);
    clock.set_instant_sleeps(true);
    for error in join_all((0..100).map(|_| cache.token())).await.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.code(), Code::AuthenticationFailed);
    }
    assert_eq!(provider.requests(), 1);
    *provider.hanging.lock().unwrap() = false;
    clock.set_instant_sleeps(false);
    clock.advance(Duration::from_secs(1));
    assert_eq!(authorization(&cache).await, "Bearer token-2");
}

#[tokio::test]
async fn a_call_waits_ten_minutes_for_a_token_authority_that_throttles() {
    let clock = Arc::new(TestClock::default());
    let client = ClientSecret {
        authority_host: "https://login.example".parse().unwrap(),
        tenant_id: "tenant".into(),
        client_id: "client".into(),
        client_secret: Secret::new("s3cret"),
        scope: "https://contoso.example/.default".into(),
    };
    let provider = ClientSecretCredential::new(ScriptedHttp::new(|_, _| Reply::Hangs), client, clock.clone());
    let cache = TokenCache::new(Arc::new(provider), clock.clone());
    let mut token = Box::pin(cache.token());
    for seconds in [0, 60, 539] {
        clock.advance(Duration::from_secs(seconds));
        tokio::task::yield_now().await;
        assert!(token.as_mut().now_or_never().is_none(), "{seconds}");
    }
    clock.advance(Duration::from_secs(1));
    assert_eq!(token.await.unwrap_err().code(), Code::AuthenticationFailed);
}

#[tokio::test]
async fn a_provider_that_panics_fails_the_waiting_calls_and_is_called_again() {
    let provider = Provider::hourly();
    *provider.panicking.lock().unwrap() = true;
    let (cache, clock) = cache(&provider);
    for error in join_all((0..10).map(|_| cache.token())).await.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.code(), Code::Internal);
    }
    *provider.panicking.lock().unwrap() = false;
    clock.advance(Duration::from_secs(1));
    assert!(authorization(&cache).await.starts_with("Bearer token-"));
}

#[tokio::test]
async fn dropping_or_closing_the_cache_cancels_the_token_request() {
    for is_dropped in [true, false] {
        let provider = Provider::hourly();
        *provider.hanging.lock().unwrap() = true;
        let (cache, _) = cache(&provider);
        assert!(cache.token().now_or_never().is_none());
        tokio::task::yield_now().await;
        assert_eq!(provider.requests(), 1);
        assert_eq!(provider.waiting.load(Ordering::SeqCst), 1);
        if !is_dropped {
            cache.close();
        }
        let kept = (!is_dropped).then_some(cache);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(provider.waiting.load(Ordering::SeqCst), 0, "the request is dropped");
        drop(kept);
        assert_eq!(Arc::strong_count(&provider), 1, "and the cache is freed");
    }
}

#[tokio::test]
async fn a_challenge_during_a_token_request_without_its_claims_starts_a_new_request() {
    let provider = Provider::hourly();
    let (cache, clock) = cache(&provider);
    let token = cache.token().await.unwrap();
    clock.advance(Duration::from_secs(3_600 - 200));
    *provider.hanging.lock().unwrap() = true;
    assert!(cache.token().now_or_never().is_none(), "refreshing");
    tokio::task::yield_now().await;
    cache.reject(&token, Some("{}".into()));
    *provider.hanging.lock().unwrap() = false;
    assert_eq!(authorization(&cache).await, "Bearer token-3");
    assert_eq!(*provider.requests.lock().unwrap(), [None, None, Some("{}".to_owned())]);
}

async fn call(provider: &Arc<Provider>, statuses: impl IntoIterator<Item = u16>) -> Result<(u16, String), CallError> {
    challenged(provider, statuses, &["Bearer error=\"x\", claims=\"e30=\", y=\"z\""]).await
}

/// A request to a server with these statuses and challenges. It returns the token in a header and in the body.
async fn challenged(
    provider: &Arc<Provider>,
    statuses: impl IntoIterator<Item = u16>,
    challenges: &[&str],
) -> Result<(u16, String), CallError> {
    let (cache, _) = cache(provider);
    let challenges =
        challenges.iter().map(|text| (WWW_AUTHENTICATE, HeaderValue::from_bytes(text.as_bytes()).unwrap()));
    let (challenges, statuses): (HeaderMap, Vec<_>) = (challenges.collect(), statuses.into_iter().collect());
    let server = ScriptedHttp::new(move |number, request| {
        let (mut headers, token) = (challenges.clone(), &request.headers[AUTHORIZATION]);
        headers.insert(AUTHORIZATION, token.clone());
        let body = format!(r#"{{"message":"not accepted: {}"}}"#, token.to_str().unwrap());
        Reply::response(*statuses.get(number).expect("no more requests"), headers, body)
    });
    let (clock, policy) = (Arc::new(TestClock::default()), RetryPolicy::default());
    let retrying = RetryingHttp::new(server, clock, policy, Arc::default(), Arc::new(NoopObserver));
    let http = AuthorizedHttp::new(retrying, cache);
    let uri = "https://contoso.crm4.dynamics.com/".parse().unwrap();
    let mut request = HttpRequest {
        repeatable: true,
        method: Method::GET,
        uri,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        deadline: None,
        progress: Arc::default(),
    };
    let response = http.call(&mut request).await?;
    assert_eq!(response.body, r#"{"message":"not accepted: Bearer [redacted]"}"#);
    Ok((response.status.as_u16(), response.headers[AUTHORIZATION].to_str().unwrap().to_owned()))
}

#[tokio::test]
async fn a_401_drops_the_token_and_retries_once_with_the_required_claims() {
    let provider = Provider::hourly();
    assert_eq!(call(&provider, [401, 200]).await.unwrap(), (200, "Bearer token-2".into()));
    assert_eq!(*provider.requests.lock().unwrap(), [None, Some("{}".to_owned())]);
    assert_eq!(call(&provider, [401, 401]).await.unwrap().0, 401, "exactly once more");
}

#[tokio::test]
async fn a_challenge_in_a_later_line_or_after_others_is_found() {
    for challenges in [
        &["Negotiate", "Bearer claims=\"e30=\""][..],
        &["Basic realm=\"\u{e9}\", Bearer claims=e30"],
        &["Bearer error=\"x\", Bearer claims = \"e30\""],
    ] {
        let provider = Provider::hourly();
        challenged(&provider, [401, 200], challenges).await.unwrap();
        assert_eq!(*provider.requests.lock().unwrap(), [None, Some("{}".to_owned())], "{challenges:?}");
    }
}

#[tokio::test]
async fn a_rejected_token_that_the_provider_returns_again_is_not_sent_again() {
    let provider = Arc::new(Provider { insists: true, ..Provider::default() });
    assert_eq!(call(&provider, [401]).await.unwrap().0, 401);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let provider = Provider::hourly();
    *provider.failing.lock().unwrap() = true;
    assert!(matches!(call(&provider, []).await, Err(CallError::NoToken(_))));
}
