//! Probes: what they tell follows the server, and the conversation is afterwards what it was before, whatever happens in between.

use std::time::Duration;

use omnichannel_link::{
    domain::{CallOptions, Finding, RecordReference, Report},
    error::Code,
};
use omnichannel_link_emulator::{Changes, Emulator, Reference, table};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    clinic::{Clinic, code, named, organisation},
    support::{CONVERSATION, NOWHERE, account, contact, conversation, incident},
};

fn id() -> Uuid {
    CONVERSATION.parse().unwrap()
}

impl Clinic {
    async fn probe(&self) -> Report {
        self.service().doctor(Some(conversation(CONVERSATION)), CallOptions::default()).await.unwrap()
    }

    /// The kind and the id of what each slot holds.
    fn links(&self) -> [Option<(String, Uuid)>; 2] {
        self.emulator.with_organisation(|organisation| {
            let row = organisation.row(&table::CONVERSATION, id()).unwrap();
            ["msdyn_customer", "msdyn_issueid"]
                .map(|name| row.lookup(name).map(|held: &Reference| (held.logical_name().to_owned(), held.id())))
        })
    }

    /// Has somebody else change the customer.
    fn set(&self, customer: Option<RecordReference>) {
        let changes = match customer {
            Some(record) => Changes::new().link("msdyn_customer", reference(record)),
            None => Changes::new().clear("msdyn_customer"),
        };
        self.emulator.with_organisation(|organisation| organisation.write(&table::CONVERSATION, id(), changes));
    }

    fn fault(&self, rule: Value) {
        self.emulator.faults().add(rule).unwrap();
    }
}

fn reference(record: RecordReference) -> Reference {
    let table = if record.entity.as_str() == "account" { &table::ACCOUNT } else { &table::CONTACT };
    Reference::new(table, Uuid::from_bytes(*record.id.as_bytes()))
}

fn of(record: impl Into<Option<RecordReference>>) -> Option<(String, Uuid)> {
    let record = record.into()?;
    Some((record.entity.as_str().to_owned(), Uuid::from_bytes(*record.id.as_bytes())))
}

/// Customer and case before the probe.
fn before() -> [Option<(String, Uuid)>; 2] {
    [of(account(1)), of(incident(1))]
}

fn found<'a>(report: &'a Report, name: &str) -> (&'static str, &'a str) {
    let check = report.checks.iter().find(|check| check.name.as_str() == name).unwrap();
    (check.status(), check.found())
}

#[tokio::test]
async fn it_answers_every_question_and_leaves_no_trace() {
    let clinic = Clinic::plain().await;
    let report = clinic.probe().await;
    assert_eq!(clinic.links(), before());
    let shown = clinic.shown(&report);
    insta::assert_snapshot!("probe", shown.split_once("\nlimits ").unwrap().1.split_once('\n').unwrap().1);
    assert_eq!(clinic.observed().len(), 1, "one call, one id");
}

#[tokio::test]
async fn every_request_is_what_the_web_api_documents() {
    let clinic = Clinic::plain().await;
    clinic.probe().await;
    let names = ["accept", "odata-version", "content-type", "if-match", "if-none-match", "prefer", "autodisassociate"];
    let sent = clinic.emulator.requests().into_iter().map(|request| {
        let headers = names.iter().filter_map(|name| Some(format!("{name}: {}", request.header(name)?)));
        let lines: Vec<_> = [format!("{} {}", request.method, request.path)].into_iter().chain(headers).collect();
        format!("{}\n{}\n", lines.join("\n"), request.body)
    });
    let sent = sent.collect::<Vec<_>>().join("\n").replace(&clinic.url, "https://contoso.crm4.dynamics.com");
    insta::assert_snapshot!("requests", sent);
}

