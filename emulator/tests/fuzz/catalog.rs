//! The tables that requests can be about, from the files of the definitions.

use std::{fs, path::Path};

use serde_json::Value;

pub(crate) struct Catalog {
    pub(crate) tables: Vec<Table>,
    /// Names of sets and operations that the emulator knows to exist.
    pub(crate) known: Vec<String>,
}

pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) set: String,
    pub(crate) key: String,
    pub(crate) columns: Vec<Column>,
    /// Single-valued navigation properties: name, column and table of the target.
    pub(crate) navigations: Vec<(String, String, String)>,
    /// Collection-valued ones: name and table of the members.
    pub(crate) collections: Vec<(String, String)>,
}

pub(crate) struct Column {
    pub(crate) name: String,
    /// As in a row.
    pub(crate) read_name: String,
    pub(crate) kind: String,
    pub(crate) options: Vec<Value>,
    pub(crate) may_write: bool,
}

impl Catalog {
    pub(crate) fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("definitions");
        let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let json = |path: &Path| -> Value { serde_json::from_str(&read(path)).unwrap() };
        let is_table = |path: &&std::path::PathBuf| {
            path.extension().is_some_and(|extension| extension == "json") && !path.ends_with("relationships.json")
        };
        let mut tables: Vec<_> = files.iter().filter(is_table).map(|path| table(&json(path))).collect();
        relate(&mut tables, &json(&folder.join("relationships.json")));
        let known = ["known-sets.txt", "known-operations.txt"].map(|name| read(&folder.join(name)));
        Self { tables, known: known.iter().flat_map(|text| text.lines()).map(str::to_owned).collect() }
    }

    pub(crate) fn table(&self, name: &str) -> &Table {
        self.tables.iter().find(|table| table.name == name).unwrap_or(&self.tables[0])
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn table(data: &Value) -> Table {
    let column = |data: &Value| {
        let (name, kind) = (text(data, "name"), text(data, "type"));
        let options = data["options"].as_array().into_iter().flatten().map(|option| option[0].clone());
        Column {
            read_name: if kind == "lookup" { format!("_{name}_value") } else { name.clone() },
            options: options.collect(),
            may_write: data["create"] != false && data["update"] != false,
            name,
            kind,
        }
    };
    Table {
        name: text(data, "logicalName"),
        set: text(data, "set"),
        key: text(data, "key"),
        columns: data["columns"].as_array().unwrap().iter().map(column).collect(),
        navigations: Vec::new(),
        collections: Vec::new(),
    }
}

fn relate(tables: &mut [Table], relationships: &Value) {
    let mut add = |name: &str, change: &mut dyn FnMut(&mut Table)| {
        tables.iter_mut().filter(|table| table.name == name).for_each(change);
    };
    for data in relationships["oneToMany"].as_array().unwrap() {
        let [one, many, column] = ["one", "many", "column"].map(|name| text(data, name));
        add(&many, &mut |table| table.navigations.push((text(data, "navigation"), column.clone(), one.clone())));
        add(&one, &mut |table| table.collections.push((text(data, "collection"), many.clone())));
    }
    for data in relationships["manyToMany"].as_array().unwrap() {
        let [one, two] = ["one", "two"].map(|name| text(data, name));
        add(&one, &mut |table| table.collections.push((text(data, "oneNavigation"), two.clone())));
        add(&two, &mut |table| table.collections.push((text(data, "twoNavigation"), one.clone())));
    }
}
