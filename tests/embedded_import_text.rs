//! Encodings and odd values in a page. An odd value does not affect other values, and nothing is dropped silently.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "support/embedded.rs"]
mod embedded;

use std::fs;

use omnichannel_link::{
    domain::{CallOptions, EntityLogicalName, KeyValue, RecordKey},
    embedded::{ImportSummary, Source},
    error::{Code, LinkError},
};
use rusqlite::OpenFlags;

use self::embedded::{DatabaseFixture, account, conversation, incident};

const NESTED: usize = 20_000;

/// A page of accounts with the columns of each, as JSON.
fn accounts(columns: &[&str]) -> String {
    let row = |(number, columns): (u16, &&str)| format!(r#"{{"accountid":"{}",{columns}}}"#, account(number).id);
    let rows: Vec<_> = (1..).zip(columns).map(row).collect();
    format!(r#"{{"@odata.context":"https://x/$metadata#accounts","value":[{}]}}"#, rows.join(","))
}

async fn import(db: &DatabaseFixture, page: impl Into<String>) -> Result<ImportSummary, LinkError> {
    db.import(Source::Text(page.into())).await
}

/// Imports the page from a file.
async fn import_file(db: &DatabaseFixture, bytes: impl AsRef<[u8]>) -> Result<ImportSummary, LinkError> {
    let path = db.path.with_extension("json");
    fs::write(&path, bytes).unwrap();
    db.import(Source::Path(path)).await
}

/// Checks that the page is rejected with this message, and nothing is imported.
async fn is_rejected(db: &DatabaseFixture, page: impl AsRef<[u8]>, message: &str) {
    let error = import_file(db, page).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error:?}");
    assert!(error.message().contains(message), "{}", error.message());
    assert!(!db.path.exists());
}

/// The stored columns of the account, besides its id and its name.
fn columns(db: &DatabaseFixture, number: u16) -> String {
    let sql = "SELECT columns FROM record WHERE id = ?1";
    let other = db.other_connection(OpenFlags::SQLITE_OPEN_READ_ONLY);
    other.query_row(sql, [account(number).id.as_bytes()], |row| row.get(0)).unwrap()
}

fn name(db: &DatabaseFixture, number: u16) -> Option<String> {
    let sql = "SELECT name FROM record WHERE id = ?1";
    let other = db.other_connection(OpenFlags::SQLITE_OPEN_READ_ONLY);
    other.query_row(sql, [account(number).id.as_bytes()], |row| row.get(0)).unwrap()
}

async fn found(db: &DatabaseFixture, column: &str, value: KeyValue) -> Vec<omnichannel_link::domain::RecordReference> {
    let key = RecordKey { entity: EntityLogicalName::Account, columns: vec![(column.to_owned(), value)] };
    db.service.find(key, CallOptions::default()).await.map(|found| vec![found.record]).unwrap_or_default()
}

#[tokio::test]
async fn an_odd_value_in_one_column_does_not_affect_the_others() {
    let nested = format!("{}{}", r#"[{"a":"#.repeat(NESTED), "}]".repeat(NESTED).replacen("}]", "1}]", 1));
    let long = format!(r#""{}""#, "long ".repeat(200_000));
    for (odd, kept) in [
        (r#""x\ud83d""#, Some(r#""x\ufffd""#)),
        (r#""\ude00\ud83d\ude00\ud83d""#, Some(r#""\ufffd\ud83d\ude00\ufffd""#)),
        ("1e999", Some("1e999")),
        ("-1E+400", Some("-1E+400")),
        ("-0", Some("-0")),
        ("123456789012345678901234567890.50", Some("123456789012345678901234567890.50")),
        (r#""a\u0000b""#, Some(r#""a\u0000b""#)),
        ("\"\u{feff}\u{2028}\u{7f}\u{10ffff}\"", Some("\"\u{feff}\u{2028}\u{7f}\u{10ffff}\"")),
        (long.as_str(), Some(long.as_str())),
        // Arrays and objects are not stored, as the typings say.
        (nested.as_str(), None),
        (r#"{"deep":{"x":"\ud83d"}}"#, None),
    ] {
        let about: String = odd.chars().take(40).collect();
        for odd_column in ["odd", "o\u{301}d\\u0000\\\"d", "\\udc00", ""] {
            let row =
                format!(r#""telephone1":"030","{odd_column}":{odd},"isprivate":true,"name":"Contoso","@x":{odd}"#);
            let db = DatabaseFixture::empty();
            assert_eq!(import(&db, accounts(&[&row])).await.unwrap().inserted, 1, "{about}");
            // The second time it is merged with the stored row.
            assert_eq!(import_file(&db, accounts(&[&row])).await.unwrap().updated, 1, "{about}");
            assert_eq!(name(&db, 1).as_deref(), Some("Contoso"), "{about}");
            for (column, value) in [("telephone1", KeyValue::Text("030".into())), ("isprivate", KeyValue::Flag(true))] {
                assert_eq!(found(&db, column, value).await, [account(1)], "{column} beside {about}");
            }
            let columns = columns(&db, 1);
            assert_eq!(
                columns.contains(&format!("\":{}", kept.unwrap_or(odd))),
                kept.is_some(),
                "{about} in {columns:.200}"
            );
        }
    }
}

/// Number of values by which records can be found.
fn findable(db: &DatabaseFixture) -> u32 {
    let other = db.other_connection(OpenFlags::SQLITE_OPEN_READ_ONLY);
    other.query_row("SELECT count(*) FROM record_value", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn records_are_found_by_the_values_that_they_have_now() {
    let text = |text: &str| KeyValue::Text(text.into());
    let db = DatabaseFixture::empty();
    let first = r#""name":"Ab","fax":"1","numberofemployees":1.0,"revenue":0.5,"creditonhold":true,"telephone1":null"#;
    import(&db, accounts(&[first, r#""numberofemployees":12,"creditonhold":false"#])).await.unwrap();
    assert_eq!(findable(&db), 4);
    assert_eq!(found(&db, "numberofemployees", KeyValue::Number(1)).await, [account(1)]);
    assert_eq!(found(&db, "numberofemployees", text("1")).await, []);
    assert_eq!(found(&db, "fax", KeyValue::Number(1)).await, []);
    assert_eq!(found(&db, "creditonhold", KeyValue::Flag(false)).await, [account(2)]);
    // Columns that the page does not have keep their values, null clears one.
    import(&db, accounts(&[r#""name":"aB","fax":"2","numberofemployees":null"#])).await.unwrap();
    assert_eq!(findable(&db), 3);
    for (column, value, expected) in [
        ("name", text("AB"), vec![account(1)]),
        ("fax", text("1"), vec![]),
        ("fax", text("2"), vec![account(1)]),
        ("numberofemployees", KeyValue::Number(1), vec![]),
        ("numberofemployees", KeyValue::Number(12), vec![account(2)]),
    ] {
        assert_eq!(found(&db, column, value.clone()).await, expected, "{column} {value:?}");
    }
    // The last row counts if a page has several with the same id.
    for (values, last) in [(["2", "3", "2"], "2"), (["3", "4", "5"], "5")] {
        let rows = values.map(|fax| format!(r#"{{"accountid":"{}","fax":"{fax}"}}"#, account(1).id)).join(",");
        import(&db, format!(r#"{{"@odata.context":"$metadata#accounts","value":[{rows}]}}"#)).await.unwrap();
        assert_eq!(findable(&db), 3);
        assert_eq!(found(&db, "fax", text(last)).await, [account(1)]);
    }
    // A file of an older version gets the same values.
    let db = db.reopened().await;
    db.other_connection(OpenFlags::SQLITE_OPEN_READ_WRITE)
        .execute_batch("DROP TABLE record_value; PRAGMA user_version = 4")
        .unwrap();
    assert_eq!(found(&db, "fax", text("5")).await, [account(1)]);
    assert_eq!(found(&db, "numberofemployees", KeyValue::Number(12)).await, [account(2)]);
    assert_eq!(findable(&db), 3);
}

#[tokio::test]
async fn an_unpaired_surrogate_becomes_a_replacement_character_everywhere() {
    let page = format!(
        r#"{{"\ud83d":"\ud83d","@odata.context":"https://\udc00/$metadata#msdyn_ocliveworkitems","value":[{{
            "activityid":"{}","statuscode":2,"subject":"Hi \ud83d","@\ud83d":"\ud83d"}}],"\ude00":["\ude00"]}}"#,
        conversation(1)
    );
    let db = DatabaseFixture::empty();
    assert_eq!(import(&db, page).await.unwrap().inserted, 1);
    let read = db.read(1).await.unwrap();
    assert_eq!(read.subject.as_deref(), Some("Hi \u{fffd}"));
    import(&db, accounts(&[r#""name":"\ud83d\ude00 & \ud83d Co","telephone1":"x\ud83d""#])).await.unwrap();
    assert_eq!(name(&db, 1).as_deref(), Some("\u{1f600} & \u{fffd} Co"));
    assert_eq!(found(&db, "telephone1", KeyValue::Text("x\u{fffd}".into())).await, [account(1)]);
}

#[tokio::test]
async fn an_unusable_value_is_rejected_by_row_and_column() {
    let db = DatabaseFixture::empty();
    let too_long = format!(r#""name":"x","description":"{}""#, "a".repeat(17 * 1024 * 1024));
    for (columns, message) in [
        (r#""name":5"#, "row 1 of `value`: `name`: invalid type: integer `5`"),
        (
            r#""name":"a","telephone1":"1","telephone\u0031":"2""#,
            "row 1 of `value`: `telephone1` appears more than once",
        ),
        (r#""name":"a","name":"b""#, "row 1 of `value`: `name` appears more than once"),
        (r#""x":1,"y":"a	b""#, "row 1 of `value`: `y`: control character"),
        (r#""x":1,"y":01"#, "row 1 of `value`: `y`: invalid number"),
        (r#""x":1,"y":NaN"#, "row 1 of `value`: `y`: expected value"),
        (r#""x":1,"y":"\u12""#, "row 1 of `value`: `y`: invalid escape"),
        (too_long.as_str(), "row 1 of `value`: `description`: longer than 16 MiB"),
    ] {
        is_rejected(&db, accounts(&[r#""name":"valid""#, columns]), message).await;
    }
    let latin = accounts(&[r#""name":"valid""#, r#""x":1,"name":"M?ller""#]).replace('?', "\u{1}").into_bytes();
    let latin: Vec<_> = latin.into_iter().map(|byte| if byte == 1 { 0xFC } else { byte }).collect();
    is_rejected(&db, latin, "row 1 of `value`: `name`: bytes that are not UTF-8").await;
}

#[tokio::test]
async fn a_status_may_be_written_as_a_whole_float() {
    let db = DatabaseFixture::empty();
    let page = |status: &str| {
        let id = conversation(1);
        format!(
            r#"{{"@odata.context":"$metadata#msdyn_ocliveworkitems","value":[{{"activityid":"{id}","statuscode":{status}}}]}}"#
        )
    };
    for status in ["2.5", "1e999", "3e9", "null", "\"2\"", "true", "-0.1"] {
        is_rejected(&db, page(status), "row 0 of `value`: `statuscode`: ").await;
    }
    for (valid, status) in [("2.0", 2), ("1.9235E8", 192_350_000), ("-1", -1)] {
        import(&db, page(valid)).await.unwrap();
        let read = db.read(1).await.unwrap();
        assert_eq!(read.conversation.status.code(), status, "{valid}");
    }
}

#[tokio::test]
async fn the_context_may_follow_the_rows_and_unrelated_annotations_are_ignored() {
    let db = DatabaseFixture::empty();
    let row = |status: &str| {
        format!(
            r#"{{"activityid":"{}","createdon":null,"_msdyn_issueid_value":"{}","x\ud83d":1e999,{status}}}"#,
            conversation(1),
            incident(1).id
        )
    };
    let page = |row: &str| {
        format!(
            r#" {{"@odata.count":1e999,"value":[{row}],"deep":{0}{1},"@odata.context":"$metadata#msdyn_ocliveworkitems(a)/x"}} "#,
            "[".repeat(NESTED),
            "]".repeat(NESTED)
        )
    };
    is_rejected(&db, page(&row(r#""statuscode":"x""#)), "row 0 of `value`: `statuscode`: invalid type: string").await;
    let typeless = r#""statuscode":2,"statuscode@y":1,"statuscode@y":2,"_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname":5"#;
    assert_eq!(import(&db, page(&row(typeless))).await.unwrap().inserted, 1);
    assert_eq!(db.slots(1), Some(embedded::only(incident(1))));
}

#[tokio::test]
async fn a_value_that_is_not_stored_may_be_longer_than_the_limit() {
    let db = DatabaseFixture::empty();
    let skipped = format!(r#"{{"@odata.context":"$metadata#accounts","x":"{}","value":[]}}"#, "a".repeat(17 << 20));
    assert_eq!(import(&db, skipped).await.unwrap().inserted, 0);
}

fn encoded_page() -> String {
    accounts(&[r#""name":"Müller 😀 \ud83d","telephone1":"030""#, r#""name":"HALF""#])
}

/// The string as UTF-16 in one byte order.
fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[tokio::test]
async fn utf_16_with_a_byte_order_mark_is_decoded_even_with_unpaired_surrogates() {
    let page = encoded_page();
    for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        let db = DatabaseFixture::empty();
        let mut file = utf16(&format!("\u{feff}{page}"), bytes);
        // A Rust string cannot hold an unpaired surrogate.
        let at = file.windows(8).position(|window| window == utf16("HALF", bytes)).unwrap();
        file[at..at + 2].copy_from_slice(&bytes(0xD83D));
        assert_eq!(import_file(&db, &file).await.unwrap().inserted, 2);
        assert_eq!((name(&db, 1).unwrap(), name(&db, 2).unwrap()), ("Müller 😀 \u{fffd}".into(), "\u{fffd}ALF".into()));
    }
}

#[tokio::test]
async fn utf_16_must_be_complete_and_have_a_byte_order_mark() {
    for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        let mut file = utf16(&format!("\u{feff}{}", encoded_page()), bytes);
        file.push(0);
        let db = DatabaseFixture::empty();
        is_rejected(&db, &file, "ends within a character").await;
        is_rejected(&db, &file[2..file.len() - 1], "is not the response of a Web API GET").await;
    }
}

#[tokio::test]
async fn utf_8_may_have_a_byte_order_mark() {
    let page = encoded_page();
    let db = DatabaseFixture::empty();
    assert_eq!(import_file(&db, format!("\u{feff}{page}")).await.unwrap().inserted, 2);
    assert_eq!(import(&db, format!("\u{feff}{page}")).await.unwrap().updated, 2);
}

#[tokio::test]
async fn a_page_that_is_cut_off_or_followed_by_text_is_rejected() {
    let db = DatabaseFixture::empty();
    let page = accounts(&[r#""name":"a""#, r#""name":"b""#]);
    for behind in ["x", "{}", &page, "\0", "]", "\u{feff}"] {
        is_rejected(&db, format!("{page}\n{behind}"), "trailing characters").await;
    }
    for length in 0..page.len() {
        is_rejected(&db, &page[..length], "is not the response of a Web API GET").await;
    }
}

#[tokio::test]
async fn a_page_with_a_part_that_is_missing_or_doubled_is_rejected() {
    let db = DatabaseFixture::empty();
    let page = accounts(&[r#""name":"a""#, r#""name":"b""#]);
    for (page, message) in [
        (page.replace("value", "Value"), "it has no `value` array"),
        (page.replacen("\"value\"", "\"value\":[],\"value\"", 1), "duplicate field `value`"),
        (page.replacen('{', r#"{"@odata.context":"$metadata#contacts","#, 1), "duplicate field `@odata.context`"),
        (page.replace("},{", "},,{"), "row 1 of `value`: expected value"),
        (page.replace("}]", "},]"), "row 2 of `value`: trailing comma"),
        (r#"{"value":null,"@odata.context":"$metadata#accounts"}"#.into(), "it has no `value` array"),
        (r#"{"value":[{}],"@odata.context":null}"#.into(), "names no table"),
        (r#"{"value":[{}]}"#.into(), "names no table"),
    ] {
        is_rejected(&db, page, message).await;
    }
}

#[tokio::test]
async fn white_space_may_follow_a_page() {
    let db = DatabaseFixture::empty();
    let page = accounts(&[r#""name":"a""#, r#""name":"b""#]);
    assert_eq!(import_file(&db, format!("{page} \r\n\t")).await.unwrap().inserted, 2);
}
