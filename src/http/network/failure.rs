//! What went wrong on the way, in words that name the party it went wrong with. No URL, and nothing of a proxy but host and port.

use std::{error::Error, io, time::Duration};

use rustls::{AlertDescription, CertificateError};
use url::Url;

use super::{options::NetworkOptions, proxy::ProxyUrl};
use crate::http::service::error::{HttpError, HttpErrorKind};

/// Between whom it went wrong.
pub(super) struct Route<'a> {
    pub(super) server: &'a Url,
    pub(super) proxy: Option<&'a ProxyUrl>,
    pub(super) options: &'a NetworkOptions,
    /// What should have been trusted besides, and could not be read.
    pub(super) gap: Option<String>,
}

/// What hyper-util's errors while tunnelling begin with; their type is private.
const TUNNEL: &str = "tunnel error: ";
const UNAUTHORIZED: &str = "proxy authorization required";
const REFUSED: &str = "unsuccessful";
/// reqwest's own timeouts; their type is private, too.
const TIMEOUT: &str = "operation timed out";

/// Why there is no response.
pub(super) enum Lost {
    /// As reqwest says.
    Error(reqwest::Error),
    /// No connection stood in this time.
    NotConnected(Duration),
}

impl Lost {
    /// Whether the next entry of a list may be tried: no connection came about, and nobody has refused. A proxy that does not connect
    /// to a server, and one that wants a password, decide: some networks block that way.
    pub(super) fn leads_nowhere(&self) -> bool {
        let Self::Error(error) = self else { return true };
        let tunnel = tunnel(error);
        let is_refused = matches!(tunnel.as_deref(), Some(REFUSED | UNAUTHORIZED));
        let of_tls = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>());
        // The proxy's own certificate is another matter: somebody else may answer in its place.
        let is_distrusted = matches!(of_tls, Some(rustls::Error::InvalidCertificate(_))) && tunnel.is_none();
        error.is_connect() && !is_refused && !is_distrusted
    }
}

/// Names the cause and keeps the library's error as the source, without its URL.
pub(super) fn explain(lost: Lost, route: &Route<'_>) -> HttpError {
    let error = match lost {
        Lost::Error(error) => error.without_url(),
        Lost::NotConnected(time) => {
            return HttpError::new(HttpErrorKind::ConnectTimeout, too_late(time, route));
        }
    };
    let (kind, message) = name(&error, route);
    HttpError::new(kind, message).caused_by(error)
}

fn too_late(time: Duration, route: &Route<'_>) -> String {
    let (server, time) = (address(route.server), time.as_millis());
    let through = route.proxy.map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
    format!("no connection to {server}{through} within {time} ms")
}

/// The settings make no client. Their errors hold no secret.
pub(super) fn unusable(error: impl Error + Send + Sync + 'static) -> HttpError {
    let message = format!("no connection can be made with these settings ({})", in_words(&error));
    HttpError::new(HttpErrorKind::NoRoute, message).caused_by(error)
}

/// What went wrong between the proxy and its tunnel, if it did.
fn tunnel(error: &reqwest::Error) -> Option<String> {
    causes(error).map(ToString::to_string).find_map(|text| text.strip_prefix(TUNNEL).map(str::to_owned))
}

fn name(error: &reqwest::Error, route: &Route<'_>) -> (HttpErrorKind, String) {
    let innermost = causes(error).last().map_or_else(String::new, in_words);
    let of_tls = || causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>());
    if !error.is_connect() {
        // Other timeouts are the kernel's or HTTP/2's, and not as long as ours.
        return if innermost == TIMEOUT {
            let silence = route.options.read_timeout.as_millis();
            (HttpErrorKind::ReadTimeout, format!("{} was silent for {silence} ms", host(route.server)))
        } else {
            (HttpErrorKind::Interrupted, of_tls().map_or(innermost, tls_fault))
        };
    }
    let server = address(route.server);
    if innermost == TIMEOUT {
        return (HttpErrorKind::ConnectTimeout, too_late(route.options.connect_timeout, route));
    }
    let tunnel = tunnel(error);
    // Who did not play along: the proxy until the tunnel stands.
    let (peer, peer_host) = match (route.proxy, &tunnel) {
        (Some(proxy), Some(tunnel)) => match tunnel.as_str() {
            UNAUTHORIZED => {
                let what = if proxy.has_user() { "did not accept the" } else { "wants a" };
                return (HttpErrorKind::ProxyRefused, format!("the proxy {proxy} {what} user and password"));
            }
            REFUSED => {
                return (HttpErrorKind::Connect, format!("the proxy {proxy} does not connect to {server}"));
            }
            "unexpected end of file" => {
                return (HttpErrorKind::Connect, format!("the proxy {proxy} hung up when asked for {server}"));
            }
            _ => (format!("the proxy {proxy}"), format!("the proxy {proxy}")),
        },
        _ => (server, host(route.server).to_owned()),
    };
    if let Some(fault) = of_tls() {
        return tls(fault, &peer_host, route.gap.as_deref());
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
        return (HttpErrorKind::Connect, format!("the TLS handshake with {host} failed ({})", tls_fault(fault)));
    };
    let gap = gap.map_or_else(String::new, |gap| format!("; {gap}"));
    (HttpErrorKind::Untrusted, format!("the certificate of {host} {}{gap}", refusal(reason)))
}

