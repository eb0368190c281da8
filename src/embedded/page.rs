//! A page of rows as a Web API GET returns it, read row by row.

use std::{
    fmt,
    io::{self, BufReader, Read},
    mem,
};

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::error::Category;

use super::{
    fault::staging_fault,
    staging::Staging,
    table::{Row, Table},
    text::{Allowance, PIECE, Text},
};
use crate::error::{Code, LinkError};

const CONTEXT: &str = "@odata.context";
const VALUE: &str = "value";

/// A page that was read to its end.
pub(super) struct Page {
    /// What errors call it: the path, or the argument.
    pub(super) origin: String,
    pub(super) table: Table,
    pub(super) rows: Staging,
    /// The page ended with `@odata.nextLink`.
    pub(super) more_rows_exist: bool,
}

/// Reads a page, checks its rows and stages them.
///
/// # Errors
/// `INVALID_ARGUMENT`, naming `origin`, and for a bad row its index, the column and the reason; `STORE` if the rows cannot be staged.
pub(super) fn read(text: Text<'_, impl Read>, origin: &str) -> Result<Page, LinkError> {
    let allowance = text.allowance();
    let rows = Staging::new().map_err(staging_fault)?;
    let mut reading = Reading {
        origin,
        allowance,
        rows,
        table: None,
        is_one_row: false,
        more_rows_exist: false,
        has_value: false,
        at: None,
        refused: None,
    };
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(PIECE, text));
    match json.deserialize_map(&mut reading).and_then(|others| json.end().map(|()| others)) {
        Ok(others) => reading.finish(&others),
        Err(error) => Err(reading.explain(error)),
    }
}

/// One row refuses the whole page.
pub(super) fn bad_row(origin: &str, index: i64, reason: &str) -> LinkError {
    LinkError::new(Code::InvalidArgument, format!("{origin}: row {index} of `{VALUE}`: {reason}."))
        .hint("Nothing was imported; mend or remove the row and import the page again.")
}

fn not_a_page(origin: &str, reason: &str) -> LinkError {
    LinkError::new(Code::InvalidArgument, format!("{origin}: not a page of a Web API GET: {reason}."))
        .hint("A page is the whole answer: an object with `@odata.context` and `value`.")
}

/// The state of a page that is being read.
struct Reading<'a> {
    origin: &'a str,
    allowance: Allowance,
    rows: Staging,
    /// Known once the context was read, which may come after the rows.
    table: Option<Table>,
    /// The context is that of a single row.
    is_one_row: bool,
    more_rows_exist: bool,
    has_value: bool,
    /// The row that is being read, and its column; empty before the first.
    at: Option<(i64, String)>,
    /// Why the page is refused, if not by the parser.
    refused: Option<LinkError>,
}

