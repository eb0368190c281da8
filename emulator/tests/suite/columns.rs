//! Columns of all types: which values they accept, and how those are shown.

use serde_json::{Value, json};

use crate::client::{ACCOUNT, CONTACT, MISSING, Server, TestResponse, bind};

const ALL: (&str, &str) = ("prefer", "odata.include-annotations=\"*\"");

fn contact() -> String {
    format!("contacts({CONTACT})")
}

fn account() -> String {
    format!("accounts({ACCOUNT})")
}

async fn write(server: &Server, row: &str, column: &str, value: &Value) -> TestResponse {
    server.patch(row, json!({ column: value })).await
}

/// The value of a column, and its formatted value.
async fn read(server: &Server, row: &str, column: &str) -> (Value, Value) {
    let body = server.get_with(&format!("{row}?$select={column}"), &[ALL]).await.json();
    let formatted = body.get(format!("{column}@OData.Community.Display.V1.FormattedValue")).cloned();
    (body[column].clone(), formatted.unwrap_or_default())
}

#[tokio::test]
async fn values_are_shown_as_in_an_american_form() {
    let server = Server::start().await;
    server.post("tasks", &[], json!({ "activityid": MISSING, "subject": "Call" })).await;
    let (account, contact, task) = (account(), contact(), format!("tasks({MISSING})"));
    for (row, column, value, formatted) in [
        (&account, "numberofemployees", json!(1_234_567), json!("1,234,567")),
        (&account, "creditlimit", json!(1234.5), json!("$1,234.50")),
        (&account, "address1_latitude", json!(-12.25), json!("-12.25000")),
        (&account, "donotemail", json!(true), json!("Do Not Allow")),
        (&account, "industrycode", json!(1), json!("Accounting")),
        (&account, "lastonholdtime", json!("2026-11-05T17:04:00Z"), json!("11/5/2026 5:04 PM")),
        (&account, "description", json!("Two\nlines"), Value::Null),
        (&contact, "birthdate", json!("1990-03-01"), json!("3/1/1990")),
        (&contact, "gendercode", json!(2), json!("Female")),
        (&task, "actualdurationminutes", json!(0), json!("0")),
    ] {
        assert_eq!(write(&server, row, column, &value).await.status, 204, "{column}");
        assert_eq!(read(&server, row, column).await, (value, formatted), "{column}");
        assert_eq!(write(&server, row, column, &Value::Null).await.status, 204, "{column}");
        assert_eq!(read(&server, row, column).await, (Value::Null, Value::Null), "{column}");
    }
    let (value, formatted) = read(&server, &task, "activitytypecode").await;
    assert_eq!((value, formatted), (json!("task"), json!("Task")));
    let plain = server.get(&format!("{account}?$select=industrycode,statecode")).await.json();
    assert!(plain.as_object().unwrap().keys().all(|name| !name.contains("FormattedValue")), "{plain}");
}

#[tokio::test]
async fn values_of_another_type_are_rejected() {
    let server = Server::start().await;
    let (account, contact) = (account(), contact());
    for (row, column, values, expected) in [
        (&account, "name", vec![json!(5), json!(true), json!([]), json!({})], "Edm.String"),
        (&account, "numberofemployees", vec![json!("5"), json!(5.5), json!(3_000_000_000_u64)], "Edm.Int32"),
        (&account, "industrycode", vec![json!("1"), json!("Accounting"), json!(1.5)], "Edm.Int32"),
        (&account, "creditlimit", vec![json!("much"), json!(true)], "Edm.Decimal"),
        (&account, "address1_latitude", vec![json!("north"), json!([])], "Edm.Double"),
        (&account, "donotemail", vec![json!(0), json!("true")], "Edm.Boolean"),
        (
            &account,
            "lastonholdtime",
            vec![json!("5/11/2026"), json!(0), json!("2026-13-01T00:00:00Z")],
            "Edm.DateTimeOffset",
        ),
        (&contact, "birthdate", vec![json!("1990-03-01T00:00:00Z"), json!("1990-02-30")], "Edm.Date"),
        (&account, "accountid", vec![json!("1"), json!(format!("{{{ACCOUNT}}}"))], "Edm.Guid"),
    ] {
        for value in values {
            let response = write(&server, row, column, &value).await;
            response.expect_error(400, "0x80048d19", &format!("to the expected type '{expected}'"));
        }
    }
    assert_eq!(server.get(&account).await.json()["name"], "Fabrikam Coffee");
}

