//! One test per kind of fault.

use omnichannel_link_emulator::{Changes, table};
use serde_json::{Value, json};

use crate::{
    client::{ACCOUNT, CONTACT, CONVERSATION, MISSING, NAV_ACCOUNT, Server, bind, conversation_path, id, linked},
    wire::Wire,
};

pub(crate) fn link() -> Value {
    bind(NAV_ACCOUNT, &format!("/accounts({ACCOUNT})"))
}

/// Number, status and fault of all requests so far.
pub(crate) fn log(server: &Server) -> Vec<(u64, u16, Option<&'static str>)> {
    server.emulator.requests().iter().map(|request| (request.number, request.status, request.fault)).collect()
}

pub(crate) async fn with_fault(fault: Value) -> Server {
    let server = Server::start().await;
    server.emulator.faults().add(json!({ "fault": fault })).unwrap();
    server
}

#[tokio::test]
async fn a_status_has_an_odata_error_and_any_headers_and_applies_once() {
    let server = with_fault(json!({
        "kind": "status", "status": 503, "code": "0x80044150", "message": "Generic SQL error.",
        "headers": { "Retry-After": "7", "x-ms-retry-after-ms": "7500", "req_id": "chosen" },
    }))
    .await;
    let before = server.conversation();
    let response = server.patch(&conversation_path(), link()).await;
    response.expect_error(503, "0x80044150", "Generic SQL error.");
    assert_eq!((response.header("retry-after"), response.header("x-ms-retry-after-ms")), (Some("7"), Some("7500")));
    assert_eq!(response.headers.get_all("req_id").iter().collect::<Vec<_>>(), ["chosen"]);
    assert_eq!(server.conversation(), before, "nothing is done");
    assert_eq!(server.get(&conversation_path()).await.status, 200, "once by default");
    assert_eq!(log(&server), [(1, 503, Some("status")), (2, 200, None)]);
}

#[tokio::test]
async fn a_status_may_have_the_html_body_of_a_gateway() {
    let html = json!({ "kind": "status", "status": 502, "body": "html", "message": "Bad Gateway" });
    let response = with_fault(html).await.get(&conversation_path()).await;
    assert_eq!((response.status.as_u16(), response.header("content-type")), (502, Some("text/html; charset=utf-8")));
    assert!(response.text.starts_with("<!DOCTYPE html>") && response.text.contains("Bad Gateway"), "{}", response.text);
    assert_eq!(
        (response.header("odata-version"), response.header("req_id")),
        (None, None),
        "a gateway is not Dataverse"
    );
}

#[tokio::test]
async fn a_status_may_have_an_empty_body_after_the_commit() {
    let server = with_fault(json!({ "kind": "status", "status": 504, "body": "empty", "commit": true })).await;
    let response = server.patch(&conversation_path(), link()).await;
    assert_eq!((response.status.as_u16(), response.text.as_str()), (504, ""));
    assert_eq!(server.conversation().1, linked("account", ACCOUNT));
}

#[tokio::test]
async fn a_redirect_has_a_location() {
    let server = with_fault(json!({ "kind": "redirect", "location": "http://127.0.0.1:9/elsewhere" })).await;
    let head = Wire::send(&server.emulator, None).await.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 307 "), "{head}");
    assert!(head.contains("\r\nLocation: http://127.0.0.1:9/elsewhere\r\n"), "{head}");
}

#[tokio::test]
async fn unauthorized_has_the_challenge_once_by_default() {
    let server = with_fault(json!({ "kind": "unauthorized" })).await;
    let response = server.get(&conversation_path()).await;
    assert_eq!((response.status.as_u16(), response.text.as_str()), (401, ""));
    assert!(response.header("www-authenticate").unwrap().starts_with("Bearer authorization_uri="));
    assert_eq!(server.get(&conversation_path()).await.status, 200);
}

