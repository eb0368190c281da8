//! Keys of rows: ids, and the alternate keys declared in the conditions.

use uuid::Uuid;

use crate::{
    address::parse_guid,
    conditions::Conditions,
    error::ODataError,
    organisation::{Changes, Organisation, Row},
    query::{
        QueryError,
        column::{Column, Type, compare},
        lexer::{Token, tokens},
    },
    table::{TABLES, Table},
};

/// The id for a key between the parentheses. A row with that id need not exist, but one with an alternate key must.
pub(crate) fn find(
    organisation: &Organisation,
    conditions: &Conditions,
    table: &'static Table,
    key: &str,
) -> Result<Uuid, ODataError> {
    let starts_as_name = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_as_name || !key.contains('=') {
        return parse_guid(key);
    }
    let parts = read(key)?;
    let mut names: Vec<_> = parts.iter().map(|(name, _)| name.as_str()).collect();
    if names == [table.key] {
        return Err(ODataError::NotEmulated("the primary key by its name".to_owned()));
    }
    names.sort_unstable();
    if !conditions.keys(table).iter().any(|key| *key == names) {
        return Err(QueryError::KeyNotDefined { table }.into());
    }
    let mut values = Vec::new();
    for (name, literal) in &parts {
        let column = Column::of(organisation, table, name)?;
        if literal.is_alias() {
            return Err(ODataError::NotEmulated("a parameter alias in a key".to_owned()));
        }
        let text = match literal {
            Token::Text(text) if matches!(column.kind, Type::Text | Type::Any) => text,
            Token::Word(text) if !matches!(column.kind, Type::Text | Type::Any) => text,
            _ => return Err(ODataError::QuerySyntax),
        };
        let value = column.kind.read(text).ok_or(ODataError::QuerySyntax)?;
        values.push((column, value));
    }
    let has_them = |id: &Uuid| {
        let row = organisation.row(table, *id);
        row.is_some_and(|row| {
            values.iter().all(|(column, value)| compare(&column.value(table, *id, row), value).is_eq())
        })
    };
    let mut found = organisation.ids(table).filter(has_them);
    match (found.next(), found.next()) {
        (None, _) => Err(QueryError::KeyNotFound { table }.into()),
        (Some(id), None) => Ok(id),
        (Some(one), Some(other)) => {
            Err(ODataError::NotEmulated(format!("{one} and {other} have the same key, which Dataverse does not allow")))
        }
    }
}

/// Rejects alternate keys with a column that their table does not have.
pub(crate) fn check_columns(organisation: &Organisation, conditions: &Conditions) -> Result<(), String> {
    for table in TABLES {
        for name in conditions.keys(table).iter().flatten() {
            Column::of(organisation, table, name)
                .map_err(|_| format!("`alternateKeys`: {} has no column '{name}'", table.logical_name))?;
        }
    }
    Ok(())
}

/// Rejects changes after which two rows would share an alternate key. A key with an empty column does not count, and an unchanged key is
/// not checked. The error is documented for a create; that an update gets the same one is a guess.
pub(crate) fn check_unique(
    organisation: &Organisation,
    conditions: &Conditions,
    table: &'static Table,
    id: Uuid,
    changes: &Changes,
) -> Result<(), ODataError> {
    let before = organisation.row(table, id);
    let after = organisation.row_with(table, id, changes.clone());
    for key in conditions.keys(table) {
        let columns = key.iter().map(|name| Column::of(organisation, table, name)).collect::<Result<Vec<_>, _>>()?;
        let values =
            |id: Uuid, row: &Row| -> Vec<_> { columns.iter().map(|column| column.value(table, id, row)).collect() };
        let wanted = values(id, &after);
        let is_empty = wanted.iter().any(|value| value.is_null() || value == "");
        if is_empty || before.is_some_and(|row| values(id, row) == wanted) {
            continue;
        }
        let has_it = |other: Uuid| organisation.row(table, other).is_some_and(|row| values(other, row) == wanted);
        if organisation.ids(table).any(|other| other != id && has_it(other)) {
            return Err(ODataError::RowExists);
        }
    }
    Ok(())
}

/// `name='value',other=7`
fn read(key: &str) -> Result<Vec<(String, Token)>, ODataError> {
    let mut parts = Vec::new();
    let mut tokens = tokens(key)?.into_iter();
    loop {
        match (tokens.next(), tokens.next(), tokens.next()) {
            (Some(Token::Word(name)), Some(Token::Sign('=')), Some(value @ (Token::Text(_) | Token::Word(_)))) => {
                parts.push((name, value));
            }
            _ => return Err(ODataError::QuerySyntax),
        }
        match tokens.next() {
            None => return Ok(parts),
            Some(Token::Sign(',')) => {}
            Some(_) => return Err(ODataError::QuerySyntax),
        }
    }
}
