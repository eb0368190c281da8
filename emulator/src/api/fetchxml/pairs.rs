//! The tables of many-to-many relationships, whose rows are pairs of ids.

use uuid::Uuid;

use super::parse::Query;
use crate::{
    definitions::table::Table,
    organisation::{Changes, Organisation, Row},
};

/// The rows of such tables in a query, by the number of the table; none for other tables.
pub(super) fn rows(organisation: &Organisation, query: &Query) -> Vec<Vec<(Uuid, Row)>> {
    let of_source = |source: &super::parse::Source| match &source.relationship {
        Some(relationship) => of_relationship(organisation, &source.table, relationship),
        None => Vec::new(),
    };
    query.sources.iter().map(of_source).collect()
}

fn of_relationship(organisation: &Organisation, table: &Table, relationship: &str) -> Vec<(Uuid, Row)> {
    let row = |(one, two): (Uuid, Uuid)| {
        let ids = table.columns.iter().zip([one, two]);
        let changes = ids.fold(Changes::new(), |changes, (column, id)| changes.set(&column.name, id.to_string()));
        // The pairs of the emulator have no id of their own, and none is shown.
        (Uuid::nil(), organisation.row_with(table, Uuid::nil(), changes))
    };
    organisation.pairs(relationship).map(row).collect()
}
