//! Conditions on rows and their order: `$filter` and `$orderby`.

pub(crate) mod filter;
pub(crate) mod lexer;
pub(crate) mod operand;
mod parser;
mod rows;

pub(crate) use rows::{LIMIT, Query};
