//! Sends a request through one exit and reads the whole response.

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::{
    encoding::{self, too_large},
    exits::Exit,
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
) -> reqwest::Result<Result<HttpResponse, HttpError>> {
    let HttpRequest { method, uri, headers, body, .. } = request;
    let sending = exit.client.request(method.clone(), uri.to_string()).headers(headers.clone()).body(body.clone());
    let mut response = sending.send().await?;
    let (status, mut headers) = (response.status(), std::mem::take(response.headers_mut()));
    let body = match read(response).await {
        Ok(body) => body.and_then(|body| encoding::decode(&mut headers, body)),
        // Only the body of a 404 states what is missing, and another attempt may receive it.
        Err(error) if status.is_success() || status == StatusCode::NOT_FOUND => return Err(error),
        Err(_) => Ok(Bytes::new()),
    };
    let body = if status.is_success() { body } else { Ok(body.unwrap_or_default()) };
    Ok(body.map(|body| HttpResponse { status, headers, body, received: clock.wall() }))
}

async fn read(mut response: reqwest::Response) -> reqwest::Result<Result<Bytes, HttpError>> {
    let mut body = Bytes::new();
    while let Some(chunk) = response.chunk().await? {
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
