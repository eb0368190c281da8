//! Injected faults. Independent of HTTP; `exchange` applies them.

mod plan;
mod random;
mod rule;
mod writer;

pub use rule::FaultError;

pub(crate) use plan::Plan;
pub(crate) use rule::{Fault, Form, RequestView, When, parse};
