//! What a credential may be, and the one that is a function of JavaScript as a token provider.

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;
use napi::{
    Status,
    bindgen_prelude::{Function, Promise},
    threadsafe_function::ThreadsafeFunction,
};
use napi_derive::napi;
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor, value::MapAccessDeserializer},
};
use url::Url;

use super::configuration::{Surroundings, misconfigured};
use crate::{
    dataverse::EnvironmentUrl,
    error::{Code, LinkError},
    http::{AccessToken, ClientSecret, Secret, Token, TokenProvider, is_safe_for_secrets},
};

#[derive(Debug)]
pub(super) enum Credential {
    Token(Token),
    ClientSecret(ClientSecret),
    /// The function that came beside the options.
    Function,
}

/// What a credential may be besides a function, which index.js takes out.
pub(super) enum CredentialOption {
    Token(String),
    ClientSecret(ClientSecretOption),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ClientSecretOption {
    tenant_id: String,
    client_id: String,
    client_secret: SecretOption,
    authority_host: Option<String>,
}

/// Read by hand, for the reason given at `Status`.
impl<'de> Deserialize<'de> for CredentialOption {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct TokenOrSecret;

        impl<'de> Visitor<'de> for TokenOrSecret {
            type Value = CredentialOption;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an access token, a function that gives one, `{ tenantId, clientId, clientSecret }`, or a credential of @azure/identity")
            }

            fn visit_str<E: de::Error>(self, token: &str) -> Result<CredentialOption, E> {
                Ok(CredentialOption::Token(token.to_owned()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, fields: A) -> Result<CredentialOption, A::Error> {
                ClientSecretOption::deserialize(MapAccessDeserializer::new(fields)).map(CredentialOption::ClientSecret)
            }
        }

        value.deserialize_any(TokenOrSecret)
    }
}

/// A text that no message shows, not even one that says it should have been a text.
pub(super) struct SecretOption(pub(super) Secret);

impl<'de> Deserialize<'de> for SecretOption {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        String::deserialize(value)
            .map(|text| Self(Secret::new(text)))
            .map_err(|_| de::Error::custom("expected a string"))
    }
}

