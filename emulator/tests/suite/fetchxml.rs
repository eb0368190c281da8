//! `FetchXML`: columns, conditions, joins, pages and aggregates.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use crate::client::{ACCOUNT, CONTACT, Server, TestResponse};

const ALL: [(&str, &str); 1] = [("prefer", "odata.include-annotations=\"*\"")];

async fn fetch(server: &Server, set: &str, xml: &str) -> TestResponse {
    let xml = utf8_percent_encode(xml, NON_ALPHANUMERIC);
    server.get_with(&format!("{set}?fetchXml={xml}"), &ALL).await
}

async fn rows(server: &Server, xml: &str) -> Vec<Value> {
    let response = fetch(server, "contacts", xml).await;
    response.json()["value"].as_array().unwrap_or_else(|| panic!("{}", response.text)).clone()
}

/// Four contacts besides the usual one: three of the account, with children and birthdays.
async fn server() -> Server {
    let server = Server::start().await;
    server.emulator.faults().conditions(json!({ "dateInMs": 1_790_000_000_000_u64 })).unwrap();
    for (name, children, birthday, of_account) in [
        ("Al", 1, "1990-03-01", true),
        ("Bo", 2, "1990-07-15", true),
        ("Cy", 3, "2001-12-24", true),
        ("Di", 4, "2001-01-01", false),
    ] {
        let mut body = json!({ "lastname": name, "numberofchildren": children, "birthdate": birthday, "gendercode": 1 + children % 2 });
        if of_account {
            body["parentcustomerid_account@odata.bind"] = format!("/accounts({ACCOUNT})").into();
        }
        assert_eq!(server.post("contacts", &[], body).await.status, 204);
    }
    server
}

