//! `$filter` of definitions.

use serde_json::{Map, Value};

use crate::{
    api::query::lexer::{Token, tokens},
    error::ODataError,
};

const MAX_DEPTH: usize = 50;

pub(super) enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Compare { path: Vec<String>, is_equal: bool, value: Value },
    Text { path: Vec<String>, function: String, part: String },
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, ODataError> {
        let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable(), depth: 0 };
        let filter = parser.or()?;
        if parser.tokens.next().is_some() { Err(ODataError::QuerySyntax) } else { Ok(filter) }
    }

    pub(super) fn accepts(&self, row: &Map<String, Value>) -> bool {
        match self {
            Self::And(one, other) => one.accepts(row) && other.accepts(row),
            Self::Or(one, other) => one.accepts(row) || other.accepts(row),
            Self::Not(inner) => !inner.accepts(row),
            Self::Compare { path, is_equal, value } => (at(row, path) == value) == *is_equal,
            Self::Text { path, function, part } => at(row, path).as_str().is_some_and(|text| match function.as_str() {
                "contains" => text.contains(part.as_str()),
                "startswith" => text.starts_with(part.as_str()),
                _ => text.ends_with(part.as_str()),
            }),
        }
    }
}

fn at<'a>(row: &'a Map<String, Value>, path: &[String]) -> &'a Value {
    let first = path.first().and_then(|name| row.get(name)).unwrap_or(&Value::Null);
    path.iter().skip(1).fold(first, |value, name| value.get(name).unwrap_or(&Value::Null))
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
}

impl Parser {
    fn or(&mut self) -> Result<Filter, ODataError> {
        let mut filter = self.and()?;
        while self.takes("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.and()?));
        }
        Ok(filter)
    }

    fn and(&mut self) -> Result<Filter, ODataError> {
        let mut filter = self.condition()?;
        while self.takes("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.condition()?));
        }
        Ok(filter)
    }

    fn condition(&mut self) -> Result<Filter, ODataError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ODataError::NotEmulated(format!("more than {MAX_DEPTH} conditions on definitions")));
        }
        if self.takes("not") {
            return Ok(Filter::Not(Box::new(self.condition()?)));
        }
        if self.takes_sign('(') {
            let filter = self.or()?;
            return if self.takes_sign(')') { Ok(filter) } else { Err(ODataError::QuerySyntax) };
        }
        let Some(Token::Word(name)) = self.tokens.next() else { return Err(ODataError::QuerySyntax) };
        if self.takes_sign('(') {
            return self.function(name);
        }
        let path = name.split('/').map(str::to_owned).collect();
        let is_equal = match self.tokens.next() {
            Some(Token::Word(word)) if word == "eq" => true,
            Some(Token::Word(word)) if word == "ne" => false,
            Some(Token::Word(word)) => {
                return Err(ODataError::NotEmulated(format!("the operator '{word}' on definitions")));
            }
            _ => return Err(ODataError::QuerySyntax),
        };
        Ok(Filter::Compare { path, is_equal, value: self.literal()? })
    }

    fn function(&mut self, function: String) -> Result<Filter, ODataError> {
        if !["contains", "endswith", "startswith"].contains(&function.as_str()) {
            return Err(ODataError::NotEmulated(format!("the function '{function}' on definitions")));
        }
        match (self.tokens.next(), self.takes_sign(','), self.tokens.next(), self.takes_sign(')')) {
            (Some(Token::Word(name)), true, Some(Token::Text(part)), true) => {
                Ok(Filter::Text { path: name.split('/').map(str::to_owned).collect(), function, part })
            }
            _ => Err(ODataError::QuerySyntax),
        }
    }

    /// A string, a number, a boolean, null, a GUID, or the member of an enumeration with or without its type.
    fn literal(&mut self) -> Result<Value, ODataError> {
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(text.into()),
            Some(Token::Word(word)) => match self.tokens.peek() {
                Some(Token::Text(_)) => self.literal(),
                _ => Ok(serde_json::from_str(&word).unwrap_or_else(|_| word.to_lowercase().into())),
            },
            _ => Err(ODataError::QuerySyntax),
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Word(found) if found == word)).is_some()
    }

    fn takes_sign(&mut self, sign: char) -> bool {
        self.tokens.next_if_eq(&Token::Sign(sign)).is_some()
    }
}
