//! The rows of an organisation, their versions and their definitions. Independent of HTTP.

mod built_in_rows;
mod delete;
mod merge;
mod row;
mod rows;
mod seed;
mod stamp;
mod state;

pub use row::{Changes, Reference, Row};
pub use rows::Organisation;
pub use seed::SeedError;

pub(crate) use built_in_rows::{BUSINESS_UNIT, ORGANISATION, USER};
pub(crate) use rows::Changed;
pub(crate) use stamp::Caller;
