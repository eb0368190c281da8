//! `$filter`: what it may say, and which rows it lets through.

use std::cmp::Ordering;

use serde_json::Value;
use uuid::Uuid;

use super::{
    column::{Column, Type, compare},
    fault::QueryFault,
    lexer::{Token, tokens},
};
use crate::{
    fault::Fault,
    organisation::{Organisation, Row},
    table::Table,
};

const IN: &str = "Microsoft.Dynamics.CRM.In";

/// How deep parentheses and `not` may stand in each other: what reads, applies and drops a filter goes down as deep.
const MAX_DEPTH: usize = 100;

#[derive(Debug)]
pub(crate) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Compare(Column, Operator, Value),
    Match(Column, Function, String),
    In(Column, Vec<Value>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Contains,
    StartsWith,
    EndsWith,
}

impl Filter {
    pub(crate) fn parse(text: &str, organisation: &Organisation, table: &'static Table) -> Result<Self, Fault> {
        let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable(), depth: 0, organisation, table };
        let filter = parser.or()?;
        match parser.tokens.next() {
            None => Ok(filter),
            Some(Token::Word(word)) if word == "in" => Err(not_emulated("the operator 'in'")),
            Some(_) => Err(Fault::QuerySyntax),
        }
    }

    /// Whether a row gets through; `None` when an empty column leaves it open, which then holds for the negation too. `ne` alone finds
    /// empty columns. Microsoft says neither; this is what the database below it would do.
    pub(crate) fn accepts(&self, table: &Table, id: Uuid, row: &Row) -> Option<bool> {
        // What one part decides alone, open others leave decided.
        let together = |parts: &[Filter], decisive: bool| {
            let mut found = Some(!decisive);
            for part in parts {
                match part.accepts(table, id, row) {
                    Some(accepted) if accepted == decisive => return Some(decisive),
                    accepted => found = found.and(accepted),
                }
            }
            found
        };
        match self {
            Filter::And(parts) => together(parts, false),
            Filter::Or(parts) => together(parts, true),
            Filter::Not(inner) => inner.accepts(table, id, row).map(|accepted| !accepted),
            Filter::Compare(column, operator, literal) => operator.accepts(&column.value(table, id, row), literal),
            Filter::Match(column, function, part) => column.value(table, id, row).as_str().map(|text| match function {
                Function::Contains => text.contains(part),
                Function::StartsWith => text.starts_with(part),
                Function::EndsWith => text.ends_with(part),
            }),
            Filter::In(column, values) => {
                let value = column.value(table, id, row);
                (!value.is_null()).then(|| values.iter().any(|one| compare(one, &value).is_eq()))
            }
        }
    }
}

impl Operator {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "lt" => Self::Lt,
            "le" => Self::Le,
            _ => return None,
        })
    }

    /// As errors call it.
    fn name(self) -> &'static str {
        match self {
            Self::Eq => "Equal",
            Self::Ne => "NotEqual",
            Self::Gt => "GreaterThan",
            Self::Ge => "GreaterThanOrEqual",
            Self::Lt => "LessThan",
            Self::Le => "LessThanOrEqual",
        }
    }

    fn accepts(self, value: &Value, literal: &Value) -> Option<bool> {
        let found = match (self, value.is_null(), literal.is_null()) {
            (Self::Ne, ..) | (Self::Eq, _, true) | (_, false, _) => compare(value, literal),
            _ => return None,
        };
        Some(match self {
            Self::Eq => found == Ordering::Equal,
            Self::Ne => found != Ordering::Equal,
            Self::Gt => found == Ordering::Greater,
            Self::Ge => found != Ordering::Less,
            Self::Lt => found == Ordering::Less,
            Self::Le => found != Ordering::Greater,
        })
    }
}