/// Where the parts of a client secret stand: tenant, application, secret, authority.
type Places = [&'static str; 4];
const IN_OPTIONS: Places = [
    "options.dataverse.credential.tenantId",
    "options.dataverse.credential.clientId",
    "options.dataverse.credential.clientSecret",
    "options.dataverse.credential.authorityHost",
];
/// The variables that `EnvironmentCredential` of @azure/identity reads.
const IN_ENVIRONMENT: Places = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_AUTHORITY_HOST"];

impl CredentialOption {
    /// The credential, or what is wrong with it.
    pub(super) fn understood(self, environment: &EnvironmentUrl) -> Result<Credential, LinkError> {
        match self {
            Self::Token(token) => {
                let token = Token::new(&token).map_err(|refused| misconfigured(refused.message()))?;
                Ok(Credential::Token(token))
            }
            Self::ClientSecret(given) => given.understood(IN_OPTIONS, environment).map(Credential::ClientSecret),
        }
    }
}

impl Credential {
    /// What the variables say.
    pub(super) fn from_environment(
        surroundings: &mut Surroundings,
        environment: &EnvironmentUrl,
    ) -> Result<Self, LinkError> {
        let values = IN_ENVIRONMENT.map(|name| surroundings.take(name));
        let needed = &IN_ENVIRONMENT[..3];
        let missing: Vec<_> =
            needed.iter().zip(&values).filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
        if let [Some(tenant_id), Some(client_id), Some(secret), authority_host] = values {
            let client_secret = SecretOption(Secret::new(secret));
            let given = ClientSecretOption { tenant_id, client_id, client_secret, authority_host };
            return given.understood(IN_ENVIRONMENT, environment).map(Self::ClientSecret);
        }
        let others = if missing.len() == needed.len() {
            String::new()
        } else {
            format!(", or {} set too", missing.join(" and "))
        };
        Err(misconfigured(format!("A Dataverse client needs `options.dataverse.credential`{others}.")).hint(
            "Give an access token, an async function that returns one, a credential of @azure/identity, or `{ tenantId, clientId, clientSecret }`; or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET. The embedded store is used only when neither `dataverse` nor DATAVERSE_URL is set.",
        ))
    }
}

impl ClientSecretOption {
    fn understood(self, places: Places, environment: &EnvironmentUrl) -> Result<ClientSecret, LinkError> {
        let [tenant, client, secret, authority] = places;
        let [tenant_id, client_id] = [self.tenant_id, self.client_id].map(|text| unmarked(&text).to_owned());
        let SecretOption(client_secret) = self.client_secret;
        let client_secret = Secret::new(unmarked(client_secret.reveal()));
        let authority_host = self.authority_host.as_deref().map(unmarked);
        // It becomes a part of a path.
        if tenant_id.is_empty() || !tenant_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        {
            return Err(misconfigured(format!("`{tenant}`: expected the tenant's id or one of its domains.")));
        }
        for (place, text) in [(client, client_id.as_str()), (secret, client_secret.reveal())] {
            if text.trim().is_empty() {
                return Err(misconfigured(format!("`{place}`: expected a text that is not empty.")));
            }
        }
        let authority_host = match authority_host {
            Some(given) => authority_of(authority, given)?,
            None => environment.authority_host().ok_or_else(|| {
                misconfigured(format!(
                    "`{authority}` is missing: {} is of no cloud that is known.",
                    environment.as_url()
                ))
                .hint("Name the authority that gives tokens for it, such as https://login.microsoftonline.com.")
            })?,
        };
        Ok(ClientSecret { authority_host, tenant_id, client_id, client_secret, scope: environment.scope() })
    }
}

/// Without the byte order mark that a string read from a file may begin with.
fn unmarked(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

fn authority_of(place: &str, text: &str) -> Result<Url, LinkError> {
    // Without a scheme, as @azure/identity takes it too.
    let text = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let refused = |why: &str| misconfigured(format!("`{place}`: {why}."));
    let url = Url::parse(&text).map_err(|error| refused(&format!("expected a URL ({error})")))?;
    if !is_safe_for_secrets(&url) {
        return Err(refused("expected https; plain http is accepted on this machine only"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(refused("expected no user, password, query or fragment in it"));
    }
    Ok(url)
}

/// What a credential is asked for.
#[napi(object, object_from_js = false)]
pub struct TokenRequest {
    pub scope: String,
    /// The claims that the server demanded in a challenge, as JSON.
    pub claims: Option<String>,
}

/// What index.js makes of whatever the credential did: it never throws and never rejects.
#[napi(object, object_to_js = false)]
pub struct CredentialAnswer {
    pub token: Option<String>,
    /// Milliseconds from now; whatever is no duration counts as unknown.
    pub good_for_in_ms: Option<f64>,
    /// Why there is no token.
    pub failure: Option<String>,
}

/// Weak: a client that nobody uses does not keep the process alive. A pending call does that by itself.
type Provide = ThreadsafeFunction<TokenRequest, Promise<CredentialAnswer>, TokenRequest, Status, false, true>;

/// Asks JavaScript.
pub(super) struct CredentialFunction {
    provide: Provide,
    scope: String,
}

impl CredentialFunction {
    pub(super) fn new(
        provider: &Function<'_, TokenRequest, Promise<CredentialAnswer>>,
        scope: String,
    ) -> napi::Result<Self> {
        let provide = provider.build_threadsafe_function().weak::<true>().callee_handled::<false>().build()?;
        Ok(Self { provide, scope })
    }

    async fn ask(&self, claims: Option<String>) -> Result<AccessToken, LinkError> {
        let failed = |why: String| {
            LinkError::new(Code::AuthenticationFailed, format!("The credential failed: {why}.")).hint(
                "`credential` must give an access token for the environment; see types/dataverse.d.ts for what it may be.",
            )
        };
        let answer = match self.provide.call_async_catch(TokenRequest { scope: self.scope.clone(), claims }).await {
            Ok(promise) => promise.await,
            Err(error) => Err(error),
        };
        match answer.map_err(|error| failed(error.reason.clone()))? {
            CredentialAnswer { token: Some(token), good_for_in_ms, .. } => {
                let good_for = good_for_in_ms.and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok());
                Ok(AccessToken { token: Token::new(&token)?, good_for })
            }
            CredentialAnswer { failure, .. } => Err(failed(failure.unwrap_or_else(|| "it gave nothing".into()))),
        }
    }
}

impl TokenProvider for CredentialFunction {
    fn token(&self, claims: Option<String>) -> BoxFuture<'_, Result<AccessToken, LinkError>> {
        Box::pin(self.ask(claims))
    }
}
