//! Actions on single rows.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call;
use crate::{
    api::{context::Context, read, write},
    definitions::TableRef,
    error::ODataError,
    message::ApiResponse,
    organisation::{Changes, Organisation, Reference},
};

/// Tables whose rows can be merged, as documented.
const MERGEABLE: [&str; 4] = ["account", "contact", "incident", "lead"];

/// `Merge`: moves what points to `Subordinate` to `Target`, and deactivates it.
pub(super) fn merge(organisation: &mut Organisation, context: &Context<'_>) -> Result<ApiResponse, ODataError> {
    let mut body = call::body(context)?;
    let (target, subordinate) = (call::object(&mut body, "Target")?, call::object(&mut body, "Subordinate")?);
    let table = call::table_of(context, &target)?;
    if call::table_of(context, &subordinate)?.logical_name != table.logical_name {
        return Err(ODataError::InvalidArgument("'Target' and 'Subordinate' are of different tables.".to_owned()));
    }
    if !MERGEABLE.contains(&table.logical_name.as_str()) {
        return Err(ODataError::InvalidArgument(format!("Rows of '{}' cannot be merged.", table.logical_name)));
    }
    let find = |row: &Map<String, Value>| {
        let id = call::id_of(organisation, context, &table, row)?.ok_or_else(|| call::missing(&table.key))?;
        read::existing(organisation, &table, id)?;
        Ok::<_, ODataError>(id)
    };
    let (into, from) = (find(&target)?, find(&subordinate)?);
    if into == from {
        return Err(ODataError::InvalidArgument("'Target' and 'Subordinate' are the same row.".to_owned()));
    }
    let mut warnings = Vec::new();
    if let Some(Value::Object(content)) = body.remove("UpdateContent") {
        write::update(organisation, context, &table, into, &content, &mut warnings)?;
    }
    organisation.merge(&table, into, from);
    Ok(ApiResponse { warnings, ..ApiResponse::empty() })
}

/// An action that closes a row, such as `CloseIncident`.
pub(super) struct Closing {
    /// The parameter with the activity that records it.
    pub(super) activity: &'static str,
    pub(super) table: &'static str,
    pub(super) state: i64,
    /// The navigation property of the activity to the row.
    pub(super) navigation: &'static str,
}

/// Closes the row that the activity names. The activity is kept only if its table exists here.
pub(super) fn close(
    organisation: &mut Organisation,
    context: &Context<'_>,
    closing: &Closing,
) -> Result<ApiResponse, ODataError> {
    let mut body = call::body(context)?;
    let activity = call::object(&mut body, closing.activity)?;
    let not_here = || ODataError::NotEmulated(format!("rows of '{}'", closing.table));
    let table = context.definitions.by_logical_name(closing.table).ok_or_else(not_here)?;
    let bind = format!("{}@odata.bind", closing.navigation);
    let uri = activity.get(&bind).and_then(Value::as_str).ok_or_else(|| call::missing(&bind))?;
    let id = call::target(organisation, context, table, uri)?;
    let row = read::existing(organisation, table, id)?;
    let is_closed = row.column("statecode").and_then(Value::as_i64) != Some(0);
    if is_closed {
        return Err(ODataError::AlreadyClosed { table: table.clone() });
    }
    let default = table.state(closing.state).map_or(-1, |state| state.default_status);
    // -1 asks for the default.
    let status = match body.get("Status").and_then(Value::as_i64) {
        None | Some(-1) => default,
        Some(status) => status,
    };
    let state =
        Map::from_iter([("statecode".to_owned(), closing.state.into()), ("statuscode".to_owned(), status.into())]);
    write::update(organisation, context, table, id, &state, &mut Vec::new())?;
    Ok(ApiResponse::empty())
}

/// `AddToQueue`: puts a row into a queue. It is in one queue at most.
pub(super) fn add_to_queue(
    organisation: &mut Organisation,
    context: &Context<'_>,
    queue: Uuid,
) -> Result<ApiResponse, ODataError> {
    let table = |name: &str| -> Result<TableRef, ODataError> {
        let found = context.definitions.by_logical_name(name);
        found.cloned().ok_or_else(|| ODataError::NotEmulated(format!("rows of '{name}'")))
    };
    let (queues, items) = (table("queue")?, table("queueitem")?);
    read::existing(organisation, &queues, queue)?;
    let target = call::object(&mut call::body(context)?, "Target")?;
    let of = call::table_of(context, &target)?;
    let id = call::id_of(organisation, context, &of, &target)?.ok_or_else(|| call::missing(&of.key))?;
    read::existing(organisation, &of, id)?;
    let before = organisation.referencing("queueitem", "objectid", &of.logical_name, id);
    let item = before.first().copied().unwrap_or_else(Uuid::new_v4);
    let changes = Changes::new()
        .link("objectid", Reference::new(&of.logical_name, id))
        .link("queueid", Reference::new("queue", queue));
    organisation.save(&items, item, changes, context.caller);
    let of = format!("{}/$metadata#Microsoft.Dynamics.CRM.AddToQueueResponse", context.root);
    Ok(ApiResponse::json(200, json!({ "@odata.context": of, "QueueItemId": item })))
}
