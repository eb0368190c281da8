//! Reads one row of a page.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    definitions::{
        kind::{Kind, Rejected},
        table::{ANY, Column, Table},
    },
    organisation::row::{Changes, Reference},
};

const FORMATTED: &str = "@OData.Community.Display.V1.FormattedValue";
pub(super) const LOOKUP_NAME: &str = "@Microsoft.Dynamics.CRM.lookuplogicalname";

pub(super) fn read(table: &Table, value: &Value) -> Result<(Uuid, Changes), String> {
    let row = value.as_object().ok_or("not an object")?;
    let id = guid(row, &table.key)?.ok_or_else(|| format!("no '{}'", table.key))?;
    let mut changes = Changes::new();
    for (name, value) in row {
        if *name == table.key || name.contains('@') {
            continue;
        }
        // Only an expanded row has no column.
        let Some(column) = table.column_read_as(name) else { continue };
        match &column.kind {
            Kind::Version | Kind::State(_) | Kind::Status(_) => {}
            Kind::Lookup { targets, .. } => {
                if let Some(target) = guid(row, name)? {
                    changes = changes.link(&column.name, reference(targets, row, name, target)?);
                }
            }
            _ => changes = changes.set(&column.name, accept(column, value)?),
        }
    }
    if table.states().is_empty() {
        return Ok((id, changes));
    }
    let (state, status) = read_state(table, row)?;
    Ok((id, changes.set("statecode", state).set("statuscode", status)))
}

/// The value as it is stored. The organisation of the page may have other limits than the standard ones.
fn accept(column: &Column, value: &Value) -> Result<Value, String> {
    let number = if value.is_f64() { whole(value).map(Value::from) } else { None };
    let number = number.filter(|_| matches!(column.kind, Kind::Integer(_) | Kind::Choice(_) | Kind::BigInt));
    let value = number.as_ref().unwrap_or(value);
    match column.kind.accept(value) {
        Ok(value) => Ok(value),
        Err(Rejected::Type(expected)) => Err(format!("'{}' is not a valid {expected}: {value}", column.name)),
        Err(_) => Ok(value.clone()),
    }
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
pub(super) fn whole(value: &Value) -> Option<i64> {
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

fn reference(targets: &[String], row: &Map<String, Value>, name: &str, id: Uuid) -> Result<Reference, String> {
    let annotation = |suffix: &str| row.get(&format!("{name}{suffix}")).and_then(Value::as_str);
    let target = match (annotation(LOOKUP_NAME), targets) {
        (Some(target), _) => target,
        (None, [only]) if only != ANY => only,
        (None, _) => {
            return Err(format!(
                "'{name}' has no \"{name}{LOOKUP_NAME}\": fetch the page with Prefer: odata.include-annotations=\"*\""
            ));
        }
    };
    if !targets.iter().any(|known| known == target || known == ANY) {
        return Err(format!("'{name}' cannot point to '{target}'"));
    }
    let mut reference = Reference::new(target, id);
    reference.name = annotation(FORMATTED).map(str::to_owned);
    Ok(reference)
}