#[tokio::test]
async fn every_write_depends_on_a_version() {
    let clinic = Clinic::plain().await;
    clinic.probe().await;
    let requests = clinic.emulator.requests();
    let writes: Vec<_> =
        requests.iter().filter(|request| !["GET", "HEAD"].contains(&request.method.as_str())).collect();
    assert!(writes.len() > 10, "{writes:?}");
    for write in writes {
        assert!(write.header("if-match").is_some_and(|etag| etag.starts_with("W/\"")), "{write:?}");
        assert!(write.path.contains(CONVERSATION), "{write:?}");
        assert!(!write.body.contains("incident") && !write.body.contains("Issue"), "{write:?}");
    }
}

#[tokio::test]
async fn the_answers_are_the_servers() {
    let clinic = Clinic::plain().await;
    let both = format!("has contact {} as its customer.", contact(1).id);
    let first = format!("has account {} as its customer.", account(1).id);
    for (conditions, name, words) in [
        (json!({}), "probeRefPutStale", "Refused (412, 0x80060882"),
        (json!({}), "probeRefDeleteStale", "Refused (412, 0x80060882"),
        (json!({ "refHonoursIfMatch": false }), "probeRefPutStale", "Accepted (204). The conversation then has"),
        (
            json!({ "refHonoursIfMatch": false }),
            "probeRefDeleteStale",
            "Accepted (204). The conversation then has no customer.",
        ),
        (json!({}), "probeBothBinds", both.as_str()),
        (json!({ "twoValuesForOneLookup": "first" }), "probeBothBinds", first.as_str()),
        (json!({ "twoValuesForOneLookup": "refuse" }), "probeBothBinds", "Refused (400"),
    ] {
        clinic.condition(&conditions);
        let report = clinic.probe().await;
        let (status, found) = found(&report, name);
        assert!(status == "passed" && found.contains(words), "{conditions} {name}: {found}");
        assert_eq!((clinic.links(), report.is_healthy()), (before(), true), "{conditions}");
    }
}

#[tokio::test]
async fn a_failure_of_the_server_is_an_answer_and_one_of_a_gateway_ends_the_probe() {
    let clinic = Clinic::plain().await;
    for (status, told, next) in
        [(500, "Refused (500, 0x80040216: Unexpected).", "passed"), (502, "The probe ended here.", "skipped")]
    {
        let fault = json!({ "kind": "status", "status": status, "code": "0x80040216", "message": "Unexpected" });
        clinic.fault(json!({ "on": { "method": "PATCH", "nth": 10 }, "fault": fault }));
        let report = clinic.probe().await;
        assert!(found(&report, "probeBindNull").1.starts_with(told), "{report:#?}");
        assert_eq!(found(&report, "probeWrongTypeBind").0, next);
        assert_eq!((report.is_healthy(), clinic.links()), (true, before()));
    }
}

#[tokio::test]
async fn what_was_there_comes_back_whatever_it_was() {
    let clinic = Clinic::plain().await;
    for customer in [None, Some(account(1)), Some(account(2)), Some(contact(1)), Some(contact(3))] {
        clinic.set(customer);
        let report = clinic.probe().await;
        assert!(report.is_healthy(), "{report:#?}");
        assert_eq!(named(&report, "skipped"), "dns tls probeInactive");
        assert_eq!(clinic.links(), [of(customer), of(incident(1))]);
        assert_eq!(found(&report, "restored").0, "passed");
    }
}

#[tokio::test]
async fn a_conversation_that_is_not_active_tells_whether_it_can_be_written() {
    let clinic = Clinic::of(Emulator::start(organisation(4), 0).await.unwrap());
    let report = clinic.probe().await;
    let accepted = "A write on a conversation that is closed: Accepted (200).";
    assert_eq!(found(&report, "probeInactive"), ("passed", accepted));

    let inactive = json!({ "kind": "status", "status": 400, "code": "0x80040230", "message": "It is inactive." });
    clinic.fault(json!({ "on": { "method": "PATCH" }, "fault": inactive }));
    let report = clinic.probe().await;
    let refused = "A write on a conversation that is closed: Refused (400, 0x80040230: It is inactive).";
    assert_eq!(found(&report, "probeInactive"), ("passed", refused));
    assert_eq!(found(&report, "probeNoOpWrite").0, "skipped", "nothing more is tried");
    assert_eq!((found(&report, "restored").0, clinic.links()), ("passed", before()));
}

