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
        "EntityDefinitions(LogicalName='account')?$select=Privileges",
        "EntityDefinitions(LogicalName='sharepointsite')",
        "EntityDefinitions?$orderby=LogicalName",
        "GlobalOptionSetDefinitions",
        "systemusers(c2dd22d0-9d47-4799-8d95-355c298bd4f2)/Microsoft.Dynamics.CRM.RetrieveUserPrivileges",
    ] {
        server.get(path).await.expect_not_emulated("GET /api/data/v9.2/");
    }
    for path in ["EntityDefinitions", "EntityDefinitions(LogicalName='account')/Attributes", "RelationshipDefinitions"]
    {
        server.post(path, &[], json!({})).await.expect_not_emulated("a change of definitions");
    }
}

async fn values(server: &Server, path: &str) -> Vec<Value> {
    let response = server.get(path).await;
    response.json()["value"].as_array().unwrap_or_else(|| panic!("{}", response.text)).clone()
}

#[tokio::test]
async fn tables_are_listed_and_filtered() {
    let server = Server::start().await;
    let select = "$select=LogicalName,EntitySetName,PrimaryIdAttribute";
    let found = values(&server, &format!("EntityDefinitions?{select}&$filter=LogicalName eq 'account'")).await;
    assert_eq!(
        (found.len(), &found[0]["EntitySetName"], &found[0]["PrimaryIdAttribute"]),
        (1, &json!("accounts"), &json!("accountid"))
    );
    assert_eq!(found[0].as_object().unwrap().len(), 4, "the selected ones and the id: {}", found[0]);
    let id = found[0]["MetadataId"].as_str().unwrap();
    assert_eq!(server.get(&format!("EntityDefinitions({id})")).await.json()["LogicalName"], "account");
    for (filter, count) in [
        ("LogicalName eq 'nope'", 0),
        ("IsActivity eq true and contains(LogicalName,'liveworkitem')", 1),
        ("SchemaName eq 'Account' or SchemaName eq 'Contact'", 2),
        ("not (IsPrivate eq false)", 0),
        ("IsCustomizable/Value eq true and LogicalName eq 'contact'", 1),
    ] {
        assert_eq!(
            values(&server, &format!("EntityDefinitions?$select=LogicalName&$filter={filter}")).await.len(),
            count,
            "{filter}"
        );
    }
    server.get("EntityDefinitions(LogicalName='nope')").await.expect_error(404, "0x80060888", "'nope'");
    server.get("EntityDefinitions?$filter=LogicalName eq").await.expect_error(400, "0x80060888", "query syntax");
}

#[tokio::test]
async fn columns_have_their_types_limits_and_choices() {
    let server = Server::start().await;
    let of = "EntityDefinitions(LogicalName='account')/Attributes";
    let name = server.get(&format!("{of}(LogicalName='name')")).await.json();
    assert_eq!(
        (&name["@odata.type"], &name["MaxLength"]),
        (&json!("#Microsoft.Dynamics.CRM.StringAttributeMetadata"), &json!(160))
    );
    assert_eq!(
        (&name["IsPrimaryName"], &name["DisplayName"]["UserLocalizedLabel"]["Label"]),
        (&json!(true), &json!("Account Name"))
    );
    let cast = "Microsoft.Dynamics.CRM.PicklistAttributeMetadata";
    let choices =
        values(&server, &format!("{of}/{cast}?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet"))
            .await;
    let category = choices.iter().find(|row| row["LogicalName"] == "accountcategorycode").unwrap();
    let options = category["OptionSet"]["Options"].as_array().unwrap();
    assert_eq!(
        (&options[0]["Value"], &options[0]["Label"]["LocalizedLabels"][0]["Label"]),
        (&json!(1), &json!("Preferred Customer"))
    );
    assert!(choices.iter().all(|row| row["@odata.type"] == format!("#{cast}")));
    let strings = values(&server, &format!("{of}?$select=LogicalName,MaxLength&$filter=AttributeType eq Microsoft.Dynamics.CRM.AttributeTypeCode'Money'")).await;
    assert!(strings.iter().any(|row| row["LogicalName"] == "revenue"), "{strings:?}");
    server.get(&format!("{of}(LogicalName='nope')")).await.expect_error(404, "0x80060888", "nope");
    server.get(&format!("{of}(LogicalName='name')/{cast}")).await.expect_error(404, "0x80060888", "name");
    let status = server.get("EntityDefinitions(LogicalName='msdyn_ocliveworkitem')/Attributes(LogicalName='statuscode')/Microsoft.Dynamics.CRM.StatusAttributeMetadata?$expand=OptionSet").await.json();
    let active = status["OptionSet"]["Options"].as_array().unwrap().iter().find(|option| option["Value"] == 2).unwrap();
    assert_eq!((&active["State"], &active["Label"]["UserLocalizedLabel"]["Label"]), (&json!(0), &json!("Active")));
}

