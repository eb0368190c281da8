//! The schema of the database, and its version.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::{store_error, unusable_file};
use crate::error::LinkError;

/// Application id of our files: "OCLK".
const APPLICATION_ID: i32 = 0x4F43_4C4B;

/// The steps of the schema, one per version. A released step is never changed; a new one is added instead.
///
/// The slots have no foreign keys: links to missing records exist in real data, and must be kept and counted.
/// Ids are 16-byte blobs and links are columns of a small row, so that a link changes only one page of the file.
pub(super) const MIGRATIONS: &[&str] = &["
    CREATE TABLE record (
        entity INTEGER NOT NULL,        -- 1 account, 2 contact, 3 incident
        id BLOB NOT NULL,
        name TEXT,
        PRIMARY KEY (entity, id)
    ) WITHOUT ROWID;

    CREATE TABLE conversation (
        id BLOB NOT NULL PRIMARY KEY,
        statuscode INTEGER NOT NULL,
        customer_entity INTEGER,
        customer_id BLOB,
        case_id BLOB,
        subject TEXT
    );

    -- The same with readable ids, for people.
    CREATE VIEW conversation_text AS
    SELECT lower(format('%s-%s-%s-%s-%s', substr(h, 1, 8), substr(h, 9, 4), substr(h, 13, 4), substr(h, 17, 4), substr(h, 21)))
               AS id,
           subject, statuscode,
           CASE customer_entity WHEN 1 THEN 'account' WHEN 2 THEN 'contact' END AS customer_type,
           iif(customer_id IS NULL, NULL,
               lower(format('%s-%s-%s-%s-%s', substr(u, 1, 8), substr(u, 9, 4), substr(u, 13, 4), substr(u, 17, 4), substr(u, 21))))
               AS customer_id,
           iif(case_id IS NULL, NULL,
               lower(format('%s-%s-%s-%s-%s', substr(c, 1, 8), substr(c, 9, 4), substr(c, 13, 4), substr(c, 17, 4), substr(c, 21))))
               AS case_id
    FROM (SELECT *, hex(id) AS h, hex(customer_id) AS u, hex(case_id) AS c FROM conversation);
", "
    -- No index on the links: a link would change pages of the index too, and a scan of 100,000 conversations takes milliseconds.
    ALTER TABLE conversation ADD COLUMN created_on INTEGER;    -- seconds since 1970
    ALTER TABLE conversation ADD COLUMN agent_id BLOB;
    ALTER TABLE record ADD COLUMN columns TEXT;                -- the other imported columns, as a JSON object
", "
    -- The default order of listings. A link does not change it. A column rather than an expression, because SQLite uses an index for a
    -- comparison of row values only with columns.
    ALTER TABLE conversation ADD COLUMN listed_by INTEGER AS (ifnull(created_on, -1));
    CREATE INDEX conversation_as_listed ON conversation (listed_by, id);
", "
    -- The default order of an agent's conversations. Only imports change the agent.
    CREATE INDEX conversation_of_agent ON conversation (agent_id, listed_by, id) WHERE agent_id IS NOT NULL;
", "
    -- Where to look for a record: an entry for each string and whole number among the columns of each record. A table rather than indexes
    -- on columns, because any column may be part of a key. Without flags: half of the records have the same one.
    CREATE TABLE record_value (
        hash INTEGER NOT NULL,        -- value_hash(entity, column, value)
        id BLOB NOT NULL,
        PRIMARY KEY (hash, id)
    ) WITHOUT ROWID;
    INSERT OR IGNORE INTO record_value
    SELECT value_hash(r.entity, c.key, c.value) AS hash, r.id FROM record r, json_each(iif(json_valid(r.columns), r.columns, NULL)) c
    WHERE c.type IN ('text', 'integer', 'real') AND hash IS NOT NULL ORDER BY 1, 2;
"];

/// Fails if the file belongs to another program, or to a newer version.
pub(super) fn ensure_ours(path: &Path, connection: &mut Connection) -> Result<(), LinkError> {
    let failed = |error| store_error(path, "opening it", error);
    // One snapshot for all checks, because another process may be creating the schema.
    let snapshot = connection.transaction().map_err(failed)?;
    let number = |pragma| snapshot.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)).map_err(failed);
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if application != APPLICATION_ID && (application != 0 || tables != 0) {
        return Err(unusable_file(path, "is the database of another program", "Choose another database file."));
    }
    if version == 0 && tables != 0 {
        return Err(unusable_file(
            path,
            "has tables of omnichannel-link, but the version of its schema is lost (PRAGMA user_version is 0)",
            "Restore the file from a backup, or import into a new one.",
        ));
    }
    if usize::try_from(version).is_ok_and(|version| version > MIGRATIONS.len()) {
        return Err(unusable_file(
            path,
            "was written by a newer version of omnichannel-link",
            "Update this program, or choose another database file.",
        ));
    }
    Ok(())
}

pub(super) fn migrate(path: &Path, connection: &mut Connection) -> Result<(), LinkError> {
    let failed = |error| store_error(path, "updating its schema", error);
    if version(connection).map_err(failed)? == MIGRATIONS.len() {
        return Ok(());
    }
    // The version is read again inside the transaction, because another process may have migrated meanwhile.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    for step in &MIGRATIONS[version(&transaction).map_err(failed)?..] {
        transaction.execute_batch(step).map_err(failed)?;
    }
    stamp(&transaction).and_then(|()| transaction.commit()).map_err(failed)
}

/// Number of migrations applied to the file.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)).map(|version| version as usize)
}

fn stamp(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX))
}
