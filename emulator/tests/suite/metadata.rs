//! The metadata of the organisation.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{ACCOUNT, AGENT, CONTACT, MISSING, NAV_ACCOUNT, NAV_CONTACT, Server, bind, conversation_path};

#[tokio::test]
async fn who_am_i_returns_the_ids_of_the_user() {
    let server = Server::start().await;
    let me = server.get("WhoAmI").await.json();
    assert_eq!(server.get("WhoAmI()").await.json(), me, "a function takes parentheses, too");
    let url = server.emulator.url();
    let context = format!("{url}/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse");
    assert_eq!(me["@odata.context"], context);
    assert!(["UserId", "BusinessUnitId", "OrganizationId"].iter().all(|id| me[id].as_str().unwrap().len() == 36));
}

#[tokio::test]
async fn a_table_has_its_names_and_its_concurrency() {
    let server = Server::start().await;
    let select = "$select=IsOptimisticConcurrencyEnabled,EntitySetName,PrimaryIdAttribute";
    let definition = format!("EntityDefinitions(LogicalName='msdyn_ocliveworkitem')?{select}");
    let on = server.get(&definition).await.json();
    assert_eq!(
        (&on["IsOptimisticConcurrencyEnabled"], &on["EntitySetName"], &on["PrimaryIdAttribute"]),
        (&json!(true), &json!("msdyn_ocliveworkitems"), &json!("activityid"))
    );
    server.emulator.faults().conditions(json!({ "concurrencyOff": ["msdyn_ocliveworkitem"] })).unwrap();
    assert_eq!(server.get(&definition).await.json()["IsOptimisticConcurrencyEnabled"], false);
}

#[tokio::test]
async fn a_relationship_has_its_navigation_property() {
    let server = Server::start().await;
    let base = "RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata\
                ?$select=SchemaName,ReferencedEntity,ReferencingAttribute,ReferencingEntityNavigationPropertyName\
                &$filter=ReferencingEntity%20eq%20'msdyn_ocliveworkitem'";
    let rows = server.get(base).await.json();
    let of_case = rows["value"].as_array().unwrap().iter().find(|row| row["ReferencedEntity"] == "incident").unwrap();
    assert_eq!(of_case["ReferencingEntityNavigationPropertyName"], "msdyn_IssueId_msdyn_ocliveworkitem");
    assert_eq!(of_case["SchemaName"], "msdyn_incident_msdyn_ocliveworkitem");
}

#[tokio::test]
async fn other_metadata_is_not_emulated() {
    let server = Server::start().await;
    for path in [
        "EntityDefinitions(LogicalName='lead')?$select=EntitySetName",
        "EntityDefinitions(LogicalName='account')",
        "EntityDefinitions(LogicalName='account')?$select=Privileges",
        "EntityDefinitions",
        "RelationshipDefinitions?$select=SchemaName",
        "systemusers(c2dd22d0-9d47-4799-8d95-355c298bd4f2)/Microsoft.Dynamics.CRM.RetrieveUserPrivileges",
    ] {
        server.get(path).await.expect_not_emulated("GET /api/data/v9.2/");
    }
}

const OUR_USER: &str = "4bd7f2a1-0c3e-4f57-8d11-5a0f7c9e2b61";

fn privileges_of(user: &str, names: &str) -> String {
    let function = "Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=@p)";
    format!("systemusers({user})/{function}?@p={names}")
}

async fn held(server: &Server, names: &str) -> Vec<Value> {
    let body = server.get(&privileges_of(OUR_USER, names)).await.json();
    body["RolePrivileges"].as_array().unwrap().iter().map(|one| one["PrivilegeName"].clone()).collect()
}

#[tokio::test]
async fn a_hidden_relationship_is_not_in_the_metadata() {
    let server = Server::start().await;
    let hidden = json!({ "hiddenRelationships": ["msdyn_contact_msdyn_ocliveworkitem_Customer"] });
    server.emulator.faults().conditions(hidden).unwrap();
    let base = "RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata\
                ?$select=SchemaName&$filter=ReferencingEntity%20eq%20'msdyn_ocliveworkitem'";
    let rows = server.get(base).await.json();
    let names: Vec<_> =
        rows["value"].as_array().unwrap().iter().map(|row| row["SchemaName"].as_str().unwrap()).collect();
    assert!(names.contains(&"msdyn_account_msdyn_ocliveworkitem_Customer"));
    assert!(!names.contains(&"msdyn_contact_msdyn_ocliveworkitem_Customer"));
}

#[tokio::test]
async fn a_hidden_relationship_cannot_be_written() {
    let server = Server::start().await;
    let hidden = json!({ "hiddenRelationships": ["msdyn_contact_msdyn_ocliveworkitem_Customer"] });
    server.emulator.faults().conditions(hidden).unwrap();
    let undeclared = server.patch(&conversation_path(), bind(NAV_CONTACT, &format!("/contacts({CONTACT})"))).await;
    undeclared.expect_error(400, "0x80048d19", &format!("An undeclared property '{NAV_CONTACT}'"));
    let cleared = server.patch(&conversation_path(), json!({ NAV_CONTACT: null })).await;
    cleared.expect_error(400, "0x80048d19", &format!("Invalid property '{NAV_CONTACT}'"));
    let reference = format!("{}/{NAV_CONTACT}/$ref", conversation_path());
    server.send(Method::DELETE, &reference, &[], None).await.expect_error(404, "0x8006088a", NAV_CONTACT);
    let other = server.patch(&conversation_path(), bind(NAV_ACCOUNT, &format!("/accounts({ACCOUNT})"))).await;
    assert_eq!(other.status, 204);
}

