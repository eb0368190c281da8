//! Breaks requests: their contents with a right framing, or their raw bytes.

use std::fmt::Write as _;

use crate::{http::Message, random::Random};

const INSERTED: [&str; 34] = [
    "%",
    "%2",
    "%zz",
    "%00",
    "%C3",
    "%F0%9F%98%80",
    "%ED%A0%80",
    "%2525",
    "'",
    "''",
    "\"",
    "(",
    ")",
    "((((",
    "))))",
    "[",
    "{",
    "}",
    ",",
    ";",
    "/",
    "//",
    "$",
    "@",
    "&",
    "=",
    "?",
    "\\ud83d",
    "\u{1f600}",
    "\u{feff}",
    "\u{0}",
    "-1",
    "18446744073709551616",
    "1e400",
];

const HEADERS: [(&str, &str); 26] = [
    ("If-Match", "W/\"18446744073709551616\""),
    ("If-Match", "W/\"\""),
    ("If-Match", "\"1\""),
    ("If-Match", "W/\"1\",W/\"2\""),
    ("If-Match", "null"),
    ("If-None-Match", "*"),
    ("If-None-Match", ""),
    ("Prefer", "odata.maxpagesize=0"),
    ("Prefer", "odata.maxpagesize=18446744073709551616"),
    ("Prefer", "odata.maxpagesize=-1"),
    ("Prefer", "return=representation;return=minimal"),
    ("Prefer", "odata.include-annotations=\""),
    ("Prefer", "odata.include-annotations=\"-x,*#y\""),
    ("Prefer", ",;=,\",\""),
    ("Prefer", "odata.track-changes,odata.maxpagesize=1"),
    ("Content-Type", "text/plain"),
    ("Content-Type", "multipart/mixed;boundary="),
    ("Content-Type", "multipart/mixed;boundary=\"\""),
    ("Content-Type", "application/json;IEEE754Compatible=true;charset=utf-16"),
    ("Accept", "application/json;odata.metadata=full"),
    ("Accept", "application/xml"),
    ("CallerObjectId", "x"),
    ("Host", "a b"),
    ("Host", "x\"y"),
    ("Expect", "100-continue"),
    ("Accept-Encoding", "gzip"),
];

