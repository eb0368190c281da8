//! What the organisation says about itself.

use serde_json::json;

use crate::client::Server;

#[tokio::test]
async fn the_organisation_says_who_one_is_and_what_its_tables_are() {
    let server = Server::start().await;
    let me = server.get("WhoAmI").await.json();
    let url = server.emulator.url();
    let context = format!("{url}/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse");
    assert_eq!(me["@odata.context"], context);
    assert!(["UserId", "BusinessUnitId", "OrganizationId"].iter().all(|id| me[id].as_str().unwrap().len() == 36));

    let select = "$select=IsOptimisticConcurrencyEnabled,EntitySetName,PrimaryIdAttribute";
    let definition = format!("EntityDefinitions(LogicalName='msdyn_ocliveworkitem')?{select}");
    let on = server.get(&definition).await.json();
    assert_eq!(
        (&on["IsOptimisticConcurrencyEnabled"], &on["EntitySetName"], &on["PrimaryIdAttribute"]),
        (&json!(true), &json!("msdyn_ocliveworkitems"), &json!("activityid"))
    );
    server.emulator.faults().conditions(json!({ "concurrencyOff": ["msdyn_ocliveworkitem"] })).unwrap();
    assert_eq!(server.get(&definition).await.json()["IsOptimisticConcurrencyEnabled"], false);

    let base = "RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata\
                ?$select=SchemaName,ReferencedEntity,ReferencingAttribute,ReferencingEntityNavigationPropertyName\
                &$filter=ReferencingEntity%20eq%20'msdyn_ocliveworkitem'";
    let rows = server.get(base).await.json();
    let of_case = rows["value"].as_array().unwrap().iter().find(|row| row["ReferencedEntity"] == "incident").unwrap();
    assert_eq!(of_case["ReferencingEntityNavigationPropertyName"], "msdyn_IssueId_msdyn_ocliveworkitem");
    assert_eq!(of_case["SchemaName"], "msdyn_incident_msdyn_ocliveworkitem");

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
