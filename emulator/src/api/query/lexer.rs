//! Splits a `$filter` or an alternate key into tokens.

use crate::error::ODataError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A quoted string, without its quotes.
    Text(String),
    /// A name, a keyword, or a literal without quotes.
    Word(String),
    /// One of `(),=[]`, or the `:` after the variable of a lambda.
    Sign(char),
}

impl Token {
    /// Whether this is a parameter alias, for example `@p1`, whose value is defined elsewhere.
    pub(crate) fn is_alias(&self) -> bool {
        matches!(self, Token::Word(word) if word.starts_with('@'))
    }
}

/// Splits a string into tokens. A quote within single quotes is doubled. Double quotes occur only in arrays, and cannot contain quotes.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, ODataError> {
    let mut tokens = Vec::new();
    let mut is_in_array = false;
    // After `any(` and `all(`, until the colon.
    let mut is_variable = false;
    let mut chars = text.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            ' ' => {}
            '(' | ')' | ',' | '=' | '[' | ']' => {
                is_in_array = next == '[' || is_in_array && next != ']';
                is_variable = next == '(' && matches!(tokens.last(), Some(Token::Word(word)) if lambda(word).is_some());
                tokens.push(Token::Sign(next));
            }
            '"' if !is_in_array => return Err(ODataError::QuerySyntax),
            '\'' | '"' => {
                let mut quoted = String::new();
                loop {
                    let inside = chars.next().ok_or(ODataError::QuerySyntax)?;
                    if inside != next {
                        quoted.push(inside);
                    } else if next == '\'' && chars.next_if_eq(&'\'').is_some() {
                        quoted.push('\'');
                    } else {
                        break;
                    }
                }
                tokens.push(Token::Text(quoted));
            }
            ':' if is_variable => {
                is_variable = false;
                tokens.push(Token::Sign(':'));
            }
            _ if is_in_word(next) => {
                let mut word = String::from(next);
                while let Some(more) = chars.next_if(|more| is_in_word(*more) && !(is_variable && *more == ':')) {
                    word.push(more);
                }
                tokens.push(Token::Word(word));
            }
            _ => return Err(ODataError::QuerySyntax),
        }
    }
    Ok(tokens)
}

/// The collection of `<collection>/any` or `<collection>/all`, and whether it is `all`.
pub(super) fn lambda(word: &str) -> Option<(&str, bool)> {
    let (collection, name) = word.rsplit_once('/')?;
    matches!(name, "any" | "all").then_some((collection, name == "all"))
}

fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.:+-/@$".contains(c)
}