#[tokio::test]
async fn what_links_rest_on_fails_if_it_does_not_hold() {
    let clinic = Clinic::plain().await;
    // Of the writes, the first three put there what is there, the fourth changes it, and the fifth is on the old version.
    clinic.fault(
        json!({ "on": { "method": "PATCH", "nth": 5 }, "fault": { "kind": "status", "status": 204, "body": "empty" } }),
    );
    let report = clinic.probe().await;
    assert_eq!(named(&report, "failed"), "probeStaleVersion");
    assert_eq!(clinic.links(), before());
}

#[tokio::test]
async fn nothing_is_tried_where_nothing_can_be_put_back() {
    let clinic = Clinic::plain().await;
    clinic.condition(&json!({ "concurrencyOff": ["msdyn_ocliveworkitem"] }));
    let report = clinic.probe().await;
    assert_eq!(found(&report, "probeConversation").0, "skipped");
    assert_eq!(found(&report, "restored"), ("skipped", "Nothing was changed."));
    assert_eq!(clinic.emulator.requests().iter().filter(|request| request.method == "PATCH").count(), 0);

    clinic.condition(&json!({}));
    let nowhere = clinic.service().doctor(Some(conversation(NOWHERE)), CallOptions::default()).await.unwrap();
    let check = nowhere.checks.iter().find(|check| check.name.as_str() == "probeConversation").unwrap();
    assert_eq!((check.status(), code(check)), ("failed", Some(Code::ConversationNotFound)));
    assert_eq!(found(&nowhere, "restored").0, "skipped");

    clinic.fault(
        json!({ "on": { "path": "/contacts?" }, "fault": { "kind": "status", "status": 403, "code": "0x80040220" } }),
    );
    let report = clinic.probe().await;
    assert_eq!(named(&report, "failed"), "probeConversation");
    assert_eq!(clinic.emulator.requests().iter().filter(|request| request.method == "PATCH").count(), 0);
}

#[tokio::test]
async fn answers_that_are_lost_anywhere_do_not_keep_it_from_restoring() {
    let clinic = Clinic::plain().await;
    for commit in [false, true] {
        for (method, nth) in (1..=12).map(|nth| ("PATCH", nth)).chain([("PUT", 1), ("DELETE", 1)]) {
            let fault = json!({ "kind": "drop", "commit": commit });
            clinic.fault(json!({ "on": { "method": method, "nth": nth }, "fault": fault }));
            let report = clinic.probe().await;
            assert_eq!(clinic.links(), before(), "{method} {nth} {commit}");
            assert_eq!(found(&report, "restored").0, "passed", "{method} {nth} {commit} {report:#?}");
            assert_eq!(clinic.emulator.faults().waiting(), 0, "{method} {nth} was reached");
        }
    }
    // Reads are repeated, so one lost answer more or less is not noticed.
    clinic.fault(json!({ "on": { "method": "GET", "path": CONVERSATION, "nth": 4 }, "fault": { "kind": "drop" } }));
    assert!(clinic.probe().await.is_healthy());
}

#[tokio::test]
async fn a_server_that_stays_away_is_told_with_what_to_put_back() {
    let clinic = Clinic::plain().await;
    // From the change on that puts the contact there.
    let away = json!({ "on": { "path": CONVERSATION, "nth": 9 }, "times": "always", "fault": { "kind": "drop", "commit": true } });
    clinic.fault(away);
    let report = clinic.probe().await;
    assert_eq!(named(&report, "failed"), "restored");
    let check = report.checks.last().unwrap();
    let Finding::Failed { fix, code, .. } = &check.finding else { panic!("{check:?}") };
    assert_eq!(*code, Code::Unavailable);
    assert!(fix.contains(&account(1).id.to_string()), "{fix}");
}

