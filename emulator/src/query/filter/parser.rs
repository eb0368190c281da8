//! `$filter`: what it may say.

use serde_json::Value;

use super::{Filter, Function, Operator};
use crate::{
    fault::Fault,
    organisation::Organisation,
    query::{
        column::{Column, Type},
        fault::QueryFault,
        lexer::{Token, tokens},
    },
    table::Table,
};

const IN: &str = "Microsoft.Dynamics.CRM.In";

/// How deep parentheses and `not` may stand in each other: what reads, applies and drops a filter goes down as deep.
const MAX_DEPTH: usize = 100;

pub(super) fn parse(text: &str, organisation: &Organisation, table: &'static Table) -> Result<Filter, Fault> {
    let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable(), depth: 0, organisation, table };
    let filter = parser.or()?;
    match parser.tokens.next() {
        None => Ok(filter),
        Some(Token::Word(word)) if word == "in" => Err(not_emulated("the operator 'in'")),
        Some(_) => Err(Fault::QuerySyntax),
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
