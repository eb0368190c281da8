use serde_json::{Value, json};

use crate::client::{ACCOUNT, AGENT, CONTACT, CONVERSATION, CUSTOMER_OF, INCIDENT, MISSING, Server, conversation_path};

const SELECT: &str = "?$select=subject,statecode,statuscode,_msdyn_customer_value,_msdyn_issueid_value";

#[tokio::test]
async fn a_row_has_context_etag_and_key() {
    let server = Server::start().await;
    let response = server.get(&format!("{}{SELECT}", conversation_path())).await;
    let (version, ..) = server.conversation();
    let etag = format!("W/\"{version}\"");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("etag"), Some(etag.as_str()));
    assert_eq!(response.header("preference-applied"), None);
    let url = server.emulator.url();
    let list = SELECT.trim_start_matches("?$select=");
    assert_eq!(
        response.json(),
        json!({
            "@odata.context": format!("{url}/api/data/v9.2/$metadata#msdyn_ocliveworkitems({list})/$entity"),
            "@odata.etag": etag,
            "subject": "Visitor 17",
            "statecode": 0,
            "statuscode": 2,
            "_msdyn_customer_value": CONTACT,
            "_msdyn_issueid_value": null,
            "activityid": CONVERSATION,
        })
    );
}

#[tokio::test]
async fn every_set_answers_without_select_with_all_columns() {
    let server = Server::start().await;
    for (path, name, value) in [
        (format!("accounts({ACCOUNT})"), "name", "Fabrikam Coffee"),
        (format!("contacts({CONTACT})"), "fullname", "A. Tester"),
        (format!("incidents({INCIDENT})"), "title", "Coffee machine leaks"),
        (conversation_path(), "subject", "Visitor 17"),
    ] {
        let body = server.get(&path).await.json();
        let context = body["@odata.context"].as_str().unwrap();
        assert!(context.ends_with(&format!("$metadata#{}/$entity", path.split('(').next().unwrap())), "{context}");
        assert_eq!(body[name], value);
        assert_eq!(body["createdon"], Value::Null);
        assert_eq!(format!("W/\"{}\"", body["versionnumber"]), body["@odata.etag"].as_str().unwrap());
        assert!(
            !body.as_object().unwrap().keys().any(|name| name.contains('@') && !name.starts_with("@odata.")),
            "{body}"
        );
    }
}

#[tokio::test]
async fn annotations_are_returned_only_as_requested() {
    const NAVIGATION: &str = "_msdyn_customer_value@Microsoft.Dynamics.CRM.associatednavigationproperty";
    const FORMATTED: &str = "_msdyn_customer_value@OData.Community.Display.V1.FormattedValue";
    const STATUS: &str = "statuscode@OData.Community.Display.V1.FormattedValue";
    const STATE: &str = "statecode@OData.Community.Display.V1.FormattedValue";
    let server = Server::start().await;
    for (asked, expected) in [
        ("*", vec![FORMATTED, NAVIGATION, CUSTOMER_OF, STATE, STATUS]),
        ("Microsoft.Dynamics.CRM.*", vec![NAVIGATION, CUSTOMER_OF]),
        ("Microsoft.Dynamics.CRM.lookuplogicalname", vec![CUSTOMER_OF]),
        ("OData.Community.Display.V1.FormattedValue", vec![FORMATTED, STATE, STATUS]),
        (
            "Microsoft.Dynamics.CRM.lookuplogicalname,OData.Community.Display.V1.FormattedValue",
            vec![FORMATTED, CUSTOMER_OF, STATE, STATUS],
        ),
        ("microsoft.dynamics.crm.lookuplogicalname", vec![]),
    ] {
        let prefer = format!("odata.include-annotations=\"{asked}\"");
        let response = server.get_with(&format!("{}{SELECT}", conversation_path()), &[("prefer", &prefer)]).await;
        assert_eq!(response.header("preference-applied"), Some(prefer.as_str()));
        let body = response.json();
        let mut got: Vec<_> =
            body.as_object().unwrap().keys().filter(|name| name.find('@').is_some_and(|at| at > 0)).collect();
        got.sort();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(got, expected, "{asked}");
    }
    let all = [("prefer", "odata.include-annotations=\"*\"")];
    let body = server.get_with(&format!("{}{SELECT}", conversation_path()), &all).await.json();
    assert_eq!(body[CUSTOMER_OF], "contact");
    assert_eq!(body[NAVIGATION], "msdyn_customer_msdyn_ocliveworkitem_contact");
    assert_eq!(body[FORMATTED], "A. Tester");
    assert_eq!((&body[STATE], &body[STATUS]), (&json!("Open"), &json!("Active")));
}

