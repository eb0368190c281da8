//! Lists and their options.

use super::Grammar;
use crate::{catalog::Table, http::Message};

impl Grammar<'_> {
    pub(super) fn list(&mut self) -> Message {
        let (_, table) = self.table();
        let url = self.set_url(table);
        let tail = match self.random.below(12) {
            0 => "/$count",
            1 => "/$ref",
            _ => "",
        };
        let options = self.set_options(table);
        self.with_headers(Message::new("GET", format!("{url}{tail}{options}")))
    }

    fn column_name(&mut self, table: &Table) -> String {
        self.random.pick(&table.columns).read_name.clone()
    }

    /// A column, also of a row that is pointed to.
    fn path(&mut self, table: &Table) -> String {
        if self.random.one_in(8) && !table.navigations.is_empty() {
            let (name, _, target) = self.random.pick(&table.navigations).clone();
            return format!("{name}/{}", self.column_name(self.world.catalog.table(&target)));
        }
        self.column_name(table)
    }

    fn select(&mut self, table: &Table) -> String {
        let names: Vec<_> = (0..=self.random.below(4)).map(|_| self.column_name(table)).collect();
        names.join(",")
    }

    pub(super) fn row_options(&mut self, table: &Table) -> String {
        let mut options = Vec::new();
        if self.random.one_in(3) {
            options.push(format!("$select={}", self.select(table)));
        }
        if self.random.one_in(5) {
            options.push(format!("$expand={}", self.expand(table, 0)));
        }
        if self.random.one_in(20) {
            options.push("tag=x".to_owned());
        }
        join(&options)
    }

    pub(super) fn set_options(&mut self, table: &Table) -> String {
        let mut options = Vec::new();
        if self.random.one_in(2) {
            options.push(format!("$select={}", self.select(table)));
        }
        if self.random.one_in(2) {
            options.push(format!("$filter={}", encoded(&self.filter(table, 0))));
        }
        if self.random.one_in(3) {
            options.push(format!("$orderby={}", self.order(table).replace(' ', "%20")));
        }
        if self.random.one_in(4) {
            options.push(format!(
                "$top={}",
                self.random.word(&["1", "2", "5000", "5001", "0", "-1", "99999999999999999999"])
            ));
        }
        if self.random.one_in(5) {
            options.push(format!("$count={}", self.random.word(&["true", "false", "True", ""])));
        }
        if self.random.one_in(5) {
            options.push(format!("$expand={}", encoded(&self.expand(table, 0))));
        }
        match self.random.below(30) {
            0 => options.push(format!("$skiptoken={}", self.skip_token())),
            1 => options.push(format!(
                "$deltatoken={}",
                self.random.word(&["919042%2108%2f22%2f2017", "0", "1", "999999999999999999999", ""])
            )),
            2 => options.push(format!(
                "$apply={}",
                self.random
                    .word(&["aggregate($count as n)", "groupby((statecode),aggregate(revenue with sum as s))"])
                    .replace(' ', "%20")
            )),
            3 => options.push(format!("$skip={}", self.random.below(3))),
            4 => options.push(format!("savedQuery={}", self.random.uuid())),
            5 => options.push("@p1='x'".to_owned()),
            _ => {}
        }
        join(&options)
    }

    fn order(&mut self, table: &Table) -> String {
        let terms: Vec<_> = (0..=self.random.below(3))
            .map(|_| format!("{}{}", self.path(table), self.random.word(&["", " asc", " desc"])))
            .collect();
        terms.join(",")
    }

    fn skip_token(&mut self) -> String {
        let number = self.random.word(&["1", "2", "0", "-1", "18446744073709551615", "18446744073709551616", "x"]);
        let cookie = self.random.word(&[
            "%2522x%2522",
            "%255B%2522x%2522%255D",
            "%255Bnull%252Cnull%255D",
            "%255B1%252C2%252C3%255D",
            "",
        ]);
        format!(
            "%3Ccookie%20pagenumber%3D%22{number}%22%20pagingcookie%3D%22{cookie}%22%20istracking%3D%22False%22%20%2F%3E"
        )
    }

    pub(super) fn expand(&mut self, table: &Table, depth: usize) -> String {
        let mut terms = Vec::new();
        for _ in 0..=self.random.below(2) {
            let is_one = self.random.one_in(2) && !table.navigations.is_empty();
            let (name, target) = if is_one {
                let (name, _, target) = self.random.pick(&table.navigations).clone();
                (name, target)
            } else if table.collections.is_empty() {
                continue;
            } else {
                self.random.pick(&table.collections).clone()
            };
            let target = self.world.catalog.table(&target);
            let mut inner = Vec::new();
            if self.random.one_in(2) {
                inner.push(format!("$select={}", self.select(target)));
            }
            if self.random.one_in(3) && depth < 7 {
                inner.push(format!("$expand={}", self.expand(target, depth + 1)));
            }
            if !is_one && self.random.one_in(4) {
                inner.push(format!("$filter={}", self.filter(target, 2)));
            }
            if !is_one && self.random.one_in(4) {
                inner.push(format!("$top={};$orderby={}", self.random.below(3), self.order(target)));
            }
            terms.push(if inner.is_empty() { name } else { format!("{name}({})", inner.join(";")) });
        }
        terms.join(",")
    }

    pub(super) fn filter(&mut self, table: &Table, depth: usize) -> String {
        if depth < 4 {
            match self.random.below(8) {
                0 => return format!("({})", self.filter(table, depth + 1)),
                1 => return format!("not ({})", self.filter(table, depth + 1)),
                2 | 3 => {
                    let (one, other) = (self.filter(table, depth + 1), self.filter(table, depth + 1));
                    return format!("{one} {} {other}", self.random.word(&["and", "or"]));
                }
                _ => {}
            }
        }
        let name = self.path(table);
        match self.random.below(10) {
            0 => format!("{}({name},'{}')", self.random.word(&["contains", "startswith", "endswith"]), self.text()),
            1 => {
                let values: Vec<_> = (0..self.random.below(4)).map(|n| format!("'{n}'")).collect();
                format!("Microsoft.Dynamics.CRM.In(PropertyName='{name}',PropertyValues=[{}])", values.join(","))
            }
            2 => format!(
                "Microsoft.Dynamics.CRM.{}(PropertyName='{name}')",
                self.random.word(&["Today", "LastXDays", "EqualUserId", "ContainsKeyword"])
            ),
            3 if !table.collections.is_empty() => {
                let (collection, target) = self.random.pick(&table.collections).clone();
                let target = self.column_name(self.world.catalog.table(&target));
                format!("{collection}/{}(o:o/{target} eq null)", self.random.word(&["any", "all"]))
            }
            _ => {
                let column = table.columns.iter().find(|column| column.read_name == name);
                let value = column.map_or(serde_json::Value::Null, |column| self.value(column));
                let literal = match (&value, column.map(|column| column.kind.as_str())) {
                    (serde_json::Value::String(text), Some("string" | "memo" | "choices")) => {
                        format!("'{}'", text.replace('\'', "''"))
                    }
                    (serde_json::Value::String(text), _) => text.clone(),
                    (value, _) => value.to_string(),
                };
                format!("{name} {} {literal}", self.random.word(&["eq", "ne", "gt", "ge", "lt", "le", "add", "in"]))
            }
        }
    }
}

fn join(options: &[String]) -> String {
    if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) }
}

/// Percent-encodes what a URL cannot contain.
pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
