//! Checks of the conversation table and its navigation properties.

use serde::Deserialize;

use super::checks::get_json;
use crate::{
    dataverse::{
        context::{Concurrency, RequestContext},
        error::NO_VERSIONS_HINT,
        tables::{
            conversation::{ENTITY, ENTITY_SET, ID},
            table as linked,
        },
    },
    domain::{CheckKind, CheckOutcome, CheckResult, EntityLogicalName},
    error::{Code, LinkError},
};

pub(super) const TABLE: CheckKind = CheckKind {
    name: "table",
    if_passed: "The conversation table has the names that this client uses.",
    if_failed: "The conversation table does not have the names that this client uses, so every call fails.",
};
pub(super) const CONCURRENCY: CheckKind = CheckKind {
    name: "concurrency",
    if_passed: "This prevents a link from overwriting another writer's change.",
    if_failed: "Every write is rejected, because it depends on the row's version.",
};
pub(super) const NAVIGATION: CheckKind = CheckKind {
    name: "navigation",
    if_passed: "Accounts, contacts and cases are linked through these properties.",
    if_failed: "Records of the tables whose property is missing cannot be linked or unlinked.",
};

/// Checks the names. Returns whether the table checks versions, if the environment states it.
pub(super) async fn table(context: RequestContext<'_>) -> CheckResult<Option<bool>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Definition {
        entity_set_name: String,
        primary_id_attribute: String,
        is_optimistic_concurrency_enabled: Option<bool>,
    }

    let path = format!("EntityDefinitions(LogicalName='{ENTITY}')");
    let select = "$select=EntitySetName,PrimaryIdAttribute,IsOptimisticConcurrencyEnabled";
    let Definition { entity_set_name: set, primary_id_attribute: key, is_optimistic_concurrency_enabled } =
        get_json(context, &path, Some(select)).await?;
    if set == ENTITY_SET && key == ID {
        return Ok((is_optimistic_concurrency_enabled, CheckOutcome::Passed(format!("{set}, by {key}."))));
    }
    let found = "The conversation table has another entity set or key in this environment than Microsoft documents.";
    let fix = format!("This package expects {ENTITY_SET} and {ID}; please report the version of Omnichannel.");
    Err(LinkError::new(Code::InvalidConfiguration, found).hint(fix))
}

pub(super) fn concurrency(checks_versions: Option<bool>, mode: Concurrency) -> CheckResult<()> {
    let found = match (checks_versions, mode) {
        (Some(true), Concurrency::CompareAndSwap) => "The table checks versions, and every write depends on one.",
        (Some(true), Concurrency::ReadCheckWrite) => {
            "The table checks versions, but `optimisticConcurrency: false` does not use them: a change that another writer \
             makes between our read and our write is overwritten. Leave the option out."
        }
        (Some(false), Concurrency::ReadCheckWrite) => {
            "The table does not check versions, and `optimisticConcurrency: false` accepts that: a change that another writer makes \
             between our read and our write is overwritten."
        }
        (None, _) => {
            return Ok((
                (),
                CheckOutcome::Skipped("The environment does not state whether the table checks versions.".into()),
            ));
        }
        (Some(false), Concurrency::CompareAndSwap) => {
            return Err(
                LinkError::new(Code::InvalidConfiguration, "The table does not check versions.").hint(NO_VERSIONS_HINT)
            );
        }
    };
    Ok(((), CheckOutcome::Passed(found.into())))
}

pub(super) async fn navigation(context: RequestContext<'_>) -> CheckResult<()> {
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
    let select = "$select=SchemaName,ReferencedEntity,ReferencingAttribute,ReferencingEntityNavigationPropertyName";
    let query = format!("{select}&$filter=ReferencingEntity eq '{ENTITY}'");
    let Relationships { value } = get_json(context, path, Some(&query)).await?;
    let is_there = |entity: &EntityLogicalName| {
        value.iter().any(|one| {
            one.referenced_entity == entity.as_str()
                && one.referencing_entity_navigation_property_name.as_deref() == Some(linked(*entity).navigation)
        })
    };
    let (there, missing): (Vec<_>, Vec<_>) = EntityLogicalName::ALL.into_iter().partition(is_there);
    let listed =
        |of: &[EntityLogicalName]| of.iter().map(|entity| linked(*entity).navigation).collect::<Vec<_>>().join(", ");
    if missing.is_empty() {
        return Ok(((), CheckOutcome::Passed(format!("{}.", listed(&there)))));
    }
    let fix = "Update the Omnichannel solution in this environment; the names are case-sensitive.";
    let found = format!("The environment does not have {}.", listed(&missing));
    Err(LinkError::new(Code::InvalidConfiguration, found).hint(fix))
}
