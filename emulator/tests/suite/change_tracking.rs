//! `Prefer: odata.track-changes` and delta links.

use serde_json::{Value, json};

use crate::client::{ACCOUNT, MISSING, Server, TestResponse, conversation_path};

const TRACK: [(&str, &str); 1] = [("prefer", "odata.track-changes")];

/// The path of the link to later changes.
fn link(server: &Server, response: &TestResponse) -> String {
    let body = response.json();
    let link = body["@odata.deltaLink"].as_str().unwrap_or_else(|| panic!("{body}"));
    link.strip_prefix(server.emulator.url()).unwrap().to_owned()
}

fn rows(response: &TestResponse) -> Vec<Value> {
    response.json()["value"].as_array().unwrap_or_else(|| panic!("{}", response.text)).clone()
}

#[tokio::test]
async fn a_delta_link_leads_to_what_changed_since() {
    let server = Server::start().await;
    let first = server.get_with("accounts?$select=name", &TRACK).await;
    assert_eq!((first.header("preference-applied"), rows(&first).len()), (Some("odata.track-changes"), 1));
    let nothing = server.get_with(&link(&server, &first), &TRACK).await;
    assert_eq!(rows(&nothing), Vec::<Value>::new());
    let context = nothing.json()["@odata.context"].as_str().unwrap().to_owned();
    assert!(context.ends_with("$metadata#accounts(name)/$delta"), "{context}");

    assert_eq!(server.post("accounts", &[], json!({ "accountid": MISSING, "name": "New" })).await.status, 204);
    assert_eq!(server.post("contacts", &[], json!({ "lastname": "Other table" })).await.status, 204);
    let created = server.get(&link(&server, &nothing)).await;
    assert_eq!(rows(&created).iter().map(|row| row["name"].clone()).collect::<Vec<_>>(), ["New"]);

    assert_eq!(server.patch(&format!("accounts({ACCOUNT})"), json!({ "name": "Changed" })).await.status, 204);
    assert_eq!(server.delete(&format!("accounts({MISSING})"), &[]).await.status, 204);
    let changed = rows(&server.get(&link(&server, &created)).await);
    assert_eq!((changed.len(), &changed[0]["name"]), (2, &json!("Changed")));
    assert_eq!((&changed[1]["id"], &changed[1]["reason"]), (&json!(MISSING), &json!("deleted")));
    assert!(changed[1]["@odata.context"].as_str().unwrap().ends_with("#accounts/$deletedEntity"));
    assert_eq!(rows(&server.get(&link(&server, &first)).await).len(), 2, "from the first link, too");
}

#[tokio::test]
async fn a_failed_write_is_no_change() {
    let server = Server::start().await;
    let first = server.get_with("accounts", &TRACK).await;
    let broken = json!({ "name": "x", "contact_customer_accounts": [{ "nope": 1 }] });
    assert_eq!(server.post("accounts", &[], broken).await.status, 400);
    assert_eq!(rows(&server.get(&link(&server, &first)).await), Vec::<Value>::new());
}

#[tokio::test]
async fn a_token_expires_after_seven_days() {
    let server = Server::start().await;
    server.emulator.faults().conditions(json!({ "dateInMs": 1_790_000_000_000_u64 })).unwrap();
    let path = link(&server, &server.get_with("accounts", &TRACK).await);
    server.advance(7 * 86_400_000);
    assert_eq!(server.get(&path).await.status, 200);
    server.advance(1);
    server.get(&path).await.expect_error(400, "0x80044352", "has expired");
    server.get("accounts?$deltatoken=x").await.expect_not_emulated("has not issued");
}

#[tokio::test]
async fn other_options_and_tables_are_refused() {
    let server = Server::start().await;
    for (query, option) in [
        ("$filter=name eq 'x'", "$filter"),
        ("$orderby=name", "$orderby"),
        ("$expand=primarycontactid", "$expand"),
        ("$top=1", "$top"),
    ] {
        let response = server.get_with(&format!("accounts?{query}"), &TRACK).await;
        response.expect_error(400, "0x80060888", &format!("\"{option}\""));
    }
    server.get_with("tasks", &TRACK).await.expect_error(400, "0x80044353", "task");
    server.emulator.faults().conditions(json!({ "changeTracking": ["msdyn_ocliveworkitem"] })).unwrap();
    let first = server.get_with("msdyn_ocliveworkitems?$select=subject", &TRACK).await;
    assert_eq!(server.patch(&conversation_path(), json!({})).await.status, 204);
    assert_eq!(rows(&server.get(&link(&server, &first)).await).len(), 1);
    let definition = server.get("EntityDefinitions?$select=LogicalName&$filter=ChangeTrackingEnabled eq true").await;
    assert_eq!(rows(&definition)[0]["LogicalName"], "msdyn_ocliveworkitem");
}
