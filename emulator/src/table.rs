//! Logical names of the tables that the emulator is mostly used for. Every other table is named in the same way.

/// A company. Its entity set is `accounts`.
pub const ACCOUNT: &str = "account";

/// A person. Its entity set is `contacts`.
pub const CONTACT: &str = "contact";

/// A case. Its entity set is `incidents`.
pub const INCIDENT: &str = "incident";

/// A conversation. Its entity set is `msdyn_ocliveworkitems`, and its key `activityid`.
pub const CONVERSATION: &str = "msdyn_ocliveworkitem";
