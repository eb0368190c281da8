//! The four tables: columns, lookups and navigation properties. Names are case-sensitive, as in requests.

use serde_json::Value;

mod conversation;
pub(crate) mod relationship;

pub use conversation::CONVERSATION;

/// A table of the organisation. All four are statics of this module.
#[derive(Debug)]
pub struct Table {
    pub(crate) logical_name: &'static str,
    pub(crate) set: &'static str,
    pub(crate) key: &'static str,
    pub(crate) primary_name: &'static str,
    pub(crate) columns: &'static [Column],
    pub(crate) lookups: &'static [Lookup],
    pub(crate) states: &'static [State],
    pub(crate) statuses: &'static [Status],
}

/// A column that is not a lookup. The key is not included: every table has exactly one.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `Edm.String` with at most this many characters.
    Text(usize),
    Integer,
    Boolean,
    /// `Edm.DateTimeOffset`. The string is stored unchanged.
    Timestamp,
    /// A string that the server writes. It can be read; the effect of a write is unknown.
    System,
    /// A time that the server writes.
    SystemTime,
    /// The number in the `ETag`.
    Version,
}

/// A lookup column, read as `_<name>_value`, written through its navigation properties.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) name: &'static str,
    pub(crate) read_name: &'static str,
    pub(crate) required: bool,
    /// It can also point to tables that `navigations` does not list.
    pub(crate) open: bool,
    pub(crate) navigations: &'static [Navigation],
}

#[derive(Debug)]
pub(crate) struct Navigation {
    pub(crate) name: &'static str,
    /// Logical name of the target table; [`ANY`] if the property can point to several.
    pub(crate) target: &'static str,
}

pub(crate) const ANY: &str = "*";

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) code: i64,
    pub(crate) label: &'static str,
    pub(crate) default_status: i64,
}

#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) code: i64,
    pub(crate) label: &'static str,
    pub(crate) state: i64,
}

impl Kind {
    /// If `value` does not fit the column: the expected OData type, for the error.
    pub(crate) fn mismatch(self, value: &Value) -> Option<&'static str> {
        let (fits, expected) = match self {
            Kind::Text(_) => (value.is_string(), "Edm.String"),
            Kind::Timestamp => (value.is_string(), "Edm.DateTimeOffset"),
            Kind::Integer => (value.is_i64(), "Edm.Int32"),
            Kind::Boolean => (value.is_boolean(), "Edm.Boolean"),
            Kind::System | Kind::SystemTime | Kind::Version => {
                (!value.is_object() && !value.is_array(), "single value")
            }
        };
        (!fits && !value.is_null()).then_some(expected)
    }
}

impl Table {
    /// Name of the table in lookups and messages, for example `account`.
    #[must_use]
    pub fn logical_name(&self) -> &'static str {
        self.logical_name
    }

    /// Name of the entity set in URLs, for example `accounts`.
    #[must_use]
    pub fn set_name(&self) -> &'static str {
        self.set
    }

    pub(crate) fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(crate) fn lookup(&self, name: &str) -> Option<&'static Lookup> {
        self.lookups.iter().find(|lookup| lookup.name == name)
    }

    pub(crate) fn lookup_read_as(&self, read_name: &str) -> Option<&'static Lookup> {
        self.lookups.iter().find(|lookup| lookup.read_name == read_name)
    }

    pub(crate) fn navigation(&self, name: &str) -> Option<(&'static Lookup, &'static Navigation)> {
        self.lookups.iter().find_map(|lookup| Some((lookup, lookup.navigations.iter().find(|nav| nav.name == name)?)))
    }

    pub(crate) fn state(&self, code: i64) -> Option<&'static State> {
        self.states.iter().find(|state| state.code == code)
    }

    pub(crate) fn status(&self, code: i64) -> Option<&'static Status> {
        self.statuses.iter().find(|status| status.code == code)
    }
}

impl Lookup {
    /// The navigation property to rows of `target`.
    pub(crate) fn navigation_to(&self, target: &str) -> Option<&'static Navigation> {
        self.navigations.iter().find(|nav| nav.target == target || nav.target == ANY)
    }
}

/// All tables, in the order of their set names.
pub(crate) static TABLES: [&Table; 4] = [&ACCOUNT, &CONTACT, &INCIDENT, &CONVERSATION];

pub(crate) fn by_set(set: &str) -> Option<&'static Table> {
    TABLES.into_iter().find(|table| table.set == set)
}

