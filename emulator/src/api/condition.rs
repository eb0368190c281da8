//! The conditions of a write: `If-Match` and `If-None-Match`.

use uuid::Uuid;

use super::context::Context;
use crate::{definitions::TableRef, error::ODataError, message::Request, organisation::Organisation};

pub(crate) enum Condition {
    /// Update, or create if the row does not exist.
    None,
    Exists,
    Version(String),
    Missing,
}

impl Condition {
    pub(crate) fn of(request: &Request) -> Result<Self, ODataError> {
        let if_match = request.header("if-match")?;
        // "null" is the documented way to bypass caches. It is not a condition on the row.
        let if_none_match = request.header("if-none-match")?.filter(|value| value != "null");
        match (if_match.as_deref(), if_none_match.as_deref()) {
            (None, None) => Ok(Self::None),
            (Some("*"), None) => Ok(Self::Exists),
            (Some(etag), None) if etag.starts_with("W/\"") && etag.ends_with('"') && !etag.contains(',') => {
                Ok(Self::Version(etag.to_owned()))
            }
            (None, Some("*")) => Ok(Self::Missing),
            (sent, none) => {
                let why = format!("If-Match: {} with If-None-Match: {}", sent.unwrap_or("-"), none.unwrap_or("-"));
                Err(ODataError::NotEmulated(why))
            }
        }
    }

    pub(crate) fn check(
        &self,
        organisation: &Organisation,
        context: &Context<'_>,
        table: &TableRef,
        id: Uuid,
    ) -> Result<(), ODataError> {
        if matches!(self, Self::Version(_)) && context.conditions.is_concurrency_off(table) {
            return Err(ODataError::ConcurrencyOff { table: table.clone() });
        }
        match (self, organisation.row(&table.logical_name, id)) {
            (Self::Exists | Self::Version(_), None) => {
                Err(ODataError::RowNotFound { table: table.clone(), id: id.to_string() })
            }
            (Self::Version(etag), Some(row)) if *etag != row.etag() => Err(ODataError::StaleVersion),
            (Self::Missing, Some(_)) => Err(ODataError::RowExists),
            _ => Ok(()),
        }
    }
}
