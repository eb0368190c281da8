//! One request through one exit, and its response read to the end.

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

/// What the server decided is in the head, so a body that cannot be read takes away nothing of a status that is not a success.
pub(super) async fn send(
    exit: &Exit,
    request: &HttpRequest,
    clock: &dyn Clock,
) -> reqwest::Result<Result<HttpResponse, HttpError>> {
    let HttpRequest { method, url, headers, body, .. } = request.clone();
    let mut response = exit.client.request(method, url).headers(headers).body(body).send().await?;
    let (status, mut headers) = (response.status(), std::mem::take(response.headers_mut()));
    let body = match read(response).await {
        Ok(body) => body.and_then(|body| encoding::decode(&mut headers, body)),
        // Only its body says what is missing, and another attempt may bring it.
        Err(lost) if status.is_success() || status == StatusCode::NOT_FOUND => return Err(lost),
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

/// Most bodies come in one chunk, which is then not copied.
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
    fn bodies_are_joined_and_bounded() {
        let joined = append(append(Bytes::new(), Bytes::from_static(b"ab")).unwrap(), Bytes::from_static(b"c"));
        assert_eq!(joined.unwrap(), "abc");
        let full = Bytes::from(vec![0; MAX_BODY]);
        assert_eq!(append(full, Bytes::from_static(b"1")).unwrap_err().kind, HttpErrorKind::TooLarge);
    }
}
