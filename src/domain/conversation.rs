//! The part of a conversation that links depend on.

use std::fmt;

use super::ids::{ConversationId, EntityLogicalName, RecordReference};

/// Place of a linked record. The two slots are independent: a link in one never changes the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    Customer,
    Case,
}

impl EntityLogicalName {
    /// The slot for records of this table.
    #[must_use]
    pub const fn slot(self) -> Slot {
        match self {
            Self::Account | Self::Contact => Slot::Customer,
            Self::Incident => Slot::Case,
        }
    }

    /// The table with this name, if its records go into the customer slot.
    #[must_use]
    pub fn customer(name: &str) -> Option<Self> {
        name.parse().ok().filter(|entity: &Self| entity.slot() == Slot::Customer)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Customer => "customer",
            Self::Case => "case",
        })
    }
}

/// The `statuscode` of a conversation. Unknown numbers are kept and are not active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status(i32);

impl Status {
    /// Waiting in a queue.
    pub const OPEN: Self = Self(1);
    /// An agent is serving the customer. The only status in which a conversation can be linked, unless others are allowed.
    pub const ACTIVE: Self = Self(2);
    /// The agent left without ending it.
    pub const WAITING: Self = Self(3);
    /// Closed for good.
    pub const CLOSED: Self = Self(4);
    /// Ended; the agent is still working on it.
    pub const WRAP_UP: Self = Self(5);
    /// Internal to the product.
    pub const RESOLVED: Self = Self(6);
    /// Internal to the product.
    pub const SCHEDULED: Self = Self(7);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::OPEN, "open"),
        (Self::ACTIVE, "active"),
        (Self::WAITING, "waiting"),
        (Self::CLOSED, "closed"),
        (Self::WRAP_UP, "wrapUp"),
        (Self::RESOLVED, "resolved"),
        (Self::SCHEDULED, "scheduled"),
    ];

    /// All names that [`Status::from_name`] accepts.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|(_, name)| *name)
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(status, _)| *status)
    }

    /// Its name. `None` for an unknown number.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Self::NAMES.iter().find(|(status, _)| *status == self).map(|(_, name)| *name)
    }

    #[must_use]
    pub const fn code(self) -> i32 {
        self.0
    }
}

impl From<i32> for Status {
    fn from(code: i32) -> Self {
        Self(code)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "statuscode {}", self.0),
        }
    }
}

/// The part of a conversation's row that decisions are based on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub id: ConversationId,
    pub status: Status,
    pub customer: Option<RecordReference>,
    pub case: Option<RecordReference>,
}

impl Conversation {
    #[must_use]
    pub fn linked(&self, slot: Slot) -> Option<RecordReference> {
        match slot {
            Slot::Customer => self.customer,
            Slot::Case => self.case,
        }
    }
}
