use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{
    ACCOUNT, CONTACT, CONVERSATION, CUSTOMER_OF, INCIDENT, MISSING, NAV_ACCOUNT, NAV_CASE, NAV_CONTACT, Server, bind,
    conversation_path, linked,
};

#[tokio::test]
async fn conditions_decide_between_update_create_and_error() {
    for (condition, on_row, on_missing) in [
        (None, 204, 204),
        (Some(("if-match", "*")), 204, 404),
        (Some(("if-match", "current")), 204, 404),
        (Some(("if-match", "W/\"1\"")), 412, 404),
        (Some(("if-none-match", "*")), 412, 204),
        (Some(("if-none-match", "null")), 204, 204),
    ] {
        let server = Server::start().await;
        let (version, ..) = server.conversation();
        // The conversation is the first row of the seed, so any other version is stale.
        let current = format!("W/\"{version}\"");
        let stale = format!("W/\"{}\"", version + 1000);
        let headers: Vec<_> = condition
            .iter()
            .map(|(name, value)| match *value {
                "current" => (*name, current.as_str()),
                "W/\"1\"" => (*name, stale.as_str()),
                other => (*name, other),
            })
            .collect();
        let response = server.patch_with(&conversation_path(), &headers, json!({ "subject": "New" })).await;
        assert_eq!(response.status, on_row, "{condition:?}");
        let subject = server.get(&conversation_path()).await.json()["subject"].clone();
        assert_eq!(subject, if on_row == 204 { "New" } else { "Visitor 17" }, "{condition:?}");
        match (condition, on_row) {
            (Some(("if-match", _)), 412) => response.expect_error(412, "0x80060882", "doesn't match the RowVersion"),
            (_, 412) => response.expect_error(412, "0x80040237", "A record with matching key values already exists."),
            _ => {}
        }

        let missing = format!("msdyn_ocliveworkitems({MISSING})");
        let response = server.patch_with(&missing, &headers, json!({ "subject": "New" })).await;
        assert_eq!(response.status, on_missing, "{condition:?}");
        if on_missing == 404 {
            let text = format!("Entity 'msdyn_ocliveworkitem' With Id = {MISSING} Does Not Exist");
            response.expect_error(404, "0x80040217", &text);
        }
        assert_eq!(server.get(&missing).await.status, if on_missing == 204 { 200 } else { 404 }, "{condition:?}");
    }
}

#[tokio::test]
async fn other_conditions_are_not_supported() {
    let server = Server::start().await;
    for headers in [
        [("if-match", "\"5\"")].as_slice(),
        &[("if-match", "W/\"5\", W/\"6\"")],
        &[("if-match", "*"), ("if-none-match", "*")],
        &[("if-none-match", "W/\"5\"")],
    ] {
        server.patch_with(&conversation_path(), headers, json!({})).await.expect_not_emulated("If-");
    }
}

#[tokio::test]
async fn a_204_names_the_row_without_a_version() {
    let server = Server::start().await;
    let path = format!("msdyn_ocliveworkitems({})", CONVERSATION.to_uppercase());
    let response = server.patch(&path, json!({ "subject": "New" })).await;
    assert_eq!((response.status.as_u16(), response.text.as_str()), (204, ""));
    assert_eq!(response.header("odata-version"), Some("4.0"));
    let entity_id = format!("{}/api/data/v9.2/{}", server.emulator.url(), conversation_path());
    assert_eq!(response.header("odata-entityid"), Some(entity_id.as_str()));
    assert_eq!((response.header("etag"), response.header("content-type")), (None, None));
    assert_eq!(response.header("preference-applied"), None);
}

const REPRESENTATION: &str =
    "return=representation,odata.include-annotations=\"Microsoft.Dynamics.CRM.lookuplogicalname\"";

#[tokio::test]
async fn return_representation_returns_the_row_after_the_write() {
    let server = Server::start().await;
    let path = format!("{}?$select=statuscode,_msdyn_customer_value", conversation_path());
    let body = bind(NAV_ACCOUNT, &format!("/accounts({ACCOUNT})"));
    let response = server.patch_with(&path, &[("if-match", "*"), ("prefer", REPRESENTATION)], body).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("preference-applied"), Some(REPRESENTATION));
    let etag = format!("W/\"{}\"", server.conversation().0);
    assert_eq!(response.header("etag"), Some(etag.as_str()));
    let url = server.emulator.url();
    assert_eq!(
        response.json(),
        json!({
            "@odata.context": format!("{url}/api/data/v9.2/$metadata#msdyn_ocliveworkitems(statuscode,_msdyn_customer_value)/$entity"),
            "@odata.etag": etag,
            "statuscode": 2,
            (CUSTOMER_OF): "account",
            "_msdyn_customer_value": ACCOUNT,
            "activityid": CONVERSATION,
        })
    );
}

