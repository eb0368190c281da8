//! `Prefer: odata.track-changes` and delta links.

use serde_json::{Value, json};

use crate::client::{ACCOUNT, MISSING, Server, TestResponse, conversation_path, page};

const TRACK: [(&str, &str); 1] = [("prefer", "odata.track-changes")];

/// The path of the link to later changes.
fn link(server: &Server, response: &TestResponse) -> String {
    let body = response.json();
    let link = body["@odata.deltaLink"].as_str().unwrap_or_else(|| panic!("{body}"));
    link.strip_prefix(server.emulator.url()).unwrap().to_owned()
}

fn rows(response: &TestResponse) -> Vec<Value> {
    response.json()["value"].as_array().unwrap_or_else(|| panic!("{}", response.text)).clone()
}

#[tokio::test]
async fn a_delta_link_leads_to_what_changed_since() {
    let server = Server::start().await;
    let first = server.get_with("accounts?$select=name", &TRACK).await;
    assert_eq!((first.header("preference-applied"), rows(&first).len()), (Some("odata.track-changes"), 1));
    let nothing = server.get_with(&link(&server, &first), &TRACK).await;
    assert_eq!(rows(&nothing), Vec::<Value>::new());
    let context = nothing.json()["@odata.context"].as_str().unwrap().to_owned();
    assert!(context.ends_with("$metadata#accounts(name)/$delta"), "{context}");

    assert_eq!(server.post("accounts", &[], json!({ "accountid": MISSING, "name": "New" })).await.status, 204);
    assert_eq!(server.post("contacts", &[], json!({ "lastname": "Other table" })).await.status, 204);
    let created = server.get(&link(&server, &nothing)).await;
    assert_eq!(rows(&created).iter().map(|row| row["name"].clone()).collect::<Vec<_>>(), ["New"]);

    assert_eq!(server.patch(&format!("accounts({ACCOUNT})"), json!({ "name": "Changed" })).await.status, 204);
    assert_eq!(server.delete(&format!("accounts({MISSING})"), &[]).await.status, 204);
    let changed = rows(&server.get(&link(&server, &created)).await);
    assert_eq!((changed.len(), &changed[0]["name"]), (2, &json!("Changed")));
    assert_eq!((&changed[1]["id"], &changed[1]["reason"]), (&json!(MISSING), &json!("deleted")));
    assert!(changed[1]["@odata.context"].as_str().unwrap().ends_with("#accounts/$deletedEntity"));
    assert_eq!(rows(&server.get(&link(&server, &first)).await).len(), 2, "from the first link, too");
}

#[tokio::test]
async fn a_failed_write_is_no_change() {
    let server = Server::start().await;
    let first = server.get_with("accounts", &TRACK).await;
    let broken = json!({ "name": "x", "contact_customer_accounts": [{ "nope": 1 }] });
    assert_eq!(server.post("accounts", &[], broken).await.status, 400);
    assert_eq!(rows(&server.get(&link(&server, &first)).await), Vec::<Value>::new());
}

#[tokio::test]
async fn a_token_expires_after_seven_days() {
    let server = Server::start().await;
    server.emulator.faults().conditions(json!({ "dateInMs": 1_790_000_000_000_u64 })).unwrap();
    let path = link(&server, &server.get_with("accounts", &TRACK).await);
    server.advance(7 * 86_400_000);
    assert_eq!(server.get(&path).await.status, 200);
    server.advance(1);
    server.get(&path).await.expect_error(400, "0x80044352", "has expired");
    server.get("accounts?$deltatoken=x").await.expect_not_emulated("has not issued");
}

#[tokio::test]
async fn other_options_and_tables_are_refused() {
    let server = Server::start().await;
    for (query, option) in [
        ("$filter=name eq 'x'", "$filter"),
        ("$orderby=name", "$orderby"),
        ("$expand=primarycontactid", "$expand"),
        ("$top=1", "$top"),
    ] {
        let response = server.get_with(&format!("accounts?{query}"), &TRACK).await;
        response.expect_error(400, "0x80060888", &format!("\"{option}\""));
    }
    server.get_with("tasks", &TRACK).await.expect_error(400, "0x80044353", "task");
    server.emulator.faults().conditions(json!({ "changeTracking": ["msdyn_ocliveworkitem"] })).unwrap();
    let first = server.get_with("msdyn_ocliveworkitems?$select=subject", &TRACK).await;
    assert_eq!(server.patch(&conversation_path(), json!({})).await.status, 204);
    assert_eq!(rows(&server.get(&link(&server, &first)).await).len(), 1);
    let definition = server.get("EntityDefinitions?$select=LogicalName&$filter=ChangeTrackingEnabled eq true").await;
    assert_eq!(rows(&definition)[0]["LogicalName"], "msdyn_ocliveworkitem");
}

