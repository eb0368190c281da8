//! The conversation table as documented: its lookups, owners, states, relationships and operations.

use serde_json::{Value, json};

use crate::client::{
    ACCOUNT, AGENT, CONTACT, CONVERSATION, INCIDENT, MISSING, NAV_ACCOUNT, NAV_CASE, NAV_CONTACT, Server, bind,
    conversation_path, linked,
};

const ALL: (&str, &str) = ("prefer", "odata.include-annotations=\"*\"");

/// Creates a row with this id and returns the URL for a bind.
async fn create(server: &Server, set: &str, key: &str, id: &str, mut body: Value) -> String {
    body[key] = id.into();
    let created = server.post(set, &[], body).await;
    assert_eq!(created.status, 204, "{set}: {}", created.text);
    format!("/{set}({id})")
}

#[tokio::test]
async fn each_lookup_has_its_navigation_property() {
    let server = Server::start().await;
    let account = format!("/accounts({ACCOUNT})");
    let user = create(&server, "systemusers", "systemuserid", AGENT, json!({ "lastname": "Agent" })).await;
    let mut rows = Vec::new();
    for (set, key) in [
        ("leads", "leadid"),
        ("opportunities", "opportunityid"),
        ("msdyn_ocsessions", "activityid"),
        ("msdyn_liveworkstreams", "msdyn_liveworkstreamid"),
        ("queues", "queueid"),
        ("queueitems", "queueitemid"),
        ("socialprofiles", "socialprofileid"),
        ("tasks", "activityid"),
        ("msdyn_sessionparticipants", "msdyn_sessionparticipantid"),
    ] {
        rows.push(create(&server, set, key, MISSING, json!({})).await);
    }
    let [lead, opportunity, session, stream, queue, item, profile, task, participant] = &rows[..] else {
        unreachable!("there are nine")
    };
    for (column, table, navigation, row) in [
        ("msdyn_customer", "account", NAV_ACCOUNT, &account),
        ("msdyn_customer", "contact", NAV_CONTACT, &format!("/contacts({CONTACT})")),
        ("msdyn_issueid", "incident", NAV_CASE, &format!("/incidents({INCIDENT})")),
        ("regardingobjectid", "account", "regardingobjectid_account_msdyn_ocliveworkitem", &account),
        (
            "regardingobjectid",
            "contact",
            "regardingobjectid_contact_msdyn_ocliveworkitem",
            &format!("/contacts({CONTACT})"),
        ),
        (
            "regardingobjectid",
            "incident",
            "regardingobjectid_incident_msdyn_ocliveworkitem",
            &format!("/incidents({INCIDENT})"),
        ),
        ("regardingobjectid", "lead", "regardingobjectid_lead_msdyn_ocliveworkitem", lead),
        ("regardingobjectid", "opportunity", "regardingobjectid_opportunity_msdyn_ocliveworkitem", opportunity),
        ("msdyn_activeagentid", "systemuser", "msdyn_activeagentid_msdyn_ocliveworkitem", &user),
        ("msdyn_lastsessionid", "msdyn_ocsession", "msdyn_lastsessionid_msdyn_ocliveworkitem", session),
        ("msdyn_liveworkstreamid", "msdyn_liveworkstream", "msdyn_liveworkstreamid_msdyn_ocliveworkitem", stream),
        ("msdyn_cdsqueueid", "queue", "msdyn_cdsqueueid_msdyn_ocliveworkitem", queue),
        ("msdyn_queueitemid", "queueitem", "msdyn_queueitemid_msdyn_ocliveworkitem", item),
        ("msdyn_socialprofileid", "socialprofile", "msdyn_socialprofileid_msdyn_ocliveworkitem", profile),
        ("msdyn_lastactiveownerid", "systemuser", "msdyn_lastactiveownerid_msdyn_ocliveworkitem", &user),
        ("msdyn_routableobjectid", "task", "msdyn_msdyn_routableobjectid_msdyn_ocliveworkitem_task", task),
        (
            "msdyn_activesessionparticipantid",
            "msdyn_sessionparticipant",
            "msdyn_activesessionparticipantid",
            participant,
        ),
    ] {
        let response = server.patch(&conversation_path(), bind(navigation, row)).await;
        assert_eq!(response.status, 204, "{navigation}: {}", response.text);
        let name = format!("_{column}_value");
        let path = format!("{}?$select={name}&$expand={navigation}", conversation_path());
        let read = server.get_with(&path, &[ALL]).await.json();
        assert!(row.contains(read[&name].as_str().unwrap()), "{navigation}");
        assert_eq!(read[format!("{name}@Microsoft.Dynamics.CRM.lookuplogicalname")], table);
        assert_eq!(read[format!("{name}@Microsoft.Dynamics.CRM.associatednavigationproperty")], navigation);
        assert!(read[navigation]["@odata.etag"].is_string(), "{navigation}: {read}");
    }
}

