//! Options of the network.

use std::{path::PathBuf, time::Duration};

use http::HeaderValue;

use super::{
    proxy::{Proxy, ProxyVariables},
    trust::CaCertificate,
};

#[derive(Clone)]
pub struct NetworkOptions {
    /// Trusted in addition to the platform's store.
    pub ca_certificates: Vec<CaCertificate>,
    /// `NODE_EXTRA_CA_CERTS`: a PEM file with more trusted certificates, read by the first call. As in Node, a file or an entry
    /// that cannot be read is ignored; an error about an untrusted certificate mentions it.
    pub extra_ca_file: Option<PathBuf>,
    pub proxy: Proxy,
    pub user_agent: HeaderValue,
    /// For name resolution, connection, proxy and TLS together.
    pub connect_timeout: Duration,
    /// How long a server may be silent. Before the response begins this includes the time to connect, so it must be longer than
    /// `connect_timeout`.
    pub read_timeout: Duration,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            ca_certificates: Vec::new(),
            extra_ca_file: None,
            proxy: Proxy::Environment(ProxyVariables::default()),
            user_agent: HeaderValue::from_static(USER_AGENT),
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(20),
        }
    }
}

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// The `User-Agent` header: this library, then the application, which must have 1 to 256 printable ASCII characters.
#[must_use]
pub fn user_agent(application: &str) -> Option<HeaderValue> {
    let is_printable = application.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let is_sized = !application.trim().is_empty() && application.len() <= 256;
    (is_printable && is_sized).then(|| HeaderValue::try_from(format!("{USER_AGENT} {}", application.trim())).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_name_must_fit_into_a_header() {
        let agent = user_agent("contoso-desk/2.1 (Electron)").unwrap();
        assert_eq!(agent, format!("{USER_AGENT} contoso-desk/2.1 (Electron)"));
        for text in ["", " ", "a\r\nb: c", "caf\u{e9}", &"x".repeat(257)] {
            assert_eq!(user_agent(text), None, "{text:?}");
        }
    }
}