/// The names, or ids of deleted rows, on each page of a response. `between` runs before each further page.
async fn pages(server: &Server, path: &str, size: usize, between: impl AsyncFn()) -> (Vec<Vec<Value>>, String) {
    let prefer = format!("odata.track-changes,odata.maxpagesize={size}");
    let (mut pages, mut path) = (Vec::new(), path.to_owned());
    loop {
        let response = server.get_with(&path, &[("prefer", &prefer)]).await;
        assert_eq!(response.header("preference-applied"), Some(prefer.as_str()));
        let name = |row: &Value| if row["reason"] == "deleted" { row["id"].clone() } else { row["name"].clone() };
        pages.push(rows(&response).iter().map(name).collect());
        let body = response.json();
        let Some(next) = body["@odata.nextLink"].as_str() else { return (pages, link(server, &response)) };
        assert_eq!(body.get("@odata.deltaLink"), None, "only on the last page");
        path = next.strip_prefix(server.emulator.url()).unwrap().to_owned();
        between().await;
    }
}

/// Three accounts after the usual one.
async fn with_accounts() -> Server {
    let server = Server::start().await;
    for number in 1..=3 {
        let body = json!({ "accountid": account(number), "name": number.to_string() });
        assert_eq!(server.post("accounts", &[], body).await.status, 204);
    }
    server
}

fn account(number: u8) -> String {
    // The later ones have smaller ids.
    format!("00000000-0000-4000-8000-00000000000{}", 9 - number)
}

#[tokio::test]
async fn changes_come_in_pages_in_the_order_of_their_versions() {
    let server = with_accounts().await;
    let (all, delta) = pages(&server, "accounts?$select=name", 3, async || ()).await;
    assert_eq!(all, [vec![json!("Fabrikam Coffee"), json!("1"), json!("2")], vec![json!("3")]]);
    assert!(!delta.contains("skiptoken") && delta.contains("$select=name&$deltatoken="), "{delta}");

    for (number, name) in [(3, "3a"), (1, "1a"), (3, "3b")] {
        let path = format!("accounts({})", account(number));
        assert_eq!(server.patch(&path, json!({ "name": name })).await.status, 204);
    }
    for id in [&account(2), ACCOUNT] {
        assert_eq!(server.delete(&format!("accounts({id})"), &[]).await.status, 204);
    }
    let (changed, later) = pages(&server, &delta, 1, async || ()).await;
    assert_eq!(changed.concat(), ["1a", "3b", &account(2), ACCOUNT].map(Value::from));
    assert_eq!(changed.len(), 4, "a page of one change each");
    assert_eq!(pages(&server, &later, 1, async || ()).await.0, [vec![]; 1] as [Vec<Value>; 1]);

    let count = async |path: &str| server.get(&path.replace("/accounts?$select=name&", "/accounts/$count?")).await;
    assert_eq!((count(&delta).await.text, count(&later).await.text), ("4".to_owned(), "0".to_owned()));
    server.get("accounts/$count?$deltatoken=x").await.expect_not_emulated("has not issued");
}

#[tokio::test]
async fn changes_between_pages_follow_in_the_delta() {
    let server = with_accounts().await;
    let (all, delta) = pages(&server, "accounts?$select=name", 2, async || {
        // A row of the first page, a row of the second one, and a new row.
        assert_eq!(server.delete(&format!("accounts({ACCOUNT})"), &[]).await.status, 204);
        assert_eq!(server.patch(&format!("accounts({})", account(2)), json!({ "name": "2a" })).await.status, 204);
        assert_eq!(server.post("accounts", &[], json!({ "name": "New" })).await.status, 204);
    })
    .await;
    assert_eq!(all, [vec![json!("Fabrikam Coffee"), json!("1")], vec![json!("3")]]);
    assert_eq!(pages(&server, &delta, 9, async || ()).await.0.concat(), ["2a", "New", ACCOUNT].map(Value::from));
}

