//! Keeps the table `record_value` right, by which records are found.

use std::collections::HashSet;

use rusqlite::{
    Connection, OptionalExtension, Row,
    types::{ToSqlOutput, ValueRef},
};

const HASHES: &str = "
    SELECT value_hash(?2, key, value) AS hash FROM json_each(?1) WHERE type IN ('text', 'integer', 'real') AND hash IS NOT NULL";

/// Hashes of the values of a record. None if it is not in the store.
pub(super) fn hashes(
    connection: &Connection,
    id: ValueRef<'_>,
    entity: ValueRef<'_>,
) -> rusqlite::Result<HashSet<i64>> {
    let [id, entity] = [id, entity].map(ToSqlOutput::Borrowed);
    // Two statements, because a join with `json_each` costs twice as much, also if there is no record.
    let mut select = connection.prepare_cached("SELECT columns FROM record WHERE id = ?1 AND entity = ?2")?;
    let columns: Option<String> = select.query_row((&id, &entity), |row| row.get(0)).optional()?.flatten();
    let mut select = connection.prepare_cached(HASHES)?;
    columns
        .map_or_else(|| Ok(HashSet::new()), |columns| select.query_map((columns, entity), |row| row.get(0))?.collect())
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
