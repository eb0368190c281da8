//! Limits on the clock, tokens, switched-off concurrency, callers, dates, and what the organisation says about itself.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{ACCOUNT, AGENT, Answer, NAV_ACCOUNT, Server, bind, conversation_path};

async fn with_conditions(conditions: Value) -> Server {
    let server = Server::start().await;
    server.emulator.faults().conditions(conditions).unwrap();
    server
}

fn advance(server: &Server, milliseconds: u64) {
    server.emulator.clock().advance(Duration::from_millis(milliseconds));
}

async fn get(server: &Server) -> Answer {
    server.get(&conversation_path()).await
}

#[tokio::test]
async fn too_many_requests_wait_for_the_window_and_longer_if_they_go_on() {
    let server = with_conditions(json!({ "limits": { "requests": 2, "windowInMs": 10_000 } })).await;
    assert_eq!(get(&server).await.status, 200);
    advance(&server, 4_000);
    assert_eq!(get(&server).await.status, 200);
    let refused = get(&server).await;
    refused.expect_fault(
        429,
        "0x80072322",
        "Number of requests exceeded the limit of 2 over time window of 10 seconds.",
    );
    assert_eq!(refused.header("retry-after"), Some("6"), "when the first leaves the window");
    assert_eq!(get(&server).await.header("retry-after"), Some("7"), "it grows");
    advance(&server, 6_999);
    assert_eq!(get(&server).await.header("retry-after"), Some("2"));
    advance(&server, 1_001);
    assert_eq!(get(&server).await.status, 200);
}

#[tokio::test]
async fn a_client_that_waits_as_long_as_it_is_told_is_served() {
    let limits = json!({ "requests": 5, "windowInMs": 300_000 });
    let server = with_conditions(json!({ "limits": limits })).await;
    for round in 0..3 {
        for _ in 0..5 {
            assert_eq!(get(&server).await.status, 200, "{round}");
        }
        let wait = get(&server).await.header("retry-after").unwrap().parse::<u64>().unwrap();
        advance(&server, wait * 1000);
    }
}

#[tokio::test]
async fn execution_time_adds_up() {
    let conditions = json!({ "limits": { "executionTimeInMs": 1500 }, "executionTimePerRequestInMs": 1000 });
    let server = with_conditions(conditions).await;
    assert_eq!(get(&server).await.status, 200);
    advance(&server, 100_000);
    assert_eq!(get(&server).await.status, 200);
    let refused = get(&server).await;
    refused.expect_fault(429, "0x80072321", "exceeded limit of 1,500 milliseconds over time window of 300 seconds.");
    assert_eq!(refused.header("retry-after"), Some("200"));
    advance(&server, 200_000);
    assert_eq!(get(&server).await.status, 200);
}

#[tokio::test]
async fn without_optimistic_concurrency_a_version_is_no_condition() {
    let server = with_conditions(json!({ "concurrencyOff": ["msdyn_ocliveworkitem"] })).await;
    let etag = get(&server).await.header("etag").unwrap().to_owned();
    let link = || bind(NAV_ACCOUNT, &format!("/accounts({ACCOUNT})"));
    let before = server.conversation();
    server.patch_with(&conversation_path(), &[("if-match", &etag)], link()).await.expect_fault(
        400,
        "0x8006088d",
        "Optimistic concurrency isn't enabled for entity type msdyn_ocliveworkitem.",
    );
    assert_eq!(server.conversation(), before);
    assert_eq!(server.get_with(&conversation_path(), &[("if-none-match", &etag)]).await.status, 200, "no 304 either");
    assert_eq!(server.patch(&conversation_path(), link()).await.status, 204);

    let account = format!("accounts({ACCOUNT})");
    let etag = server.get(&account).await.header("etag").unwrap().to_owned();
    let written = server.patch_with(&account, &[("if-match", &etag)], json!({ "name": "New" })).await;
    assert_eq!(written.status, 204, "the other tables have it");
}

#[tokio::test]
async fn a_caller_may_lack_the_privilege() {
    let server = with_conditions(json!({ "unprivilegedCallers": [AGENT.to_uppercase()] })).await;
    for header in ["CallerObjectId", "MSCRMCallerID"] {
        let refused = server.get_with(&conversation_path(), &[(header, AGENT)]).await;
        refused.expect_fault(403, "0x80040220", "is missing prvActOnBehalfOfAnotherUser privilege");
        assert_eq!(server.get_with(&conversation_path(), &[(header, ACCOUNT)]).await.status, 200);
    }
    let log = server.emulator.requests();
    assert_eq!((log[0].header("callerobjectid"), log[2].header("mscrmcallerid")), (Some(AGENT), Some(AGENT)));
}

#[tokio::test]
async fn the_date_is_the_emulators_when_it_is_told_when_it_began() {
    let server = with_conditions(json!({ "dateInMs": 1_700_000_000_000_u64 })).await;
    advance(&server, 5_000);
    assert_eq!(get(&server).await.header("date"), Some("Tue, 14 Nov 2023 22:13:25 GMT"));
}

/// The fields of a good request for a token, with some replaced, or left out with "".
async fn token(server: &Server, tenant: Option<&str>, changes: &[(&str, &str)]) -> Answer {
    let application = server.emulator.application();
    let scope = format!("{}/.default", server.emulator.url()).replace(':', "%3A").replace('/', "%2F");
    let mut fields = [
        ("grant_type", "client_credentials"),
        ("client_id", &application.client_id),
        ("client_secret", &application.client_secret),
        ("scope", &scope),
    ];
    for (name, value) in changes {
        fields.iter_mut().find(|field| field.0 == *name).unwrap().1 = value;
    }
    let fields = fields.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={value}"));
    let body = fields.collect::<Vec<_>>().join("&");
    let path = format!("/{}/oauth2/v2.0/token", tenant.unwrap_or(&application.tenant_id));
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", "none")];
    server.send(Method::POST, &path, &headers, Some(body)).await
}

