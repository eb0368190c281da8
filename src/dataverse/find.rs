//! Finding records by the values of their columns.

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    context::RequestContext,
    request, response,
    tables::{Table, table},
};
use crate::{
    domain::{KeyValue, NamedRecord, RecordKey, RecordReference},
    error::{Details, LinkError},
    json::Object,
};

pub(super) async fn records(context: RequestContext<'_>, key: &RecordKey) -> Result<Vec<NamedRecord>, LinkError> {
    let Table { entity_set, id, name, .. } = *table(key.entity);
    let filter: Vec<_> = key.columns.iter().map(|(column, value)| format!("{column} eq {}", literal(value))).collect();
    let query = format!("$select={id},{name}&$filter={}&$top={}", filter.join(" and "), RecordKey::MAX_CANDIDATES + 1);
    let url = context.shared.environment.set(entity_set, &query);
    let response = context.send(&mut request::get_with_names(context, &url, None)?).await?;
    let is_bad_request = response.status == StatusCode::BAD_REQUEST;
    let response =
        response::success(response).map_err(|error| if is_bad_request { invalid_key(&error) } else { error })?;
    response::parse(&response, "a list of records", |set| {
        let rows: Vec<Object<'_>> = set.required("value")?;
        let named = |row: &Object<'_>| {
            let record = RecordReference { entity: key.entity, id: row.required(id)? };
            Ok(NamedRecord { record, name: row.lenient(name) })
        };
        rows.iter().map(named).collect()
    })
}

/// The value as an OData literal: quotes doubled, and every character encoded that has a meaning in a query.
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

/// A 400 concerns the key: its columns are the only part of the request that the caller chooses.
fn invalid_key(error: &LinkError) -> LinkError {
    let server = error.details().clone();
    let why = match &server.service_message {
        Some(message) => format!("the server rejected it: {}", message.trim_end_matches('.')),
        None => "the server rejected it, without error details".to_owned(),
    };
    LinkError::invalid_argument("key", why)
        .with(|details| *details = Details { argument: details.argument.take(), hint: None, ..server })
        .hint("Use logical names of columns of this table, and values of their types.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_has_no_meaning_in_a_query() {
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
