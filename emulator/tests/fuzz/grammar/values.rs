//! Values of columns.

use serde_json::{Map, Value, json};

use super::Grammar;
use crate::catalog::{Column, Table};

const TEXTS: [&str; 14] = [
    "Fabrikam",
    "",
    "a'b",
    "a''b",
    "\"",
    "Ωμέγα",
    "😀",
    "%20",
    "\u{0}",
    "\u{202e}x",
    "null",
    "<a>&amp;</a>",
    "A-1",
    "line\nbreak",
];

const TIMES: [&str; 16] = [
    "2024-02-29",
    "2023-02-29",
    "1753-01-01T00:00:00Z",
    "1752-12-31T23:59:59Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59.9999999-14:00",
    "0001-01-01T00:00:00+14:00",
    "2026-01-01T00:00:00",
    "2026-01-01T24:00:00Z",
    "2026-06-30T23:59:60Z",
    "2026-01-01T00:00:00.123456789Z",
    "2026-1-1",
    "10000-01-01T00:00:00Z",
    "+002026-01-01",
    "-0001-01-01T00:00:00Z",
    "２０２６-01-01",
];

impl Grammar<'_> {
    pub(super) fn text(&mut self) -> String {
        match self.random.below(40) {
            0 => "x".repeat(self.random.below(5000)),
            1 => "é".repeat(self.random.below(3000)),
            _ => self.random.word(&TEXTS),
        }
    }

    pub(super) fn time(&mut self) -> String {
        self.random.word(&TIMES)
    }

    /// A value for a column, mostly one that it accepts.
    pub(super) fn value(&mut self, column: &Column) -> Value {
        if self.random.one_in(25) {
            return self.odd_value();
        }
        match column.kind.as_str() {
            "string" | "memo" => self.text().into(),
            "integer" | "bigint" => json!(self.random.below(100)),
            "decimal" | "double" | "money" => {
                let number = f64::from(u32::try_from(self.random.below(10_000)).unwrap_or_default()) / 100.0;
                if self.random.one_in(6) { number.to_string().into() } else { number.into() }
            }
            "boolean" | "managed" => self.random.one_in(2).into(),
            "choice" | "state" | "status" => {
                if column.options.is_empty() {
                    json!(self.random.below(5))
                } else {
                    self.random.pick(&column.options).clone()
                }
            }
            "choices" => column.options.first().map_or_else(String::new, Value::to_string).into(),
            "datetime" => self.time().into(),
            "guid" => self.random.uuid().to_string().into(),
            "lookup" if self.random.one_in(2) => Value::Null,
            _ => self.odd_value(),
        }
    }

    pub(super) fn odd_value(&mut self) -> Value {
        match self.random.below(16) {
            0 => Value::Null,
            1 => json!(i64::MAX),
            2 => json!(i64::MIN),
            3 => json!(u64::MAX),
            4 => json!(1e308),
            5 => json!(-0.0),
            6 => json!([]),
            7 => json!({}),
            8 => json!([{ "a": [] }]),
            9 => json!("2147483648"),
            10 => json!(2_147_483_648_u64),
            11 => json!("NaN"),
            12 => json!("1e999"),
            13 => json!({ "@odata.type": "x" }),
            14 => json!(true),
            _ => self.text().into(),
        }
    }

    /// The body of a write. Also the strings in it that a later `GET` must show.
    pub(super) fn body(&mut self, table: &Table, depth: usize) -> (Map<String, Value>, Vec<(String, Value)>) {
        let (mut body, mut shown) = (Map::new(), Vec::new());
        for _ in 0..self.random.below(5) {
            let column = self.random.pick(&table.columns);
            let value = self.value(column);
            let is_plain = matches!(column.kind.as_str(), "string" | "memo" | "boolean" | "integer");
            // The last value of a column counts.
            shown.retain(|(name, _)| *name != column.name);
            if is_plain && column.may_write && column.name != "fullname" {
                shown.push((column.name.clone(), value.clone()));
            }
            body.insert(column.read_name.clone(), value);
        }
        if self.random.one_in(2) && !table.navigations.is_empty() {
            let (name, _, target) = self.random.pick(&table.navigations).clone();
            body.insert(format!("{name}@odata.bind"), self.bind(&target).into());
        }
        if table.name == "incident" && !self.random.one_in(5) {
            let account = self.bind("account");
            body.insert("customerid_account@odata.bind".to_owned(), account.into());
        }
        match self.random.below(20) {
            0 => drop(body.insert("@odata.type".to_owned(), format!("Microsoft.Dynamics.CRM.{}", table.name).into())),
            1 if !table.navigations.is_empty() => {
                let (name, ..) = self.random.pick(&table.navigations).clone();
                body.insert(name, Value::Null);
            }
            2 => {
                let name = self.random.pick(&table.columns).read_name.clone();
                let annotation =
                    self.random.word(&["odata.type", "odata.bind", "OData.Community.Display.V1.FormattedValue", "x"]);
                body.insert(format!("{name}@{annotation}"), self.odd_value());
            }
            3 => drop(body.insert("foo_bar".to_owned(), self.odd_value())),
            4 | 5 if depth < 4 => self.deep_insert(table, depth, &mut body),
            _ => {}
        }
        (body, shown)
    }

    fn deep_insert(&mut self, table: &Table, depth: usize, body: &mut Map<String, Value>) {
        if self.random.one_in(2) && !table.collections.is_empty() {
            let (name, target) = self.random.pick(&table.collections).clone();
            let target = self.world.catalog.table(&target);
            let rows: Vec<Value> = (0..self.random.below(4)).map(|_| self.body(target, depth + 1).0.into()).collect();
            body.insert(name, rows.into());
        } else if !table.navigations.is_empty() {
            let (name, _, target) = self.random.pick(&table.navigations).clone();
            let target = self.world.catalog.table(&target);
            body.insert(name, self.body(target, depth + 1).0.into());
        }
    }

    /// The URL of a row in a body.
    pub(super) fn bind(&mut self, table: &str) -> String {
        let id = self.id_of(table);
        let set = &self.world.catalog.table(table).set;
        match self.random.below(12) {
            0 => format!("{set}({id})"),
            1 => format!("http://{}/api/data/v9.2/{set}({id})", self.world.host),
            2 => format!("/api/data/v9.2/{set}({id})"),
            3 => format!("/{set}(accountnumber='A-1')"),
            4 => "$1".to_string(),
            5 => self.text(),
            _ => format!("/{set}({id})"),
        }
    }
}
