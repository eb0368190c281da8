//! The four tables: reads their rows from JSON, and writes them to the database.
#![expect(clippy::option_option, reason = "a column is absent, null or a value; an absent one keeps the stored value")]

use std::{collections::HashSet, time::UNIX_EPOCH};

use rusqlite::{
    Connection,
    types::{ToSqlOutput, Value, ValueRef},
};
use serde::{Deserialize, Deserializer, Serializer, de};
use serde_json::value::RawValue;

use crate::{
    dataverse::{
        tables::{self, conversation},
        time,
    },
    domain::{AgentId, ConversationId, EntityLogicalName, RecordId},
    embedded::{functions::value_hash, rows::number},
    json::Whole,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Records(EntityLogicalName),
    Conversations,
}

/// A row of a page: its columns and annotations, with their values as JSON.
#[derive(Debug, Default)]
pub(super) struct Row(pub(super) Vec<(String, Box<RawValue>)>);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Upserted {
    Inserted,
    Updated,
    /// The row is new, but lacks a column that a new row needs.
    Incomplete,
}

/// Updates the columns that the imported row has; the others keep their values.
const UPDATE_RECORD: &str = "
    UPDATE record SET
        name = CASE WHEN ?3 THEN ?4 ELSE name END,
        columns = json_patch(coalesce(columns, '{}'), ?5)
    WHERE id = ?1 AND entity = ?2";
const INSERT_RECORD: &str =
    "INSERT INTO record (id, entity, name, columns) VALUES (?1, ?2, ?4, ?5) ON CONFLICT DO NOTHING";

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

impl Table {
    /// The name of the table in Web API URLs.
    pub(super) const fn entity_set(self) -> &'static str {
        match self {
            Self::Records(entity) => tables::table(entity).entity_set,
            Self::Conversations => conversation::ENTITY_SET,
        }
    }

    pub(super) fn named(entity_set: &str) -> Option<Self> {
        let records = EntityLogicalName::ALL.into_iter().map(Self::Records);
        records.chain([Self::Conversations]).find(|table| table.entity_set() == entity_set)
    }

    /// Number of values that are imported of a row.
    pub(super) const fn width(self) -> usize {
        match self {
            Self::Records(_) => 5,
            Self::Conversations => 13,
        }
    }

    /// The values of a row, in the order of the parameters of the statements. The error names the column and the problem.
    pub(super) fn values(self, row: &Row) -> Result<Vec<Value>, String> {
        match self {
            Self::Records(entity) => row.record(entity),
            Self::Conversations => row.conversation(),
        }
    }

    /// Inserts a row with the [`Table::values`] that begin in the column `first` of `staged`. Returns false if it exists, or lacks a column
    /// that a new row needs.
    pub(super) fn insert(
        self,
        connection: &Connection,
        staged: &rusqlite::Row<'_>,
        first: usize,
    ) -> rusqlite::Result<bool> {
        let sql = match self {
            Self::Records(_) => INSERT_RECORD,
            Self::Conversations => INSERT_CONVERSATION,
        };
        Ok(self.execute(sql, connection, staged, first)? == 1)
    }

    /// Updates a row that was not inserted.
    pub(super) fn update(
        self,
        connection: &Connection,
        staged: &rusqlite::Row<'_>,
        first: usize,
    ) -> rusqlite::Result<Upserted> {
        let sql = match self {
            Self::Records(_) => UPDATE_RECORD,
            Self::Conversations => UPDATE_CONVERSATION,
        };
        Ok(if self.execute(sql, connection, staged, first)? == 0 { Upserted::Incomplete } else { Upserted::Updated })
    }

    fn execute(
        self,
        sql: &str,
        connection: &Connection,
        staged: &rusqlite::Row<'_>,
        first: usize,
    ) -> rusqlite::Result<usize> {
        let mut statement = connection.prepare_cached(sql)?;
        for parameter in 0..self.width() {
            let value = staged.get_ref(first + parameter)?;
            statement.raw_bind_parameter(parameter + 1, ToSqlOutput::Borrowed(value))?;
        }
        statement.raw_execute()
    }
}

/// Whether the row has the column, and its value. An absent column keeps the stored value, null clears it.
fn optional<T>(column: Option<Option<T>>, value: impl Fn(T) -> Value) -> [Value; 2] {
    [column.is_some().into(), column.flatten().map(value).into()]
}

fn json<'a>(columns: impl Iterator<Item = &'a (String, Box<RawValue>)>) -> String {
    let mut json = Vec::new();
    // Writing to memory cannot fail.
    let _ = serde_json::Serializer::new(&mut json).collect_map(columns.map(|(name, value)| (name, value)));
    String::from_utf8(json).unwrap_or_default()
}

impl Row {
    pub(super) fn to_json(&self) -> String {
        json(self.0.iter())
    }

