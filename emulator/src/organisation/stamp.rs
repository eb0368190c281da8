//! Values that the server itself writes: times, users, owner and composed names.

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    built_in_rows::BUSINESS_UNIT,
    row::{Changes, Reference},
    rows::Organisation,
};
use crate::definitions::{
    kind::{Kind, format_time},
    table::Table,
};

/// The user of a request, and the one who acts for them by impersonation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) user: Uuid,
    pub(crate) on_behalf_by: Option<Uuid>,
}

impl Organisation {
    /// Writes a row for a user: also sets who wrote it and when, and for a new one its owner and its defaults. Returns the new version.
    pub(crate) fn save(&mut self, table: &Table, id: Uuid, changes: Changes, caller: Caller) -> u64 {
        let creates = self.row(&table.logical_name, id).is_none();
        let now = i64::try_from(self.now() / 1000).ok().and_then(|now| OffsetDateTime::from_unix_timestamp(now).ok());
        let now = now.map(format_time).unwrap_or_default();
        let mut changes = self.with_composed_name(table, id, changes);
        let user = Reference::new("systemuser", caller.user);
        let time = |changes: Changes, name: &str| {
            if table.column(name).is_some() { changes.set(name, now.clone()) } else { changes }
        };
        let link = |changes: Changes, name: &str, to: Option<Reference>| match to {
            _ if table.lookup(name).is_none() => changes,
            Some(to) => changes.link(name, to),
            None => changes.clear(name),
        };
        let on_behalf_by = caller.on_behalf_by.map(|user| Reference::new("systemuser", user));
        if creates {
            changes = with_defaults(table, changes, self.last_version + 1);
            // An import may state when the row was created elsewhere.
            let overridden = changes.columns.iter().find(|(name, _)| name == "overriddencreatedon");
            changes = match overridden.map(|(_, value)| value.clone()) {
                Some(value) if table.column("createdon").is_some() => changes.set("createdon", value),
                _ => time(changes, "createdon"),
            };
            changes = link(changes, "createdby", Some(user.clone()));
            changes = link(changes, "createdonbehalfby", on_behalf_by.clone());
            if table.lookup("ownerid").is_some() && !changes.lookups.iter().any(|(name, _)| name == "ownerid") {
                changes = link(changes, "ownerid", Some(user.clone()));
            }
        }
        let owner = changes.lookups.iter().rev().find(|(name, _)| name == "ownerid").and_then(|(_, to)| to.clone());
        if let Some(owner) = owner {
            let is_team = owner.logical_name() == "team";
            changes = link(changes, "owningteam", is_team.then(|| owner.clone()));
            changes = link(changes, "owninguser", (!is_team).then_some(owner));
            changes = link(changes, "owningbusinessunit", Some(Reference::new("businessunit", BUSINESS_UNIT)));
        }
        changes = time(changes, "modifiedon");
        changes = link(changes, "modifiedby", Some(user));
        changes = link(changes, "modifiedonbehalfby", on_behalf_by);
        self.put(table, id, changes)
    }

    /// Composes the full name of a person from first and last name, which is the default of an organisation.
    fn with_composed_name(&self, table: &Table, id: Uuid, changes: Changes) -> Changes {
        let is_part = |name: &str| matches!(name, "firstname" | "lastname");
        let is_person = table.primary_name == "fullname" && table.column("firstname").is_some();
        if !is_person || !changes.columns.iter().any(|(name, _)| is_part(name)) {
            return changes;
        }
        let row = self.row(&table.logical_name, id);
        let part = |name: &str| -> String {
            let written = changes.columns.iter().rev().find(|(written, _)| written == name).map(|(_, value)| value);
            let value = written.or_else(|| row?.column(name));
            value.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let name = format!("{} {}", part("firstname"), part("lastname")).trim().to_owned();
        changes.set("fullname", name)
    }
}

/// Adds the default values of a new row, and its number if the table numbers its rows.
fn with_defaults(table: &Table, mut changes: Changes, number: u64) -> Changes {
    for column in &table.columns {
        let is_set = changes.columns.iter().any(|(name, _)| *name == column.name);
        let has_own_rule = matches!(column.kind, Kind::State(_) | Kind::Status(_) | Kind::Lookup { .. });
        if let Some(default) = column.default.as_ref().filter(|_| !is_set && !has_own_rule) {
            changes = changes.set(&column.name, default.clone());
        }
    }
    let is_numbered = changes.columns.iter().any(|(name, value)| name == "ticketnumber" && !value.is_null());
    if table.column("ticketnumber").is_some() && !is_numbered {
        changes = changes.set("ticketnumber", format!("CAS-{number:05}-E5M7K2"));
    }
    changes
}
