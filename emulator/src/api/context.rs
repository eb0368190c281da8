//! The data that all handlers have of a request and its surroundings.

use std::sync::Arc;

use crate::{
    conditions::Conditions,
    definitions::{Definitions, TableRef},
    message::Request,
    organisation::{Caller, Changes, Organisation},
    prefer::Preferences,
};
use uuid::Uuid;

/// Common data of a request for all handlers.
pub(crate) struct Context<'a> {
    pub(crate) request: &'a Request,
    pub(crate) preferences: Preferences,
    /// Scheme, host and port as the client addresses them.
    pub(crate) origin: String,
    /// Base URL of sets, with the version that the client uses.
    pub(crate) root: String,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) writer: &'a ConcurrentWriter,
    pub(crate) conditions: &'a Conditions,
    pub(crate) caller: Caller,
    /// Time of the request in milliseconds since 1970.
    pub(crate) now: u64,
}

/// The user and the time of a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) by: Uuid,
    /// In milliseconds since 1970.
    pub(crate) at: u64,
}

impl Context<'_> {
    pub(crate) fn asked(&self) -> Asked {
        Asked { by: self.caller.user, at: self.now }
    }
}

/// Concurrent changes to the conversation while one request is executed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConcurrentWriter {
    /// A write before the request is executed.
    pub(crate) before: Option<Write>,
    /// A write after the request is executed and before the row is read for the response.
    pub(crate) after: Option<Write>,
    /// The request's own write is confirmed but not stored.
    pub(crate) loses_writes: bool,
}

/// A write of another writer to the addressed row.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Change(Changes),
    Delete,
}

/// Applies a concurrent write to a row, if it exists.
pub(crate) fn apply_write(organisation: &mut Organisation, table: &TableRef, id: Uuid, write: Option<&Write>) {
    if organisation.row(&table.logical_name, id).is_none() {
        return;
    }
    match write {
        Some(Write::Change(changes)) => {
            organisation.put(table, id, changes.clone());
        }
        Some(Write::Delete) => {
            organisation.delete(&table.logical_name, id);
        }
        None => {}
    }
}
