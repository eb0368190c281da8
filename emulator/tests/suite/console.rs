//! The console's page, its state and its writes. `__test__/console.test.mjs` uses it in a browser.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{ACCOUNT, CONTACT, CONVERSATION, INCIDENT, MISSING, Server, conversation_path, linked};

async fn write(server: &Server, body: Value) -> crate::client::TestResponse {
    server.send(Method::POST, "/_emulator/console.write", &[], Some(body.to_string())).await
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let server = Server::start().await;
    for (path, media) in
        [("/", "text/html"), ("/_emulator/console.js", "text/javascript"), ("/_emulator/console.css", "text/css")]
    {
        let file = server.get_with(path, &[("authorization", "none")]).await;
        assert!(file.status == 200 && file.header("content-type").unwrap().starts_with(media), "{path}");
        let policy = file.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!file.text.contains("http://") && !file.text.contains("https://"), "{path}");
    }
    assert!(server.emulator.requests().is_empty(), "the log has only requests to the Web API");
}

#[tokio::test]
async fn the_state_comes_when_something_changed() {
    let server = Server::start().await;
    let first = server.get("/_emulator/console/state").await.json();
    let conversation = &first["conversations"][0];
    assert_eq!(
        (&conversation["id"], &conversation["status"], &conversation["case"]),
        (&json!(CONVERSATION), &json!(2), &Value::Null)
    );
    assert_eq!(conversation["customer"], json!({ "table": "contact", "id": CONTACT, "name": "A. Tester" }));
    assert_eq!(first["records"].as_array().unwrap().len(), 3);
    let next = format!("/_emulator/console/state?after={}", first["revision"]);
    let path = conversation_path();
    let (next, changed) = tokio::join!(server.get(&next), server.patch(&path, json!({ "subject": "New" })));
    assert_eq!(changed.status, 204);
    assert!(next.json()["revision"].as_u64() > first["revision"].as_u64());
    let now = server.get("/_emulator/console/state").await.json();
    assert_eq!((&now["conversations"][0]["subject"], &now["requests"][0]["status"]), (&json!("New"), &json!(204)));
}

#[tokio::test]
async fn a_page_that_waits_does_not_keep_the_emulator_from_stopping() {
    let server = Server::start().await;
    let state = server.get("/_emulator/console/state").await.json();
    let url = format!("{}/_emulator/console/state?after={}", server.emulator.url(), state["revision"]);
    let waiting =
        reqwest::Client::builder().no_proxy().build().unwrap().get(url).bearer_auth(server.emulator.credential());
    let waiting = tokio::spawn(waiting.send());
    server.emulator.stop().await;
    drop(waiting.await);
}

#[tokio::test]
async fn conversations_are_linked_unlinked_and_moved() {
    let server = Server::start().await;
    assert_eq!(
        write(&server, json!({ "conversation": CONVERSATION, "link": { "table": "account", "id": ACCOUNT } }))
            .await
            .status,
        200
    );
    assert_eq!(
        write(&server, json!({ "conversation": CONVERSATION, "link": { "table": "incident", "id": INCIDENT } }))
            .await
            .status,
        200
    );
    assert_eq!(
        (server.conversation().1, server.conversation().2),
        (linked("account", ACCOUNT), linked("incident", INCIDENT))
    );
    assert_eq!(
        write(&server, json!({ "conversation": CONVERSATION, "unlink": "customer", "status": 4 })).await.status,
        200
    );
    let row = server.get(&conversation_path()).await.json();
    assert_eq!(
        (&row["_msdyn_customer_value"], &row["statecode"], &row["statuscode"]),
        (&Value::Null, &json!(1), &json!(4))
    );
    assert!(row["modifiedon"].is_string() && row["_modifiedby_value"].is_string(), "it is a write of a user: {row}");
    let before = server.conversation();
    for (body, problem) in [
        (json!({ "conversation": MISSING, "status": 1 }), "no conversation"),
        (json!({ "conversation": CONVERSATION, "status": 77 }), "no status 77"),
        (
            json!({ "conversation": CONVERSATION, "link": { "table": "lead", "id": ACCOUNT } }),
            "'lead' cannot be linked",
        ),
        (json!({ "conversation": CONVERSATION, "link": { "table": "account", "id": MISSING } }), "no account"),
        (json!({ "conversation": CONVERSATION, "unlink": "agent" }), "unknown variant `agent`"),
    ] {
        let response = write(&server, body).await;
        assert_eq!(response.status, 400);
        assert!(response.text.contains(problem), "{}", response.text);
    }
    assert_eq!(server.conversation(), before);
    assert!(server.emulator.requests().iter().all(|request| !request.path.contains("_emulator")));
}

#[tokio::test]
async fn other_origins_and_hosts_are_refused() {
    let server = Server::start().await;
    let own = server.emulator.url().to_owned();
    let other_scheme = own.replace("http:", "https:");
    for (headers, status) in [
        (vec![("origin", own.as_str())], 200),
        (vec![("origin", other_scheme.as_str())], 403),
        (vec![("origin", "http://\u{e9}.example")], 403),
        (vec![("origin", "http://evil.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("host", "evil.example")], 403),
        (vec![("host", "localhost:8080")], 200),
    ] {
        for path in ["/", "/_emulator/console/state", "/_emulator/requests"] {
            assert_eq!(server.get_with(path, &headers).await.status, status, "{path} {headers:?}");
        }
    }
    let preflight =
        server.send(Method::OPTIONS, "/_emulator/console.write", &[("origin", "http://evil.example")], None).await;
    assert_eq!((preflight.status.as_u16(), preflight.header("access-control-allow-origin")), (403, None));
    for path in ["/_emulator/console/state", "/_emulator/requests"] {
        assert_eq!(server.get_with(path, &[("authorization", "Bearer wrong")]).await.status, 401);
    }
}
