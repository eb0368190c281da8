//! https under production names, as a client behind a mapping proxy sees it.

use std::{io::ErrorKind, net::SocketAddr};

use omnichannel_link_emulator::{Emulator, Organisation};
use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::client::{ACCOUNT, pages};

const API: &str = "contoso.crm4.dynamics.com";
const LOGIN: &str = "login.microsoftonline.com";

async fn start() -> Emulator {
    let mut organisation = Organisation::new();
    for page in pages() {
        organisation.load_page("page", &page).unwrap();
    }
    Emulator::start_tls(organisation, 0, &[API, LOGIN]).await.unwrap()
}

fn address(emulator: &Emulator) -> SocketAddr {
    let port = emulator.url().rsplit(':').next().unwrap().parse().unwrap();
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A client that trusts only this emulator and resolves all its names to its port.
fn client(emulator: &Emulator) -> Client {
    let ca = Certificate::from_pem(emulator.ca_certificate().unwrap().as_bytes()).unwrap();
    let names = [API, LOGIN, "localhost", "elsewhere.crm.dynamics.com"];
    let client = Client::builder().no_proxy().tls_certs_only([ca]);
    names.iter().fold(client, |client, name| client.resolve(name, address(emulator))).build().unwrap()
}

async fn token(emulator: &Emulator, scope: &str) -> Value {
    let application = emulator.application();
    let body = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope={scope}",
        application.client_id, application.client_secret
    );
    let request = client(emulator).post(format!("https://{LOGIN}/{}/oauth2/v2.0/token", application.tenant_id));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_challenge_names_the_production_resource() {
    let emulator = start().await;
    let stranger =
        client(&emulator).get(format!("https://{API}/api/data/v9.2/accounts({ACCOUNT})")).send().await.unwrap();
    let challenge = stranger.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.ends_with(&format!("resource_id=https://{API}/")), "{challenge}");
}

#[tokio::test]
async fn requests_to_production_names_are_served() {
    let emulator = start().await;
    let (client, url) = (client(&emulator), format!("https://{API}/api/data/v9.2/accounts({ACCOUNT})"));
    let issued = token(&emulator, &format!("https://{API}/.default")).await;
    let authorised = |method| client.request(method, &url).bearer_auth(issued["access_token"].as_str().unwrap());
    let row = authorised(Method::GET).send().await.unwrap();
    assert_eq!((row.status().as_u16(), row.version()), (200, reqwest::Version::HTTP_11));
    let row: Value = serde_json::from_str(&row.text().await.unwrap()).unwrap();
    assert_eq!(row["@odata.context"], format!("https://{API}/api/data/v9.2/$metadata#accounts/$entity"));
    let written = authorised(Method::PATCH).header("content-type", "application/json").body("{\"name\":\"New\"}");
    let written = written.send().await.unwrap();
    assert_eq!(written.headers()["odata-entityid"], url.as_str());
    assert_eq!(written.headers()["strict-transport-security"], "max-age=31536000; includeSubDomains");
    assert!(written.headers()["set-cookie"].to_str().unwrap().ends_with("; path=/; secure; HttpOnly"));
}

#[tokio::test]
async fn requests_to_the_emulators_own_names_are_served() {
    let emulator = start().await;
    assert!(emulator.url().starts_with("https://localhost:"), "{}", emulator.url());
    assert!(emulator.ca_certificate().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    for own in [format!("{}/x", emulator.url()), format!("https://127.0.0.1:{}/x", address(&emulator).port())] {
        let response = client(&emulator).get(own).send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers().get("strict-transport-security"), None, "it would affect other local servers");
    }
}

#[tokio::test]
async fn tokens_are_issued_only_for_the_emulators_names() {
    let emulator = start().await;
    let own = emulator.url();
    for resource in
        [own, "https://localhost", "https://127.0.0.1:8443", "https://[::1]", "https://Contoso.crm4.dynamics.com:443"]
    {
        let issued = token(&emulator, &format!("{resource}/.default")).await;
        assert!(issued["access_token"].is_string(), "{resource}: {issued}");
    }
    let issued = token(&emulator, "https://contoso.crm4.dynamics.com//.default").await;
    assert!(issued["access_token"].is_string(), "the slash of a resource: {issued}");
    for resource in
        ["https://crm4.dynamics.com", "http://contoso.crm4.dynamics.com", "https://contoso.crm4.dynamics.com:x"]
    {
        let response = token(&emulator, &format!("{resource}/.default")).await;
        assert_eq!(response["error_codes"], json!([500_011]), "{resource}: {response}");
    }
}

#[tokio::test]
async fn other_names_and_other_authorities_are_rejected() {
    let (one, two) = (start().await, start().await);
    assert!(client(&one).get("https://elsewhere.crm.dynamics.com/").send().await.unwrap_err().is_connect());
    assert_ne!(one.ca_certificate(), two.ca_certificate());
    assert!(client(&one).get(two.url()).send().await.unwrap_err().is_connect());
    assert_eq!(one.requests().len() + two.requests().len(), 0);

    let mut plain = TcpStream::connect(address(&one)).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut response = Vec::new();
    drop(plain.read_to_end(&mut response).await);
    assert!(!response.starts_with(b"HTTP/"), "it speaks only TLS");
}

#[tokio::test]
async fn faults_close_tls_connections_too() {
    let emulator = start().await;
    let faults = json!([{ "fault": { "kind": "drop" } }, { "fault": { "kind": "truncate" } }]);
    emulator.faults().add(faults).unwrap();
    let client = client(&emulator);
    let get =
        || client.get(format!("{}/api/data/v9.2/WhoAmI", emulator.url())).bearer_auth(emulator.credential()).send();
    assert!(get().await.unwrap_err().is_request());
    assert!(get().await.unwrap().text().await.is_err());
    assert_eq!(get().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_client_without_a_handshake_delays_no_other() {
    let emulator = start().await;
    let mut silent = TcpStream::connect(address(&emulator)).await.unwrap();
    let response = client(&emulator).get(emulator.url()).send().await.unwrap();
    assert_eq!(response.status(), 200, "the page of the console");
    emulator.stop().await;
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0, "closed");
}

#[tokio::test]
async fn an_invalid_host_name_is_rejected() {
    for host in ["https://contoso.crm4.dynamics.com", "*.dynamics.com", "contoso:443", ""] {
        let error = Emulator::start_tls(Organisation::new(), 0, &[host]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&format!("'{host}' is not a host name")), "{error}");
    }
}
