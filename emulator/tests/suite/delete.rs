//! DELETE of a row, and of one column.

use serde_json::json;

use crate::client::{ACCOUNT, CONTACT, INCIDENT, MISSING, Server, bind, conversation_path};

#[tokio::test]
async fn a_deleted_row_is_gone() {
    let server = Server::start().await;
    let path = format!("contacts({CONTACT})");
    let etag = server.get(&path).await.header("etag").unwrap().to_owned();
    server.delete(&path, &[("if-match", "W/\"1\"")]).await.expect_error(412, "0x80060882", "");
    let deleted = server.delete(&path, &[("if-match", &etag)]).await;
    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    for response in
        [server.get(&path).await, server.delete(&path, &[]).await, server.delete(&path, &[("if-match", "*")]).await]
    {
        response.expect_error(404, "0x80040217", CONTACT);
    }
    assert_eq!(server.conversation().1, None, "the link is cleared");
}

#[tokio::test]
async fn what_belongs_to_a_deleted_row_is_deleted_with_it() {
    let server = Server::start().await;
    let regarding = bind("regardingobjectid_account_msdyn_ocliveworkitem", &format!("/accounts({ACCOUNT})"));
    assert_eq!(server.patch(&conversation_path(), regarding).await.status, 204);
    assert_eq!(server.delete(&format!("accounts({ACCOUNT})"), &[]).await.status, 204);
    server.get(&conversation_path()).await.expect_error(404, "0x80040217", "msdyn_ocliveworkitem");
    server.get(&format!("incidents({INCIDENT})")).await.expect_error(404, "0x80040217", "incident");
}

#[tokio::test]
async fn sets_cannot_be_deleted_nor_their_references() {
    let server = Server::start().await;
    for path in ["accounts", "accounts/$ref"] {
        let (status, code, message) = server.delete(path, &[]).await.error();
        assert_eq!((status, code.as_str()), (404, ""), "{message}");
    }
    server.delete(&format!("accounts({MISSING})/name"), &[]).await.expect_error(404, "0x80040217", MISSING);
}

#[tokio::test]
async fn one_column_is_read_written_and_cleared() {
    let server = Server::start().await;
    let path = format!("accounts({ACCOUNT})/name");
    let read = server.get(&path).await.json();
    assert_eq!(read["value"], "Fabrikam Coffee");
    assert!(read["@odata.context"].as_str().unwrap().ends_with(&format!("$metadata#accounts({ACCOUNT})/name")));
    let text = server.get(&format!("{path}/$value")).await;
    assert_eq!((text.text.as_str(), text.header("content-type")), ("Fabrikam Coffee", Some("text/plain")));
    let headers = [("content-type", "application/json")];
    let put = |body: &str| server.send(reqwest::Method::PUT, &path, &headers, Some(body.to_owned()));
    assert_eq!(put("{\"value\":\"New\"}").await.status, 204);
    assert_eq!(server.get(&path).await.json()["value"], "New");
    put("{\"value\":5}").await.expect_error(400, "0x80048d19", "Cannot convert the literal '5'");
    put("{}").await.expect_error(400, "0x80048d19", "No 'value'");
    assert_eq!(server.delete(&path, &[]).await.status, 204);
    assert_eq!((server.get(&path).await.status.as_u16(), server.get(&path).await.text), (204, String::new()));
    assert_eq!(server.get(&format!("accounts({ACCOUNT})?$select=name")).await.json()["name"], json!(null));
}
