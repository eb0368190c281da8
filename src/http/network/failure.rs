//! Network errors as messages that name the cause and the host concerned. No URL is shown, and only host and port of a proxy.

use std::{error::Error, io, time::Duration};

use rustls::{AlertDescription, CertificateError};
use url::Url;

use super::{options::NetworkOptions, proxy::ProxyUrl};
use crate::http::service::error::{HttpError, HttpErrorKind};

pub(super) struct Route<'a> {
    pub(super) server: &'a Url,
    pub(super) proxy: Option<&'a ProxyUrl>,
    pub(super) options: &'a NetworkOptions,
    /// Why a CA file is not trusted, if it could not be read.
    pub(super) unreadable_ca_file: Option<String>,
}

/// Prefix of hyper-util's errors while a proxy opens a tunnel. Their type is private.
const TUNNEL: &str = "tunnel error: ";
const UNAUTHORIZED: &str = "proxy authorization required";
const REJECTED: &str = "unsuccessful";

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// A name that cannot be resolved.
#[derive(Debug, thiserror::Error)]
#[error("name not resolved")]
pub(super) struct Unresolved(#[source] pub(super) io::Error);

/// Why a request got no response.
pub(super) enum SendError {
    /// No connection.
    Connect(BoxError),
    /// No connection within this time.
    NotConnected(Duration),
    /// The connection ended before anything was sent.
    NotSent(hyper::Error),
    /// The server was silent for too long.
    Silent,
    /// The connection failed while the request was sent or the response received.
    Lost(hyper::Error),
}

impl SendError {
    /// Whether the next entry of a list may be tried: there was no connection, and the request was not rejected. A proxy that refuses
    /// to connect to the server, or requires a password, is final, because some networks block servers in this way.
    pub(super) fn allows_next_exit(&self) -> bool {
        let Self::Connect(error) = self else { return matches!(self, Self::NotConnected(_)) };
        let tunnel = tunnel_error(&**error);
        let is_rejected = matches!(tunnel.as_deref(), Some(REJECTED | UNAUTHORIZED));
        // The certificate of a proxy is not final: another host may have responded in the proxy's place.
        let is_untrusted =
            matches!(tls_error(&**error), Some(rustls::Error::InvalidCertificate(_))) && tunnel.is_none();
        !is_rejected && !is_untrusted
    }

    /// Whether the server did not act on the request, although it may have received it, and accepts it over a new connection: it closes
    /// this connection of HTTP/2, or refused its stream.
    pub(super) fn is_refusal(&self) -> bool {
        let Self::Lost(error) = self else { return false };
        let Some(error) = causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>()) else { return false };
        let reason = error.reason();
        error.is_remote()
            && (error.is_go_away() && reason == Some(h2::Reason::NO_ERROR)
                || error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM))
    }
}

/// An error that names the cause, with the library's error as its source.
pub(super) fn explain(error: SendError, route: &Route<'_>) -> HttpError {
    let (kind, message, source): (_, _, BoxError) = match error {
        SendError::NotConnected(time) => {
            return HttpError::new(HttpErrorKind::ConnectTimeout, too_late(time, route));
        }
        SendError::Silent => {
            let silence = route.options.read_timeout.as_millis();
            let message = format!("{} was silent for {silence} ms", host(route.server));
            return HttpError::new(HttpErrorKind::ReadTimeout, message);
        }
        SendError::Lost(error) | SendError::NotSent(error) => {
            let message = tls_error(&error).map_or_else(|| innermost(&error), describe_tls_error);
            (HttpErrorKind::Interrupted, message, error.into())
        }
        SendError::Connect(error) => {
            let (kind, message) = classify(&*error, route);
            (kind, message, error)
        }
    };
    HttpError { source: Some(source), ..HttpError::new(kind, message) }
}

fn too_late(time: Duration, route: &Route<'_>) -> String {
    let (server, time) = (address(route.server), time.as_millis());
    let through = route.proxy.map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
    format!("no connection to {server}{through} within {time} ms")
}

/// No client can be built with these settings. Errors about them hold no secret.
pub(super) fn invalid_settings(error: impl Error + Send + Sync + 'static) -> HttpError {
    let message = format!("no connection can be made with these settings ({})", describe(&error));
    HttpError::new(HttpErrorKind::NoRoute, message).caused_by(error)
}

