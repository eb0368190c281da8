//! The errors.

use crate::definitions::{TableRef, kind::Range};

#[derive(Debug)]
pub(crate) enum ODataError {
    /// The bearer token is missing or invalid.
    Unauthorized,
    RowNotFound {
        table: TableRef,
        id: String,
    },
    SetNotFound {
        segment: String,
    },
    /// A name in `$select` that is not a column.
    PropertyNotFound {
        table: TableRef,
        name: String,
    },
    QuerySyntax,
    /// `<name>@odata.bind` without a navigation property of that name.
    UndeclaredProperty {
        table: TableRef,
        name: String,
    },
    /// A value in the body whose name is not a column.
    InvalidProperty {
        table: TableRef,
        name: String,
    },
    BodyNotReadable {
        table: TableRef,
        detail: String,
    },
    WrongLiteral {
        table: TableRef,
        literal: String,
        expected: &'static str,
    },
    /// A bind to a set that the navigation property cannot point to. Microsoft does not document the message.
    WrongBindType {
        table: TableRef,
        navigation: String,
        expected: String,
        found: String,
    },
    /// Two values for one lookup. Microsoft documents neither the error nor the message.
    TwoValues {
        table: TableRef,
        lookup: String,
    },
    /// `_x_value: null`
    LookupNotNullable {
        name: String,
    },
    /// A lookup written by its column name.
    LookupNotWritable,
    /// Null for a lookup's column name.
    UntypedValue {
        table: TableRef,
        name: String,
    },
    TooLong {
        table: TableRef,
        name: String,
        limit: usize,
    },
    /// A number outside the limits of its column.
    OutOfRange {
        table: TableRef,
        name: String,
        range: Range,
    },
    /// A number that is not one of the choices.
    NotAChoice {
        table: TableRef,
        name: String,
        value: String,
        choices: String,
    },
    /// A time that the database cannot store.
    TooEarly,
    /// A property twice in one body.
    DuplicateProperty {
        table: TableRef,
        name: String,
    },
    /// A row that others point to, where the relationship forbids to delete it.
    DeleteRestricted {
        table: TableRef,
        by: String,
    },
    /// A case or an opportunity that is closed already.
    AlreadyClosed {
        table: TableRef,
    },
    /// The type in `@odata.type` is not that of the set.
    WrongType {
        table: TableRef,
        found: String,
    },
    /// A batch whose parts cannot be read.
    BatchNotReadable(String),
    /// More than 1,000 requests in a batch. The code is a guess.
    TooManyParts,
    /// `$1` without a part of that id before it.
    NoContentId {
        id: String,
    },
    /// A delta token that is too old.
    DeltaTokenExpired,
    /// A query option that cannot be combined with change tracking.
    NotWithChangeTracking {
        option: &'static str,
    },
    /// A table without change tracking. The code and the text are a guess.
    ChangeTrackingOff {
        table: TableRef,
    },
    /// `FetchXML` that is not well-formed or not valid.
    InvalidFetchXml(String),
    /// A name in `FetchXML` that is not a column.
    AttributeNotFound {
        table: TableRef,
        name: String,
    },
    /// A definition that does not exist. The code is a guess.
    DefinitionNotFound {
        what: &'static str,
        name: String,
    },
    /// A table that does not exist, by its logical name.
    TableNotFound {
        name: String,
    },
    /// A parameter of a function or an action.
    InvalidArgument(String),
    /// `$skip`
    SkipNotSupported,
    /// A filter compares a column with a literal of another type.
    IncompatibleTypes {
        one: &'static str,
        other: &'static str,
        operator: &'static str,
    },
    /// No row has this alternate key.
    KeyNotFound {
        table: TableRef,
    },
    /// These columns are not an alternate key of the table. The code is a guess.
    KeyNotDefined {
        table: TableRef,
    },
    InvalidStatus {
        table: TableRef,
        id: String,
        state: String,
        status: i64,
    },
    /// The method does not fit the URL.
    NoResource {
        uri: String,
    },
    StaleVersion,
    RowExists,
    PayloadTooLarge,
    /// An `ETag` in `If-Match` on a table without optimistic concurrency.
    ConcurrencyOff {
        table: TableRef,
    },
    /// A service protection limit was exceeded.
    Throttled {
        code: &'static str,
        message: String,
        retry_after_in_seconds: u64,
    },
    /// The privilege to impersonate the caller in the header is missing.
    MayNotImpersonate {
        caller: String,
    },
    /// A valid token of an application that is not a user of the environment.
    NotAMember,
    MissingPrivilege {
        message: String,
    },
    /// Behaviour of Dataverse that is unknown. The string describes the case.
    NotEmulated(String),
}
