//! Faults of an environment, one at a time.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use omnichannel_link::{
    domain::CheckOutcome,
    error::Code,
    http::{ClientSecret, ClientSecretCredential, NetworkService, Secret, StaticToken, Token},
};
use serde_json::{Value, json};

use crate::fixture::{DiagnoseFixture, named};

const ON_WHO_AM_I: &str = "latency table concurrency navigation privileges limits";

fn nothing() -> Value {
    json!([])
}

/// A fault of all requests whose path contains this string.
fn always(path: &str, status: u16, code: &str) -> Value {
    json!([{ "on": { "path": path }, "times": "always", "fault": { "kind": "status", "status": status, "code": code } }])
}

#[tokio::test]
async fn each_fault_fails_its_own_check() {
    let fixture = DiagnoseFixture::plain().await;
    let one_second_too_much = json!({ "dateInMs": 302_000 });
    for (conditions, rules, failed, code, skipped, fix) in [
        (
            json!({ "concurrencyOff": ["msdyn_ocliveworkitem"] }),
            nothing(),
            "concurrency",
            Code::InvalidConfiguration,
            "",
            "optimisticConcurrency",
        ),
        (
            json!({ "hiddenRelationships": ["msdyn_incident_msdyn_ocliveworkitem"] }),
            nothing(),
            "navigation",
            Code::InvalidConfiguration,
            "",
            "Update the Omnichannel solution",
        ),
        (
            json!({ "missingPrivileges": ["prvAppendToIncident"] }),
            nothing(),
            "privileges",
            Code::Forbidden,
            "",
            "a security role with prvAppendToIncident (",
        ),
        (one_second_too_much, nothing(), "clockSkew", Code::AuthenticationFailed, "", "time server"),
        (
            json!({}),
            always("WhoAmI", 403, "0x80072560"),
            "whoAmI",
            Code::AuthenticationFailed,
            ON_WHO_AM_I,
            "Application users",
        ),
        (json!({}), always("WhoAmI", 404, ""), "whoAmI", Code::InvalidConfiguration, ON_WHO_AM_I, "environment's own"),
        (
            json!({}),
            always("WhoAmI", 503, ""),
            "whoAmI",
            Code::Unavailable,
            ON_WHO_AM_I,
            "administrators of the server",
        ),
        (
            json!({}),
            always("EntityDefinitions", 404, "0x80060888"),
            "table",
            Code::InvalidConfiguration,
            "concurrency navigation",
            "Omnichannel for Customer Service is installed",
        ),
        (json!({}), always("RetrieveUserSet", 400, "0x80060888"), "privileges", Code::Protocol, "", "administrators"),
        (json!({}), always("RetrieveUserSet", 403, "0x80040220"), "", Code::Internal, "privileges", ""),
    ] {
        fixture.emulator.faults().clear();
        fixture.condition(&conditions);
        fixture.emulator.faults().add(rules.clone()).unwrap();
        let report = fixture.report().await;
        assert_eq!(named(&report, "failed"), failed, "{conditions} {rules} {report:#?}");
        let skipped = format!("dns tls {skipped}");
        assert_eq!(named(&report, "skipped"), skipped.trim_end(), "{conditions} {rules}");
        for check in &report.checks {
            let CheckOutcome::Failed { fix: shown, code: shown_code, .. } = &check.outcome else { continue };
            assert_eq!(*shown_code, code, "{check:?}");
            assert!(shown.contains(fix), "{check:?}");
        }
        assert_eq!(report.is_healthy(), failed.is_empty());
    }
}

#[tokio::test]
async fn five_minutes_of_skew_are_reported_and_accepted_in_both_directions() {
    let fixture = DiagnoseFixture::plain().await;
    fixture.clock.advance(Duration::from_secs(100_000));
    for (server, found) in [
        (100_000_000, "This machine's clock and the server's agree."),
        (100_001_000, "This machine's clock and the server's agree."),
        (100_301_000, "This machine's clock is 5 min behind the server's."),
        (99_699_000, "This machine's clock is 5 min ahead of the server's."),
    ] {
        fixture.condition(&json!({ "dateInMs": server }));
        let report = fixture.report().await;
        let check = report.checks.iter().find(|check| check.name == "clockSkew").unwrap();
        assert_eq!((check.status(), check.found()), ("passed", found), "{server}");
    }
    for server in [100_302_000, 99_698_000] {
        fixture.condition(&json!({ "dateInMs": server }));
        assert_eq!(named(&fixture.report().await, "failed"), "clockSkew", "{server}");
    }
}

