use std::fs;

use omnichannel_link_emulator::{Emulator, Organisation, Reference, table};
use serde_json::{Value, json};

use crate::client::{ACCOUNT, CONTACT, CONVERSATION, INCIDENT, id, page, pages};

#[test]
fn the_order_of_pages_does_not_matter() {
    for reverse in [false, true] {
        let mut pages = pages();
        if reverse {
            pages.reverse();
        }
        let mut organisation = Organisation::new();
        let rows: usize = pages.iter().map(|page| organisation.load_page("page", page).unwrap()).sum();
        assert_eq!(rows, 4);
        let row = organisation.row(table::CONVERSATION, id(CONVERSATION)).unwrap();
        assert_eq!(row.lookup("msdyn_customer"), Some(&Reference::new(table::CONTACT, id(CONTACT))));
        assert_eq!(row.lookup("msdyn_issueid"), None);
        assert_ne!(row.etag(), "W/\"48213377\"", "the page's own etag is ignored");
    }
}

#[test]
fn an_invalid_page_is_rejected_with_its_name_and_row() {
    let lookup = "_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname";
    for (page, problem) in [
        (json!([]), "p: no \"@odata.context\""),
        (json!({ "value": [] }), "p: no \"@odata.context\""),
        (json!({ "@odata.context": "x", "value": [] }), "p: \"@odata.context\" has no \"$metadata#\""),
        (json!({ "@odata.context": "x/$metadata#accounts" }), "p: no \"value\" array"),
        (page("Accounts", json!([])), "p: the emulator does not know the set 'Accounts', and its key"),
        (page("accounts", json!([{ "accountid": ACCOUNT }, 5])), "p: row 2: not an object"),
        (page("accounts", json!([{ "name": "x" }])), "p: row 1: no 'accountid'"),
        (page("accounts", json!([{ "accountid": "7" }])), "p: row 1: 'accountid' is not a GUID"),
        (page("accounts", json!([{ "accountid": ACCOUNT }, { "accountid": ACCOUNT }])), "p: row 2: account 0b7e4c0e"),
        (
            page("accounts", json!([{ "accountid": ACCOUNT, "name": 5 }])),
            "p: row 1: 'name' is not a valid Edm.String: 5",
        ),
        (
            page("accounts", json!([{ "accountid": ACCOUNT, "name": { "a": 1 } }])),
            "p: row 1: 'name' is not a valid Edm.String",
        ),
        (
            page("msdyn_ocliveworkitems", json!([{ "activityid": CONVERSATION, "_msdyn_customer_value": CONTACT }])),
            "p: row 1: '_msdyn_customer_value' has no \"_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname\"",
        ),
        (
            page(
                "msdyn_ocliveworkitems",
                json!([{ "activityid": CONVERSATION, "_msdyn_customer_value": "x", lookup: "contact" }]),
            ),
            "p: row 1: '_msdyn_customer_value' is not a GUID",
        ),
        (
            page(
                "msdyn_ocliveworkitems",
                json!([{ "activityid": CONVERSATION, "_msdyn_customer_value": INCIDENT, lookup: "incident" }]),
            ),
            "p: row 1: '_msdyn_customer_value' cannot point to 'incident'",
        ),
        (
            page("msdyn_ocliveworkitems", json!([{ "activityid": CONVERSATION, "statecode": 0, "statuscode": 4 }])),
            "p: row 1: statuscode 4 does not belong to statecode 0",
        ),
        (
            page("msdyn_ocliveworkitems", json!([{ "activityid": CONVERSATION, "statecode": 8 }])),
            "p: row 1: msdyn_ocliveworkitem has no statecode 8",
        ),
    ] {
        let mut organisation = Organisation::new();
        let error = organisation.load_page("p", &page).unwrap_err().to_string();
        assert!(error.starts_with(problem), "'{problem}' does not begin: {error}");
        for table in [table::ACCOUNT, table::CONTACT, table::INCIDENT, table::CONVERSATION] {
            assert_eq!(organisation.ids(table).count(), 0, "a rejected page changes nothing: {error}");
        }
    }
}

#[test]
fn missing_columns_of_a_page_get_defaults() {
    let mut organisation = Organisation::new();
    let other = "00000000-0000-4000-8000-000000000001";
    let custom = "00000000-0000-4000-8000-000000000002";
    let rows = json!([
        { "activityid": CONVERSATION },
        { "activityid": other, "statuscode": 6 },
        { "activityid": custom, "statecode": 0, "statuscode": 192_350_000 },
    ]);
    organisation.load_page("p", &page("msdyn_ocliveworkitems", rows)).unwrap();
    for (row, state, status) in [(CONVERSATION, 0, 1), (other, 2, 6), (custom, 0, 192_350_000)] {
        let row = organisation.row(table::CONVERSATION, id(row)).unwrap();
        assert_eq!(row.column("statecode"), Some(&json!(state)));
        assert_eq!(row.column("statuscode"), Some(&json!(status)));
    }
}

