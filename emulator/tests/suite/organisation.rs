use omnichannel_link_emulator::{Changes, Organisation, Reference, table};
use serde_json::json;
use uuid::Uuid;

use crate::client::{ACCOUNT, CONTACT, CONVERSATION, MISSING, id, pages};

fn organisation() -> Organisation {
    let mut organisation = Organisation::new();
    for page in pages() {
        organisation.load_page("page", &page).unwrap();
    }
    organisation
}

#[test]
fn a_write_changes_the_named_columns_and_the_version() {
    let mut organisation = organisation();
    let before = organisation.row(table::CONVERSATION, id(CONVERSATION)).unwrap().clone();
    let changes =
        Changes::new().set("statuscode", 4).link("msdyn_customer", Reference::new(table::ACCOUNT, id(MISSING)));
    let version = organisation.write(table::CONVERSATION, id(CONVERSATION), changes);
    let row = organisation.row(table::CONVERSATION, id(CONVERSATION)).unwrap();
    assert!(version > before.version());
    assert_eq!(row.version(), version);
    assert_eq!((row.column("statecode"), row.column("statuscode")), (Some(&json!(1)), Some(&json!(4))));
    assert_eq!(row.column("subject"), before.column("subject"));
    assert_eq!(row.lookup("msdyn_customer"), Some(&Reference::new(table::ACCOUNT, id(MISSING))), "a dangling link");
}

#[test]
#[should_panic(expected = "account has no column 'nmae'")]
fn a_write_to_an_unknown_column_panics() {
    organisation().write(table::ACCOUNT, id(ACCOUNT), Changes::new().set("nmae", "x"));
}

#[test]
fn deleting_a_target_empties_its_links_and_deletes_what_is_regarding_it() {
    let mut organisation = organisation();
    let regarding = Changes::new().link("regardingobjectid", Reference::new(table::CONTACT, id(CONTACT)));
    organisation.write(table::CONVERSATION, id(MISSING), regarding);
    let before = organisation.row(table::CONVERSATION, id(CONVERSATION)).unwrap().version();

    assert!(organisation.delete(table::CONTACT, id(CONTACT)));
    assert!(!organisation.delete(table::CONTACT, id(CONTACT)));
    assert!(organisation.row(table::CONVERSATION, id(MISSING)).is_none());
    let row = organisation.row(table::CONVERSATION, id(CONVERSATION)).unwrap();
    assert_eq!(row.lookup("msdyn_customer"), None);
    assert!(row.version() > before);
}

#[test]
fn a_long_chain_of_rows_is_deleted_with_its_first() {
    // Cases are deleted with their parent, and this many would neither fit on the stack, nor be found in time one by one.
    const CASES: u128 = 20_000;
    let mut organisation = Organisation::new();
    for number in 0..CASES {
        let parent = Changes::new().link("parentcaseid", Reference::new("incident", Uuid::from_u128(number)));
        organisation.write("incident", Uuid::from_u128(number + 1), parent);
    }
    // And round in a circle.
    let last = Changes::new().link("parentcaseid", Reference::new("incident", Uuid::from_u128(CASES)));
    organisation.write("incident", Uuid::from_u128(1), last);
    assert!(organisation.delete("incident", Uuid::from_u128(1)));
    assert_eq!(organisation.ids("incident").count(), 0);
}
