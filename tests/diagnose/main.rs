//! Diagnoses of both stores: each fault fails its own check, skips the checks that depend on it, and changes no other.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/vfs.rs"]
#[allow(dead_code, reason = "each suite uses its part of it")]
mod vfs;

mod embedded;
mod faults;
mod fixture;
mod network;

use fixture::DiagnoseFixture;
use omnichannel_link::{dataverse::Concurrency, domain::CallOptions, error::Code};
use serde_json::json;

#[tokio::test]
async fn a_healthy_environment_passes_every_check() {
    let fixture = DiagnoseFixture::secure().await;
    let report = fixture.report().await;
    assert!(report.is_healthy());
    insta::assert_snapshot!("healthy", fixture.shown(&report));
}

#[tokio::test]
async fn it_only_reads_and_under_one_request_id() {
    let fixture = DiagnoseFixture::plain().await;
    fixture.report().await;
    let requests = fixture.emulator.requests();
    assert!(requests.len() > 6);
    for request in &requests {
        assert!(["GET", "HEAD"].contains(&request.method.as_str()), "{request:?}");
    }
    assert_eq!(fixture.observed().len(), 1, "one call, one id");
}

#[tokio::test]
async fn no_report_holds_a_token() {
    let fixture = DiagnoseFixture::plain().await;
    let secret = fixture.emulator.credential().to_owned();
    fixture.condition(&json!({ "missingPrivileges": ["prvWriteActivity"] }));
    assert!(!format!("{:?}", fixture.report().await).contains(&secret));
    let echo = format!("You sent Bearer {secret}");
    let fault = json!({ "kind": "status", "status": 403, "code": "0x80040220", "message": echo });
    fixture.emulator.faults().add(json!([{ "times": "always", "fault": fault }])).unwrap();
    let report = fixture.report().await;
    assert!(report.checks.iter().any(|check| check.found().contains("[redacted]")), "{report:?}");
    assert!(!format!("{report:?}").contains(&secret));
}

#[tokio::test]
async fn read_check_write_passes_without_versions_and_names_the_race() {
    let fixture = DiagnoseFixture { concurrency: Concurrency::ReadCheckWrite, ..DiagnoseFixture::plain().await };
    let found = |report: omnichannel_link::domain::Report| {
        let check = report.checks.into_iter().find(|check| check.name == "concurrency").unwrap();
        assert_eq!(check.status(), "passed");
        check.found().to_owned()
    };
    assert!(found(fixture.report().await).contains("Leave the option out"));
    fixture.condition(&json!({ "concurrencyOff": ["msdyn_ocliveworkitem"] }));
    assert!(found(fixture.report().await).contains("is overwritten"));
}

#[tokio::test]
async fn a_request_without_a_response_fails_its_check_and_not_the_report() {
    let fixture = DiagnoseFixture::plain().await;
    fixture.emulator.faults().add(json!({ "on": { "path": "WhoAmI" }, "fault": { "kind": "hang" } })).unwrap();
    let hanging = async {
        fixture.emulator.faults().hanging(1).await;
        fixture.clock.advance(std::time::Duration::from_secs(15));
    };
    let (report, ()) = tokio::join!(fixture.report(), hanging);
    let check = report.checks.iter().find(|check| check.name == "whoAmI").unwrap();
    assert_eq!((check.status(), fixture::code(check)), ("failed", Some(Code::Timeout)));
}

#[tokio::test]
async fn the_callers_timeout_limits_the_whole_diagnosis() {
    let fixture = DiagnoseFixture::plain().await;
    fixture.emulator.faults().add(json!({ "on": { "path": "WhoAmI" }, "fault": { "kind": "hang" } })).unwrap();
    let ten = CallOptions { timeout: Some(std::time::Duration::from_secs(10)), ..CallOptions::default() };
    let hanging = async {
        fixture.emulator.faults().hanging(1).await;
        fixture.clock.advance(std::time::Duration::from_secs(10));
    };
    let (report, ()) = tokio::join!(fixture.service().diagnose(ten), hanging);
    assert_eq!(report.unwrap_err().code(), Code::Timeout);
}

#[tokio::test]
async fn a_closed_client_makes_no_diagnosis() {
    let service = DiagnoseFixture::plain().await.service();
    service.close().await.unwrap();
    assert_eq!(service.diagnose(CallOptions::default()).await.unwrap_err().code(), Code::Closed);
}