#[tokio::test]
async fn a_user_or_a_team_owns_it() {
    const OWNER: &str = "ownerid_msdyn_ocliveworkitem";
    const TABLE: &str = "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname";
    let server = Server::start().await;
    let user = create(&server, "systemusers", "systemuserid", AGENT, json!({ "lastname": "Agent" })).await;
    let team = create(&server, "teams", "teamid", MISSING, json!({ "name": "Team" })).await;
    let path = format!("{}?$select=_ownerid_value,_owninguser_value,_owningteam_value", conversation_path());
    assert_eq!(server.patch(&conversation_path(), bind(OWNER, &user)).await.status, 204);
    let read = server.get_with(&path, &[ALL]).await.json();
    assert_eq!((&read[TABLE], &read["_owninguser_value"]), (&json!("systemuser"), &json!(AGENT)));
    assert_eq!(server.patch(&conversation_path(), bind(OWNER, &team)).await.status, 204);
    let read = server.get_with(&path, &[ALL]).await.json();
    assert_eq!((&read[TABLE], &read["_owningteam_value"]), (&json!("team"), &json!(MISSING)));
    assert_eq!(read["_owninguser_value"], Value::Null);
}

#[tokio::test]
async fn its_relationships_have_their_schema_names() {
    let server = Server::start().await;
    let base = "RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata\
                ?$select=SchemaName,ReferencedEntity,ReferencingAttribute,ReferencingEntityNavigationPropertyName\
                &$filter=ReferencingEntity eq 'msdyn_ocliveworkitem'";
    let rows = server.get(base).await.json()["value"].as_array().unwrap().clone();
    for (name, table, column, navigation) in [
        ("msdyn_account_msdyn_ocliveworkitem_Customer", "account", "msdyn_customer", NAV_ACCOUNT),
        ("msdyn_contact_msdyn_ocliveworkitem_Customer", "contact", "msdyn_customer", NAV_CONTACT),
        ("msdyn_incident_msdyn_ocliveworkitem", "incident", "msdyn_issueid", NAV_CASE),
    ] {
        let row = rows.iter().find(|row| row["SchemaName"] == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(
            (&row["ReferencedEntity"], &row["ReferencingAttribute"], &row["ReferencingEntityNavigationPropertyName"]),
            (&json!(table), &json!(column), &json!(navigation))
        );
    }
    let of_regarding = rows.iter().any(|row| row["SchemaName"] == "account_msdyn_ocliveworkitems");
    assert!(of_regarding, "each table that a conversation may be regarding has its own");
}

#[tokio::test]
async fn deleting_and_merging_cases_leaves_it() {
    let server = Server::start().await;
    let customer = bind("customerid_account", &format!("/accounts({ACCOUNT})"));
    create(&server, "incidents", "incidentid", MISSING, customer).await;
    assert_eq!(
        server.patch(&conversation_path(), bind(NAV_CASE, &format!("/incidents({INCIDENT})"))).await.status,
        204
    );
    let case = |id: &str| json!({ "@odata.type": "Microsoft.Dynamics.CRM.incident", "incidentid": id });
    let merge = json!({ "Target": case(MISSING), "Subordinate": case(INCIDENT), "PerformParentingChecks": false });
    assert_eq!(server.post("Merge", &[], merge).await.status, 204);
    assert_eq!(server.conversation().2, linked("incident", INCIDENT), "the link stays");
    assert_eq!(server.delete(&format!("incidents({INCIDENT})"), &[]).await.status, 204);
    assert_eq!((server.conversation().1, server.conversation().2), (linked("contact", CONTACT), None));
}

#[tokio::test]
async fn closing_it_leaves_its_case_open() {
    let server = Server::start().await;
    let mut body = bind(NAV_CASE, &format!("/incidents({INCIDENT})"));
    body["statecode"] = 1.into();
    assert_eq!(server.patch(&conversation_path(), body).await.status, 204);
    let case = server.get(&format!("incidents({INCIDENT})?$select=statecode")).await.json();
    assert_eq!((&case["statecode"], server.conversation().2), (&json!(0), linked("incident", INCIDENT)));
}

/// The documented pairs of state and status, with their labels.
const STATUSES: [(i64, &str, i64, &str); 7] = [
    (0, "Open", 1, "Open"),
    (0, "Open", 2, "Active"),
    (0, "Open", 3, "Waiting"),
    (0, "Open", 5, "Wrap-up"),
    (1, "Closed", 4, "Closed"),
    (2, "Resolved", 6, "Resolved"),
    (3, "Scheduled", 7, "Scheduled"),
];

#[tokio::test]
async fn its_states_and_statuses_have_labels() {
    let server = Server::start().await;
    for (state, state_label, status, status_label) in STATUSES {
        let moved = server.patch(&conversation_path(), json!({ "statecode": state, "statuscode": status })).await;
        assert_eq!(moved.status, 204, "{status}");
        let path = format!("{}?$select=statecode,statuscode", conversation_path());
        let row = server.get_with(&path, &[ALL]).await.json();
        assert_eq!(row["statecode@OData.Community.Display.V1.FormattedValue"], state_label);
        assert_eq!(row["statuscode@OData.Community.Display.V1.FormattedValue"], status_label);
    }
}

#[tokio::test]
async fn any_status_may_follow_any_other() {
    let server = Server::start().await;
    for (from_state, _, from, _) in STATUSES {
        for (state, _, status, _) in STATUSES {
            for (state, status) in [(from_state, from), (state, status)] {
                let body = json!({ "statecode": state, "statuscode": status });
                assert_eq!(server.patch(&conversation_path(), body).await.status, 204, "from {from} to {status}");
            }
        }
    }
}

#[tokio::test]
async fn all_operations_work_on_it() {
    let server = Server::start().await;
    let path = format!("msdyn_ocliveworkitems({MISSING})");
    create(&server, "msdyn_ocliveworkitems", "activityid", MISSING, json!({ "subject": "New" })).await;
    assert_eq!(server.patch(&path, json!({ "subject": "Changed" })).await.status, 204);
    assert_eq!(server.get(&path).await.json()["subject"], "Changed");
    assert_eq!(server.delete(&path, &[]).await.status, 204);
    assert_eq!(server.patch_with(&path, &[], json!({ "subject": "Upserted" })).await.status, 204);

    let row = |id: &str, subject: &str| json!({ "@odata.type": "Microsoft.Dynamics.CRM.msdyn_ocliveworkitem", "activityid": id, "subject": subject });
    for (action, subject, status) in
        [("CreateMultiple", "1", 200), ("UpdateMultiple", "2", 204), ("UpsertMultiple", "3", 204)]
    {
        let rows = json!({ "Targets": [row(ACCOUNT, subject), row(CONTACT, subject)] });
        let response = server.post(&format!("msdyn_ocliveworkitems/Microsoft.Dynamics.CRM.{action}"), &[], rows).await;
        assert_eq!(response.status, status, "{action}: {}", response.text);
        let found = server.get(&format!("msdyn_ocliveworkitems/$count?$filter=subject eq '{subject}'")).await;
        assert_eq!(found.text, "2", "{action}");
    }
    let ids = server.get("msdyn_ocliveworkitems?$select=activityid").await.json();
    assert_eq!(ids["value"].as_array().unwrap().len(), 4, "{CONVERSATION}, {MISSING} and the two");
}

#[tokio::test]
async fn operations_that_are_not_here_are_said_by_name() {
    let server = Server::start().await;
    for name in [
        "GrantAccess",
        "RevokeAccess",
        "ModifyAccess",
        "IsValidStateTransition",
        "BulkRetain",
        "RollbackRetain",
        "PurgeRetainedContent",
    ] {
        server.post(name, &[], json!({})).await.expect_not_emulated(name);
    }
    for bound in ["Restore", "CCaaS_AcceptCall", "CCaaS_EndCall", "CCaaS_HoldCall", "CCaaS_CloseConsult"] {
        let path = format!("{}/Microsoft.Dynamics.CRM.{bound}", conversation_path());
        server.post(&path, &[], json!({})).await.expect_not_emulated(bound);
    }
    server.get("msdyn_queueextensions").await.expect_not_emulated("msdyn_queueextensions");
}

#[tokio::test]
async fn the_rule_of_a_work_stream_may_be_patched() {
    const RULE: &str = "<rule><fetch top=\"2\"><entity name=\"contact\"/></fetch></rule>";
    let server = Server::start().await;
    create(&server, "msdyn_liveworkstreams", "msdyn_liveworkstreamid", MISSING, json!({})).await;
    let path = format!("msdyn_liveworkstreams({MISSING})");
    let written = server.patch(&path, json!({ "msdyn_recordidentificationrule": RULE })).await;
    assert_eq!(written.status, 204, "{}", written.text);
    assert_eq!(server.get(&path).await.json()["msdyn_recordidentificationrule"], RULE);
}
