//! Deletes rows with the side effects that their relationships declare.

use std::sync::Arc;

use uuid::Uuid;

use super::rows::{Changes, Organisation, REMEMBERED, Removed};
use crate::definitions::{
    data::OnDelete,
    table::{Members, Table},
};

/// A relationship that does not let a row be deleted while others point to it.
#[derive(Debug)]
pub(crate) struct Restricted {
    /// Logical name of the table with the rows that point to it.
    pub(crate) by: String,
}

impl Organisation {
    /// Deletes a row as Dataverse does: rows that point to it are deleted, or their lookups are cleared, as their relationship says.
    /// Conversations *regarding* a deleted row are deleted, and the customer and case links of others to it are cleared. A relationship
    /// that would forbid it does not. Returns whether the row existed.
    pub fn delete(&mut self, table: &str, id: Uuid) -> bool {
        // Without a check nothing can fail.
        let definitions = Arc::clone(&self.definitions);
        let existed = self.row(table, id).is_some();
        if let Some(table) = definitions.by_logical_name(table).filter(|_| existed) {
            self.remove(table, id);
        }
        existed
    }

    /// The same, unless a relationship forbids it. Then nothing may have been deleted, so this belongs into a transaction.
    pub(crate) fn delete_unless_restricted(&mut self, table: &Table, id: Uuid) -> Result<(), Restricted> {
        let definitions = Arc::clone(&self.definitions);
        for relationship in definitions.one_to_many() {
            if relationship.one == table.logical_name
                && relationship.delete == OnDelete::Restrict
                && !self.referencing(&relationship.many, &relationship.column, &table.logical_name, id).is_empty()
            {
                return Err(Restricted { by: relationship.many.clone() });
            }
        }
        self.remove(table, id);
        Ok(())
    }

    fn remove(&mut self, table: &Table, id: Uuid) {
        self.replace(&table.logical_name, id, None);
        self.last_version += 1;
        if self.removed.len() == REMEMBERED
            && let Some(oldest) = self.removed.pop_front()
        {
            self.forgotten = oldest.version;
        }
        self.removed.push_back(Removed { table: table.logical_name.clone(), id, version: self.last_version });
        let definitions = Arc::clone(&self.definitions);
        for relationship in
            definitions.one_to_many().iter().filter(|relationship| relationship.one == table.logical_name)
        {
            let Some(many) = definitions.by_logical_name(&relationship.many) else { continue };
            if matches!(relationship.delete, OnDelete::NoCascade | OnDelete::Restrict) {
                continue;
            }
            for other in self.referencing(&relationship.many, &relationship.column, &table.logical_name, id) {
                match relationship.delete {
                    // It may be gone by now, if rows point to each other.
                    _ if self.row(&many.logical_name, other).is_none() => {}
                    OnDelete::Cascade => self.remove(many, other),
                    _ => drop(self.put(many, other, Changes::new().clear(&relationship.column))),
                }
            }
        }
        for collection in table.collections() {
            let Members::Intersect { relationship, is_one } = &collection.by else { continue };
            let of_row = |pair: &(Uuid, Uuid)| if *is_one { pair.0 == id } else { pair.1 == id };
            for pair in self.pairs(relationship).filter(of_row).collect::<Vec<_>>() {
                self.pair(relationship, pair, false);
            }
        }
    }

    /// The ids of the rows of `many` that point with `column` to a row.
    pub(crate) fn referencing(&self, many: &str, column: &str, target: &str, id: Uuid) -> Vec<Uuid> {
        let points = |row: &super::rows::Row| row.lookup(column).is_some_and(|to| to.is(target, id));
        self.rows(many).filter(|(_, row)| points(row)).map(|(id, _)| id).collect()
    }
}
