//! Sends a request through one exit and reads the whole response.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{StatusCode, response::Parts};
use hyper::body::Incoming;

use super::{
    connection::Connection,
    encoding::{self, too_large},
    exits::Exit,
    failure::SendError,
};
use crate::{
    clock::Clock,
    http::service::{HttpRequest, HttpResponse, MAX_BODY, error::HttpError},
};

/// The status states what the server did, so an error status counts even if its body cannot be read.
pub(super) async fn send(
    exit: &Exit,
    request: &HttpRequest,
    clock: &dyn Clock,
) -> Result<Result<HttpResponse, HttpError>, SendError> {
    let (response, mut connection) = exit.exchange(request).await?;
    let (Parts { status, mut headers, .. }, body) = response.into_parts();
    let body = match read(&mut connection, body, exit.read_timeout).await {
        Ok(Ok(body)) => {
            exit.keep(connection);
            encoding::decode(&mut headers, body)
        }
        Ok(Err(too_large)) => Err(too_large),
        // Only the body of a 404 states what is missing, and another attempt may receive it.
        Err(error) if status.is_success() || status == StatusCode::NOT_FOUND => return Err(error),
        Err(_) => Ok(Bytes::new()),
    };
    let body = if status.is_success() { body } else { Ok(body.unwrap_or_default()) };
    Ok(body.map(|body| HttpResponse { status, headers, body, received: clock.wall() }))
}

async fn read(
    connection: &mut Connection,
    mut incoming: Incoming,
    timeout: Duration,
) -> Result<Result<Bytes, HttpError>, SendError> {
    let mut body = Bytes::new();
    while let Some(chunk) = connection.read(&mut incoming, timeout).await? {
        match append(body, chunk) {
            Ok(longer) => body = longer,
            Err(too_large) => return Ok(Err(too_large)),
        }
    }
    Ok(Ok(body))
}

/// Does not copy a body that arrives in one chunk, as most do.
fn append(body: Bytes, chunk: Bytes) -> Result<Bytes, HttpError> {
    if body.len() + chunk.len() > MAX_BODY {
        return Err(too_large());
    }
    if body.is_empty() {
        return Ok(chunk);
    }
    let mut both = BytesMut::from(body);
    both.extend_from_slice(&chunk);
    Ok(both.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HttpErrorKind;

    #[test]
    fn chunks_are_joined_up_to_the_limit() {
        let joined = append(append(Bytes::new(), Bytes::from_static(b"ab")).unwrap(), Bytes::from_static(b"c"));
        assert_eq!(joined.unwrap(), "abc");
        let full = Bytes::from(vec![0; MAX_BODY]);
        assert_eq!(append(full, Bytes::from_static(b"1")).unwrap_err().kind, HttpErrorKind::TooLarge);
    }
}
