//! Parses `$filter`.

use std::{collections::BTreeMap, mem::replace};

use serde_json::Value;

use super::{
    filter::{Filter, Function, Lambda, Operator},
    lexer::{Token, lambda, tokens},
    operand::{Operand, Type},
};
use crate::{api::context::Context, definitions::TableRef, error::ODataError};

mod functions;

/// Deepest nesting of parentheses and `not`. Parsing, evaluating and dropping a filter are recursive.
const MAX_DEPTH: usize = 100;

/// Operators of OData that [`Operator`] lacks.
const OTHER_OPERATORS: [&str; 8] = ["add", "div", "divby", "has", "in", "mod", "mul", "sub"];

/// Most conditions on collections. Each reads all rows of their table.
const MAX_LAMBDAS: usize = 15;

/// Most tokens with the values of parameter aliases. A URL of the greatest length has fewer.
const MAX_TOKENS: usize = 40_000;

pub(super) fn parse(
    text: &str,
    aliases: &BTreeMap<String, String>,
    context: &Context<'_>,
    table: &TableRef,
) -> Result<Filter, ODataError> {
    let mut parser = Parser {
        tokens: resolved(text, aliases)?.into_iter().peekable(),
        depth: 0,
        lambdas: 0,
        context,
        rows: Rows { table: table.clone(), variable: None },
    };
    let filter = parser.or()?;
    match parser.tokens.next() {
        None => Ok(filter),
        Some(_) => Err(ODataError::QuerySyntax),
    }
}

/// The tokens of a filter, with the values of parameter aliases in their place.
fn resolved(text: &str, aliases: &BTreeMap<String, String>) -> Result<Vec<Token>, ODataError> {
    let mut found = Vec::new();
    for token in tokens(text)? {
        match token {
            Token::Word(name) if name.starts_with('@') => {
                let value = aliases.get(&name).ok_or_else(|| not_emulated("a parameter alias without a value"))?;
                let value = tokens(value)?;
                if value.iter().any(Token::is_alias) {
                    return Err(not_emulated("a parameter alias in another"));
                }
                found.extend(value);
            }
            other => found.push(other),
        }
        if found.len() > MAX_TOKENS {
            return Err(not_emulated("so many values of parameter aliases"));
        }
    }
    Ok(found)
}

struct Parser<'a> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    /// Number of open parentheses and `not`.
    depth: usize,
    /// Number of conditions on collections.
    lambdas: usize,
    context: &'a Context<'a>,
    rows: Rows,
}

/// The rows that conditions are on: those of a set, or in a lambda those of a collection.
struct Rows {
    table: TableRef,
    /// The name that stands for such a row in a lambda.
    variable: Option<String>,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Filter, ODataError> {
        let mut parts = vec![self.and()?];
        while self.takes_word("or") {
            parts.push(self.and()?);
        }
        Ok(join(parts, Filter::Or))
    }

    fn and(&mut self) -> Result<Filter, ODataError> {
        let mut parts = vec![self.condition(false)?];
        while self.takes_word("and") {
            parts.push(self.condition(false)?);
        }
        Ok(join(parts, Filter::And))
    }

    fn condition(&mut self, is_negated: bool) -> Result<Filter, ODataError> {
        if self.takes_word("not") {
            return Ok(Filter::Not(Box::new(self.deeper(|parser| parser.condition(true))?)));
        }
        let filter = if self.takes('(') {
            let filter = self.deeper(Self::or)?;
            self.expect(')')?;
            filter
        } else {
            let name = self.operand("a condition that begins with a literal")?;
            if self.takes('(') {
                match lambda(&name) {
                    Some((collection, is_all)) => self.lambda(collection, is_all)?,
                    None => self.function(&name)?,
                }
            } else if is_negated {
                // In OData, `not` then applies to the column, not to the comparison.
                return Err(not_emulated("'not' that is not followed by parentheses or a function"));
            } else {
                self.comparison(&name)?
            }
        };
        match self.tokens.peek() {
            Some(Token::Word(word)) if Operator::of(word).is_some() || OTHER_OPERATORS.contains(&word.as_str()) => {
                Err(not_emulated("an operator after a condition"))
            }
            _ => Ok(filter),
        }
    }

