//! References: PUT and DELETE of `<row>/<navigation property>/$ref`, and two values for one lookup.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{
    ACCOUNT, CONTACT, INCIDENT, MISSING, NAV_ACCOUNT, NAV_CASE, NAV_CONTACT, Server, TestResponse, bind,
    conversation_path, linked,
};

async fn put(server: &Server, navigation: &str, headers: &[(&str, &str)], body: Value) -> TestResponse {
    let headers = [&[("content-type", "application/json")], headers].concat();
    let path = format!("{}/{navigation}/$ref", conversation_path());
    server.send(Method::PUT, &path, &headers, Some(body.to_string())).await
}

async fn delete(server: &Server, navigation: &str, headers: &[(&str, &str)]) -> TestResponse {
    server.send(Method::DELETE, &format!("{}/{navigation}/$ref", conversation_path()), headers, None).await
}

fn to(server: &Server, row: &str) -> Value {
    json!({ "@odata.id": format!("{}/api/data/v9.2/{row}", server.emulator.url()) })
}

#[tokio::test]
async fn a_reference_is_put_and_deleted() {
    let server = Server::start().await;
    let response = put(&server, NAV_CASE, &[], to(&server, &format!("incidents({INCIDENT})"))).await;
    assert_eq!((response.status.as_u16(), response.text.as_str(), response.header("odata-entityid")), (204, "", None));
    let (version, ..) = server.conversation();
    put(&server, NAV_ACCOUNT, &[], json!({ "@odata.id": format!("accounts({ACCOUNT})") })).await;
    assert_eq!(server.conversation(), (version + 1, linked("account", ACCOUNT), linked("incident", INCIDENT)));

    assert_eq!(delete(&server, NAV_CASE, &[]).await.status, 204);
    assert_eq!(delete(&server, NAV_CASE, &[]).await.status, 204, "empty already");
    assert_eq!(server.conversation(), (version + 3, linked("account", ACCOUNT), None));

    assert_eq!(delete(&server, NAV_CONTACT, &[]).await.status, 204, "whatever the lookup holds");
    assert_eq!(server.conversation().1, None);
    assert!(server.emulator.requests().last().unwrap().warnings[0].contains("cleared a link to account"));
}

#[tokio::test]
async fn an_invalid_reference_changes_nothing() {
    let server = Server::start().await;
    let before = server.conversation();
    let missing = to(&server, &format!("accounts({MISSING})"));
    put(&server, NAV_ACCOUNT, &[], missing).await.expect_error(404, "0x80040217", "Entity 'account' With Id");
    let contact = to(&server, &format!("contacts({CONTACT})"));
    put(&server, NAV_ACCOUNT, &[], contact.clone()).await.expect_error(400, "0x80048d19", "does not lead to the type");
    for body in [json!({}), json!({ "@odata.id": 7 }), json!([])] {
        put(&server, NAV_ACCOUNT, &[], body).await.expect_error(400, "0x80048d19", "Stream was not readable.");
    }
    for name in [NAV_CASE.to_lowercase(), "msdyn_customer".to_owned()] {
        let text = format!("Resource not found for the segment '{name}'.");
        put(&server, &name, &[], contact.clone()).await.expect_error(404, "0x8006088a", &text);
        delete(&server, &name, &[]).await.expect_error(404, "0x8006088a", &text);
    }
    let row = format!("msdyn_ocliveworkitems({MISSING})/{NAV_CASE}/$ref");
    server.send(Method::DELETE, &row, &[], None).await.expect_error(404, "0x80040217", MISSING);
    delete(&server, NAV_CASE, &[("if-none-match", "*")]).await.expect_not_emulated("DELETE ");
    assert_eq!(server.conversation(), before);
}

#[tokio::test]
async fn references_honour_if_match_unless_configured_otherwise() {
    let server = Server::start().await;
    let etag = format!("W/\"{}\"", server.conversation().0);
    assert_eq!(delete(&server, NAV_CONTACT, &[("if-match", &etag)]).await.status, 204);
    let contact = || to(&server, &format!("contacts({CONTACT})"));
    for response in [
        put(&server, NAV_CONTACT, &[("if-match", &etag)], contact()).await,
        delete(&server, NAV_CASE, &[("if-match", &etag)]).await,
    ] {
        response.expect_error(412, "0x80060882", "The version of the existing record doesn't match");
    }
    assert_eq!(put(&server, NAV_CONTACT, &[("if-match", "*")], contact()).await.status, 204);

    server.emulator.faults().conditions(json!({ "refHonoursIfMatch": false })).unwrap();
    assert_eq!(delete(&server, NAV_CONTACT, &[("if-match", &etag)]).await.status, 204);
    assert_eq!(server.conversation().1, None);
}

#[tokio::test]
async fn the_last_of_two_values_for_one_lookup_wins_unless_configured_otherwise() {
    let server = Server::start().await;
    let mut both = bind(NAV_CONTACT, &format!("/contacts({CONTACT})"));
    both[format!("{NAV_ACCOUNT}@odata.bind")] = format!("/accounts({ACCOUNT})").into();
    for (conditions, expected) in [
        (json!({}), linked("account", ACCOUNT)),
        (json!({ "twoValuesForOneLookup": "first" }), linked("contact", CONTACT)),
        (json!({ "twoValuesForOneLookup": "last" }), linked("account", ACCOUNT)),
    ] {
        server.emulator.faults().conditions(conditions).unwrap();
        assert_eq!(server.patch(&conversation_path(), both.clone()).await.status, 204);
        assert_eq!(server.conversation().1, expected);
        assert_eq!(
            server.emulator.requests().last().unwrap().warnings,
            ["two values for 'msdyn_customer' in one body"]
        );
    }
    assert_eq!(server.patch(&conversation_path(), json!({ NAV_CONTACT: null, NAV_ACCOUNT: null })).await.status, 204);
    assert_eq!(server.conversation().1, None);
    server.emulator.faults().conditions(json!({ "twoValuesForOneLookup": "refuse" })).unwrap();
    let before = server.conversation();
    let response = server.patch(&conversation_path(), both).await;
    response.expect_error(400, "0x80048d19", "More than one value for 'msdyn_customer'.");
    assert_eq!(server.conversation(), before);
}
