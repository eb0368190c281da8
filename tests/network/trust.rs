//! Accepted certificates, and the errors of the others.

use omnichannel_link::http::{CaCertificate, HttpErrorKind, NetworkOptions, NetworkService, Proxy};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa};
use tempfile::TempDir;

use crate::{
    fails, get,
    servers::{Authority, Server, TestProxy, Tls},
    service,
    support::http::ScriptedServer,
    through, trusting,
};

const DAMAGED: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
const CONDITIONAL: &str = "-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n";

/// A client that trusts the certificates in this text, which is the content of a file.
fn with_file(folder: &TempDir, text: &str) -> NetworkService {
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, text).unwrap();
    service(NetworkOptions { extra_ca_file: Some(file), ..trusting(&Authority::new()) })
}

#[tokio::test]
async fn invalid_entries_of_the_file_do_not_affect_the_others() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::secure(&authority.issue("127.0.0.1")).await;
    let url = format!("https://{}/", server.address);
    let folder = tempfile::tempdir().unwrap();
    let (valid, theirs) = (authority.pem().replace("\r\n", "\n"), other.pem());
    let cut = &theirs[..theirs.len() / 2];
    for text in [
        valid.clone(),
        format!("{valid}{valid}{theirs}{valid}"),
        format!("{DAMAGED}{valid}"),
        format!("{valid}{DAMAGED}"),
        format!("{}{valid}", DAMAGED.replace("AAAA", "not base64!")),
        format!("{cut}\n{valid}"),
        format!("{valid}{cut}"),
        format!("{KEY}{valid}{KEY}"),
        format!("{CONDITIONAL}{valid}{CONDITIONAL}"),
        format!("Subject: CN=x\n{theirs}\n# ours\n{valid}bye"),
        format!("\u{feff}{valid}"),
        format!("{theirs}\u{feff}{valid}"),
        valid.replace('\n', "\r\n"),
        valid.replace('\n', " \n"),
        valid.replace("CERTIFICATE", "X509 CERTIFICATE"),
    ] {
        assert_eq!(get(&with_file(&folder, &text), &url).await.unwrap(), 200, "{text}");
    }
}

#[tokio::test]
async fn the_ignored_entries_of_the_file_are_named_in_the_error() {
    let server = Server::secure(&Authority::new().issue("127.0.0.1")).await;
    let url = format!("https://{}/", server.address);
    let (folder, theirs) = (tempfile::tempdir().unwrap(), Authority::new().pem());
    for (text, message) in [
        (String::new(), "NODE_EXTRA_CA_CERTS was ignored: "),
        (DAMAGED.into(), "NODE_EXTRA_CA_CERTS was ignored: "),
        (CONDITIONAL.into(), "ca.pem holds a TRUSTED CERTIFICATE"),
        (format!("{DAMAGED}{theirs}{KEY}"), "of NODE_EXTRA_CA_CERTS, 2 of 3 entries were ignored: "),
    ] {
        let error = fails(&with_file(&folder, &text), &url).await;
        assert_eq!(error.kind, HttpErrorKind::Untrusted);
        assert!(error.message.contains(message), "{error}");
    }
}

#[test]
fn in_the_options_every_entry_must_be_valid() {
    let valid = Authority::new().pem().replace("\r\n", "\n");
    for text in [format!("{valid}{DAMAGED}"), format!("{valid}{KEY}"), format!("{CONDITIONAL}{valid}")] {
        assert!(CaCertificate::read_pem(text.as_bytes()).is_err(), "{text}");
    }
    assert_eq!(CaCertificate::read_pem(valid.replace('\n', "\n    ").as_bytes()).unwrap().len(), 1, "indented");
}

#[tokio::test]
async fn a_missing_file_is_read_as_soon_as_it_exists() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::secure(&authority.issue("127.0.0.1")).await;
    let url = format!("https://{}/", server.address);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let service = service(NetworkOptions { extra_ca_file: Some(file.clone()), ..trusting(&other) });
    assert_eq!(fails(&service, &url).await.kind, HttpErrorKind::Untrusted);
    std::fs::write(&file, authority.pem()).unwrap();
    assert_eq!(get(&service, &url).await.unwrap(), 200);
}

#[cfg(unix)]
#[tokio::test]
async fn only_regular_files_are_read() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::secure(&authority.issue("127.0.0.1")).await;
    for path in ["/dev/zero", "/dev", "/dev/null"] {
        let options = NetworkOptions { extra_ca_file: Some(path.into()), ..trusting(&other) };
        let error = fails(&service(options), &format!("https://{}/", server.address)).await;
        assert!(error.message.contains(" cannot be read: it is not a regular file"), "{error}");
    }
}

