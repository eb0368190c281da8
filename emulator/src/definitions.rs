//! Definitions of tables, columns and relationships. Reading, writing, filtering and metadata are all generic over them.
//!
//! The standard tables are built in; seed pages and answers of `EntityDefinitions` declare more.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use uuid::Uuid;

use data::{ColumnData, KindName, ManyToMany, OneToMany, Ownership, TableData};
use kind::Kind;
use table::{ANY, Collection, Column, Members, Navigation, Table};

pub(crate) mod answer;
mod builtin;
pub(crate) mod data;
pub(crate) mod formatted;
pub(crate) mod kind;
mod known;
pub(crate) mod table;

/// A shared table.
pub(crate) type TableRef = Arc<Table>;

pub(crate) use known::{is_known_operation, is_known_set};

/// The tables and relationships of an organisation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definitions {
    /// Sorted by set.
    tables: Vec<Arc<Table>>,
    by_set: HashMap<String, usize>,
    by_logical_name: HashMap<String, usize>,
    one_to_many: Vec<OneToMany>,
    many_to_many: Vec<ManyToMany>,
}

/// The table from which all activities derive.
const ACTIVITY: &str = "activitypointer";

/// The built-in definitions, read once.
static BUILT_IN: LazyLock<Arc<Definitions>> = LazyLock::new(|| {
    let (tables, relationships) = builtin::read();
    let mut definitions = Definitions {
        tables: tables.into_iter().map(|data| Arc::new(Table::from_data(data))).collect(),
        one_to_many: relationships.one_to_many,
        many_to_many: relationships.many_to_many,
        ..Definitions::default()
    };
    definitions.connect();
    Arc::new(definitions)
});

impl Definitions {
    pub(crate) fn built_in() -> Arc<Self> {
        Arc::clone(&BUILT_IN)
    }

    /// All tables, in the order of their set names.
    pub(crate) fn tables(&self) -> &[Arc<Table>] {
        &self.tables
    }

    pub(crate) fn by_set(&self, set: &str) -> Option<&Arc<Table>> {
        self.by_set.get(set).map(|index| &self.tables[*index])
    }

    pub(crate) fn by_logical_name(&self, name: &str) -> Option<&Arc<Table>> {
        self.by_logical_name.get(name).map(|index| &self.tables[*index])
    }

    pub(crate) fn one_to_many(&self) -> &[OneToMany] {
        &self.one_to_many
    }

    pub(crate) fn many_to_many(&self) -> &[ManyToMany] {
        &self.many_to_many
    }

    /// Adds a table, or the columns that an existing one lacks.
    pub(crate) fn declare(&mut self, data: TableData) {
        let declared = Table::from_data(data);
        match self.by_logical_name.get(&declared.logical_name) {
            None => self.tables.push(Arc::new(declared)),
            Some(index) => {
                let table = Arc::make_mut(&mut self.tables[*index]);
                for column in declared.columns {
                    if table.column(&column.name).is_none_or(|known| refines(&column, known)) {
                        table.declare(column);
                    }
                }
                for key in declared.keys {
                    if !table.keys.contains(&key) {
                        table.keys.push(key);
                    }
                }
                table.change_tracking |= declared.change_tracking;
            }
        }
        self.connect();
    }

    /// Changes a table. Its relationships stay.
    pub(crate) fn change(&mut self, logical_name: &str, change: impl FnOnce(&mut Table)) {
        if let Some(index) = self.by_logical_name.get(logical_name) {
            change(Arc::make_mut(&mut self.tables[*index]));
        }
    }

    /// Adds relationships. One with a known name is ignored.
    pub(crate) fn relate(&mut self, one_to_many: Vec<OneToMany>, many_to_many: Vec<ManyToMany>) {
        for new in one_to_many {
            if !self.one_to_many.iter().any(|known| known.name == new.name && known.navigation == new.navigation) {
                self.one_to_many.push(new);
            }
        }
        for new in many_to_many {
            if !self.many_to_many.iter().any(|known| known.name == new.name) {
                self.many_to_many.push(new);
            }
        }
        self.connect();
    }

