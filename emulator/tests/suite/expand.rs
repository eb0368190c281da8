//! `$expand`, navigation properties, collections, their references and `/$count`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{
    ACCOUNT, CONTACT, INCIDENT, MISSING, NAV_ACCOUNT, NAV_CASE, NAV_CONTACT, Server, bind, conversation_path,
};

async fn members(server: &Server, path: &str) -> Vec<Value> {
    let response = server.get(path).await;
    response.json()["value"].as_array().unwrap_or_else(|| panic!("{}", response.text)).clone()
}

#[tokio::test]
async fn a_row_is_expanded_with_what_it_points_to() {
    let server = Server::start().await;
    assert_eq!(
        server.patch(&conversation_path(), bind(NAV_CASE, &format!("/incidents({INCIDENT})"))).await.status,
        204
    );
    let path = format!(
        "{}?$select=subject&$expand={NAV_CONTACT}($select=fullname),{NAV_ACCOUNT},{NAV_CASE}($select=title;$expand=customerid_account($select=name))",
        conversation_path()
    );
    let row = server.get(&path).await.json();
    assert_eq!(row[NAV_CONTACT]["fullname"], "A. Tester");
    assert!(row[NAV_CONTACT].get("jobtitle").is_none() && row[NAV_CONTACT]["@odata.etag"].is_string());
    assert_eq!(row[NAV_ACCOUNT], Value::Null, "the customer is a contact");
    assert_eq!(row[NAV_CASE]["customerid_account"]["name"], "Fabrikam Coffee");
    let context = row["@odata.context"].as_str().unwrap();
    assert!(context.contains(&format!("(subject,{NAV_CONTACT}(fullname),{NAV_ACCOUNT}(),")), "{context}");
}

#[tokio::test]
async fn what_cannot_be_expanded_is_rejected() {
    let server = Server::start().await;
    for (expand, message) in [("nope", "'nope'"), ("msdyn_customer", "'msdyn_customer'"), ("subject", "'subject'")] {
        let response = server.get(&format!("{}?$expand={expand}", conversation_path())).await;
        response.expect_error(400, "0x80060888", &format!("property named {message}"));
    }
    for expand in ["", "primarycontactid($select=fullname", "primarycontactid(x)"] {
        server.get(&format!("accounts?$expand={expand}")).await.expect_error(400, "0x80060888", "query syntax");
    }
    for expand in ["*", "primarycontactid/$ref", "primarycontactid($top=1)", "primarycontactid($skip=1)"] {
        server.get(&format!("accounts?$expand={expand}")).await.expect_not_emulated("accounts?$expand");
    }
}

#[tokio::test]
async fn collections_are_read_filtered_and_counted() {
    let server = Server::start().await;
    for name in ["Bo", "Al", "Cy"] {
        let body = json!({ "lastname": name, "parentcustomerid_account@odata.bind": format!("/accounts({ACCOUNT})") });
        assert_eq!(server.post("contacts", &[], body).await.status, 204);
    }
    let path = format!("accounts({ACCOUNT})/contact_customer_accounts");
    let names = |rows: Vec<Value>| rows.iter().map(|row| row["fullname"].clone()).collect::<Vec<_>>();
    assert_eq!(
        names(members(&server, &format!("{path}?$select=fullname&$orderby=fullname desc&$top=2")).await),
        ["Cy", "Bo"]
    );
    assert_eq!(
        names(members(&server, &format!("{path}?$filter=lastname ne 'Bo'&$orderby=fullname")).await),
        ["Al", "Cy"]
    );
    let first =
        server.get_with(&format!("{path}?$orderby=fullname"), &[("prefer", "odata.maxpagesize=2")]).await.json();
    let next = first["@odata.nextLink"].as_str().unwrap().strip_prefix(server.emulator.url()).unwrap().to_owned();
    assert_eq!(names(members(&server, &next).await), ["Cy"]);
    for (count, expected) in [
        (format!("{path}/$count"), "3"),
        ("contacts/$count".to_owned(), "4"),
        ("contacts/$count?$filter=lastname eq 'Al'".to_owned(), "1"),
    ] {
        assert_eq!(server.get(&count).await.text, expected, "{count}");
    }
    let expanded = server.get("accounts?$expand=contact_customer_accounts($select=fullname;$filter=startswith(fullname,'A');$orderby=fullname;$top=5)").await;
    assert_eq!(names(expanded.json()["value"][0]["contact_customer_accounts"].as_array().unwrap().clone()), ["Al"]);
    server.get(&format!("accounts({MISSING})/contact_customer_accounts")).await.expect_error(
        404,
        "0x80040217",
        MISSING,
    );
}

