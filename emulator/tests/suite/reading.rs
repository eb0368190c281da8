//! Conditions of a GET with related rows, single columns of all types, and references of sets.

use serde_json::{Value, json};

use crate::client::{ACCOUNT, CONTACT, MISSING, NAV_ACCOUNT, NAV_CONTACT, Server, bind, conversation_path};

#[tokio::test]
async fn there_is_no_304_with_an_expanded_row() {
    let server = Server::start().await;
    let etag = server.get(&conversation_path()).await.header("etag").unwrap().to_owned();
    let unchanged = [("if-none-match", etag.as_str())];
    let path = format!("{}?$select=subject", conversation_path());
    assert_eq!(server.get_with(&path, &unchanged).await.status, 304);
    let expanded = server.get_with(&format!("{path}&$expand={NAV_CONTACT}($select=fullname)"), &unchanged).await;
    assert_eq!((expanded.status.as_u16(), &expanded.json()[NAV_CONTACT]["contactid"]), (200, &json!(CONTACT)));
}

#[tokio::test]
async fn expand_is_ignored_for_a_representation() {
    let server = Server::start().await;
    let headers = [("if-match", "*"), ("prefer", "return=representation")];
    let path = format!("{}?$select=subject&$expand={NAV_ACCOUNT}($select=name)", conversation_path());
    let changed = server.patch_with(&path, &headers, bind(NAV_ACCOUNT, &format!("/accounts({ACCOUNT})"))).await;
    let row = changed.json();
    assert_eq!((changed.status.as_u16(), &row["subject"], row.get(NAV_ACCOUNT)), (200, &json!("Visitor 17"), None));
}

#[tokio::test]
async fn a_single_column_is_read_with_its_type_or_as_text() {
    let server = Server::start().await;
    let body = json!({
        "numberofemployees": 7, "creditlimit": 1.5, "donotemail": true, "industrycode": 1,
        "primarycontactid@odata.bind": format!("/contacts({CONTACT})"),
    });
    assert_eq!(server.patch(&format!("accounts({ACCOUNT})"), body).await.status, 204);
    for (column, value, text) in [
        ("name", json!("Fabrikam Coffee"), "Fabrikam Coffee"),
        ("numberofemployees", json!(7), "7"),
        ("creditlimit", json!(1.5), "1.5"),
        ("donotemail", json!(true), "true"),
        ("industrycode", json!(1), "1"),
        ("_primarycontactid_value", json!(CONTACT), CONTACT),
        ("accountid", json!(ACCOUNT), ACCOUNT),
    ] {
        let path = format!("accounts({ACCOUNT})/{column}");
        let read = server.get(&path).await.json();
        assert_eq!(read["value"], value, "{column}");
        let context = read["@odata.context"].as_str().unwrap();
        assert!(context.ends_with(&format!("$metadata#accounts({ACCOUNT})/{column}")), "{context}");
        assert_eq!(server.get(&format!("{path}/$value")).await.text, text, "{column}");
    }
    for path in [format!("accounts({ACCOUNT})/telephone1"), format!("accounts({ACCOUNT})/telephone1/$value")] {
        assert_eq!(server.get(&path).await.status, 204, "an empty column has no content");
    }
    server.get(&format!("accounts({ACCOUNT})/Name")).await.expect_error(404, "0x8006088a", "'Name'");
    server.get(&format!("accounts({MISSING})/name")).await.expect_error(404, "0x80040217", MISSING);
}

#[tokio::test]
async fn a_set_has_references_and_a_count() {
    let server = Server::start().await;
    let references = server.get("accounts/$ref").await.json();
    let url = server.emulator.url();
    assert_eq!(references["@odata.context"], format!("{url}/api/data/v9.2/$metadata#Collection($ref)"));
    assert_eq!(references["value"], json!([{ "@odata.id": format!("{url}/api/data/v9.2/accounts({ACCOUNT})") }]));
    let count = server.get("accounts/$count").await;
    assert_eq!((count.text.as_str(), count.header("content-type")), ("1", Some("text/plain")));
    assert_eq!(server.get("accounts/$count?$filter=name eq 'x'").await.text, "0");
    let rows = server.get("accounts?$count=true&$filter=name eq 'x'").await.json();
    assert_eq!((&rows["@odata.count"], &rows["value"]), (&json!(0), &Value::Array(Vec::new())));
}
