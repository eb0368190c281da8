//! Requests tokens with a client secret: the client credentials flow of Microsoft Entra.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use url::{Url, form_urlencoded};

use super::{AccessToken, Token, TokenProvider};
use crate::{
    clock::SharedClock,
    error::{Code, LinkError},
    http::{
        redact::{Secret, redact},
        service::{HttpRequest, HttpResponse, HttpService},
    },
    json::{self, Object},
};

/// An application of Microsoft Entra and its secret.
#[derive(Clone, Debug)]
pub struct ClientSecret {
    /// Such as `https://login.microsoftonline.com`.
    pub authority_host: Url,
    /// Id or domain of the tenant.
    pub tenant_id: String,
    pub client_id: String,
    pub client_secret: Secret,
    pub scope: String,
}

/// How long to wait for an authority that throttles.
const TIMEOUT: Duration = Duration::from_secs(600);

pub struct ClientSecretCredential {
    http: Arc<dyn HttpService>,
    client: ClientSecret,
    clock: SharedClock,
}

impl ClientSecretCredential {
    /// Sends requests through `http`, which retries them.
    #[must_use]
    pub fn new(http: Arc<dyn HttpService>, client: ClientSecret, clock: SharedClock) -> Self {
        Self { http, client, clock }
    }

    async fn request_token(&self, claims: Option<String>) -> Result<AccessToken, LinkError> {
        let response = self.http.call(&self.request(claims)?).await;
        let response = response.map_err(|error| error.into_link_error("The token authority"))?;
        if response.status.is_success() { self.granted(&response) } else { Err(self.rejected(&response)) }
    }

    fn request(&self, claims: Option<String>) -> Result<HttpRequest, LinkError> {
        let ClientSecret { authority_host, tenant_id, client_id, client_secret, scope } = &self.client;
        let mut url = authority_host.clone();
        url.set_path(&format!("{}/{tenant_id}/oauth2/v2.0/token", authority_host.path().trim_end_matches('/')));
        let uri = Uri::try_from(url.as_str()).map_err(|why| {
            LinkError::new(Code::AuthenticationFailed, format!("The URL of the token endpoint cannot be used ({why})."))
                .hint("Check `tenantId` and `authorityHost`.")
        })?;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("scope", scope),
            ("client_secret", client_secret.reveal()),
        ]);
        if let Some(claims) = claims {
            form.append_pair("claims", &claims);
        }
        let headers = HeaderMap::from_iter([
            (ACCEPT, HeaderValue::from_static("application/json")),
            (CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
        ]);
        let body = Bytes::from(form.finish());
        Ok(HttpRequest {
            method: Method::POST,
            uri,
            headers,
            body,
            repeatable: true,
            deadline: Some(self.clock.now() + TIMEOUT),
            progress: Arc::default(),
        })
    }

    fn granted(&self, response: &HttpResponse) -> Result<AccessToken, LinkError> {
        let text = json::text(&response.body);
        let grant = Object::parse(&text).ok();
        let token = grant.as_ref().and_then(|grant| grant.required::<String>("access_token").ok());
        let (Some(grant), Some(token)) = (grant, token) else {
            let message = "The token endpoint returned no access token.";
            return Err(LinkError::new(Code::AuthenticationFailed, message)
                .hint(self.check_authority())
                .with(|details| details.http_status = Some(response.status.as_u16())));
        };
        // A lifetime that cannot be read counts as unknown.
        let seconds = grant.lenient("expires_in").and_then(Number::value);
        let lifetime = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok(AccessToken { token: Token::new(&token)?, lifetime })
    }

    fn rejected(&self, response: &HttpResponse) -> LinkError {
        let status = response.status;
        let text = json::text(&response.body);
        let error = Object::readable(&text);
        let number = error_number(&error);
        let (code, what, hint) = match status {
            StatusCode::TOO_MANY_REQUESTS => (Code::Throttled, "asked this client to wait", None),
            _ if status.is_server_error() => (Code::Unavailable, "failed", None),
            _ => {
                let (what, hint) = explain(number);
                (Code::AuthenticationFailed, what, hint)
            }
        };
        let hint = hint.map_or_else(|| self.check_authority(), str::to_owned);
        let is_temporary = matches!(number, Some(90_033 | 50_196));
        let number = number.map(|number| format!("AADSTS{number}"));
        let id = error.lenient::<String>("trace_id").and_then(|id| self.redacted(&id));
        let text = error.lenient::<String>("error_description").and_then(|text| self.redacted(&text));
        let named = match (&number, &id) {
            (Some(number), Some(id)) => format!("{number}, trace id {id}"),
            (Some(number), None) => number.clone(),
            _ => status.as_u16().to_string(),
        };
        let error = LinkError::new(code, format!("The token authority {what} ({named}).")).hint(hint);
        error.with(|details| {
            details.http_status = Some(status.as_u16());
            details.retry_after = response.retry_after();
            details.service_code = number;
            details.service_message = text;
            details.service_request_id = id;
            if is_temporary {
                details.retryable = Some(true);
            }
        })
    }

    fn redacted(&self, text: &str) -> Option<String> {
        redact(text, &[self.client.client_secret.reveal()])
    }

    fn check_authority(&self) -> String {
        let host = self.client.authority_host.host_str().unwrap_or_default();
        format!("Check that {host} is the authority of the environment's cloud, and see `serviceMessage`.")
    }
}

