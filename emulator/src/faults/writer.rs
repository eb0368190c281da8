//! The changes of another writer to a conversation.

use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    definitions::{Definitions, TableRef},
    organisation::{Changes, Reference},
    table::CONVERSATION,
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
        let definitions = Definitions::built_in();
        let Some(conversation) = definitions.by_logical_name(CONVERSATION) else { return Ok(Self::default()) };
        let mut changes = Changes::new();
        for (name, value) in values {
            changes = if conversation.lookup(&name).is_some() {
                match reference(&definitions, conversation, &name, value)? {
                    Some(to) => changes.link(&name, to),
                    None => changes.clear(&name),
                }
            } else {
                let Some(column) = conversation.column(&name) else {
                    return Err(format!("`changes`: a conversation has no column '{name}'"));
                };
                let accepted = column.kind.accept(&value);
                let expected = column.kind.edm();
                changes
                    .set(&name, accepted.map_err(|_| format!("`changes.{name}` is not a valid {expected}: {value}"))?)
            };
        }
        Ok(Self(changes))
    }
}

fn reference(
    definitions: &Definitions,
    conversation: &TableRef,
    name: &str,
    value: Value,
) -> Result<Option<Reference>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let invalid = |problem: String| format!("`changes.{name}`: {problem}");
    let record: RecordReference = serde_json::from_value(value).map_err(|error| invalid(error.to_string()))?;
    let target = definitions
        .by_logical_name(&record.entity_logical_name)
        .filter(|target| conversation.navigation_to(name, &target.logical_name).is_some())
        .ok_or_else(|| invalid(format!("it cannot point to '{}'", record.entity_logical_name)))?;
    let id = Uuid::try_parse(&record.record_id).map_err(|_| invalid(format!("not a GUID: '{}'", record.record_id)))?;
    Ok(Some(Reference::new(&target.logical_name, id)))
}
