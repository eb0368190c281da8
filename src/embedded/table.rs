//! The rows of the four tables, read into what the store keeps.
#![expect(clippy::option_option, reason = "a column is absent, null or a value: the first leaves the row's as it was")]

use std::{collections::HashSet, time::UNIX_EPOCH};

use rusqlite::types::Value;
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use super::rows::number;
use crate::{
    dataverse::{
        tables::{self, conversation},
        time,
    },
    domain::{AgentId, ConversationId, EntityLogicalName, RecordId},
    json::Whole,
};

/// A table that pages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Records(EntityLogicalName),
    Conversations,
}

/// A row as it came: its columns and annotations, with their values as JSON.
#[derive(Debug, Default)]
pub(super) struct Row(pub(super) Vec<(String, Box<RawValue>)>);

impl Table {
    const ALL: [Self; 4] = [
        Self::Records(EntityLogicalName::Account),
        Self::Records(EntityLogicalName::Contact),
        Self::Records(EntityLogicalName::Incident),
        Self::Conversations,
    ];

    /// The name that a Web API address has for it.
    pub(super) const fn entity_set(self) -> &'static str {
        match self {
            Self::Records(entity) => tables::table(entity).entity_set,
            Self::Conversations => conversation::ENTITY_SET,
        }
    }

    pub(super) fn named(entity_set: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.entity_set() == entity_set)
    }

    /// How many values are kept of a row.
    pub(super) const fn width(self) -> usize {
        match self {
            Self::Records(_) => 5,
            Self::Conversations => 13,
        }
    }

    /// What is kept of a row: the parameters of [`super::rows::upsert`]. Fails with the column and what is wrong with it.
    pub(super) fn values(self, row: &Row) -> Result<Vec<Value>, String> {
        match self {
            Self::Records(entity) => row.record(entity),
            Self::Conversations => row.conversation(),
        }
    }
}

/// Whether the row has the column, and its value: an absent column leaves the store's as it is, a null one empties it.
fn optional<T>(column: Option<Option<T>>, value: impl Fn(T) -> Value) -> [Value; 2] {
    [column.is_some().into(), column.flatten().map(value).into()]
}

fn json<'a>(columns: impl Iterator<Item = &'a (String, Box<RawValue>)>) -> String {
    let columns: Vec<_> =
        columns.map(|(name, value)| format!("{}:{value}", serde_json::Value::from(&**name))).collect();
    format!("{{{}}}", columns.join(","))
}

impl Row {
    /// The row as JSON.
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

    /// The columns that a record can be found by, as a JSON object: strings, numbers and flags as they came. Annotations, objects and
    /// arrays are left out.
    fn columns(&self) -> Result<String, String> {
        let is_kept = |name: &str, value: &RawValue| !name.contains('@') && !value.get().starts_with(['[', '{']);
        let columns = self.0.iter().filter(|(name, value)| is_kept(name, value));
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

    /// Without the annotation an account cannot be told from a contact.
    fn customer_entity(&self) -> Result<i64, String> {
        const NAME: &str = conversation::CUSTOMER_ENTITY;
        let annotation: Option<Option<String>> = self.column(NAME)?;
        match annotation.flatten().as_deref() {
            Some("account") => Ok(number(EntityLogicalName::Account)),
            Some("contact") => Ok(number(EntityLogicalName::Contact)),
            Some(_) => Err(format!("`{NAME}` is neither 'account' nor 'contact'")),
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
            // Its line and column count from the value's own beginning.
            let cause = error.to_string();
            format!("`{name}`: {}", cause.split(" at line ").next().unwrap_or_default())
        });
        read.map(Some)
    }
}

/// Either value could be the one that is meant.
fn repeated(name: &str) -> String {
    format!("`{name}` appears more than once")
}

/// Also a whole float: a program that keeps its numbers as floats writes `192350000.0`.
struct Status(i32);

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let Whole(number) = Whole::deserialize(value)?;
        i32::try_from(number).map(Self).map_err(|_| de::Error::custom("expected a number of 32 bits"))
    }
}

/// In seconds since 1970, as the Web API writes it.
struct Time(i64);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let text = String::deserialize(value)?;
        let time = time::parse(&text).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let seconds = time.and_then(|time| i64::try_from(time.as_secs()).ok());
        seconds.map(Self).ok_or_else(|| de::Error::custom("expected a time such as 2026-11-21T10:00:00Z"))
    }
}