#[tokio::test]
async fn a_column_of_a_page_exists() {
    let lookup = "_new_ownerid_value@Microsoft.Dynamics.CRM";
    let rows = json!([{
        "accountid": ACCOUNT,
        "new_colour": 3,
        "_new_ownerid_value": CONTACT,
        format!("{lookup}.lookuplogicalname"): "contact",
        format!("{lookup}.associatednavigationproperty"): "new_OwnerId",
    }]);
    let mut organisation = Organisation::new();
    organisation.load_page("p", &page("accounts", rows)).unwrap();
    let emulator = Emulator::start(organisation, 0).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/api/data/v9.2/accounts({ACCOUNT})?$select=new_colour,_new_ownerid_value", emulator.url());
    let request =
        client.get(url).bearer_auth(emulator.credential()).header("prefer", "odata.include-annotations=\"*\"");
    let body: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!((&body["new_colour"], &body["_new_ownerid_value"]), (&json!(3), &json!(CONTACT)));
    assert_eq!(body[format!("{lookup}.associatednavigationproperty")], "new_OwnerId");
}

#[test]
fn a_path_is_a_file_or_a_folder_of_pages() {
    let folder = tempfile::tempdir().unwrap();
    for (index, page) in pages().iter().enumerate() {
        fs::write(folder.path().join(format!("{index}.json")), format!("\u{feff}{page}")).unwrap();
    }
    fs::write(folder.path().join("README.md"), "no page").unwrap();
    let mut organisation = Organisation::new();
    assert_eq!(organisation.load_path(folder.path()).unwrap(), 4);
    let mut organisation = Organisation::new();
    assert_eq!(organisation.load_path(&folder.path().join("1.json")).unwrap(), 1);
    assert_eq!(organisation.ids(table::ACCOUNT).collect::<Vec<_>>(), [id(ACCOUNT)]);

    let invalid = folder.path().join("9.json");
    fs::write(&invalid, "{").unwrap();
    let error = Organisation::new().load_path(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: not JSON: ", invalid.display())), "{error}");
    let missing = folder.path().join("missing");
    let error = Organisation::new().load_path(&missing).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: ", missing.display())), "{error}");
    #[cfg(unix)]
    for (name, target) in [("5.json", folder.path().join("nowhere")), ("6.json", folder.path().join("6.json"))] {
        // A skipped page would go unnoticed.
        fs::remove_file(&invalid).ok();
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(target, &link).unwrap();
        let error = Organisation::new().load_path(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: ", link.display())), "{error}");
        fs::remove_file(&link).unwrap();
    }
    let empty = tempfile::tempdir().unwrap();
    let error = Organisation::new().load_path(empty.path()).unwrap_err().to_string();
    assert!(error.ends_with("no *.json file in this folder"), "{error}");
}

#[test]
fn a_file_may_have_unpaired_surrogates_and_whole_floats() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.json");
    let [conversations, ..] = &pages()[..] else { unreachable!("there are four") };
    let text =
        conversations.to_string().replace("Visitor 17", r"x\ud83d").replace(r#""statuscode":2"#, r#""statuscode":2.0"#);
    fs::write(&file, text).unwrap();
    let mut organisation = Organisation::new();
    organisation.load_path(&file).unwrap();
    let row = organisation.row(table::CONVERSATION, id(CONVERSATION)).unwrap();
    assert_eq!(row.column("subject"), Some(&json!("x\u{fffd}")));
    assert_eq!(row.column("statuscode"), Some(&json!(2)));
    let rows = json!([{ "activityid": CONVERSATION, "msdyn_transfercount": 3.0 }]);
    let mut organisation = Organisation::new();
    organisation.load_page("p", &page("msdyn_ocliveworkitems", rows)).unwrap();
    let row = organisation.row(table::CONVERSATION, id(CONVERSATION)).unwrap();
    assert_eq!(row.column("msdyn_transfercount"), Some(&json!(3)));
    for status in ["2.5", "1e300"] {
        let rows = format!(r#"[{{ "activityid": "{CONVERSATION}", "statuscode": {status} }}]"#);
        let rows: Value = serde_json::from_str(&rows).unwrap();
        assert!(Organisation::new().load_page("p", &page("msdyn_ocliveworkitems", rows)).is_err(), "{status}");
    }
}