#[tokio::test]
async fn return_representation_of_a_new_row_is_a_201() {
    let server = Server::start().await;
    let created = server
        .patch_with(&format!("accounts({MISSING})"), &[("prefer", REPRESENTATION)], json!({ "name": "New" }))
        .await;
    assert_eq!(created.status, 201);
    assert_eq!(created.json()["name"], "New");
    assert_eq!((&created.json()["statecode"], &created.json()["statuscode"]), (&json!(0), &json!(1)));
}

#[tokio::test]
async fn every_accepted_write_takes_a_version_from_one_counter() {
    let server = Server::start().await;
    // The first write gives the conversation a higher version than the rows loaded after it.
    server.patch(&conversation_path(), json!({ "subject": "Same" })).await;
    let (mut last, ..) = server.conversation();
    for body in [json!({}), json!({ NAV_CASE: null }), json!({ "subject": "Same" }), json!({ "subject": "Same" })] {
        assert_eq!(server.patch(&conversation_path(), body.clone()).await.status, 204);
        let (version, ..) = server.conversation();
        assert_eq!(version, last + 1, "{body}");
        last = version;
    }
    server.patch(&format!("accounts({ACCOUNT})"), json!({ "name": "Other" })).await;
    let account = server.get(&format!("accounts({ACCOUNT})?$select=versionnumber")).await.json();
    assert_eq!(account["versionnumber"], last + 1, "one counter for all tables");
}

#[tokio::test]
async fn a_bind_has_three_forms() {
    let server = Server::start().await;
    let url = server.emulator.url();
    for uri in [
        format!("/contacts({CONTACT})"),
        format!("contacts({CONTACT})"),
        format!("/contacts({})", CONTACT.to_uppercase()),
        format!("{url}/api/data/v9.2/contacts({CONTACT})"),
        format!("{url}/api/data/v9.0/contacts({CONTACT})"),
    ] {
        server.patch(&conversation_path(), json!({ NAV_CONTACT: null })).await;
        assert_eq!(server.patch(&conversation_path(), bind(NAV_CONTACT, &uri)).await.status, 204, "{uri}");
        assert_eq!(server.conversation().1, linked("contact", CONTACT), "{uri}");
    }
}

#[tokio::test]
async fn a_bind_to_another_server_or_to_a_part_of_a_batch_is_not_emulated() {
    let server = Server::start().await;
    for uri in ["https://elsewhere.crm4.dynamics.com/api/data/v9.2/contacts(1)", "$1"] {
        server.patch(&conversation_path(), bind(NAV_CONTACT, uri)).await.expect_not_emulated("PATCH ");
    }
}

#[tokio::test]
async fn a_bind_needs_a_key_that_is_an_id() {
    let server = Server::start().await;
    for uri in ["/contacts", "/contacts(7)", &format!("/contacts({{{CONTACT}}})")] {
        server.patch(&conversation_path(), bind(NAV_CONTACT, uri)).await.expect_error(
            400,
            "0x80060888",
            "query syntax",
        );
    }
}

#[tokio::test]
async fn customer_and_case_are_different_columns() {
    let server = Server::start().await;
    server.patch(&conversation_path(), bind(NAV_CASE, &format!("/incidents({INCIDENT})"))).await;
    server.patch(&conversation_path(), bind(NAV_ACCOUNT, &format!("/accounts({ACCOUNT})"))).await;
    let (_, customer, case) = server.conversation();
    assert_eq!((customer, case), (linked("account", ACCOUNT), linked("incident", INCIDENT)));

    server.patch(&conversation_path(), json!({ NAV_ACCOUNT: null })).await;
    let (_, customer, case) = server.conversation();
    assert_eq!((customer, case), (None, linked("incident", INCIDENT)));

    server.patch(&conversation_path(), json!({ NAV_CASE: null })).await;
    assert_eq!(server.conversation().2, None);

    let mut both = bind(NAV_CONTACT, &format!("/contacts({CONTACT})"));
    both[format!("{NAV_CASE}@odata.bind")] = format!("/incidents({INCIDENT})").into();
    server.patch(&conversation_path(), both).await;
    let (_, customer, case) = server.conversation();
    assert_eq!((customer, case), (linked("contact", CONTACT), linked("incident", INCIDENT)));
}

