//! The rows of a page that is being imported, beside the store: no other call waits while they are read.

use rusqlite::{Connection, OptionalExtension, Statement, params_from_iter, types::Value};

use super::table::Table;

/// Rows that were read and checked, in a temporary database. SQLite keeps it in memory while it is small, then in a file in the folder for
/// temporary files. The file loses its name when it is opened, so it disappears with the process, however that ends.
pub(super) struct Staging {
    connection: Connection,
    rows: usize,
}

impl Staging {
    pub(super) fn new() -> rusqlite::Result<Self> {
        // An empty path makes a private temporary database. All is one transaction, which is never rolled back.
        let connection = Connection::open("")?;
        connection.execute_batch(
            "PRAGMA journal_mode = off; PRAGMA synchronous = off; BEGIN;
            CREATE TABLE unread (row TEXT)",
        )?;
        Ok(Self { connection, rows: 0 })
    }

    /// Makes room for the rows of a table.
    pub(super) fn begin(&self, table: Table) -> rusqlite::Result<()> {
        let columns: Vec<_> = (1..=table.width()).map(|number| format!("v{number}")).collect();
        self.connection.execute_batch(&format!("CREATE TABLE staged ({})", columns.join(", ")))
    }

    /// Rows that were kept.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Keeps what is to be imported of the next row.
    pub(super) fn keep(&mut self, values: Vec<Value>) -> rusqlite::Result<()> {
        let parameters = vec!["?"; values.len()].join(", ");
        let mut insert = self.connection.prepare_cached(&format!("INSERT INTO staged VALUES ({parameters})"))?;
        insert.execute(params_from_iter(values))?;
        self.rows += 1;
        Ok(())
    }

    /// Keeps a row whose table is not known yet, as JSON.
    pub(super) fn put_aside(&self, row: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached("INSERT INTO unread VALUES (?1)")?.execute([row]).map(drop)
    }

    /// One of the rows that were put aside.
    pub(super) fn put_aside_at(&self, index: i64) -> rusqlite::Result<Option<String>> {
        let mut select = self.connection.prepare_cached("SELECT row FROM unread WHERE rowid = ?1 + 1")?;
        select.query_row([index], |row| row.get(0)).optional()
    }

    /// Sorts the rows by id, so that applying them changes each page of the store's file once.
    pub(super) fn finish(&self) -> rusqlite::Result<()> {
        self.connection.execute_batch(
            "DROP TABLE unread;
            CREATE TABLE ordered AS SELECT rowid - 1 AS number, * FROM staged ORDER BY v1, number;
            DROP TABLE staged",
        )
    }

    /// The rows by id; rows of the same id as they came. The row's index is the first column, then come its values.
    pub(super) fn ordered(&self) -> rusqlite::Result<Statement<'_>> {
        self.connection.prepare("SELECT * FROM ordered ORDER BY rowid")
    }
}
