//! Headers of responses and requests as documented, and the details of errors.

use serde_json::json;

use crate::client::{ACCOUNT, MISSING, Server, conversation_path};

#[tokio::test]
async fn responses_are_not_cached() {
    let server = Server::start().await;
    for response in [server.get("WhoAmI").await, server.get(&format!("accounts({MISSING})")).await] {
        for (name, value) in [("cache-control", "no-cache"), ("expires", "-1"), ("vary", "Accept-Encoding")] {
            assert_eq!(response.header(name), Some(value), "{name}");
        }
    }
}

#[tokio::test]
async fn documented_request_headers_are_accepted() {
    let server = Server::start().await;
    let common = [("accept", "application/json"), ("odata-maxversion", "4.0"), ("odata-version", "4.0")];
    for header in [
        ("if-none-match", "null"),
        ("mscrm.suppressduplicatedetection", "false"),
        ("mscrm.bypasscustompluginexecution", "true"),
        ("mscrm.bypassbusinesslogicexecution", "CustomSync,CustomAsync"),
        ("mscrm.suppresscallbackregistrationexpanderjob", "true"),
        ("mscrm.solutionuniquename", "Solution"),
        ("mscrm.mergelabels", "true"),
        ("mscrm.sessiontoken", "207:8#142792067#7=-1"),
        ("consistency", "Strong"),
        ("x-ms-client-request-id", ACCOUNT),
        ("x-ms-correlation-id", ACCOUNT),
    ] {
        let headers = [&common[..], &[header]].concat();
        let path = format!("{}?tag=plugin", conversation_path());
        assert_eq!(server.get_with(&path, &headers).await.status, 200, "{header:?}");
        let headers = [&headers[..], &[("if-match", "*")]].concat();
        assert_eq!(server.patch_with(&path, &headers, json!({ "subject": "x" })).await.status, 204, "{header:?}");
        assert_eq!(server.post("accounts", &headers[..4], json!({ "name": "x" })).await.status, 204, "{header:?}");
    }
}

#[tokio::test]
async fn an_error_has_five_details_if_all_annotations_are_requested() {
    let server = Server::start().await;
    let path = format!("accounts({MISSING})");
    let detailed = server.get_with(&path, &[("prefer", "odata.include-annotations=\"*\"")]).await.json();
    let error = detailed["error"].as_object().unwrap();
    for name in
        ["ErrorDetails.OperationStatus", "ErrorDetails.SubErrorCode", "HelpLink", "TraceText", "InnerError.Message"]
    {
        assert!(error[&format!("@Microsoft.PowerApps.CDS.{name}")].is_string(), "{name}");
    }
    assert_eq!((error.len(), error.get("innererror")), (7, None));
    let some = [("prefer", "odata.include-annotations=\"OData.Community.Display.V1.FormattedValue\"")];
    assert_eq!(server.get_with(&path, &some).await.json()["error"].as_object().unwrap().len(), 2);
}