    fn record(&self, entity: EntityLogicalName) -> Result<Vec<Value>, String> {
        let table = tables::table(entity);
        let id: RecordId = self.required(table.id)?;
        let name: Option<Option<String>> = self.column(table.name)?;
        let mut values = vec![id.as_bytes().to_vec().into(), number(entity).into()];
        values.extend(optional(name, Value::from));
        values.push(self.columns()?.into());
        Ok(values)
    }

    /// Hashes of the values by which the record can be found, for the table `record_value`.
    pub(super) fn hashes(&self, entity: EntityLogicalName) -> impl Iterator<Item = i64> {
        self.kept().filter_map(move |(name, value)| {
            let (name, json) = (name.as_bytes(), value.get());
            if json.starts_with('"') {
                let text: String = serde_json::from_str(json).ok()?;
                return value_hash(entity, name, ValueRef::Text(text.as_bytes()));
            }
            // The others are flags and null.
            let number = json.parse().map(ValueRef::Integer).or_else(|_| json.parse().map(ValueRef::Real)).ok()?;
            value_hash(entity, name, number)
        })
    }

    /// The columns by which a record can be found: strings, numbers and flags, unchanged. Annotations, objects and arrays are left out.
    fn kept(&self) -> impl Iterator<Item = &(String, Box<RawValue>)> + Clone {
        let is_kept = |name: &str, value: &RawValue| !name.contains('@') && !value.get().starts_with(['[', '{']);
        self.0.iter().filter(move |(name, value)| is_kept(name, value))
    }

    /// The columns by which a record can be found, as a JSON object.
    fn columns(&self) -> Result<String, String> {
        let columns = self.kept();
        let mut names = HashSet::new();
        match columns.clone().find(|(name, _)| !names.insert(name)) {
            Some((name, _)) => Err(repeated(name)),
            None => Ok(json(columns)),
        }
    }

    fn conversation(&self) -> Result<Vec<Value>, String> {
        let id: ConversationId = self.required(conversation::ID)?;
        let status: Option<Status> = self.column(conversation::STATUS)?;
        let customer: Option<Option<RecordId>> = self.column(conversation::CUSTOMER)?;
        let entity = customer.flatten().map(|_| self.customer_entity()).transpose()?;
        let case: Option<Option<RecordId>> = self.column(conversation::CASE)?;
        let subject: Option<Option<String>> = self.column(conversation::SUBJECT)?;
        let created_on: Option<Option<Time>> = self.column(conversation::CREATED_ON)?;
        let agent: Option<Option<AgentId>> = self.column(conversation::AGENT)?;
        let mut values = vec![id.as_bytes().to_vec().into(), status.map(|Status(code)| code).into()];
        let [is_there, customer] = optional(customer, |id| id.as_bytes().to_vec().into());
        values.extend([is_there, entity.into(), customer]);
        values.extend(optional(case, |id| id.as_bytes().to_vec().into()));
        values.extend(optional(subject, Value::from));
        values.extend(optional(created_on, |Time(seconds)| seconds.into()));
        values.extend(optional(agent, |id| id.as_bytes().to_vec().into()));
        Ok(values)
    }

    /// Entity of the customer. Only the annotation distinguishes an account from a contact.
    fn customer_entity(&self) -> Result<i64, String> {
        const NAME: &str = conversation::CUSTOMER_ENTITY;
        let annotation: Option<Option<String>> = self.column(NAME)?;
        match annotation.flatten().as_deref() {
            Some(name) => EntityLogicalName::customer(name)
                .map(number)
                .ok_or_else(|| format!("`{NAME}` is neither 'account' nor 'contact'")),
            None => Err(format!(
                "`{NAME}` is missing; ask for it with the header Prefer: odata.include-annotations=\"Microsoft.Dynamics.CRM.lookuplogicalname\""
            )),
        }
    }

    fn required<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<T, String> {
        self.column(name)?.ok_or_else(|| format!("missing field `{name}`"))
    }

    fn column<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<Option<T>, String> {
        let mut found = self.0.iter().filter(|(column, _)| column == name);
        let Some((_, value)) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(repeated(name));
        }
        let read = serde_json::from_str(value.get()).map_err(|error| {
            // Cuts off the line and the column, which count from the start of the value.
            let cause = error.to_string();
            format!("`{name}`: {}", cause.split(" at line ").next().unwrap_or_default())
        });
        read.map(Some)
    }
}

/// A repeated column is an error, because either value could be the intended one.
fn repeated(name: &str) -> String {
    format!("`{name}` appears more than once")
}

/// A status code. Accepts whole floats too, because some programs write `192350000.0`.
struct Status(i32);

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let Whole(number) = Whole::deserialize(value)?;
        i32::try_from(number).map(Self).map_err(|_| de::Error::custom("expected a number of 32 bits"))
    }
}

/// Seconds since 1970, from a time in the format of the Web API.
struct Time(i64);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let text = String::deserialize(value)?;
        let time = time::parse(&text).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let seconds = time.and_then(|time| i64::try_from(time.as_secs()).ok());
        seconds.map(Self).ok_or_else(|| de::Error::custom("expected a time such as 2026-11-21T10:00:00Z"))
    }
}
