use omnichannel_link_emulator::{Emulator, Organisation};
use reqwest::Method;
use serde_json::json;

use crate::client::{ACCOUNT, CONVERSATION, MISSING, Server, conversation_path};

#[tokio::test]
async fn without_a_valid_token_there_is_an_empty_401_with_a_challenge() {
    let server = Server::start().await;
    let basic = format!("Basic {}", server.emulator.credential());
    for authorization in ["", "Bearer", "Bearer wrong", basic.as_str()] {
        for path in [conversation_path(), "/nowhere".to_owned(), "Accounts(1)".to_owned()] {
            let response = server.get_with(&path, &[("authorization", authorization)]).await;
            assert_eq!((response.status.as_u16(), response.text.as_str()), (401, ""), "{authorization} {path}");
            let url = server.emulator.url();
            let challenge = response.header("www-authenticate").unwrap();
            assert!(challenge.starts_with(&format!("Bearer authorization_uri={url}/")), "{challenge}");
            assert!(challenge.ends_with(&format!("/oauth2/authorize, resource_id={url}/")), "{challenge}");
        }
    }
    let lower_case_scheme = format!("bearer {}", server.emulator.credential());
    assert_eq!(server.get_with(&conversation_path(), &[("authorization", &lower_case_scheme)]).await.status, 200);
    assert_eq!(server.get_with("/_emulator/requests", &[("authorization", "Bearer wrong")]).await.status, 401);
}

#[tokio::test]
async fn responses_have_the_headers_of_the_service() {
    let server = Server::start().await;
    server.emulator.faults().conditions(json!({ "executionTimePerRequestInMs": 16 })).unwrap();
    let responses = [server.get(&conversation_path()).await, server.get(&format!("accounts({MISSING})")).await];
    for (response, (requests, seconds)) in responses.iter().zip([("5999", "1,199.98"), ("5998", "1,199.97")]) {
        assert_eq!(response.header("odata-version"), Some("4.0"));
        assert_eq!(response.header("content-type"), Some("application/json; odata.metadata=minimal"));
        assert_eq!(response.header("x-ms-ratelimit-time-remaining-xrm-requests"), Some(seconds));
        assert_eq!(response.header("x-ms-ratelimit-burst-remaining-xrm-requests"), Some(requests));
        assert_eq!(response.header("x-ms-dop-hint"), Some("48"));
        let request_id = response.header("req_id").unwrap();
        assert_eq!(request_id.len(), 36);
        let ids: Vec<_> = response.headers.get_all("x-ms-service-request-id").iter().collect();
        assert!(ids.len() == 2 && ids[1] == request_id, "{ids:?}");
        assert_eq!(response.header("crm.serviceid"), Some("framework"));
        assert_eq!(response.header("authactivityid").map(str::len), Some(36));
        assert_eq!(response.header("strict-transport-security"), None, "only over TLS");
        let cookies: Vec<_> =
            response.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
        for (cookie, name) in cookies.iter().zip(["ARRAffinity=", "ReqClientId=", "orgId="]) {
            assert!(cookie.starts_with(name) && cookie.ends_with("; path=/; HttpOnly"), "{cookie}");
        }
    }
}

#[tokio::test]
async fn keys_are_bare_guids_in_either_case() {
    let server = Server::start().await;
    let upper = format!("accounts({})", ACCOUNT.to_uppercase());
    assert_eq!(server.get(&upper).await.json()["accountid"], ACCOUNT);
    let simple = ACCOUNT.replace('-', "");
    for key in
        [&format!("{{{ACCOUNT}}}"), &format!("'{ACCOUNT}'"), "not-a-guid", "", &simple, &format!("%7B{ACCOUNT}%7D")]
    {
        server.get(&format!("accounts({key})")).await.expect_error(
            400,
            "0x80060888",
            "Bad Request - Error in query syntax.",
        );
    }
    server.get(&format!("accounts({ACCOUNT}")).await.expect_error(400, "0x80060888", "Error in query syntax");
    server.get(&format!("accounts(accountid={ACCOUNT})")).await.expect_not_emulated("GET /api/data/v9.2/accounts(");
}

