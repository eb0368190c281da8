//! State and status of a row, which belong together.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    definitions::TableRef,
    error::ODataError,
    organisation::{Changes, Row},
};

/// Adds state and status. A missing one comes from the row, or is the default of the state.
pub(super) fn complete(
    changes: Changes,
    table: &TableRef,
    id: Uuid,
    row: Option<&Row>,
    properties: &Map<String, Value>,
) -> Result<Changes, ODataError> {
    let given = |name: &str| match properties.get(name) {
        None => Ok(None),
        Some(Value::Null) => Err(ODataError::NotEmulated(format!("null for '{name}'"))),
        Some(value) => Ok(value.as_i64()),
    };
    let (state, status) = (given("statecode")?, given("statuscode")?);
    if state.is_none() && status.is_none() {
        return Ok(changes);
    }
    let current = |name: &str| row.and_then(|row| row.column(name)).and_then(Value::as_i64);
    let current_state = current("statecode").unwrap_or_default();
    let new_state = state.unwrap_or(current_state);
    if row.is_none() && new_state != 0 {
        return Err(ODataError::NotEmulated(format!("creating a row in statecode {new_state}")));
    }
    let known = table.state(new_state);
    let kept = current("statuscode").filter(|_| new_state == current_state);
    let new_status = status.or(kept).or(known.map(|state| state.default_status)).unwrap_or(-1);
    let belongs = table.status(new_status).is_some_and(|status| status.state == new_state) || kept == Some(new_status);
    if !belongs {
        let state = known.map_or_else(|| new_state.to_string(), |state| state.label.clone());
        return Err(ODataError::InvalidStatus { table: table.clone(), id: id.to_string(), state, status: new_status });
    }
    Ok(changes.set("statecode", new_state).set("statuscode", new_status))
}
