//! Reads a page of rows, as a Web API GET returns it, row by row.

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
    decoder::{CHUNK, Decoder, ReadLimit},
    staging::Staging,
    table::{Row, Table},
};
use crate::{embedded::error::staging_error, error::LinkError};

const CONTEXT: &str = "@odata.context";
const VALUE: &str = "value";

/// A page of rows that was read and checked.
pub(in crate::embedded) struct EntityPage {
    /// The path in quotes, or "the page", for error messages.
    pub(super) origin: String,
    pub(super) table: Table,
    pub(super) rows: Staging,
    /// The page has an `@odata.nextLink`.
    pub(super) more_rows_exist: bool,
}

/// Reads a page, checks its rows and stages them.
///
/// # Errors
/// `INVALID_ARGUMENT`, naming `origin`, and for an invalid row its index, the column and the reason; `STORE` if the rows cannot be staged.
pub(super) fn read(decoder: Decoder<'_, impl Read>, origin: &str) -> Result<EntityPage, LinkError> {
    let limit = decoder.limit();
    let rows = Staging::new().map_err(staging_error)?;
    let mut reading = Reading {
        origin,
        limit,
        rows,
        table: None,
        is_single_row: false,
        more_rows_exist: false,
        has_value: false,
        at: None,
        error: None,
    };
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(CHUNK, decoder));
    match json.deserialize_map(&mut reading).and_then(|others| json.end().map(|()| others)) {
        Ok(others) => reading.finish(&others),
        Err(error) => Err(reading.explain(error)),
    }
}

/// Parses a row that was stored as JSON.
pub(super) fn parse_row(json: &str) -> serde_json::Result<Row> {
    OneRow(&mut String::new()).deserialize(&mut serde_json::Deserializer::from_str(json))
}

/// The error for an invalid row, which rejects the whole page.
pub(super) fn invalid_row(origin: &str, index: i64, reason: &str) -> LinkError {
    invalid_page(format!("{origin}: row {index} of `{VALUE}`: {reason}"))
        .hint("Nothing was imported; fix or remove the row and import the page again.")
}

fn not_a_page(origin: &str, reason: &str) -> LinkError {
    invalid_page(format!("{origin} is not the response of a Web API GET: {reason}"))
        .hint("A page is the whole response: an object with `@odata.context` and `value`.")
}

/// The argument of the import is invalid. The reason names the file, if it is one.
pub(super) fn invalid_page(why: String) -> LinkError {
    LinkError::invalid_argument("pathOrPage", why)
}

struct Reading<'a> {
    origin: &'a str,
    limit: ReadLimit,
    rows: Staging,
    /// `None` until the context was read, which may come after the rows.
    table: Option<Table>,
    /// The page is a single row, as a GET of one row returns it.
    is_single_row: bool,
    more_rows_exist: bool,
    has_value: bool,
    /// Index of the current row, and its current column (empty before the first).
    at: Option<(i64, String)>,
    /// An error that did not come from the parser.
    error: Option<LinkError>,
}

impl Reading<'_> {
    fn context(&mut self, context: &str) -> Result<(), LinkError> {
        let set = context.split_once("$metadata#").map_or("", |(_, set)| set);
        let set = set.split(['(', '/']).next().unwrap_or_default();
        let table =
            Table::named(set).ok_or_else(|| self.unknown_table(if set.is_empty() { "no table" } else { set }))?;
        (self.table, self.is_single_row) = (Some(table), context.ends_with("/$entity"));
        self.rows.begin(table).map_err(staging_error)
    }

    /// Whether the context is known and names a list.
    fn is_list(&self) -> bool {
        self.table.is_some() && !self.is_single_row
    }

    fn unknown_table(&self, named: &str) -> LinkError {
        let known = "accounts, contacts, incidents or msdyn_ocliveworkitems";
        not_a_page(self.origin, &format!("its `{CONTEXT}` names {named}, not {known}"))
    }

    fn stage(&mut self, index: i64, row: &Row) -> Result<(), LinkError> {
        match self.table {
            Some(table) => {
                let values = table.values(row).map_err(|reason| invalid_row(self.origin, index, &reason))?;
                self.rows.add(table, row, &values).map_err(staging_error)
            }
            None => self.rows.defer(&row.to_json()).map_err(staging_error),
        }
    }

    /// Stages the rows that are still missing. `others` are members that could be the columns of a single row.
    fn finish(mut self, others: &Row) -> Result<EntityPage, LinkError> {
        if !self.has_value && !self.is_single_row {
            return Err(not_a_page(self.origin, &format!("it has no `{VALUE}` array")));
        }
        if !self.has_value {
            self.stage(0, others)?;
        }
        let Some(table) = self.table else { return Err(self.unknown_table("no table")) };
        for index in 0.. {
            let Some(row) = self.rows.deferred(index).map_err(staging_error)? else { break };
            let row = parse_row(&row).map_err(|error| invalid_row(self.origin, index, &error.to_string()))?;
            self.stage(index, &row)?;
        }
        self.rows.finish().map_err(staging_error)?;
        let Self { origin, rows, more_rows_exist, .. } = self;
        Ok(EntityPage { origin: origin.to_owned(), table, rows, more_rows_exist })
    }

    /// The error for which the parser stopped.
    fn explain(self, error: serde_json::Error) -> LinkError {
        if let Some(error) = self.error {
            return error;
        }
        let (category, cause) = (error.classify(), error.to_string());
        let cause = cause.replace("invalid unicode code point", "bytes that are not UTF-8");
        let cause = match io::Error::from(error) {
            _ if category != Category::Io => cause,
            error if error.kind() == io::ErrorKind::FileTooLarge => {
                format!("longer than {} MiB", ReadLimit::MAX >> 20)
            }
            error => return error.downcast().unwrap_or_else(|error| not_a_page(self.origin, &error.to_string())),
        };
        match self.at {
            Some((index, _)) if category == Category::Eof => {
                not_a_page(self.origin, &format!("it ends within row {index} of `{VALUE}` ({cause})"))
            }
            Some((index, column)) if column.is_empty() => invalid_row(self.origin, index, &cause),
            Some((index, column)) => invalid_row(self.origin, index, &format!("`{column}`: {cause}")),
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
                        self.context(&context).map_err(|error| stop(&mut self.error, error))?;
                    }
                }
                VALUE if self.has_value => return Err(de::Error::duplicate_field(VALUE)),
                VALUE => map.next_value_seed(Rows(self))?,
                "@odata.nextLink" => self.more_rows_exist |= map.next_value::<Option<IgnoredAny>>()?.is_some(),
                // Cannot be a column of a single row.
                name if self.has_value || self.is_list() || name.starts_with('@') => {
                    self.limit.lift();
                    map.next_value::<IgnoredAny>()?;
                    self.limit.reset();
                }
                _ => others.0.push((name, map.next_value()?)),
            }
        }
        Ok(others)
    }
}

