//! POST of a set.

use serde_json::json;

use crate::client::{ACCOUNT, CONTACT, MISSING, Server};

const RETURN: (&str, &str) = ("prefer", "return=representation");

#[tokio::test]
async fn a_post_creates_a_row_and_names_it() {
    let server = Server::start().await;
    server.emulator.faults().conditions(json!({ "dateInMs": 1_790_000_000_000_u64 })).unwrap();
    let response = server.post("accounts", &[], json!({ "name": "New", "industrycode": 1 })).await;
    assert_eq!((response.status.as_u16(), response.text.as_str()), (204, ""));
    let url = response.header("odata-entityid").unwrap();
    let path = url.strip_prefix(&format!("{}/api/data/v9.2/", server.emulator.url())).unwrap();
    let row = server.get(path).await.json();
    let user = server.get("WhoAmI").await.json()["UserId"].clone();
    assert_eq!((&row["name"], &row["statecode"], &row["statuscode"]), (&json!("New"), &json!(0), &json!(1)));
    for name in ["_ownerid_value", "_owninguser_value", "_createdby_value", "_modifiedby_value"] {
        assert_eq!(row[name], user, "{name}");
    }
    for name in ["createdon", "modifiedon"] {
        assert_eq!(row[name], "2026-09-21T14:13:20Z", "{name}");
    }
}

#[tokio::test]
async fn a_post_may_return_the_row() {
    let server = Server::start().await;
    let response = server.post("accounts?$select=name", &[RETURN], json!({ "name": "New" })).await;
    let row = response.json();
    assert_eq!((response.status.as_u16(), &row["name"]), (201, &json!("New")));
    assert_eq!(response.header("preference-applied"), Some("return=representation"));
    assert_eq!(response.header("etag"), row["@odata.etag"].as_str());
    assert!(row.get("telephone1").is_none() && row["accountid"].is_string());
}

#[tokio::test]
async fn a_given_id_is_used_once() {
    let server = Server::start().await;
    let body = json!({ "accountid": MISSING, "name": "New", "@odata.type": "#Microsoft.Dynamics.CRM.account" });
    assert_eq!(server.post("accounts", &[], body.clone()).await.status, 204);
    assert_eq!(server.get(&format!("accounts({MISSING})")).await.json()["name"], "New");
    server.post("accounts", &[], body).await.expect_error(412, "0x80040237", "matching key values");
    let other = json!({ "@odata.type": "Microsoft.Dynamics.CRM.contact" });
    server.post("accounts", &[], other).await.expect_error(400, "0x80048d19", "not assignable");
}

#[tokio::test]
async fn related_rows_are_created_with_a_row_or_not_at_all() {
    let server = Server::start().await;
    let deep = |industry: i64| {
        json!({
            "name": "Deep",
            "primarycontactid": { "lastname": "One", "firstname": "P." },
            "contact_customer_accounts": [{ "lastname": "Two" }, { "lastname": "Three" }],
            "opportunity_customer_accounts": [{ "name": "Sale", "Opportunity_Tasks": [{ "subject": "Call" }] }],
            "industrycode": industry,
        })
    };
    let expand = "$select=name&$expand=primarycontactid($select=fullname),contact_customer_accounts($select=fullname;$orderby=fullname),\
                  opportunity_customer_accounts($select=name;$expand=Opportunity_Tasks($select=subject))";
    assert_eq!(server.post("accounts", &[], deep(1)).await.status, 204);
    let row = server.get(&format!("accounts?$filter=name eq 'Deep'&{expand}")).await.json()["value"][0].clone();
    assert_eq!(row["primarycontactid"]["fullname"], "P. One");
    let members = row["contact_customer_accounts"].as_array().unwrap();
    assert_eq!(members.iter().map(|row| &row["fullname"]).collect::<Vec<_>>(), ["Three", "Two"]);
    assert_eq!(row["opportunity_customer_accounts"][0]["Opportunity_Tasks"][0]["subject"], "Call");

    let count = |table: &str| server.emulator.with_organisation(|organisation| organisation.ids(table).count());
    let before = ["account", "contact", "opportunity", "task"].map(count);
    let broken = json!({ "name": "Broken", "contact_customer_accounts": [{ "lastname": "a" }, { "nope": 1 }] });
    server.post("accounts", &[], broken).await.expect_error(400, "0x80048d19", "Invalid property 'nope'");
    server.post("accounts", &[], deep(77)).await.expect_error(400, "0x8004431a", "outside the valid range");
    assert_eq!(["account", "contact", "opportunity", "task"].map(count), before);
}

#[tokio::test]
async fn an_impersonated_user_writes_and_the_caller_is_recorded() {
    let server = Server::start().await;
    let user = "c2dd22d0-9d47-4799-8d95-355c298bd4f2";
    let me = server.get("WhoAmI").await.json()["UserId"].clone();
    let created = server.post("contacts", &[RETURN, ("mscrmcallerid", user)], json!({ "lastname": "X" })).await.json();
    assert_eq!((&created["_createdby_value"], &created["_createdonbehalfby_value"]), (&json!(user), &me));
    let id = created["contactid"].as_str().unwrap();
    let changed = server.patch_with(&format!("contacts({id})"), &[RETURN, ("if-match", "*")], json!({})).await.json();
    assert_eq!((&changed["_modifiedby_value"], &changed["_modifiedonbehalfby_value"]), (&me, &json!(null)));
}

#[tokio::test]
async fn a_row_that_cannot_be_created_is_rejected() {
    let server = Server::start().await;
    server.post("incidents", &[], json!({ "title": "x" })).await.expect_not_emulated("required");
    server.post("accounts", &[], json!([])).await.expect_error(400, "0x80048d19", "Stream was not readable");
    server.post("Accounts", &[], json!({})).await.expect_error(404, "0x8006088a", "Accounts");
    let path = format!("accounts({ACCOUNT})");
    let unroutable = server.post(&path, &[], json!({})).await;
    assert_eq!(unroutable.status, 404);
    let twice = "{\"name\":\"a\",\"name\":\"b\"}".to_owned();
    let headers = [("content-type", "application/json")];
    let response = server.send(reqwest::Method::POST, "accounts", &headers, Some(twice)).await;
    response.expect_error(400, "0x80048d19", "Multiple properties with the name 'name'");
    server.emulator.faults().conditions(json!({ "missingPrivileges": ["prvCreateContact"] })).unwrap();
    server.post("contacts", &[], json!({})).await.expect_error(403, "0x80040220", "prvCreateContact");
    assert_eq!(server.get(&format!("contacts({CONTACT})")).await.status, 200);
}
