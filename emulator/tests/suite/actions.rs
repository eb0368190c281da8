//! Functions and actions.

use serde_json::{Value, json};

use crate::client::{ACCOUNT, CONTACT, INCIDENT, MISSING, NAV_CONTACT, Server, conversation_path, linked};

fn target(mut row: Value) -> Value {
    row["@odata.type"] = "Microsoft.Dynamics.CRM.account".into();
    row
}

async fn many(server: &Server, action: &str, rows: &[Value]) -> crate::client::TestResponse {
    server.post(&format!("accounts/Microsoft.Dynamics.CRM.{action}"), &[], json!({ "Targets": rows })).await
}

#[tokio::test]
async fn many_rows_are_created_and_updated_or_none() {
    let server = Server::start().await;
    let created =
        many(&server, "CreateMultiple", &[target(json!({ "name": "A" })), target(json!({ "name": "B" }))]).await.json();
    assert!(created["@odata.context"].as_str().unwrap().ends_with("#Microsoft.Dynamics.CRM.CreateMultipleResponse"));
    let ids: Vec<_> = created["Ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    let row = |id: &str, name: &str| target(json!({ "accountid": id, "name": name }));
    assert_eq!(many(&server, "UpdateMultiple", &[row(&ids[0], "A2"), row(&ids[1], "B2")]).await.status, 204);
    let failed = many(&server, "UpdateMultiple", &[row(&ids[0], "A3"), row(MISSING, "X")]).await;
    failed.expect_error(404, "0x80040217", MISSING);
    assert_eq!(server.get(&format!("accounts({})", ids[0])).await.json()["name"], "A2");
    for (rows, message) in
        [(json!([]), "from 1 to"), (json!([{ "name": "x" }]), "'@odata.type'"), (json!({}), "not an array")]
    {
        let body = json!({ "Targets": rows });
        let response = server.post("accounts/Microsoft.Dynamics.CRM.CreateMultiple", &[], body).await;
        response.expect_error(400, "0x80040203", message);
    }
}

#[tokio::test]
async fn many_rows_are_upserted_by_id_or_key() {
    let server = Server::start().await;
    let rows = [
        target(json!({ "accountid": ACCOUNT, "name": "Old" })),
        target(json!({ "accountid": MISSING, "name": "New" })),
        target(json!({ "@odata.id": "accounts(accountnumber='K-1')", "name": "Keyed" })),
    ];
    for _ in 0..2 {
        assert_eq!(many(&server, "UpsertMultiple", &rows).await.status, 204);
    }
    for (path, name) in [
        (format!("accounts({ACCOUNT})"), "Old"),
        (format!("accounts({MISSING})"), "New"),
        ("accounts(accountnumber='K-1')".to_owned(), "Keyed"),
    ] {
        assert_eq!(server.get(&path).await.json()["name"], name, "{path}");
    }
    assert_eq!(server.get("accounts/$count").await.text, "3");
}

#[tokio::test]
async fn a_merge_moves_what_pointed_to_the_subordinate() {
    let server = Server::start().await;
    let contact = |id: &str| json!({ "@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": id });
    assert_eq!(server.post("contacts", &[], json!({ "contactid": MISSING, "lastname": "Kept" })).await.status, 204);
    let body = json!({
        "Target": contact(MISSING), "Subordinate": contact(CONTACT), "PerformParentingChecks": false,
        "UpdateContent": { "@odata.type": "Microsoft.Dynamics.CRM.contact", "jobtitle": "Tester" },
    });
    assert_eq!(server.post("Merge", &[], body).await.status, 204);
    assert_eq!(server.conversation().1, linked("contact", MISSING), "the link follows");
    let subordinate = server.get(&format!("contacts({CONTACT})")).await.json();
    assert_eq!((&subordinate["statecode"], &subordinate["merged"]), (&json!(1), &json!(true)));
    assert_eq!(server.get(&format!("contacts({MISSING})")).await.json()["jobtitle"], "Tester");
    let same = json!({ "Target": contact(MISSING), "Subordinate": contact(MISSING) });
    server.post("Merge", &[], same).await.expect_error(400, "0x80040203", "the same row");
    server.post("Merge", &[], json!({ "Target": contact(MISSING) })).await.expect_error(
        400,
        "0x80040203",
        "'Subordinate'",
    );
}

#[tokio::test]
async fn a_case_is_closed_once() {
    let server = Server::start().await;
    let body = |status: i64| json!({ "IncidentResolution": { "subject": "Done", "incidentid@odata.bind": format!("/incidents({INCIDENT})") }, "Status": status });
    server.post("CloseIncident", &[], body(6)).await.expect_error(400, "0x80048408", "not a valid status code");
    assert_eq!(server.post("CloseIncident", &[], body(5)).await.status, 204);
    let row = server.get(&format!("incidents({INCIDENT})?$select=statecode,statuscode")).await.json();
    assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(1), &json!(5)));
    server.post("CloseIncident", &[], body(5)).await.expect_error(400, "0x800404cf", "already");
    let background = [("prefer", "respond-async")];
    server.post("CloseIncident", &background, body(5)).await.expect_not_emulated("in the background");
}

