//! Credentials of a client: their options, and the token provider that calls a function of JavaScript.

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

use super::process_env::ProcessEnv;
use crate::{
    dataverse::EnvironmentUrl,
    error::{Code, LinkError},
    http::{AccessToken, ClientSecret, Secret, Token, TokenProvider, is_safe_for_secrets},
};

#[derive(Debug)]
pub(super) enum Credential {
    Token(Token),
    ClientSecret(ClientSecret),
    /// The function passed beside the options.
    Function,
}

/// A credential other than a function, which JavaScript passes separately.
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

/// Read by hand for the reason given at `Status`.
impl<'de> Deserialize<'de> for CredentialOption {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct TokenOrSecret;

        impl<'de> Visitor<'de> for TokenOrSecret {
            type Value = CredentialOption;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an access token, a function that returns one, `{ tenantId, clientId, clientSecret }`, or a credential of @azure/identity")
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

/// A string that no message shows, not even the one about a wrong type.
pub(super) struct SecretOption(pub(super) Secret);

impl<'de> Deserialize<'de> for SecretOption {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        String::deserialize(value)
            .map(|text| Self(Secret::new(text)))
            .map_err(|_| de::Error::custom("expected a string"))
    }
}

/// The names of a client secret's parts: tenant, application, secret, authority.
type Names = [&'static str; 4];
const IN_OPTIONS: Names = [
    "options.dataverse.credential.tenantId",
    "options.dataverse.credential.clientId",
    "options.dataverse.credential.clientSecret",
    "options.dataverse.credential.authorityHost",
];
/// The variables of `EnvironmentCredential` in @azure/identity.
const IN_ENVIRONMENT: Names = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_AUTHORITY_HOST"];

impl CredentialOption {
    pub(super) fn resolve(self, environment: &EnvironmentUrl) -> Result<Credential, LinkError> {
        match self {
            Self::Token(token) => {
                let token = Token::new(&token).map_err(LinkError::into_misconfigured)?;
                Ok(Credential::Token(token))
            }
            Self::ClientSecret(given) => given.resolve(IN_OPTIONS, environment).map(Credential::ClientSecret),
        }
    }
}

impl Credential {
    /// The client secret in the process environment.
    pub(super) fn from_environment(process_env: &ProcessEnv, environment: &EnvironmentUrl) -> Result<Self, LinkError> {
        let values = IN_ENVIRONMENT.map(|name| process_env.get(name));
        let needed = &IN_ENVIRONMENT[..3];
        let missing: Vec<_> =
            needed.iter().zip(&values).filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
        if let [Some(tenant_id), Some(client_id), Some(secret), authority_host] = values {
            let client_secret = SecretOption(Secret::new(secret));
            let given = ClientSecretOption { tenant_id, client_id, client_secret, authority_host };
            return given.resolve(IN_ENVIRONMENT, environment).map(Self::ClientSecret);
        }
        let alternative = if missing.len() == needed.len() {
            String::new()
        } else {
            format!(", or the variables {} as well", missing.join(" and "))
        };
        let why = format!("expected a credential{alternative}");
        Err(LinkError::invalid_option("options.dataverse.credential", why).hint(
            "Give an access token, an async function that returns one, a credential of @azure/identity, or `{ tenantId, clientId, clientSecret }`; or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET. The embedded store is used only when neither `dataverse` nor DATAVERSE_URL is set.",
        ))
    }
}

impl ClientSecretOption {
    fn resolve(self, names: Names, environment: &EnvironmentUrl) -> Result<ClientSecret, LinkError> {
        let [tenant, client, secret, authority] = names;
        let [tenant_id, client_id] = [self.tenant_id, self.client_id].map(|text| without_bom(&text).to_owned());
        let SecretOption(client_secret) = self.client_secret;
        let client_secret = Secret::new(without_bom(client_secret.reveal()));
        let authority_host = self.authority_host.as_deref().map(without_bom);
        // The tenant becomes part of a path.
        if tenant_id.is_empty() || !tenant_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        {
            return Err(LinkError::invalid_option(tenant, "expected the tenant's id or one of its domains"));
        }
        for (name, value) in [(client, client_id.as_str()), (secret, client_secret.reveal())] {
            if value.trim().is_empty() {
                return Err(LinkError::invalid_option(name, "expected a string that is not empty"));
            }
        }
        let authority_host = match authority_host {
            Some(given) => authority_of(authority, given)?,
            None => environment.authority_host().ok_or_else(|| {
                let why = format!("expected a URL, because {} is not in a known Microsoft cloud", environment.as_url());
                LinkError::invalid_option(authority, why)
                    .hint("Name the authority that issues its tokens, such as https://login.microsoftonline.com.")
            })?,
        };
        Ok(ClientSecret { authority_host, tenant_id, client_id, client_secret, scope: environment.scope() })
    }
}

/// Strips the byte order mark of a string that was read from a file.
fn without_bom(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

fn authority_of(name: &str, text: &str) -> Result<Url, LinkError> {
    // The scheme may be missing, as in @azure/identity.
    let text = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let invalid = |why: &str| LinkError::invalid_option(name, why);
    let url = Url::parse(&text).map_err(|error| invalid(&format!("expected a URL ({error})")))?;
    if !is_safe_for_secrets(&url) {
        return Err(invalid("expected https; plain http is accepted for this machine only"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("expected a URL without user, password, query and fragment"));
    }
    Ok(url)
}

/// A request for a token.
#[napi(object, object_from_js = false)]
pub struct TokenRequest {
    pub scope: String,
    /// The claims of the server's challenge, as JSON.
    pub claims: Option<String>,
}

/// The result of a credential. lib/credential.js ensures that the function never throws and never rejects.
#[napi(object, object_to_js = false)]
pub struct CredentialResponse {
    pub token: Option<String>,
    /// Milliseconds from now. A value that is not a duration counts as unknown.
    pub valid_for_in_ms: Option<f64>,
    /// The reason why there is no token.
    pub failure: Option<String>,
}

/// The function that lib/credential.js makes of the credential.
pub(in crate::node) type CredentialFunction<'env> = Function<'env, TokenRequest, Promise<CredentialResponse>>;

/// Weak: an idle client does not keep the process alive. A pending call does.
type GetToken = ThreadsafeFunction<TokenRequest, Promise<CredentialResponse>, TokenRequest, Status, false, true>;

/// A credential that is a function of JavaScript.
pub(super) struct JsCredential {
    get_token: GetToken,
    scope: String,
}

impl JsCredential {
    pub(super) fn new(function: &CredentialFunction<'_>, scope: String) -> napi::Result<Self> {
        let get_token = function.build_threadsafe_function().weak::<true>().callee_handled::<false>().build()?;
        Ok(Self { get_token, scope })
    }

    async fn request(&self, claims: Option<String>) -> Result<AccessToken, LinkError> {
        let failed = |why: String| {
            LinkError::new(Code::AuthenticationFailed, format!("The credential failed: {why}.")).hint(
                "The credential must return an access token for the environment: a string, or an object with `token`.",
            )
        };
        let response = match self.get_token.call_async_catch(TokenRequest { scope: self.scope.clone(), claims }).await {
            Ok(promise) => promise.await,
            Err(error) => Err(error),
        };
        match response.map_err(|error| failed(error.reason.clone()))? {
            CredentialResponse { token: Some(token), valid_for_in_ms, .. } => {
                let lifetime = valid_for_in_ms.and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok());
                Ok(AccessToken { token: Token::new(&token)?, lifetime })
            }
            CredentialResponse { failure, .. } => Err(failed(failure.unwrap_or_else(|| "it returned nothing".into()))),
        }
    }
}

impl TokenProvider for JsCredential {
    fn token(&self, claims: Option<String>) -> BoxFuture<'_, Result<AccessToken, LinkError>> {
        Box::pin(self.request(claims))
    }
}
