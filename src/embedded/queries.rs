//! Queries of the reading thread: conversations with the details that people see, and records by their columns.

use std::{
    fmt::Write,
    sync::LazyLock,
    time::{Duration, UNIX_EPOCH},
};

use rusqlite::{Connection, OptionalExtension, Row, types::Value};

use super::{
    cursor::{self, Cursor, SortKey},
    functions::value_hash,
    rows,
};
use crate::{
    dataverse::tables::table,
    domain::{
        ConversationDetails, ConversationId, ConversationPage, ConversationQuery, KeyValue, NamedRecord, RecordKey,
        RecordReference, Slot,
    },
};

const COLUMNS: &str = "c.statuscode, c.customer_entity, c.customer_id, c.case_id, c.id, c.subject, c.created_on, c.agent_id, u.name, i.name";
const COLUMN_COUNT: usize = 10;
const INDEXED: &str = "conversation c";
const SCANNED: &str = "conversation c NOT INDEXED";
const NAMES: &str = "
    LEFT JOIN record u ON u.entity = c.customer_entity AND u.id = c.customer_id
    LEFT JOIN record i ON i.entity = 3 AND i.id = c.case_id";

pub(super) fn conversation(
    connection: &Connection,
    id: ConversationId,
) -> rusqlite::Result<Option<ConversationDetails>> {
    static SQL: LazyLock<String> = LazyLock::new(|| format!("SELECT {COLUMNS} FROM {INDEXED} {NAMES} WHERE c.id = ?1"));
    connection.prepare_cached(&SQL)?.query_row([id.as_bytes()], details).optional()
}

/// The first page, or the page after a cursor. The cursor holds sort keys instead of an offset, so rows that are inserted or deleted
/// meanwhile do not shift other rows into or out of the page.
pub(super) fn page(
    connection: &Connection,
    query: &ConversationQuery,
    after: Option<&Cursor>,
) -> rusqlite::Result<ConversationPage> {
    let keys = cursor::sort_keys(&query.order);
    let (sql, values) = select(query, &keys, after);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut page = ConversationPage { conversations: Vec::new(), next: None };
    let mut last = None;
    while let Some(row) = rows.next()? {
        if page.conversations.len() == query.page_size as usize {
            page.next = last.as_ref().map(Cursor::to_string);
            break;
        }
        page.conversations.push(details(row)?);
        last = Some(Cursor::after(row, COLUMN_COUNT, &keys)?);
    }
    Ok(page)
}