#[tokio::test]
async fn a_fault_may_apply_always() {
    let server = Server::start().await;
    server.emulator.faults().add(json!({ "times": "always", "fault": { "kind": "unauthorized" } })).unwrap();
    for _ in 0..3 {
        assert_eq!(server.get(&conversation_path()).await.status, 401);
    }
    assert_eq!(server.emulator.faults().waiting(), 1);
}

#[tokio::test]
async fn a_throttle_has_the_code_and_message_of_its_limit() {
    let server = Server::start().await;
    for (limit, code, text) in [
        ("requests", "0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds."),
        (
            "executionTime",
            "0x80072321",
            "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds over time window of 300 seconds. \
             Decrease number of concurrent requests or reduce the duration of requests and try again later.",
        ),
        ("concurrency", "0x80072326", "Number of concurrent requests exceeded the limit of 52."),
    ] {
        let fault = json!({ "kind": "throttle", "limit": limit, "retryAfterInSeconds": 12 });
        server.emulator.faults().add(json!({ "fault": fault })).unwrap();
        let response = server.get(&conversation_path()).await;
        assert_eq!(response.error(), (429, code.to_owned(), text.to_owned()));
        assert_eq!(response.header("retry-after"), Some("12"));
    }
}

#[tokio::test]
async fn a_drop_closes_before_the_commit_by_default() {
    let server = with_fault(json!({ "kind": "drop" })).await;
    let before = server.conversation();
    assert_eq!(Wire::send(&server.emulator, Some(link())).await.until_closed().await, "");
    assert_eq!(server.conversation(), before);
    assert_eq!(log(&server), [(1, 0, Some("drop"))]);
}

#[tokio::test]
async fn a_drop_may_close_after_the_commit() {
    let server = with_fault(json!({ "kind": "drop", "commit": true })).await;
    assert_eq!(Wire::send(&server.emulator, Some(link())).await.until_closed().await, "");
    assert_eq!(server.conversation().1, linked("account", ACCOUNT));
    assert_eq!(log(&server), [(1, 0, Some("drop"))]);
}

