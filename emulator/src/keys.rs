//! The keys of rows: ids, and the alternate keys that the conditions declare.

use uuid::Uuid;

use crate::{
    address::parse_guid,
    conditions::Conditions,
    fault::Fault,
    organisation::Organisation,
    query::{
        QueryFault,
        column::{Column, Type, compare},
        lexer::{Token, tokens},
    },
    table::Table,
};

/// The id that a key stands for, what is between the parentheses. A row with that id need not exist, one with an alternate key must.
pub(crate) fn find(
    organisation: &Organisation,
    conditions: &Conditions,
    table: &'static Table,
    key: &str,
) -> Result<Uuid, Fault> {
    let starts_as_name = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_as_name || !key.contains('=') {
        return parse_guid(key);
    }
    let parts = read(key)?;
    let mut names: Vec<_> = parts.iter().map(|(name, _)| name.as_str()).collect();
    if names == [table.key] {
        return Err(Fault::NotEmulated("the primary key by its name".to_owned()));
    }
    names.sort_unstable();
    if !conditions.has_key(table, &names) {
        return Err(QueryFault::KeyNotDefined { table }.into());
    }
    let mut values = Vec::new();
    for (name, literal) in &parts {
        let column = Column::of(organisation, table, name)?;
        if literal.is_alias() {
            return Err(Fault::NotEmulated("a parameter alias in a key".to_owned()));
        }
        let text = match literal {
            Token::Text(text) if matches!(column.kind, Type::Text | Type::Any) => text,
            Token::Word(text) if !matches!(column.kind, Type::Text | Type::Any) => text,
            _ => return Err(Fault::QuerySyntax),
        };
        let value = column.kind.read(text).ok_or(Fault::QuerySyntax)?;
        values.push((column, value));
    }
    let has_them = |id: &Uuid| {
        let row = organisation.row(table, *id);
        row.is_some_and(|row| {
            values.iter().all(|(column, value)| compare(&column.value(table, *id, row), value).is_eq())
        })
    };
    organisation.ids(table).find(has_them).ok_or(QueryFault::KeyNotFound { table }.into())
}

/// `name='value',other=7`
fn read(key: &str) -> Result<Vec<(String, Token)>, Fault> {
    let mut parts = Vec::new();
    let mut tokens = tokens(key)?.into_iter();
    loop {
        match (tokens.next(), tokens.next(), tokens.next()) {
            (Some(Token::Word(name)), Some(Token::Sign('=')), Some(value @ (Token::Text(_) | Token::Word(_)))) => {
                parts.push((name, value));
            }
            _ => return Err(Fault::QuerySyntax),
        }
        match tokens.next() {
            None => return Ok(parts),
            Some(Token::Sign(',')) => {}
            Some(_) => return Err(Fault::QuerySyntax),
        }
    }
}