/// The error of a proxy that was to open a tunnel.
fn tunnel_error(error: &(dyn Error + 'static)) -> Option<String> {
    causes(error).map(ToString::to_string).find_map(|text| text.strip_prefix(TUNNEL).map(str::to_owned))
}

/// Why there is no connection.
fn classify(error: &(dyn Error + 'static), route: &Route<'_>) -> (HttpErrorKind, String) {
    let (server, innermost) = (address(route.server), innermost(error));
    let tunnel = tunnel_error(error);
    // Until there is a tunnel, the peer is the proxy.
    let (peer, peer_host) = match (route.proxy, &tunnel) {
        (Some(proxy), Some(tunnel)) => match tunnel.as_str() {
            UNAUTHORIZED => {
                let what = if proxy.has_user() { "did not accept the" } else { "requires a" };
                return (HttpErrorKind::ProxyRefused, format!("the proxy {proxy} {what} user and password"));
            }
            REJECTED => {
                return (HttpErrorKind::Connect, format!("the proxy {proxy} does not connect to {server}"));
            }
            "unexpected end of file" => {
                return (
                    HttpErrorKind::Connect,
                    format!("the proxy {proxy} closed the connection while tunnelling to {server}"),
                );
            }
            _ => (format!("the proxy {proxy}"), format!("the proxy {proxy}")),
        },
        _ => (server, host(route.server).to_owned()),
    };
    if let Some(error) = tls_error(error) {
        return classify_tls(error, &peer_host, route.unreadable_ca_file.as_deref());
    }
    let message = if causes(error).any(<dyn Error>::is::<Unresolved>) {
        format!("the name of {peer_host} cannot be resolved ({innermost})")
    } else {
        match causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => format!("{peer} refused the connection ({innermost})"),
            Some(io::ErrorKind::UnexpectedEof) => format!("{peer} closed the connection during the TLS handshake"),
            _ => format!("no connection to {peer} ({innermost})"),
        }
    };
    (HttpErrorKind::Connect, message)
}

fn classify_tls(error: &rustls::Error, host: &str, unreadable_ca_file: Option<&str>) -> (HttpErrorKind, String) {
    let rustls::Error::InvalidCertificate(reason) = error else {
        return (
            HttpErrorKind::Connect,
            format!("the TLS handshake with {host} failed ({})", describe_tls_error(error)),
        );
    };
    let mention = unreadable_ca_file.map_or_else(String::new, |file| format!("; {file}"));
    (HttpErrorKind::Untrusted, format!("the certificate of {host} {}{mention}", describe_certificate_error(reason)))
}

/// Why a certificate is not accepted. Windows and macOS have messages of their own.
fn describe_certificate_error(reason: &CertificateError) -> String {
    use CertificateError as E;
    #[allow(deprecated, reason = "webpki still returns one of them")]
    let known = match reason {
        E::UnknownIssuer => "was issued by an authority that is not trusted here",
        E::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "names no host (it has no Subject Alternative Name, and its common name does not count)"
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => "was issued for another name",
        E::Expired | E::ExpiredContext { .. } => "has expired, or this machine's clock is wrong",
        E::NotValidYet | E::NotValidYetContext { .. } => "is not valid yet, or this machine's clock is wrong",
        // An authority that was created again under its old name, or a key that rustls does not support.
        E::BadSignature => {
            "was not signed by the authority that it names, or its key or that of the authority is too short (RSA needs at least 2048 bits)"
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
        // Errors of webpki and of the platform's verifier. Their types are private.
        E::Other(other) => match format!("{:?}", other.0).as_str() {
            "CaUsedAsEndEntity" => {
                "belongs to an authority (CA:TRUE), which a server may use only if it is self-signed and named as trusted"
            }
            "UnsupportedCertVersion" => "is not an X.509 version 3 certificate",
            "EkuError" => "was not issued for a server",
            _ => return describe_system_error(&describe(&*other.0)),
        },
        _ => "cannot be accepted",
    };
    known.to_owned()
}

/// An error of the system's verifier that rustls has no value for. Windows's are known by their number: Windows has long messages, in its own
/// language, and for a few numbers it has none, so that Rust tells of its own function instead.
fn describe_system_error(message: &str) -> String {
    let number = message.strip_suffix(')').and_then(|text| text.rsplit_once("(os error ")?.1.parse::<i32>().ok());
    let known = match number.map(i32::cast_unsigned) {
        // CERT_E_CHAINING, CERT_E_UNTRUSTEDCA
        Some(0x800B_010A | 0x800B_0112) => CertificateError::UnknownIssuer,
        // TRUST_E_CERT_SIGNATURE
        Some(0x8009_6004) => CertificateError::BadSignature,
        // CRYPT_E_NO_REVOCATION_CHECK, CRYPT_E_REVOCATION_OFFLINE, CERT_E_REVOCATION_FAILURE
        Some(0x8009_2012 | 0x8009_2013 | 0x800B_010E) => CertificateError::UnknownRevocationStatus,
        Some(number) if message.starts_with("OS Error ") => {
            return format!("cannot be accepted (error {number:#010X})");
        }
        _ => return format!("cannot be accepted ({message})"),
    };
    describe_certificate_error(&known)
}

/// An error of TLS. The library's own messages quote Rust names.
pub(super) fn describe_tls_error(error: &rustls::Error) -> String {
    use rustls::Error as E;
    let known = match error {
        E::AlertReceived(AlertDescription::CertificateRequired) => {
            "a client certificate is required, and not supported"
        }
        E::AlertReceived(alert) => {
            return format!("the other side ended it with the alert: {}", words(&format!("{alert:?}")));
        }
        E::InvalidMessage(_) => "the data received is not valid TLS",
        E::PeerIncompatible(_) => "the two sides support no common TLS version or cipher suite",
        E::PeerMisbehaved(_) | E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
            "the other side violates the TLS protocol"
        }
        E::InvalidCertificate(reason) => return format!("the certificate {}", describe_certificate_error(reason)),
        E::General(text) => return text.clone(),
        other => return describe(other),
    };
    known.to_owned()
}

/// The message of an error. Some libraries have nothing but the `Debug` form of a value, which is turned into words.
pub(super) fn describe(error: &(impl Error + ?Sized)) -> String {
    let (shown, debug) = (error.to_string(), format!("{error:?}"));
    if shown == debug { words(&shown) } else { shown }
}

/// Turns `HandshakeFailure` into "handshake failure". Anything longer than a name is not shown.
fn words(name: &str) -> String {
    if name.is_empty() || !name.bytes().all(|letter| letter.is_ascii_alphanumeric()) {
        return "unknown reason".to_owned();
    }
    let letters = name.chars().enumerate().flat_map(|(index, letter)| {
        let space = (index > 0 && letter.is_ascii_uppercase()).then_some(' ');
        space.into_iter().chain(std::iter::once(letter.to_ascii_lowercase()))
    });
    letters.collect()
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(String::new, describe)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| cause_of(*cause))
}