#[tokio::test]
async fn set_names_are_case_sensitive() {
    let server = Server::start().await;
    for set in ["Accounts", "account", "msdyn_ocLiveWorkItems"] {
        let text = format!("Resource not found for the segment '{set}'.");
        server.get(&format!("{set}({ACCOUNT})")).await.expect_error(404, "0x8006088a", &text);
    }
}

#[tokio::test]
async fn the_three_versions_are_served_and_echoed() {
    let server = Server::start().await;
    for version in ["v9.0", "v9.1", "v9.2"] {
        let body = server.get(&format!("/api/data/{version}/accounts({ACCOUNT})")).await.json();
        assert!(body["@odata.context"].as_str().unwrap().contains(&format!("/{version}/$metadata#accounts")), "{body}");
    }
    server.get(&format!("/api/data/v8.2/accounts({ACCOUNT})")).await.expect_not_emulated("GET /api/data/v8.2/");
}

#[tokio::test]
async fn a_method_that_does_not_fit_the_url_is_a_404() {
    let server = Server::start().await;
    let row = format!("accounts({ACCOUNT})");
    for (method, path) in [(Method::POST, row.as_str()), (Method::PATCH, "accounts"), (Method::DELETE, "accounts")] {
        let response = server.send(method, path, &[], Some("{}".to_owned())).await;
        let uri = format!("{}/api/data/v9.2/{path}", server.emulator.url());
        response.expect_error(404, "", &format!("No HTTP resource was found that matches the request URI '{uri}'."));
    }
}

#[tokio::test]
async fn unsupported_requests_are_rejected_by_name() {
    let server = Server::start().await;
    let row = format!("accounts({ACCOUNT})");
    for (method, path) in [
        (Method::GET, "sharepointsites".to_owned()),
        (Method::POST, "GrantAccess".to_owned()),
        (Method::GET, "accounts?$expand=*".to_owned()),
        (Method::PUT, row.clone()),
        (Method::OPTIONS, row.clone()),
        (Method::GET, "WhoAmI?a=b".to_owned()),
        (Method::GET, "WhoAmI(x=1)".to_owned()),
        (Method::GET, format!("{row}?$Select=name")),
        (Method::GET, format!("{row}?$select=")),
        (Method::POST, format!("msdyn_ocliveworkitems({CONVERSATION})/msdyn_IssueId_msdyn_ocliveworkitem/$ref")),
        (Method::DELETE, format!("msdyn_ocliveworkitems({CONVERSATION})/msdyn_IssueId_msdyn_ocliveworkitem/$ref/x")),
        (Method::DELETE, "msdyn_ocliveworkitems/msdyn_IssueId_msdyn_ocliveworkitem/$ref".to_owned()),
        (Method::GET, "/elsewhere?a=b".to_owned()),
    ] {
        let response = server.send(method.clone(), &path, &[], None).await;
        let path = if path.starts_with('/') { path } else { format!("/api/data/v9.2/{path}") };
        response.expect_not_emulated(&format!("{method} {path}:"));
    }
    // A documented shared variable for plug-ins does not change the response.
    assert_eq!(server.get(&format!("{row}?tag=x")).await.status, 200);
}

#[tokio::test]
async fn unsupported_headers_are_rejected() {
    let server = Server::start().await;
    for path in ["accounts".to_owned(), conversation_path(), "WhoAmI".to_owned()] {
        for accept in ["application/json;odata.metadata=full", "text/html, application/json; OData.Metadata=\"none\""] {
            server.get_with(&path, &[("accept", accept)]).await.expect_not_emulated("odata.metadata=");
        }
        for accept in ["application/json", "*/*", "application/json; odata.metadata=minimal;q=0.9"] {
            assert_eq!(server.get_with(&path, &[("accept", accept)]).await.status, 200, "{accept}");
        }
    }
}

