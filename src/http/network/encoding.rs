//! Decodes bodies with a `Content-Encoding`. We request gzip; servers and proxies spell it in several ways, and some send an encoding
//! that was not requested.

use std::io::{self, Read as _};

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use http::{HeaderMap, HeaderValue, header};

use crate::http::{
    redact::redact,
    service::{
        MAX_BODY,
        error::{HttpError, HttpErrorKind},
    },
};

pub(super) const ACCEPTED: HeaderValue = HeaderValue::from_static("gzip");
/// Most nested encodings. Each one costs up to [`MAX_BODY`] bytes of work, and a header has room for thousands.
const MAX_CODINGS: usize = 4;

/// Decodes the body, and removes the headers that describe its encoded form.
pub(super) fn decode(headers: &mut HeaderMap, mut body: Bytes) -> Result<Bytes, HttpError> {
    let codings = codings(headers);
    if codings.len() > MAX_CODINGS {
        return Err(undecodable(format!("its Content-Encoding is {} times nested ({})", codings.len(), codings[0])));
    }
    // Responses to HEAD, 204 and 304 name an encoding without having a body.
    if !body.is_empty() {
        // The last one was applied last.
        for coding in codings.iter().rev() {
            body = match coding.as_str() {
                "gzip" | "x-gzip" => gunzip(&body)?,
                other => {
                    let name = redact(other, &[]).unwrap_or_default();
                    return Err(undecodable(format!("its Content-Encoding is \"{name}\", and only gzip is supported")));
                }
            };
        }
    }
    if headers.remove(header::CONTENT_ENCODING).is_some() && !codings.is_empty() {
        headers.remove(header::CONTENT_LENGTH);
    }
    Ok(body)
}

/// The encodings of all header lines together. `identity` means none, and so do an empty entry and `none`, which some servers send.
fn codings(headers: &HeaderMap) -> Vec<String> {
    let fields = headers.get_all(header::CONTENT_ENCODING).iter();
    let fields = fields.map(|field| String::from_utf8_lossy(field.as_bytes()).to_ascii_lowercase());
    let all = fields.collect::<Vec<_>>().join(",");
    let named = all.split(',').map(str::trim).filter(|coding| !matches!(*coding, "" | "identity" | "none"));
    named.map(str::to_owned).collect()
}

/// Gzip data has one member or several. As gzip itself does, it ignores anything after the last one.
fn gunzip(mut encoded: &[u8]) -> Result<Bytes, HttpError> {
    const MAGIC: [u8; 2] = [0x1f, 0x8b];
    let mut body = Vec::new();
    loop {
        let room = MAX_BODY + 1 - body.len();
        let read = GzDecoder::new(&mut encoded).take(room as u64).read_to_end(&mut body);
        read.map_err(|error: io::Error| {
            undecodable("its Content-Encoding is gzip, but it is not valid gzip".to_owned()).caused_by(error)
        })?;
        if body.len() > MAX_BODY {
            return Err(too_large());
        }
        if !encoded.starts_with(&MAGIC) {
            return Ok(body.into());
        }
    }
}

pub(super) fn too_large() -> HttpError {
    HttpError::new(HttpErrorKind::TooLarge, format!("the response is longer than {MAX_BODY} bytes"))
}

fn undecodable(message: String) -> HttpError {
    HttpError::new(HttpErrorKind::Encoding, message)
}
