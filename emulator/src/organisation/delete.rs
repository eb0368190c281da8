//! Deletes rows with the side effects that their relationships declare.

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;

use super::{
    row::{Changes, Row},
    rows::{Organisation, REMEMBERED, Removed},
};
use crate::definitions::{
    Definitions,
    data::{OnDelete, OneToMany},
    table::{Members, Table},
};

/// Rows for which the rows that point to them are searched one by one. More are deleted with the help of an index.
const MOST_SEARCHES: usize = 16;

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

    /// Removes a row and those that are deleted with it. Not recursive, because a client can build a chain of any length.
    fn remove(&mut self, table: &Table, id: Uuid) {
        let definitions = Arc::clone(&self.definitions);
        let mut waiting = vec![(table.logical_name.as_str(), id)];
        let (mut removed, mut pointers) = (0, None);
        while let Some((name, id)) = waiting.pop() {
            // It may be gone by now, if rows point to each other.
            let Some(table) = definitions.by_logical_name(name).filter(|_| self.row(name, id).is_some()) else {
                continue;
            };
            self.remove_row(table, id);
            removed += 1;
            if removed == MOST_SEARCHES {
                pointers = Some(self.pointers(&definitions));
            }
            for (index, relationship) in effective(&definitions).filter(|(_, relationship)| relationship.one == name) {
                let OneToMany { many, column, .. } = relationship;
                let others = match &mut pointers {
                    Some(pointers) => pointers.remove(&(index, id)).unwrap_or_default(),
                    None => self.referencing(many, column, name, id),
                };
                if relationship.delete == OnDelete::Cascade {
                    waiting.extend(others.into_iter().map(|other| (many.as_str(), other)));
                    continue;
                }
                let Some(many) = definitions.by_logical_name(many) else { continue };
                for other in others {
                    if self.row(&many.logical_name, other).is_some() {
                        self.put(many, other, Changes::new().clear(column));
                    }
                }
            }
        }
    }

    fn remove_row(&mut self, table: &Table, id: Uuid) {
        self.replace(&table.logical_name, id, None);
        self.last_version += 1;
        if self.removed.len() == REMEMBERED
            && let Some(oldest) = self.removed.pop_front()
        {
            self.forgotten = oldest.version;
        }
        self.removed.push_back(Removed { table: table.logical_name.clone(), id, version: self.last_version });
        for collection in table.collections() {
            let Members::Intersect { relationship, is_one } = &collection.by else { continue };
            let of_row = |pair: &(Uuid, Uuid)| if *is_one { pair.0 == id } else { pair.1 == id };
            for pair in self.pairs(relationship).filter(of_row).collect::<Vec<_>>() {
                self.pair(relationship, pair, false);
            }
        }
    }

    /// The rows that point to others, by the number of the relationship and the id that they point to.
    fn pointers(&self, definitions: &Definitions) -> HashMap<(usize, Uuid), Vec<Uuid>> {
        let mut pointers = HashMap::<_, Vec<_>>::new();
        for (index, relationship) in effective(definitions) {
            for (id, row) in self.rows(&relationship.many) {
                let to = row.lookup(&relationship.column).filter(|to| to.logical_name() == relationship.one);
                if let Some(to) = to {
                    pointers.entry((index, to.id())).or_default().push(id);
                }
            }
        }
        pointers
    }

    /// The ids of the rows of `many` that point with `column` to a row.
    pub(crate) fn referencing(&self, many: &str, column: &str, target: &str, id: Uuid) -> Vec<Uuid> {
        let points = |row: &Row| row.lookup(column).is_some_and(|to| to.is(target, id));
        self.rows(many).filter(|(_, row)| points(row)).map(|(id, _)| id).collect()
    }
}

/// The relationships, with their numbers, through which the deletion of a row changes others.
fn effective(definitions: &Definitions) -> impl Iterator<Item = (usize, &OneToMany)> {
    let changes = |relationship: &OneToMany| matches!(relationship.delete, OnDelete::Cascade | OnDelete::RemoveLink);
    definitions.one_to_many().iter().enumerate().filter(move |(_, relationship)| changes(relationship))
}
