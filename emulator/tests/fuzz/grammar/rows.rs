//! Single rows: create, read, update, delete, properties, navigation and references.

use serde_json::{Value, json};

use super::{Expected, Grammar, Made};
use crate::{http::Message, world};

impl Grammar<'_> {
    pub(super) fn create(&mut self) -> Made {
        let (index, table) = self.table();
        let (mut body, values) = self.body(table, 0);
        let mut expected = None;
        if !self.random.one_in(4) {
            let id = world::id(index, self.random.below(world::IDS));
            body.insert(table.key.clone(), id.to_string().into());
            let path = format!("/api/data/v9.2/{}({id})", table.set);
            expected = Some(Expected { path, values });
        }
        let url = format!("{}{}", self.set_url(table), self.row_options(table));
        Made { message: self.with_headers(Message::new("POST", url).json(&body.into())), expected }
    }

    pub(super) fn update(&mut self) -> Made {
        let (index, table) = self.table();
        let id = self.id(index);
        let (body, values) = self.body(table, 0);
        let path = format!("/api/data/v9.2/{}({id})", table.set);
        let by_key = table.name == "account" && self.random.one_in(6);
        let url = if by_key {
            format!("/api/data/v9.2/accounts(accountnumber='A-{}')", self.random.below(4))
        } else {
            path.clone()
        };
        let url = format!("{url}{}", self.row_options(table));
        let message = self.with_headers(Message::new("PATCH", url).json(&body.into()));
        let message = self.with_condition(message, &table.name, Some(id));
        Made { message, expected: (!by_key).then_some(Expected { path, values }) }
    }

    pub(super) fn delete(&mut self) -> Message {
        let (index, table) = self.table();
        let id = self.id(index);
        let message = Message::new("DELETE", format!("{}({id})", self.set_url(table)));
        self.with_condition(message, &table.name, Some(id))
    }

    pub(super) fn get_row(&mut self) -> Message {
        let (index, table) = self.table();
        let url = format!("{}{}", self.row_url((index, table)), self.row_options(table));
        let method = if self.random.one_in(20) { "HEAD" } else { "GET" };
        let message = self.with_headers(Message::new(method, url));
        if self.random.one_in(4) { self.with_condition(message, &table.name, None) } else { message }
    }

    pub(super) fn property(&mut self) -> Made {
        let (index, table) = self.table();
        let id = self.id(index);
        let column = self.random.pick(&table.columns);
        let row = format!("/api/data/v9.2/{}({id})", table.set);
        let url = format!("{row}/{}", column.read_name);
        match self.random.below(5) {
            0 => Message::new("DELETE", url).into(),
            1 => {
                let value = self.value(column);
                let is_plain = matches!(column.kind.as_str(), "string" | "boolean")
                    && column.may_write
                    && column.name != "fullname";
                let expected =
                    is_plain.then(|| Expected { path: row, values: vec![(column.name.clone(), value.clone())] });
                Made { message: Message::new("PUT", url).json(&json!({ "value": value })), expected }
            }
            2 => Message::new("GET", format!("{url}/$value")).into(),
            _ => self.with_headers(Message::new("GET", url)).into(),
        }
    }

    pub(super) fn navigation(&mut self) -> Message {
        let (index, table) = self.table();
        let row = self.row_url((index, table));
        if self.random.one_in(2) && !table.navigations.is_empty() {
            let (name, _, target) = self.random.pick(&table.navigations).clone();
            let options = self.row_options(self.world.catalog.table(&target));
            return self.with_headers(Message::new("GET", format!("{row}/{name}{options}")));
        }
        if table.collections.is_empty() {
            return Message::new("GET", row);
        }
        let (name, target) = self.random.pick(&table.collections).clone();
        let target = self.world.catalog.table(&target);
        let tail = if self.random.one_in(4) { "/$count" } else { "" };
        let options = self.set_options(target);
        self.with_headers(Message::new("GET", format!("{row}/{name}{tail}{options}")))
    }

    pub(super) fn reference(&mut self) -> Message {
        let (index, table) = self.table();
        let row = self.row_url((index, table));
        if self.random.one_in(2) && !table.navigations.is_empty() {
            let (name, _, target) = self.random.pick(&table.navigations).clone();
            let url = format!("{row}/{name}/$ref");
            return match self.random.below(3) {
                0 => Message::new("GET", url),
                1 => self.with_condition(Message::new("DELETE", url), &table.name, None),
                _ => {
                    let body = self.reference_body(&target);
                    Message::new("PUT", url).json(&body)
                }
            };
        }
        if table.collections.is_empty() {
            return Message::new("GET", format!("{}/$ref", self.set_url(table)));
        }
        let (name, target) = self.random.pick(&table.collections).clone();
        match self.random.below(4) {
            0 => Message::new("GET", format!("{row}/{name}/$ref")),
            1 => Message::new("DELETE", format!("{row}/{name}({})/$ref", self.id_of(&target))),
            2 => {
                let bind = self.bind(&target);
                Message::new("DELETE", format!("{row}/{name}/$ref?$id={bind}"))
            }
            _ => {
                let body = self.reference_body(&target);
                Message::new("POST", format!("{row}/{name}/$ref")).json(&body)
            }
        }
    }

    fn reference_body(&mut self, target: &str) -> Value {
        let name = self.random.word(&["@odata.id", "@odata.id", "@odata.id", "@id", "@odata.context"]);
        json!({ name: self.bind(target) })
    }
}