    fn function(&mut self, name: &str) -> Result<Filter, ODataError> {
        let function = match name {
            "contains" => Function::Contains,
            "startswith" => Function::StartsWith,
            "endswith" => Function::EndsWith,
            _ => return self.query_function(name),
        };
        let name = self.operand("a function whose first argument is not a column")?;
        if self.takes('(') {
            return Err(not_emulated(&format!("the function '{name}' in another")));
        }
        let column = self.column(&name)?;
        self.expect(',')?;
        let part = match self.tokens.next() {
            Some(Token::Text(part)) => part,
            Some(Token::Word(word)) => {
                let is_literal = word == "null" || literal(&word).is_some();
                return Err(if is_literal {
                    not_emulated(&format!("'{word}', which is not a string"))
                } else {
                    self.no_literal(&word)
                });
            }
            _ => return Err(ODataError::QuerySyntax),
        };
        self.expect(')')?;
        if part.contains(['%', '_', '[']) {
            return Err(not_emulated(&format!("'{part}', which has wildcards")));
        }
        match column.kind {
            Type::Text | Type::Any => Ok(Filter::Match(column, function, part.to_lowercase())),
            _ => Err(not_emulated(&format!("a string function on '{name}'"))),
        }
    }

    fn deeper(&mut self, read: impl FnOnce(&mut Self) -> Result<Filter, ODataError>) -> Result<Filter, ODataError> {
        if self.depth == MAX_DEPTH {
            return Err(not_emulated(&format!("more than {MAX_DEPTH} nested parentheses and 'not'")));
        }
        self.depth += 1;
        let filter = read(self)?;
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self, name: &str) -> Result<Filter, ODataError> {
        // A keyword here is a mistake.
        if starts_as_number(name) || Operator::of(name).is_some() || matches!(name, "and" | "or") {
            return Err(ODataError::QuerySyntax);
        }
        let mut column = self.column(name)?;
        let operator = self.operator(&column)?;
        let (kind, value) = match self.tokens.next() {
            // Documented: an id may have quotes.
            Some(Token::Text(text)) if column.kind == Type::Id => (Type::Id, Type::Id.read(&text)),
            Some(Token::Text(text)) => (Type::Text, Type::Text.read(&text)),
            Some(Token::Word(word)) if word == "null" => {
                return match operator {
                    Operator::Eq | Operator::Ne => Ok(Filter::Compare(column, operator, Value::Null)),
                    _ => Err(not_emulated("an order comparison with null")),
                };
            }
            Some(Token::Word(word)) => match literal(&word) {
                Some((kind, value)) => (kind, Some(value)),
                None => return self.compared_with_column(column, operator, &word),
            },
            Some(Token::Sign('(')) => return Err(not_emulated("a value in parentheses")),
            _ => return Err(ODataError::QuerySyntax),
        };
        if column.kind == Type::Any {
            column.kind = kind;
        }
        match value {
            Some(value) if column.kind == kind => Ok(Filter::Compare(column, operator, value)),
            None if kind == Type::Id => Err(not_emulated("a value in quotes that is no GUID")),
            _ => {
                let (one, other, operator) = (column.kind.edm(), kind.edm(), operator.name());
                Err(ODataError::IncompatibleTypes { one, other, operator })
            }
        }
    }

    /// A comparison of two columns of the row, which must have one type.
    fn compared_with_column(&mut self, one: Operand, operator: Operator, name: &str) -> Result<Filter, ODataError> {
        if starts_as_number(name) || matches!(self.tokens.peek(), Some(Token::Sign('(') | Token::Text(_))) {
            return Err(self.no_literal(name));
        }
        let Ok(other) = self.column(name) else { return Err(self.no_literal(name)) };
        if !one.is_own() || !other.is_own() || [one.kind, other.kind].contains(&Type::Any) {
            return Err(not_emulated("a comparison of columns of two rows, or of an unknown type"));
        }
        if one.kind != other.kind {
            let (one, other, operator) = (one.kind.edm(), other.kind.edm(), operator.name());
            return Err(ODataError::IncompatibleTypes { one, other, operator });
        }
        Ok(Filter::CompareColumns(one, operator, other))
    }

    fn operator(&mut self, column: &Operand) -> Result<Operator, ODataError> {
        let next = self.tokens.next();
        let word = if let Some(Token::Word(word)) = &next { word.as_str() } else { "" };
        if OTHER_OPERATORS.contains(&word) {
            return Err(not_emulated(&format!("the operator '{word}'")));
        }
        let ends = next.is_none() || matches!(word, "and" | "or");
        let may_be_true = matches!(column.kind, Type::Boolean | Type::Any);
        if next == Some(Token::Sign(')')) || ends && may_be_true {
            return Err(not_emulated(&format!("'{}' alone", column.name)));
        }
        Operator::of(word).ok_or(ODataError::QuerySyntax)
    }