    /// Sorts and indexes the tables, and gives them the navigation properties of the relationships. A lookup target without a
    /// relationship gets a navigation property with the name that Dataverse would give it.
    fn connect(&mut self) {
        self.tables.sort_by(|one, other| one.set.cmp(&other.set));
        let indexed = |name: fn(&Table) -> &String| -> HashMap<String, usize> {
            self.tables.iter().enumerate().map(|(index, table)| (name(table).clone(), index)).collect()
        };
        (self.by_set, self.by_logical_name) = (indexed(|table| &table.set), indexed(|table| &table.logical_name));
        for table in &mut self.tables {
            let table = Arc::make_mut(table);
            (table.navigations, table.collections) = (Vec::new(), Vec::new());
        }
        for one_to_many in &self.one_to_many {
            let OneToMany { one, many, column, navigation, collection, .. } = one_to_many;
            if let Some(index) = self.by_logical_name.get(many) {
                navigate(Arc::make_mut(&mut self.tables[*index]), navigation, column, one);
            }
            if let Some(index) = self.by_logical_name.get(one).filter(|_| !collection.is_empty()) {
                collect(
                    Arc::make_mut(&mut self.tables[*index]),
                    collection,
                    many,
                    Members::Lookup { column: column.clone() },
                );
            }
        }
        for ManyToMany { name, one, two, one_navigation, two_navigation, .. } in &self.many_to_many {
            for (table, other, navigation, is_one) in
                [(one, two, one_navigation, true), (two, one, two_navigation, false)]
            {
                if let Some(index) = self.by_logical_name.get(table) {
                    let by = Members::Intersect { relationship: name.clone(), is_one };
                    collect(Arc::make_mut(&mut self.tables[*index]), navigation, other, by);
                }
            }
        }
        let pointer = self.by_logical_name(ACTIVITY).cloned();
        for table in &mut self.tables {
            let table = Arc::make_mut(table);
            if let Some(pointer) = pointer.as_ref().filter(|_| table.is_activity && table.logical_name != ACTIVITY) {
                inherit(table, pointer);
            }
            complete(table);
        }
    }

    /// The table of a many-to-many relationship, by its logical name. It has the ids of two rows, and no set.
    pub(crate) fn intersect(&self, name: &str) -> Option<(&ManyToMany, TableRef)> {
        let relationship = self.many_to_many.iter().find(|known| known.intersect == name)?;
        let one = &self.by_logical_name(&relationship.one)?.key;
        let two = &self.by_logical_name(&relationship.two)?.key;
        let columns = [one, two].map(|key| ColumnData::new(key, KindName::Guid)).into();
        let data = TableData { logical_name: name.to_owned(), key: one.clone(), columns, ..TableData::default() };
        (one != two).then(|| (relationship, Arc::new(Table::from_data(data))))
    }

    /// The one-to-many relationship of a lookup with one of its targets.
    pub(crate) fn relationship(&self, many: &str, column: &str, one: &str) -> Option<&OneToMany> {
        self.one_to_many.iter().find(|known| known.many == many && known.column == column && known.one == one)
    }
}

/// Whether a declared column says more than a known one.
fn refines(declared: &Column, known: &Column) -> bool {
    match (&declared.kind, &known.kind) {
        (Kind::Any, _) => false,
        (_, Kind::Any) => true,
        (Kind::Lookup { targets, .. }, Kind::Lookup { targets: known, .. }) => targets.len() > known.len(),
        (Kind::Choice(choices), Kind::Choice(known)) => choices.len() > known.len(),
        _ => false,
    }
}

fn navigate(table: &mut Table, name: &str, column: &str, target: &str) {
    match table.navigations.iter_mut().find(|navigation| navigation.name == name) {
        Some(navigation) if navigation.targets.iter().any(|to| to == target) => {}
        Some(navigation) => navigation.targets.push(target.to_owned()),
        None => table.navigations.push(Navigation {
            name: name.to_owned(),
            column: column.to_owned(),
            targets: vec![target.to_owned()],
        }),
    }
}

fn collect(table: &mut Table, name: &str, members: &str, by: Members) {
    if table.collection(name).is_none() {
        table.collections.push(Collection { name: name.to_owned(), table: members.to_owned(), by });
    }
}

/// Adds the navigation properties of all activities, which come after those of the table.
fn inherit(table: &mut Table, activity: &Table) {
    let is_new = |navigation: &&Navigation| {
        table.lookup(&navigation.column).is_some() && table.navigation(&navigation.name).is_none()
    };
    let inherited: Vec<_> = activity.navigations.iter().filter(is_new).cloned().collect();
    table.navigations.extend(inherited);
}

/// Adds the navigation properties of lookups to tables that no relationship names.
fn complete(table: &mut Table) {
    let mut missing = Vec::new();
    for column in &table.columns {
        let Kind::Lookup { targets, .. } = &column.kind else { continue };
        // A column of the system is called like its property, one of a solution like its schema name.
        let base = if column.name.contains('_') { &column.schema } else { &column.name };
        let suffix = if table.is_activity { format!("_{}", table.logical_name) } else { String::new() };
        for target in targets {
            if table.navigation_to(&column.name, target).is_some() {
                continue;
            }
            let is_owner = matches!(&column.kind, Kind::Lookup { kind: Some(kind), .. } if kind == "owner");
            let name = match targets.len() {
                _ if is_owner || target == ANY => format!("{base}{suffix}"),
                1 => format!("{base}{suffix}"),
                _ => format!("{base}_{target}{suffix}"),
            };
            missing.push((name, column.name.clone(), target.clone()));
        }
    }
    for (name, column, target) in missing {
        navigate(table, &name, &column, &target);
    }
}

impl Ownership {
    /// Name in definitions.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "UserOwned",
            Self::Organization => "OrganizationOwned",
            Self::None => "None",
        }
    }
}

/// The id of a definition or a privilege, which is the same at every start.
pub(crate) fn metadata_id(name: &str) -> Uuid {
    // FNV-1a
    let hash = name.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b)
    });
    uuid::Builder::from_custom_bytes(hash.to_be_bytes()).into_uuid()
}
