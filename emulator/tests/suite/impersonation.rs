//! Users: impersonation by both ids, stamps, owners, and filters by the own id.

use serde_json::{Value, json};

use crate::client::{ACCOUNT, AGENT, CONVERSATION, Server, TestResponse, bind, conversation_path, page};

/// The id of the agent in Entra.
const OBJECT: &str = "5d7e9b1c-2f46-4c8a-b0d3-6a1f8e4c7b25";

async fn server() -> Server {
    let server = Server::start().await;
    let agent = json!([{ "systemuserid": AGENT, "fullname": "Agent", "azureactivedirectoryobjectid": OBJECT }]);
    server.emulator.with_organisation(|organisation| organisation.load_page("p", &page("systemusers", agent)).unwrap());
    server
}

async fn write_as(server: &Server, caller: (&str, &str)) -> TestResponse {
    let headers = [("if-match", "*"), ("prefer", "return=representation"), caller];
    server.patch_with(&format!("accounts({ACCOUNT})"), &headers, json!({ "name": "New" })).await
}

#[tokio::test]
async fn a_caller_is_found_by_both_ids() {
    let server = server().await;
    let me = server.get("WhoAmI").await.json()["UserId"].clone();
    for caller in [("callerobjectid", OBJECT), ("mscrmcallerid", AGENT)] {
        let row = write_as(&server, caller).await.json();
        assert_eq!((&row["_modifiedby_value"], &row["_modifiedonbehalfby_value"]), (&json!(AGENT), &me), "{caller:?}");
        let who = server.get_with("WhoAmI", &[caller]).await.json();
        assert_eq!(who["UserId"], AGENT, "{caller:?}");
    }
    let row = write_as(&server, ("accept", "application/json")).await.json();
    assert_eq!((&row["_modifiedby_value"], &row["_modifiedonbehalfby_value"]), (&me, &Value::Null));
}

#[tokio::test]
async fn a_row_keeps_its_creator_and_gets_the_time_of_each_change() {
    let server = server().await;
    server.emulator.faults().conditions(json!({ "dateInMs": 1_790_000_000_000_u64 })).unwrap();
    let headers = [("prefer", "return=representation"), ("mscrmcallerid", AGENT)];
    let created = server.post("accounts", &headers, json!({ "name": "New" })).await.json();
    assert_eq!((&created["_ownerid_value"], &created["_owninguser_value"]), (&json!(AGENT), &json!(AGENT)));
    assert!(created["_owningbusinessunit_value"].is_string());
    server.advance(60_000);
    let path = format!("accounts({})", created["accountid"].as_str().unwrap());
    let changed =
        server.patch_with(&path, &[("prefer", "return=representation")], json!({ "name": "Newer" })).await.json();
    assert_eq!(
        (&changed["createdon"], &changed["modifiedon"]),
        (&json!("2026-09-21T14:13:20Z"), &json!("2026-09-21T14:14:20Z"))
    );
    assert_eq!((&changed["_createdby_value"], &changed["_ownerid_value"]), (&json!(AGENT), &json!(AGENT)));
    let imported = json!({ "name": "Old", "overriddencreatedon": "2001-02-03T04:05:06Z" });
    let imported = server.post("accounts", &headers[..1], imported).await.json();
    assert_eq!(imported["createdon"], "2001-02-03T04:05:06Z", "an import states when a row was created");
}

#[tokio::test]
async fn who_am_i_fits_a_filter_by_agent() {
    let server = server().await;
    let me = server.get("WhoAmI").await.json()["UserId"].as_str().unwrap().to_owned();
    let path =
        format!("msdyn_ocliveworkitems?$select=subject&$filter=_msdyn_activeagentid_value eq {me} and statuscode eq 2");
    assert_eq!(server.get(&path).await.json()["value"], json!([]));
    let agent = bind("msdyn_activeagentid_msdyn_ocliveworkitem", &format!("/systemusers({me})"));
    assert_eq!(server.patch(&conversation_path(), agent).await.status, 204);
    assert_eq!(server.get(&path).await.json()["value"][0]["activityid"], CONVERSATION);
}
