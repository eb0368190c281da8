//! The changes of another writer to a conversation.

use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    organisation::{Changes, Reference},
    table::{self, CONVERSATION},
};

/// Changes to a conversation, by the logical names of its columns.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(crate) struct ConversationChanges(pub(crate) Changes);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RecordReference {
    entity_logical_name: String,
    record_id: String,
}

impl TryFrom<Map<String, Value>> for ConversationChanges {
    type Error = String;

    fn try_from(values: Map<String, Value>) -> Result<Self, String> {
        let mut changes = Changes::new();
        for (name, value) in values {
            changes = if CONVERSATION.lookup(&name).is_some() {
                match reference(&name, value)? {
                    Some(to) => changes.link(&name, to),
                    None => changes.clear(&name),
                }
            } else {
                let Some(column) = CONVERSATION.column(&name) else {
                    return Err(format!("`changes`: a conversation has no column '{name}'"));
                };
                if let Some(expected) = column.kind.mismatch(&value) {
                    return Err(format!("`changes.{name}` is not a valid {expected}: {value}"));
                }
                changes.set(&name, value)
            };
        }
        Ok(Self(changes))
    }
}

fn reference(name: &str, value: Value) -> Result<Option<Reference>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let invalid = |problem: String| format!("`changes.{name}`: {problem}");
    let record: RecordReference = serde_json::from_value(value).map_err(|error| invalid(error.to_string()))?;
    let lookup = CONVERSATION.lookup(name);
    let target = table::by_logical_name(&record.entity_logical_name)
        .filter(|target| lookup.is_some_and(|lookup| lookup.navigation_to(target.logical_name).is_some()))
        .ok_or_else(|| invalid(format!("it cannot point to '{}'", record.entity_logical_name)))?;
    let id = Uuid::try_parse(&record.record_id).map_err(|_| invalid(format!("not a GUID: '{}'", record.record_id)))?;
    Ok(Some(Reference::new(target, id)))
}
