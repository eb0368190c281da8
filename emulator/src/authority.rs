//! The token authority, and the rights of the user.

pub(crate) mod entra;
pub(crate) mod privileges;
pub(crate) mod token;
