//! Examinations of both stores: each thing that can be out of order turns its own check, and what rests on it, and no other.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/vfs.rs"]
#[allow(dead_code, reason = "each suite uses its part of it")]
mod vfs;

mod clinic;
mod embedded;
mod faults;
mod way;

use clinic::Clinic;
use omnichannel_link::{
    dataverse::Concurrency,
    domain::{CallOptions, CheckName},
    error::Code,
};
use serde_json::json;

#[tokio::test]
async fn a_healthy_environment_passes_every_check() {
    let clinic = Clinic::secure().await;
    let report = clinic.report().await;
    assert!(report.is_healthy());
    insta::assert_snapshot!("healthy", clinic.shown(&report));
}

#[tokio::test]
async fn it_reads_and_nothing_else_under_one_request_id() {
    let clinic = Clinic::plain().await;
    clinic.report().await;
    let requests = clinic.emulator.requests();
    assert!(requests.len() > 6);
    for request in &requests {
        assert!(["GET", "HEAD"].contains(&request.method.as_str()), "{request:?}");
    }
    assert_eq!(clinic.observed().len(), 1, "one call, one id");
}

#[tokio::test]
async fn no_report_holds_a_token() {
    let clinic = Clinic::plain().await;
    let secret = clinic.emulator.credential().to_owned();
    clinic.condition(&json!({ "missingPrivileges": ["prvWriteActivity"] }));
    assert!(!format!("{:?}", clinic.report().await).contains(&secret));
    let echo = format!("You sent Bearer {secret}");
    let fault = json!({ "kind": "status", "status": 403, "code": "0x80040220", "message": echo });
    clinic.emulator.faults().add(json!([{ "times": "always", "fault": fault }])).unwrap();
    let report = clinic.report().await;
    assert!(report.checks.iter().any(|check| check.found().contains("[redacted]")), "{report:?}");
    assert!(!format!("{report:?}").contains(&secret));
}

#[tokio::test]
async fn without_versions_the_option_that_accepts_it_passes_and_names_the_race() {
    let clinic = Clinic { concurrency: Concurrency::ReadCheckWrite, ..Clinic::plain().await };
    let found = |report: omnichannel_link::domain::Report| {
        let check = report.checks.into_iter().find(|check| check.name == CheckName::Concurrency).unwrap();
        assert_eq!(check.status(), "passed");
        check.found().to_owned()
    };
    assert!(found(clinic.report().await).contains("Leave the option out"));
    clinic.condition(&json!({ "concurrencyOff": ["msdyn_ocliveworkitem"] }));
    assert!(found(clinic.report().await).contains("is overwritten"));
}

#[tokio::test]
async fn a_server_that_is_silent_fails_its_check_and_not_the_report() {
    let clinic = Clinic::plain().await;
    clinic.emulator.faults().add(json!({ "on": { "path": "WhoAmI" }, "fault": { "kind": "hang" } })).unwrap();
    let hanging = async {
        clinic.emulator.faults().hanging(1).await;
        clinic.clock.pass(std::time::Duration::from_secs(15));
    };
    let (report, ()) = tokio::join!(clinic.report(), hanging);
    let check = report.checks.iter().find(|check| check.name == CheckName::WhoAmI).unwrap();
    assert_eq!((check.status(), clinic::code(check)), ("failed", Some(Code::Timeout)));
}

#[tokio::test]
async fn the_time_of_the_whole_is_the_callers() {
    let clinic = Clinic::plain().await;
    clinic.emulator.faults().add(json!({ "on": { "path": "WhoAmI" }, "fault": { "kind": "hang" } })).unwrap();
    let ten = CallOptions { timeout: Some(std::time::Duration::from_secs(10)), ..CallOptions::default() };
    let hanging = async {
        clinic.emulator.faults().hanging(1).await;
        clinic.clock.pass(std::time::Duration::from_secs(10));
    };
    let (report, ()) = tokio::join!(clinic.service().doctor(ten), hanging);
    assert_eq!(report.unwrap_err().code(), Code::Timeout);
}

#[tokio::test]
async fn a_closed_client_examines_nothing() {
    let service = Clinic::plain().await.service();
    service.close().await.unwrap();
    assert_eq!(service.doctor(CallOptions::default()).await.unwrap_err().code(), Code::Closed);
}