/// The source of an error. An I/O error leaves the error inside it, such as one of TLS, out of its chain of sources.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{CertificateError, OtherError};

    /// An error as the verifier of Windows or macOS makes it.
    fn described(message: &str) -> String {
        let error: super::BoxError = message.to_owned().into();
        super::describe_certificate_error(&CertificateError::Other(OtherError(Arc::from(error))))
    }

    #[test]
    fn errors_of_windows_are_described_by_number() {
        let unknown = "was issued by an authority that is not trusted here";
        for (message, description) in [
            ("Eine Zertifikatkette konnte nicht erstellt werden. (os error -2146762486)", unknown),
            ("OS Error -2146762486 (FormatMessageW() returned error 317) (os error -2146762486)", unknown),
            ("The revocation server was offline. (os error -2146885613)", "cannot be checked for revocation"),
            (
                "OS Error -2146762487 (FormatMessageW() returned error 317) (os error -2146762487)",
                "cannot be accepted (error 0x800B0109)",
            ),
            (
                "A certificate is bad. (os error -2146762487)",
                "cannot be accepted (A certificate is bad. (os error -2146762487))",
            ),
            (
                "“contoso” certificate is not standards compliant: -67901",
                "cannot be accepted (“contoso” certificate is not standards compliant: -67901)",
            ),
            ("", "cannot be accepted ()"),
        ] {
            assert_eq!(described(message), description, "{message}");
        }
    }
}
