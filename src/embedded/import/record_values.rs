//! Keeps the table `record_value` right, by which records are found.

use std::collections::HashSet;

use rusqlite::{
    Connection, Row,
    types::{ToSqlOutput, ValueRef},
};

const HASHES: &str = "
    SELECT value_hash(r.entity, c.key, c.value) AS hash FROM record r, json_each(r.columns) c
    WHERE r.id = ?1 AND r.entity = ?2 AND c.type IN ('text', 'integer', 'real') AND hash IS NOT NULL";

/// Hashes of the values of a record. None if it is not in the store.
pub(super) fn hashes(
    connection: &Connection,
    id: ValueRef<'_>,
    entity: ValueRef<'_>,
) -> rusqlite::Result<HashSet<i64>> {
    let mut select = connection.prepare_cached(HASHES)?;
    select.query_map((ToSqlOutput::Borrowed(id), ToSqlOutput::Borrowed(entity)), |row| row.get(0))?.collect()
}

/// Writes one of the changes that were staged.
pub(super) fn apply(connection: &Connection, change: &Row<'_>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(if change.get(2)? {
        "INSERT OR IGNORE INTO record_value (hash, id) VALUES (?1, ?2)"
    } else {
        "DELETE FROM record_value WHERE hash = ?1 AND id = ?2"
    })?;
    statement.execute((change.get::<_, i64>(0)?, ToSqlOutput::Borrowed(change.get_ref(1)?))).map(drop)
}
