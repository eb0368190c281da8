//! Contents of a certificate, for diagnosis. Nothing is verified here: the handshake decided whether it is trusted.

use std::{fmt, net::IpAddr};

use x509_cert::{
    Certificate as X509,
    der::Decode,
    ext::pkix::{
        SubjectAltName,
        name::{DirectoryString, GeneralName},
    },
    name::Name,
};

use crate::http::redact::redact;

const MAX_NAMES: usize = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The names it is valid for, or the subject's name if it lists none.
    pub subject: String,
    pub issuer: String,
    /// Last day of its validity, such as `2027-01-31`, in UTC.
    pub last_day: String,
}

impl Certificate {
    /// Parses DER. `None` if it is not a certificate.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let certificate = X509::from_der(der).ok()?;
        let certificate = certificate.tbs_certificate();
        let names = certificate.get_extension::<SubjectAltName>().ok().flatten();
        let names = names.iter().flat_map(|(_, names)| &names.0).filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
            GeneralName::IpAddress(bytes) => address(bytes.as_bytes()),
            _ => None,
        });
        let names = names.take(MAX_NAMES).collect::<Vec<_>>().join(", ");
        let subject = if names.is_empty() { full_name(certificate.subject()) } else { names };
        let end = certificate.validity().not_after.to_date_time();
        Some(Self {
            subject: shown(&subject),
            issuer: shown(&full_name(certificate.issuer())),
            last_day: format!("{}-{:02}-{:02}", end.year(), end.month(), end.day()),
        })
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, issuer, last_day } = self;
        write!(f, "certificate for {subject}, issued by {issuer}, until {last_day}")
    }
}

/// Common name and organisation, as far as present.
fn full_name(name: &Name) -> String {
    let text = |part: Option<DirectoryString>| part.map(|text| text.value().into_owned());
    let parts = [name.common_name(), name.organization()];
    parts.into_iter().filter_map(|part| text(part.ok()?)).collect::<Vec<_>>().join(", ")
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from).ok();
    let address = v4.or_else(|| <[u8; 16]>::try_from(bytes).map(IpAddr::from).ok())?;
    Some(address.to_string())
}

/// The text may come from an untrusted server.
fn shown(text: &str) -> String {
    let printable: String = text.chars().filter(|letter| !letter.is_control()).collect();
    redact(&printable, &[]).unwrap_or_else(|| "an unnamed authority".to_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn subject_issuer_and_expiry_are_shown() {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "Contoso TLS Inspection CA");
        authority.distinguished_name.push(DnType::OrganizationName, "Contoso\u{1b}[2J");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let mut params = CertificateParams::new(vec!["*.crm4.dynamics.com".into(), "127.0.0.1".into()]).unwrap();
        params.not_after = date_time_ymd(2027, 1, 31);
        let own = params.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap();
        assert_eq!(
            Certificate::read(own.der()).unwrap().to_string(),
            "certificate for *.crm4.dynamics.com, 127.0.0.1, issued by Contoso TLS Inspection CA, Contoso[2J, until 2027-01-31"
        );
        assert_eq!(Certificate::read(authority.der()).unwrap().subject, "Contoso TLS Inspection CA, Contoso[2J");
        assert_eq!(Certificate::read(b"not one"), None);
    }
}
