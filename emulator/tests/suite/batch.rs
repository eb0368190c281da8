//! `$batch`: order, change sets, references and failures.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{ACCOUNT, CONTACT, CONVERSATION, MISSING, Server, TestResponse};

/// A part with one request. Lines end with LF until [`send`] changes them.
fn part(request: &str, headers: &[&str], body: Option<Value>) -> String {
    let headers = headers.iter().map(|header| format!("{header}\n")).collect::<Vec<_>>().concat();
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    format!(
        "Content-Type: application/http\nContent-Transfer-Encoding: binary\n\n{request} HTTP/1.1\n\
         Content-Type: application/json\n{headers}\n{body}\n"
    )
}

fn with_id(id: &str, part: &str) -> String {
    format!("Content-ID: {id}\n{part}")
}

fn change_set(parts: &[String]) -> String {
    let parts = parts.iter().map(|part| format!("--changeset_1\n{part}")).collect::<Vec<_>>().concat();
    format!("Content-Type: multipart/mixed; boundary=\"changeset_1\"\n\n{parts}--changeset_1--\n")
}

async fn send_lines(server: &Server, end: &str, headers: &[(&str, &str)], parts: &[String]) -> TestResponse {
    let parts = parts.iter().map(|part| format!("--batch_1\n{part}")).collect::<Vec<_>>().concat();
    let body = format!("{parts}--batch_1--\n").replace('\n', end);
    let all = [&[("content-type", "multipart/mixed; boundary=\"batch_1\"")], headers].concat();
    server.send(Method::POST, "$batch", &all, Some(body)).await
}

async fn send(server: &Server, headers: &[(&str, &str)], parts: &[String]) -> TestResponse {
    send_lines(server, "\r\n", headers, parts).await
}

/// The status lines of the responses, in order.
fn statuses(response: &TestResponse) -> Vec<u16> {
    let lines = response.text.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    lines.map(|line| line[..3].parse().unwrap()).collect()
}

const CONTINUE: [(&str, &str); 1] = [("prefer", "odata.continue-on-error")];

#[tokio::test]
async fn requests_run_in_order_and_are_answered_in_order() {
    let server = Server::start().await;
    let url = server.emulator.url();
    let parts = [
        part(&format!("PATCH /api/data/v9.2/accounts({ACCOUNT})"), &["If-Match: *"], Some(json!({ "name": "New" }))),
        part(&format!("GET {url}/api/data/v9.2/accounts({ACCOUNT})?$select=name"), &[], None),
        part("GET accounts?$select=name&$filter=name eq 'New'", &["Prefer: odata.include-annotations=\"*\""], None),
    ];
    let response = send(&server, &[], &parts).await;
    assert_eq!((response.status.as_u16(), statuses(&response)), (200, vec![204, 200, 200]));
    let boundary = response.header("content-type").unwrap().strip_prefix("multipart/mixed; boundary=").unwrap();
    assert!(response.text.starts_with(&format!("--{boundary}\r\n")) && boundary.starts_with("batchresponse_"));
    assert!(response.text.ends_with(&format!("--{boundary}--\r\n")));
    let entity = format!("OData-EntityId: {url}/api/data/v9.2/accounts({ACCOUNT})\r\n");
    assert!(response.text.contains(&entity) && response.text.contains(&entity.replace("OData-EntityId", "Location")));
    assert_eq!(response.text.matches("\"name\":\"New\"").count(), 2, "{}", response.text);
    assert!(response.text.contains("Preference-Applied: odata.include-annotations=\"*\"\r\n"));
}

#[tokio::test]
async fn it_stops_at_the_first_failure_unless_it_continues() {
    let server = Server::start().await;
    let missing = part(&format!("GET /api/data/v9.2/accounts({MISSING})"), &[], None);
    let found = part(&format!("GET /api/data/v9.2/accounts({ACCOUNT})"), &[], None);
    let parts = [found.clone(), missing, found];
    let stopped = send(&server, &[], &parts).await;
    assert_eq!((stopped.status.as_u16(), statuses(&stopped)), (404, vec![200, 404]));
    assert!(stopped.text.contains("\"code\":\"0x80040217\"") && stopped.text.contains("REQ_ID: "));
    let continued = send(&server, &CONTINUE, &parts).await;
    assert_eq!((continued.status.as_u16(), statuses(&continued)), (200, vec![200, 404, 200]));
}