impl TokenProvider for ClientSecretCredential {
    fn token(&self, claims: Option<String>) -> BoxFuture<'_, Result<AccessToken, LinkError>> {
        Box::pin(self.request_token(claims))
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }
}

/// A number, or one in quotes, which older endpoints and imitations of Entra send.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(f64),
    Quoted(String),
}

impl Number {
    fn value(self) -> Option<f64> {
        match self {
            Self::Plain(number) => Some(number),
            Self::Quoted(text) => text.trim().parse().ok(),
        }
    }
}

/// The first error number of Entra that can be read.
fn error_number(error: &Object<'_>) -> Option<u32> {
    let numbers: Vec<&RawValue> = error.lenient("error_codes")?;
    let number = numbers.into_iter().find_map(|number| serde_json::from_str::<Number>(number.get()).ok()?.value())?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and in range")]
    (number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number)).then_some(number as u32)
}

/// Meaning of an error number of Entra, and a hint.
fn explain(number: Option<u32>) -> (&'static str, Option<&'static str>) {
    match number {
        Some(7_000_215) => (
            "did not accept the client secret",
            Some(
                "Give the secret's value, not its id; both are shown at the application under Certificates & secrets.",
            ),
        ),
        Some(7_000_222) => (
            "did not accept the client secret, because it has expired",
            Some("Create a new one at the application under Certificates & secrets."),
        ),
        Some(700_016) => (
            "does not know the application in this tenant",
            Some("Check `clientId` and `tenantId`; the application must be registered or consented to in the tenant."),
        ),
        Some(90_002) => (
            "does not know the tenant",
            Some("Check `tenantId`, and `authorityHost` if the tenant is in another cloud."),
        ),
        Some(500_011) => (
            "does not know the environment in this tenant",
            Some("Check that the URL is the environment's own, and that `tenantId` is the tenant it belongs to."),
        ),
        Some(70_011) => ("did not accept the scope", Some("Check the environment's URL, of which the scope is made.")),
        Some(65_001) => (
            "found no admin consent for the application",
            Some("An administrator of the tenant must consent to the application's permissions."),
        ),
        Some(53_003) => (
            "rejected the request because of conditional access",
            Some("Ask the tenant's administrator which policy applies to the application."),
        ),
        Some(90_033 | 50_196) => ("is temporarily unavailable", Some("Try again later.")),
        _ => ("rejected the request", None),
    }
}
