//! The SQL of a link in plain rusqlite, on a file of the embedded store.

use std::time::Instant;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use serde::Deserialize;

use crate::{
    Failed,
    measure::{Meter, Times},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    database: String,
    /// Conversations in the file, and contacts.
    size: u32,
    in_flight: u64,
    first_link: u64,
    is_batched: bool,
    is_tuned: bool,
    operation: Operation,
    #[serde(flatten)]
    times: Times,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Operation {
    Link,
    GetConversation,
}

/// A column with an id, or none.
type Id = Option<[u8; 16]>;

const CONVERSATION: u8 = 0;
const CONTACT: u8 = 2;
const ACTIVE: i32 = 2;
/// Records that are used at most, spread over all rows.
const USED: u32 = 1 << 16;

pub(crate) fn run(settings: &str) -> Result<(), Failed> {
    let settings: Settings = serde_json::from_str(settings)?;
    let mut connection = Connection::open(&settings.database)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    if settings.is_tuned {
        connection.pragma_update(None, "cache_size", -65536)?;
        connection.pragma_update(None, "wal_autocheckpoint", 16384)?;
    }
    let count = settings.size.min(USED);
    let numbers = (0..count).map(|at| at * (settings.size / count));
    let conversations: Vec<_> = numbers.clone().map(|number| id(CONVERSATION, number)).collect();
    let contacts: Vec<_> = numbers.map(|number| id(CONTACT, number)).collect();
    // As in `Links` of bench/data.mjs.
    let pair = |at: u64| {
        let count = u64::from(count);
        let index = |number: u64| usize::try_from(number % count).unwrap_or_default();
        (&conversations[index(at)], &contacts[index(at + at / count)])
    };

    let meter = Meter::start(settings.times);
    let count = if settings.is_batched { settings.in_flight } else { 1 };
    let mut at = settings.first_link;
    let mut goes_on = true;
    while goes_on {
        let began = Instant::now();
        let end = at + settings.in_flight;
        while goes_on && at < end {
            match settings.operation {
                Operation::GetConversation => get(&connection, pair(at).0)?,
                Operation::Link => link(&mut connection, (at..at + count).map(pair))?,
            }
            at += count;
            goes_on = meter.record(began, count);
        }
    }
    let (conversation, contact) = pair(at - 1);
    let held: Id =
        connection.query_row("SELECT customer_id FROM conversation WHERE id = ?1", [conversation], |row| row.get(0))?;
    if settings.operation == Operation::Link && held.as_ref() != Some(contact) {
        return Err("the last link is not in the file".into());
    }
    Ok(meter.report()?)
}

/// Links all pairs in one transaction.
fn link<'a>(
    connection: &mut Connection,
    pairs: impl Iterator<Item = (&'a [u8; 16], &'a [u8; 16])>,
) -> Result<(), Failed> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut select = transaction.prepare_cached(
            "SELECT statuscode, customer_entity, customer_id, case_id FROM conversation WHERE id = ?1",
        )?;
        let mut exists = transaction.prepare_cached("SELECT 1 FROM record WHERE entity = ?1 AND id = ?2")?;
        let mut update = transaction
            .prepare_cached("UPDATE conversation SET customer_entity = ?1, customer_id = ?2 WHERE id = ?3")?;
        for (conversation, contact) in pairs {
            let status: i32 = select.query_row([conversation], |row| {
                let _slots: [Id; 2] = [row.get(2)?, row.get(3)?];
                row.get(0)
            })?;
            if status != ACTIVE || !exists.exists((CONTACT, contact))? {
                return Err("no active conversation, or no such contact".into());
            }
            if update.execute((CONTACT, contact, conversation))? != 1 {
                return Err("nothing was written".into());
            }
        }
    }
    Ok(transaction.commit()?)
}

fn get(connection: &Connection, conversation: &[u8; 16]) -> Result<(), Failed> {
    let mut details = connection.prepare_cached(
        "SELECT c.statuscode, c.subject, c.created_on, c.agent_id, c.customer_entity, c.customer_id, r.name, c.case_id
         FROM conversation c LEFT JOIN record r ON r.entity = c.customer_entity AND r.id = c.customer_id WHERE c.id = ?1",
    )?;
    let row = details
        .query_row([conversation], |row| {
            let text: (i32, Option<String>, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let ids: [Id; 3] = [row.get(3)?, row.get(5)?, row.get(7)?];
            Ok((text, ids, row.get::<_, Option<String>>(6)?))
        })
        .optional()?;
    if row.is_none() { Err("no such conversation".into()) } else { Ok(()) }
}

/// As `id` of bench/data.mjs: numbers are scattered, as real ids are.
fn id(kind: u8, number: u32) -> [u8; 16] {
    let mut bits = (number ^ (number >> 16)).wrapping_mul(0x21f0_aaad);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x735a_2d97);
    bits ^= bits >> 15;
    let mut id = [0, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, kind];
    id[..4].copy_from_slice(&bits.to_be_bytes());
    id
}
