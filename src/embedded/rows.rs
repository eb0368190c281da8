//! The statements, and what their rows mean.

use rusqlite::{
    Connection, OptionalExtension, Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use super::page::{ConversationRow, RecordRow};
use crate::domain::{Conversation, ConversationId, Decision, EntityLogicalName, RecordId, RecordReference, Slot};

impl ToSql for EntityLogicalName {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Account => 1,
            Self::Contact => 2,
            Self::Incident => 3,
        }
        .into())
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

/// Updates or inserts a record; a column that is absent from the row stays as it was.
pub(super) fn upsert_record(
    connection: &Connection,
    entity: EntityLogicalName,
    row: &RecordRow,
) -> rusqlite::Result<Upserted> {
    let (id, name) = (row.id.as_bytes(), row.name.as_ref());
    let updated = connection
        .prepare_cached(
            "UPDATE record SET
                name = CASE WHEN ?3 THEN ?4 ELSE name END,
                columns = json_patch(coalesce(columns, '{}'), ?5)
             WHERE entity = ?1 AND id = ?2",
        )?
        .execute((entity, id, name.is_some(), name.cloned().flatten(), &row.columns))?;
    if updated == 1 {
        return Ok(Upserted::Updated);
    }
    connection.prepare_cached("INSERT INTO record (entity, id, name, columns) VALUES (?1, ?2, ?3, ?4)")?.execute((
        entity,
        id,
        name.cloned().flatten(),
        &row.columns,
    ))?;
    Ok(Upserted::Inserted)
}

/// Updates or inserts a conversation; a column that is absent from the row stays as it was.
pub(super) fn upsert_conversation(connection: &Connection, row: &ConversationRow) -> rusqlite::Result<Upserted> {
    let id = row.id.as_bytes();
    let customer = row.customer.flatten();
    let (entity, customer_id) = (customer.map(|record| record.entity), customer.map(|record| *record.id.as_bytes()));
    let case = row.case.flatten().map(|id: RecordId| *id.as_bytes());
    let subject = row.subject.clone().flatten();
    let created_on = row.created_on.flatten();
    let agent = row.agent.flatten().map(|id| *id.as_bytes());
    let updated = connection
        .prepare_cached(
            "UPDATE conversation SET
                statuscode = coalesce(?2, statuscode),
                customer_entity = CASE WHEN ?3 THEN ?4 ELSE customer_entity END,
                customer_id = CASE WHEN ?3 THEN ?5 ELSE customer_id END,
                case_id = CASE WHEN ?6 THEN ?7 ELSE case_id END,
                subject = CASE WHEN ?8 THEN ?9 ELSE subject END,
                created_on = CASE WHEN ?10 THEN ?11 ELSE created_on END,
                agent_id = CASE WHEN ?12 THEN ?13 ELSE agent_id END
             WHERE id = ?1",
        )?
        .execute((
            id,
            row.status,
            row.customer.is_some(),
            entity,
            customer_id,
            row.case.is_some(),
            case,
            row.subject.is_some(),
            &subject,
            row.created_on.is_some(),
            created_on,
            row.agent.is_some(),
            agent,
        ))?;
    if updated == 1 {
        return Ok(Upserted::Updated);
    }
    let Some(status) = row.status else { return Ok(Upserted::Incomplete) };
    connection
        .prepare_cached(
            "INSERT INTO conversation (id, statuscode, customer_entity, customer_id, case_id, subject, created_on, agent_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((id, status, entity, customer_id, case, &subject, created_on, agent))?;
    Ok(Upserted::Inserted)
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
