//! The network: reqwest with rustls and the platform's trust store.

use std::{error::Error, sync::OnceLock, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use reqwest::{Client, redirect};
use url::Url;

use super::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, MAX_BODY};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests over the network. The client is built by the first call, because reading the trust store takes milliseconds
/// that the JavaScript thread does not have.
pub struct ReqwestService {
    client: OnceLock<Client>,
    /// A proxy of the environment is never told of a loopback address, least of all in plain text.
    use_proxy: bool,
}

impl ReqwestService {
    /// A service for requests to one host.
    #[must_use]
    pub fn new(base: &Url) -> Self {
        Self { client: OnceLock::new(), use_proxy: !is_loopback(base) }
    }

    fn client(&self) -> Result<&Client, HttpError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
        if !self.use_proxy {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| explain(error, HttpErrorKind::Connect))?;
        Ok(self.client.get_or_init(|| client))
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let HttpRequest { method, url, headers, body, .. } = request;
        let sending = self.client()?.request(method, url).headers(headers).body(body).send();
        let mut response = sending.await.map_err(|error| {
            let kind = kind_of(&error);
            explain(error, kind)
        })?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Bytes::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| explain(error, HttpErrorKind::Interrupted))? {
            body = append(body, chunk)?;
        }
        Ok(HttpResponse { status, headers, body })
    }
}

impl HttpService for ReqwestService {
    fn call(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(self.exchange(request))
    }
}

/// Whether a secret may be sent there: encrypted, or without leaving this machine.
#[must_use]
pub fn is_safe_for_secrets(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// Whether the host is this machine, by address or by the name that always means it.
#[must_use]
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Most bodies come in one chunk, which is then not copied.
fn append(body: Bytes, chunk: Bytes) -> Result<Bytes, HttpError> {
    if body.len() + chunk.len() > MAX_BODY {
        let message = format!("the answer is longer than {MAX_BODY} bytes");
        return Err(HttpError { kind: HttpErrorKind::TooLarge, message, retry_after: None, source: None });
    }
    if body.is_empty() {
        return Ok(chunk);
    }
    let mut both = BytesMut::from(body);
    both.extend_from_slice(&chunk);
    Ok(both.freeze())
}

fn kind_of(error: &reqwest::Error) -> HttpErrorKind {
    match (error.is_connect(), error.is_timeout()) {
        (true, true) => HttpErrorKind::ConnectTimeout,
        (true, false) => HttpErrorKind::Connect,
        (false, _) => HttpErrorKind::Interrupted,
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| (*cause).source())
}

/// The innermost cause is the one people can act on: "Connection refused", not "error sending request".
fn explain(error: reqwest::Error, kind: HttpErrorKind) -> HttpError {
    let error = error.without_url();
    let message = causes(&error).last().map_or_else(String::new, ToString::to_string);
    HttpError { kind, message, retry_after: None, source: Some(Box::new(error)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for url in ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:8", "http://localhost:80"] {
            assert!(is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
        for url in [
            "http://10.0.0.1",
            "http://localhost.example",
            "http://[::2]",
            "http://127.0.0.1.example",
            "http://0.0.0.0",
        ] {
            assert!(!is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
    }

    #[test]
    fn bodies_are_joined_and_bounded() {
        let joined = append(append(Bytes::new(), Bytes::from_static(b"ab")).unwrap(), Bytes::from_static(b"c"));
        assert_eq!(joined.unwrap(), "abc");
        let full = Bytes::from(vec![0; MAX_BODY]);
        assert_eq!(append(full, Bytes::from_static(b"1")).unwrap_err().kind, HttpErrorKind::TooLarge);
    }
}
