//! Tables that a seed declares, and the documents that describe all tables.

use omnichannel_link_emulator::{Emulator, Organisation};
use serde_json::{Value, json};

use crate::client::{ACCOUNT, CONTACT, MISSING, Server, page};

/// The definition of a table of a solution, as `EntityDefinitions` answers it.
fn project() -> Value {
    let label = |text: &str| json!({ "UserLocalizedLabel": { "Label": text, "LanguageCode": 1033 } });
    let option = |value: i64, text: &str| json!({ "Value": value, "Label": label(text) });
    json!({
        "@odata.context": "https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#EntityDefinitions/$entity",
        "LogicalName": "cr1_project", "SchemaName": "cr1_Project", "EntitySetName": "cr1_projects",
        "PrimaryIdAttribute": "cr1_projectid", "PrimaryNameAttribute": "cr1_name", "OwnershipType": "UserOwned", "ObjectTypeCode": 10_900,
        "DisplayName": label("Project"), "DisplayCollectionName": label("Projects"),
        "Attributes": [
            { "LogicalName": "cr1_projectid", "AttributeType": "Uniqueidentifier" },
            { "LogicalName": "cr1_name", "AttributeType": "String", "MaxLength": 10, "DisplayName": label("Name") },
            { "LogicalName": "cr1_kind", "AttributeType": "Picklist", "OptionSet": { "Options": [option(1, "Small"), option(2, "Large")] } },
            { "LogicalName": "cr1_budget", "AttributeType": "Money", "Precision": 2, "MinValue": 0.0, "MaxValue": 1000.0 },
            { "LogicalName": "cr1_customer", "SchemaName": "cr1_Customer", "AttributeType": "Lookup", "Targets": ["account"] },
            { "LogicalName": "cr1_customername", "AttributeType": "String", "AttributeOf": "cr1_customer" },
            { "LogicalName": "cr1_odd", "AttributeType": "SomethingNew" },
        ],
        "Keys": [{ "SchemaName": "cr1_key", "KeyAttributes": ["cr1_name"] }],
        "ManyToOneRelationships": [{
            "SchemaName": "cr1_account_project", "ReferencedEntity": "account", "ReferencingEntity": "cr1_project",
            "ReferencingAttribute": "cr1_customer", "ReferencingEntityNavigationPropertyName": "cr1_Customer",
            "ReferencedEntityNavigationPropertyName": "cr1_account_project", "CascadeConfiguration": { "Delete": "Cascade" },
        }],
    })
}

async fn server_with(pages: &[Value]) -> Server {
    let server = Server::start().await;
    server.emulator.with_organisation(|organisation| {
        for page in pages {
            organisation.load_page("page", page).unwrap();
        }
    });
    server
}

#[tokio::test]
async fn a_declared_table_works_like_a_standard_one() {
    let server = server_with(&[project()]).await;
    let body = json!({
        "cr1_name": "Alpha", "cr1_kind": 2, "cr1_budget": 12.5, "cr1_odd": "x", "cr1_Customer@odata.bind": format!("/accounts({ACCOUNT})"),
    });
    assert_eq!(server.post("cr1_projects", &[], body).await.status, 204);
    let path = "cr1_projects(cr1_name='Alpha')?$expand=cr1_Customer($select=name)";
    let row = server.get_with(path, &[("prefer", "odata.include-annotations=\"*\"")]).await.json();
    let formatted = |name: &str| row[format!("{name}@OData.Community.Display.V1.FormattedValue")].clone();
    assert_eq!((formatted("cr1_kind"), formatted("cr1_budget")), (json!("Large"), json!("$12.50")));
    assert_eq!(formatted("_cr1_customer_value"), "Fabrikam Coffee");
    assert_eq!(row["cr1_Customer"]["name"], "Fabrikam Coffee");
    for (body, code) in [
        (json!({ "cr1_name": "too long a name" }), "0x80044331"),
        (json!({ "cr1_kind": 3 }), "0x8004431a"),
        (json!({ "cr1_budget": -1 }), "0x80044330"),
        (json!({ "cr1_customername": "x" }), "0x80048d19"),
    ] {
        server.post("cr1_projects", &[], body).await.expect_error(400, code, "");
    }
    let found = server
        .get("cr1_projects?$filter=cr1_kind eq 2 and cr1_Customer/name eq 'Fabrikam Coffee'&$select=cr1_name")
        .await;
    assert_eq!(found.json()["value"][0]["cr1_name"], "Alpha");
    assert_eq!(server.delete(&format!("accounts({ACCOUNT})"), &[]).await.status, 204);
    assert_eq!(server.get("cr1_projects/$count").await.text, "0", "its relationship cascades");
}

