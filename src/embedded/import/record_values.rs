//! Keeps the table `record_value` right, by which records are found.

use std::collections::HashSet;

use rusqlite::{
    CachedStatement, Connection, OptionalExtension, Row,
    types::{ToSqlOutput, ValueRef},
};

use super::entity_page::parse_row;
use crate::domain::EntityLogicalName;

/// Hashes of the values of a record in the store.
pub(super) fn stored(
    connection: &Connection,
    id: ValueRef<'_>,
    entity: EntityLogicalName,
) -> rusqlite::Result<HashSet<i64>> {
    let mut select = connection.prepare_cached("SELECT columns FROM record WHERE id = ?1 AND entity = ?2")?;
    let columns = select.query_row((ToSqlOutput::Borrowed(id), entity), |row| row.get(0)).optional()?.flatten();
    // If another program wrote something else, updating the columns fails, or writes them anew.
    let row = columns.and_then(|columns: String| parse_row(&columns).ok());
    Ok(row.iter().flat_map(|row| row.hashes(entity)).collect())
}

/// Writes the changes that were staged.
pub(super) struct Changes<'a> {
    insert: CachedStatement<'a>,
    delete: CachedStatement<'a>,
}

impl<'a> Changes<'a> {
    pub(super) fn to(connection: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            insert: connection.prepare_cached("INSERT OR IGNORE INTO record_value (hash, id) VALUES (?1, ?2)")?,
            delete: connection.prepare_cached("DELETE FROM record_value WHERE hash = ?1 AND id = ?2")?,
        })
    }

    pub(super) fn apply(&mut self, change: &Row<'_>) -> rusqlite::Result<()> {
        let statement = if change.get(2)? { &mut self.insert } else { &mut self.delete };
        statement.execute((change.get::<_, i64>(0)?, ToSqlOutput::Borrowed(change.get_ref(1)?))).map(drop)
    }
}