impl Reading<'_> {
    fn context(&mut self, context: &str) -> Result<(), LinkError> {
        let set = context.split_once("$metadata#").map_or("", |(_, set)| set);
        let set = set.split(['(', '/']).next().unwrap_or_default();
        let table = Table::named(set).ok_or_else(|| self.no_table(if set.is_empty() { "no table" } else { set }))?;
        (self.table, self.is_one_row) = (Some(table), context.ends_with("/$entity"));
        self.rows.begin(table).map_err(staging_fault)
    }

    /// Whether the context is known, and that of a list.
    fn is_list(&self) -> bool {
        self.table.is_some() && !self.is_one_row
    }

    fn no_table(&self, named: &str) -> LinkError {
        let known = "accounts, contacts, incidents or msdyn_ocliveworkitems";
        not_a_page(self.origin, &format!("its `{CONTEXT}` names {named}, not {known}"))
    }

    fn keep(&mut self, index: i64, row: &Row) -> Result<(), LinkError> {
        match self.table {
            Some(table) => {
                let values = table.values(row).map_err(|reason| bad_row(self.origin, index, &reason))?;
                self.rows.keep(values).map_err(staging_fault)
            }
            None => self.rows.put_aside(&row.to_json()).map_err(staging_fault),
        }
    }

    /// `others` are the members that could be the columns of a single row.
    fn finish(mut self, others: &Row) -> Result<Page, LinkError> {
        // A GET of one row is the row itself.
        match () {
            () if self.has_value => {}
            () if self.is_one_row => self.keep(0, others)?,
            () => return Err(not_a_page(self.origin, &format!("it has no `{VALUE}` array"))),
        }
        let Some(table) = self.table else { return Err(self.no_table("no table")) };
        for index in 0.. {
            let Some(row) = self.rows.put_aside_at(index).map_err(staging_fault)? else { break };
            let mut json = serde_json::Deserializer::from_str(&row);
            let row = OneRow(&mut String::new()).deserialize(&mut json);
            let row = row.map_err(|error| bad_row(self.origin, index, &error.to_string()))?;
            self.keep(index, &row)?;
        }
        self.rows.finish().map_err(staging_fault)?;
        let Self { origin, rows, more_rows_exist, .. } = self;
        Ok(Page { origin: origin.to_owned(), table, rows, more_rows_exist })
    }

    /// Why the parser stopped.
    fn explain(self, error: serde_json::Error) -> LinkError {
        if let Some(refused) = self.refused {
            return refused;
        }
        let (category, cause) = (error.classify(), error.to_string());
        let cause = cause.replace("invalid unicode code point", "bytes that are not UTF-8");
        let cause = match io::Error::from(error) {
            _ if category != Category::Io => cause,
            error if error.kind() == io::ErrorKind::FileTooLarge => {
                format!("longer than {} MiB", Allowance::MOST >> 20)
            }
            error => return error.downcast().unwrap_or_else(|error| not_a_page(self.origin, &error.to_string())),
        };
        match self.at {
            Some((index, _)) if category == Category::Eof => {
                not_a_page(self.origin, &format!("it ends within row {index} of `{VALUE}` ({cause})"))
            }
            Some((index, column)) if column.is_empty() => bad_row(self.origin, index, &cause),
            Some((index, column)) => bad_row(self.origin, index, &format!("`{column}`: {cause}")),
            None => {
                not_a_page(self.origin, &format!("it is not a JSON object with `{CONTEXT}` and `{VALUE}` ({cause})"))
            }
        }
    }
}

impl<'de> Visitor<'de> for &mut Reading<'_> {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut others = Row::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                CONTEXT if self.table.is_some() => return Err(de::Error::duplicate_field(CONTEXT)),
                CONTEXT => {
                    if let Some(context) = map.next_value::<Option<String>>()? {
                        self.context(&context).map_err(|refused| refuse(&mut self.refused, refused))?;
                    }
                }
                VALUE if self.has_value => return Err(de::Error::duplicate_field(VALUE)),
                VALUE => map.next_value_seed(Rows(self))?,
                "@odata.nextLink" => self.more_rows_exist |= map.next_value::<Option<IgnoredAny>>()?.is_some(),
                // Not a column of a single row.
                name if self.has_value || self.is_list() || name.starts_with('@') => {
                    self.allowance.lift();
                    map.next_value::<IgnoredAny>()?;
                    self.allowance.renew();
                }
                _ => others.0.push((name, map.next_value()?)),
            }
        }
        Ok(others)
    }
}

/// Keeps the error beside the parser: an error of the parser's own holds only its message.
fn refuse<E: de::Error>(refused: &mut Option<LinkError>, error: LinkError) -> E {
    E::custom(refused.insert(error))
}

/// The array of rows.
struct Rows<'r, 'a>(&'r mut Reading<'a>);

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    /// `null` is no array.
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let Self(page) = self;
        page.has_value = true;
        for index in 0.. {
            page.allowance.renew();
            let (_, column) = page.at.insert((index, String::new()));
            let Some(row) = rows.next_element_seed(OneRow(column))? else { break };
            page.keep(index, &row).map_err(|refused| refuse(&mut page.refused, refused))?;
        }
        page.at = None;
        Ok(())
    }
}

/// One row. The name of the column that is being read is kept in the string.
struct OneRow<'r>(&'r mut String);