#[tokio::test]
async fn a_url_is_no_longer_than_documented() {
    let server = Server::start().await;
    let path = |length: usize| {
        let start = format!("/api/data/v9.2/accounts({ACCOUNT})?tag=");
        format!("{start}{}", "x".repeat(length - server.emulator.url().len() - start.len()))
    };
    assert_eq!(server.get(&path(32_768)).await.status, 200);
    server.get(&path(32_769)).await.expect_not_emulated("a URL of 32769 characters");
}

#[tokio::test]
async fn errors_have_details_if_all_annotations_are_requested() {
    let server = Server::start().await;
    let path = format!("accounts({MISSING})");
    let plain = server.get(&path).await.json();
    assert_eq!(plain["error"].as_object().unwrap().len(), 2, "{plain}");
    let detailed = server.get_with(&path, &[("prefer", "odata.include-annotations=\"*\"")]).await.json();
    assert_eq!(detailed["error"]["code"], "0x80040217");
    assert_eq!(detailed["error"]["@Microsoft.PowerApps.CDS.InnerError.Message"], plain["error"]["message"]);
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_413_and_changes_nothing() {
    let server = Server::start().await;
    let before = server.conversation();
    let title = "x".repeat(1024 * 1024);
    let response = server.patch(&conversation_path(), json!({ "msdyn_title": title })).await;
    response.expect_error(413, "0x8004418a", "");
    assert_eq!(server.conversation(), before);
}

#[tokio::test]
async fn the_log_shows_requests_without_credentials() {
    let server = Server::start().await;
    server.get_with("accounts(1)?tag=a", &[("prefer", "odata.maxpagesize=1"), ("prefer", "return=minimal")]).await;
    server.patch_with(&format!("accounts({MISSING})"), &[], json!({ "name": "New" })).await;
    let over_http = server.get("/_emulator/requests").await;

    let log = server.emulator.requests();
    let brief: Vec<_> =
        log.iter().map(|r| (r.number, r.method.as_str(), r.path.as_str(), r.body.as_str(), r.status)).collect();
    let patched = format!("/api/data/v9.2/accounts({MISSING})");
    assert_eq!(
        brief,
        [
            (1, "GET", "/api/data/v9.2/accounts(1)?tag=a", "", 400),
            (2, "PATCH", patched.as_str(), "{\"name\":\"New\"}", 204),
        ]
    );
    assert_eq!(log[0].header("prefer"), Some("odata.maxpagesize=1"));
    assert!(log[0].warnings.is_empty());
    assert!(log[1].warnings[0].contains("created"), "{:?}", log[1].warnings);

    assert!(!over_http.text.contains(server.emulator.credential()));
    let over_http = over_http.json();
    assert_eq!(over_http.as_array().unwrap().len(), 2, "the control path is not in the log");
    assert_eq!(over_http[0]["headers"]["prefer"], "odata.maxpagesize=1, return=minimal");
    assert_eq!(over_http[0]["headers"].get("authorization"), None);
    assert_eq!(over_http[1]["status"], 204);
}

#[tokio::test]
async fn emulators_share_nothing_and_a_stopped_one_frees_its_port() {
    let (one, two) = (Server::start().await, Server::start().await);
    let authorization = format!("Bearer {}", two.emulator.credential());
    assert_eq!(one.get_with(&conversation_path(), &[("authorization", &authorization)]).await.status, 401);
    assert!(two.emulator.requests().is_empty());

    let port: u16 = one.emulator.url().rsplit(':').next().unwrap().parse().unwrap();
    assert!(Emulator::start(Organisation::new(), port).await.is_err());
    // `one` has an idle connection in its client's pool.
    one.emulator.stop().await;
    assert!(Emulator::start(Organisation::new(), port).await.is_ok());
}
