//! Definitions as data: the form of the files in `emulator/definitions/`, into which definitions of other sources are converted.

use serde::Deserialize;
use serde_json::Value;

/// A table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TableData {
    pub(crate) logical_name: String,
    #[serde(default)]
    pub(crate) schema_name: String,
    pub(crate) set: String,
    #[serde(default)]
    pub(crate) label: String,
    #[serde(default)]
    pub(crate) collection_label: String,
    #[serde(default)]
    pub(crate) type_code: i64,
    pub(crate) key: String,
    /// Empty if the table has none.
    #[serde(default)]
    pub(crate) primary_name: String,
    #[serde(default)]
    pub(crate) ownership: Ownership,
    #[serde(default)]
    pub(crate) is_activity: bool,
    #[serde(default)]
    pub(crate) change_tracking: bool,
    #[serde(default)]
    pub(crate) columns: Vec<ColumnData>,
    /// Alternate keys, each as the names of its columns.
    #[serde(default)]
    pub(crate) keys: Vec<Vec<String>>,
}

/// The possible owners of a table's rows.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Ownership {
    User,
    Organization,
    #[default]
    None,
}

/// A column.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ColumnData {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) schema: String,
    #[serde(default)]
    pub(crate) label: String,
    #[serde(rename = "type")]
    pub(crate) kind: KindName,
    /// Length of a string, or highest value of a number.
    pub(crate) max: Option<f64>,
    pub(crate) min: Option<f64>,
    pub(crate) precision: Option<u8>,
    pub(crate) format: Option<String>,
    pub(crate) behavior: Option<String>,
    /// Options as `[value, label]`; a state adds its default status, a status its state.
    #[serde(default)]
    pub(crate) options: Vec<Vec<Value>>,
    pub(crate) default: Option<Value>,
    #[serde(default)]
    pub(crate) targets: Vec<String>,
    /// `customer` or `owner`, for a lookup of such a type.
    #[serde(rename = "kind")]
    pub(crate) lookup_kind: Option<String>,
    pub(crate) required: Option<String>,
    #[serde(default = "yes")]
    pub(crate) create: bool,
    #[serde(default = "yes")]
    pub(crate) update: bool,
    #[serde(default = "yes")]
    pub(crate) read: bool,
}

fn yes() -> bool {
    true
}

impl ColumnData {
    /// A column with the defaults of its type.
    pub(crate) fn new(name: &str, kind: KindName) -> Self {
        Self {
            name: name.to_owned(),
            schema: String::new(),
            label: String::new(),
            kind,
            max: None,
            min: None,
            precision: None,
            format: None,
            behavior: None,
            options: Vec::new(),
            default: None,
            targets: Vec::new(),
            lookup_kind: None,
            required: None,
            create: true,
            update: true,
            read: true,
        }
    }
}

/// Types by the names that the files use.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KindName {
    String,
    Memo,
    Integer,
    Bigint,
    Decimal,
    Double,
    Money,
    Boolean,
    Choice,
    Choices,
    State,
    Status,
    Datetime,
    Guid,
    Lookup,
    Version,
    Image,
    File,
    Entityname,
    Managed,
    /// Unknown: a column that only a seed page shows.
    Any,
}

/// A one-to-many relationship: rows of `many` point with `column` to a row of `one`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OneToMany {
    pub(crate) name: String,
    pub(crate) one: String,
    pub(crate) many: String,
    pub(crate) column: String,
    /// The single-valued navigation property of `many`.
    pub(crate) navigation: String,
    /// The collection-valued navigation property of `one`. Empty if unknown.
    #[serde(default)]
    pub(crate) collection: String,
    #[serde(default)]
    pub(crate) delete: OnDelete,
    /// A merge of two rows of `one` moves the rows that point to the first.
    #[serde(default)]
    pub(crate) merge: bool,
}

/// The effect of the deletion of a row on the rows that point to it.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnDelete {
    Cascade,
    RemoveLink,
    Restrict,
    #[default]
    NoCascade,
}

/// A many-to-many relationship.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ManyToMany {
    pub(crate) name: String,
    pub(crate) intersect: String,
    pub(crate) one: String,
    pub(crate) two: String,
    pub(crate) one_navigation: String,
    pub(crate) two_navigation: String,
}

/// The relationships of a file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Relationships {
    pub(crate) one_to_many: Vec<OneToMany>,
    pub(crate) many_to_many: Vec<ManyToMany>,
}