    /// The error for a word in the place of a literal.
    fn no_literal(&mut self, word: &str) -> ODataError {
        if starts_as_number(word) {
            return ODataError::QuerySyntax;
        }
        let column = self.column(word);
        match (self.tokens.peek(), column) {
            (Some(Token::Sign('(')), _) => not_emulated(&format!("the function '{word}'")),
            (Some(Token::Text(_)), _) => not_emulated(&format!("a literal like {word}'…'")),
            (_, Ok(_)) => not_emulated("a comparison of two columns"),
            (_, Err(error @ ODataError::NotEmulated(_))) => error,
            (_, Err(_)) => not_emulated(&format!("'{word}', which is neither a literal nor a column")),
        }
    }

    /// `<collection>/any(o:<condition>)`, after its parenthesis.
    fn lambda(&mut self, collection: &str, is_all: bool) -> Result<Filter, ODataError> {
        let name = self.in_row(collection)?.to_owned();
        let table = self.rows.table.clone();
        let Some(collection) = table.collection(&name) else {
            return Err(match name.split_once('/') {
                Some(_) => not_emulated(&format!("'{name}', a collection of another row")),
                None => ODataError::PropertyNotFound { table: table.clone(), name },
            });
        };
        let Some(members) = self.context.definitions.by_logical_name(&collection.table).cloned() else {
            return Err(not_emulated(&format!("'{name}', which has rows of a table it does not have")));
        };
        self.lambdas += 1;
        if self.lambdas > MAX_LAMBDAS {
            return Err(not_emulated(&format!("more than {MAX_LAMBDAS} conditions on collections")));
        }
        if !is_all && self.takes(')') {
            return Ok(Filter::Lambda(Box::new(Lambda::new(&table.logical_name, collection, None, false))));
        }
        let variable = self.word()?;
        self.expect(':')?;
        let outer = replace(&mut self.rows, Rows { table: members, variable: Some(variable) });
        let condition = self.deeper(Self::or)?;
        self.rows = outer;
        self.expect(')')?;
        Ok(Filter::Lambda(Box::new(Lambda::new(&table.logical_name, collection, Some(condition), is_all))))
    }

    /// A name without the variable of the lambda that it is in.
    fn in_row<'n>(&self, name: &'n str) -> Result<&'n str, ODataError> {
        let Some(variable) = &self.rows.variable else { return Ok(name) };
        let rest = name.strip_prefix(variable.as_str()).and_then(|rest| rest.strip_prefix('/'));
        rest.ok_or_else(|| not_emulated(&format!("'{name}', which does not begin with '{variable}/'")))
    }

    fn column(&self, name: &str) -> Result<Operand, ODataError> {
        Operand::of(&self.context.definitions, &self.rows.table, self.in_row(name)?)
    }

    /// Parses a name. If a literal is valid here too, the error says that it is not supported.
    fn operand(&mut self, otherwise: &str) -> Result<String, ODataError> {
        match self.tokens.next() {
            Some(Token::Word(word)) if word != "null" && literal(&word).is_none() => Ok(word),
            Some(Token::Word(_) | Token::Text(_)) => Err(not_emulated(otherwise)),
            _ => Err(ODataError::QuerySyntax),
        }
    }

    fn word(&mut self) -> Result<String, ODataError> {
        match self.tokens.next() {
            Some(Token::Word(word)) => Ok(word),
            _ => Err(ODataError::QuerySyntax),
        }
    }

    fn text(&mut self) -> Result<String, ODataError> {
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(text),
            _ => Err(ODataError::QuerySyntax),
        }
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Word(found) if found == word)).is_some()
    }

    fn takes(&mut self, sign: char) -> bool {
        self.tokens.next_if_eq(&Token::Sign(sign)).is_some()
    }

    fn expect(&mut self, sign: char) -> Result<(), ODataError> {
        if self.takes(sign) { Ok(()) } else { Err(ODataError::QuerySyntax) }
    }
}

/// The literal of a word without quotes, unless it is `null`.
fn literal(word: &str) -> Option<(Type, Value)> {
    let kinds = [Type::Id, Type::Boolean, Type::Number, Type::Time];
    kinds.into_iter().find_map(|kind| Some((kind, kind.read(word)?)))
}

fn starts_as_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

fn join(mut parts: Vec<Filter>, together: impl FnOnce(Vec<Filter>) -> Filter) -> Filter {
    if parts.len() == 1 { parts.remove(0) } else { together(parts) }
}

fn not_emulated(what: &str) -> ODataError {
    ODataError::NotEmulated(format!("{what} in $filter"))
}
