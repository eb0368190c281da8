//! Reading conversations with what people want to see of them.

use std::{
    fmt::Write,
    time::{Duration, UNIX_EPOCH},
};

use rusqlite::{Connection, OptionalExtension, Row, types::Value};

use super::{
    place::{self, Key, Place},
    rows,
};
use crate::{
    dataverse::tables::table,
    domain::{
        ConversationDetails, ConversationId, ConversationPage, ConversationQuery, EntityLogicalName, KeyValue,
        NamedRecord, RecordKey, RecordReference, Slot,
    },
};

const COLUMNS: &str = "c.statuscode, c.customer_entity, c.customer_id, c.case_id, c.id, c.subject, c.created_on, c.agent_id, u.name, i.name";
/// How many these are.
const SHOWN: usize = 10;
const INDEXED: &str = "conversation c";
const SCANNED: &str = "conversation c NOT INDEXED";
const NAMES: &str = "
    LEFT JOIN record u ON u.entity = c.customer_entity AND u.id = c.customer_id
    LEFT JOIN record i ON i.entity = 3 AND i.id = c.case_id";

/// The conversation, if it is there.
pub(super) fn conversation(
    connection: &Connection,
    id: ConversationId,
) -> rusqlite::Result<Option<ConversationDetails>> {
    let sql = format!("SELECT {COLUMNS} FROM {INDEXED} {NAMES} WHERE c.id = ?1");
    connection.prepare_cached(&sql)?.query_row([id.as_bytes()], details).optional()
}

/// A page: the first, or what comes after the place where the one before ended. A place is found by what the rows are ordered by, so
/// rows that come and go meanwhile move no others into it or out of it.
pub(super) fn page(
    connection: &Connection,
    query: &ConversationQuery,
    after: Option<&Place>,
) -> rusqlite::Result<ConversationPage> {
    let keys = place::keys(&query.order);
    let (sql, values) = statement(query, &keys, after);
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut page = ConversationPage { conversations: Vec::new(), next: None };
    let mut last = None;
    while let Some(row) = rows.next()? {
        if page.conversations.len() == query.page_size as usize {
            page.next = last.as_ref().map(Place::to_string);
            break;
        }
        page.conversations.push(details(row)?);
        last = Some(Place::of(row, SHOWN, &keys)?);
    }
    Ok(page)
}

/// The statement of a page, and the values of its parameters. Its rows show their keys last.
///
/// Of a record or an agent there are few conversations: to sort those costs less than to look up row after row in the order of the index.
fn statement(query: &ConversationQuery, keys: &[Key], after: Option<&Place>) -> (String, Vec<Value>) {
    let shown: Vec<_> = std::iter::once(COLUMNS).chain(keys.iter().map(|key| key.by)).collect();
    let tables = if query.linked.is_some() || query.agent.is_some() { SCANNED } else { INDEXED };
    let (mut sql, mut values) = (format!("SELECT {} FROM {tables} {NAMES} WHERE true", shown.join(", ")), Vec::new());
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
    if let Some(place) = after {
        let _ = write!(sql, " AND {}", place.condition(keys, &mut values));
    }
    let order: Vec<_> = keys.iter().map(Key::order).collect();
    // One more than asked for, to see whether there are more.
    let _ = write!(sql, " ORDER BY {} LIMIT {}", order.join(", "), u64::from(query.page_size) + 1);
    (sql, values)
}

/// The records that fit. A column that no import brought holds nothing.
pub(super) fn records(connection: &Connection, key: &RecordKey) -> rusqlite::Result<Vec<NamedRecord>> {
    let (mut sql, mut values) = ("SELECT id, name FROM record WHERE entity = ?1".to_owned(), vec![]);
    for (column, value) in &key.columns {
        let parameter = values.len() + 2;
        // Checked to be a name when the key was made.
        let _ = match value {
            KeyValue::Id(_) if column == table(key.entity).id => write!(sql, " AND id = ?{parameter}"),
            // SQLite reads true and false as numbers, which they are not.
            KeyValue::Flag(_) => write!(sql, " AND json_type(columns, '$.{column}') = ?{parameter}"),
            KeyValue::Number(_) => write!(
                sql,
                " AND json_type(columns, '$.{column}') IN ('integer', 'real') AND json_extract(columns, '$.{column}') = ?{parameter}"
            ),
            KeyValue::Text(_) | KeyValue::Id(_) => {
                write!(sql, " AND fold(json_extract(columns, '$.{column}')) = fold(?{parameter})")
            }
        };
        values.push(match value {
            KeyValue::Text(text) => Value::from(text.clone()),
            KeyValue::Number(number) => (*number).into(),
            KeyValue::Flag(flag) => flag.to_string().into(),
            KeyValue::Id(id) if column == table(key.entity).id => id.as_bytes().to_vec().into(),
            KeyValue::Id(id) => id.to_string().into(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Order, Property},
        embedded::database::{self, Missing},
    };

    #[test]
    fn a_page_follows_the_index_unless_few_rows_are_meant() {
        let folder = tempfile::tempdir().unwrap();
        let connection = database::open(&folder.path().join("links.db"), Missing::Create).unwrap().unwrap();
        let order = vec![Order { by: Property::CreatedOn, descending: true }];
        let place = Place::read(&format!("[7,{:?}]", [0; 16]), &order).unwrap();
        let query = ConversationQuery { order, page_size: 250, ..ConversationQuery::default() };
        let of_agent = ConversationQuery { agent: Some([1; 16].into()), ..query.clone() };
        for (query, after, steps, is_sorted) in [
            (&query, None, "SCAN c USING INDEX", false),
            (&query, Some(&place), "SEARCH c USING INDEX conversation_as_listed ((listed_by,id)<(?,?))", false),
            (&of_agent, None, "SCAN c;", true),
            (&of_agent, Some(&place), "SCAN c;", true),
        ] {
            let (sql, values) = statement(query, &place::keys(&query.order), after);
            let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let plan = explained.query_map(rusqlite::params_from_iter(values), |row| row.get(3)).unwrap();
            let plan = plan.collect::<rusqlite::Result<Vec<String>>>().unwrap().join("; ");
            assert!(plan.contains(steps) && plan.contains("ORDER BY") == is_sorted, "{plan}");
        }
    }
}
