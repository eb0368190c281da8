//! Alternate keys in addresses and binds.

use omnichannel_link_emulator::{Changes, table};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{
    ACCOUNT, CONTACT, MISSING, NAV_ACCOUNT, NAV_CONTACT, Server, bind, conversation_path, id, linked, page,
};

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
async fn a_row_is_addressed_by_its_alternate_key() {
    let server = with_keys(json!({})).await;
    let row = server.get(&format!("{BY_NUMBER}?$select=name")).await;
    assert_eq!((row.status.as_u16(), &row.json()["accountid"]), (200, &json!(ACCOUNT)), "in any case of its letters");

    let written = server.patch(BY_NUMBER, json!({ "name": "New" })).await;
    let url = format!("{}/api/data/v9.2/{BY_NUMBER}", server.emulator.url());
    assert_eq!(written.header("odata-entityid"), Some(url.as_str()), "the key that was used is echoed");
    assert_eq!(server.get(&format!("accounts({ACCOUNT})")).await.json()["name"], "New");

    let link = bind(NAV_ACCOUNT, "/accounts(accountnumber='A-2')");
    server.patch(&conversation_path(), link).await.expect_error(404, "0x80060891", "does not exist in account entity");
}

#[tokio::test]
async fn a_key_that_no_row_has_is_not_found() {
    let server = with_keys(json!({})).await;
    let text = "A record with the specified key values does not exist in account entity";
    server.get("accounts(accountnumber='A-2')").await.expect_error(404, "0x80060891", text);
    server.patch("accounts(accountnumber='A-2')", json!({})).await.expect_error(404, "0x80060891", text);
    let text = "The specified key attributes are not a defined key for the";
    for path in ["accounts(name='Fabrikam')", "contacts(emailaddress1='a@example.com')", "accounts(nope=1)"] {
        server.get(path).await.expect_error(400, "0x80060888", text);
    }
    for key in
        ["accountnumber=7", "accountnumber='A-1", "accountnumber=", "accountnumber='A','B'", "accountnumber='A'x"]
    {
        server.get(&format!("accounts({key})")).await.expect_error(400, "0x80060888", "Error in query syntax.");
    }
    server.get("accounts(accountnumber=@p)").await.expect_not_emulated("a parameter alias");
    let in_double_quotes = BY_NUMBER.replace("''", "'").replace("='", "=\"").replace("')", "\")");
    server.get(&in_double_quotes).await.expect_error(400, "0x80060888", "Error in query syntax.");
    let link = bind(NAV_ACCOUNT, "/accounts(accountnumber=\"A-1\")");
    server.patch(&conversation_path(), link).await.expect_error(400, "0x80060888", "Error in query syntax.");
}

#[tokio::test]
async fn an_unconditional_patch_creates_the_row_with_its_key() {
    let server = with_keys(json!({})).await;
    let path = "accounts(accountnumber='A-2')";
    let created = server.patch_with(path, &[], json!({ "name": "Second" })).await;
    assert_eq!(created.status, 204);
    let url = created.header("odata-entityid").unwrap();
    assert!(url.ends_with(path), "{url}");
    let row = server.get(path).await.json();
    assert_eq!((&row["name"], &row["accountnumber"]), (&json!("Second"), &json!("A-2")));
    let updated = server.patch_with(path, &[], json!({ "name": "Still second" })).await;
    assert_eq!(updated.status, 204);
    assert_eq!(server.get(path).await.json()["accountid"], row["accountid"], "the same row");
    server.patch_with(path, &[("if-none-match", "*")], json!({})).await.expect_error(412, "0x80040237", "");
}

#[tokio::test]
async fn alternate_keys_come_from_the_conditions() {
    let declared = json!({ "contact": ["emailaddress1,jobtitle", "emailaddress1"], "incident": ["_customerid_value"] });
    let server = with_keys(json!({ "alternateKeys": declared })).await;
    for key in ["emailaddress1='a@example.com'", "jobtitle='tester',emailaddress1='A@example.com'"] {
        assert_eq!(server.get(&format!("contacts({key})")).await.json()["contactid"], CONTACT, "{key}");
    }
    let by_customer = server.get(&format!("incidents(_customerid_value={ACCOUNT})")).await;
    assert_eq!(by_customer.json()["title"], "Coffee machine leaks");
    server.get(&format!("incidents(_customerid_value={MISSING})")).await.expect_error(404, "0x80060891", "incident");
    server.get(BY_NUMBER).await.expect_error(400, "0x80060888", "not a defined key for the account entity");

    server.patch(&conversation_path(), json!({ NAV_CONTACT: null })).await;
    let link = bind(NAV_CONTACT, "/contacts(emailaddress1='a@example.com')");
    assert_eq!(server.patch(&conversation_path(), link).await.status, 204);
    assert_eq!(server.conversation().1, linked("contact", CONTACT));
    let reference = format!("msdyn_ocliveworkitems(subject='Visitor 17')/{NAV_CONTACT}/$ref");
    let response = server.send(Method::DELETE, &reference, &[], None).await;
    response.expect_error(400, "0x80060888", "not a defined key for the msdyn_ocliveworkitem entity");
}

