//! Merges a row into another one of its table.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    row::{Changes, Reference},
    rows::Organisation,
};
use crate::definitions::table::Table;

impl Organisation {
    /// Lets the rows that point to `subordinate` point to `target`, where their relationship says so, and deactivates `subordinate`.
    pub(crate) fn merge(&mut self, table: &Table, target: Uuid, subordinate: Uuid) {
        let definitions = Arc::clone(&self.definitions);
        let merging = definitions.one_to_many().iter().filter(|known| known.merge && known.one == table.logical_name);
        for relationship in merging {
            let Some(many) = definitions.by_logical_name(&relationship.many) else { continue };
            for id in self.referencing(&relationship.many, &relationship.column, &table.logical_name, subordinate) {
                let to = Reference::new(&table.logical_name, target);
                self.put(many, id, Changes::new().link(&relationship.column, to));
            }
        }
        let mut changes = Changes::new();
        // A case is cancelled as merged, everything else becomes inactive.
        if table.logical_name == "incident" {
            changes = changes.set("statuscode", 2000);
        } else if let Some(state) = table.states().get(1) {
            changes = changes.set("statecode", state.code).set("statuscode", state.default_status);
        }
        if table.column("merged").is_some() {
            changes = changes.set("merged", true);
        }
        if table.lookup("masterid").is_some() {
            changes = changes.link("masterid", Reference::new(&table.logical_name, target));
        }
        self.put(table, subordinate, changes);
    }
}
