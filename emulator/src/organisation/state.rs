//! The rows of an organisation as JSON, which `--state` keeps between runs. Definitions are not part of it: seeds declare them again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    row::Row,
    rows::{Organisation, Removed},
};

/// The version of the form below.
const FORMAT: u32 = 1;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct State {
    format: u32,
    last_version: u64,
    forgotten: u64,
    removed: VecDeque<Removed>,
    pairs: BTreeMap<String, BTreeSet<(Uuid, Uuid)>>,
    rows: BTreeMap<String, BTreeMap<Uuid, Row>>,
}

impl Organisation {
    /// All rows as JSON.
    ///
    /// # Errors
    /// None that can be expected: the state is made of strings and numbers.
    pub fn to_state(&self) -> serde_json::Result<Vec<u8>> {
        let of_table = |name: &String| self.rows(name).map(|(id, row)| (id, row.clone())).collect();
        let rows = self.tables_with_rows().into_iter().map(|name| (name.clone(), of_table(&name))).collect();
        serde_json::to_vec(&State {
            format: FORMAT,
            last_version: self.last_version,
            forgotten: self.forgotten,
            removed: self.removed.clone(),
            pairs: self.all_pairs().clone(),
            rows,
        })
    }

    /// Replaces all rows by those of a state.
    ///
    /// # Errors
    /// If it is not a state, or has a table or a column that neither is built in nor was declared by a seed.
    pub fn restore_state(&mut self, state: &[u8]) -> Result<(), String> {
        let state: State = serde_json::from_slice(state).map_err(|error| format!("not a state: {error}"))?;
        if state.format != FORMAT {
            return Err(format!("a state of the format {}, and this version reads {FORMAT}", state.format));
        }
        for (name, rows) in &state.rows {
            let Some(table) = self.definitions.by_logical_name(name) else {
                return Err(format!("rows of '{name}', a table that no seed declares"));
            };
            for (id, row) in rows {
                let names = row.columns().keys().map(String::as_str).chain(row.lookups().map(|(name, _)| name));
                if let Some(column) = names.into_iter().find(|column| table.column(column).is_none()) {
                    return Err(format!("{name} {id} has '{column}', a column that no seed declares"));
                }
            }
        }
        self.replace_all(state.rows, state.pairs);
        (self.last_version, self.removed, self.forgotten) = (state.last_version, state.removed, state.forgotten);
        Ok(())
    }
}
