//! The statements of links and unlinks, and the conversion of their rows.

use rusqlite::{
    Connection, OptionalExtension, Row, ToSql,
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

pub(super) fn conversation(connection: &Connection, id: ConversationId) -> rusqlite::Result<Option<Conversation>> {
    connection
        .prepare_cached("SELECT statuscode, customer_entity, customer_id, case_id FROM conversation WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| to_conversation(row, id))
        .optional()
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

pub(super) fn record_exists(connection: &Connection, record: RecordReference) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM record WHERE entity = ?1 AND id = ?2")?
        .exists((record.entity, record.id.as_bytes()))
}

/// Writes the decision into its slot.
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