#[tokio::test]
async fn a_row_is_in_one_queue_at_most() {
    let server = Server::start().await;
    for (id, name) in [(MISSING, "One"), (ACCOUNT, "Two")] {
        assert_eq!(server.post("queues", &[], json!({ "queueid": id, "name": name })).await.status, 204);
    }
    let target = json!({ "Target": { "@odata.type": "Microsoft.Dynamics.CRM.incident", "incidentid": INCIDENT } });
    let add = |queue: &str| format!("queues({queue})/Microsoft.Dynamics.CRM.AddToQueue");
    let first = server.post(&add(MISSING), &[], target.clone()).await.json()["QueueItemId"].clone();
    let second = server.post(&add(ACCOUNT), &[], target).await.json()["QueueItemId"].clone();
    assert_eq!(first, second);
    let item = server.get(&format!("queueitems({})", second.as_str().unwrap())).await.json();
    assert_eq!((&item["_queueid_value"], &item["_objectid_value"]), (&json!(ACCOUNT), &json!(INCIDENT)));
}

#[tokio::test]
async fn records_are_counted_by_table() {
    let server = Server::start().await;
    for names in [
        "RetrieveTotalRecordCount(EntityNames=['account','contact'])",
        "RetrieveTotalRecordCount(EntityNames=@p1)?@p1=[\"account\",\"contact\"]",
    ] {
        let counts = server.get(names).await.json()["EntityRecordCountCollection"].clone();
        assert_eq!((&counts["Keys"], &counts["Values"]), (&json!(["account", "contact"]), &json!([1, 1])), "{names}");
    }
    server.get("RetrieveTotalRecordCount(EntityNames=['nope'])").await.expect_error(404, "0x80041102", "'nope'");
    server.get("RetrieveTotalRecordCount").await.expect_error(400, "0x80040203", "'EntityNames'");
}

#[tokio::test]
async fn what_dataverse_has_and_the_emulator_has_not_is_said_by_name() {
    let server = Server::start().await;
    for path in ["CalculateRollupField(Target=@p0,FieldName=@p1)", "GrantAccess", "workflows", "sharepointsites"] {
        server.get(path).await.expect_not_emulated(&format!("GET /api/data/v9.2/{path}:"));
    }
    let bound = format!("{}/Microsoft.Dynamics.CRM.CCaaS_EndSession", conversation_path());
    server.post(&bound, &[], json!({})).await.expect_not_emulated("CCaaS_EndSession");
    server.get("DoesNotExist(x=1)").await.expect_error(404, "0x8006088a", "DoesNotExist");
    assert_eq!(server.conversation().1, linked("contact", CONTACT), "{NAV_CONTACT}");
}

#[tokio::test]
async fn an_opportunity_is_won_or_lost_once() {
    let server = Server::start().await;
    for (id, action, state, default, other) in
        [(MISSING, "WinOpportunity", 1, 3, None), (ACCOUNT, "LoseOpportunity", 2, 4, Some(5))]
    {
        assert_eq!(server.post("opportunities", &[], json!({ "opportunityid": id, "name": "Sale" })).await.status, 204);
        let close = json!({ "subject": "Done", "opportunityid@odata.bind": format!("/opportunities({id})") });
        let body = |status: i64| json!({ "OpportunityClose": close, "Status": status });
        server.post(action, &[], body(1)).await.expect_error(400, "0x80048408", "not a valid status code");
        assert_eq!(server.post(action, &[], body(other.unwrap_or(-1))).await.status, 204, "{action}");
        let row = server.get(&format!("opportunities({id})?$select=statecode,statuscode")).await.json();
        assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(state), &json!(other.unwrap_or(default))));
        server.post(action, &[], body(-1)).await.expect_error(400, "0x80040203", "closed already");
    }
    server.post("WinOpportunity", &[], json!({})).await.expect_error(400, "0x80040203", "'OpportunityClose'");
}
