//! Webhooks: which changes they are told of, and what they are sent.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, http::HeaderMap, http::StatusCode, routing::post};
use serde_json::{Value, json};

use crate::client::{
    ACCOUNT, CONTACT, CONVERSATION, MISSING, NAV_ACCOUNT, NAV_CONTACT, Server, bind, conversation_path,
};

type Received = Arc<Mutex<Vec<(HeaderMap, Value)>>>;

/// A receiver that answers with this status.
async fn receiver(status: u16) -> (String, Received) {
    let received = Received::default();
    let kept = Arc::clone(&received);
    let receive = move |headers: HeaderMap, body: Bytes| async move {
        kept.lock().unwrap().push((headers, serde_json::from_slice(&body).unwrap()));
        StatusCode::from_u16(status).unwrap()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?code=x", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", post(receive))).await });
    (url, received)
}

/// The value of an attribute of an entity.
fn attribute(entity: &Value, name: &str) -> Value {
    let found = entity["Attributes"].as_array().unwrap().iter().find(|attribute| attribute["key"] == name);
    found.map_or(json!("absent"), |attribute| attribute["value"].clone())
}

#[tokio::test]
async fn a_link_is_told_with_its_images() {
    let server = Server::start().await;
    let (url, received) = receiver(200).await;
    let webhook = json!({
        "url": url, "table": "msdyn_ocliveworkitem", "attributes": ["msdyn_customer", "msdyn_issueid"], "headers": { "X-Key": "secret" },
    });
    server.emulator.webhooks().set(json!([webhook])).unwrap();
    assert_eq!(server.patch(&conversation_path(), json!({ "subject": "Other column" })).await.status, 204);
    assert_eq!(
        server.patch(&conversation_path(), bind(NAV_ACCOUNT, &format!("/accounts({ACCOUNT})"))).await.status,
        204
    );
    assert_eq!(server.patch(&conversation_path(), json!({ NAV_ACCOUNT: null })).await.status, 204);
    let deliveries = server.emulator.webhooks().deliveries().await;
    assert_eq!(deliveries.as_array().unwrap().iter().map(|one| one["status"].clone()).collect::<Vec<_>>(), [200, 200]);

    let received = received.lock().unwrap();
    let (headers, context) = &received[0];
    for (name, value) in [
        ("x-ms-dynamics-organization", "emulator"),
        ("x-ms-dynamics-entity-name", "msdyn_ocliveworkitem"),
        ("x-ms-dynamics-request-name", "Update"),
        ("x-key", "secret"),
        ("x-ms-correlation-request-id", context["CorrelationId"].as_str().unwrap()),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert_eq!((&context["MessageName"], &context["PrimaryEntityId"]), (&json!("Update"), &json!(CONVERSATION)));
    let to = |context: &Value, of: &str| attribute(&context[of][0]["value"], "msdyn_customer");
    let account = to(context, "InputParameters");
    assert!(account["__type"].as_str().unwrap().starts_with("EntityReference:"), "{account}");
    assert_eq!(
        (&account["Id"], &account["LogicalName"], &account["Name"]),
        (&json!(ACCOUNT), &json!("account"), &json!("Fabrikam Coffee"))
    );
    assert_eq!(
        (to(context, "PreEntityImages")["Id"].clone(), to(context, "PostEntityImages")["Id"].clone()),
        (json!(CONTACT), json!(ACCOUNT))
    );
    assert_eq!(to(&received[1].1, "InputParameters"), Value::Null, "a cleared lookup");
    let status = attribute(&context["PostEntityImages"][0]["value"], "statuscode");
    assert_eq!(status["Value"], 2);
}

#[tokio::test]
async fn creates_and_deletes_are_told_once_per_transaction() {
    let server = Server::start().await;
    let (url, received) = receiver(204).await;
    server.emulator.webhooks().set(json!([{ "url": url, "messages": ["Create", "Delete"] }])).unwrap();
    let body = json!({ "accountid": MISSING, "name": "New", "revenue": 5, "contact_customer_accounts": [{ "lastname": "L" }] });
    assert_eq!(server.post("accounts", &[], body).await.status, 204);
    let broken = json!({ "name": "x", "contact_customer_accounts": [{ "nope": 1 }] });
    assert_eq!(server.post("accounts", &[], broken).await.status, 400);
    assert_eq!(
        server.patch(&conversation_path(), bind(NAV_CONTACT, &format!("/contacts({CONTACT})"))).await.status,
        204
    );
    assert_eq!(server.delete(&format!("accounts({MISSING})"), &[]).await.status, 204);
    server.emulator.webhooks().deliveries().await;
    let received = received.lock().unwrap();
    let told: Vec<_> = received
        .iter()
        .map(|(_, context)| format!("{} {}", context["MessageName"], context["PrimaryEntityName"]).replace('"', ""))
        .collect();
    assert_eq!(told, ["Create account", "Create contact", "Delete account", "Delete contact"]);
    let created = &received[0].1["InputParameters"][0]["value"];
    assert!(attribute(created, "revenue")["__type"].as_str().unwrap().starts_with("Money:"));
    assert!(attribute(created, "createdon").as_str().unwrap().starts_with("/Date("));
    assert_eq!(received[2].1["InputParameters"][0]["value"]["Id"], MISSING);
}

#[tokio::test]
async fn large_contexts_lose_their_images() {
    let server = Server::start().await;
    let (url, received) = receiver(200).await;
    server.emulator.webhooks().set(json!([{ "url": url, "table": "annotation" }])).unwrap();
    let document = "x".repeat(300_000);
    assert_eq!(
        server.post("annotations", &[], json!({ "subject": "Large", "documentbody": document })).await.status,
        204
    );
    server.emulator.webhooks().deliveries().await;
    let received = received.lock().unwrap();
    assert_eq!(received[0].0["x-ms-dynamics-msg-size-exceeded"], "true");
    assert_eq!((&received[0].1["InputParameters"], &received[0].1["MessageName"]), (&json!([]), &json!("Create")));
}

#[tokio::test]
async fn a_receiver_that_fails_delays_nothing_and_is_reported() {
    let server = Server::start().await;
    let (url, _received) = receiver(500).await;
    server.emulator.webhooks().set(json!([{ "url": "http://127.0.0.1:9/" }, { "url": url }])).unwrap();
    assert_eq!(server.patch(&conversation_path(), json!({ "subject": "x" })).await.status, 204);
    let deliveries = server.emulator.webhooks().deliveries().await;
    assert_eq!((&deliveries[0]["status"], deliveries[0]["error"].is_string()), (&json!(0), true));
    assert_eq!((&deliveries[1]["status"], &deliveries[1]["error"]), (&json!(500), &Value::Null));
    server.emulator.reset();
    assert_eq!(server.patch(&conversation_path(), json!({ "subject": "y" })).await.status, 204);
    assert_eq!(server.emulator.webhooks().deliveries().await.as_array().unwrap().len(), 2, "a reset removes webhooks");
}

#[tokio::test]
async fn impossible_webhooks_are_rejected_by_name() {
    let server = Server::start().await;
    for (webhook, problem) in [
        (json!({ "url": "https://127.0.0.1/" }), "is not an http URL"),
        (json!({ "url": "x" }), "is not an http URL"),
        (json!({ "url": "http://a/", "table": "nope" }), "no table 'nope'"),
        (json!({ "url": "http://a/", "attributes": ["name"] }), "needs a `table`"),
        (json!({ "url": "http://a/", "table": "account", "attributes": ["nope"] }), "account has no column 'nope'"),
        (json!({ "url": "http://a/", "messages": ["Merge"] }), "unknown variant `Merge`"),
        (json!({ "url": "http://a/", "headers": { "a b": "c" } }), "'a b' is not a header"),
    ] {
        let error = server.emulator.webhooks().set(json!([webhook])).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}