async fn get_as(server: &Server, token: &Value) -> Answer {
    let authorization = format!("Bearer {}", token["access_token"].as_str().unwrap());
    server.get_with(&conversation_path(), &[("authorization", &authorization)]).await
}

#[tokio::test]
async fn an_application_gets_tokens_that_expire_and_can_be_revoked() {
    let server = Server::start().await;
    let issued = token(&server, None, &[]).await;
    assert_eq!((issued.status.as_u16(), issued.header("odata-version")), (200, None));
    let first = issued.json();
    assert_eq!((&first["token_type"], &first["expires_in"]), (&json!("Bearer"), &json!(3599)));
    assert_eq!(first.as_object().unwrap().len(), 3);
    assert_eq!(get_as(&server, &first).await.status, 200);

    advance(&server, 3_598_999);
    let second = token(&server, None, &[]).await.json();
    assert_eq!(get_as(&server, &first).await.status, 200);
    advance(&server, 1);
    let refused = get_as(&server, &first).await;
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").unwrap().contains(&server.emulator.application().tenant_id));
    assert_eq!(get_as(&server, &second).await.status, 200);

    server.emulator.faults().revoke_tokens();
    assert_eq!(get_as(&server, &second).await.status, 401);
    assert_eq!(get(&server).await.status, 200, "the credential stays good");

    server.emulator.faults().conditions(json!({ "tokenLifetimeInSeconds": 60 })).unwrap();
    let short = token(&server, None, &[]).await.json();
    assert_eq!(short["expires_in"], 60);
    advance(&server, 60_000);
    assert_eq!(get_as(&server, &short).await.status, 401);
    let control = format!("Bearer {}", token(&server, None, &[]).await.json()["access_token"].as_str().unwrap());
    assert_eq!(server.get_with("/_emulator/requests", &[("authorization", &control)]).await.status, 401);
}

#[tokio::test]
async fn the_token_endpoint_says_what_is_wrong() {
    let server = Server::start().await;
    let nowhere = "https%3A%2F%2Felsewhere.crm.dynamics.com%2F.default";
    for (tenant, changes, status, error, number) in [
        (Some(AGENT), vec![], 400, "invalid_request", 90002),
        (None, vec![("client_id", AGENT)], 400, "unauthorized_client", 700_016),
        (None, vec![("client_secret", "wrong")], 401, "invalid_client", 7_000_215),
        (None, vec![("scope", "user_impersonation")], 400, "invalid_scope", 70011),
        (None, vec![("scope", nowhere)], 400, "invalid_resource", 500_011),
    ] {
        let answer = token(&server, tenant, &changes).await;
        let body = answer.json();
        assert_eq!((answer.status.as_u16(), &body["error"]), (status, &json!(error)), "{body}");
        assert_eq!(body["error_codes"], json!([number]));
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{number}: ")), "{description}");
        assert!(description.contains("\r\nTrace ID: ") && body["correlation_id"].is_string(), "{body}");
    }
    server.emulator.faults().conditions(json!({ "secretExpired": true })).unwrap();
    assert_eq!(token(&server, None, &[]).await.json()["error_codes"], json!([7_000_222]));
    for (name, value) in [("grant_type", "password"), ("client_secret", ""), ("scope", "")] {
        token(&server, None, &[(name, value)]).await.expect_not_emulated("/oauth2/v2.0/token");
    }
    let secret = &server.emulator.application().client_secret;
    let log = server.emulator.requests();
    assert!(log.iter().all(|request| !request.body.contains(secret)), "{log:?}");
    assert!(log[0].body.contains("client_secret=***") && log[0].body.contains("grant_type=client_credentials"));
    assert!(!format!("{:?}", server.emulator).contains(secret));
}

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

#[tokio::test]
async fn other_processes_call_the_same_methods() {
    let server = Server::start().await;
    let call = async |method: &str, argument: Value| {
        server.send(Method::POST, &format!("/_emulator/{method}"), &[], Some(argument.to_string())).await
    };
    assert_eq!(call("faults.add", json!({ "fault": { "kind": "unauthorized" } })).await.json(), Value::Null);
    assert_eq!(call("faults.waiting", Value::Null).await.json(), 1);
    assert_eq!(get(&server).await.status, 401);
    assert_eq!(call("clock.advance", json!({ "byInMs": 1500 })).await.json(), 1500);
    assert_eq!(call("clock.now", Value::Null).await.json(), 1500);
    assert_eq!(call("reset", Value::Null).await.status, 200);
    assert_eq!(server.emulator.clock().now(), Duration::ZERO);

    for (method, argument, message) in [
        ("faults.add", json!({ "fault": { "kind": "x" } }), "a fault rule: unknown variant `x`"),
        ("clock.advance", json!({ "byInMs": -1 }), "invalid value"),
        ("clock.advance", json!({ "byInMs": 1, "ms": 1 }), "unknown field `ms`"),
        ("faults.hang", Value::Null, "no method 'faults.hang'"),
    ] {
        let refused = call(method, argument).await;
        assert_eq!(refused.status, 400);
        assert!(refused.json()["error"].as_str().unwrap().contains(message), "{}", refused.text);
    }
    let stranger = [("authorization", "Bearer wrong")];
    assert_eq!(server.send(Method::POST, "/_emulator/reset", &stranger, None).await.status, 401);
    assert_eq!(server.emulator.requests().len(), 0, "the control surface is not in the log");
}
