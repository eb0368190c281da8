//! Trusted certificates: those of the platform's store, and those named in the options or in a file.

mod pem;
pub(super) mod verifier;

use std::{
    fmt, fs,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::CertificateDer,
};

use self::{
    pem::Block,
    verifier::{Recording, Verifier},
};

/// Largest CA file, in bytes. The bundle of all public authorities has about 200,000.
const MAX_FILE: u64 = 16 << 20;

/// Certificate of an authority, or the self-signed one of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCertificate(CertificateDer<'static>);

/// Why certificates cannot be used. Quotes nothing of the PEM, which may hold a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableCertificates {
    #[error("holds no certificate; expected PEM, which begins with -----BEGIN CERTIFICATE-----")]
    Empty,
    /// A block has no end or is not base64.
    #[error("is not well-formed PEM")]
    Malformed,
    /// It holds something else, such as a certificate request.
    #[error("holds something that is not a certificate")]
    NotACertificate,
    #[error("holds a TRUSTED CERTIFICATE, which only OpenSSL supports; convert it with `openssl x509`")]
    Conditional,
    #[error("holds a private key; only the certificates of authorities belong here")]
    PrivateKey,
}

impl CaCertificate {
    /// Reads PEM in which every block must be a certificate.
    pub fn read_pem(text: &[u8]) -> Result<Vec<Self>, UnusableCertificates> {
        let certificates = pem::blocks(text).into_iter().map(Self::read).collect::<Result<Vec<_>, _>>()?;
        if certificates.is_empty() { Err(UnusableCertificates::Empty) } else { Ok(certificates) }
    }

    fn read(block: Block) -> Result<Self, UnusableCertificates> {
        let der = match block {
            Block::Certificate(der) => CertificateDer::from(der),
            Block::PrivateKey => return Err(UnusableCertificates::PrivateKey),
            Block::Conditional => return Err(UnusableCertificates::Conditional),
            Block::Other => return Err(UnusableCertificates::NotACertificate),
            Block::Malformed => return Err(UnusableCertificates::Malformed),
        };
        let is_usable = RootCertStore::empty().add(der.clone()).is_ok();
        is_usable.then_some(Self(der)).ok_or(UnusableCertificates::NotACertificate)
    }
}

pub(super) struct Trust {
    verifier: Verifier,
    config: ClientConfig,
    /// Why certificates of the CA file are missing. Mentioned if a server is not trusted.
    pub(super) unreadable_ca_file: Option<String>,
}

impl Trust {
    /// Reads the platform's store, which takes milliseconds, and the file. Blocks the thread. As in Node, a file or an entry that
    /// cannot be read is ignored.
    pub(super) fn read(certificates: &[CaCertificate], file: Option<&Path>) -> Result<Self, rustls::Error> {
        let (from_file, unreadable_ca_file) = file.map(read_file).unwrap_or_default();
        let mut named: Vec<CertificateDer<'static>> = Vec::new();
        for CaCertificate(der) in certificates.iter().chain(&from_file) {
            if !named.contains(der) {
                named.push(der.clone());
            }
        }
        // With an empty list, Windows would query an empty engine first.
        let platform = if named.is_empty() {
            rustls_platform_verifier::Verifier::new(provider())?
        } else {
            rustls_platform_verifier::Verifier::new_with_extra_roots(named.clone(), provider())?
        };
        let verifier = Verifier { platform: Arc::new(platform), named: named.into(), recording: None };
        Ok(Self { config: config(verifier.clone())?, verifier, unreadable_ca_file })
    }

    /// Configurations share the tickets that resume TLS sessions.
    pub(super) fn config(&self) -> ClientConfig {
        self.config.clone()
    }

    /// The same trust, and a recording of the certificate that this host presents.
    pub(super) fn recording(&self, host: &str) -> Result<(ClientConfig, Arc<Recording>), rustls::Error> {
        let recording = Arc::new(Recording::new(host));
        let verifier = Verifier { recording: Some(Arc::clone(&recording)), ..self.verifier.clone() };
        Ok((config(verifier)?, recording))
    }
}

/// For plain HTTP, which needs no certificates and so need not wait until they are read.
pub(super) fn no_trust() -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn config(verifier: Verifier) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificates of `NODE_EXTRA_CA_CERTS`, and which of its entries were ignored and why. As in Node, an invalid entry, a key or a
/// request does not affect the certificates beside it.
fn read_file(file: &Path) -> (Vec<CaCertificate>, Option<String>) {
    let name = file.display();
    let ignored = |reason: &dyn fmt::Display| Some(format!("NODE_EXTRA_CA_CERTS was ignored: {name} {reason}"));
    let text = match read_bounded(file) {
        Ok(text) => text,
        Err(error) => return (Vec::new(), ignored(&format_args!("cannot be read: {error}"))),
    };
    let (read, unread): (Vec<_>, Vec<_>) =
        pem::blocks(&text).into_iter().map(CaCertificate::read).partition(Result::is_ok);
    let certificates: Vec<_> = read.into_iter().filter_map(Result::ok).collect();
    let reasons: Vec<_> = unread.into_iter().filter_map(Result::err).collect();
    let unreadable = match (certificates.len(), reasons.as_slice()) {
        (0, []) => ignored(&UnusableCertificates::Empty),
        (0, [reason, ..]) => ignored(reason),
        (_, []) => None,
        (read, reasons) => Some(format!(
            "of NODE_EXTRA_CA_CERTS, {} of {} entries were ignored: {name} {}",
            reasons.len(),
            read + reasons.len(),
            reasons[0]
        )),
    };
    (certificates, unreadable)
}

/// Reads a regular file up to [`MAX_FILE`] bytes: a pipe or a device may never end.
fn read_bounded(file: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = Vec::new();
    fs::File::open(file)?.take(MAX_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("it is longer than {MAX_FILE} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_contents_are_rejected_with_the_reason() {
        let pem = |kind: &str, body: &str| format!("-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n");
        for (text, reason) in [
            (String::new(), UnusableCertificates::Empty),
            ("/etc/ssl/ca.pem".into(), UnusableCertificates::Empty),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n".into(), UnusableCertificates::Malformed),
            (pem("CERTIFICATE", "not base64!"), UnusableCertificates::Malformed),
            (pem("CERTIFICATE", "AAAA"), UnusableCertificates::NotACertificate),
            (pem("CERTIFICATE REQUEST", "AAAA"), UnusableCertificates::NotACertificate),
            (pem("PRIVATE KEY", "AAAA"), UnusableCertificates::PrivateKey),
            (pem("RSA PRIVATE KEY", "AAAA"), UnusableCertificates::PrivateKey),
            (pem("EC PRIVATE KEY", "AAAA"), UnusableCertificates::PrivateKey),
            (pem("ENCRYPTED PRIVATE KEY", "AAAA"), UnusableCertificates::PrivateKey),
            (pem("TRUSTED CERTIFICATE", "AAAA"), UnusableCertificates::Conditional),
            (pem("X509 CRL", "AAAA"), UnusableCertificates::NotACertificate),
        ] {
            assert_eq!(CaCertificate::read_pem(text.as_bytes()), Err(reason), "{text}");
        }
    }
}
