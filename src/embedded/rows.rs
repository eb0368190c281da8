//! The statements of links and unlinks, and the conversion of their rows.

use rusqlite::{
    CachedStatement, Connection, OptionalExtension, Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use crate::domain::{Conversation, ConversationId, Decision, EntityLogicalName, RecordReference, Slot};

/// The number of an entity in the database file.
pub(super) const fn number(entity: EntityLogicalName) -> i64 {
    match entity {
        EntityLogicalName::Account => 1,
        EntityLogicalName::Contact => 2,
        EntityLogicalName::Incident => 3,
    }
}

impl ToSql for EntityLogicalName {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(number(*self).into())
    }
}

impl FromSql for EntityLogicalName {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let value = value.as_i64()?;
        Self::ALL.into_iter().find(|entity| number(*entity) == value).ok_or(FromSqlError::OutOfRange(value))
    }
}

/// A transaction of links. Each of its statements is looked up once, and keeps the memory of its parameters. Rolled back when it is dropped.
pub(super) struct LinkTransaction<'a> {
    connection: &'a Connection,
    prepared: [Option<CachedStatement<'a>>; SQL.len()],
}

/// A conversation, and where its row is within this transaction.
pub(super) type Located = (i64, Conversation);

const BEGIN: usize = 0;
const READ: usize = 1;
const EXISTS: usize = 2;
const WRITE_CUSTOMER: usize = 3;
const WRITE_CASE: usize = 4;
const COMMIT: usize = 5;
const SQL: [&str; 6] = [
    "BEGIN IMMEDIATE",
    "SELECT statuscode, customer_entity, customer_id, case_id, rowid FROM conversation WHERE id = ?1",
    "SELECT 1 FROM record WHERE entity = ?1 AND id = ?2",
    "UPDATE conversation SET customer_entity = ?2, customer_id = ?3 WHERE rowid = ?1",
    "UPDATE conversation SET case_id = ?2 WHERE rowid = ?1",
    "COMMIT",
];

impl<'a> LinkTransaction<'a> {
    /// Waits for the lock that writers take.
    pub(super) fn begin(connection: &'a Connection) -> rusqlite::Result<Self> {
        let mut transaction = Self { connection, prepared: Default::default() };
        transaction.get(BEGIN)?.execute(())?;
        Ok(transaction)
    }

    pub(super) fn commit(mut self) -> rusqlite::Result<()> {
        self.get(COMMIT)?.execute(()).map(drop)
    }

    /// Whether SQLite has rolled it back, as it does after some failures.
    pub(super) fn is_rolled_back(&self) -> bool {
        self.connection.is_autocommit()
    }

    pub(super) fn conversation(&mut self, id: ConversationId) -> rusqlite::Result<Option<Located>> {
        let to_located = |row: &Row<'_>| Ok((row.get(4)?, to_conversation(row, id)?));
        self.get(READ)?.query_row([id.as_bytes()], to_located).optional()
    }

    pub(super) fn record_exists(&mut self, record: RecordReference) -> rusqlite::Result<bool> {
        self.get(EXISTS)?.exists((record.entity, record.id.as_bytes()))
    }

    /// Writes the decision into its slot.
    pub(super) fn write_slot(&mut self, row: i64, decision: &Decision) -> rusqlite::Result<()> {
        let linked = decision.after.as_ref().map(|record| record.id.as_bytes());
        let changed = match decision.slot {
            Slot::Customer => {
                self.get(WRITE_CUSTOMER)?.execute((row, decision.after.map(|record| record.entity), linked))
            }
            Slot::Case => self.get(WRITE_CASE)?.execute((row, linked)),
        }?;
        // The row was read in this transaction.
        if changed == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(changed)) }
    }

    fn get(&mut self, number: usize) -> rusqlite::Result<&mut CachedStatement<'a>> {
        match &mut self.prepared[number] {
            Some(prepared) => Ok(prepared),
            empty => Ok(empty.insert(self.connection.prepare_cached(SQL[number])?)),
        }
    }
}

impl Drop for LinkTransaction<'_> {
    fn drop(&mut self) {
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

/// Reads the conversation that decisions use from the first four columns: status, the customer's entity and id, case.
pub(super) fn to_conversation(row: &Row<'_>, id: ConversationId) -> rusqlite::Result<Conversation> {
    let case = row.get::<_, Option<[u8; 16]>>(3)?;
    Ok(Conversation {
        id,
        status: row.get::<_, i32>(0)?.into(),
        customer: customer(row)?,
        case: case.map(|id| RecordReference { entity: EntityLogicalName::Incident, id: id.into() }),
    })
}

fn customer(row: &Row<'_>) -> rusqlite::Result<Option<RecordReference>> {
    let entity = row.get::<_, Option<EntityLogicalName>>(1)?;
    let id = row.get::<_, Option<[u8; 16]>>(2)?;
    Ok(entity.zip(id).map(|(entity, id)| RecordReference { entity, id: id.into() }))
}

/// Number of slots that link to a missing record. Reads every conversation.
pub(super) fn dangling_links(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row(
        "SELECT (SELECT count(*) FROM conversation c WHERE customer_id IS NOT NULL AND NOT EXISTS
                    (SELECT 1 FROM record r WHERE r.entity = c.customer_entity AND r.id = c.customer_id))
              + (SELECT count(*) FROM conversation c WHERE case_id IS NOT NULL AND NOT EXISTS
                    (SELECT 1 FROM record r WHERE r.entity = ?1 AND r.id = c.case_id))",
        [EntityLogicalName::Incident],
        |row| row.get(0),
    )
}
