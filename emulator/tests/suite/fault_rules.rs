//! Rules, random plans and the reset.

use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::{
    client::{ACCOUNT, CONVERSATION, MISSING, Server, conversation_path},
    faults::{link, log},
};

#[tokio::test]
async fn rules_match_requests_and_are_used_up_in_order() {
    let server = Server::start().await;
    let status = |status: u16| json!({ "kind": "status", "status": status });
    server
        .emulator
        .faults()
        .add(json!([
            { "on": { "method": "patch" }, "fault": status(500) },
            { "on": { "path": "$select=subject" }, "fault": status(501) },
            { "on": { "conversation": CONVERSATION.to_uppercase() }, "times": 2, "fault": status(502) },
            { "on": { "conversation": MISSING }, "fault": status(505) },
            { "on": { "path": "accounts(", "nth": 2 }, "fault": status(503) },
        ]))
        .unwrap();
    let account = format!("accounts({ACCOUNT})");
    let selected = format!("{}?$select=subject", conversation_path());
    let conversation = conversation_path();
    for (method, path, expected) in [
        (Method::GET, &account, 200),
        (Method::PATCH, &conversation, 500),
        (Method::GET, &selected, 501),
        (Method::GET, &selected, 502),
        (Method::GET, &conversation, 502),
        (Method::GET, &conversation, 200),
        (Method::GET, &account, 503),
        (Method::GET, &account, 200),
    ] {
        let status = server.send(method.clone(), path, &[], None).await.status;
        assert_eq!(status, expected, "{method} {path}");
    }
    assert_eq!(server.emulator.faults().waiting(), 1);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults() {
    let mut logs = Vec::new();
    for seed in [7, 7, 8] {
        let server = Server::start().await;
        // Numbers start with the plan, not with the server.
        let before = if logs.is_empty() { 0 } else { 3 };
        for _ in 0..before {
            server.get(&conversation_path()).await;
        }
        let faults = json!([
            { "kind": "status", "status": 503 },
            { "kind": "throttle", "limit": "requests" },
            { "kind": "unauthorized" },
            { "kind": "contentType", "contentType": "text/plain" },
        ]);
        server.emulator.faults().random(json!({ "seed": seed, "rate": 0.4, "faults": faults })).unwrap();
        for _ in 0..60 {
            server.get(&conversation_path()).await;
        }
        logs.push(log(&server).into_iter().skip(before).map(|(_, status, fault)| (status, fault)).collect::<Vec<_>>());
    }
    assert_eq!(logs[0], logs[1]);
    assert_ne!(logs[0], logs[2]);
    let count = logs[0].iter().filter(|(_, fault)| fault.is_some()).count();
    assert!((12..=36).contains(&count), "{count} of 60 at a rate of 0.4");
    for kind in ["status", "throttle", "unauthorized", "contentType"] {
        assert!(logs[0].iter().any(|(_, fault)| *fault == Some(kind)), "{kind}");
    }
}

#[tokio::test]
async fn rules_take_precedence_over_random_faults() {
    let server = Server::start().await;
    let plan =
        json!({ "seed": 3, "rate": 1, "on": { "method": "GET" }, "faults": [{ "kind": "status", "status": 500 }] });
    server.emulator.faults().random(plan).unwrap();
    server.emulator.faults().add(json!({ "fault": { "kind": "status", "status": 503 } })).unwrap();
    for expected in [503, 500, 500] {
        assert_eq!(server.get(&conversation_path()).await.status, expected);
    }
    assert_eq!(server.patch(&conversation_path(), link()).await.status, 204, "only what the plan is about");
    server.emulator.faults().clear();
    assert_eq!(server.get(&conversation_path()).await.status, 200);
}

#[tokio::test]
async fn waiting_for_a_hang_ends_with_the_emulator() {
    let server = Server::start().await;
    let address = server.emulator.url().strip_prefix("http://").unwrap().to_owned();
    let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
    let request = format!(
        "POST /_emulator/faults.hanging HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-length: 11\r\n\r\n{{\"count\":1}}",
        server.emulator.credential()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    // Handled after the first request on the same runtime, so the first has been executed by now.
    server.get(&conversation_path()).await;
    server.emulator.stop().await;
}

#[tokio::test]
async fn invalid_rules_are_rejected_by_field_and_none_is_added() {
    let server = Server::start().await;
    let faults = server.emulator.faults();
    let drop = json!({ "kind": "drop" });
    for (rule, message) in [
        (json!({ "tims": 2, "fault": drop }), "unknown field `tims`"),
        (json!({ "on": { "verb": "GET" }, "fault": drop }), "unknown field `verb`"),
        (json!({ "fault": { "kind": "dorp" } }), "unknown variant `dorp`"),
        (json!({ "fault": { "kind": "drop", "comit": true } }), "unknown field `comit`"),
        (json!({ "fault": { "kind": "endless", "bytes": 1 } }), "unknown field `bytes`"),
        (json!({ "on": {} }), "missing field `fault`"),
        (json!({ "times": "often", "fault": drop }), "`times` must be a whole number or \"always\""),
        (json!({ "on": { "nth": 0 }, "fault": drop }), "must be at least 1"),
        (json!({ "on": { "nth": 1, "every": 2 }, "fault": drop }), "not both"),
        (json!({ "on": { "conversation": "7" }, "fault": drop }), "`on.conversation` is not a GUID: '7'"),
        (json!({ "fault": { "kind": "status", "status": 99 } }), "from 200 to 599, not 99"),
        (
            json!({ "fault": { "kind": "status", "status": 500, "headers": { "content-length": "1" } } }),
            "'content-length'",
        ),
        (json!({ "fault": { "kind": "redirect", "location": "a\nb" } }), "`location`"),
        (json!({ "fault": { "kind": "trickle", "bytesAtOnce": 0 } }), "`bytesAtOnce`"),
        (json!({ "fault": { "kind": "writer", "when": "before", "changes": { "nmae": 1 } } }), "no column 'nmae'"),
        (
            json!({ "fault": { "kind": "writer", "when": "before", "changes": { "statuscode": "x" } } }),
            "not a valid Edm.Int32",
        ),
        (
            json!({ "fault": { "kind": "writer", "when": "before", "changes": {
                "msdyn_issueid": { "entityLogicalName": "account", "recordId": ACCOUNT } } } }),
            "`changes.msdyn_issueid`: it cannot point to 'account'",
        ),
        (json!([{ "fault": drop }, { "fault": 1 }]), "a fault rule"),
    ] {
        let error = faults.add(rule.clone()).unwrap_err().to_string();
        assert!(error.contains(message), "{rule}: {error}");
    }
    assert_eq!(faults.waiting(), 0);
    for (plan, message) in [
        (json!({ "seed": 1, "rate": 2, "faults": [drop] }), "`rate` must be from 0 to 1, not 2"),
        (json!({ "seed": 1, "rate": 1, "faults": [] }), "`faults` is empty"),
        (json!({ "seed": 1, "rate": 1 }), "missing field `faults`"),
        (json!({ "seed": 1, "rate": 1, "faults": [drop], "times": 1 }), "unknown field `times`"),
    ] {
        assert!(faults.random(plan.clone()).unwrap_err().to_string().contains(message), "{plan}");
    }
    for (conditions, message) in [
        (json!({ "limit": {} }), "unknown field `limit`"),
        (json!({ "limits": { "request": 1 } }), "unknown field `request`"),
        (json!({ "concurrencyOff": ["accounts"] }), "`concurrencyOff`: no table 'accounts'"),
    ] {
        assert!(faults.conditions(conditions.clone()).unwrap_err().to_string().contains(message), "{conditions}");
    }
}

#[tokio::test]
async fn a_reset_restores_the_start() {
    let server = Server::start().await;
    let before = server.conversation();
    server.patch(&conversation_path(), link()).await;
    server.emulator.clock().advance(std::time::Duration::from_secs(1));
    server.emulator.faults().add(json!({ "times": "always", "fault": { "kind": "drop" } })).unwrap();
    server.emulator.faults().random(json!({ "seed": 1, "rate": 1, "faults": [{ "kind": "drop" }] })).unwrap();
    server.emulator.faults().conditions(json!({ "concurrencyOff": ["msdyn_ocliveworkitem"] })).unwrap();

    server.emulator.reset();
    assert_eq!(server.conversation(), before);
    assert_eq!(server.emulator.clock().now(), std::time::Duration::ZERO);
    assert!(server.emulator.requests().is_empty());
    let response = server.get(&conversation_path()).await;
    let etag = response.header("etag").unwrap();
    assert_eq!(server.patch_with(&conversation_path(), &[("if-match", etag)], link()).await.status, 204);
    assert_eq!(log(&server), [(1, 200, None), (2, 204, None)]);
}
