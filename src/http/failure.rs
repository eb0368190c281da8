//! What went wrong on the way, in words that name the party it went wrong with. No URL, and nothing of a proxy but host and port.

use std::{error::Error, io};

use rustls::CertificateError;
use url::Url;

use super::{HttpError, HttpErrorKind, proxy::ProxyUrl, transport::NetworkOptions};

/// Between whom it went wrong.
pub(super) struct Route<'a> {
    pub(super) server: &'a Url,
    pub(super) proxy: Option<&'a ProxyUrl>,
    pub(super) options: &'a NetworkOptions,
    /// What should have been trusted besides, and could not be read.
    pub(super) gap: Option<&'a str>,
}

/// What hyper-util's errors while tunnelling begin with; their type is private.
const TUNNEL: &str = "tunnel error: ";
/// reqwest's own timeouts; their type is private, too.
const TIMEOUT: &str = "operation timed out";

/// Names the cause and keeps the library's error as the source, without its URL.
pub(super) fn explain(error: reqwest::Error, route: &Route<'_>) -> HttpError {
    let error = error.without_url();
    let (kind, message) = name(&error, route);
    HttpError { kind, message, retry_after: None, source: Some(Box::new(error)) }
}

fn name(error: &reqwest::Error, route: &Route<'_>) -> (HttpErrorKind, String) {
    let innermost = causes(error).last().map_or_else(String::new, ToString::to_string);
    if !error.is_connect() {
        // Other timeouts are the kernel's or HTTP/2's, and not as long as ours.
        return if innermost == TIMEOUT {
            let silence = route.options.read_timeout.as_millis();
            (HttpErrorKind::ReadTimeout, format!("{} was silent for {silence} ms", host(route.server)))
        } else {
            (HttpErrorKind::Interrupted, innermost)
        };
    }
    let server = address(route.server);
    if innermost == TIMEOUT {
        let time = route.options.connect_timeout.as_millis();
        let through = route.proxy.map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
        return (HttpErrorKind::ConnectTimeout, format!("no connection to {server}{through} within {time} ms"));
    }
    let tunnel = causes(error).map(ToString::to_string).find(|text| text.starts_with(TUNNEL));
    // Who did not play along: the proxy until the tunnel stands.
    let (peer, peer_host) = match (route.proxy, &tunnel) {
        (Some(proxy), Some(tunnel)) => match &tunnel[TUNNEL.len()..] {
            "proxy authorization required" => {
                let what = if proxy.has_user() { "did not accept the" } else { "wants a" };
                return (HttpErrorKind::ProxyRefused, format!("the proxy {proxy} {what} user and password"));
            }
            "unsuccessful" => {
                return (HttpErrorKind::Connect, format!("the proxy {proxy} does not connect to {server}"));
            }
            "unexpected end of file" => {
                return (HttpErrorKind::Connect, format!("the proxy {proxy} hung up when asked for {server}"));
            }
            _ => (format!("the proxy {proxy}"), format!("the proxy {proxy}")),
        },
        _ => (server, host(route.server).to_owned()),
    };
    if let Some(fault) = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return tls(fault, &peer_host, route.gap);
    }
    let message = if error.is_dns() {
        format!("the name of {peer_host} cannot be resolved ({innermost})")
    } else {
        match causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => format!("{peer} refused the connection ({innermost})"),
            Some(io::ErrorKind::UnexpectedEof) => format!("{peer} hung up during the TLS handshake"),
            _ => format!("no connection to {peer} ({innermost})"),
        }
    };
    (HttpErrorKind::Connect, message)
}

fn tls(fault: &rustls::Error, host: &str, gap: Option<&str>) -> (HttpErrorKind, String) {
    let rustls::Error::InvalidCertificate(reason) = fault else {
        return (HttpErrorKind::Connect, format!("the TLS handshake with {host} failed ({fault})"));
    };
    let what = match reason {
        CertificateError::UnknownIssuer => "was issued by an authority that is not trusted here".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "was issued for another name".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "has expired, or this machine's clock is wrong".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet, or this machine's clock is wrong".to_owned()
        }
        // An authority that was made anew under its old name.
        CertificateError::BadSignature => "was not signed by the authority that it names".to_owned(),
        CertificateError::Revoked => "was revoked".to_owned(),
        other => format!("cannot be accepted ({other})"),
    };
    let gap = gap.map_or_else(String::new, |gap| format!("; {gap}"));
    (HttpErrorKind::Untrusted, format!("the certificate of {host} {what}{gap}"))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| cause_of(*cause))
}

/// An I/O error stands for the one inside it, which its chain of sources leaves out: TLS errors travel so.
fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

fn address(url: &Url) -> String {
    format!("{}:{}", host(url), url.port_or_known_default().unwrap_or_default())
}