#[tokio::test]
async fn a_row_that_exists_again_is_changed_and_not_deleted() {
    let server = with_accounts().await;
    let (_, delta) = pages(&server, "accounts?$select=name", 9, async || ()).await;
    let again = async |number: u8| {
        assert_eq!(server.delete(&format!("accounts({})", account(number)), &[]).await.status, 204);
        let body = json!({ "accountid": account(number), "name": "Again" });
        assert_eq!(server.post("accounts", &[], body).await.status, 204);
    };
    again(1).await;
    again(2).await;
    assert_eq!(server.delete(&format!("accounts({})", account(2)), &[]).await.status, 204);
    let changes = pages(&server, &delta, 9, async || ()).await.0.concat();
    assert_eq!(changes, ["Again", &account(2)].map(Value::from));
}

#[tokio::test]
async fn a_token_has_the_documented_form() {
    let server = Server::start().await;
    server.emulator.faults().conditions(json!({ "dateInMs": 1_503_389_444_000_u64 })).unwrap();
    let delta = link(&server, &server.get_with("accounts", &TRACK).await);
    let token = delta.split("$deltatoken=").nth(1).unwrap();
    let token = percent_encoding::percent_decode_str(token).decode_utf8().unwrap();
    assert!(token.ends_with("!08/22/2017 08:10:44"), "{token}");
    for other in ["999999!08/22/2017 08:10:44", "1!08/22/2017", "1!22/22/2017 08:10:44", "-1!08/22/2017 08:10:44"] {
        server.get(&format!("accounts?$deltatoken={other}")).await.expect_not_emulated("has not issued");
    }
}

#[tokio::test]
async fn only_sets_are_tracked() {
    let server = Server::start().await;
    let fetch = "accounts?fetchXml=<fetch><entity name='account'/></fetch>";
    for path in [&format!("accounts({ACCOUNT})/contact_customer_accounts"), "accounts/$count", fetch] {
        server.get_with(path, &TRACK).await.expect_not_emulated("change tracking here");
    }
    server.get_with("accounts?$count=true", &TRACK).await.expect_not_emulated("$count while tracking changes");
    let one = server.get_with(&format!("accounts({ACCOUNT})"), &TRACK).await;
    assert_eq!((one.status.as_u16(), one.header("preference-applied")), (200, None));
}

#[tokio::test]
async fn a_definition_tells_whether_changes_are_tracked() {
    let server = Server::start().await;
    let select = "$select=ChangeTrackingEnabled,CanChangeTrackingBeEnabled";
    for (table, tracks) in [("account", true), ("task", false)] {
        let row = server.get(&format!("EntityDefinitions(LogicalName='{table}')?{select}")).await.json();
        let can_be_enabled = &row["CanChangeTrackingBeEnabled"]["Value"];
        assert_eq!((&row["ChangeTrackingEnabled"], can_be_enabled), (&json!(tracks), &json!(true)), "{table}");
    }
    let tracked = server.get("EntityDefinitions?$select=SchemaName&$filter=ChangeTrackingEnabled eq true").await;
    let names: Vec<_> = rows(&tracked).iter().map(|row| row["SchemaName"].clone()).collect();
    assert!(names.contains(&json!("Account")) && !names.contains(&json!("Task")), "{names:?}");
    let annotated = server.get("$metadata?annotations=true").await.text;
    let plain = server.get("$metadata").await.text;
    let capability = "Org.OData.Capabilities.V1.ChangeTracking";
    assert!(annotated.contains(capability) && !plain.contains(capability));
}

#[tokio::test]
async fn a_page_of_changes_has_at_most_five_thousand_rows() {
    let server = Server::start().await;
    let many = (0..5000).map(|n| json!({ "accountid": format!("00000000-0000-4000-8000-{n:012}"), "name": "x" }));
    let many = page("accounts", many.collect::<Value>());
    server.emulator.with_organisation(|organisation| organisation.load_page("page", &many).unwrap());
    let first = server.get_with("accounts?$select=accountid", &TRACK).await;
    let body = first.json();
    assert_eq!((rows(&first).len(), body.get("@odata.deltaLink")), (5000, None));
    let next = body["@odata.nextLink"].as_str().unwrap().strip_prefix(server.emulator.url()).unwrap().to_owned();
    let last = server.get_with(&next, &TRACK).await;
    assert_eq!(rows(&last).len(), 1);
    assert!(link(&server, &last).contains("$deltatoken="));
}