#[tokio::test]
async fn another_writer_ends_it_and_keeps_what_it_wrote() {
    let clinic = Clinic::plain().await;
    let theirs = account(3);
    for nth in 1..=12 {
        // After a write that is refused the emulator lets nobody in.
        let is_refused = [5, 10, 11, 12].contains(&nth);
        for when in if is_refused { &["before"][..] } else { &["before", "after"] } {
            clinic.set(Some(account(1)));
            let record = json!({ "entityLogicalName": "account", "recordId": theirs.id.to_string() });
            let changes = json!({ "msdyn_customer": record });
            let fault = json!({ "kind": "writer", "when": when, "changes": changes });
            clinic.fault(json!({ "on": { "method": "PATCH", "nth": nth }, "fault": fault }));
            let report = clinic.probe().await;
            assert_eq!(clinic.links(), [of(theirs), of(incident(1))], "{nth} {when} {report:#?}");
            assert!(named(&report, "failed").ends_with("restored"), "{nth} {when} {report:#?}");
            assert!(found(&report, "restored").1.contains("was left alone"), "{nth} {when}");
        }
    }
}

#[tokio::test]
async fn another_writer_of_other_columns_ends_it_too_and_the_customer_comes_back() {
    let clinic = Clinic::plain().await;
    for nth in 1..=12 {
        clinic
            .fault(json!({ "on": { "method": "PATCH", "nth": nth }, "fault": { "kind": "writer", "when": "before" } }));
        let report = clinic.probe().await;
        assert_eq!(clinic.links(), before(), "{nth}");
        assert_eq!(found(&report, "restored").0, "passed", "{nth} {report:#?}");
        // On an old version the writer makes no difference: it is refused either way, but under another version.
        let ended = report.checks.iter().filter(|check| check.found().contains("another writer changed")).count();
        assert_eq!(ended, 1, "{nth} {report:#?}");
    }
}

#[tokio::test]
async fn it_stops_in_time_to_restore() {
    let clinic = Clinic::plain().await;
    // The test's clock lets the four seconds for experiments pass at once, and the two that are kept for restoring never.
    let six = CallOptions { timeout: Some(Duration::from_secs(6)), ..CallOptions::default() };
    let report = clinic.service().doctor(Some(conversation(CONVERSATION)), six).await.unwrap();
    assert_eq!(found(&report, "probeWrongTypeBind"), ("skipped", "The probe ended before."));
    assert_eq!((found(&report, "restored").0, clinic.links()), ("passed", before()));
}

#[tokio::test]
async fn who_stops_waiting_gets_it_restored_all_the_same() {
    let clinic = Clinic::plain().await;
    let service = clinic.service();
    // The fourth PATCH changes the customer, and its answer hangs.
    clinic.fault(json!({ "on": { "method": "PATCH", "nth": 4 }, "fault": { "kind": "hang", "commit": true } }));
    let probing = service.doctor(Some(conversation(CONVERSATION)), CallOptions::default());
    let faults = clinic.emulator.faults();
    tokio::select! {
        report = probing => panic!("{report:?}"),
        () = faults.hanging(1) => {}
    }
    assert_eq!(clinic.links()[0], of(contact(1)));
    service.close().await.unwrap();
    assert_eq!(clinic.links(), before());
}

#[tokio::test]
async fn links_of_the_same_client_wait_for_it() {
    let clinic = Clinic::plain().await;
    let service = clinic.service();
    let probing = service.doctor(Some(conversation(CONVERSATION)), CallOptions::default());
    let unlinking = service.unlink(account(1), Some(conversation(CONVERSATION)), CallOptions::default());
    let (report, unlinked) = tokio::join!(probing, unlinking);
    assert!(report.unwrap().is_healthy());
    unlinked.unwrap();
    assert_eq!(clinic.links()[0], None);
}