#[tokio::test]
async fn null_through_the_other_customer_property_clears_with_a_warning() {
    let server = Server::start().await;
    assert_eq!(server.patch(&conversation_path(), json!({ NAV_ACCOUNT: null })).await.status, 204);
    assert_eq!(server.conversation().1, None);
    let log = server.emulator.requests();
    assert!(log[0].warnings[0].contains("cleared a link to contact"), "{:?}", log[0].warnings);
}

#[tokio::test]
async fn a_bind_to_a_missing_row_names_it_and_changes_nothing() {
    let server = Server::start().await;
    let before = server.conversation();
    for (navigation, set, table) in [
        (NAV_ACCOUNT, "accounts", "account"),
        (NAV_CONTACT, "contacts", "contact"),
        (NAV_CASE, "incidents", "incident"),
    ] {
        let mut body = bind(navigation, &format!("/{set}({MISSING})"));
        body["subject"] = "Changed".into();
        let response = server.patch(&conversation_path(), body).await;
        response.expect_error(404, "0x80040217", &format!("Entity '{table}' With Id = {MISSING} Does Not Exist"));
    }
    assert_eq!(server.conversation(), before);
    assert_eq!(server.get(&conversation_path()).await.json()["subject"], "Visitor 17");
}

#[tokio::test]
async fn invalid_bodies_are_rejected_with_the_reason() {
    let server = Server::start().await;
    let before = server.conversation();
    let payload = "Error identified in Payload provided by the user for Entity :'msdyn_ocliveworkitems'";
    let not_writable =
        "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.";
    for (body, code, text) in [
        // A set of the wrong type, and an unknown set.
        (bind(NAV_ACCOUNT, &format!("/contacts({CONTACT})")), "0x80048d19", payload),
        (bind(NAV_CASE, &format!("/cases({INCIDENT})")), "0x80048d19", payload),
        // Navigation properties are case-sensitive, and are not columns.
        (
            bind("msdyn_issueid_msdyn_ocliveworkitem", &format!("/incidents({INCIDENT})")),
            "0x80048d19",
            "An undeclared property 'msdyn_issueid_msdyn_ocliveworkitem' which only has property annotations in the payload",
        ),
        (
            bind("msdyn_customer", &format!("/accounts({ACCOUNT})")),
            "0x80048d19",
            "An undeclared property 'msdyn_customer'",
        ),
        (
            json!({ "_msdyn_customer_value": null }),
            "0x80060888",
            "Property _msdyn_customer_value cannot be updated to null. The reference property can only be deleted.",
        ),
        (json!({ "_msdyn_customer_value": ACCOUNT }), "0x80060888", not_writable),
        (json!({ "msdyn_customer": ACCOUNT }), "0x80060888", not_writable),
        (json!({ "msdyn_issueid": null }), "0x80048d19", "Does not support untyped value in non-open type"),
        (json!({ "Subject": "x" }), "0x80048d19", "Invalid property 'Subject' was found in entity"),
        (json!({ "subject": 5 }), "0x80048d19", "Cannot convert the literal '5' to the expected type 'Edm.String'."),
        (json!({ "subject": "x".repeat(201) }), "0x80044331", "exceeded the maximum allowed length of '200'"),
        (json!([]), "0x80048d19", "Stream was not readable."),
    ] {
        server.patch(&conversation_path(), body).await.expect_error(400, code, text);
    }
    let headers = [("content-type", "application/json"), ("if-match", "*")];
    for malformed in ["", "{", "{'subject':'x'}"] {
        let response = server.send(Method::PATCH, &conversation_path(), &headers, Some(malformed.to_owned())).await;
        response.expect_error(400, "0x80048d19", "Stream was not readable.");
    }
    assert_eq!(server.conversation(), before);
}

#[tokio::test]
async fn unsupported_bodies_are_rejected() {
    let server = Server::start().await;
    let before = server.conversation();
    for body in [
        json!({ format!("{NAV_ACCOUNT}@odata.bind"): null }),
        json!({ NAV_ACCOUNT: { "name": "deep" } }),
        json!({ "activityid": MISSING }),
    ] {
        server.patch(&conversation_path(), body).await.expect_not_emulated("PATCH ");
    }
    let text = [("content-type", "text/plain"), ("if-match", "*")];
    server
        .send(Method::PATCH, &conversation_path(), &text, Some("{}".to_owned()))
        .await
        .expect_not_emulated("text/plain");
    server
        .patch(&format!("incidents({INCIDENT})"), json!({ "customerid_account": null }))
        .await
        .expect_not_emulated("required");
    let new_case = format!("incidents({MISSING})");
    server.patch_with(&new_case, &[], json!({ "title": "x" })).await.expect_not_emulated("required");
    assert_eq!(server.conversation(), before);
}

