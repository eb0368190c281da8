//! The standard tables: names, types and limits from Microsoft's table reference.

use super::data::{Relationships, TableData};

macro_rules! tables {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../definitions/", $name, ".json")))),*]
    };
}

/// All tables and their relationships.
///
/// # Panics
///
/// If a file is invalid, which a test finds.
pub(super) fn read() -> (Vec<TableData>, Relationships) {
    let files = tables![
        "account",
        "activityparty",
        "activitypointer",
        "annotation",
        "appointment",
        "businessunit",
        "competitor",
        "contact",
        "email",
        "incident",
        "lead",
        "letter",
        "msdyn_liveworkstream",
        "msdyn_ocliveworkitem",
        "msdyn_ocsession",
        "msdyn_sessionparticipant",
        "opportunity",
        "organization",
        "phonecall",
        "pricelevel",
        "product",
        "queue",
        "queueitem",
        "role",
        "sdkmessage",
        "sdkmessagefilter",
        "socialprofile",
        "subject",
        "systemuser",
        "task",
        "team",
        "territory",
        "transactioncurrency",
    ];
    let table = |(name, text): (&str, &str)| -> TableData {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}.json: {error}"))
    };
    let relationships = serde_json::from_str(include_str!("../../definitions/relationships.json"));
    let relationships = relationships.unwrap_or_else(|error| panic!("relationships.json: {error}"));
    (files.into_iter().map(table).collect(), relationships)
}
