//! Temporary storage for the rows of a page while it is read, so that no other call waits for the reading.

use rusqlite::{
    Connection, OptionalExtension, Statement, params_from_iter,
    types::{ToSqlOutput, Value, ValueRef},
};

use super::table::{Row, Table};

/// Rows that were read and checked, in a temporary database. SQLite keeps it in memory while it is small, then in a file in the folder for
/// temporary files. That file is unlinked when it is opened, so it disappears even if the process is killed.
pub(super) struct Staging {
    connection: Connection,
    /// The statement that adds a row, once the table is known.
    insert: String,
    rows: usize,
}

impl Staging {
    pub(super) fn new() -> rusqlite::Result<Self> {
        // An empty path makes a private temporary database. Everything happens in one transaction, which is never rolled back.
        let connection = Connection::open("")?;
        connection.execute_batch(
            "PRAGMA journal_mode = off; PRAGMA synchronous = off; BEGIN;
            CREATE TABLE deferred (row TEXT);
            CREATE TABLE value_change (hash INTEGER, id BLOB, is_added INTEGER)",
        )?;
        Ok(Self { connection, insert: String::new(), rows: 0 })
    }

    pub(super) fn begin(&mut self, table: Table) -> rusqlite::Result<()> {
        self.insert = format!("INSERT INTO staged VALUES ({})", vec!["?"; table.width()].join(", "));
        let columns: Vec<_> = (1..=table.width()).map(|number| format!("v{number}")).collect();
        self.connection.execute_batch(&format!("CREATE TABLE staged ({})", columns.join(", ")))
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds the next row with its values, the id first.
    pub(super) fn add(&mut self, table: Table, row: &Row, values: &[Value]) -> rusqlite::Result<()> {
        self.connection.prepare_cached(&self.insert)?.execute(params_from_iter(values))?;
        self.rows += 1;
        if let Table::Records(entity) = table {
            for hash in row.hashes(entity) {
                self.change(hash, (&values[0]).into(), true)?;
            }
        }
        Ok(())
    }

    /// Keeps a row as JSON until its table is known.
    pub(super) fn defer(&self, row: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached("INSERT INTO deferred VALUES (?1)")?.execute([row]).map(drop)
    }

    pub(super) fn deferred(&self, index: i64) -> rusqlite::Result<Option<String>> {
        let mut select = self.connection.prepare_cached("SELECT row FROM deferred WHERE rowid = ?1 + 1")?;
        select.query_row([index], |row| row.get(0)).optional()
    }

    /// Sorts the rows by id, so that writing them changes each page of the database file only once.
    pub(super) fn finish(&self) -> rusqlite::Result<()> {
        self.connection.execute_batch(
            "DROP TABLE deferred;
            CREATE TABLE ordered AS SELECT rowid - 1 AS number, * FROM staged ORDER BY v1, number;
            DROP TABLE staged",
        )
    }

    /// Adds a change of `record_value`, after the earlier ones of the same entry.
    pub(super) fn change(&self, hash: i64, id: ValueRef<'_>, is_added: bool) -> rusqlite::Result<()> {
        let mut insert = self.connection.prepare_cached("INSERT INTO value_change VALUES (?1, ?2, ?3)")?;
        insert.execute((hash, ToSqlOutput::Borrowed(id), is_added)).map(drop)
    }

    /// The last change of each entry of `record_value`: its hash and id, and whether it was added. In the order of the table, so that each of
    /// its pages is changed only once.
    pub(super) fn changes(&self) -> rusqlite::Result<Statement<'_>> {
        // SQLite takes `is_added` from the row that has the maximum.
        self.connection
            .prepare("SELECT hash, id, is_added, max(rowid) FROM value_change GROUP BY hash, id ORDER BY hash, id")
    }

    /// The rows by id. Rows with the same id keep the order of the page. The first column is the row's index in the page, then its values.
    pub(super) fn ordered(&self) -> rusqlite::Result<Statement<'_>> {
        self.connection.prepare("SELECT * FROM ordered ORDER BY rowid")
    }
}