#[tokio::test]
async fn values_outside_of_their_limits_are_rejected() {
    let server = Server::start().await;
    let (account, contact) = (account(), contact());
    for (row, column, inside, outside, code, text) in [
        (
            &account,
            "name",
            json!("x".repeat(160)),
            json!("x".repeat(161)),
            "0x80044331",
            "maximum allowed length of '160'",
        ),
        // A length counts UTF-16, as the database does.
        (&account, "tickersymbol", json!("\u{1f600}".repeat(5)), json!("\u{1f600}".repeat(6)), "0x80044331", "'10'"),
        (&account, "description", json!("x".repeat(2000)), json!("x".repeat(2001)), "0x80044331", "'description'"),
        (&account, "numberofemployees", json!(0), json!(-1), "0x80044330", "Accepted values: 0 to 1000000000"),
        (&account, "address1_latitude", json!(90), json!(90.5), "0x80044330", "Accepted values: -90 to 90"),
        (&account, "creditlimit", json!(0), json!(-0.01), "0x80044330", "'creditlimit'"),
        (&account, "industrycode", json!(33), json!(34), "0x8004431a", "The value '34' of 'industrycode'"),
        (
            &account,
            "lastonholdtime",
            json!("1753-01-01T00:00:00Z"),
            json!("1752-12-31T23:59:59Z"),
            "0x80040239",
            "01/01/1753",
        ),
        (&contact, "birthdate", json!("1753-01-01"), json!("1752-12-31"), "0x80040239", "01/01/1753"),
    ] {
        assert_eq!(write(&server, row, column, &inside).await.status, 204, "{column}");
        write(&server, row, column, &outside).await.expect_error(400, code, text);
        assert_eq!(read(&server, row, column).await.0, inside, "{column}");
        let created =
            server.post(if row == &account { "accounts" } else { "contacts" }, &[], json!({ column: outside })).await;
        created.expect_error(400, code, text);
    }
    assert_eq!(server.get("accounts/$count").await.text, "1");
}

#[tokio::test]
async fn times_are_stored_in_utc_with_whole_seconds() {
    let server = Server::start().await;
    let account = account();
    for (sent, stored) in [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00.987Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T00:30:00+01:00", "2026-02-28T23:30:00Z"),
        ("2026-03-01T00:30:00-08:00", "2026-03-01T08:30:00Z"),
        ("2026-03-01", "2026-03-01T00:00:00Z"),
    ] {
        assert_eq!(write(&server, &account, "lastonholdtime", &json!(sent)).await.status, 204, "{sent}");
        assert_eq!(read(&server, &account, "lastonholdtime").await.0, stored, "{sent}");
    }
    let found = server.get("accounts/$count?$filter=lastonholdtime ge 2026-03-01T00:00:00Z").await;
    assert_eq!(found.text, "1");
}

#[tokio::test]
async fn columns_that_cannot_be_set_are_ignored_with_a_warning() {
    let server = Server::start().await;
    let before = server.get(&account()).await.json();
    let body = json!({ "exchangerate": 2.5, "versionnumber": 1, "createdon": "2000-01-01T00:00:00Z" });
    assert_eq!(server.patch(&account(), body).await.status, 204);
    let after = server.get(&account()).await.json();
    assert_eq!((&after["exchangerate"], &after["createdon"]), (&before["exchangerate"], &before["createdon"]));
    assert_ne!(after["versionnumber"], 1);
    let warnings = server.emulator.requests()[1].warnings.join("\n");
    for name in ["exchangerate", "versionnumber", "createdon"] {
        assert!(warnings.contains(&format!("'{name}' cannot be set here")), "{warnings}");
    }
}

#[tokio::test]
async fn a_row_may_be_sent_back_as_it_was_read() {
    let server = Server::start().await;
    let mut row = server.get_with(&format!("{}?$select=name,industrycode,statecode", account()), &[ALL]).await.json();
    row["name"] = "Changed".into();
    row["name@odata.type"] = "#String".into();
    assert_eq!(server.patch(&account(), row).await.status, 204, "annotations are ignored");
    assert_eq!(server.get(&account()).await.json()["name"], "Changed");
    let unknown = json!({ "name@example.note": "x" });
    server.patch(&account(), unknown).await.expect_not_emulated("the annotation 'name@example.note' in a body");
    let other = json!({ "@odata.type": "#Microsoft.Dynamics.CRM.contact" });
    server.patch(&account(), other).await.expect_error(400, "0x80048d19", "not assignable");
    let headers = [("content-type", "application/json"), ("if-match", "*")];
    let twice = "{\"name\":\"a\",\"telephone1\":\"1\",\"name\":\"b\"}".to_owned();
    let response = server.send(reqwest::Method::PATCH, &account(), &headers, Some(twice)).await;
    response.expect_error(400, "0x80048d19", "Multiple properties with the name 'name'");
}

#[tokio::test]
async fn a_relationship_may_forbid_a_deletion() {
    let server = Server::start().await;
    let list = json!({ "pricelevelid": MISSING, "name": "List" });
    assert_eq!(server.post("pricelevels", &[], list).await.status, 204);
    let to = bind("defaultpricelevelid", &format!("/pricelevels({MISSING})"));
    assert_eq!(server.patch(&account(), to).await.status, 204);
    let path = format!("pricelevels({MISSING})");
    server.delete(&path, &[]).await.expect_error(405, "0x80040227", "cannot be deleted");
    assert_eq!(server.get(&path).await.status, 200);
    assert_eq!(server.patch(&account(), json!({ "defaultpricelevelid": null })).await.status, 204);
    assert_eq!(server.delete(&path, &[]).await.status, 204);
}
