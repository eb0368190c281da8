//! `FetchXML`.

use std::fmt::Write as _;

use super::{Grammar, query::encoded};
use crate::{catalog::Table, http::Message};

impl Grammar<'_> {
    pub(super) fn fetch_xml(&mut self) -> Message {
        let (_, table) = self.table();
        let xml = self.fetch(table);
        let message = Message::new("GET", format!("{}?fetchXml={}", self.set_url(table), encoded(&xml)));
        self.with_headers(message)
    }

    pub(super) fn fetch(&mut self, table: &Table) -> String {
        let attributes = self.random.word(&[
            "",
            " top=\"2\"",
            " page=\"1\" count=\"2\"",
            " page=\"0\"",
            " distinct=\"true\"",
            " returntotalrecordcount=\"true\"",
            " page=\"18446744073709551615\" count=\"18446744073709551615\"",
            " page=\"2\" count=\"1\" paging-cookie=\"&lt;cookie page=&quot;1&quot;&gt;&lt;/cookie&gt;\"",
            " aggregate=\"true\"",
        ]);
        let inner = self.entity_content(table, attributes.contains("aggregate"), 0);
        format!("<fetch{attributes}><entity name=\"{}\">{inner}</entity></fetch>", table.name)
    }

    fn entity_content(&mut self, table: &Table, aggregates: bool, depth: usize) -> String {
        let mut xml = String::new();
        for _ in 0..self.random.below(4) {
            let name = &self.random.pick(&table.columns).name;
            let more = match (aggregates, self.random.below(4)) {
                (true, 0) => " groupby=\"true\" alias=\"g\"".to_owned(),
                (true, n) => format!(
                    " aggregate=\"{}\" alias=\"a{n}\"",
                    self.random.word(&["count", "countcolumn", "sum", "avg", "min", "max"])
                ),
                (false, 0) => " alias=\"x\"".to_owned(),
                _ => String::new(),
            };
            let _ = write!(xml, "<attribute name=\"{name}\"{more} />");
        }
        if self.random.one_in(8) {
            xml += "<all-attributes />";
        }
        if self.random.one_in(2) {
            xml += &self.fetch_filter(table, 0);
        }
        if self.random.one_in(3) {
            let name = &self.random.pick(&table.columns).name;
            let _ =
                write!(xml, "<order attribute=\"{name}\" descending=\"{}\" />", self.random.word(&["true", "false"]));
        }
        if self.random.one_in(3) && depth < 3 && !table.navigations.is_empty() {
            let (_, column, target) = self.random.pick(&table.navigations).clone();
            let target = self.world.catalog.table(&target);
            let inner = self.entity_content(target, aggregates, depth + 1);
            let kind =
                self.random.word(&["inner", "outer", "any", "exists", "in", "matchfirstrowusingcrossapply", "x"]);
            let _ = write!(
                xml,
                "<link-entity name=\"{}\" from=\"{}\" to=\"{column}\" link-type=\"{kind}\" alias=\"l{depth}\">{inner}</link-entity>",
                target.name, target.key
            );
        }
        xml
    }

    fn fetch_filter(&mut self, table: &Table, depth: usize) -> String {
        let mut inner = String::new();
        for _ in 0..=self.random.below(3) {
            if self.random.one_in(4) && depth < 4 {
                inner += &self.fetch_filter(table, depth + 1);
                continue;
            }
            let column = self.random.pick(&table.columns);
            let value = self.value(column);
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            let operator = self.random.word(&[
                "eq",
                "ne",
                "neq",
                "gt",
                "ge",
                "lt",
                "le",
                "like",
                "not-like",
                "begins-with",
                "ends-with",
                "null",
                "not-null",
                "in",
                "not-in",
                "between",
                "on",
                "on-or-after",
                "today",
                "yesterday",
                "last-x-days",
                "last-x-hours",
                "next-x-years",
                "eq-userid",
                "this-month",
                "older-than-x-months",
                "eq-businessid",
                "under",
                "contain-values",
                "x",
            ]);
            let condition = match operator.as_str() {
                "in" | "not-in" | "between" => format!(
                    "<condition attribute=\"{}\" operator=\"{operator}\"><value>{value}</value><value>2</value></condition>",
                    column.name
                ),
                "null" | "not-null" | "today" => {
                    format!("<condition attribute=\"{}\" operator=\"{operator}\" />", column.name)
                }
                "last-x-days" | "last-x-hours" | "next-x-years" | "older-than-x-months" => format!(
                    "<condition attribute=\"{}\" operator=\"{operator}\" value=\"{}\" />",
                    column.name,
                    self.random.word(&["1", "0", "-1", "9999999", "9223372036854775807", "99999999999999999999"])
                ),
                _ => format!("<condition attribute=\"{}\" operator=\"{operator}\" value=\"{value}\" />", column.name),
            };
            inner += &condition;
        }
        format!("<filter type=\"{}\">{inner}</filter>", self.random.word(&["and", "or"]))
    }
}
