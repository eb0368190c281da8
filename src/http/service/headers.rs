//! Header lines. A header may occur several times and hold bytes that are not ASCII; neither hides the other lines.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

pub fn field_lines<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = Cow<'h, str>> + use<'h> {
    headers.get_all(name).into_iter().map(|line| String::from_utf8_lossy(line.as_bytes()))
}
