//! All OData errors of the emulator, each with status, code and message.

mod kind;
mod parts;

pub(crate) use kind::ODataError;
pub(crate) use parts::body;
