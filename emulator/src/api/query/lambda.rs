//! `any` and `all`: conditions on the rows of a collection.

use std::{collections::HashSet, sync::OnceLock};

use uuid::Uuid;

use super::filter::Filter;
use crate::{
    definitions::table::{Collection, Members},
    organisation::{Organisation, Row},
};

#[derive(Debug)]
pub(crate) struct Lambda {
    /// Logical name of the table that has the collection.
    table: String,
    collection: Collection,
    /// `None`: true for every row.
    condition: Option<Filter>,
    /// `all` instead of `any`.
    is_all: bool,
    /// The rows with a member that decides: for `any` one that matches, for `all` one that does not. They are found once per query,
    /// because every row asks for them.
    deciding: OnceLock<HashSet<Uuid>>,
}

impl Lambda {
    pub(super) fn new(table: &str, collection: &Collection, condition: Option<Filter>, is_all: bool) -> Self {
        let (table, collection) = (table.to_owned(), collection.clone());
        Self { table, collection, condition, is_all, deciding: OnceLock::new() }
    }

    /// Whether the row with this id matches. `all` accepts a row without members.
    pub(super) fn accepts(&self, organisation: &Organisation, id: Uuid) -> bool {
        self.deciding.get_or_init(|| self.find(organisation)).contains(&id) != self.is_all
    }

    fn find(&self, organisation: &Organisation) -> HashSet<Uuid> {
        // Guess: a member for which the condition is undecided does not match.
        let is_deciding = |id: Uuid, row: &Row| {
            let matches =
                self.condition.as_ref().is_none_or(|filter| filter.accepts(organisation, id, row) == Some(true));
            matches != self.is_all
        };
        let members = &self.collection.table;
        match &self.collection.by {
            Members::Lookup { column } => {
                let rows = organisation.rows(members);
                let points = rows.filter_map(|(id, row)| Some((row.lookup(column)?, id, row)));
                let points = points.filter(|(to, id, row)| to.logical_name() == self.table && is_deciding(*id, row));
                points.map(|(to, ..)| to.id()).collect()
            }
            Members::Intersect { relationship, is_one } => {
                let pairs = organisation.pairs(relationship);
                let pairs = pairs.map(|(one, two)| if *is_one { (one, two) } else { (two, one) });
                let found = pairs.filter(|(_, member)| {
                    organisation.row(members, *member).is_some_and(|row| is_deciding(*member, row))
                });
                found.map(|(owner, _)| owner).collect()
            }
        }
    }
}