/// Stops the parser. The error is kept here, because the parser's own error type holds only a message.
fn stop<E: de::Error>(stopped: &mut Option<LinkError>, error: LinkError) -> E {
    E::custom(stopped.insert(error))
}

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

    /// `null` counts as no array.
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let Self(page) = self;
        page.has_value = true;
        for index in 0.. {
            page.limit.reset();
            let (_, column) = page.at.insert((index, String::new()));
            let Some(row) = rows.next_element_seed(OneRow(column))? else { break };
            page.stage(index, &row).map_err(|error| stop(&mut page.error, error))?;
        }
        page.at = None;
        Ok(())
    }
}

/// One row. The string holds the name of the current column, for errors.
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

    fn parse(text: &str) -> Result<EntityPage, LinkError> {
        read(Decoder::new(text.as_bytes(), &|| false, &|error| panic!("{error}")), "'page.json'")
    }

    /// The staged values of the first row, without its index and its id.
    fn staged(text: &str) -> Vec<Value> {
        let page = parse(text).unwrap();
        let mut rows = page.rows.ordered().unwrap();
        let mut rows = rows.raw_query();
        let row = rows.next().unwrap().unwrap();
        (2..=page.table.width()).map(|column| row.get(column).unwrap()).collect()
    }

    #[test]
    fn absent_and_null_columns_differ() {
        let row = format!(r#""activityid":"{ID}","statuscode":2,"_msdyn_issueid_value":null"#);
        let staged = staged(&format!(r#"{{"@odata.context":"$metadata#msdyn_ocliveworkitems","value":[{{{row}}}]}}"#));
        // The status, then pairs of presence and value: customer (entity and id), case, subject and so on.
        assert_eq!(staged[..6], [2.into(), 0.into(), Value::Null, Value::Null, 1.into(), Value::Null]);
    }

    #[test]
    fn a_single_row_is_a_page_wherever_its_context_stands() {
        let row = format!(r#""accountid":"{ID}","name":"Contoso","x":-0,"y@z":1,"y":[1]"#);
        let context = r#""@odata.context":"https://x/$metadata#accounts(name)/$entity""#;
        for text in [format!("{{{context},{row}}}"), format!("{{{row},{context}}}")] {
            let columns = format!(r#"{{"accountid":"{ID}","name":"Contoso","x":-0}}"#);
            assert_eq!(staged(&text), [1.into(), 1.into(), "Contoso".to_owned().into(), columns.into()]);
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
    fn an_invalid_row_is_named_with_index_column_and_reason() {
        let valid = format!(r#"{{"activityid":"{ID}","statuscode":2}}"#);
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
            let rows = format!(r#""value":[{valid},{row}]"#);
            let context = r#""@odata.context":"https://x/$metadata#msdyn_ocliveworkitems(a,b)""#;
            for text in [format!("{{{context},{rows}}}"), format!("{{{rows},{context}}}")] {
                let error = parse(&text).err().unwrap();
                assert!(error.message().starts_with("`pathOrPage`: 'page.json': row 1 of `value`: "), "{error:?}");
                assert!(error.message().contains(expected), "{error:?}");
            }
        }
    }
}