#[tokio::test]
async fn an_answer_of_the_emulator_declares_the_same_table_again() {
    let server = server_with(&[project()]).await;
    let casts = ["Picklist", "Money"].map(|kind| format!("Microsoft.Dynamics.CRM.{kind}AttributeMetadata"));
    let path = "EntityDefinitions(LogicalName='cr1_project')?$expand=Attributes,Keys,ManyToOneRelationships";
    let mut answer = server.get(path).await.json();
    for cast in casts {
        let typed = server
            .get(&format!("EntityDefinitions(LogicalName='cr1_project')/Attributes/{cast}?$expand=OptionSet"))
            .await;
        if typed.status != 200 {
            continue;
        }
        for attribute in typed.json()["value"].as_array().unwrap() {
            let all = answer["Attributes"].as_array_mut().unwrap();
            *all.iter_mut().find(|known| known["LogicalName"] == attribute["LogicalName"]).unwrap() = attribute.clone();
        }
    }
    let mut organisation = Organisation::new();
    organisation.load_page("answer", &answer).unwrap();
    let other = Server::from(Emulator::start(organisation, 0).await.unwrap());
    let compare = "EntityDefinitions(LogicalName='cr1_project')?$expand=Attributes,Keys,ManyToOneRelationships";
    let (mut again, mut before) = (other.get(compare).await.json(), server.get(compare).await.json());
    for body in [&mut again, &mut before] {
        body.as_object_mut().unwrap().remove("@odata.context");
        // A column of an unknown type is shown as a string, so the second time it is one.
        body["Attributes"].as_array_mut().unwrap().retain(|column| column["LogicalName"] != "cr1_odd");
    }
    assert!(again == before, "{again:#}\n{before:#}");
    let choices = "EntityDefinitions(LogicalName='cr1_project')/Attributes(LogicalName='cr1_kind')/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$expand=OptionSet";
    assert_eq!(other.get(choices).await.json()["OptionSet"], server.get(choices).await.json()["OptionSet"]);
}

#[tokio::test]
async fn a_page_of_an_unknown_set_declares_its_table() {
    let formatted = "cr2_stage@OData.Community.Display.V1.FormattedValue";
    let owner = "_ownerid_value@OData.Community.Display.V1.FormattedValue";
    let rows = json!([{
        "cr2_planid": MISSING, "cr2_name": "Plan", "cr2_stage": 3, formatted: "Third", "_ownerid_value": CONTACT,
        "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "systemuser", owner: "Gone",
    }]);
    let server = server_with(&[page("cr2_plans", rows)]).await;
    let row = server
        .get_with(&format!("cr2_plans({MISSING})"), &[("prefer", "odata.include-annotations=\"*\"")])
        .await
        .json();
    assert_eq!((&row["cr2_name"], &row[formatted], &row[owner]), (&json!("Plan"), &json!("Third"), &json!("Gone")));
    assert_eq!(
        server.patch(&format!("cr2_plans({MISSING})"), json!({ "cr2_stage": 4, "cr2_name": "New" })).await.status,
        204
    );
    assert_eq!(server.get("cr2_plans?$filter=cr2_stage eq 4").await.json()["value"][0]["cr2_name"], "New");
}

#[tokio::test]
async fn invalid_definitions_are_rejected() {
    let mut organisation = Organisation::new();
    for (name, problem) in
        [("LogicalName", "definition 1: no \"LogicalName\""), ("EntitySetName", "no \"EntitySetName\"")]
    {
        let mut definition = project();
        definition.as_object_mut().unwrap().remove(name);
        let error = organisation.load_page("p", &definition).unwrap_err().to_string();
        assert!(error.starts_with("p: ") && error.contains(problem), "{error}");
    }
    let unknown = page("cr3_things", json!([{ "name": "x" }]));
    let error = organisation.load_page("p", &unknown).unwrap_err().to_string();
    assert!(error.contains("first load the response of EntityDefinitions"), "{error}");
}

#[tokio::test]
async fn the_documents_list_every_table() {
    let server = server_with(&[project()]).await;
    let service = server.get("").await.json();
    let sets: Vec<_> =
        service["value"].as_array().unwrap().iter().map(|set| set["url"].as_str().unwrap().to_owned()).collect();
    assert!(
        ["accounts", "cr1_projects", "msdyn_ocliveworkitems"].iter().all(|set| sets.iter().any(|known| known == set))
    );
    let metadata = server.get_with("$metadata", &[("accept", "application/xml")]).await;
    assert_eq!(metadata.header("content-type"), Some("application/xml"));
    let xml = &metadata.text;
    for set in sets {
        assert!(xml.contains(&format!("<EntitySet Name=\"{set}\"")), "{set}");
    }
    assert!(xml.contains("<Property Name=\"cr1_budget\" Type=\"Edm.Decimal\" Scale=\"2\" />"));
    assert!(xml.contains("<NavigationProperty Name=\"cr1_Customer\" Type=\"mscrm.account\" Nullable=\"true\" Partner=\"cr1_account_project\">"));
    assert!(!xml.contains("Org.OData.Core.V1.Description"));
    let annotated = server.get("$metadata?annotations=true").await.text;
    assert!(annotated.contains("Org.OData.Capabilities.V1.ChangeTracking") && annotated.contains("String=\"Name\""));
    server.get("$metadata?x=y").await.expect_not_emulated("x=y");
}
