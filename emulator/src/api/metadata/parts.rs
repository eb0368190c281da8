//! The collections of a table definition.

use serde_json::Value;

use super::{attribute, relationship, table};
use crate::{api::context::Context, definitions::TableRef};

/// A collection of a table definition.
pub(super) fn part(context: &Context<'_>, of: &TableRef, name: &str) -> Option<Value> {
    let definitions = &context.definitions;
    let shown = |navigation: &str| !context.conditions.hides(navigation);
    Some(match name {
        "Attributes" => of.columns.iter().map(|column| Value::Object(attribute::json(of, column))).collect(),
        "Keys" => context.conditions.keys(of).iter().map(|key| table::key(of, key)).collect(),
        "OneToManyRelationships" => {
            let found = definitions.one_to_many().iter().filter(|known| known.one == of.logical_name);
            found
                .filter(|known| shown(&known.navigation))
                .map(|known| relationship::one_to_many(definitions, known))
                .collect()
        }
        "ManyToOneRelationships" => {
            let found = definitions.one_to_many().iter().filter(|known| known.many == of.logical_name);
            found
                .filter(|known| shown(&known.navigation))
                .map(|known| relationship::one_to_many(definitions, known))
                .collect()
        }
        "ManyToManyRelationships" => {
            let is_of = |name: &str| name == of.logical_name;
            let found = definitions.many_to_many().iter().filter(|known| is_of(&known.one) || is_of(&known.two));
            found.map(|known| relationship::many_to_many(definitions, known)).collect()
        }
        _ => return None,
    })
}
