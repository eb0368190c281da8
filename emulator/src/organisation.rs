//! The rows of an organisation, their versions and their definitions. Independent of HTTP.

mod built_in_rows;
mod delete;
mod merge;
mod rows;
mod seed;
mod stamp;
mod state;

pub use rows::{Changes, Organisation, Reference, Row};
pub use seed::SeedError;

pub(crate) use built_in_rows::{BUSINESS_UNIT, ORGANISATION, USER};
pub(crate) use rows::Changed;
pub(crate) use stamp::Caller;