/// Changes the contents of a request. Its framing stays right.
pub(crate) fn contents(random: &mut Random, message: &mut Message) {
    for _ in 0..=random.below(3) {
        match random.below(12) {
            0..=3 => message.target = in_text(random, &message.target),
            4..=6 => message.body = in_bytes(random, &message.body),
            7 => {
                let (name, value) = *random.pick(&HEADERS);
                message.headers.retain(|(found, _)| !found.eq_ignore_ascii_case(name) || random.one_in(3));
                message.headers.push((name.to_owned(), value.to_owned()));
            }
            8 => {
                let Some((_, value)) = message.headers.last_mut() else { continue };
                *value = in_text(random, value);
            }
            9 => {
                message.method =
                    random.word(&["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "MERGE", "get", "X-Y"]);
            }
            10 => deepen(random, message),
            _ => {
                let (name, value) =
                    (random.word(&["X-Long", "Prefer", "If-Match", "Cookie"]), "x".repeat(random.below(20_000)));
                message.headers.push((name, value));
            }
        }
    }
}

/// A text with an insertion, a cut, a repetition or an exchange.
fn in_text(random: &mut Random, text: &str) -> String {
    let chars: Vec<_> = text.chars().collect();
    let (from, to) = (random.below(chars.len() + 1), random.below(chars.len() + 1));
    let (from, to) = (from.min(to), from.max(to));
    let part = |range: std::ops::Range<usize>| chars[range].iter().collect::<String>();
    let inserted = random.word(&INSERTED);
    let times = if random.one_in(30) { 3000 } else { 1 };
    match random.below(6) {
        0 => format!("{}{}", part(0..from), part(to..chars.len())),
        1 => format!("{}{}{}", part(0..to), part(from..to), part(to..chars.len())),
        2 => part(0..to),
        3 => format!("{}{inserted}{}", part(0..from), part(to..chars.len())),
        _ => format!("{}{}{}", part(0..from), inserted.repeat(times), part(from..chars.len())),
    }
}

pub(crate) fn in_bytes(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    let (from, to) = (random.below(bytes.len() + 1), random.below(bytes.len() + 1));
    let (from, to) = (from.min(to), from.max(to));
    match random.below(7) {
        0 => changed.truncate(from),
        1 => drop(changed.drain(from..to)),
        2 => changed.splice(from..from, bytes[from..to].to_vec()).for_each(drop),
        3 if !changed.is_empty() => {
            let at = random.below(changed.len());
            changed[at] ^= 1 << random.below(8);
        }
        4 if !changed.is_empty() => {
            let at = random.below(changed.len());
            changed[at] = *random.pick(b"\0\r\n\"'{}[]():,;\\/%0 \xFF\xC3\x80");
        }
        _ => {
            let inserted = random.word(&INSERTED).into_bytes();
            changed.splice(from..from, inserted).for_each(drop);
        }
    }
    changed
}

/// Nests something as deep as fits.
fn deepen(random: &mut Random, message: &mut Message) {
    let depth = *random.pick(&[10, 90, 127, 128, 1000, 5000]);
    let mut query = |text: String| {
        let path = message.target.split('?').next().unwrap_or_default();
        message.target = format!("{path}?{text}");
    };
    match random.below(11) {
        0 => query(format!("$filter={}name%20eq%20'x'{}", "(".repeat(depth), ")".repeat(depth))),
        1 => query(format!("$filter={}(name%20eq%20'x')", "not%20".repeat(depth))),
        2 => query(format!("$filter=name%20eq%20'x'{}", "%20or%20name%20eq%20'x'".repeat(depth.min(1000)))),
        3 => query(format!(
            "$expand={}name{}",
            "parentaccountid($expand=".repeat(depth.min(1000)),
            ")".repeat(depth.min(1000))
        )),
        4 => query(format!("$orderby={}name", "parentaccountid/".repeat(depth.min(1900)))),
        5 => query(format!("$filter={}name%20eq%20null", "ownerid/".repeat(depth.min(3900)))),
        6 => query(format!("$select={}name", "name,".repeat(depth))),
        7 => query(format!("fetchXml={}", "%3Cfilter%3E".repeat(depth.min(2500)))),
        8 => message.body = format!("{}{}", "[".repeat(depth * 10), "]".repeat(depth * 10)).into_bytes(),
        9 => message.body = format!("{}1{}", "{\"a\":".repeat(depth * 10), "}".repeat(depth * 10)).into_bytes(),
        _ => {
            // New rows in new rows.
            let depth = depth.min(62);
            let (open, close) = ("{\"account_parent_account\":[".repeat(depth), "]}".repeat(depth));
            message.body = format!("{open}{close}").into_bytes();
            "/api/data/v9.2/accounts".clone_into(&mut message.target);
            "POST".clone_into(&mut message.method);
        }
    }
}

/// Makes target and headers sendable, without changing what they mean.
pub(crate) fn make_sendable(message: &mut Message) {
    let mut target = String::new();
    for byte in message.target.bytes() {
        match byte {
            b'!' | b'$'..=b';' | b'=' | b'?'..=b'[' | b']' | b'_' | b'a'..=b'z' | b'~' => target.push(char::from(byte)),
            other => drop(write!(target, "%{other:02X}")),
        }
    }
    if !target.starts_with('/') {
        target.insert(0, '/');
    }
    message.target = target;
    for (_, value) in &mut message.headers {
        value.retain(|c| !c.is_control());
    }
}

/// Breaks the raw bytes of a request. Its framing may be wrong afterwards.
pub(crate) fn raw(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |end| end + 4);
    let inserted: &[u8] = random.pick::<&[u8]>(&[
        b"\r\n",
        b"\n",
        b"\0",
        b" ",
        b"\t",
        b"Content-Length: 0\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length: -1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Host: a\r\n",
        b" folded\r\n",
        b": empty\r\n",
        b"X: \xFF\xFE\r\n",
        b"Connection: close\r\n",
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"Expect: 100-continue\r\n",
        b"GET http://a:1/ HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03",
    ]);
    let mut changed = bytes.to_vec();
    for _ in 0..=random.below(3) {
        let lines: Vec<_> = (0..head).filter(|at| *at == 0 || bytes.get(at - 1) == Some(&b'\n')).collect();
        let at = if random.one_in(2) { *random.pick(&lines) } else { random.below(head) }.min(changed.len());
        match random.below(5) {
            0 => changed.truncate(at),
            1 => changed = in_bytes(random, &changed),
            2 => changed.splice(at..at, inserted.repeat(*random.pick(&[1, 1, 1, 200]))).for_each(drop),
            _ => changed.splice(at..at, inserted.iter().copied()).for_each(drop),
        }
    }
    changed
}
