//! Alternate keys in addresses and binds.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{ACCOUNT, CONTACT, MISSING, NAV_ACCOUNT, NAV_CONTACT, Server, bind, conversation_path, linked};

async fn with_keys(conditions: Value) -> Server {
    let server = Server::start().await;
    let name = json!({ "accountnumber": "A-1 O'Hara/5", "name": "Fabrikam" });
    assert_eq!(server.patch(&format!("accounts({ACCOUNT})"), name).await.status, 204);
    let mail = json!({ "emailaddress1": "a@example.com", "jobtitle": "Tester" });
    assert_eq!(server.patch(&format!("contacts({CONTACT})"), mail).await.status, 204);
    server.emulator.faults().conditions(conditions).unwrap();
    server
}

const BY_NUMBER: &str = "accounts(accountnumber='a-1%20O''Hara%2F5')";

#[tokio::test]
async fn a_row_goes_by_its_alternate_key() {
    let server = with_keys(json!({})).await;
    let row = server.get(&format!("{BY_NUMBER}?$select=name")).await;
    assert_eq!((row.status.as_u16(), &row.json()["accountid"]), (200, &json!(ACCOUNT)), "in any case of its letters");

    let written = server.patch(BY_NUMBER, json!({ "name": "New" })).await;
    let url = format!("{}/api/data/v9.2/{BY_NUMBER}", server.emulator.url());
    assert_eq!(written.header("odata-entityid"), Some(url.as_str()), "the key that was used is echoed");
    assert_eq!(server.get(&format!("accounts({ACCOUNT})")).await.json()["name"], "New");

    let link = bind(NAV_ACCOUNT, "/accounts(accountnumber='A-2')");
    server.patch(&conversation_path(), link).await.expect_fault(404, "0x80060891", "does not exist in account entity");
}

#[tokio::test]
async fn a_key_that_no_row_has_is_not_found_and_not_created() {
    let server = with_keys(json!({})).await;
    let text = "A record with the specified key values does not exist in account entity";
    server.get("accounts(accountnumber='A-2')").await.expect_fault(404, "0x80060891", text);
    server.patch("accounts(accountnumber='A-2')", json!({})).await.expect_fault(404, "0x80060891", text);
    server.patch_with("accounts(accountnumber='A-2')", &[], json!({})).await.expect_not_emulated("alternate key");
    let text = "The specified key attributes are not a defined key for the";
    for path in ["accounts(name='Fabrikam')", "contacts(emailaddress1='a@example.com')", "accounts(nope=1)"] {
        server.get(path).await.expect_fault(400, "0x80060888", text);
    }
    for key in
        ["accountnumber=7", "accountnumber='A-1", "accountnumber=", "accountnumber='A','B'", "accountnumber='A'x"]
    {
        server.get(&format!("accounts({key})")).await.expect_fault(400, "0x80060888", "Error in query syntax.");
    }
    server.get("accounts(accountnumber=@p)").await.expect_not_emulated("a parameter alias");
    let in_double_quotes = BY_NUMBER.replace("''", "'").replace("='", "=\"").replace("')", "\")");
    server.get(&in_double_quotes).await.expect_fault(400, "0x80060888", "Error in query syntax.");
    let link = bind(NAV_ACCOUNT, "/accounts(accountnumber=\"A-1\")");
    server.patch(&conversation_path(), link).await.expect_fault(400, "0x80060888", "Error in query syntax.");
}

#[tokio::test]
async fn keys_are_what_the_conditions_declare() {
    let declared = json!({ "contact": ["emailaddress1,jobtitle", "emailaddress1"], "incident": ["_customerid_value"] });
    let server = with_keys(json!({ "alternateKeys": declared })).await;
    for key in ["emailaddress1='a@example.com'", "jobtitle='tester',emailaddress1='A@example.com'"] {
        assert_eq!(server.get(&format!("contacts({key})")).await.json()["contactid"], CONTACT, "{key}");
    }
    let by_customer = server.get(&format!("incidents(_customerid_value={ACCOUNT})")).await;
    assert_eq!(by_customer.json()["title"], "Coffee machine leaks");
    server.get(&format!("incidents(_customerid_value={MISSING})")).await.expect_fault(404, "0x80060891", "incident");
    server.get(BY_NUMBER).await.expect_fault(400, "0x80060888", "not a defined key for the account entity");

    server.patch(&conversation_path(), json!({ NAV_CONTACT: null })).await;
    let link = bind(NAV_CONTACT, "/contacts(emailaddress1='a@example.com')");
    assert_eq!(server.patch(&conversation_path(), link).await.status, 204);
    assert_eq!(server.conversation().1, linked("contact", CONTACT));
    let reference = format!("msdyn_ocliveworkitems(subject='Visitor 17')/{NAV_CONTACT}/$ref");
    let refused = server.send(Method::DELETE, &reference, &[], None).await;
    refused.expect_fault(400, "0x80060888", "not a defined key for the msdyn_ocliveworkitem entity");

    let wrong = server.emulator.faults().conditions(json!({ "alternateKeys": { "lead": [] } })).unwrap_err();
    assert!(wrong.to_string().contains("`alternateKeys`: no table 'lead'"), "{wrong}");
}
