//! Reading conversations with what people want to see of them.

use std::{
    fmt::Write,
    time::{Duration, UNIX_EPOCH},
};

use rusqlite::{Connection, OptionalExtension, Row, types::Value};

use super::rows;
use crate::{
    domain::{
        ConversationDetails, ConversationId, ConversationPage, ConversationQuery, EntityLogicalName, KeyValue,
        NamedRecord, Order, Property, RecordKey, RecordReference, Slot,
    },
    error::{Code, LinkError},
};

const SELECT: &str = "
    SELECT c.statuscode, c.customer_entity, c.customer_id, c.case_id, c.id, c.subject, c.created_on, c.agent_id, u.name, i.name
    FROM conversation c
    LEFT JOIN record u ON u.entity = c.customer_entity AND u.id = c.customer_id
    LEFT JOIN record i ON i.entity = 3 AND i.id = c.case_id";

/// The conversation, if it is there.
pub(super) fn conversation(
    connection: &Connection,
    id: ConversationId,
) -> rusqlite::Result<Option<ConversationDetails>> {
    connection.prepare_cached(&format!("{SELECT} WHERE c.id = ?1"))?.query_row([id.as_bytes()], details).optional()
}

/// A page. `offset` is how many came before: cheap, and no worse than any other way while rows change.
pub(super) fn page(
    connection: &Connection,
    query: &ConversationQuery,
    offset: u64,
) -> rusqlite::Result<ConversationPage> {
    let (mut sql, mut values) = (format!("{SELECT} WHERE true"), Vec::new());
    let mut with = |condition: &str, value: Value| {
        values.push(value);
        // Writing to a text cannot fail.
        let _ = write!(sql, " AND {condition} ?{}", values.len());
    };
    if let Some(RecordReference { entity, id }) = query.linked {
        match entity.slot() {
            Slot::Customer => {
                with("c.customer_entity =", if entity == EntityLogicalName::Account { 1.into() } else { 2.into() });
                with("c.customer_id =", id.as_bytes().to_vec().into());
            }
            Slot::Case => with("c.case_id =", id.as_bytes().to_vec().into()),
        }
    }
    if let Some(agent) = query.agent {
        with("c.agent_id =", agent.as_bytes().to_vec().into());
    }
    if let Some(until) = query.created_until.and_then(|until| until.duration_since(UNIX_EPOCH).ok()) {
        with("c.created_on <=", i64::try_from(until.as_secs()).unwrap_or(i64::MAX).into());
    }
    if !query.statuses.is_empty() {
        let any: Vec<_> = query.statuses.iter().map(|status| status.code().to_string()).collect();
        let _ = write!(sql, " AND c.statuscode IN ({})", any.join(","));
    }
    sql.push_str(" ORDER BY ");
    for Order { by, descending } in &query.order {
        sql.push_str(match by {
            Property::CreatedOn => "c.created_on",
            Property::Status => "c.statuscode",
            Property::Subject => "c.subject COLLATE NOCASE",
        });
        sql.push_str(if *descending { " DESC, " } else { ", " });
    }
    // One more than asked for, to see whether there are more.
    let size = u64::from(query.page_size);
    let _ = write!(sql, "c.id LIMIT {} OFFSET {offset}", size + 1);
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), details)?;
    let mut conversations = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let has_more = conversations.len() as u64 > size;
    conversations.truncate(query.page_size as usize);
    Ok(ConversationPage { conversations, next: has_more.then(|| (offset + size).to_string()) })
}

/// The records that fit. A column that no import brought holds nothing.
pub(super) fn records(connection: &Connection, key: &RecordKey) -> rusqlite::Result<Vec<NamedRecord>> {
    let (mut sql, mut values) = ("SELECT id, name FROM record WHERE entity = ?1".to_owned(), vec![]);
    for (column, value) in &key.columns {
        // Checked to be a name when the key was made.
        let _ = write!(sql, " AND json_extract(columns, '$.{column}') = ?{} COLLATE NOCASE", values.len() + 2);
        values.push(match value {
            KeyValue::Text(text) => Value::from(text.clone()),
            KeyValue::Number(number) => (*number).into(),
            // As SQLite reads JSON's.
            KeyValue::Flag(flag) => i64::from(*flag).into(),
        });
    }
    let _ = write!(sql, " LIMIT {}", RecordKey::MOST + 1);
    let mut statement = connection.prepare(&sql)?;
    statement.raw_bind_parameter(1, key.entity)?;
    for (index, value) in values.into_iter().enumerate() {
        statement.raw_bind_parameter(index + 2, value)?;
    }
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let record = RecordReference { entity: key.entity, id: row.get::<_, [u8; 16]>(0)?.into() };
        found.push(NamedRecord { record, name: row.get(1)? });
    }
    Ok(found)
}

/// How many came before, as `next` of a page says.
pub(super) fn offset(next: Option<&str>) -> Result<u64, LinkError> {
    let refused = || LinkError::new(Code::InvalidArgument, "This is no `next` of a page of this store.");
    next.map_or(Ok(0), |next| next.parse().map_err(|_| refused()))
}

fn details(row: &Row<'_>) -> rusqlite::Result<ConversationDetails> {
    let id = row.get::<_, [u8; 16]>(4)?;
    let seconds = row.get::<_, Option<i64>>(6)?.and_then(|seconds| u64::try_from(seconds).ok());
    Ok(ConversationDetails {
        conversation: rows::linked(row, id.into())?,
        subject: row.get(5)?,
        created_on: seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
        agent: row.get::<_, Option<[u8; 16]>>(7)?.map(Into::into),
        customer_name: row.get(8)?,
        case_name: row.get(9)?,
    })
}