#[tokio::test]
async fn a_hang_before_the_commit_lasts_until_it_is_released() {
    let server = with_fault(json!({ "kind": "hang" })).await;
    let faults = server.emulator.faults();
    let before = server.conversation();
    let mut hung = Wire::send(&server.emulator, Some(link())).await;
    faults.hanging(1).await;
    assert_eq!(server.conversation(), before);
    assert_eq!(log(&server), [(1, 0, Some("hang"))]);
    faults.release();
    assert!(hung.until("\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(server.conversation().1, linked("account", ACCOUNT));
    assert_eq!(log(&server), [(1, 200, Some("hang"))]);
}

#[tokio::test]
async fn a_hang_after_the_commit_ends_when_the_client_disconnects() {
    let server = with_fault(json!({ "kind": "hang", "commit": true })).await;
    let faults = server.emulator.faults();
    faults.conditions(json!({ "limits": { "concurrent": 1 } })).unwrap();
    let body = bind("msdyn_customer_msdyn_ocliveworkitem_contact", &format!("/contacts({CONTACT})"));
    let hung = Wire::send(&server.emulator, Some(body)).await;
    faults.hanging(1).await;
    assert_eq!(server.conversation().1, linked("contact", CONTACT));
    server.get(&conversation_path()).await.expect_error(429, "0x80072326", "exceeded the limit of 1.");
    // Then its place is free again.
    drop(hung);
    faults.hanging(0).await;
    server.emulator.clock().advance(std::time::Duration::from_secs(60));
    assert_eq!(server.get(&conversation_path()).await.status, 200);
}

#[tokio::test]
async fn a_reset_and_the_end_disconnect_requests_that_hang() {
    let server = with_fault(json!({ "kind": "hang" })).await;
    let before = server.conversation();
    let hung = Wire::send(&server.emulator, Some(link())).await;
    server.emulator.faults().hanging(1).await;
    server.emulator.reset();
    assert_eq!(hung.until_closed().await, "");
    assert_eq!(server.conversation(), before, "it was never executed");

    let server = with_fault(json!({ "kind": "hang" })).await;
    let hung = Wire::send(&server.emulator, None).await;
    server.emulator.faults().hanging(1).await;
    drop(server);
    assert_eq!(hung.until_closed().await, "");

    for kind in ["hang", "hangInBody", "endless"] {
        let server = with_fault(json!({ "kind": kind })).await;
        let mut hung = Wire::send(&server.emulator, None).await;
        if kind == "endless" {
            hung.until("subject").await;
        } else {
            server.emulator.faults().hanging(1).await;
        }
        let ((), rest) = tokio::join!(server.emulator.stop(), hung.until_closed());
        assert!(!rest.ends_with("0\r\n\r\n") && !rest.ends_with('}'), "{kind}: {rest}");
    }
}

#[tokio::test]
async fn a_hang_in_the_body_shows_its_first_half() {
    let server = with_fault(json!({ "kind": "hangInBody", "afterBytes": 5 })).await;
    let mut hung = Wire::send(&server.emulator, None).await;
    server.emulator.faults().hanging(1).await;
    let begun = hung.until("\r\n\r\n{\"@od").await;
    assert!(begun.starts_with("HTTP/1.1 200 ") && begun.ends_with("{\"@od"), "{begun}");
    server.emulator.faults().release();
    hung.until(&format!("\"activityid\":\"{CONVERSATION}\"}}")).await;
}

#[tokio::test]
async fn a_trickle_sends_many_chunks() {
    let server = with_fault(json!({ "kind": "trickle" })).await;
    let mut wire = Wire::send(&server.emulator, None).await;
    let reads = wire.reads_until(&format!("{CONVERSATION}\"}}")).await;
    assert!(reads > 100, "{reads}");
    server.emulator.faults().add(json!({ "fault": { "kind": "trickle", "bytesAtOnce": 40 } })).unwrap();
    assert_eq!(server.get(&conversation_path()).await.json()["subject"], "Visitor 17");
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_its_length() {
    let server = with_fault(json!({ "kind": "truncate", "afterBytes": 10 })).await;
    let text = Wire::send(&server.emulator, Some(link())).await.until_closed().await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    assert!(length.parse::<usize>().unwrap() > 100, "{head}");
    assert_eq!(body, "{\"@odata.c");
    assert_eq!(server.conversation().1, linked("account", ACCOUNT));

    // The last byte is never sent, whatever the limit.
    server.emulator.faults().add(json!({ "fault": { "kind": "truncate", "afterBytes": 1_000_000 } })).unwrap();
    let text = Wire::send(&server.emulator, None).await.until_closed().await;
    assert!(text.ends_with(&format!("{CONVERSATION}\"")), "{text}");

    // A 204 has no body to truncate.
    server.emulator.faults().add(json!({ "fault": { "kind": "truncate" } })).unwrap();
    let request = server.patch_or_error(&conversation_path(), link()).await;
    assert!(request.is_err());
}

#[tokio::test]
async fn an_endless_body_never_ends() {
    let server = with_fault(json!({ "kind": "endless" })).await;
    let mut response = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .get(format!("{}/api/data/v9.2/{}", server.emulator.url(), conversation_path()))
        .bearer_auth(server.emulator.credential())
        .send()
        .await
        .unwrap();
    let mut read = 0;
    while read < 8 * 1024 * 1024 {
        read += response.chunk().await.unwrap().unwrap().len();
    }
    drop(response);
    assert_eq!(server.get(&conversation_path()).await.status, 200);
}

#[tokio::test]
async fn a_wrong_content_type_changes_nothing_else() {
    let server = with_fault(json!({ "kind": "contentType", "contentType": "text/plain" })).await;
    let response = server.get(&conversation_path()).await;
    assert_eq!(response.headers.get_all("content-type").iter().collect::<Vec<_>>(), ["text/plain"]);
    assert_eq!(response.json()["subject"], "Visitor 17");
}

#[tokio::test]
async fn another_writer_may_write_before_the_request() {
    let server = Server::start().await;
    let etag = server.get(&conversation_path()).await.header("etag").unwrap().to_owned();
    let changes = json!({ "statuscode": 4, "msdyn_customer": null });
    let rule =
        json!({ "on": { "method": "PATCH" }, "fault": { "kind": "writer", "when": "before", "changes": changes } });
    server.emulator.faults().add(rule).unwrap();
    server.patch_with(&conversation_path(), &[("if-match", &etag)], link()).await.expect_error(412, "0x80060882", "");
    let row = server.get(&conversation_path()).await.json();
    assert_eq!(
        (&row["statecode"], &row["statuscode"], &row["_msdyn_customer_value"]),
        (&json!(1), &json!(4), &Value::Null)
    );
}

#[tokio::test]
async fn another_writer_may_write_before_the_response() {
    let server = Server::start().await;
    let other = json!({ "msdyn_customer": { "entityLogicalName": "contact", "recordId": CONTACT } });
    server.emulator.faults().add(json!({ "fault": { "kind": "writer", "when": "after", "changes": other } })).unwrap();
    server.emulator.with_organisation(|organisation| {
        organisation.write(table::CONVERSATION, id(CONVERSATION), Changes::new());
    });
    let (version, ..) = server.conversation();
    let response = server
        .patch_with(&conversation_path(), &[("if-match", "*"), ("prefer", "return=representation")], link())
        .await;
    assert_eq!(response.json()["_msdyn_customer_value"], CONTACT);
    assert_eq!(server.conversation().0, version + 2, "two writes");
    assert_eq!(response.header("etag"), Some(format!("W/\"{}\"", version + 2).as_str()));
}

#[tokio::test]
async fn another_writer_may_delete_the_row() {
    let server = with_fault(json!({ "kind": "writer", "when": "after", "delete": true })).await;
    assert_eq!(server.get(&conversation_path()).await.status, 200);
    assert_eq!(server.get(&conversation_path()).await.status, 404);
}

#[tokio::test]
async fn a_writer_may_write_before_every_second_patch() {
    let server = Server::start().await;
    let rule = json!({
        "on": { "method": "PATCH", "every": 2 }, "times": "always", "fault": { "kind": "writer", "when": "before" },
    });
    server.emulator.faults().add(rule).unwrap();
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let etag = server.get(&conversation_path()).await.header("etag").unwrap().to_owned();
        statuses.push(server.patch_with(&conversation_path(), &[("if-match", &etag)], link()).await.status.as_u16());
    }
    assert_eq!(statuses, [204, 412, 204, 412, 204, 412]);
}

#[tokio::test]
async fn not_stored_confirms_a_write_without_storing_it() {
    let server = with_fault(json!({ "kind": "notStored" })).await;
    let before = server.conversation();
    assert_eq!(server.get(&conversation_path()).await.status, 200, "a read is not concerned");
    let response = server
        .patch_with(&conversation_path(), &[("if-match", "*"), ("prefer", "return=representation")], link())
        .await;
    assert_eq!((response.status.as_u16(), response.text.as_str()), (204, ""));
    assert!(response.header("odata-entityid").unwrap().ends_with(&conversation_path()));
    assert_eq!(server.conversation(), before);
}

#[tokio::test]
async fn not_stored_does_not_confirm_an_invalid_write() {
    let server = with_fault(json!({ "kind": "notStored" })).await;
    let response = server.patch(&conversation_path(), bind(NAV_ACCOUNT, &format!("/accounts({MISSING})"))).await;
    response.expect_error(404, "0x80040217", MISSING);
}