pub(crate) fn by_logical_name(name: &str) -> Option<&'static Table> {
    TABLES.into_iter().find(|table| table.logical_name == name)
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

const fn to(name: &'static str, target: &'static str) -> Navigation {
    Navigation { name, target }
}

const fn lookup(name: &'static str, read_name: &'static str, navigations: &'static [Navigation]) -> Lookup {
    Lookup { name, read_name, required: false, open: false, navigations }
}

const fn state(code: i64, label: &'static str, default_status: i64) -> State {
    State { code, label, default_status }
}

const fn status(code: i64, label: &'static str, state: i64) -> Status {
    Status { code, label, state }
}

static ACTIVE_INACTIVE: [State; 2] = [state(0, "Active", 1), state(1, "Inactive", 2)];
static ACTIVE_INACTIVE_STATUSES: [Status; 2] = [status(1, "Active", 0), status(2, "Inactive", 1)];

/// `account`, the entity set `accounts`.
pub static ACCOUNT: Table = Table {
    logical_name: "account",
    set: "accounts",
    key: "accountid",
    primary_name: "name",
    columns: &[
        column("name", Kind::Text(160)),
        column("accountnumber", Kind::Text(20)),
        column("telephone1", Kind::Text(50)),
        column("emailaddress1", Kind::Text(100)),
        column("statecode", Kind::Integer),
        column("statuscode", Kind::Integer),
        column("createdon", Kind::SystemTime),
        column("modifiedon", Kind::SystemTime),
        column("versionnumber", Kind::Version),
    ],
    lookups: &[
        lookup("primarycontactid", "_primarycontactid_value", &[to("primarycontactid", "contact")]),
        lookup("ownerid", "_ownerid_value", &[to("ownerid", "systemuser"), to("ownerid", "team")]),
    ],
    states: &ACTIVE_INACTIVE,
    statuses: &ACTIVE_INACTIVE_STATUSES,
};

/// `contact`, the entity set `contacts`.
pub static CONTACT: Table = Table {
    logical_name: "contact",
    set: "contacts",
    key: "contactid",
    primary_name: "fullname",
    columns: &[
        // The server composes the full name from its parts by a setting of the organisation, so all three are read-only here.
        column("fullname", Kind::System),
        column("firstname", Kind::System),
        column("lastname", Kind::System),
        column("emailaddress1", Kind::Text(100)),
        column("telephone1", Kind::Text(50)),
        column("mobilephone", Kind::Text(50)),
        column("jobtitle", Kind::Text(100)),
        column("statecode", Kind::Integer),
        column("statuscode", Kind::Integer),
        column("createdon", Kind::SystemTime),
        column("modifiedon", Kind::SystemTime),
        column("versionnumber", Kind::Version),
    ],
    lookups: &[
        lookup(
            "parentcustomerid",
            "_parentcustomerid_value",
            &[to("parentcustomerid_account", "account"), to("parentcustomerid_contact", "contact")],
        ),
        lookup("ownerid", "_ownerid_value", &[to("ownerid", "systemuser"), to("ownerid", "team")]),
    ],
    states: &ACTIVE_INACTIVE,
    statuses: &ACTIVE_INACTIVE_STATUSES,
};

/// `incident` (a case), the entity set `incidents`.
pub static INCIDENT: Table = Table {
    logical_name: "incident",
    set: "incidents",
    key: "incidentid",
    primary_name: "title",
    columns: &[
        column("title", Kind::Text(200)),
        column("ticketnumber", Kind::Text(100)),
        column("statecode", Kind::Integer),
        column("statuscode", Kind::Integer),
        column("createdon", Kind::SystemTime),
        column("modifiedon", Kind::SystemTime),
        column("versionnumber", Kind::Version),
    ],
    lookups: &[
        Lookup {
            name: "customerid",
            read_name: "_customerid_value",
            required: true,
            open: false,
            navigations: &[to("customerid_account", "account"), to("customerid_contact", "contact")],
        },
        lookup("ownerid", "_ownerid_value", &[to("ownerid", "systemuser"), to("ownerid", "team")]),
    ],
    states: &[state(0, "Active", 1), state(1, "Resolved", 5), state(2, "Cancelled", 6)],
    statuses: &[
        status(1, "In Progress", 0),
        status(2, "On Hold", 0),
        status(3, "Waiting for Details", 0),
        status(4, "Researching", 0),
        status(5, "Problem Solved", 1),
        status(1000, "Information Provided", 1),
        status(6, "Cancelled", 2),
        status(2000, "Merged", 2),
    ],
};