/// The names that a filter finds.
async fn found(server: &Server, filter: &str) -> Vec<String> {
    let xml = format!(
        "<fetch><entity name='contact'><attribute name='fullname'/><order attribute='fullname'/>{filter}</entity></fetch>"
    );
    rows(server, &xml).await.iter().map(|row| row["fullname"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn conditions_find_rows() {
    let server = server().await;
    for (condition, expected) in [
        ("attribute='numberofchildren' operator='eq' value='2'", vec!["Bo"]),
        ("attribute='numberofchildren' operator='ne' value='2'", vec!["A. Tester", "Al", "Cy", "Di"]),
        ("attribute='numberofchildren' operator='ge' value='3'", vec!["Cy", "Di"]),
        ("attribute='numberofchildren' operator='null'", vec!["A. Tester"]),
        ("attribute='lastname' operator='like' value='%i%'", vec!["Di"]),
        ("attribute='fullname' operator='begins-with' value='a'", vec!["A. Tester", "Al"]),
        ("attribute='fullname' operator='not-like' value='a%'", vec!["Bo", "Cy", "Di"]),
        ("attribute='birthdate' operator='on-or-after' value='2001-01-01'", vec!["Cy", "Di"]),
        ("attribute='birthdate' operator='on' value='2001-01-01'", vec!["Di"]),
        ("attribute='createdon' operator='today'", vec!["Al", "Bo", "Cy", "Di"]),
        ("attribute='createdon' operator='olderthan-x-days' value='1'", vec![]),
        ("attribute='ownerid' operator='eq-userid'", vec!["Al", "Bo", "Cy", "Di"]),
        ("attribute='contactid' operator='eq' value='{2D9F1C55-7B0A-4A9B-8F2E-0E4A7C1F9B10}'", vec!["A. Tester"]),
    ] {
        assert_eq!(
            found(&server, &format!("<filter><condition {condition}/></filter>")).await,
            expected,
            "{condition}"
        );
    }
    let list =
        "<filter><condition attribute='lastname' operator='in'><value>Al</value><value>bo</value></condition></filter>";
    assert_eq!(found(&server, list).await, ["Al", "Bo"]);
    let between = "<filter><condition attribute='numberofchildren' operator='between'><value>2</value><value>3</value></condition></filter>";
    assert_eq!(found(&server, between).await, ["Bo", "Cy"]);
    let either = "<filter type='or'><condition attribute='lastname' operator='eq' value='Al'/><filter><condition attribute='lastname' operator='eq' value='Di'/></filter></filter>";
    assert_eq!(found(&server, either).await, ["Al", "Di"]);
}

#[tokio::test]
async fn rows_have_the_asked_columns_or_all() {
    let server = server().await;
    let xml = "<fetch top='1'><entity name='contact'><attribute name='fullname' alias='who'/><attribute name='parentcustomerid'/>\
               <filter><condition attribute='lastname' operator='eq' value='Al'/></filter></entity></fetch>";
    let row = rows(&server, xml).await.remove(0);
    assert_eq!(
        (&row["who"], &row["_parentcustomerid_value"], row.get("lastname")),
        (&json!("Al"), &json!(ACCOUNT), None)
    );
    assert_eq!(row["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"], "account");
    assert!(row["contactid"].is_string() && row["@odata.etag"].is_string());
    let all = rows(&server, "<fetch><entity name='contact'/></fetch>").await;
    assert!(all.len() == 5 && all[0].get("jobtitle").is_some());
}

#[tokio::test]
async fn tables_are_joined() {
    let server = server().await;
    let join = |kind: &str| {
        format!(
            "<fetch><entity name='contact'><attribute name='fullname'/><order attribute='fullname'/>\
             <link-entity name='account' from='accountid' to='parentcustomerid' alias='a' link-type='{kind}'><attribute name='name'/>\
             </link-entity></entity></fetch>"
        )
    };
    let inner = rows(&server, &join("inner")).await;
    assert_eq!(inner.iter().map(|row| &row["fullname"]).collect::<Vec<_>>(), ["Al", "Bo", "Cy"]);
    assert_eq!(inner[0]["a.name"], "Fabrikam Coffee");
    let outer = rows(&server, &join("outer")).await;
    assert_eq!((outer.len(), outer[0].get("a.name"), &outer[1]["a.name"]), (5, None, &json!("Fabrikam Coffee")));
    let without = "<link-entity name='account' from='accountid' to='parentcustomerid' alias='a' link-type='outer'/>\
                   <filter><condition entityname='a' attribute='accountid' operator='null'/></filter>";
    assert_eq!(found(&server, without).await, ["A. Tester", "Di"]);
    let back = "<fetch distinct='true'><entity name='account'><attribute name='name'/><link-entity name='contact' from='parentcustomerid' to='accountid'/></entity></fetch>";
    let accounts = fetch(&server, "accounts", back).await.json();
    assert_eq!(accounts["value"].as_array().unwrap().len(), 1, "{accounts}");
}

#[tokio::test]
async fn pages_have_a_cookie_except_the_last() {
    let server = server().await;
    let page = |number: usize| {
        format!(
            "<fetch count='2' page='{number}' returntotalrecordcount='true'><entity name='contact'><attribute name='fullname'/><order attribute='fullname'/></entity></fetch>"
        )
    };
    let mut names = Vec::new();
    for number in 1..=3 {
        let body = fetch(&server, "contacts", &page(number)).await.json();
        assert_eq!(body["@Microsoft.Dynamics.CRM.totalrecordcount"], 5);
        names.extend(body["value"].as_array().unwrap().iter().map(|row| row["fullname"].clone()));
        let cookie = body.get("@Microsoft.Dynamics.CRM.fetchxmlpagingcookie").map(|cookie| cookie.as_str().unwrap());
        assert_eq!(body.get("@Microsoft.Dynamics.CRM.morerecords"), (number < 3).then_some(&json!(true)));
        let Some(cookie) = cookie else {
            assert_eq!(number, 3);
            continue;
        };
        assert!(cookie.starts_with(&format!("<cookie pagenumber=\"{}\" pagingcookie=\"%253C", number + 1)), "{cookie}");
        let once = percent_decode_str(cookie).decode_utf8().unwrap().into_owned();
        let twice = percent_decode_str(&once).decode_utf8().unwrap();
        assert!(twice.contains(&format!("<cookie page=\"{number}\"><contactid last=\"{{")), "{twice}");
    }
    assert_eq!(names, ["A. Tester", "Al", "Bo", "Cy", "Di"]);
}

#[tokio::test]
async fn groups_are_aggregated() {
    let server = server().await;
    let xml = "<fetch aggregate='true'><entity name='contact'><attribute name='birthdate' groupby='true' dategrouping='year' alias='year'/>\
               <attribute name='contactid' aggregate='count' alias='n'/><attribute name='numberofchildren' aggregate='sum' alias='sum'/>\
               <attribute name='numberofchildren' aggregate='avg' alias='avg'/><attribute name='lastname' aggregate='max' alias='last'/>\
               <filter><condition attribute='birthdate' operator='not-null'/></filter><order alias='year' descending='true'/></entity></fetch>";
    let groups = rows(&server, xml).await;
    assert_eq!(
        groups,
        [
            json!({ "year": 2001, "n": 2, "sum": 7, "avg": 3.5, "last": "Di" }),
            json!({ "year": 1990, "n": 2, "sum": 3, "avg": 1.5, "last": "Bo" }),
        ]
    );
    let none = "<fetch aggregate='true'><entity name='contact'><attribute name='contactid' aggregate='count' alias='n'/><filter><condition attribute='lastname' operator='eq' value='-'/></filter></entity></fetch>";
    assert_eq!(rows(&server, none).await, [json!({ "n": 0 })]);
}

#[tokio::test]
async fn invalid_queries_are_rejected_with_the_reason() {
    let server = server().await;
    let entity = |inner: &str| format!("<fetch><entity name='contact'>{inner}</entity></fetch>");
    for (xml, message) in [
        ("x".to_owned(), "Invalid XML"),
        ("<fetch/>".to_owned(), "'fetch' must have one 'entity'"),
        ("<get/>".to_owned(), "The root element is not 'fetch'"),
        ("<fetch><entity name='account'/></fetch>".to_owned(), "not that of the set"),
        ("<fetch page='0'><entity name='contact'/></fetch>".to_owned(), "begin at 1"),
        ("<fetch top='1' page='2'><entity name='contact'/></fetch>".to_owned(), "'top' cannot be used"),
        (
            entity("<filter><condition attribute='numberofchildren' operator='eq' value='x'/></filter>"),
            "'x' is no value",
        ),
        (entity("<filter><condition entityname='b' attribute='name' operator='null'/></filter>"), "with the alias 'b'"),
    ] {
        fetch(&server, "contacts", &xml).await.expect_error(400, "0x8004111c", message);
    }
    let unknown = fetch(&server, "contacts", &entity("<attribute name='nope'/>")).await;
    unknown.expect_error(400, "0x80041103", "Name = 'nope'");
    let deep = format!("{}{}", "<filter>".repeat(40), "</filter>".repeat(40));
    for (xml, reason) in [
        (
            entity("<filter><condition attribute='fullname' operator='above' value='x'/></filter>"),
            "the operator 'above'",
        ),
        (entity("<link-entity name='workflow' from='a' to='b'/>"), "a table it does not have"),
        (
            entity("<link-entity name='account' from='accountid' to='parentcustomerid' link-type='exists'/>"),
            "link-type 'exists'",
        ),
        (entity(&deep), "nested more than"),
    ] {
        fetch(&server, "contacts", &xml).await.expect_not_emulated(reason);
    }
    let options = server.get("contacts?fetchXml=x&$select=fullname").await;
    options.expect_not_emulated("other query options");
    assert_eq!(server.get(&format!("contacts({CONTACT})")).await.status, 200);
}

#[tokio::test]
async fn tables_are_joined_by_pairs() {
    let server = server().await;
    let user = server.get("WhoAmI").await.json()["UserId"].as_str().unwrap().to_owned();
    for name in ["Empty", "One"] {
        let created = server.post("teams", &[("prefer", "return=representation")], json!({ "name": name })).await;
        let team = created.json()["teamid"].as_str().unwrap().to_owned();
        if name == "One" {
            let body = json!({ "@odata.id": format!("{}/api/data/v9.2/systemusers({user})", server.emulator.url()) });
            let path = format!("teams({team})/teammembership_association/$ref");
            assert_eq!(server.post(&path, &[], body).await.status, 204);
        }
    }
    let query = |inner: &str| {
        format!(
            "<fetch><entity name='team'><attribute name='name'/><order attribute='name'/>\
             <link-entity name='teammembership' from='teamid' to='teamid' intersect='true' alias='m'>{inner}\
             <link-entity name='systemuser' from='systemuserid' to='systemuserid' alias='u'><attribute name='fullname'/>\
             </link-entity></link-entity></entity></fetch>"
        )
    };
    let teams = fetch(&server, "teams", &query("<attribute name='systemuserid'/>")).await.json();
    assert_eq!(teams["value"].as_array().unwrap().len(), 1, "{teams}");
    let row = &teams["value"][0];
    assert_eq!(
        (&row["name"], &row["m.systemuserid"], row["u.fullname"].is_string()),
        (&json!("One"), &json!(user), true)
    );
    let other = query("<filter><condition attribute='systemuserid' operator='ne-userid'/></filter>");
    assert_eq!(fetch(&server, "teams", &other).await.json()["value"], json!([]));
    let own = query("<attribute name='teammembershipid'/>");
    fetch(&server, "teams", &own).await.expect_not_emulated("'teammembershipid' of the intersect table");
}

#[tokio::test]
async fn many_rows_are_joined_and_paged_at_once() {
    let server = server().await;
    let body = fetch(&server, "contacts", "<fetch top='2' returntotalrecordcount='true'><entity name='contact'><attribute name='fullname'/><link-entity name='contact' from='gendercode' to='gendercode' alias='c'><attribute name='contactid'/></link-entity></entity></fetch>").await.json();
    assert_eq!(
        (body["value"].as_array().unwrap().len(), &body["@Microsoft.Dynamics.CRM.totalrecordcount"]),
        (2, &json!(8))
    );
}
