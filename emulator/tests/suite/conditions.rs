//! Limits by the clock, missing optimistic concurrency, callers and dates.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{ACCOUNT, AGENT, NAV_ACCOUNT, Server, TestResponse, bind, conversation_path};

async fn with_conditions(conditions: Value) -> Server {
    let server = Server::start().await;
    server.emulator.faults().conditions(conditions).unwrap();
    server
}

async fn get(server: &Server) -> TestResponse {
    server.get(&conversation_path()).await
}

#[tokio::test]
async fn too_many_requests_are_throttled_and_longer_if_they_continue() {
    let server = with_conditions(json!({ "limits": { "requests": 2, "windowInMs": 10_000 } })).await;
    assert_eq!(get(&server).await.status, 200);
    server.advance(4_000);
    assert_eq!(get(&server).await.status, 200);
    let response = get(&server).await;
    response.expect_error(
        429,
        "0x80072322",
        "Number of requests exceeded the limit of 2 over time window of 10 seconds.",
    );
    assert_eq!(response.header("retry-after"), Some("6"), "when the first leaves the window");
    assert_eq!(get(&server).await.header("retry-after"), Some("7"), "it grows");
    server.advance(6_999);
    assert_eq!(get(&server).await.header("retry-after"), Some("2"));
    server.advance(1_001);
    assert_eq!(get(&server).await.status, 200);
}

#[tokio::test]
async fn a_client_that_honours_retry_after_is_served() {
    let limits = json!({ "requests": 5, "windowInMs": 300_000 });
    let server = with_conditions(json!({ "limits": limits })).await;
    for round in 0..3 {
        for _ in 0..5 {
            assert_eq!(get(&server).await.status, 200, "{round}");
        }
        let wait = get(&server).await.header("retry-after").unwrap().parse::<u64>().unwrap();
        server.advance(wait * 1000);
    }
}

#[tokio::test]
async fn execution_time_adds_up() {
    let conditions = json!({ "limits": { "executionTimeInMs": 1500 }, "executionTimePerRequestInMs": 1000 });
    let server = with_conditions(conditions).await;
    assert_eq!(get(&server).await.status, 200);
    server.advance(100_000);
    assert_eq!(get(&server).await.status, 200);
    let response = get(&server).await;
    response.expect_error(429, "0x80072321", "exceeded limit of 1,500 milliseconds over time window of 300 seconds.");
    assert_eq!(response.header("retry-after"), Some("200"));
    server.advance(200_000);
    assert_eq!(get(&server).await.status, 200);
}

#[tokio::test]
async fn the_headers_count_down_and_follow_the_window() {
    let server = with_conditions(json!({ "executionTimePerRequestInMs": 10, "limits": { "requests": 8000 } })).await;
    let remaining = |response: &TestResponse| {
        ["burst", "time"]
            .map(|what| response.header(&format!("x-ms-ratelimit-{what}-remaining-xrm-requests")).map(String::from))
    };
    let expected = |requests: &str, time: &str| [Some(requests.to_owned()), Some(time.to_owned())];
    get(&server).await;
    server.advance(1_000);
    get(&server).await;
    assert_eq!(remaining(&get(&server).await), expected("7997", "1,199.97"));
    server.advance(299_000);
    assert_eq!(remaining(&get(&server).await), expected("7997", "1,199.97"), "the first has left the window");
    assert_eq!(remaining(&server.get_with("WhoAmI", &[("authorization", "x")]).await), [None, None]);
}

#[tokio::test]
async fn extreme_times_are_harmless() {
    let limits = json!({ "requests": 1, "windowInMs": u64::MAX });
    let server = with_conditions(json!({ "limits": limits, "dateInMs": 253_402_300_799_999_u64 })).await;
    server.advance(u64::MAX - 1);
    assert_eq!(get(&server).await.status, 200);
    for _ in 0..3 {
        assert_eq!(get(&server).await.status, 429);
    }
}

#[tokio::test]
async fn without_optimistic_concurrency_an_etag_is_rejected() {
    let server = with_conditions(json!({ "concurrencyOff": ["msdyn_ocliveworkitem"] })).await;
    let etag = get(&server).await.header("etag").unwrap().to_owned();
    let link = || bind(NAV_ACCOUNT, &format!("/accounts({ACCOUNT})"));
    let before = server.conversation();
    server.patch_with(&conversation_path(), &[("if-match", &etag)], link()).await.expect_error(
        400,
        "0x8006088d",
        "Optimistic concurrency isn't enabled for entity type msdyn_ocliveworkitem.",
    );
    assert_eq!(server.conversation(), before);
    assert_eq!(server.get_with(&conversation_path(), &[("if-none-match", &etag)]).await.status, 200, "no 304 either");
    assert_eq!(server.patch(&conversation_path(), link()).await.status, 204);
}

