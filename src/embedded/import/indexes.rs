//! Builds the indexes of conversations anew if an import brings most of them: sorting all entries once costs less than finding the place of
//! each one.

use rusqlite::Connection;

/// Drops the indexes if this many rows are at least as many as there are. Returns the statements that create them again.
pub(super) fn drop_for(connection: &Connection, rows: usize) -> rusqlite::Result<Vec<String>> {
    // Counting would read the whole table, and rows are never deleted.
    let last: Option<i64> = connection.query_row("SELECT max(rowid) FROM conversation", [], |row| row.get(0))?;
    if last.is_some_and(|last| usize::try_from(last).is_ok_and(|last| last > rows)) {
        return Ok(Vec::new());
    }
    // Not indexes that users have added, which may be unique.
    let mut select = connection.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE name IN ('conversation_as_listed', 'conversation_of_agent')",
    )?;
    let indexes: rusqlite::Result<Vec<(String, String)>> = select.query_map([], |row| row.try_into())?.collect();
    let drop = |(name, create): (String, String)| connection.execute(&format!("DROP INDEX {name}"), []).map(|_| create);
    indexes?.into_iter().map(drop).collect()
}
