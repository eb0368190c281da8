//! Tables with their typed columns and navigation properties. Names are case-sensitive, as in requests.

use std::collections::HashMap;

use serde_json::Value;

use super::{
    data::{ColumnData, KindName, Ownership, TableData},
    kind::{Choice, DateFormat, Kind, Range, State, Status},
};

/// The target of a navigation property that may point to any table.
pub(crate) const ANY: &str = "*";

/// A table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) logical_name: String,
    pub(crate) schema_name: String,
    pub(crate) set: String,
    pub(crate) label: String,
    pub(crate) collection_label: String,
    pub(crate) type_code: i64,
    pub(crate) key: String,
    /// Empty if the table has none.
    pub(crate) primary_name: String,
    pub(crate) ownership: Ownership,
    pub(crate) is_activity: bool,
    pub(crate) change_tracking: bool,
    /// All columns, the key included.
    pub(crate) columns: Vec<Column>,
    /// Alternate keys, each as the names of its columns.
    pub(crate) keys: Vec<Vec<String>>,
    pub(super) by_name: HashMap<String, usize>,
    pub(super) by_read_name: HashMap<String, usize>,
    pub(super) navigations: Vec<Navigation>,
    pub(super) collections: Vec<Collection>,
}

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Logical name.
    pub(crate) name: String,
    pub(crate) schema: String,
    pub(crate) label: String,
    /// Name in rows: `_<name>_value` for a lookup.
    pub(crate) read_name: String,
    pub(crate) kind: Kind,
    pub(crate) required: Required,
    /// Whether a create or an update may set it. If not, the value is ignored.
    pub(crate) create: bool,
    pub(crate) update: bool,
    pub(crate) read: bool,
    pub(crate) default: Option<Value>,
    /// Labels of whole numbers that seed pages show in a column of unknown type.
    pub(crate) observed: Vec<Choice>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Required {
    #[default]
    None,
    Recommended,
    /// Required by forms, not by the Web API.
    Application,
    System,
}

/// A single-valued navigation property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Navigation {
    pub(crate) name: String,
    /// Logical name of the lookup column.
    pub(crate) column: String,
    /// Logical names of the tables that it can point to; [`ANY`] for all.
    pub(crate) targets: Vec<String>,
}

/// A collection-valued navigation property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collection {
    pub(crate) name: String,
    /// Logical name of the table of its rows.
    pub(crate) table: String,
    pub(crate) by: Members,
}

/// How the rows of a collection are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    /// This lookup of theirs points to the row.
    Lookup { column: String },
    /// A many-to-many relationship. `is_one`: the row is on its first side.
    Intersect { relationship: String, is_one: bool },
}

impl Table {
    pub(crate) fn from_data(data: TableData) -> Self {
        let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
        let mut table = Self {
            schema_name: or(data.schema_name, &data.logical_name),
            label: or(data.label, &data.logical_name),
            collection_label: or(data.collection_label, &data.set),
            logical_name: data.logical_name,
            set: data.set,
            type_code: data.type_code,
            key: data.key,
            primary_name: data.primary_name,
            ownership: data.ownership,
            is_activity: data.is_activity,
            change_tracking: data.change_tracking,
            keys: data.keys.into_iter().map(sorted).collect(),
            ..Self::default()
        };
        if !data.columns.iter().any(|column| column.name == table.key) {
            table.declare(Column::from_data(ColumnData::new(&table.key.clone(), KindName::Guid)));
        }
        for column in data.columns {
            table.declare(Column::from_data(column));
        }
        table
    }

    /// Adds a column, or replaces the one with the same name.
    pub(crate) fn declare(&mut self, column: Column) {
        if let Some(index) = self.by_name.get(&column.name) {
            self.by_read_name.remove(&self.columns[*index].read_name);
            self.by_read_name.insert(column.read_name.clone(), *index);
            self.columns[*index] = column;
        } else {
            self.by_name.insert(column.name.clone(), self.columns.len());
            self.by_read_name.insert(column.read_name.clone(), self.columns.len());
            self.columns.push(column);
        }
    }

    /// A column by its logical name.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.by_name.get(name).map(|index| &self.columns[*index])
    }

    /// A column by its name in rows.
    pub(crate) fn column_read_as(&self, read_name: &str) -> Option<&Column> {
        self.by_read_name.get(read_name).map(|index| &self.columns[*index])
    }

    /// A lookup by its logical name.
    pub(crate) fn lookup(&self, name: &str) -> Option<&Column> {
        self.column(name).filter(|column| column.is_lookup())
    }

    /// A single-valued navigation property.
    pub(crate) fn navigation(&self, name: &str) -> Option<&Navigation> {
        self.navigations.iter().find(|navigation| navigation.name == name)
    }

    pub(crate) fn navigations(&self) -> &[Navigation] {
        &self.navigations
    }

    /// The navigation property through which `column` points to a row of `target`.
    pub(crate) fn navigation_to(&self, column: &str, target: &str) -> Option<&Navigation> {
        let points = |navigation: &&Navigation| navigation.targets.iter().any(|to| to == target || to == ANY);
        self.navigations.iter().filter(|navigation| navigation.column == column).find(points)
    }

    pub(crate) fn collection(&self, name: &str) -> Option<&Collection> {
        self.collections.iter().find(|collection| collection.name == name)
    }

    pub(crate) fn collections(&self) -> &[Collection] {
        &self.collections
    }

    pub(crate) fn states(&self) -> &[State] {
        match self.column("statecode").map(|column| &column.kind) {
            Some(Kind::State(states)) => states,
            _ => &[],
        }
    }

    pub(crate) fn state(&self, code: i64) -> Option<&State> {
        self.states().iter().find(|state| state.code == code)
    }

    pub(crate) fn status(&self, code: i64) -> Option<&Status> {
        match self.column("statuscode").map(|column| &column.kind) {
            Some(Kind::Status(statuses)) => statuses.iter().find(|status| status.code == code),
            _ => None,
        }
    }
}