#[tokio::test]
async fn keys_and_relationships_belong_to_their_tables() {
    let server = Server::start().await;
    let keys = values(&server, "EntityDefinitions(LogicalName='account')/Keys").await;
    assert_eq!(
        (&keys[0]["KeyAttributes"], &keys[0]["EntityKeyIndexStatus"]),
        (&json!(["accountnumber"]), &json!("Active"))
    );
    let expanded = server.get("EntityDefinitions(LogicalName='account')?$select=LogicalName&$expand=Attributes($select=LogicalName;$filter=IsPrimaryId eq true),OneToManyRelationships($select=SchemaName)").await.json();
    assert_eq!(expanded["Attributes"].as_array().unwrap().len(), 1);
    assert!(
        expanded["OneToManyRelationships"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["SchemaName"] == "contact_customer_accounts")
    );
    let relationship =
        server.get("RelationshipDefinitions(SchemaName='msdyn_incident_msdyn_ocliveworkitem')").await.json();
    assert_eq!(relationship["ReferencingEntityNavigationPropertyName"], "msdyn_IssueId_msdyn_ocliveworkitem");
    assert_eq!(relationship["CascadeConfiguration"]["Delete"], "RemoveLink");
    let many = values(&server, "RelationshipDefinitions/Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata?$filter=SchemaName eq 'accountleads_association'").await;
    assert_eq!((many.len(), &many[0]["Entity1LogicalName"]), (1, &json!("account")));
    let kinds = values(&server, "RelationshipDefinitions?$select=SchemaName&$filter=RelationshipType eq Microsoft.Dynamics.CRM.RelationshipType'ManyToManyRelationship'").await;
    assert!(!kinds.is_empty() && kinds.len() < 50);
}

#[tokio::test]
async fn definitions_of_several_tables_come_at_once() {
    let server = Server::start().await;
    let query = json!({
        "Criteria": { "FilterOperator": "And", "Conditions": [{ "PropertyName": "LogicalName", "ConditionOperator": "Equals", "Value": { "Type": "System.String", "Value": "account" } }] },
        "Properties": { "PropertyNames": ["EntitySetName", "Attributes"] },
        "AttributeQuery": { "Properties": { "PropertyNames": ["OptionSet"] }, "Criteria": { "Conditions": [{ "PropertyName": "LogicalName", "ConditionOperator": "In", "Value": { "Value": ["industrycode", "name"] } }] } },
    });
    let query =
        percent_encoding::utf8_percent_encode(&query.to_string(), percent_encoding::NON_ALPHANUMERIC).to_string();
    let body = server.get(&format!("RetrieveMetadataChanges(Query=@p1)?@p1={query}")).await.json();
    let tables = body["EntityMetadata"].as_array().unwrap_or_else(|| panic!("{body}"));
    assert_eq!((tables.len(), &tables[0]["EntitySetName"]), (1, &json!("accounts")));
    let columns = tables[0]["Attributes"].as_array().unwrap();
    assert_eq!(columns.len(), 2);
    assert!(columns[0]["OptionSet"]["Options"].is_array() && columns[0].get("DisplayName").is_none());
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
