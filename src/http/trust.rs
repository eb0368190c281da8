//! Which certificates are trusted: the platform's store, and what is named besides.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, ServerName, UnixTime,
        pem::{self, PemObject, SectionKind},
    },
};
use rustls_platform_verifier::Verifier;

/// The certificate of an authority, checked to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCertificate(CertificateDer<'static>);

/// Why a text holds no certificates that can be used. Quotes nothing of it, for it may hold a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableCertificates {
    /// No certificate in it.
    #[error("holds no certificate; expected PEM, which begins with -----BEGIN CERTIFICATE-----")]
    Empty,
    /// Begun, and not ended or not base64.
    #[error("is not well-formed PEM")]
    Malformed,
    /// What the PEM holds is something else.
    #[error("holds something that is not a certificate")]
    NotACertificate,
    /// A key has no business here.
    #[error("holds a private key; only the certificates of authorities belong here")]
    PrivateKey,
}

impl CaCertificate {
    /// Reads all certificates of a PEM text.
    pub fn read_pem(text: &[u8]) -> Result<Vec<Self>, UnusableCertificates> {
        let mut certificates = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
            let certificate = match section {
                Ok((SectionKind::Certificate, der)) => CertificateDer::from(der),
                Ok((SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey, _)) => {
                    return Err(UnusableCertificates::PrivateKey);
                }
                Ok(_) => return Err(UnusableCertificates::NotACertificate),
                Err(pem::Error::NoItemsFound) => break,
                Err(_) => return Err(UnusableCertificates::Malformed),
            };
            let is_anchor = RootCertStore::empty().add(certificate.clone()).is_ok();
            certificates.push(is_anchor.then_some(Self(certificate)).ok_or(UnusableCertificates::NotACertificate)?);
        }
        if certificates.is_empty() { Err(UnusableCertificates::Empty) } else { Ok(certificates) }
    }
}

/// What is trusted, read once.
pub(super) struct Trust {
    verifier: Arc<dyn ServerCertVerifier>,
    config: ClientConfig,
    /// What of it could not be read. It matters only to whoever is not trusted then.
    pub(super) gap: Option<String>,
}

impl Trust {
    /// Reads the platform's store, which takes milliseconds, and the file. As in Node, a file that cannot be read is no fault.
    pub(super) fn read(certificates: &[CaCertificate], file: Option<&PathBuf>) -> Result<Self, rustls::Error> {
        let (from_file, gap) = match file.map(|file| read_file(file)) {
            None => (Vec::new(), None),
            Some(Ok(certificates)) => (certificates, None),
            Some(Err(gap)) => (Vec::new(), Some(gap)),
        };
        let extra = certificates.iter().chain(&from_file).map(|CaCertificate(der)| der.clone()).collect::<Vec<_>>();
        // With none, Windows would ask an empty engine first.
        let verifier = if extra.is_empty() {
            Verifier::new(provider())?
        } else {
            Verifier::new_with_extra_roots(extra, provider())?
        };
        let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier);
        Ok(Self { config: config(Arc::clone(&verifier))?, verifier, gap })
    }

    /// Copies share the tickets by which a session is taken up again.
    pub(super) fn config(&self) -> ClientConfig {
        self.config.clone()
    }

    /// The same trust, and a note of the certificate that this host shows.
    pub(super) fn witnessed(&self, host: &str) -> Result<(ClientConfig, Arc<Witness>), rustls::Error> {
        let verifier = Arc::clone(&self.verifier);
        let witness = Arc::new(Witness { verifier, host: host.to_owned(), certificate: Mutex::default() });
        Ok((config(Arc::<Witness>::clone(&witness))?, witness))
    }
}

/// For plain HTTP, which needs no trust and so does not wait until the store is read.
pub(super) fn no_trust() -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn config(verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn read_file(file: &Path) -> Result<Vec<CaCertificate>, String> {
    let gap = |reason: &dyn fmt::Display| format!("NODE_EXTRA_CA_CERTS was ignored: {} {reason}", file.display());
    let text = fs::read(file).map_err(|error| gap(&format_args!("cannot be read: {error}")))?;
    CaCertificate::read_pem(&text).map_err(|unusable| gap(&unusable))
}

/// Verifies like another, and remembers what it was shown.
#[derive(Debug)]
pub(super) struct Witness {
    verifier: Arc<dyn ServerCertVerifier>,
    host: String,
    certificate: Mutex<Option<Vec<u8>>>,
}

impl Witness {
    /// The host's own certificate (DER), whether it was accepted or not.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        self.certificate.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // An https:// proxy shows one, too.
        if server_name.to_str() == self.host {
            *self.certificate.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        }
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_says_what_it_is_instead() {
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
        ] {
            assert_eq!(CaCertificate::read_pem(text.as_bytes()), Err(reason), "{text}");
        }
    }
}