#[tokio::test]
async fn only_a_known_relationship_can_be_hidden() {
    let server = Server::start().await;
    let error = server.emulator.faults().conditions(json!({ "hiddenRelationships": ["x"] })).unwrap_err();
    assert!(error.to_string().contains("`hiddenRelationships`: no relationship 'x'"), "{error}");
}

#[tokio::test]
async fn a_privilege_of_the_user_has_its_id_and_depth() {
    let server = Server::start().await;
    assert_eq!(server.get("WhoAmI").await.json()["UserId"], OUR_USER);
    let body = server.get(&privileges_of(&OUR_USER.to_uppercase(), "[\"prvReadActivity\"]")).await.json();
    let context = body["@odata.context"].as_str().unwrap();
    assert!(context.ends_with("#Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNamesResponse"), "{context}");
    let privilege = &body["RolePrivileges"][0];
    assert_eq!((&privilege["PrivilegeName"], &privilege["Depth"]), (&json!("prvReadActivity"), &json!("Global")));
    assert_eq!(privilege["BusinessUnitId"], server.get("WhoAmI").await.json()["BusinessUnitId"]);
    assert_eq!(privilege["PrivilegeId"].as_str().unwrap().len(), 36);
}

#[tokio::test]
async fn a_user_has_the_known_privileges_that_are_not_missing() {
    let server = Server::start().await;
    let asked = "[\"prvAppendActivity\",\"prvAppendToAccount\",\"prvReadmsdyn_ocliveworkitem\"]";
    assert_eq!(held(&server, asked).await, ["prvAppendActivity", "prvAppendToAccount"], "unknown ones are not held");
    server.emulator.faults().conditions(json!({ "missingPrivileges": ["prvAppendActivity"] })).unwrap();
    assert_eq!(held(&server, asked).await, ["prvAppendToAccount"]);
}

#[tokio::test]
async fn other_requests_for_privileges_are_not_emulated() {
    let server = Server::start().await;
    for odd in ["", "prvReadActivity", "[1]"] {
        server.get(&privileges_of(OUR_USER, odd)).await.expect_not_emulated("not a JSON array");
    }
    server.get(&privileges_of(AGENT, "[\"a\"]")).await.expect_not_emulated("not the caller");
    server.get(&privileges_of(OUR_USER, "[\"a\"]").replace("?@p", "?@q")).await.expect_error(
        400,
        "0x80040203",
        "'@p' has no value",
    );
}

#[tokio::test]
async fn a_link_without_its_privilege_is_forbidden() {
    let server = Server::start().await;
    let link = || bind(NAV_ACCOUNT, &format!("/accounts({ACCOUNT})"));
    let before = server.conversation();
    let row = conversation_path();
    for (missing, table, label) in [
        ("prvWriteActivity", "msdyn_ocliveworkitem", "Conversation"),
        ("prvAppendActivity", "msdyn_ocliveworkitem", "Conversation"),
        ("prvAppendToAccount", "account", "Account"),
    ] {
        server.emulator.faults().conditions(json!({ "missingPrivileges": [missing] })).unwrap();
        let response = server.patch(&row, link()).await;
        response.expect_error(403, "0x80040220", &format!("is missing {missing} privilege (Id="));
        response.expect_error(403, "0x80040220", &format!("for entity '{table}' (LocalizedName='{label}')"));
        let reference = json!({ "@odata.id": format!("/accounts({ACCOUNT})") }).to_string();
        let headers = [("content-type", "application/json")];
        let put = server.send(Method::PUT, &format!("{row}/{NAV_ACCOUNT}/$ref"), &headers, Some(reference)).await;
        put.expect_error(403, "0x80040220", missing);
        assert_eq!(server.get(&row).await.status, 200);
    }
    assert_eq!(server.conversation(), before);

    server.emulator.faults().conditions(json!({ "missingPrivileges": ["prvAppendActivity"] })).unwrap();
    assert_eq!(server.patch(&row, json!({ NAV_CONTACT: null })).await.status, 204, "a null appends nothing");
}

#[tokio::test]
async fn reading_and_creating_need_their_privileges() {
    let server = Server::start().await;
    let link = bind(NAV_ACCOUNT, &format!("/accounts({ACCOUNT})"));
    let row = conversation_path();
    let conditions = json!({ "missingPrivileges": ["prvReadActivity", "prvCreateAccount"] });
    server.emulator.faults().conditions(conditions).unwrap();
    for path in [row.as_str(), "msdyn_ocliveworkitems", &format!("msdyn_ocliveworkitems({MISSING})")] {
        server.get(path).await.expect_error(403, "0x80040220", "prvReadActivity");
    }
    let with_row = server.patch_with(&row, &[("prefer", "return=representation")], link).await;
    with_row.expect_error(403, "0x80040220", "prvReadActivity");
    assert_eq!(server.get("accounts").await.status, 200);
    let create = server.patch_with(&format!("accounts({MISSING})"), &[], json!({ "name": "New" })).await;
    create.expect_error(403, "0x80040220", "prvCreateAccount");
}

#[tokio::test]
async fn only_a_known_privilege_can_be_missing() {
    let server = Server::start().await;
    let error = server.emulator.faults().conditions(json!({ "missingPrivileges": ["prvFly"] })).unwrap_err();
    assert!(error.to_string().contains("`missingPrivileges`: no privilege 'prvFly'"), "{error}");
}