#[tokio::test]
async fn auto_disassociate_allows_null_for_a_read_name() {
    let server = Server::start().await;
    let headers = [("if-match", "*"), ("autodisassociate", "true")];
    let response = server.patch_with(&conversation_path(), &headers, json!({ "_msdyn_customer_value": null })).await;
    assert_eq!((response.status.as_u16(), server.conversation().1), (204, None));
}

#[tokio::test]
async fn links_are_accepted_in_every_status() {
    for status in 1..=7 {
        let server = Server::start().await;
        let state = [0, 0, 0, 0, 1, 0, 2, 3][status];
        let moved = server.patch(&conversation_path(), json!({ "statecode": state, "statuscode": status })).await;
        assert_eq!(moved.status, 204, "{status}");
        let response = server.patch(&conversation_path(), bind(NAV_ACCOUNT, &format!("/accounts({ACCOUNT})"))).await;
        assert_eq!((response.status.as_u16(), server.conversation().1), (204, linked("account", ACCOUNT)), "{status}");
    }
}

#[tokio::test]
async fn state_and_status_belong_together() {
    for (body, expected) in [
        (json!({ "statuscode": 3 }), Some((0, 3))),
        (json!({ "statecode": 1, "statuscode": 4 }), Some((1, 4))),
        (json!({ "statecode": 1 }), Some((1, 4))),
        (json!({ "statecode": 0 }), Some((0, 2))),
        (json!({ "statuscode": 4 }), None),
        (json!({ "statecode": 0, "statuscode": 4 }), None),
        (json!({ "statecode": 4 }), None),
        (json!({ "statecode": 9 }), None),
        (json!({ "statuscode": 99 }), None),
    ] {
        let server = Server::start().await;
        let response = server.patch(&conversation_path(), body.clone()).await;
        let row = server.get(&format!("{}?$select=statecode,statuscode", conversation_path())).await.json();
        let now = (row["statecode"].as_i64().unwrap(), row["statuscode"].as_i64().unwrap());
        if let Some(expected) = expected {
            assert_eq!((response.status.as_u16(), now), (204, expected), "{body}");
        } else {
            response.expect_error(400, "0x80048408", "is not a valid status code for state code");
            assert_eq!(now, (0, 2), "{body}");
        }
    }
}

#[tokio::test]
async fn of_many_writers_with_one_etag_exactly_one_wins() {
    let server = Server::start().await;
    let etag = format!("W/\"{}\"", server.conversation().0);
    let headers = [("if-match", etag.as_str())];
    let path = conversation_path();
    let write = || server.patch_with(&path, &headers, json!({ "subject": "mine" }));
    let responses = tokio::join!(write(), write(), write(), write(), write());
    let mut statuses: Vec<_> = <[_; 5]>::from(responses).iter().map(|response| response.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 412, 412, 412, 412]);
}

#[tokio::test]
async fn a_link_is_read_with_the_name_of_its_target() {
    let server = Server::start().await;
    server.patch(&conversation_path(), bind(NAV_CASE, &format!("/incidents({INCIDENT})"))).await;
    let path = format!("{}?$select=_msdyn_issueid_value", conversation_path());
    let body = server.get_with(&path, &[("prefer", "odata.include-annotations=\"*\"")]).await.json();
    let annotation = |name: &str| body.get(format!("_msdyn_issueid_value@{name}")).and_then(Value::as_str);
    assert_eq!(annotation("OData.Community.Display.V1.FormattedValue"), Some("Coffee machine leaks"));
    assert_eq!(annotation("Microsoft.Dynamics.CRM.associatednavigationproperty"), Some(NAV_CASE));
    assert_eq!(annotation("Microsoft.Dynamics.CRM.lookuplogicalname"), Some("incident"));
}

#[tokio::test]
async fn a_body_may_have_a_byte_order_mark_and_unpaired_surrogates() {
    let server = Server::start().await;
    let headers = [("content-type", "application/json"), ("if-match", "*")];
    for (body, expected) in [
        (r#"{"subject":"x\ud83d"}"#, Some("x\u{fffd}")),
        ("\u{feff}{\"subject\":\"marked\"}\r\n", Some("marked")),
        (r#"{"subject":"x"}{}"#, None),
        (r#"{"subject":"x\ud8"}"#, None),
    ] {
        let response = server.send(Method::PATCH, &conversation_path(), &headers, Some(body.to_owned())).await;
        match expected {
            Some(subject) => {
                assert_eq!(response.status, 204, "{body}");
                assert_eq!(server.get(&conversation_path()).await.json()["subject"], subject);
            }
            None => response.expect_error(400, "0x80048d19", "Stream was not readable"),
        }
    }
}
