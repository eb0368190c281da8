//! Loads seed pages: responses of a Web API `GET` of a set, from a file or a value.

use std::{fmt, fs, path::Path};

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    json,
    organisation::{Changes, Organisation, Reference, logical_name},
    table::{self, Kind, Table},
};

const LOOKUP_NAME: &str = "@Microsoft.Dynamics.CRM.lookuplogicalname";
const NAVIGATION: &str = "@Microsoft.Dynamics.CRM.associatednavigationproperty";

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
    /// and the formatted values are ignored. A rejected page changes nothing.
    pub fn load_page(&mut self, source: &str, page: &Value) -> Result<usize, SeedError> {
        let at_page = |problem: String| SeedError(format!("{source}: {problem}"));
        let table = table_of(page).map_err(at_page)?;
        let Some(values) = page.get("value").and_then(Value::as_array) else {
            return Err(at_page("no \"value\" array: a page is what a GET of a set returns".to_owned()));
        };
        let mut rows: Vec<SeedRow> = Vec::with_capacity(values.len());
        let mut ids = std::collections::HashSet::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            let at_row = |problem: String| SeedError(format!("{source}: row {}: {problem}", index + 1));
            let row = read_row(table, value).map_err(at_row)?;
            if !ids.insert(row.id) || self.row(table, row.id).is_some() {
                return Err(at_row(format!("{} {} was loaded before", table.logical_name, row.id)));
            }
            rows.push(row);
        }
        for row in &rows {
            for name in &row.names {
                self.see(table, name);
            }
        }
        let count = rows.len();
        for row in rows {
            self.write(table, row.id, row.changes);
        }
        Ok(count)
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

struct SeedRow {
    id: Uuid,
    names: Vec<String>,
    changes: Changes,
}

fn table_of(page: &Value) -> Result<&'static Table, String> {
    let Some(context) = page.get("@odata.context").and_then(Value::as_str) else {
        return Err("no \"@odata.context\": a page is what a GET of a set returns".to_owned());
    };
    let Some((_, fragment)) = context.split_once("$metadata#") else {
        return Err(format!("\"@odata.context\" has no \"$metadata#\": '{context}'"));
    };
    let set = fragment.split(['(', '/']).next().unwrap_or_default();
    table::by_set(set).ok_or_else(|| {
        let known: Vec<_> = table::TABLES.iter().map(|table| table.set).collect();
        format!("the emulator has no set '{set}', only {}", known.join(", "))
    })
}

fn read_row(table: &'static Table, value: &Value) -> Result<SeedRow, String> {
    let row = value.as_object().ok_or("not an object")?;
    let id = guid(row, table.key)?.ok_or_else(|| format!("no '{}'", table.key))?;
    let mut names = Vec::new();
    let mut changes = Changes::new();
    for (name, value) in row {
        if name == table.key || name.contains('@') {
            continue;
        }
        if let Some(lookup) = logical_name(name) {
            names.push(name.clone());
            if let Some(target) = guid(row, name)? {
                changes = changes.link(lookup, reference(table, row, name, target)?);
            }
            continue;
        }
        let kind = table.column(name).map_or(Kind::System, |column| column.kind);
        if kind == Kind::Version || name == "statecode" || name == "statuscode" {
            continue;
        }
        let number = if kind == Kind::Integer { whole(value).map(Value::from) } else { None };
        let value = number.as_ref().unwrap_or(value);
        if let Some(expected) = kind.mismatch(value) {
            return Err(format!("'{name}' is not a valid {expected}: {value}"));
        }
        names.push(name.clone());
        changes = changes.set(name, value.clone());
    }
    let (state, status) = read_state(table, row)?;
    Ok(SeedRow { id, names, changes: changes.set("statecode", state).set("statuscode", status) })
}

/// The state and the status of a row. Either may be missing in the page, but they must belong together.
fn read_state(table: &Table, row: &Map<String, Value>) -> Result<(i64, i64), String> {
    let number = |name: &str| match row.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => whole(value).map(Some).ok_or_else(|| format!("'{name}' is not a valid Edm.Int32: {value}")),
    };
    let (state, status) = (number("statecode")?, number("statuscode")?);
    let known_status = status.and_then(|code| table.status(code));
    let state = state.or(known_status.map(|status| status.state)).unwrap_or_default();
    let Some(known_state) = table.state(state) else {
        return Err(format!("{} has no statecode {state}", table.logical_name));
    };
    // A status that the table does not declare is a custom one of the organisation, and allowed with any state.
    if known_status.is_some_and(|status| status.state != state) {
        return Err(format!("statuscode {} does not belong to statecode {state}", status.unwrap_or_default()));
    }
    Ok((state, status.unwrap_or(known_state.default_status)))
}

/// A whole number. Tools that store columns with gaps as floats write `2.0`.
fn whole(value: &Value) -> Option<i64> {
    let float = || value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= f64::from(i32::MAX));
    #[expect(clippy::cast_possible_truncation, reason = "whole, and in range")]
    value.as_i64().or_else(|| float().map(|number| number as i64))
}

fn guid(row: &Map<String, Value>, name: &str) -> Result<Option<Uuid>, String> {
    match row.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() == 36 => {
            Uuid::try_parse(text).map(Some).map_err(|_| format!("'{name}' is not a GUID: '{text}'"))
        }
        Some(other) => Err(format!("'{name}' is not a GUID: {other}")),
    }
}

fn reference(table: &Table, row: &Map<String, Value>, name: &str, id: Uuid) -> Result<Reference, String> {
    let annotation = |suffix: &str| row.get(&format!("{name}{suffix}")).and_then(Value::as_str);
    let navigations = table.lookup_read_as(name).map_or(&[][..], |lookup| lookup.navigations);
    let target = match (annotation(LOOKUP_NAME), navigations) {
        (Some(target), _) => target,
        (None, [only]) if only.target != table::ANY => only.target,
        (None, _) => {
            return Err(format!(
                "'{name}' has no \"{name}{LOOKUP_NAME}\": fetch the page with Prefer: odata.include-annotations=\"*\""
            ));
        }
    };
    if let Some(lookup) = table.lookup_read_as(name)
        && !lookup.open
        && lookup.navigation_to(target).is_none()
    {
        return Err(format!("'{name}' cannot point to '{target}'"));
    }
    let mut reference = Reference::to(target, id);
    reference.navigation = annotation(NAVIGATION).map(str::to_owned);
    Ok(reference)
}
