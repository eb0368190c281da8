//! Conditions on rows and their order: `$filter` and `$orderby`.

mod calendar;
pub(crate) mod filter;
pub(crate) mod lexer;
pub(crate) mod operand;
mod parser;
pub(crate) mod predicate;
mod rows;

pub(crate) use rows::{LIMIT, Query};
