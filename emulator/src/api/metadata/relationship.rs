//! The definition of a relationship.

use serde_json::{Value, json};

use super::labels::managed;
use crate::definitions::{
    Definitions,
    data::{ManyToMany, OnDelete, OneToMany},
    metadata_id,
};

pub(super) fn one_to_many(definitions: &Definitions, known: &OneToMany) -> Value {
    let key = definitions.by_logical_name(&known.one).map(|table| table.key.clone());
    let delete = match known.delete {
        OnDelete::Cascade => "Cascade",
        OnDelete::RemoveLink => "RemoveLink",
        OnDelete::Restrict => "Restrict",
        OnDelete::NoCascade => "NoCascade",
    };
    let merge = if known.merge { "Cascade" } else { "NoCascade" };
    // Two relationships of an owner have one name.
    let id = metadata_id(&format!("{} {}", known.name, known.one));
    json!({
        "@odata.type": "#Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
        "MetadataId": id,
        "HasChanged": null,
        "SchemaName": known.name,
        "RelationshipType": "OneToManyRelationship",
        "ReferencedEntity": known.one,
        "ReferencedAttribute": key,
        "ReferencedEntityNavigationPropertyName": known.collection,
        "ReferencingEntity": known.many,
        "ReferencingAttribute": known.column,
        "ReferencingEntityNavigationPropertyName": known.navigation,
        "IsCustomRelationship": known.name.contains("msdyn_"),
        "IsHierarchical": false,
        "IsManaged": true,
        "IsValidForAdvancedFind": true,
        "SecurityTypes": "Append",
        "IntroducedVersion": "1.0.0.0",
        "RelationshipBehavior": 0,
        "CascadeConfiguration": {
            "Assign": "NoCascade", "Delete": delete, "Archive": "NoCascade", "Merge": merge, "Reparent": "NoCascade",
            "Share": "NoCascade", "Unshare": "NoCascade", "RollupView": "NoCascade",
        },
        "IsCustomizable": managed(true, "iscustomizable"),
    })
}

pub(super) fn many_to_many(definitions: &Definitions, known: &ManyToMany) -> Value {
    let key = |name: &str| definitions.by_logical_name(name).map(|table| table.key.clone());
    json!({
        "@odata.type": "#Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata",
        "MetadataId": metadata_id(&known.name),
        "HasChanged": null,
        "SchemaName": known.name,
        "RelationshipType": "ManyToManyRelationship",
        "IntersectEntityName": known.intersect,
        "Entity1LogicalName": known.one,
        "Entity1IntersectAttribute": key(&known.one),
        "Entity1NavigationPropertyName": known.one_navigation,
        "Entity2LogicalName": known.two,
        "Entity2IntersectAttribute": key(&known.two),
        "Entity2NavigationPropertyName": known.two_navigation,
        "IsCustomRelationship": false,
        "IsManaged": true,
        "IsValidForAdvancedFind": true,
        "SecurityTypes": "None",
        "IntroducedVersion": "1.0.0.0",
        "IsCustomizable": managed(true, "iscustomizable"),
    })
}