#[tokio::test]
async fn a_change_set_refers_to_its_own_rows() {
    let server = Server::start().await;
    let members = [
        with_id("1", &part("POST /api/data/v9.2/accounts", &[], Some(json!({ "name": "A" })))),
        with_id(
            "2",
            &part("POST contacts", &[], Some(json!({ "lastname": "C", "parentcustomerid_account@odata.bind": "$1" }))),
        ),
        with_id("3", &part("PATCH $1", &[], Some(json!({ "primarycontactid@odata.bind": "/$2", "telephone1": "$1" })))),
        with_id(
            "4",
            &part(
                "POST $1/contact_customer_accounts/$ref",
                &[],
                Some(json!({ "@odata.id": format!("contacts({CONTACT})") })),
            ),
        ),
    ];
    let response = send(&server, &[], &[change_set(&members)]).await;
    assert_eq!((response.status.as_u16(), statuses(&response)), (200, vec![204; 4]), "{}", response.text);
    let inner = response.text.split("Content-Type: multipart/mixed; boundary=").nth(1).unwrap();
    let (boundary, rest) = inner.split_once("\r\n").unwrap();
    assert!(rest.starts_with(&format!("\r\n--{boundary}\r\n")), "one header line, then an empty one");
    let ids: Vec<_> = response.text.lines().filter_map(|line| line.strip_prefix("Content-ID: ")).collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
    let path = "accounts?$select=telephone1&$filter=name eq 'A'&$expand=primarycontactid($select=fullname),contact_customer_accounts($select=fullname)";
    let row = server.get(path).await.json()["value"][0].clone();
    assert_eq!((&row["primarycontactid"]["fullname"], &row["telephone1"]), (&json!("C"), &json!("$1")), "{row}");
    assert_eq!(row["contact_customer_accounts"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_failed_change_set_changes_nothing_and_is_one_part() {
    let server = Server::start().await;
    let before = server.conversation();
    let stale = part(&format!("PATCH msdyn_ocliveworkitems({CONVERSATION})"), &["If-Match: W/\"1\""], Some(json!({})));
    let members = [
        with_id("1", &part(&format!("DELETE contacts({CONTACT})"), &[], None)),
        with_id("2", &part("POST accounts", &[], Some(json!({ "name": "Never" })))),
        with_id("3", &stale),
    ];
    let after = part(&format!("GET contacts({CONTACT})?$select=fullname"), &[], None);
    let response = send(&server, &CONTINUE, &[change_set(&members), after]).await;
    assert_eq!((response.status.as_u16(), statuses(&response)), (200, vec![412, 200]), "{}", response.text);
    assert!(!response.text.contains("changesetresponse"));
    assert_eq!(server.conversation(), before, "not even its version");
    assert_eq!(server.get("accounts?$filter=name eq 'Never'").await.json()["value"], json!([]));
    let stopped = send(&server, &[], &[change_set(&members)]).await;
    assert_eq!(stopped.status, 412);
}

#[tokio::test]
async fn what_a_change_set_cannot_contain_is_rejected() {
    let server = Server::start().await;
    let get = with_id("1", &part("GET accounts", &[], None));
    let nested = part("POST /api/data/v9.2/$batch", &[], None);
    let unknown = with_id("1", &part("PATCH $7", &[], Some(json!({}))));
    send(&server, &[], &[change_set(&[get])]).await.expect_error(400, "0x80048d19", "cannot contain a GET");
    let response = send(&server, &[], &[nested]).await;
    assert_eq!((response.status.as_u16(), statuses(&response)), (400, vec![400]));
    let response = send(&server, &[], &[change_set(&[unknown])]).await;
    assert!(
        response.text.contains("Content-ID Reference: '$7' does not exist in the batch context."),
        "{}",
        response.text
    );
}

#[tokio::test]
async fn lines_may_end_with_lf_unless_configured_otherwise() {
    let server = Server::start().await;
    let parts = [part(&format!("GET accounts({ACCOUNT})?$select=name"), &[], None)];
    assert_eq!(statuses(&send_lines(&server, "\n", &[], &parts).await), [200]);
    server.emulator.faults().conditions(json!({ "batchNeedsCrlf": true })).unwrap();
    assert_eq!(statuses(&send(&server, &[], &parts).await), [200]);
    send_lines(&server, "\n", &[], &parts).await.expect_error(400, "0x80048d19", "CRLF");
}

#[tokio::test]
async fn odd_forms_of_clients_are_accepted() {
    let server = Server::start().await;
    let body = format!(
        "\r\n--b\r\ncontent-type:application/http\r\ncontent-transfer-encoding:binary\r\ncontent-id:100001\r\n\r\n\
         GET accounts({ACCOUNT})?$select=name HTTP/1.1\r\nContent-Type: application/json;type=entry\r\n\r\nundefined\r\n\r\n\
         --b\nContent-Type: application/http\n\n\n\nPOST contacts HTTP/1.1\nContent-Type: application/json\n\n\n\n{{\"lastname\":\"B\"}}\n--b--\n "
    );
    let headers = [("content-type", "multipart/mixed;boundary=b"), ("if-none-match", "null")];
    let response = server.send(Method::POST, "$batch", &headers, Some(body)).await;
    assert_eq!((response.status.as_u16(), statuses(&response)), (200, vec![200, 204]), "{}", response.text);
}

#[tokio::test]
async fn unreadable_batches_are_rejected() {
    let server = Server::start().await;
    let multipart = "multipart/mixed; boundary=b";
    for (media, body) in [
        ("application/json", "--b\r\n--b--"),
        ("multipart/mixed", "--b\r\n--b--"),
        (multipart, ""),
        (multipart, "--b\r\nContent-Type: application/http\r\n\r\nGET accounts HTTP/1.1\r\n"),
        (multipart, "--b\r\nContent-Type: text/plain\r\n\r\nGET accounts HTTP/1.1\r\n--b--"),
        (multipart, "--b\r\nContent-Type: application/http\r\n\r\nGET accounts\r\n--b--"),
        (multipart, "--b\r\nContent-Type: application/http\r\n\r\nGET accounts HTTP/1.1\r\nno header\r\n--b--"),
    ] {
        let response = server.send(Method::POST, "$batch", &[("content-type", media)], Some(body.to_owned())).await;
        response.expect_error(400, "0x80048d19", "");
    }
}

#[tokio::test]
async fn a_batch_has_at_most_a_thousand_requests_which_count_for_the_limits() {
    let server = Server::start().await;
    let one = part(&format!("GET accounts({ACCOUNT})?$select=name"), &[], None);
    assert_eq!(statuses(&send(&server, &[], &vec![one.clone(); 1000]).await).len(), 1000);
    send(&server, &[], &vec![one.clone(); 1001]).await.expect_error(400, "0x80048d19", "too many parts");
    server.emulator.faults().conditions(json!({ "limits": { "requests": 3 } })).unwrap();
    let response = send(&server, &CONTINUE, &vec![one; 4]).await;
    assert_eq!(statuses(&response), [200, 200, 429, 429], "{}", response.text);
    assert!(response.text.contains("Retry-After: "));
}

#[tokio::test]
async fn a_url_in_a_batch_may_be_twice_as_long() {
    let server = Server::start().await;
    let request = |length: usize| {
        let start = format!("/api/data/v9.2/accounts({ACCOUNT})?$select=name&tag=");
        let rest = length - server.emulator.url().len() - start.len();
        [part(&format!("GET {start}{}", "x".repeat(rest)), &[], None)]
    };
    assert_eq!(statuses(&send(&server, &[], &request(65_536)).await), [200]);
    assert_eq!(statuses(&send(&server, &[], &request(65_537)).await), [501]);
}
