//! Documented errors that only a rule can provoke here, because they need plug-ins, a database or other users; and all statuses.

use serde_json::json;

use crate::client::{ACCOUNT, MISSING, Server, bind, conversation_path};

#[tokio::test]
async fn every_documented_error_can_be_injected() {
    let server = Server::start().await;
    for (status, code, message) in [
        (400, "0x80060883", "The RowVersion property must be provided."),
        (403, "0x80048405", "Access is denied."),
        (403, "0x8004f504", "The caller may not write a secured column."),
        (
            412,
            "0x80040333",
            "A record was not created or updated because a duplicate of the current record already exists.",
        ),
        (400, "0x80040230", "The object cannot be updated because it is inactive."),
        (400, "0x80040265", "The text of a plug-in."),
        (500, "0x80044150", "Generic SQL error."),
        (500, "0x80044151", "SQL timeout expired."),
        (500, "0x80044339", "A lock was not granted."),
    ] {
        let before = server.conversation();
        let fault = json!({ "kind": "status", "status": status, "code": code, "message": message });
        server.emulator.faults().add(json!({ "on": { "method": "PATCH" }, "fault": fault })).unwrap();
        let detection = [("if-match", "*"), ("mscrm.suppressduplicatedetection", "false")];
        let response = server.patch_with(&conversation_path(), &detection, json!({ "subject": "x" })).await;
        response.expect_error(status, code, message);
        assert_eq!(server.conversation(), before, "{code}");
    }
    let written = server.patch(&conversation_path(), json!({ "subject": "x" })).await;
    assert_eq!(written.status, 204, "each applies once");
}

#[tokio::test]
async fn every_documented_status_is_answered() {
    let server = Server::start().await;
    let (account, missing) = (format!("accounts({ACCOUNT})"), format!("accounts({MISSING})"));
    let read = server.get(&account).await;
    assert_eq!(read.status, 200);
    let etag = [("if-none-match", read.header("etag").unwrap())];
    assert_eq!(server.get_with(&account, &etag).await.status, 304);
    assert_eq!(server.post("accounts", &[("prefer", "return=representation")], json!({})).await.status, 201);
    assert_eq!(server.post("accounts", &[], json!({})).await.status, 204);
    assert_eq!(server.get(&format!("{account}?$select=nope")).await.status, 400);
    assert_eq!(server.get_with(&account, &[("authorization", "Bearer old")]).await.status, 401);
    assert_eq!(server.get(&missing).await.status, 404);
    assert_eq!(server.patch_with(&account, &[("if-none-match", "*")], json!({})).await.status, 412);
    assert_eq!(server.patch(&account, json!({ "name": "x".repeat(1024 * 1024) })).await.status, 413);
    assert_eq!(server.get("GrantAccess").await.status, 501);

    server.post("pricelevels", &[], json!({ "pricelevelid": MISSING, "name": "List" })).await;
    server.patch(&account, bind("defaultpricelevelid", &format!("/pricelevels({MISSING})"))).await;
    assert_eq!(server.delete(&format!("pricelevels({MISSING})"), &[]).await.status, 405);

    for fault in [json!({ "kind": "throttle", "limit": "requests" }), json!({ "kind": "status", "status": 503 })] {
        server.emulator.faults().add(json!({ "fault": fault })).unwrap();
    }
    assert_eq!((server.get(&account).await.status.as_u16(), server.get(&account).await.status.as_u16()), (429, 503));
    server.emulator.faults().conditions(json!({ "missingPrivileges": ["prvReadAccount"] })).unwrap();
    assert_eq!(server.get(&account).await.status, 403);
}