/// A certificate as `openssl req -x509` creates it.
fn openssl(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn self_signed(common_name: &str, names: &[&str]) -> Tls {
    Tls::self_signed(&openssl(common_name, names))
}

fn trusting_pem(pem: &str) -> NetworkOptions {
    let ca_certificates = CaCertificate::read_pem(pem.as_bytes()).unwrap();
    NetworkOptions { ca_certificates, proxy: Proxy::Direct, ..NetworkOptions::default() }
}

#[tokio::test]
async fn a_trusted_self_signed_certificate_is_accepted_for_its_names_and_its_time() {
    let during = |from, until| {
        let mut params = openssl("x", &["a.contoso.test"]);
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(from, 1, 1), rcgen::date_time_ymd(until, 1, 1));
        Tls::self_signed(&params)
    };
    let for_purpose = |purpose| {
        let mut params = openssl("x", &["a.contoso.test"]);
        params.extended_key_usages = vec![purpose];
        Tls::self_signed(&params)
    };
    let plain = Tls::self_signed(&CertificateParams::new(["a.contoso.test".to_owned()]).unwrap());
    for (tls, rejection) in [
        (self_signed("x", &["a.contoso.test"]), None),
        (self_signed("x", &["*.contoso.test", "127.0.0.1"]), None),
        (plain, None),
        // The common name counts if there is no alternative name, as in Node.
        (self_signed("a.contoso.test", &[]), None),
        (self_signed("A.CONTOSO.test", &["127.0.0.1"]), None),
        (self_signed("*.contoso.test", &[]), None),
        (self_signed("*.test", &[]), Some("was issued for another name")),
        (self_signed("a.contoso.test", &["other.test"]), Some("was issued for another name")),
        (self_signed("x", &[]), Some("was issued for another name")),
        (self_signed("x", &["b.a.contoso.test"]), Some("was issued for another name")),
        (during(2000, 2001), Some("has expired")),
        (during(3000, 3001), Some("is not valid yet")),
        (for_purpose(ExtendedKeyUsagePurpose::ServerAuth), None),
        (for_purpose(ExtendedKeyUsagePurpose::ClientAuth), Some("was not issued for a server")),
    ] {
        let server = Server::secure(&tls).await;
        let proxy = TestProxy::to(&[("a.contoso.test", &server)]).await;
        let proxy = Proxy::Url(format!("http://{}", proxy.address).parse().unwrap());
        let service = service(NetworkOptions { proxy, ..trusting_pem(&tls.pem) });
        match rejection {
            None => assert_eq!(get(&service, "https://a.contoso.test/").await.unwrap(), 200),
            Some(message) => {
                let error = fails(&service, "https://a.contoso.test/").await;
                assert_eq!(error.kind, HttpErrorKind::Untrusted);
                assert!(error.message.starts_with(&format!("the certificate of a.contoso.test {message}")), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_accepted_for_an_address_from_the_file() {
    let tls = self_signed("x", &["127.0.0.1"]);
    let server = Server::secure(&tls).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{DAMAGED}{}", tls.pem)).unwrap();
    let options = NetworkOptions { extra_ca_file: Some(file.path().into()), ..trusting(&Authority::new()) };
    assert_eq!(get(&service(options), &format!("https://{}/", server.address)).await.unwrap(), 200);
}

#[tokio::test]
async fn the_common_name_of_a_self_signed_certificate_is_not_an_address() {
    let tls = self_signed("127.0.0.1", &[]);
    let server = Server::secure(&tls).await;
    let error = fails(&service(trusting_pem(&tls.pem)), &format!("https://{}/", server.address)).await;
    assert_eq!(error.kind, HttpErrorKind::Untrusted);
}

#[tokio::test]
async fn a_self_signed_certificate_that_is_not_named_is_rejected() {
    let params = openssl("127.0.0.1", &["127.0.0.1"]);
    let server = Server::secure(&Tls::self_signed(&params)).await;
    // Another one with the same name is trusted.
    let error =
        fails(&service(trusting_pem(&Tls::self_signed(&params).pem)), &format!("https://{}/", server.address)).await;
    assert_eq!(error.kind, HttpErrorKind::Untrusted);
    assert!(error.message.contains("belongs to an authority (CA:TRUE)"), "{error}");
}

#[tokio::test]
async fn tls_errors_show_no_rust_names() {
    const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];
    const CERTIFICATE_REQUIRED: [u8; 7] = [21, 3, 3, 0, 2, 2, 116];
    const UNKNOWN: [u8; 7] = [21, 3, 3, 0, 2, 2, 255];
    /// A `ServerHello` of TLS 1.0.
    const OLD: [u8; 47] = {
        let mut hello = [0; 47];
        let head = [22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
        let mut index = 0;
        while index < head.len() {
            hello[index] = head[index];
            index += 1;
        }
        hello[45] = 0x2f;
        hello
    };
    let sending = async |bytes: &[u8]| ScriptedServer::sending(bytes).await.address;
    for (address, message) in [
        (sending(&HANDSHAKE_FAILURE).await, "the other side ended it with the alert: handshake failure"),
        (sending(&CERTIFICATE_REQUIRED).await, "a client certificate is required, and not supported"),
        (sending(&UNKNOWN).await, "the other side ended it with the alert: unknown reason"),
        (sending(&OLD).await, "the two sides support no common TLS version or cipher suite"),
        (sending(b"HTTP/1.1 400 Bad Request\r\n\r\n").await, "the data received is not valid TLS"),
        (sending(&[22, 3, 3, 0, 4, 14, 0, 0, 0]).await, "the other side violates the TLS protocol"),
    ] {
        let options = trusting(&Authority::new());
        let proxied = through(&format!("https://{address}"), &Authority::new());
        for (options, url) in [(options, format!("https://{address}/")), (proxied, "https://contoso.test/".to_owned())]
        {
            let error = fails(&service(options), &url).await;
            assert_eq!(error.kind, HttpErrorKind::Connect, "{error}");
            assert!(error.message.contains(message), "{error}");
        }
    }
}
