//! Loads seed pages: responses of a Web API `GET` of a set or of definitions, from a file or a value.

use std::{collections::HashSet, fmt, fs, path::Path, sync::Arc};

use serde_json::Value;
use uuid::Uuid;

use super::{
    built_in_rows::{BUSINESS_UNIT, ORGANISATION, USER},
    row::Changes,
    rows::Organisation,
};
use crate::{
    definitions::{answer, table::Table},
    json,
};

mod infer;
mod row;

/// The reason why a seed could not be loaded. The message names the file or the page, and the row.
#[derive(Debug)]
pub struct SeedError(String);

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SeedError {}

impl Organisation {
    /// Loads one page; `source` names it in errors. Returns the number of rows.
    ///
    /// Pages may be loaded in any order, because a link may point to a row that is loaded later or never. The server's own `@odata.etag`
    /// is ignored. Columns and tables that the emulator does not know are declared by the page; an answer of `EntityDefinitions`
    /// declares them with their types. A rejected page changes nothing.
    pub fn load_page(&mut self, source: &str, page: &Value) -> Result<usize, SeedError> {
        let at_page = |problem: String| SeedError(format!("{source}: {problem}"));
        let set = set_of(page).map_err(at_page)?;
        if set == "EntityDefinitions" {
            let (tables, one_to_many, many_to_many) = answer::read(page).map_err(at_page)?;
            let definitions = self.definitions_mut();
            for table in tables {
                definitions.declare(table);
            }
            definitions.relate(one_to_many, many_to_many);
            return Ok(0);
        }
        let Some(values) = page.get("value").and_then(Value::as_array) else {
            return Err(at_page("no \"value\" array: a page is what a GET of a set returns".to_owned()));
        };
        // Works on a copy, so that a rejected page leaves neither rows nor columns.
        let mut definitions = (**self.definitions()).clone();
        if definitions.by_set(&set).is_none() {
            definitions.declare(infer::table(&set, values).map_err(at_page)?);
        }
        let Some(table) = definitions.by_set(&set).cloned() else { return Ok(0) };
        let (columns, relationships) = infer::columns(&table, values);
        if !relationships.is_empty() {
            definitions.relate(relationships, Vec::new());
        }
        definitions.change(&table.logical_name, |table| columns.into_iter().for_each(|column| table.declare(column)));
        let Some(table) = definitions.by_set(&set).cloned() else { return Ok(0) };
        let rows = self.read_rows(source, &table, values)?;
        let count = rows.len();
        self.definitions = Arc::new(definitions);
        for (id, changes) in rows {
            self.put(&table, id, changes);
        }
        Ok(count)
    }

    fn read_rows(&self, source: &str, table: &Table, values: &[Value]) -> Result<Vec<(Uuid, Changes)>, SeedError> {
        let (mut rows, mut ids) = (Vec::with_capacity(values.len()), HashSet::with_capacity(values.len()));
        for (index, value) in values.iter().enumerate() {
            let at_row = |problem: String| SeedError(format!("{source}: row {}: {problem}", index + 1));
            let (id, changes) = row::read(table, value).map_err(at_row)?;
            if !ids.insert(id) || self.is_seeded(table, id) {
                return Err(at_row(format!("{} {id} was loaded before", table.logical_name)));
            }
            rows.push((id, changes));
        }
        Ok(rows)
    }

    /// Whether a row exists that is not built in. A page may replace those.
    fn is_seeded(&self, table: &Table, id: Uuid) -> bool {
        let is_built_in = [USER, BUSINESS_UNIT, ORGANISATION].contains(&id);
        !is_built_in && self.row(&table.logical_name, id).is_some()
    }

    /// Loads a file with one page, or every `*.json` file of a folder. Returns the number of rows.
    ///
    /// After an error the organisation may hold some of the folder's pages.
    pub fn load_path(&mut self, path: &Path) -> Result<usize, SeedError> {
        let unreadable = |path: &Path, error: &dyn fmt::Display| SeedError(format!("{}: {error}", path.display()));
        let metadata = |path: &Path| fs::metadata(path).map_err(|error| unreadable(path, &error));
        if !metadata(path)?.is_dir() {
            let text = fs::read(path).map_err(|error| unreadable(path, &error))?;
            let page = json::parse(&text).map_err(|error| unreadable(path, &format!("not JSON: {error}")))?;
            return self.load_page(&path.display().to_string(), &page);
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
            let file = entry.map_err(|error| unreadable(path, &error))?.path();
            // A broken symbolic link is an error, not skipped.
            if file.extension().is_some_and(|extension| extension == "json") {
                let found = metadata(&file)?;
                if !found.is_file() && !found.is_dir() {
                    return Err(unreadable(&file, &"not a regular file"));
                }
                files.extend(found.is_file().then_some(file));
            }
        }
        if files.is_empty() {
            return Err(unreadable(path, &"no *.json file in this folder"));
        }
        files.sort();
        files.iter().try_fold(0, |count, file| Ok(count + self.load_path(file)?))
    }
}

/// The set that a page is a response of.
fn set_of(page: &Value) -> Result<String, String> {
    let Some(context) = page.get("@odata.context").and_then(Value::as_str) else {
        return Err("no \"@odata.context\": a page is what a GET of a set returns".to_owned());
    };
    let Some((_, fragment)) = context.split_once("$metadata#") else {
        return Err(format!("\"@odata.context\" has no \"$metadata#\": '{context}'"));
    };
    Ok(fragment.split(['(', '/']).next().unwrap_or_default().to_owned())
}
