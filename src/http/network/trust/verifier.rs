//! Verifies server certificates. A server may use a self-signed certificate that is named as trusted: webpki treats every trusted
//! certificate as an authority and rejects it as a server's own, but `openssl req -x509` creates both in one, and Node accepts that.

use std::sync::{Arc, Mutex};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use x509_cert::{
    Certificate as X509,
    der::{Decode as _, oid::ObjectIdentifier},
    ext::pkix::{ExtendedKeyUsage, SubjectAltName, name::GeneralName},
};

use crate::sync::lock;

/// Extended key usage of a server's certificate.
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");

/// Verifies as the platform does, except for self-signed certificates that are named as trusted.
#[derive(Clone, Debug)]
pub(super) struct Verifier {
    pub(super) platform: Arc<dyn ServerCertVerifier>,
    /// Named as trusted, in the options or in a file.
    pub(super) named: Arc<[CertificateDer<'static>]>,
    /// Records the certificate that a host presents, for diagnosis.
    pub(super) recording: Option<Arc<Recording>>,
}

impl Verifier {
    /// The certificate, if it is self-signed and one of those that are named.
    fn named(&self, end_entity: &CertificateDer<'_>) -> Option<X509> {
        let certificate = self.named.contains(end_entity).then(|| X509::from_der(end_entity).ok())??;
        let content = certificate.tbs_certificate();
        (content.issuer() == content.subject()).then_some(certificate)
    }
}

/// The certificate that one host presented, whether it was accepted or not.
#[derive(Debug)]
pub(in crate::http::network) struct Recording {
    host: String,
    certificate: Mutex<Option<Vec<u8>>>,
}

impl Recording {
    pub(super) fn new(host: &str) -> Self {
        Self { host: host.to_owned(), certificate: Mutex::default() }
    }

    /// In DER.
    pub(in crate::http::network) fn certificate(&self) -> Option<Vec<u8>> {
        lock(&self.certificate).take()
    }

    fn record(&self, server_name: &ServerName<'_>, end_entity: &CertificateDer<'_>) {
        // An https:// proxy presents one, too.
        if server_name.to_str() == self.host {
            *lock(&self.certificate) = Some(end_entity.to_vec());
        }
    }
}

/// Verifies validity period, purpose and name of a self-signed certificate. Its own signature would prove nothing.
fn verify_self_signed(
    certificate: &X509,
    der: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), Error> {
    let content = certificate.tbs_certificate();
    let seconds = |time: &x509_cert::time::Time| time.to_unix_duration().as_secs();
    if now.as_secs() < seconds(&content.validity().not_before) {
        return Err(CertificateError::NotValidYet.into());
    }
    if now.as_secs() > seconds(&content.validity().not_after) {
        return Err(CertificateError::Expired.into());
    }
    let usage = content.get_extension::<ExtendedKeyUsage>().map_err(|_| CertificateError::BadEncoding)?;
    if usage.is_some_and(|(_, usage)| !usage.0.contains(&SERVER_AUTH)) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    let by_alternative_name = verify_server_name(&ParsedCertificate::try_from(der)?, name);
    if by_alternative_name.is_ok() || is_common_name(certificate, name) {
        return Ok(());
    }
    // The context of the error would lack the common name, which was compared too.
    by_alternative_name.map_err(|error| match error {
        Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }) => {
            CertificateError::NotValidForName.into()
        }
        other => other,
    })
}

/// As in Node, the common name counts if there is no alternative name. Only for self-signed certificates: with others it would bypass
/// the name constraints of the authority.
fn is_common_name(certificate: &X509, name: &ServerName<'_>) -> bool {
    let ServerName::DnsName(name) = name else { return false };
    let content = certificate.tbs_certificate();
    let Ok(alternatives) = content.get_extension::<SubjectAltName>() else { return false };
    let is_name = |alternative: &GeneralName| matches!(alternative, GeneralName::DnsName(_));
    if alternatives.is_some_and(|(_, alternatives)| alternatives.0.iter().any(is_name)) {
        return false;
    }
    let Ok(Some(common)) = content.subject().common_name() else { return false };
    let common = common.value().into_owned();
    let name = name.as_ref().trim_end_matches('.');
    match (common.strip_prefix("*."), name.split_once('.')) {
        // A wildcard stands for one label, and not for a whole top-level domain.
        (Some(parent), Some((_, rest))) => parent.contains('.') && parent.eq_ignore_ascii_case(rest),
        (None, _) => common.eq_ignore_ascii_case(name),
        _ => false,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(recording) = &self.recording {
            recording.record(server_name, end_entity);
        }
        match self.named(end_entity) {
            Some(certificate) => {
                verify_self_signed(&certificate, end_entity, server_name, now).map(|()| ServerCertVerified::assertion())
            }
            None => self.platform.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.platform.supported_verify_schemes()
    }
}
