//! The token authority: tokens of an application, and its metadata.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{AGENT, Server, TestResponse, conversation_path};

/// The fields of a valid token request, with some replaced, or left out with "".
async fn token(server: &Server, tenant: Option<&str>, changes: &[(&str, &str)]) -> TestResponse {
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

async fn get_as(server: &Server, token: &Value) -> TestResponse {
    let authorization = format!("Bearer {}", token["access_token"].as_str().unwrap());
    server.get_with(&conversation_path(), &[("authorization", &authorization)]).await
}

#[tokio::test]
async fn an_application_gets_a_token() {
    let server = Server::start().await;
    let issued = token(&server, None, &[]).await;
    assert_eq!((issued.status.as_u16(), issued.header("odata-version")), (200, None));
    let first = issued.json();
    assert_eq!((&first["token_type"], &first["expires_in"]), (&json!("Bearer"), &json!(3599)));
    assert_eq!(first.as_object().unwrap().len(), 3);
    assert_eq!(get_as(&server, &first).await.status, 200);
}

#[tokio::test]
async fn a_token_is_accepted_until_it_expires() {
    let server = Server::start().await;
    let first = token(&server, None, &[]).await.json();
    server.advance(3_598_999);
    let second = token(&server, None, &[]).await.json();
    assert_eq!(get_as(&server, &first).await.status, 200);
    server.advance(1);
    let response = get_as(&server, &first).await;
    assert_eq!(response.status, 401);
    assert!(response.header("www-authenticate").unwrap().contains(&server.emulator.application().tenant_id));
    assert_eq!(get_as(&server, &second).await.status, 200);
}

#[tokio::test]
async fn revoked_tokens_are_rejected() {
    let server = Server::start().await;
    let issued = token(&server, None, &[]).await.json();
    server.emulator.faults().revoke_tokens();
    assert_eq!(get_as(&server, &issued).await.status, 401);
    assert_eq!(server.get(&conversation_path()).await.status, 200, "the credential stays valid");
}

#[tokio::test]
async fn a_condition_sets_the_lifetime_of_tokens() {
    let server = Server::start().await;
    server.emulator.faults().conditions(json!({ "tokenLifetimeInSeconds": 60 })).unwrap();
    let short = token(&server, None, &[]).await.json();
    assert_eq!(short["expires_in"], 60);
    server.advance(60_000);
    assert_eq!(get_as(&server, &short).await.status, 401);
}

#[tokio::test]
async fn an_issued_token_does_not_open_the_control_surface() {
    let server = Server::start().await;
    let control = format!("Bearer {}", token(&server, None, &[]).await.json()["access_token"].as_str().unwrap());
    assert_eq!(server.get_with("/_emulator/requests", &[("authorization", &control)]).await.status, 401);
}

#[tokio::test]
async fn an_invalid_token_request_is_explained() {
    let server = Server::start().await;
    let nowhere = "https%3A%2F%2Felsewhere.crm.dynamics.com%2F.default";
    for (tenant, changes, status, error, number) in [
        (Some(AGENT), vec![], 400, "invalid_request", 90002),
        (None, vec![("client_id", AGENT)], 400, "unauthorized_client", 700_016),
        (None, vec![("client_secret", "wrong")], 401, "invalid_client", 7_000_215),
        (None, vec![("scope", "user_impersonation")], 400, "invalid_scope", 70011),
        (None, vec![("scope", nowhere)], 400, "invalid_resource", 500_011),
    ] {
        let response = token(&server, tenant, &changes).await;
        let body = response.json();
        assert_eq!((response.status.as_u16(), &body["error"]), (status, &json!(error)), "{body}");
        assert_eq!(body["error_codes"], json!([number]));
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{number}: ")), "{description}");
        assert!(description.contains("\r\nTrace ID: ") && body["correlation_id"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn a_condition_expires_the_secret() {
    let server = Server::start().await;
    server.emulator.faults().conditions(json!({ "secretExpired": true })).unwrap();
    assert_eq!(token(&server, None, &[]).await.json()["error_codes"], json!([7_000_222]));
}

#[tokio::test]
async fn other_grants_and_missing_fields_are_not_emulated() {
    let server = Server::start().await;
    for (name, value) in [("grant_type", "password"), ("client_secret", ""), ("scope", "")] {
        token(&server, None, &[(name, value)]).await.expect_not_emulated("/oauth2/v2.0/token");
    }
}

#[tokio::test]
async fn the_secret_is_neither_logged_nor_shown() {
    let server = Server::start().await;
    for (tenant, changes) in [(None, [].as_slice()), (Some(AGENT), &[]), (None, &[("grant_type", "password")])] {
        token(&server, tenant, changes).await;
    }
    let secret = &server.emulator.application().client_secret;
    let log = server.emulator.requests();
    assert!(log.iter().all(|request| !request.body.contains(secret)), "{log:?}");
    assert!(log[0].body.contains("client_secret=***") && log[0].body.contains("grant_type=client_credentials"));
    assert!(!format!("{:?}", server.emulator).contains(secret));
}

#[tokio::test]
async fn an_application_that_is_not_a_user_gets_tokens_but_no_access() {
    let server = Server::start().await;
    server.emulator.faults().conditions(json!({ "applicationUserMissing": true })).unwrap();
    let issued = token(&server, None, &[]).await.json();
    let response = get_as(&server, &issued).await;
    response.expect_error(403, "0x80072560", "The user is not a member of the organization.");
    assert_eq!(server.get(&conversation_path()).await.status, 200, "the credential is another user's");
    server.emulator.faults().conditions(json!({})).unwrap();
    assert_eq!(get_as(&server, &issued).await.status, 200);
}

async fn ask(server: &Server, path: &str) -> TestResponse {
    server.get_with(path, &[("authorization", "none"), ("host", "login.microsoftonline.com")]).await
}

#[tokio::test]
async fn the_metadata_of_the_tenant_uses_the_host_of_the_request() {
    let server = Server::start().await;
    let tenant = &server.emulator.application().tenant_id;
    let response = ask(&server, &format!("/{tenant}/v2.0/.well-known/openid-configuration")).await;
    assert_eq!((response.status.as_u16(), response.header("odata-version")), (200, None));
    let (body, base) = (response.json(), format!("http://login.microsoftonline.com/{tenant}"));
    assert_eq!(body["issuer"], format!("{base}/v2.0"));
    assert_eq!(body["token_endpoint"], format!("{base}/oauth2/v2.0/token"));
    assert_eq!(body["authorization_endpoint"], format!("{base}/oauth2/v2.0/authorize"));
    assert_eq!(body["jwks_uri"], format!("{base}/discovery/v2.0/keys"));
}

#[tokio::test]
async fn the_metadata_of_all_organizations_has_a_placeholder_for_the_tenant() {
    let server = Server::start().await;
    let shared = ask(&server, "/organizations/v2.0/.well-known/openid-configuration").await.json();
    assert_eq!(shared["issuer"], "http://login.microsoftonline.com/{tenantid}/v2.0");
    assert_eq!(shared["token_endpoint"], "http://login.microsoftonline.com/organizations/oauth2/v2.0/token");
}

#[tokio::test]
async fn there_is_no_metadata_of_an_unknown_tenant() {
    let server = Server::start().await;
    let unknown = ask(&server, &format!("/{AGENT}/v2.0/.well-known/openid-configuration")).await;
    let body = unknown.json();
    assert_eq!((unknown.status.as_u16(), &body["error"]), (400, &json!("invalid_tenant")), "{body}");
    assert_eq!(body["error_codes"], json!([90002]));
}

#[tokio::test]
async fn instance_discovery_knows_only_the_clouds() {
    let server = Server::start().await;
    let discover = async |endpoint: &str| {
        ask(&server, &format!("/common/discovery/instance?api-version=1.1&authorization_endpoint={endpoint}")).await
    };
    let known = discover("https%3A%2F%2Flogin.windows.net/a/oauth2/v2.0/authorize").await.json();
    let document = "http://login.microsoftonline.com/a/v2.0/.well-known/openid-configuration";
    assert_eq!(known["tenant_discovery_endpoint"], document);
    let aliases = known["metadata"].as_array().unwrap().iter().map(|cloud| cloud["aliases"].as_array().unwrap().len());
    assert_eq!(aliases.collect::<Vec<_>>(), [4, 2, 2]);
    assert_eq!(known["metadata"][0]["preferred_cache"], "login.windows.net");

    let unknown = discover("https://localhost:8080/a/oauth2/v2.0/authorize").await;
    let body = unknown.json();
    assert_eq!((unknown.status.as_u16(), &body["error"]), (400, &json!("invalid_instance")));
    assert!(body["error_description"].as_str().unwrap().starts_with("AADSTS50049: Unknown or invalid instance.\r\n"));

    discover("http://login.windows.net/a/oauth2/v2.0/authorize")
        .await
        .expect_not_emulated("/common/discovery/instance");
    ask(&server, "/common/discovery/instance").await.expect_not_emulated("/common/discovery/instance");
}