/// The SELECT of a page with its parameters. The sort keys are the last columns.
///
/// A record has few conversations, and sorting them costs less than visiting every row in the order of the index.
fn select(query: &ConversationQuery, keys: &[SortKey], after: Option<&Cursor>) -> (String, Vec<Value>) {
    let columns: Vec<_> = std::iter::once(COLUMNS).chain(keys.iter().map(|key| key.by)).collect();
    let tables = if query.linked.is_some() && query.agent.is_none() { SCANNED } else { INDEXED };
    let (mut sql, mut values) = (format!("SELECT {} FROM {tables} {NAMES} WHERE true", columns.join(", ")), Vec::new());
    let mut with = |condition: &str, value: Value| {
        values.push(value);
        // Writing to a string cannot fail.
        let _ = write!(sql, " AND {condition} ?{}", values.len());
    };
    if let Some(RecordReference { entity, id }) = query.linked {
        match entity.slot() {
            Slot::Customer => {
                with("c.customer_entity =", rows::number(entity).into());
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
    if let Some(cursor) = after {
        let _ = write!(sql, " AND {}", cursor.condition(keys, &mut values));
    }
    let order: Vec<_> = keys.iter().map(SortKey::order).collect();
    // One more row than requested, to know whether there is another page.
    let _ = write!(sql, " ORDER BY {} LIMIT {}", order.join(", "), u64::from(query.page_size) + 1);
    (sql, values)
}

/// The records that match the key. A column that was never imported counts as empty.
pub(super) fn records(connection: &Connection, key: &RecordKey) -> rusqlite::Result<Vec<NamedRecord>> {
    let (sql, values) = select_records(connection, key)?;
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let record = RecordReference { entity: key.entity, id: row.get::<_, [u8; 16]>(0)?.into() };
        found.push(NamedRecord { record, name: row.get(1)? });
    }
    Ok(found)
}

/// The SELECT of records with its parameters. Takes candidates from `record_value` by the rarest value of the key. A key of flags alone has
/// no value there, and reads the records in turn until enough match.
fn select_records(connection: &Connection, key: &RecordKey) -> rusqlite::Result<(String, Vec<Value>)> {
    let (mut conditions, mut values, mut rarest) = (String::new(), vec![rows::number(key.entity).into()], None);
    for (column, value) in &key.columns {
        let (parameter, is_flag) = (values.len() + 1, matches!(value, KeyValue::Flag(_)));
        // The key has checked that the column is a valid name.
        let _ = match value {
            KeyValue::Id(_) if column == table(key.entity).id => write!(conditions, " AND r.id = ?{parameter}"),
            // Compares types, because SQLite reads true and false as numbers.
            KeyValue::Flag(_) => write!(conditions, " AND json_type(r.columns, '$.{column}') = ?{parameter}"),
            KeyValue::Number(_) => write!(
                conditions,
                " AND json_type(r.columns, '$.{column}') IN ('integer', 'real') AND json_extract(r.columns, '$.{column}') = ?{parameter}"
            ),
            KeyValue::Text(_) | KeyValue::Id(_) => {
                write!(conditions, " AND fold(json_extract(r.columns, '$.{column}')) = fold(?{parameter})")
            }
        };
        let value = match value {
            KeyValue::Text(text) => Value::from(text.clone()),
            KeyValue::Number(number) => (*number).into(),
            KeyValue::Flag(flag) => flag.to_string().into(),
            KeyValue::Id(id) if column == table(key.entity).id => id.as_bytes().to_vec().into(),
            KeyValue::Id(id) => id.to_string().into(),
        };
        if let Some(hash) = value_hash(key.entity, column.as_bytes(), (&value).into()).filter(|_| !is_flag) {
            let found = (entries(connection, hash)?, hash);
            rarest = Some(rarest.map_or(found, |rarest| found.min(rarest)));
        }
        values.push(value);
    }
    let mut tables = "record r";
    if let Some((_, hash)) = rarest {
        values.push(hash.into());
        tables = "record_value v CROSS JOIN record r ON r.id = v.id";
        let _ = write!(conditions, " AND v.hash = ?{}", values.len());
    }
    let limit = RecordKey::MAX_CANDIDATES + 1;
    Ok((format!("SELECT r.id, r.name FROM {tables} WHERE r.entity = ?1{conditions} LIMIT {limit}"), values))
}

/// Number of records with a value of this hash, or 1,000 if there are more.
fn entries(connection: &Connection, hash: i64) -> rusqlite::Result<u32> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM record_value WHERE hash = ?1 LIMIT 1000)";
    connection.prepare_cached(sql)?.query_row([hash], |row| row.get(0))
}