struct Parser<'a> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    /// How many parentheses and `not` are open.
    depth: usize,
    organisation: &'a Organisation,
    table: &'static Table,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Filter, Fault> {
        let mut parts = vec![self.and()?];
        while self.takes_word("or") {
            parts.push(self.and()?);
        }
        Ok(join(parts, Filter::Or))
    }

    fn and(&mut self) -> Result<Filter, Fault> {
        let mut parts = vec![self.not()?];
        while self.takes_word("and") {
            parts.push(self.not()?);
        }
        Ok(join(parts, Filter::And))
    }

    fn not(&mut self) -> Result<Filter, Fault> {
        if self.takes_word("not") {
            return Ok(Filter::Not(Box::new(self.deeper(Self::not)?)));
        }
        if self.takes('(') {
            let filter = self.deeper(Self::or)?;
            self.expect(')')?;
            return Ok(filter);
        }
        let name = self.word()?;
        if !self.takes('(') {
            return self.comparison(&name);
        }
        let function = match name.as_str() {
            "contains" => Function::Contains,
            "startswith" => Function::StartsWith,
            "endswith" => Function::EndsWith,
            IN => return self.in_list(),
            _ => return Err(not_emulated(&format!("the function '{name}'"))),
        };
        let name = self.word()?;
        let column = self.column(&name)?;
        self.expect(',')?;
        let part = self.text()?;
        self.expect(')')?;
        if part.contains(['%', '_', '[']) {
            return Err(not_emulated(&format!("'{part}', which has wildcards")));
        }
        match column.kind {
            Type::Text | Type::Any => Ok(Filter::Match(column, function, part.to_lowercase())),
            _ => Err(not_emulated(&format!("a text function on '{name}'"))),
        }
    }

    fn deeper(&mut self, read: impl FnOnce(&mut Self) -> Result<Filter, Fault>) -> Result<Filter, Fault> {
        if self.depth == MAX_DEPTH {
            return Err(not_emulated(&format!("more than {MAX_DEPTH} parentheses and 'not' in each other")));
        }
        self.depth += 1;
        let filter = read(self)?;
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self, name: &str) -> Result<Filter, Fault> {
        // Nothing else begins a comparison with a digit, and a keyword here is a mistake.
        if Operator::of(name).is_some() || matches!(name, "and" | "or") {
            return Err(Fault::QuerySyntax);
        }
        let mut column = self.column(name)?;
        let word = self.word()?;
        let Some(operator) = Operator::of(&word) else {
            return Err(if word == "in" { not_emulated("the operator 'in'") } else { Fault::QuerySyntax });
        };
        let (kind, value) = match self.tokens.next() {
            Some(Token::Text(text)) => (Type::Text, Type::Text.read(&text)),
            Some(Token::Word(word)) if word == "null" => {
                return match operator {
                    Operator::Eq | Operator::Ne => Ok(Filter::Compare(column, operator, Value::Null)),
                    _ => Err(not_emulated("an order comparison with null")),
                };
            }
            Some(Token::Word(word)) => {
                let kinds = [Type::Id, Type::Boolean, Type::Number, Type::Time];
                let Some(read) = kinds.into_iter().find_map(|kind| Some((kind, Some(kind.read(&word)?)))) else {
                    // A name is the other column of a comparison; anything else is no literal.
                    let starts_as_name = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                    return Err(if starts_as_name {
                        not_emulated("a comparison of two columns")
                    } else {
                        Fault::QuerySyntax
                    });
                };
                read
            }
            _ => return Err(Fault::QuerySyntax),
        };
        if column.kind == Type::Any {
            column.kind = kind;
        }
        match value {
            Some(value) if column.kind == kind => Ok(Filter::Compare(column, operator, value)),
            _ if column.kind == Type::Id && kind == Type::Text => Err(not_emulated("a GUID in quotes")),
            _ => {
                let (one, other, operator) = (column.kind.edm(), kind.edm(), operator.name());
                Err(QueryFault::IncompatibleTypes { one, other, operator }.into())
            }
        }
    }

    /// `PropertyName='x',PropertyValues=['1','2'])`
    fn in_list(&mut self) -> Result<Filter, Fault> {
        let named = |name: &str, word: String| if word == name { Ok(()) } else { Err(Fault::QuerySyntax) };
        named("PropertyName", self.word()?)?;
        self.expect('=')?;
        let name = self.literal_of_in()?;
        let column = self.column(&name)?;
        self.expect(',')?;
        named("PropertyValues", self.word()?)?;
        self.expect('=')?;
        if !self.takes('[') {
            return Err(not_emulated("values that are no array"));
        }
        if self.takes(']') {
            return Err(not_emulated("an array with no values"));
        }
        let mut values = Vec::new();
        loop {
            let text = self.text()?;
            let value = column.kind.read(&text);
            values.push(value.ok_or_else(|| not_emulated(&format!("'{text}' as a value of '{name}'")))?);
            if !self.takes(',') {
                break;
            }
        }
        self.expect(']')?;
        self.expect(')')?;
        Ok(Filter::In(column, values))
    }

    fn literal_of_in(&mut self) -> Result<String, Fault> {
        match self.tokens.peek() {
            Some(Token::Word(alias)) if alias.starts_with('@') => Err(not_emulated("a parameter alias")),
            _ => self.text(),
        }
    }

    fn column(&self, name: &str) -> Result<Column, Fault> {
        if name.contains('/') {
            return Err(not_emulated(&format!("'{name}', a column of another row")));
        }
        Column::of(self.organisation, self.table, name)
    }

    fn word(&mut self) -> Result<String, Fault> {
        match self.tokens.next() {
            Some(Token::Word(word)) => Ok(word),
            _ => Err(Fault::QuerySyntax),
        }
    }

    fn text(&mut self) -> Result<String, Fault> {
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(text),
            _ => Err(Fault::QuerySyntax),
        }
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Word(found) if found == word)).is_some()
    }

    fn takes(&mut self, sign: char) -> bool {
        self.tokens.next_if_eq(&Token::Sign(sign)).is_some()
    }

    fn expect(&mut self, sign: char) -> Result<(), Fault> {
        if self.takes(sign) { Ok(()) } else { Err(Fault::QuerySyntax) }
    }
}

fn join(mut parts: Vec<Filter>, together: impl FnOnce(Vec<Filter>) -> Filter) -> Filter {
    if parts.len() == 1 { parts.remove(0) } else { together(parts) }
}

fn not_emulated(what: &str) -> Fault {
    Fault::NotEmulated(format!("{what} in $filter"))
}