#[tokio::test]
async fn a_lookup_to_a_missing_row_has_no_formatted_value() {
    let server = Server::start().await;
    let path = format!("{}?$select=_msdyn_activeagentid_value", conversation_path());
    let body = server.get_with(&path, &[("prefer", "odata.include-annotations=*")]).await.json();
    assert_eq!(body["_msdyn_activeagentid_value"], AGENT);
    assert_eq!(body["_msdyn_activeagentid_value@Microsoft.Dynamics.CRM.lookuplogicalname"], "systemuser");
    assert_eq!(body.get("_msdyn_activeagentid_value@OData.Community.Display.V1.FormattedValue"), None);
}

#[tokio::test]
async fn only_columns_can_be_selected_in_their_exact_case() {
    let server = Server::start().await;
    for name in
        ["Subject", "msdyn_customer", "msdyn_customer_msdyn_ocliveworkitem_account", "_msdyn_IssueId_value", "nope"]
    {
        let response = server.get(&format!("{}?$select=statecode,{name}", conversation_path())).await;
        let text =
            format!("Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.msdyn_ocliveworkitem'.");
        response.expect_error(400, "0x80060888", &text);
    }
}

#[tokio::test]
async fn a_missing_row_is_named() {
    let server = Server::start().await;
    for (set, table) in [("accounts", "account"), ("msdyn_ocliveworkitems", "msdyn_ocliveworkitem")] {
        let text = format!("Entity '{table}' With Id = {MISSING} Does Not Exist");
        server.get(&format!("{set}({MISSING})")).await.expect_error(404, "0x80040217", &text);
    }
}

#[tokio::test]
async fn if_none_match_answers_304_only_for_this_version_and_without_annotations() {
    let server = Server::start().await;
    let (version, ..) = server.conversation();
    let (etag, other) = (format!("W/\"{version}\""), format!("W/\"{}\"", version + 1));
    let all = ("prefer", "odata.include-annotations=\"*\"");
    for (headers, status) in [
        (vec![("if-none-match", etag.as_str())], 304),
        (vec![("if-none-match", other.as_str())], 200),
        (vec![("if-none-match", etag.as_str()), all], 200),
        (vec![("if-none-match", "null")], 200),
        (vec![("if-none-match", "*")], 501),
        (vec![("if-match", "*")], 501),
    ] {
        let response = server.get_with(&conversation_path(), &headers).await;
        assert_eq!(response.status, status, "{headers:?}");
        assert_eq!(response.text.is_empty(), status == 304, "{headers:?}");
    }
}

#[tokio::test]
async fn preference_applied_lists_only_applied_preferences() {
    let server = Server::start().await;
    let annotations = "odata.include-annotations=\"*\"";
    let everything = format!("return=representation, odata.maxpagesize=5,{annotations}, respond-async");
    let response = server.get_with(&conversation_path(), &[("prefer", &everything)]).await;
    assert_eq!(response.header("preference-applied"), Some(annotations));
    for odd in ["odata.include-annotations=\"-*\"", "odata.include-annotations=", "odata.include-annotations=\"*,\""] {
        server
            .get_with(&conversation_path(), &[("prefer", odd)])
            .await
            .expect_not_emulated("odata.include-annotations");
    }
}
