//! The statements, and what their rows mean.

use rusqlite::{
    Connection, OptionalExtension, Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use super::table::Table;
use crate::domain::{Conversation, ConversationId, Decision, EntityLogicalName, RecordReference, Slot};

/// The number that stands for it in the file.
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
        match value.as_i64()? {
            1 => Ok(Self::Account),
            2 => Ok(Self::Contact),
            3 => Ok(Self::Incident),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}

/// The conversation, if it is there.
pub(super) fn conversation(connection: &Connection, id: ConversationId) -> rusqlite::Result<Option<Conversation>> {
    connection
        .prepare_cached("SELECT statuscode, customer_entity, customer_id, case_id FROM conversation WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| linked(row, id))
        .optional()
}

/// What decisions rest on, from the first four columns: status, customer's entity and id, case.
pub(super) fn linked(row: &Row<'_>, id: ConversationId) -> rusqlite::Result<Conversation> {
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

/// Whether the record is there.
pub(super) fn record_exists(connection: &Connection, record: RecordReference) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM record WHERE entity = ?1 AND id = ?2")?
        .exists((record.entity, record.id.as_bytes()))
}

/// Writes what the decision says, into its one slot.
pub(super) fn write_slot(connection: &Connection, id: ConversationId, decision: &Decision) -> rusqlite::Result<()> {
    let linked = decision.after.as_ref().map(|record| record.id.as_bytes());
    let changed = match decision.slot {
        Slot::Customer => connection
            .prepare_cached("UPDATE conversation SET customer_entity = ?2, customer_id = ?3 WHERE id = ?1")?
            .execute((id.as_bytes(), decision.after.map(|record| record.entity), linked)),
        Slot::Case => connection
            .prepare_cached("UPDATE conversation SET case_id = ?2 WHERE id = ?1")?
            .execute((id.as_bytes(), linked)),
    }?;
    // The row was read in this transaction.
    if changed == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(changed)) }
}

/// Whether an import met a row for the first time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Upserted {
    /// It was new.
    Inserted,
    /// It was there.
    Updated,
    /// It was not there, and what came is not enough to make one.
    Incomplete,
}

/// The columns of a record that the row of a page has; the others stay as they are.
const UPDATE_RECORD: &str = "
    UPDATE record SET
        name = CASE WHEN ?3 THEN ?4 ELSE name END,
        columns = json_patch(coalesce(columns, '{}'), ?5)
    WHERE id = ?1 AND entity = ?2";
const INSERT_RECORD: &str =
    "INSERT INTO record (id, entity, name, columns) VALUES (?1, ?2, ?4, ?5) ON CONFLICT DO NOTHING";

/// The same for a conversation.
const UPDATE_CONVERSATION: &str = "
    UPDATE conversation SET
        statuscode = coalesce(?2, statuscode),
        customer_entity = CASE WHEN ?3 THEN ?4 ELSE customer_entity END,
        customer_id = CASE WHEN ?3 THEN ?5 ELSE customer_id END,
        case_id = CASE WHEN ?6 THEN ?7 ELSE case_id END,
        subject = CASE WHEN ?8 THEN ?9 ELSE subject END,
        created_on = CASE WHEN ?10 THEN ?11 ELSE created_on END,
        agent_id = CASE WHEN ?12 THEN ?13 ELSE agent_id END
    WHERE id = ?1";
const INSERT_CONVERSATION: &str = "
    INSERT INTO conversation (id, statuscode, customer_entity, customer_id, case_id, subject, created_on, agent_id)
    SELECT ?1, ?2, ?4, ?5, ?7, ?9, ?11, ?13 WHERE ?2 IS NOT NULL ON CONFLICT DO NOTHING";

/// Inserts or updates what [`Table::values`] kept of a row, which begins in the column `first` of `staged`.
pub(super) fn upsert(
    connection: &Connection,
    table: Table,
    staged: &Row<'_>,
    first: usize,
) -> rusqlite::Result<Upserted> {
    let (update, insert) = match table {
        Table::Records(_) => (UPDATE_RECORD, INSERT_RECORD),
        Table::Conversations => (UPDATE_CONVERSATION, INSERT_CONVERSATION),
    };
    let changed = |sql| {
        let mut statement = connection.prepare_cached(sql)?;
        for parameter in 0..table.width() {
            let value = staged.get_ref(first + parameter)?;
            statement.raw_bind_parameter(parameter + 1, ToSqlOutput::Borrowed(value))?;
        }
        statement.raw_execute()
    };
    Ok(match changed(insert)? {
        0 if changed(update)? == 0 => Upserted::Incomplete,
        0 => Upserted::Updated,
        _ => Upserted::Inserted,
    })
}

/// How many slots hold a record that is not there. Reads every conversation.
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
