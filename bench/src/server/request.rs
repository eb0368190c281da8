//! Requests as bytes: GET and PATCH of a conversation.

use memchr::memmem::find;
use uuid::Uuid;

pub(super) struct Request {
    pub(super) conversation: u128,
    pub(super) action: Action,
}

pub(super) enum Action {
    Read,
    /// Binds a contact, if the row still has the version of `If-Match`.
    Write {
        version: Option<u64>,
        contact: u128,
        wants_row: bool,
    },
    Unknown,
}

impl Request {
    /// The first request of a buffer, and its length. `None` if it is not complete yet.
    pub(super) fn parse(input: &[u8]) -> Option<(Self, usize)> {
        let body_at = find(input, b"\r\n\r\n")? + 4;
        let mut lines = input[..body_at].split(|byte| *byte == b'\n');
        let target = lines.next()?;
        let (mut length, mut version, mut wants_row) = (0, None, false);
        for line in lines {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                length = number(value)?;
            } else if name.eq_ignore_ascii_case(b"if-match") {
                version = value.strip_prefix(b"W/\"").and_then(|rest| number(rest.strip_suffix(b"\"")?));
            } else if name.eq_ignore_ascii_case(b"prefer") {
                wants_row |= find(value, b"return=representation").is_some();
            }
        }
        let body = input.get(body_at..body_at + length)?;
        let action = match (target.starts_with(b"GET "), target.starts_with(b"PATCH "), bound(body)) {
            (true, _, _) => Action::Read,
            (_, true, Some(contact)) => {
                Action::Write { version: version.map(|version| version as u64), contact, wants_row }
            }
            _ => Action::Unknown,
        };
        let (conversation, action) = match id(target) {
            Some(conversation) => (conversation, action),
            None => (0, Action::Unknown),
        };
        Some((Self { conversation, action }, body_at + length))
    }
}

/// The contact of `{"msdyn_customer_msdyn_ocliveworkitem_contact@odata.bind":"/contacts(<id>)"}`.
fn bound(body: &[u8]) -> Option<u128> {
    let at = find(body, b"msdyn_customer_msdyn_ocliveworkitem_contact@odata.bind")?;
    id(&body[at..])
}

/// The id in the first parentheses.
fn id(text: &[u8]) -> Option<u128> {
    let start = memchr::memchr(b'(', text)? + 1;
    Uuid::try_parse_ascii(text.get(start..start + 36)?).ok().map(|id| id.as_u128())
}

fn number(digits: &[u8]) -> Option<usize> {
    str::from_utf8(digits).ok()?.parse().ok()
}
