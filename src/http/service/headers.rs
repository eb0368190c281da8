//! Header lines. A header may occur several times and hold bytes that are not ASCII; neither hides the other lines.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

pub fn field_lines<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = Cow<'h, str>> + use<'h> {
    let text = |line: &'h HeaderValue| match line.to_str() {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(line.as_bytes()),
    };
    headers.get_all(name).into_iter().map(text)
}