/// Why a certificate is refused. Windows and macOS say it in words of their own.
fn refusal(reason: &CertificateError) -> String {
    use CertificateError as E;
    #[allow(deprecated, reason = "webpki still gives one of them")]
    let known = match reason {
        E::UnknownIssuer => "was issued by an authority that is not trusted here",
        E::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "names no host (it has no Subject Alternative Name, and its common name does not count)"
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => "was issued for another name",
        E::Expired | E::ExpiredContext { .. } => "has expired, or this machine's clock is wrong",
        E::NotValidYet | E::NotValidYetContext { .. } => "is not valid yet, or this machine's clock is wrong",
        // An authority that was made anew under its old name, or a key that rustls takes no signature of.
        E::BadSignature => {
            "was not signed by the authority that it names, or its key or that authority's is too short (RSA has 2048 bits at least)"
        }
        E::Revoked => "was revoked",
        E::UnknownRevocationStatus | E::ExpiredRevocationList | E::ExpiredRevocationListContext { .. } => {
            "cannot be checked for revocation"
        }
        E::BadEncoding => "is damaged",
        E::UnhandledCriticalExtension => "has a critical extension that is not supported",
        E::UnsupportedSignatureAlgorithm
        | E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "is signed with an algorithm that is not supported, such as SHA-1"
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => "was not issued for a server",
        // The errors of webpki and of the platform's verifier, whose types are private.
        E::Other(other) => match format!("{:?}", other.0).as_str() {
            "CaUsedAsEndEntity" => {
                "is that of an authority (CA:TRUE), which counts as a server's own only if it is self-signed and named as trusted"
            }
            "UnsupportedCertVersion" => "is not of version 3 of X.509",
            "EkuError" => "was not issued for a server",
            _ => return format!("cannot be accepted ({})", in_words(&*other.0)),
        },
        _ => "cannot be accepted",
    };
    known.to_owned()
}

/// What went wrong in TLS, besides the certificate. The library's own texts quote names of Rust.
pub(super) fn tls_fault(fault: &rustls::Error) -> String {
    use rustls::Error as E;
    let known = match fault {
        E::AlertReceived(AlertDescription::CertificateRequired) => {
            "a client certificate is required, and not supported"
        }
        E::AlertReceived(alert) => {
            return format!("the other side ended it with the alert {}", words_of(&format!("{alert:?}")));
        }
        E::InvalidMessage(_) => "what was received is not valid TLS",
        E::PeerIncompatible(_) => "no version or cipher suite of TLS is supported by both sides",
        E::PeerMisbehaved(_) | E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
            "the other side does not keep to TLS"
        }
        E::InvalidCertificate(reason) => return format!("the certificate {}", refusal(reason)),
        E::General(text) => return text.clone(),
        other => return in_words(other),
    };
    known.to_owned()
}

/// An error's text, unless it is Rust's view of a value. Several libraries show nothing better.
pub(super) fn in_words(error: &(impl Error + ?Sized)) -> String {
    let (shown, debug) = (error.to_string(), format!("{error:?}"));
    if shown == debug { words_of(&shown) } else { shown }
}

/// `HandshakeFailure` is "handshake failure". Anything longer than a name is not shown.
fn words_of(name: &str) -> String {
    if name.is_empty() || !name.bytes().all(|letter| letter.is_ascii_alphanumeric()) {
        return "for a reason that has no name".to_owned();
    }
    let letters = name.chars().enumerate().flat_map(|(index, letter)| {
        let space = (index > 0 && letter.is_ascii_uppercase()).then_some(' ');
        space.into_iter().chain(std::iter::once(letter.to_ascii_lowercase()))
    });
    letters.collect()
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