#[tokio::test]
async fn other_tables_keep_optimistic_concurrency() {
    let server = with_conditions(json!({ "concurrencyOff": ["msdyn_ocliveworkitem"] })).await;
    let account = format!("accounts({ACCOUNT})");
    let etag = server.get(&account).await.header("etag").unwrap().to_owned();
    let written = server.patch_with(&account, &[("if-match", &etag)], json!({ "name": "New" })).await;
    assert_eq!(written.status, 204);
}

#[tokio::test]
async fn a_caller_may_lack_the_privilege() {
    let server = with_conditions(json!({ "unprivilegedCallers": [AGENT.to_uppercase()] })).await;
    for header in ["CallerObjectId", "MSCRMCallerID"] {
        let response = server.get_with(&conversation_path(), &[(header, AGENT)]).await;
        response.expect_error(403, "0x80040220", "is missing prvActOnBehalfOfAnotherUser privilege");
        assert_eq!(server.get_with(&conversation_path(), &[(header, ACCOUNT)]).await.status, 200);
    }
    let log = server.emulator.requests();
    assert_eq!((log[0].header("callerobjectid"), log[2].header("mscrmcallerid")), (Some(AGENT), Some(AGENT)));
}

#[tokio::test]
async fn the_date_follows_the_clock_if_the_conditions_set_it() {
    let server = with_conditions(json!({ "dateInMs": 1_700_000_000_000_u64 })).await;
    server.advance(5_000);
    assert_eq!(get(&server).await.header("date"), Some("Tue, 14 Nov 2023 22:13:25 GMT"));
}

/// Calls a method of the emulator as another process does.
async fn call(server: &Server, method: &str, argument: Value) -> TestResponse {
    server.send(Method::POST, &format!("/_emulator/{method}"), &[], Some(argument.to_string())).await
}

#[tokio::test]
async fn other_processes_call_the_same_methods() {
    let server = Server::start().await;
    let call = async |method: &str, argument: Value| call(&server, method, argument).await;
    assert_eq!(call("faults.add", json!({ "fault": { "kind": "unauthorized" } })).await.json(), Value::Null);
    assert_eq!(call("faults.waiting", Value::Null).await.json(), 1);
    assert_eq!(get(&server).await.status, 401);
    assert_eq!(call("clock.advance", json!({ "byInMs": 1500 })).await.json(), 1500);
    assert_eq!(call("clock.now", Value::Null).await.json(), 1500);
    assert_eq!(call("reset", Value::Null).await.status, 200);
    assert_eq!(server.emulator.clock().now(), Duration::ZERO);
}

#[tokio::test]
async fn an_invalid_call_of_another_process_is_explained() {
    let server = Server::start().await;
    for (method, argument, message) in [
        ("faults.add", json!({ "fault": { "kind": "x" } }), "a fault rule: unknown variant `x`"),
        ("clock.advance", json!({ "byInMs": -1 }), "invalid value"),
        ("clock.advance", json!({ "byInMs": 1, "ms": 1 }), "unknown field `ms`"),
        ("faults.hang", Value::Null, "no method 'faults.hang'"),
    ] {
        let response = call(&server, method, argument).await;
        assert_eq!(response.status, 400);
        assert!(response.json()["error"].as_str().unwrap().contains(message), "{}", response.text);
    }
}

#[tokio::test]
async fn other_processes_need_the_credential() {
    let server = Server::start().await;
    let invalid = [("authorization", "Bearer wrong")];
    assert_eq!(server.send(Method::POST, "/_emulator/reset", &invalid, None).await.status, 401);
}

#[tokio::test]
async fn the_control_surface_is_not_in_the_log() {
    let server = Server::start().await;
    assert_eq!(call(&server, "clock.now", Value::Null).await.status, 200);
    assert_eq!(server.send(Method::POST, "/_emulator/reset", &[("authorization", "x")], None).await.status, 401);
    assert_eq!(server.emulator.requests().len(), 0);
}
