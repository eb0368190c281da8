//! Tables that only a seed page shows.

use serde_json::{Value, json};

use crate::client::{ACCOUNT, CONTACT, MISSING, Server, bind, page};

const ALL: (&str, &str) = ("prefer", "odata.include-annotations=\"*\"");
const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
const LOOKUP: &str = "_new_accountid_value@Microsoft.Dynamics.CRM";

/// A server with two tables of its own: devices, which point to an account, and an activity.
async fn server() -> Server {
    let server = Server::start().await;
    let devices = json!([{
        "new_deviceid": MISSING,
        "new_name": "Grinder",
        "new_kind": 100_000_001,
        format!("new_kind@{FORMATTED}"): "Coffee",
        "new_price": 12.5,
        "new_isleased": false,
        "_new_accountid_value": ACCOUNT,
        format!("{LOOKUP}.lookuplogicalname"): "account",
        format!("{LOOKUP}.associatednavigationproperty"): "new_AccountId",
        "statecode": 0,
        "statuscode": 1,
    }]);
    let visits = json!([{ "activityid": MISSING, "subject": "Repair" }]);
    server.emulator.with_organisation(|organisation| {
        organisation.load_page("p", &page("new_devices", devices)).unwrap();
        organisation.load_page("p", &page("new_visits", visits)).unwrap();
    });
    server
}

#[tokio::test]
async fn a_table_of_a_page_is_read_and_written() {
    let server = server().await;
    let path = format!("new_devices({MISSING})");
    let row = server.get_with(&path, &[ALL]).await.json();
    assert_eq!((&row["new_price"], &row["new_isleased"]), (&json!(12.5), &json!(false)));
    assert_eq!(row[format!("new_kind@{FORMATTED}")], "Coffee");
    assert_eq!(row[format!("_new_accountid_value@{FORMATTED}")], "Fabrikam Coffee");
    let expanded = server.get(&format!("{path}?$expand=new_AccountId($select=name)")).await.json();
    assert_eq!(expanded["new_AccountId"]["name"], "Fabrikam Coffee");

    assert_eq!(server.patch(&path, json!({ "new_name": "Mill", "new_AccountId": null })).await.status, 204);
    assert_eq!(server.get(&path).await.json()["_new_accountid_value"], Value::Null);
    assert_eq!(server.patch(&path, bind("new_AccountId", &format!("/accounts({ACCOUNT})"))).await.status, 204);
    let wrong = bind("new_AccountId", &format!("/contacts({CONTACT})"));
    server.patch(&path, wrong).await.expect_error(400, "0x80048d19", "does not lead to the type");
    server.patch(&path, json!({ "new_colour": 1 })).await.expect_error(400, "0x80048d19", "'new_colour'");
    assert_eq!(server.post("new_devices", &[], json!({ "new_name": "Other" })).await.status, 204);
    assert_eq!(server.get("new_devices/$count?$filter=startswith(new_name,'m')").await.text, "1");
    assert_eq!(server.delete(&path, &[]).await.status, 204);
    assert_eq!(server.get("new_devices/$count").await.text, "1");
    assert_eq!(server.get(&format!("new_visits({MISSING})")).await.json()["subject"], "Repair");
    server.get("new_gadgets").await.expect_error(404, "0x8006088a", "new_gadgets");
}

#[tokio::test]
async fn a_table_of_a_page_has_the_defaults_of_custom_tables() {
    let server = server().await;
    let select = "$select=LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute,IsOptimisticConcurrencyEnabled,ChangeTrackingEnabled";
    let definition = server.get(&format!("EntityDefinitions(LogicalName='new_device')?{select}")).await.json();
    assert_eq!(
        (&definition["EntitySetName"], &definition["PrimaryIdAttribute"], &definition["PrimaryNameAttribute"]),
        (&json!("new_devices"), &json!("new_deviceid"), &json!("new_name"))
    );
    assert_eq!(
        (&definition["IsOptimisticConcurrencyEnabled"], &definition["ChangeTrackingEnabled"]),
        (&json!(true), &json!(false))
    );
    let path = format!("new_devices({MISSING})");
    let old = server.get(&path).await.header("etag").unwrap().to_owned();
    assert_eq!(server.patch_with(&path, &[("if-match", &old)], json!({ "new_name": "A" })).await.status, 204);
    server.patch_with(&path, &[("if-match", &old)], json!({ "new_name": "B" })).await.expect_error(
        412,
        "0x80060882",
        "",
    );
    for standard in ["account", "contact", "incident"] {
        let path = format!("EntityDefinitions(LogicalName='{standard}')?$select=IsOptimisticConcurrencyEnabled");
        assert_eq!(server.get(&path).await.json()["IsOptimisticConcurrencyEnabled"], true, "{standard}");
    }
}

#[tokio::test]
async fn a_page_cannot_be_understood_without_a_key() {
    let server = Server::start().await;
    for rows in [json!([]), json!([{ "new_name": "x" }]), json!([{ "new_deviceid": "1" }])] {
        let loaded =
            server.emulator.with_organisation(|organisation| organisation.load_page("p", &page("new_devices", rows)));
        let error = loaded.unwrap_err().to_string();
        assert!(error.contains("the emulator does not know the set 'new_devices'"), "{error}");
    }
    server.get("new_devices").await.expect_error(404, "0x8006088a", "new_devices");
}