fn details(row: &Row<'_>) -> rusqlite::Result<ConversationDetails> {
    let id = row.get::<_, [u8; 16]>(4)?;
    let seconds = row.get::<_, Option<i64>>(6)?.and_then(|seconds| u64::try_from(seconds).ok());
    Ok(ConversationDetails {
        conversation: rows::to_conversation(row, id.into())?,
        subject: row.get(5)?,
        created_on: seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
        agent: row.get::<_, Option<[u8; 16]>>(7)?.map(Into::into),
        customer_name: row.get(8)?,
        case_name: row.get(9)?,
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::types::ValueRef;

    use super::*;
    use crate::{
        domain::{EntityLogicalName, Order, Property},
        embedded::database::{self, IfMissing},
    };

    #[test]
    fn a_page_uses_an_index_unless_it_is_of_one_record() {
        let folder = tempfile::tempdir().unwrap();
        let connection = database::open(&folder.path().join("links.db"), IfMissing::Create).unwrap().unwrap();
        let order = vec![Order { by: Property::CreatedOn, descending: true }];
        let cursor = Cursor::parse(&format!("[7,{:?}]", [0; 16]), &order).unwrap();
        let query = ConversationQuery { order, page_size: 250, ..ConversationQuery::default() };
        let of_agent = ConversationQuery { agent: Some([1; 16].into()), ..query.clone() };
        let linked = RecordReference { entity: EntityLogicalName::Contact, id: [2; 16].into() };
        let of_record = ConversationQuery { linked: Some(linked), ..query.clone() };
        let of_both = ConversationQuery { linked: Some(linked), ..of_agent.clone() };
        let by_subject = vec![Order { by: Property::Subject, descending: false }];
        let of_agent_by_subject = ConversationQuery { order: by_subject, ..of_agent.clone() };
        for (query, after, steps, is_sorted) in [
            (&query, None, "SCAN c USING INDEX", false),
            (&query, Some(&cursor), "SEARCH c USING INDEX conversation_as_listed ((listed_by,id)<(?,?))", false),
            (&of_agent, None, "SEARCH c USING INDEX conversation_of_agent (agent_id=?)", false),
            (
                &of_agent,
                Some(&cursor),
                "SEARCH c USING INDEX conversation_of_agent (agent_id=? AND (listed_by,id)<(?,?))",
                false,
            ),
            (&of_agent_by_subject, None, "SEARCH c USING INDEX conversation_of_agent (agent_id=?)", true),
            (&of_both, Some(&cursor), "SEARCH c USING INDEX conversation_of_agent (agent_id=?", false),
            (&of_record, None, "SCAN c;", true),
            (&of_record, Some(&cursor), "SCAN c;", true),
        ] {
            let (sql, values) = select(query, &cursor::sort_keys(&query.order), after);
            let plan = plan(&connection, &sql, values);
            assert!(plan.contains(steps) && plan.contains("ORDER BY") == is_sorted, "{plan}");
        }
    }

    #[test]
    fn records_are_found_by_the_rarest_value_of_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let connection = database::open(&folder.path().join("links.db"), IfMissing::Create).unwrap().unwrap();
        let entity = EntityLogicalName::Contact;
        let hash = |column: &str, value: &str| {
            value_hash(entity, column.as_bytes(), ValueRef::Text(value.as_bytes())).unwrap()
        };
        let common = hash("lastname", "Müller");
        for number in 0..3_u8 {
            connection.execute("INSERT INTO record_value VALUES (?1, ?2)", (common, [number; 16])).unwrap();
        }
        let text = |column: &str, value: &str| (column.to_owned(), KeyValue::Text(value.into()));
        let (phone, flag) = (text("telephone1", "030"), ("donotphone".to_owned(), KeyValue::Flag(true)));
        let id = ("contactid".to_owned(), KeyValue::Id([1; 16].into()));
        let name = text("lastname", "MÜLLER");
        let by_hash = "SEARCH v USING PRIMARY KEY (hash=?); SEARCH r USING PRIMARY KEY (entity=? AND id=?)";
        let by_both = "SEARCH v USING PRIMARY KEY (hash=? AND id=?); SEARCH r USING PRIMARY KEY (entity=? AND id=?)";
        for (columns, hash, steps) in [
            (vec![name.clone()], Some(common), by_hash),
            (vec![name.clone(), phone.clone()], Some(hash("telephone1", "030")), by_hash),
            (vec![phone, flag.clone(), name.clone()], Some(hash("telephone1", "030")), by_hash),
            (vec![id.clone()], None, "SEARCH r USING PRIMARY KEY (entity=? AND id=?)"),
            (vec![id, name], Some(common), by_both),
            (vec![flag], None, "SEARCH r USING PRIMARY KEY (entity=?)"),
        ] {
            let (sql, values) = select_records(&connection, &RecordKey { entity, columns }).unwrap();
            assert_eq!(plan(&connection, &sql, values.clone()), steps);
            if let Some(hash) = hash {
                assert_eq!(values.last(), Some(&hash.into()), "{sql}");
            }
        }
    }

    fn plan(connection: &Connection, sql: &str, values: Vec<Value>) -> String {
        let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan = explained.query_map(rusqlite::params_from_iter(values), |row| row.get(3)).unwrap();
        plan.collect::<rusqlite::Result<Vec<String>>>().unwrap().join("; ")
    }
}
