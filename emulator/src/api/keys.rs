//! Keys of rows: ids, and the alternate keys declared in the conditions.

use serde_json::Value;
use uuid::Uuid;

use super::{
    address::parse_guid,
    query::{
        lexer::{Token, tokens},
        operand::{Operand, Type, compare},
    },
};
use crate::{
    conditions::Conditions,
    definitions::{
        Definitions, TableRef,
        kind::Kind,
        table::{Column, Table},
    },
    error::ODataError,
    organisation::{Changes, Organisation, Reference, Row},
};

/// The target of a key in a URL.
#[derive(Debug)]
pub(crate) enum Key {
    /// An id, whose row need not exist.
    Id(Uuid),
    /// An alternate key that no row has, as the values that give a new row this key.
    Missing(Changes),
}

/// The id for a key between the parentheses. A row with that id need not exist, but one with an alternate key must.
pub(crate) fn find(
    organisation: &Organisation,
    conditions: &Conditions,
    table: &TableRef,
    key: &str,
) -> Result<Uuid, ODataError> {
    match resolve(organisation, conditions, table, key)? {
        Key::Id(id) => Ok(id),
        Key::Missing(_) => Err(ODataError::KeyNotFound { table: table.clone() }),
    }
}

pub(crate) fn resolve(
    organisation: &Organisation,
    conditions: &Conditions,
    table: &TableRef,
    key: &str,
) -> Result<Key, ODataError> {
    let starts_as_name = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_as_name || !key.contains('=') {
        return parse_guid(key).map(Key::Id);
    }
    let parts = read(key)?;
    let mut names: Vec<_> = parts.iter().map(|(name, _)| name.as_str()).collect();
    if names == [table.key.as_str()] {
        return Err(ODataError::NotEmulated("the primary key by its name".to_owned()));
    }
    names.sort_unstable();
    if !conditions.keys(table).iter().any(|key| *key == names) {
        return Err(ODataError::KeyNotDefined { table: table.clone() });
    }
    let mut values = Vec::new();
    let mut changes = Changes::new();
    for (name, literal) in &parts {
        let operand = Operand::of(organisation.definitions(), table, name)?;
        if literal.is_alias() {
            return Err(ODataError::NotEmulated("a parameter alias in a key".to_owned()));
        }
        let text = match literal {
            Token::Text(text) if matches!(operand.kind, Type::Text | Type::Any) => text,
            Token::Word(text) if !matches!(operand.kind, Type::Text | Type::Any) => text,
            _ => return Err(ODataError::QuerySyntax),
        };
        let value = operand.kind.read(text).ok_or(ODataError::QuerySyntax)?;
        values.push((operand, value));
        let Some(column) = table.column_read_as(name) else { continue };
        changes = set(changes, column, text);
    }
    let has_them = |(id, row): &(Uuid, &Row)| {
        values.iter().all(|(operand, value)| compare(&operand.value(organisation, *id, row), value).is_eq())
    };
    let mut found = organisation.rows(&table.logical_name).filter(has_them);
    match (found.next(), found.next()) {
        (None, _) => Ok(Key::Missing(changes)),
        (Some((id, _)), None) => Ok(Key::Id(id)),
        (Some((one, _)), Some((other, _))) => {
            Err(ODataError::NotEmulated(format!("{one} and {other} have the same key, which Dataverse does not allow")))
        }
    }
}

/// Sets the column of a key to the value in the URL.
fn set(changes: Changes, column: &Column, text: &str) -> Changes {
    if let Kind::Lookup { targets, .. } = &column.kind {
        return match (targets.as_slice(), Uuid::try_parse(text)) {
            ([target], Ok(id)) => changes.link(&column.name, Reference::new(target, id)),
            _ => changes,
        };
    }
    let number = || serde_json::from_str::<Value>(text).ok().filter(|value| column.kind.accept(value).is_ok());
    let value = if column.kind.accept(&text.into()).is_ok() { Some(text.into()) } else { number() };
    changes.set(&column.name, value.unwrap_or_default())
}

/// Rejects alternate keys with a column that their table does not have.
pub(crate) fn check_columns(definitions: &Definitions, conditions: &Conditions) -> Result<(), String> {
    for table in definitions.tables() {
        for name in conditions.keys(table).iter().flatten() {
            Operand::of(definitions, table, name)
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
    table: &TableRef,
    id: Uuid,
    changes: &Changes,
) -> Result<(), ODataError> {
    for key in conditions.keys(table) {
        if !changes_any(table, key, changes) {
            continue;
        }
        let before = organisation.row(&table.logical_name, id);
        let after = organisation.row_with(table, id, changes.clone());
        let definitions = organisation.definitions();
        let operands = key.iter().map(|name| Operand::of(definitions, table, name)).collect::<Result<Vec<_>, _>>()?;
        let values = |id: Uuid, row: &Row| -> Vec<_> {
            operands.iter().map(|operand| operand.value(organisation, id, row)).collect()
        };
        let wanted = values(id, &after);
        let is_empty = wanted.iter().any(|value| value.is_null() || value == "");
        if is_empty || before.is_some_and(|row| values(id, row) == wanted) {
            continue;
        }
        let has_it = |(other, row): (Uuid, &Row)| other != id && values(other, row) == wanted;
        if organisation.rows(&table.logical_name).any(has_it) {
            return Err(ODataError::RowExists);
        }
    }
    Ok(())
}

fn changes_any(table: &Table, key: &[String], changes: &Changes) -> bool {
    let is_in_key = |name: &str| table.column(name).is_some_and(|column| key.contains(&column.read_name));
    changes.columns().any(|(name, _)| is_in_key(name)) || changes.links().any(|(name, _)| is_in_key(name))
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
