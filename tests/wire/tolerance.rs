//! Responses with irregular values in columns that decisions do not use: strings cut in the middle of an emoji, huge numbers, unexpected types.

use omnichannel_link::{
    domain::{
        CallOptions, ConversationDetails, EntityLogicalName, KeyValue, LinkStatus, NamedRecord, RecordKey, Status,
    },
    error::{Code, LinkError},
};

use crate::{
    ACTIVE, empty, holding,
    script::{Script, reply, row_json},
    support::{CONVERSATION, account, conversation},
};

/// Properties of a row that no decision is based on.
fn odd_properties() -> Vec<String> {
    let deep = format!("{}{}", r#"{"a":["#.repeat(50_000), "]}".repeat(50_000));
    let odd = [
        r#""x\ud83d""#,
        r#""\ude00x""#,
        "\"raw\ttab\"",
        "1e999",
        "-1e999",
        "NaN",
        "-Infinity",
        r#""C:\Temp\users\é""#,
        "12345678901234567890123456789012345678901234567890",
        "7",
        "true",
        "[]",
        r#"{"odd":"\udc00"}"#,
        &deep,
    ];
    let mut properties = Vec::new();
    for name in [
        "subject",
        "createdon",
        "_msdyn_activeagentid_value",
        "_msdyn_customer_value@OData.Community.Display.V1.FormattedValue",
        "_msdyn_issueid_value@OData.Community.Display.V1.FormattedValue",
        "_msdyn_issueid_value@Microsoft.Dynamics.CRM.lookuplogicalname",
        "statecode",
        "new_unknown",
        r"new_\ud83d",
    ] {
        properties.extend(odd.map(|value| format!(r#""{name}":{value}"#)));
    }
    properties.push(r#""subject":"first","subject":"second""#.into());
    properties.push(r#""createdon":"the day before yesterday""#.into());
    properties.push(r#""_msdyn_activeagentid_value":"no id""#.into());
    properties
}

/// The row with another property.
fn with(property: &str) -> String {
    row_json(7, ACTIVE, Some(account(1)), None).replacen('{', &format!("{{{property},"), 1)
}

async fn read(body: String) -> Result<ConversationDetails, LinkError> {
    let server = Script::new([reply(200, body)]);
    server.service.read(Some(conversation(CONVERSATION)), CallOptions::default()).await
}

async fn list(body: String) -> Result<Vec<ConversationDetails>, LinkError> {
    let server = Script::new([reply(200, body)]);
    server.list().await
}

async fn find(body: String) -> Result<NamedRecord, LinkError> {
    let server = Script::new([reply(200, body)]);
    let columns = vec![("new_number".to_owned(), KeyValue::Number(1))];
    server.service.find(RecordKey { entity: EntityLogicalName::Account, columns }, CallOptions::default()).await
}

fn shorten(text: &str) -> &str {
    text.get(..200).unwrap_or(text)
}

#[tokio::test]
async fn an_odd_property_hides_neither_its_row_nor_the_others_of_the_page() {
    for property in odd_properties() {
        let odd = with(&property);
        let one = read(odd.clone()).await.unwrap_or_else(|error| panic!("{}: {error}", shorten(&property)));
        assert_eq!(one.conversation.customer, Some(account(1)));
        let page = format!(r#"{{"{}":1e999,"value":[{},{odd}]}}"#, r"\ud83d", with(r#""subject":"fine""#));
        let rows = list(page).await.unwrap_or_else(|error| panic!("{}: {error}", shorten(&property)));
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].subject.as_deref(), Some("fine"));
        let link = Script::new([reply(200, odd), holding(8, account(2))]);
        assert_eq!(link.link(account(2)).await.unwrap().status, LinkStatus::Replaced);
    }
}

#[tokio::test]
async fn an_odd_subject_is_shown_with_a_replacement_character_or_left_out() {
    assert_eq!(read(with(r#""subject":"x\ud83d""#)).await.unwrap().subject.as_deref(), Some("x\u{fffd}"));
    assert_eq!(read(with(r#""subject":7,"createdon":7"#)).await.unwrap().subject, None);
}

#[tokio::test]
async fn an_odd_name_does_not_hide_the_record_it_belongs_to() {
    let id = account(1).id;
    for (name, expected) in [(r#""x\ud83d""#, Some("x\u{fffd}")), ("7", None), ("1e999", None), ("[[]]", None)] {
        let body = format!(r#"{{"odd":1e999,"value":[{{"accountid":"{id}","name":{name},"other":-1e999}}]}}"#);
        let found = find(body).await.unwrap();
        assert_eq!((found.record, found.name.as_deref()), (account(1), expected), "{name}");
    }
}

#[tokio::test]
async fn a_found_record_without_a_valid_id_is_an_error() {
    for wrong in [r#"{"accountid":7}"#, r#"{"name":"x"}"#, r#"{"accountid":"x\ud83d"}"#, "7"] {
        assert_eq!(find(format!(r#"{{"value":[{wrong}]}}"#)).await.unwrap_err().code(), Code::Protocol, "{wrong}");
    }
}

#[tokio::test]
async fn a_key_too_long_for_a_url_is_an_error_before_anything_is_sent() {
    let server = Script::new([]);
    let columns = vec![("new_text".to_owned(), KeyValue::Text("x".repeat(70_000)))];
    let key = RecordKey { entity: EntityLogicalName::Account, columns };
    let error = server.service.find(key, CallOptions::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().contains("too long"), "{error}");
    assert!(!error.details().maybe_applied);
}

#[tokio::test]
async fn columns_of_decisions_are_parsed_strictly() {
    let fine = with(r#""subject":"fine""#);
    for (from, to) in [
        (r#""statuscode":2"#, r#""statuscode":"2""#),
        (r#""statuscode":2"#, r#""statuscode":2.5"#),
        (r#""statuscode":2"#, r#""statuscode":1e999"#),
        (r#""statuscode":2"#, r#""statuscode":2e100"#),
        (r#""statuscode":2"#, r#""statuscode":NaN"#),
        (r#""_msdyn_issueid_value":null"#, r#""_msdyn_issueid_value":NaN"#),
        (r#""statuscode":2"#, r#""statuscode":null"#),
        (r#""statuscode":2"#, r#""statuscode":2,"statuscode":4"#),
        (r#""_msdyn_issueid_value":null"#, r#""_msdyn_issueid_value":"x\ud83d""#),
        (r#""_msdyn_issueid_value":null"#, r#""_msdyn_issueid_value":7"#),
        (r#""_msdyn_issueid_value":null"#, r#""new_issueid":null"#),
        (r#""_msdyn_issueid_value":null"#, r#""_msdyn_issueid_value":null,"_msdyn_issueid_value":null"#),
        (r#"lookuplogicalname":"account""#, r#"lookuplogicalname":["account"]"#),
        (r#"lookuplogicalname":"account""#, r#"lookuplogicalname":"acc\ud83dunt""#),
        (CONVERSATION, "x"),
    ] {
        let odd = fine.replace(from, to);
        assert_ne!(odd, fine, "{from}");
        assert_eq!(read(odd.clone()).await.unwrap_err().code(), Code::Protocol, "{to}");
        assert_eq!(list(format!(r#"{{"value":[{odd}]}}"#)).await.unwrap_err().code(), Code::Protocol, "{to}");
    }
}

#[tokio::test]
async fn the_envelope_of_a_page_is_parsed_strictly() {
    for page in [r#"{"value":{}}"#, "{}", r#"{"value":[],"value":[]}"#, r#"{"value":[],"@odata.nextLink":7}"#, "[]"] {
        assert_eq!(list(page.into()).await.unwrap_err().code(), Code::Protocol, "{page}");
    }
}

#[tokio::test]
async fn a_whole_number_may_be_written_as_a_fraction() {
    for number in ["2.0", "2e0", "2.000"] {
        let body = with(r#""subject":"fine""#).replace(r#""statuscode":2"#, &format!(r#""statuscode":{number}"#));
        assert_eq!(read(body).await.unwrap().conversation.status, Status::ACTIVE, "{number}");
    }
}

#[tokio::test]
async fn a_document_may_begin_with_a_byte_order_mark_and_nothing_may_follow_it() {
    let one = with(r#""subject":"fine""#);
    let page = format!(r#"{{"value":[{one}]}}"#);
    let record = format!(r#"{{"value":[{{"accountid":"{}"}}]}}"#, account(1).id);
    let marked = |body: &str| format!("\u{feff}{body}\r\n");
    assert_eq!(read(marked(&one)).await.unwrap().subject.as_deref(), Some("fine"));
    assert_eq!(list(marked(&page)).await.unwrap().len(), 1);
    assert_eq!(find(marked(&record)).await.unwrap().record, account(1));
    for rest in ["x", "{}", "]", "\0", "<!-- proxy -->", "\u{feff}"] {
        assert_eq!(read(format!("{one}{rest}")).await.unwrap_err().code(), Code::Protocol, "{rest}");
        assert_eq!(list(format!("{page}{rest}")).await.unwrap_err().code(), Code::Protocol, "{rest}");
        assert_eq!(find(format!("{record}{rest}")).await.unwrap_err().code(), Code::Protocol, "{rest}");
        // The representation after a write counts for nothing then: the row is read.
        let shown = format!("{}{rest}", with("\"a\":1"));
        let link = Script::new([empty(), reply(200, shown), holding(8, account(1))]);
        assert_eq!(link.link(account(1)).await.unwrap().status, LinkStatus::Linked);
        assert_eq!(link.methods(), "GET PATCH GET");
    }
}

#[tokio::test]
async fn the_code_and_the_message_of_an_error_are_found_whatever_else_is_odd_in_it() {
    const MISSING: &str = "0x80040217";
    for (body, message) in [
        (r#"{"error":{"code":"0x80040217","message":"x\ud83d"}}"#, Some("x\u{fffd}")),
        (r#"{"error":{"message":7,"code":"0x80040217"}}"#, None),
        (r#"{"error":{"message":{"lang":"en-US","value":"Gone"},"code":"0x80040217"}}"#, Some("Gone")),
        (
            r#"{"error":{"code":"0x80040217","message":"Gone","innererror":{"stacktrace":"\ud83d","n":1e999}}}"#,
            Some("Gone"),
        ),
        (r#"{"error":{"seconds":NaN,"code":"0x80040217","message":"C:\Temp"}}"#, Some(r"C:\Temp")),
        (r#"{"@odata.context":1e999,"error":{"n":[1e999],"code":" 0X80040217 ","message":"Gone"}}"#, Some("Gone")),
        (r#"{"error":{"code":"0x80040217","message":"Gone","message":"Gone"}}"#, Some("Gone")),
        (r#"{"error":{"code":"0x80040217","Message":"Gone","message":null}}"#, Some("Gone")),
        (r#"{"error":{"code":-2147220969.0,"message":"Gone"}}"#, Some("Gone")),
        (r#"{"error":{"code":2147746327,"message":"Gone"}}"#, Some("Gone")),
        (r#"{"ErrorCode":"0x80040217","Message":"Gone","ExceptionType":["\udfff"]}"#, Some("Gone")),
        (r#"{"error":{"code":"0x80040217","message":"Gone"}} <!-- proxy -->"#, Some("Gone")),
        (r#"{"error":{"code":"0x80040217","message":"Gone","innererror":{"stacktrace":"cu"#, Some("Gone")),
        (
            "{\"error\":{\"code\":\"0x80040217\",\"message\":\"Gone\",\"innererror\":{\"stacktrace\":\"at\r\n\tx\"}}}",
            Some("Gone"),
        ),
        ("\u{feff}{\"error\":{\"code\":\"0x80040217\",\"message\":\"Gone\"}}", Some("Gone")),
        (r#"{"error":"Gone","code":"0x80040217"}"#, Some("Gone")),
        (r#"{"error":null,"code":"","errorCode":"0x80040217","message":"Gone"}"#, Some("Gone")),
        (r#"{"error":[{"code":"0x0"}],"code":"0x80040217","message":"Gone"}"#, Some("Gone")),
        (r#"{"error":1.5,"code":"0x80040217","message":"Gone"}"#, Some("Gone")),
        (r#"{"error":{"code":["0x0"],"message":"Not this one"},"code":"0x80040217"}"#, Some("Not this one")),
    ] {
        let server = Script::new([reply(400, body.to_owned())]);
        let error = server.link(account(1)).await.unwrap_err();
        assert_eq!(error.details().service_code.as_deref(), Some(MISSING), "{body}");
        assert_eq!(error.details().service_message.as_deref(), message, "{body}");
        let server = Script::new([reply(404, body.to_owned())]);
        assert_eq!(server.link(account(1)).await.unwrap_err().code(), Code::ConversationNotFound, "{body}");
    }
}