/// The fixture with an application's secret.
async fn with_secret(tenant: &str) -> DiagnoseFixture {
    let mut fixture = DiagnoseFixture::plain().await;
    let http = Arc::new(NetworkService::new(fixture.network.clone(), fixture.clock.clone()));
    let application = fixture.emulator.application();
    let client = ClientSecret {
        authority_host: fixture.url.parse().unwrap(),
        tenant_id: if tenant.is_empty() { application.tenant_id.clone() } else { tenant.to_owned() },
        client_id: application.client_id.clone(),
        client_secret: Secret::new(application.client_secret.clone()),
        scope: format!("{}/.default", fixture.url),
    };
    fixture.tokens = Arc::new(ClientSecretCredential::new(http, client, fixture.clock.clone()));
    fixture
}

#[tokio::test]
async fn the_token_of_an_application_is_reported_with_its_lifetime() {
    let healthy = with_secret("").await.report().await;
    assert!(healthy.is_healthy(), "{healthy:#?}");
    let token = &healthy.checks[3];
    assert!(token.found().contains("It is valid for 59 min more."), "{token:?}");
}

#[tokio::test]
async fn an_expired_secret_fails_the_token() {
    let dependent = format!("dns tls whoAmI clockSkew {ON_WHO_AM_I}");
    let fixture = with_secret("").await;
    fixture.condition(&json!({ "secretExpired": true }));
    let report = fixture.report().await;
    assert_eq!((named(&report, "failed"), named(&report, "skipped")), ("token".into(), dependent));
    assert!(
        matches!(&report.checks[3].outcome, CheckOutcome::Failed { fix, .. } if fix.contains("Certificates & secrets"))
    );
}

#[tokio::test]
async fn an_application_that_is_not_a_user_fails_who_am_i() {
    let fixture = with_secret("").await;
    fixture.condition(&json!({ "applicationUserMissing": true }));
    let report = fixture.report().await;
    assert_eq!(named(&report, "failed"), "whoAmI");
}

#[tokio::test]
async fn an_unknown_tenant_fails_the_token() {
    let report = with_secret("fabrikam.example").await.report().await;
    assert!(matches!(&report.checks[3].outcome, CheckOutcome::Failed { fix, .. } if fix.contains("`tenantId`")));
}

const APPLICATION: &str = "6b726d86-d37c-43b8-b3a4-c4056ddd2e07";

/// A token for this audience. No server accepts it.
fn token_for(audience: &str) -> Arc<StaticToken> {
    let claims = json!({ "aud": audience, "appid": APPLICATION, "tid": APPLICATION, "upn": "s3cret" }).to_string();
    let token = format!("eyJhbGciOiJub25lIn0.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims));
    Arc::new(StaticToken(Token::new(&token).unwrap()))
}

#[tokio::test]
async fn a_token_for_another_audience_is_not_sent() {
    let id = APPLICATION;
    let mut fixture = DiagnoseFixture::plain().await;
    fixture.tokens = token_for("https://graph.microsoft.com");
    let report = fixture.report().await;
    assert_eq!(named(&report, "failed"), "token");
    assert_eq!(named(&report, "skipped"), format!("dns tls whoAmI clockSkew {ON_WHO_AM_I}"));
    let CheckOutcome::Failed { found, fix, code } = &report.checks[3].outcome else { panic!("{report:?}") };
    let url = &fixture.url;
    assert_eq!(
        *found,
        format!("A token for https://graph.microsoft.com instead of {url} (application {id}, tenant {id}).")
    );
    assert_eq!(
        (fix.as_str(), *code),
        (&*format!("Request the token for the scope {url}/.default."), Code::AuthenticationFailed)
    );
    assert!(fixture.emulator.requests().is_empty());
}

#[tokio::test]
async fn a_token_for_the_server_or_for_an_unknown_application_is_sent() {
    let mut fixture = DiagnoseFixture::plain().await;
    // The server decides.
    for audience in [format!("{}/", fixture.url), "00000007-0000-0000-c000-000000000000".into()] {
        fixture.tokens = token_for(&audience);
        let report = fixture.report().await;
        assert_eq!(named(&report, "failed"), "whoAmI", "{audience}");
        assert!(!format!("{report:?}").contains("s3cret"));
    }
}
