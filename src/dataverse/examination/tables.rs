//! The table of conversations, and the properties by which records are linked.

use serde::Deserialize;

use super::{Asker, Seen};
use crate::{
    dataverse::{Concurrency, request::names},
    domain::{EntityLogicalName, Finding},
    error::{Code, LinkError},
};

const SET: &str = "msdyn_ocliveworkitems";
const KEY: &str = "activityid";

/// Whether the table checks versions, if it says so.
pub(super) async fn table(asker: Asker<'_>) -> Seen<Option<bool>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Definition {
        entity_set_name: String,
        primary_id_attribute: String,
        is_optimistic_concurrency_enabled: Option<bool>,
    }

    let path = "EntityDefinitions(LogicalName='msdyn_ocliveworkitem')";
    let select = "$select=EntitySetName,PrimaryIdAttribute,IsOptimisticConcurrencyEnabled";
    let Definition { entity_set_name: set, primary_id_attribute: key, is_optimistic_concurrency_enabled } =
        asker.read(path, Some(select)).await?;
    if set == SET && key == KEY {
        return Ok((is_optimistic_concurrency_enabled, Finding::Passed(format!("{set}, by {key}."))));
    }
    let found = "The conversations' set and key have other names in this environment than Microsoft documents.";
    let fix = format!("This package expects {SET} and {KEY}; please report the version of Omnichannel.");
    Err(LinkError::new(Code::InvalidConfiguration, found).hint(fix))
}

pub(super) fn concurrency(checks_versions: Option<bool>, mode: Concurrency) -> Seen<()> {
    let found = match (checks_versions, mode) {
        (Some(true), Concurrency::CompareAndSwap) => "The table checks versions, and every write depends on one.",
        (Some(true), Concurrency::ReadCheckWrite) => {
            "The table checks versions, but `concurrency: 'readCheckWrite'` makes no use of them: what another writer changes \
             between our read and our write is overwritten. Leave the option out."
        }
        (Some(false), Concurrency::ReadCheckWrite) => {
            "The table checks no versions, and `concurrency: 'readCheckWrite'` accepts that: what another writer changes between \
             our read and our write is overwritten."
        }
        (None, _) => {
            return Ok((
                (),
                Finding::Skipped("The environment does not say whether the table checks versions.".into()),
            ));
        }
        (Some(false), Concurrency::CompareAndSwap) => {
            return Err(LinkError::new(Code::InvalidConfiguration, "The table checks no versions.").hint(
                "Turn on optimistic concurrency for msdyn_ocliveworkitem. Or set `concurrency: 'readCheckWrite'`, and accept that a \
                 link may then overwrite another writer's.",
            ));
        }
    };
    Ok(((), Finding::Passed(found.into())))
}

pub(super) async fn navigation(asker: Asker<'_>) -> Seen<()> {
    #[derive(Deserialize)]
    struct Relationships {
        value: Vec<Relationship>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Relationship {
        referenced_entity: String,
        referencing_entity_navigation_property_name: Option<String>,
    }

    let path = "RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata";
    let query = "$select=SchemaName,ReferencedEntity,ReferencingAttribute,ReferencingEntityNavigationPropertyName\
                 &$filter=ReferencingEntity eq 'msdyn_ocliveworkitem'";
    let Relationships { value } = asker.read(path, Some(query)).await?;
    let is_there = |entity: &EntityLogicalName| {
        value.iter().any(|one| {
            one.referenced_entity == entity.as_str()
                && one.referencing_entity_navigation_property_name.as_deref() == Some(names(*entity).0)
        })
    };
    let (there, missing): (Vec<_>, Vec<_>) = EntityLogicalName::ALL.into_iter().partition(is_there);
    let listed = |of: &[EntityLogicalName]| of.iter().map(|entity| names(*entity).0).collect::<Vec<_>>().join(", ");
    if missing.is_empty() {
        return Ok(((), Finding::Passed(format!("{}.", listed(&there)))));
    }
    let fix =
        "Update the Omnichannel solution in this environment; names are compared letter by letter, capitals included.";
    let found = format!("The environment does not have {}.", listed(&missing));
    Err(LinkError::new(Code::InvalidConfiguration, found).hint(fix))
}
