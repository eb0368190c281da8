//! Options of the network.

use std::{path::PathBuf, time::Duration};

use http::HeaderValue;

use super::{
    proxy::{Proxy, ProxyVariables},
    trust::CaCertificate,
};

/// How the network is reached.
#[derive(Clone)]
pub struct NetworkOptions {
    /// Trusted besides the platform's store.
    pub ca_certificates: Vec<CaCertificate>,
    /// `NODE_EXTRA_CA_CERTS`: a PEM file, trusted besides, read by the first call. As in Node, it is not an error if it cannot be
    /// read, and each of its entries counts by itself; an error about trust says what does not count.
    pub extra_ca_file: Option<PathBuf>,
    /// Which proxy.
    pub proxy: Proxy,
    /// See [`user_agent`].
    pub user_agent: HeaderValue,
    /// For name, connection, proxy and TLS together.
    pub connect_timeout: Duration,
    /// How long a server may be silent; before its answer begins, the time to connect counts. Longer than the other one.
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

/// What requests say of their sender: this library, and the application if it is 1 to 256 printable ASCII characters.
#[must_use]
pub fn user_agent(application: &str) -> Option<HeaderValue> {
    let is_text = application.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let is_sized = !application.trim().is_empty() && application.len() <= 256;
    (is_text && is_sized).then(|| HeaderValue::try_from(format!("{USER_AGENT} {}", application.trim())).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_text_that_a_header_can_hold() {
        let agent = user_agent("contoso-desk/2.1 (Electron)").unwrap();
        assert_eq!(agent, format!("{USER_AGENT} contoso-desk/2.1 (Electron)"));
        for text in ["", " ", "a\r\nb: c", "caf\u{e9}", &"x".repeat(257)] {
            assert_eq!(user_agent(text), None, "{text:?}");
        }
    }
}
