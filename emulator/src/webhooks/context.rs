//! The `RemoteExecutionContext` of a change, as JSON.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};
use uuid::Uuid;

use super::registration::Message;
use crate::{
    definitions::{
        kind::{Kind, parse_time},
        table::{Column, Table},
    },
    organisation::{BUSINESS_UNIT, Changed, ORGANISATION, Organisation, Row, USER},
};

const CONTRACTS: &str = "http://schemas.microsoft.com/xrm/2011/Contracts";

/// Largest context that is sent whole, in bytes. Larger ones lose their images and parameters, as documented.
const MAX_SIZE: usize = 256 * 1024;

/// The context of one change.
pub(super) struct Context {
    pub(super) body: String,
    pub(super) correlation: Uuid,
    /// It was too large, and lost parts.
    pub(super) exceeds: bool,
}

/// The logical names of the columns that changed, except those that every write sets.
pub(super) fn columns(changed: &Changed) -> Vec<String> {
    let names = |row: &Option<Arc<Row>>| -> BTreeSet<String> {
        let Some(row) = row else { return BTreeSet::new() };
        row.columns().keys().cloned().chain(row.lookups().map(|(name, _)| name.to_owned())).collect()
    };
    let value = |row: &Option<Arc<Row>>, name: &str| {
        row.as_ref().map(|row| (row.column(name).cloned(), row.lookup(name).cloned())).unwrap_or_default()
    };
    let all = names(&changed.before).into_iter().chain(names(&changed.after)).collect::<BTreeSet<_>>();
    let differs = |name: &String| value(&changed.before, name) != value(&changed.after, name);
    all.into_iter().filter(differs).collect()
}

/// `None` for a row of a table that no longer exists.
pub(super) fn context(organisation: &Organisation, changed: &Changed, columns: &[String]) -> Option<Context> {
    let table = organisation.definitions().by_logical_name(&changed.table)?;
    let message = Message::of(changed);
    let entity = |row: &Row, names: Option<&[String]>| self::entity(organisation, table, changed.id, row, names);
    let target = match (&changed.before, &changed.after) {
        (None, Some(after)) => entity(after, None),
        (Some(_), Some(after)) => entity(after, Some(columns)),
        _ => reference(&table.logical_name, changed.id, None),
    };
    let image = |name: &str, row: &Option<Arc<Row>>| -> Value {
        row.iter().map(|row| json!({ "key": name, "value": entity(row, None) })).collect()
    };
    let (correlation, request) = (Uuid::new_v4(), Uuid::new_v4());
    let mut body = json!({
        "BusinessUnitId": BUSINESS_UNIT,
        "CorrelationId": correlation,
        "Depth": 1,
        "InitiatingUserAzureActiveDirectoryObjectId": Uuid::nil(),
        "InitiatingUserId": USER,
        "InputParameters": [{ "key": "Target", "value": target }],
        "IsExecutingOffline": false,
        "IsInTransaction": false,
        "IsOfflinePlayback": false,
        "IsolationMode": 1,
        "MessageName": message.name(),
        "Mode": 1,
        "OperationCreatedOn": date(i64::try_from(organisation.now()).unwrap_or(i64::MAX)),
        "OperationId": Uuid::new_v4(),
        "OrganizationId": ORGANISATION,
        "OrganizationName": "emulator",
        "OutputParameters": [],
        "OwningExtension": {
            "Id": Uuid::nil(), "KeyAttributes": [], "LogicalName": "sdkmessageprocessingstep", "Name": null, "RowVersion": null,
        },
        "ParentContext": null,
        "PostEntityImages": image("PostImage", &changed.after),
        "PreEntityImages": image("PreImage", &changed.before),
        "PrimaryEntityId": changed.id,
        "PrimaryEntityName": table.logical_name,
        "RequestId": request,
        "SecondaryEntityName": "none",
        "SharedVariables": [],
        "Stage": 40,
        "UserAzureActiveDirectoryObjectId": Uuid::nil(),
        "UserId": USER,
    });
    let mut text = body.to_string();
    let exceeds = text.len() > MAX_SIZE;
    if exceeds {
        for name in ["InputParameters", "PostEntityImages", "PreEntityImages"] {
            body[name] = json!([]);
        }
        text = body.to_string();
    }
    Some(Context { body: text, correlation, exceeds })
}

/// A row with these columns, or all that it has.
fn entity(organisation: &Organisation, table: &Table, id: Uuid, row: &Row, names: Option<&[String]>) -> Value {
    let (mut attributes, mut formatted) = (Vec::new(), Vec::new());
    for column in &table.columns {
        let is_asked = names.map_or_else(
            || row.column(&column.name).is_some() || row.lookup(&column.name).is_some(),
            |names| names.contains(&column.name),
        );
        if !is_asked {
            continue;
        }
        let (value, text) = if let Some(to) = row.lookup(&column.name) {
            let name = organisation.name_of(to);
            (reference(to.logical_name(), to.id(), name.as_deref()), name)
        } else {
            let value = row.column(&column.name).cloned().unwrap_or_default();
            (attribute(column, &value), column.format(&value))
        };
        attributes.push(json!({ "key": column.name, "value": value }));
        formatted.extend(text.map(|text| json!({ "key": column.name, "value": text })));
    }
    if names.is_none_or(|names| !names.contains(&table.key)) {
        attributes.push(json!({ "key": table.key, "value": id }));
    }
    json!({
        "__type": format!("Entity:{CONTRACTS}"),
        "Attributes": attributes,
        "EntityState": null,
        "FormattedValues": formatted,
        "Id": id,
        "KeyAttributes": [],
        "LogicalName": table.logical_name,
        "RelatedEntities": [],
        "RowVersion": row.version().to_string(),
    })
}

fn reference(logical_name: &str, id: Uuid, name: Option<&str>) -> Value {
    json!({
        "__type": format!("EntityReference:{CONTRACTS}"),
        "Id": id,
        "KeyAttributes": [],
        "LogicalName": logical_name,
        "Name": name,
        "RowVersion": null,
    })
}

/// The value of a column that is not a lookup.
fn attribute(column: &Column, value: &Value) -> Value {
    if value.is_null() {
        return Value::Null;
    }
    let typed = |name: &str, value: &Value| json!({ "__type": format!("{name}:{CONTRACTS}"), "Value": value });
    match &column.kind {
        Kind::Choice(_) | Kind::State(_) | Kind::Status(_) => typed("OptionSetValue", value),
        Kind::Choices(_) => {
            let codes = value.as_str().unwrap_or_default().split(',').filter_map(|code| code.parse::<i64>().ok());
            codes.map(|code| typed("OptionSetValue", &code.into())).collect()
        }
        Kind::Money(_) => typed("Money", value),
        Kind::DateTime(_) => {
            let time = value.as_str().and_then(parse_time);
            time.map_or(Value::Null, |time| date(time.unix_timestamp() * 1000).into())
        }
        _ => value.clone(),
    }
}

/// Milliseconds since 1970, as .NET's older serializer writes them.
fn date(milliseconds: i64) -> String {
    format!("/Date({milliseconds})/")
}
