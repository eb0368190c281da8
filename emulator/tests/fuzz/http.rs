//! Raw requests, and a strict reader of responses.

use std::{
    fmt::Write as _,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// A request. Its framing is right; the rest may be anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Sends the body in chunks.
    pub(crate) chunked: bool,
}

impl Message {
    pub(crate) fn new(method: &str, target: impl Into<String>) -> Self {
        Self { method: method.to_owned(), target: target.into(), ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn json(mut self, body: &serde_json::Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("Content-Type", "application/json")
    }

    pub(crate) fn bytes(&self, host: &str, credential: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {host}\r\n", self.method, self.target);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            let _ = write!(head, "Authorization: Bearer {credential}\r\n");
        }
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if self.chunked {
            head.push_str("Transfer-Encoding: chunked\r\n\r\n");
            let mut bytes = head.into_bytes();
            for chunk in self.body.chunks(self.body.len() / 3 + 1) {
                bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
            return bytes;
        }
        let _ = write!(head, "Content-Length: {}\r\n\r\n", self.body.len());
        [head.as_bytes(), &self.body].concat()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The server closes the connection after it.
    pub(crate) is_last: bool,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// The reason why there is no response.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The connection was closed, after this many bytes of a response.
    Closed(usize),
    /// Nothing came in time.
    Silent,
    /// It is no HTTP.
    Malformed(String),
    /// Longer than any real response.
    Endless,
}

pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

const LONGEST: usize = 8 * 1024 * 1024;

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    /// Sends bytes. A failure is seen by the reading that follows.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Tells the server that no more bytes come.
    pub(crate) fn end(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads the response to a request with this method.
    pub(crate) fn receive(&mut self, method: &str, patience: Duration) -> Result<Response, Lost> {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        loop {
            if let Some((response, length)) = parse(&self.read, method)? {
                self.read.drain(..length);
                // A provisional response.
                if response.status >= 200 {
                    return Ok(response);
                }
                continue;
            }
            if self.read.len() > LONGEST {
                return Err(Lost::Endless);
            }
            let mut buffer = vec![0; 64 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Lost::Closed(self.read.len())),
                Ok(count) => self.read.extend(&buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(Lost::Silent);
                }
                Err(_) => return Err(Lost::Closed(self.read.len())),
            }
        }
    }
}

/// A complete response and its length.
fn parse(bytes: &[u8], method: &str) -> Result<Option<(Response, usize)>, Lost> {
    let malformed = |what: &str| Lost::Malformed(what.to_owned());
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| malformed("a head that is not UTF-8"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1."));
    let status = status.and_then(|rest| rest.get(2..5)?.parse().ok()).ok_or_else(|| malformed("the status line"))?;
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| malformed(line))?;
        if line.contains(['\r', '\n']) {
            return Err(malformed(line));
        }
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { status, headers, ..Response::default() };
    response.is_last = response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let start = end + 4;
    if method == "HEAD" || status < 200 || matches!(status, 204 | 304) {
        return Ok(Some((response, start)));
    }
    if response.header("transfer-encoding").is_some() {
        let Some((body, length)) = chunks(&bytes[start..])? else { return Ok(None) };
        response.body = body;
        return Ok(Some((response, start + length)));
    }
    let length = response.header("content-length").ok_or_else(|| malformed("no length"))?;
    let length: usize = length.parse().map_err(|_| malformed("content-length"))?;
    let Some(body) = bytes.get(start..start + length) else { return Ok(None) };
    response.body = body.to_vec();
    Ok(Some((response, start + length)))
}

fn chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Lost> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(line) = bytes[at..].windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
        let size =
            std::str::from_utf8(&bytes[at..at + line]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let size = size.ok_or_else(|| Lost::Malformed("a chunk".to_owned()))?;
        let start = at + line + 2;
        let Some(chunk) = bytes.get(start..start + size + 2) else { return Ok(None) };
        body.extend(&chunk[..size]);
        at = start + size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}