#[tokio::test]
async fn rows_join_and_leave_a_collection_by_reference() {
    let server = Server::start().await;
    let path = format!("accounts({ACCOUNT})/contact_customer_accounts");
    let to = |id: &str| json!({ "@odata.id": format!("{}/api/data/v9.2/contacts({id})", server.emulator.url()) });
    assert_eq!(server.post(&format!("{path}/$ref"), &[], to(CONTACT)).await.status, 204);
    let references = members(&server, &format!("{path}/$ref")).await;
    assert_eq!(references, [to(CONTACT)]);
    server.post(&format!("{path}/$ref"), &[], to(MISSING)).await.expect_error(404, "0x80040217", MISSING);
    let wrong = json!({ "@odata.id": format!("accounts({ACCOUNT})") });
    server.post(&format!("{path}/$ref"), &[], wrong).await.expect_error(400, "0x80048d19", "does not lead to the type");
    assert_eq!(server.delete(&format!("{path}({CONTACT})/$ref"), &[]).await.status, 204);
    assert_eq!(members(&server, &path).await, Vec::<Value>::new());
    server.delete(&format!("{path}({CONTACT})/$ref"), &[]).await.expect_error(404, "0x80040217", CONTACT);
}

#[tokio::test]
async fn a_row_is_created_in_a_collection() {
    let server = Server::start().await;
    let path = format!("accounts({ACCOUNT})/contact_customer_accounts");
    let created = server
        .post(&format!("{path}?$select=fullname"), &[("prefer", "return=representation")], json!({ "lastname": "New" }))
        .await;
    assert_eq!((created.status.as_u16(), &created.json()["fullname"]), (201, &json!("New")));
    assert_eq!(members(&server, &format!("{path}?$select=fullname")).await[0]["fullname"], "New");
    let missing = format!("accounts({MISSING})/contact_customer_accounts");
    server.post(&missing, &[], json!({ "lastname": "X" })).await.expect_error(404, "0x80040217", MISSING);
}

#[tokio::test]
async fn many_to_many_relationships_are_read_from_both_sides() {
    let server = Server::start().await;
    assert_eq!(server.post("leads", &[], json!({ "leadid": MISSING, "subject": "L" })).await.status, 204);
    let path = format!("accounts({ACCOUNT})/accountleads_association");
    let lead = json!({ "@odata.id": format!("leads({MISSING})") });
    assert_eq!(server.post(&format!("{path}/$ref"), &[], lead.clone()).await.status, 204);
    server.post(&format!("{path}/$ref"), &[], lead).await.expect_error(412, "0x80040237", "");
    assert_eq!(members(&server, &path).await[0]["subject"], "L");
    let from_lead = members(&server, &format!("leads({MISSING})/accountleads_association")).await;
    assert_eq!(from_lead[0]["accountid"], ACCOUNT);
    assert_eq!(server.delete(&format!("{path}({MISSING})/$ref"), &[]).await.status, 204);
    assert_eq!(server.get(&format!("{path}/$count")).await.text, "0");
}

#[tokio::test]
async fn a_navigation_property_leads_to_its_row() {
    let server = Server::start().await;
    let path = format!("{}/{NAV_CONTACT}", conversation_path());
    assert_eq!(server.get(&format!("{path}?$select=fullname")).await.json()["fullname"], "A. Tester");
    let reference = server.get(&format!("{path}/$ref")).await.json();
    assert_eq!(reference["@odata.id"], format!("{}/api/data/v9.2/contacts({CONTACT})", server.emulator.url()));
    for empty in [NAV_CASE.to_owned(), format!("{NAV_CASE}/$ref"), format!("{NAV_ACCOUNT}/$ref")] {
        let response = server.send(Method::GET, &format!("{}/{empty}", conversation_path()), &[], None).await;
        assert_eq!((response.status.as_u16(), response.text.as_str()), (204, ""), "{empty}");
    }
}