#[tokio::test]
async fn impossible_keys_are_rejected_by_name() {
    let server = Server::start().await;
    let rejected =
        |keys: Value| server.emulator.faults().conditions(json!({ "alternateKeys": keys })).unwrap_err().to_string();
    for (keys, problem) in [
        (json!({ "nope": [] }), "`alternateKeys`: no table 'nope'"),
        (json!({ "account": ["nope"] }), "`alternateKeys`: account has no column 'nope'"),
        (json!({ "account": ["name", "accountnumber,Name"] }), "`alternateKeys`: account has no column 'Name'"),
        (json!({ "incident": ["customerid"] }), "`alternateKeys`: incident has no column 'customerid'"),
        (json!({ "account": [""] }), "`alternateKeys`: '' of account has a column without a name"),
        (json!({ "account": ["name,"] }), "`alternateKeys`: 'name,' of account has a column without a name"),
        (json!({ "account": ["name, name"] }), "`alternateKeys`: 'name, name' of account has a column twice"),
    ] {
        let error = rejected(keys);
        assert!(error.contains(problem), "'{problem}' is not in: {error}");
    }
    server.get("accounts(accountnumber='A-1')").await.expect_error(404, "0x80060891", "");
    let own = json!([{ "accountid": MISSING, "new_code": "7" }]);
    server.emulator.with_organisation(|organisation| organisation.load_page("p", &page("accounts", own)).unwrap());
    server.emulator.faults().conditions(json!({ "alternateKeys": { "account": ["new_code"] } })).unwrap();
    assert_eq!(server.get("accounts(new_code='7')").await.json()["accountid"], MISSING, "a column of a seed page");
}

const OTHER: &str = "00000000-0000-4000-8000-000000000001";

/// Two accounts: `ACCOUNT` with the number A-1, and `OTHER` without one.
async fn with_two_accounts(conditions: Value) -> Server {
    let server = Server::start().await;
    server.emulator.with_organisation(|organisation| {
        organisation.write(table::ACCOUNT, id(ACCOUNT), Changes::new().set("accountnumber", "A-1").set("name", "One"));
        organisation.write(table::ACCOUNT, id(OTHER), Changes::new().set("name", "Two"));
    });
    server.emulator.faults().conditions(conditions).unwrap();
    server
}

#[tokio::test]
async fn a_write_that_would_duplicate_a_key_is_rejected() {
    let server = with_two_accounts(json!({})).await;
    let (one, other) = (format!("accounts({ACCOUNT})"), format!("accounts({OTHER})"));
    let exists = "A record with matching key values already exists.";
    let number = |text: &str| json!({ "accountnumber": text });
    server.patch(&other, number("a-1")).await.expect_error(412, "0x80040237", exists);
    for condition in [&[][..], &[("if-none-match", "*")]] {
        let created = server.patch_with(&format!("accounts({MISSING})"), condition, number("A-1")).await;
        created.expect_error(412, "0x80040237", exists);
    }
    assert_eq!(server.get("accounts(accountnumber='A-1')").await.json()["accountid"], ACCOUNT);
    assert_eq!(server.get(&other).await.json()["accountnumber"], Value::Null, "a rejected write changes nothing");

    assert_eq!(server.patch(&one, number("A-1")).await.status, 204, "its own");
    assert_eq!(server.patch(&other, number("A-2")).await.status, 204);
    for empty in [json!(""), Value::Null] {
        for row in [&one, &other] {
            assert_eq!(server.patch(row, json!({ "accountnumber": empty })).await.status, 204, "{empty}");
        }
    }
    server.emulator.faults().conditions(json!({ "alternateKeys": {} })).unwrap();
    for row in [&one, &other] {
        assert_eq!(server.patch(row, number("A-1")).await.status, 204, "without a key");
    }
}

#[tokio::test]
async fn a_key_may_have_several_columns() {
    let keys = json!({ "account": ["name,_primarycontactid_value"] });
    let server = with_two_accounts(json!({ "alternateKeys": keys })).await;
    let (one, other) = (format!("accounts({ACCOUNT})"), format!("accounts({OTHER})"));
    let contact = bind("primarycontactid", &format!("/contacts({CONTACT})"));
    assert_eq!(server.patch(&one, contact.clone()).await.status, 204);
    assert_eq!(server.patch(&other, contact.clone()).await.status, 204, "the names differ");
    server.patch(&other, json!({ "name": "ONE" })).await.expect_error(412, "0x80040237", "");
    assert_eq!(server.patch(&other, json!({ "primarycontactid": null, "name": "One" })).await.status, 204);
    let url = json!({ "@odata.id": format!("/contacts({CONTACT})") });
    let headers = [("content-type", "application/json")];
    let reference = format!("{other}/primarycontactid/$ref");
    let put = server.send(Method::PUT, &reference, &headers, Some(url.to_string())).await;
    put.expect_error(412, "0x80040237", "");
}

#[tokio::test]
async fn a_key_that_two_seed_rows_share_addresses_neither() {
    let server = with_two_accounts(json!({})).await;
    let other = format!("accounts({OTHER})");
    server.emulator.with_organisation(|organisation| {
        organisation.write(table::ACCOUNT, id(OTHER), Changes::new().set("accountnumber", "a-1"));
    });
    let reason = format!("{OTHER} and {ACCOUNT} have the same key");
    server.get("accounts(accountnumber='A-1')").await.expect_not_emulated(&reason);
    let link = bind(NAV_ACCOUNT, "/accounts(accountnumber='A-1')");
    server.patch(&conversation_path(), link).await.expect_not_emulated(&reason);
    let unchanged = json!({ "accountnumber": "A-1", "name": "New" });
    assert_eq!(
        server.patch(&other, unchanged).await.status,
        204,
        "a write that does not change the key is not checked"
    );
}
