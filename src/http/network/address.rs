//! Servers by scheme, host and port, and which of them are this machine.

use http::{HeaderValue, Uri, header::InvalidHeaderValue, uri::Authority};
use url::Url;

/// The URL of the server: scheme, host and port.
pub(super) fn server_of(uri: &Uri) -> Result<Url, url::ParseError> {
    let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", Authority::as_str));
    Url::parse(&format!("{scheme}://{authority}/"))
}

/// The same, of a URL.
pub(super) fn without_path(url: &Url) -> Url {
    let mut server = url.clone();
    server.set_path("/");
    server.set_query(None);
    server.set_fragment(None);
    server
}

/// The `Host` header. It names the port only if it is not the scheme's own.
pub(super) fn host_header(server: &Url) -> Result<HeaderValue, InvalidHeaderValue> {
    let host = server.host_str().unwrap_or_default();
    HeaderValue::try_from(server.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// Whether a secret may be sent to this URL: encrypted, or without leaving this machine.
#[must_use]
pub fn is_safe_for_secrets(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// Whether the host is this machine, by a loopback address or as `localhost`.
#[must_use]
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_loopback() {
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
}
