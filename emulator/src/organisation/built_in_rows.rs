//! The rows that every organisation has: the user of the credential, and the business unit.

use serde_json::Value;
use uuid::{Uuid, uuid};

use super::{
    row::{Changes, Reference},
    rows::Organisation,
};
use crate::definitions::metadata_id;

/// The user to whom the credential and the application belong.
pub(crate) const USER: Uuid = uuid!("4bd7f2a1-0c3e-4f57-8d11-5a0f7c9e2b61");
pub(crate) const BUSINESS_UNIT: Uuid = uuid!("0f6c1b7e-93a4-4d0a-b6a5-2d1e8c4f7a30");
pub(crate) const ORGANISATION: Uuid = uuid!("c81e0d55-7f2b-4a86-9b3c-6e4d2f1a0b97");

impl Default for Organisation {
    fn default() -> Self {
        Self::new()
    }
}

impl Organisation {
    /// An organisation with its user and its business unit, and without other rows.
    #[must_use]
    pub fn new() -> Self {
        let mut organisation = Self::empty();
        organisation.add_built_in_rows();
        organisation
    }

    fn add_built_in_rows(&mut self) {
        let unit = || Reference::new("businessunit", BUSINESS_UNIT);
        let user = Changes::new()
            .set("firstname", "Emulator")
            .set("lastname", "User")
            .set("fullname", "Emulator User")
            .set("domainname", "emulator@example.com")
            .set("internalemailaddress", "emulator@example.com")
            .set("isdisabled", false)
            .link("businessunitid", unit());
        self.add("businessunit", BUSINESS_UNIT, Changes::new().set("name", "Emulator"));
        self.add("organization", ORGANISATION, Changes::new().set("name", "Emulator"));
        self.add("systemuser", USER, user);
        self.add_messages();
    }

    /// The messages by which clients see that tables can be written several rows at a time.
    fn add_messages(&mut self) {
        let tables: Vec<_> = self.definitions.tables().iter().map(|table| table.logical_name.clone()).collect();
        for message in ["CreateMultiple", "UpdateMultiple", "UpsertMultiple"] {
            let id = metadata_id(message);
            self.add("sdkmessage", id, Changes::new().set("name", message));
            for table in &tables {
                let name = format!("{message} of {table}");
                let filter = Changes::new()
                    .set("name", name.clone())
                    .set("primaryobjecttypecode", table.clone())
                    .link("sdkmessageid", Reference::new("sdkmessage", id));
                self.add("sdkmessagefilter", metadata_id(&name), filter);
            }
        }
    }

    /// Adds a row with the columns that its table has.
    fn add(&mut self, table: &str, id: Uuid, changes: Changes) {
        let definitions = std::sync::Arc::clone(&self.definitions);
        let Some(table) = definitions.by_logical_name(table) else { return };
        let known = |name: &str| table.column(name).is_some();
        let changes = Changes {
            columns: changes.columns.into_iter().filter(|(name, _): &(String, Value)| known(name)).collect(),
            lookups: changes.lookups.into_iter().filter(|(name, _)| known(name)).collect(),
        };
        self.put(table, id, changes);
    }
}
