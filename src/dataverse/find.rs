//! Records by what stands in their columns.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    answer,
    exchange::Exchange,
    fault, request,
    tables::{Table, table},
};
use crate::{
    domain::{KeyValue, NamedRecord, RecordKey, RecordReference},
    error::{Code, LinkError},
    json::{self, Object},
};

/// Reads the records that fit.
pub(super) async fn records(exchange: &Exchange<'_>, key: &RecordKey) -> Result<Vec<NamedRecord>, LinkError> {
    let Table { entity_set, id, name, .. } = *table(key.entity);
    let filter: Vec<_> = key.columns.iter().map(|(column, value)| format!("{column} eq {}", literal(value))).collect();
    let query = format!("$select={id},{name}&$filter={}&$top={}", filter.join(" and "), RecordKey::MOST + 1);
    let url = exchange.shared.environment.set(entity_set, &query);
    let answer = exchange.send(request::look(url, exchange.sender(), None)).await.map_err(fault::unreachable)?;
    let is_bad = answer.status == http::StatusCode::BAD_REQUEST;
    let answer = answer::success(answer).map_err(|error| if is_bad { misunderstood(&error) } else { error })?;
    let no_set = |why: String| fault::protocol(&answer, &format!("the response is not a list of records: {why}"));
    let text = json::text(&answer.body);
    let set = Object::parse(&text).map_err(|error| no_set(error.to_string()))?;
    let rows: Vec<Object<'_>> = set.required("value").map_err(no_set)?;
    rows.iter()
        .map(|row| {
            let record = RecordReference { entity: key.entity, id: row.required(id).map_err(no_set)? };
            Ok(NamedRecord { record, name: row.lenient(name) })
        })
        .collect()
}

/// Quotes are doubled, and nothing of a text is left that could mean something in a query.
fn literal(value: &KeyValue) -> String {
    match value {
        KeyValue::Text(text) => {
            format!("'{}'", utf8_percent_encode(&text.replace('\'', "''"), NON_ALPHANUMERIC))
        }
        KeyValue::Number(number) => number.to_string(),
        KeyValue::Flag(flag) => flag.to_string(),
        KeyValue::Id(id) => id.to_string(),
    }
}

/// Only the caller's columns can be wrong with the request.
fn misunderstood(error: &LinkError) -> LinkError {
    let details = error.details().clone();
    let why = details.service_message.clone().unwrap_or_else(|| "it does not understand it".to_owned());
    LinkError::new(Code::InvalidArgument, format!("`key`: the server refused it: {why}"))
        .hint("Use logical names of columns of this table, and values of their types.")
        .with(|given| *given = details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_means_anything_in_a_query() {
        for (value, expected) in [
            (KeyValue::Text("A-1".into()), "'A%2D1'"),
            (KeyValue::Text("O'Hara & #1+1=2%".into()), "'O%27%27Hara%20%26%20%231%2B1%3D2%25'"),
            (KeyValue::Number(-7), "-7"),
            (KeyValue::Flag(true), "true"),
            (
                KeyValue::Text("6b726d86-d37c-43b8-b3a4-c4056ddd2e07".into()),
                "'6b726d86%2Dd37c%2D43b8%2Db3a4%2Dc4056ddd2e07'",
            ),
            (KeyValue::Id([0x11; 16].into()), "11111111-1111-1111-1111-111111111111"),
        ] {
            assert_eq!(literal(&value), expected);
        }
    }
}