impl Column {
    pub(crate) fn is_lookup(&self) -> bool {
        matches!(self.kind, Kind::Lookup { .. })
    }

    /// The formatted value, if the value has one.
    pub(crate) fn format(&self, value: &Value) -> Option<String> {
        let observed = || {
            let code = value.as_i64()?;
            self.observed.iter().find(|choice| choice.code == code).map(|choice| choice.label.clone())
        };
        self.kind.format(value).filter(|label| !label.is_empty()).or_else(observed)
    }

    pub(crate) fn from_data(data: ColumnData) -> Self {
        let kind = kind(&data);
        let is_lookup = matches!(kind, Kind::Lookup { .. });
        Self {
            read_name: if is_lookup { format!("_{}_value", data.name) } else { data.name.clone() },
            schema: if data.schema.is_empty() { data.name.clone() } else { data.schema },
            label: if data.label.is_empty() { data.name.clone() } else { data.label },
            name: data.name,
            required: match data.required.as_deref() {
                Some("system") => Required::System,
                Some("application") => Required::Application,
                Some("recommended") => Required::Recommended,
                _ => Required::None,
            },
            create: data.create,
            update: data.update,
            read: data.read,
            default: data.default.filter(|value| !value.is_null()),
            observed: Vec::new(),
            kind,
        }
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

fn kind(data: &ColumnData) -> Kind {
    let range = |min: f64, max: f64| Range {
        min: data.min.unwrap_or(min),
        max: data.max.unwrap_or(max),
        precision: data.precision.unwrap_or(2),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "lengths are small and positive")]
    let length = |default: f64| data.max.unwrap_or(default) as usize;
    match data.kind {
        KindName::String => Kind::String { max: length(4000.0), format: data.format.clone() },
        KindName::Memo => Kind::Memo { max: length(1_048_576.0) },
        KindName::Integer => Kind::Integer(range(f64::from(i32::MIN), f64::from(i32::MAX))),
        KindName::Bigint => Kind::BigInt,
        KindName::Decimal => Kind::Decimal(range(-1e11, 1e11)),
        KindName::Double => Kind::Double(range(-1e11, 1e11)),
        KindName::Money => Kind::Money(range(-922_337_203_685_477.0, 922_337_203_685_477.0)),
        KindName::Boolean => {
            let label = |code: i64, otherwise: &str| {
                let found = choices(data).into_iter().find(|choice| choice.code == code);
                found.map_or_else(|| otherwise.to_owned(), |choice| choice.label)
            };
            Kind::Boolean { labels: [label(0, "No"), label(1, "Yes")] }
        }
        KindName::Choice => Kind::Choice(choices(data)),
        KindName::Choices => Kind::Choices(choices(data)),
        KindName::State => {
            let third = |index: usize| whole(data.options[index].get(2)).unwrap_or_default();
            let states = choices(data).into_iter().enumerate();
            Kind::State(
                states
                    .map(|(index, choice)| State {
                        code: choice.code,
                        label: choice.label,
                        default_status: third(index),
                    })
                    .collect(),
            )
        }
        KindName::Status => {
            let third = |index: usize| whole(data.options[index].get(2)).unwrap_or_default();
            let statuses = choices(data).into_iter().enumerate();
            Kind::Status(
                statuses
                    .map(|(index, choice)| Status { code: choice.code, label: choice.label, state: third(index) })
                    .collect(),
            )
        }
        KindName::Datetime => {
            let is_date = [&data.format, &data.behavior].into_iter().flatten().any(|text| text == "dateonly");
            let behaves_as_date = data.behavior.as_deref() == Some("dateonly");
            Kind::DateTime(match (behaves_as_date, is_date) {
                (true, _) => DateFormat::Date,
                (false, true) => DateFormat::DateOfTime,
                _ => DateFormat::Time,
            })
        }
        KindName::Guid => Kind::Guid,
        KindName::Lookup => Kind::Lookup { targets: data.targets.clone(), kind: data.lookup_kind.clone() },
        KindName::Version => Kind::Version,
        KindName::Image => Kind::Image,
        KindName::File => Kind::File,
        KindName::Entityname => Kind::EntityName,
        KindName::Managed => Kind::Managed,
        KindName::Any => Kind::Any,
    }
}

fn choices(data: &ColumnData) -> Vec<Choice> {
    let read = |option: &Vec<Value>| {
        let label = option.get(1).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Choice { code: whole(option.first())?, label })
    };
    data.options.iter().filter_map(read).collect()
}

fn whole(value: Option<&Value>) -> Option<i64> {
    value.and_then(Value::as_i64)
}
