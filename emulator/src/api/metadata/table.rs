//! The definition of a table, and of its keys.

use serde_json::{Map, Value, json};

use super::labels::{label, managed, none};
use crate::{
    api::context::Context,
    definitions::{TableRef, kind::Kind, metadata_id},
};

pub(super) fn json(context: &Context<'_>, table: &TableRef) -> Map<String, Value> {
    let is_custom = table.logical_name.contains('_');
    let primary_name = (!table.primary_name.is_empty()).then_some(&table.primary_name);
    let has = |collection: &str| table.collections().iter().any(|known| known.table == collection);
    let definition = json!({
        "MetadataId": metadata_id(&table.logical_name),
        "HasChanged": null,
        "LogicalName": table.logical_name,
        "SchemaName": table.schema_name,
        "EntitySetName": table.set,
        "LogicalCollectionName": table.set,
        "CollectionSchemaName": table.set,
        "ObjectTypeCode": table.type_code,
        "PrimaryIdAttribute": table.key,
        "PrimaryNameAttribute": primary_name,
        "PrimaryImageAttribute": table.columns.iter().find(|column| column.kind == Kind::Image).map(|column| &column.name),
        "DisplayName": label(&table.label),
        "DisplayCollectionName": label(&table.collection_label),
        "Description": none(),
        "OwnershipType": table.ownership.name(),
        "TableType": "Standard",
        "IsActivity": table.is_activity,
        "IsActivityParty": table.logical_name == "activityparty",
        "IsCustomEntity": is_custom,
        "IsManaged": true,
        "IsPrivate": false,
        "IsIntersect": false,
        "IsLogicalEntity": false,
        "IsChildEntity": false,
        "IsValidForAdvancedFind": true,
        "IsAvailableOffline": true,
        "HasActivities": has("task"),
        "HasNotes": has("annotation"),
        "HasFeedback": false,
        "ChangeTrackingEnabled": context.conditions.tracks_changes(table),
        "IsOptimisticConcurrencyEnabled": !context.conditions.is_concurrency_off(table),
        "IsCustomizable": managed(true, "iscustomizable"),
        "IsRenameable": managed(true, "isrenameable"),
        "IsAuditEnabled": managed(false, "canmodifyauditsettings"),
        "IsDuplicateDetectionEnabled": managed(false, "canmodifyduplicatedetectionsettings"),
        "CanChangeTrackingBeEnabled": managed(true, "canchangetrackingbeenabled"),
    });
    if let Value::Object(definition) = definition { definition } else { Map::new() }
}

/// An alternate key of these columns, given by their names in rows.
pub(super) fn key(table: &TableRef, columns: &[String]) -> Value {
    let logical = columns.iter().filter_map(|name| table.column_read_as(name)).map(|column| column.name.as_str());
    let logical: Vec<_> = logical.collect();
    let name = format!("{}_{}_key", table.logical_name, logical.join("_"));
    json!({
        "MetadataId": metadata_id(&name),
        "HasChanged": null,
        "LogicalName": name,
        "SchemaName": name,
        "EntityLogicalName": table.logical_name,
        "KeyAttributes": logical,
        "EntityKeyIndexStatus": "Active",
        "IsManaged": false,
        "IsSynchronous": true,
        "DisplayName": label(&name),
        "IsCustomizable": managed(true, "iscustomizable"),
    })
}
