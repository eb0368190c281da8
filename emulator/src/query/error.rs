//! Errors of queries and of alternate keys.

use crate::table::Table;

#[derive(Debug)]
pub(crate) enum QueryError {
    /// `$skip`
    SkipNotSupported,
    /// A filter compares a column with a literal of another type.
    IncompatibleTypes { one: &'static str, other: &'static str, operator: &'static str },
    /// No row has this alternate key.
    KeyNotFound { table: &'static Table },
    /// These columns are not an alternate key of the table. The code is a guess.
    KeyNotDefined { table: &'static Table },
}

impl QueryError {
    /// Status, code, message.
    pub(crate) fn parts(&self) -> (u16, &'static str, String) {
        match self {
            Self::SkipNotSupported => (400, "0x80060888", "Skip Clause is not supported in CRM".to_owned()),
            Self::IncompatibleTypes { one, other, operator } => {
                let text = format!(
                    "A binary operator with incompatible types was detected. Found operand types '{one}' and '{other}' for operator \
                     kind '{operator}'."
                );
                (400, "0x80060888", text)
            }
            Self::KeyNotFound { table } => {
                let text =
                    format!("A record with the specified key values does not exist in {} entity", table.logical_name);
                (404, "0x80060891", text)
            }
            Self::KeyNotDefined { table } => {
                let text =
                    format!("The specified key attributes are not a defined key for the {} entity", table.logical_name);
                (400, "0x80060888", text)
            }
        }
    }
}