impl<'de> DeserializeSeed<'de> for OneRow<'_> {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Row, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneRow<'_> {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let Self(column) = self;
        let mut row = Row::default();
        while let Some(name) = map.next_key()? {
            *column = name;
            let value = map.next_value()?;
            row.0.push((mem::take(column), value));
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::types::Value;

    use super::*;

    const ID: &str = "6b726d86-d37c-43b8-b3a4-c4056ddd2e07";

    fn parse(text: &str) -> Result<Page, LinkError> {
        read(Text::new(text.as_bytes(), &|| false, &|error| panic!("{error}")), "page.json")
    }

    /// What is kept of the first row, without its number and its id.
    fn kept(text: &str) -> Vec<Value> {
        let page = parse(text).unwrap();
        let mut rows = page.rows.ordered().unwrap();
        let mut rows = rows.raw_query();
        let row = rows.next().unwrap().unwrap();
        (2..=page.table.width()).map(|column| row.get(column).unwrap()).collect()
    }

    #[test]
    fn absent_and_null_columns_differ() {
        let row = format!(r#""activityid":"{ID}","statuscode":2,"_msdyn_issueid_value":null"#);
        let kept = kept(&format!(r#"{{"@odata.context":"$metadata#msdyn_ocliveworkitems","value":[{{{row}}}]}}"#));
        // Its status, then pairs of whether there is one and which: customer, case, subject and so on.
        assert_eq!(kept[..6], [2.into(), 0.into(), Value::Null, Value::Null, 1.into(), Value::Null]);
    }

    #[test]
    fn a_single_row_is_a_page_too_wherever_its_context_stands() {
        let row = format!(r#""accountid":"{ID}","name":"Contoso","x":-0,"y@z":1,"y":[1]"#);
        let context = r#""@odata.context":"https://x/$metadata#accounts(name)/$entity""#;
        for text in [format!("{{{context},{row}}}"), format!("{{{row},{context}}}")] {
            let columns = format!(r#"{{"accountid":"{ID}","name":"Contoso","x":-0}}"#);
            assert_eq!(kept(&text), [1.into(), 1.into(), "Contoso".to_owned().into(), columns.into()]);
            assert!(!parse(&text).unwrap().more_rows_exist);
        }
    }

    #[test]
    fn a_next_link_means_more_rows() {
        for (link, more_rows_exist) in [("\"https://x\"", true), ("null", false)] {
            let text = format!(r#"{{"@odata.context":"$metadata#accounts","value":[],"@odata.nextLink":{link}}}"#);
            assert_eq!(parse(&text).unwrap().more_rows_exist, more_rows_exist);
        }
    }

    #[test]
    fn a_bad_row_is_named_with_index_column_and_reason() {
        let good = format!(r#"{{"activityid":"{ID}","statuscode":2}}"#);
        let with = |column: &str| format!(r#"{{"activityid":"{ID}",{column}}}"#);
        for (row, expected) in [
            ("{}".to_owned(), "missing field `activityid`"),
            ("7".to_owned(), "invalid type: integer `7`"),
            (r#"{"activityid":"x"}"#.to_owned(), "`activityid`: expected a GUID"),
            (with(r#""createdon":"yesterday""#), "`createdon`: expected a time such as"),
            (with(r#""statuscode":"2""#), "`statuscode`: invalid type: string"),
            (with(&format!(r#""_msdyn_customer_value":"{ID}""#)), "lookuplogicalname` is missing"),
            (
                with(&format!(
                    r#""_msdyn_customer_value":"{ID}","_msdyn_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname":"lead""#
                )),
                "neither 'account' nor 'contact'",
            ),
        ] {
            let rows = format!(r#""value":[{good},{row}]"#);
            let context = r#""@odata.context":"https://x/$metadata#msdyn_ocliveworkitems(a,b)""#;
            for text in [format!("{{{context},{rows}}}"), format!("{{{rows},{context}}}")] {
                let error = parse(&text).err().unwrap();
                assert!(error.message().starts_with("page.json: row 1 of `value`: "), "{error:?}");
                assert!(error.message().contains(expected), "{error:?}");
            }
        }
    }
}
