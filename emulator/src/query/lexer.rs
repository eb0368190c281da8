//! The words of a `$filter`, and of a key by name.

use crate::fault::Fault;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A text in quotes, without them.
    Text(String),
    /// A name, a keyword, or a literal that has no quotes.
    Word(String),
    /// One of `(),=[]`.
    Sign(char),
}

impl Token {
    /// Whether it is the name of a parameter whose value stands elsewhere, `@p1` say.
    pub(crate) fn is_alias(&self) -> bool {
        matches!(self, Token::Word(word) if word.starts_with('@'))
    }
}

/// Takes a text apart. A quote inside quotes is doubled; in double quotes, which stand in arrays only, it cannot be.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut tokens = Vec::new();
    let mut is_in_array = false;
    let mut chars = text.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            ' ' => {}
            '(' | ')' | ',' | '=' | '[' | ']' => {
                is_in_array = next == '[' || is_in_array && next != ']';
                tokens.push(Token::Sign(next));
            }
            '"' if !is_in_array => return Err(Fault::QuerySyntax),
            '\'' | '"' => {
                let mut quoted = String::new();
                loop {
                    let inside = chars.next().ok_or(Fault::QuerySyntax)?;
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
            _ if is_in_word(next) => {
                let mut word = String::from(next);
                while let Some(more) = chars.next_if(|more| is_in_word(*more)) {
                    word.push(more);
                }
                tokens.push(Token::Word(word));
            }
            _ => return Err(Fault::QuerySyntax),
        }
    }
    Ok(tokens)
}

fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.:+-/@$".contains(c)
}
