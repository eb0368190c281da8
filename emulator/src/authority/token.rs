//! The token endpoint: client credentials of one registered application, and the issued tokens.

use std::{collections::HashMap, fmt};

use axum::http::Method;
use percent_encoding::percent_decode_str;
use serde_json::json;
use uuid::Uuid;

use super::entra::{TENANT, TokenError, error_response, found, no_tenant};
use crate::{
    conditions::Conditions,
    error::ODataError,
    message::{ApiResponse, Request},
};

const ENDPOINT: &str = "/oauth2/v2.0/token";

/// The application that the token endpoint accepts. Its `Debug` output hides the secret.
#[derive(Clone)]
#[non_exhaustive]
pub struct Application {
    /// The tenant: the first segment of the endpoint's path.
    pub tenant_id: String,
    /// Its `client_id`.
    pub client_id: String,
    /// Its `client_secret`, different for every emulator.
    pub client_secret: String,
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Application {{ tenant_id: {}, client_id: {}, .. }}", self.tenant_id, self.client_id)
    }
}

impl Application {
    pub(crate) fn new() -> Self {
        Self {
            tenant_id: TENANT.to_owned(),
            client_id: Uuid::new_v4().to_string(),
            client_secret: format!("secret-{}", Uuid::new_v4().simple()),
        }
    }
}

/// Most valid tokens. With more, the first to expire is forgotten.
const MAX_TOKENS: usize = 10_000;

/// The valid tokens, each with its expiry.
#[derive(Default)]
pub(crate) struct Tokens(HashMap<String, u64>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.0.len())
    }
}

impl Tokens {
    pub(crate) fn accept(&self, token: &str, now: u64) -> bool {
        self.0.get(token).is_some_and(|end| now < *end)
    }

    fn add(&mut self, token: String, now: u64, end: u64) {
        if self.0.len() == MAX_TOKENS {
            self.0.retain(|_, end| now < *end);
        }
        if self.0.len() == MAX_TOKENS
            && let Some(first) = self.0.iter().min_by_key(|(_, end)| **end).map(|(token, _)| token.clone())
        {
            self.0.remove(&first);
        }
        self.0.insert(token, end);
    }

    pub(crate) fn revoke(&mut self) {
        self.0.clear();
    }
}

const NOT_INSTALLED: &str = "This can happen if the application has not been installed by the administrator of the tenant or \
    consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.";

/// Whether the request is for the token endpoint, with any tenant.
pub(crate) fn is_for_a_token(request: &Request) -> bool {
    let tenant = request.path.strip_prefix('/').and_then(|path| path.strip_suffix(ENDPOINT));
    request.method == Method::POST && tenant.is_some_and(|tenant| !tenant.is_empty() && !tenant.contains('/'))
}

/// Handles `POST /<tenant>/oauth2/v2.0/token`. Microsoft does not document the order of the checks.
pub(crate) fn respond(
    application: &Application,
    tokens: &mut Tokens,
    conditions: &Conditions,
    now: u64,
    request: &Request,
    is_resource: impl Fn(&str) -> bool,
) -> Result<ApiResponse, ODataError> {
    let form = Form::read(request)?;
    if form.get("grant_type") != Some("client_credentials") || form.get("client_secret").is_none() {
        return Err(ODataError::NotEmulated("grants other than client_credentials with a client_secret".to_owned()));
    }
    let (Some(client), Some(scope)) = (form.get("client_id"), form.get("scope")) else {
        return Err(ODataError::NotEmulated("a request for a token without client_id or scope".to_owned()));
    };
    if let Err(error) = check(application, conditions, request, &form, (client, scope), is_resource) {
        return Ok(error_response(&error));
    }
    let token = format!("issued-{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let lifetime = conditions.token_lifetime_in_seconds;
    tokens.add(token.clone(), now, now.saturating_add(lifetime.saturating_mul(1000)));
    Ok(found(json!({ "token_type": "Bearer", "expires_in": lifetime, "access_token": token })))
}

fn check(
    application: &Application,
    conditions: &Conditions,
    request: &Request,
    form: &Form,
    (client, scope): (&str, &str),
    is_resource: impl Fn(&str) -> bool,
) -> Result<(), TokenError> {
    let tenant = request.path.split('/').nth(1).unwrap_or_default();
    if !tenant.eq_ignore_ascii_case(&application.tenant_id) {
        return Err(no_tenant("invalid_request", tenant));
    }
    let Some(resource) = scope.strip_suffix("/.default").filter(|resource| !resource.contains(' ')) else {
        let text =
            format!("The provided value for the input parameter 'scope' isn't valid. The scope {scope} isn't valid.");
        return Err((400, "invalid_scope", 70011, text));
    };
    if !client.eq_ignore_ascii_case(&application.client_id) {
        let text = format!(
            "Application with identifier '{client}' was not found in the directory '{tenant}'. {NOT_INSTALLED}"
        );
        return Err((400, "unauthorized_client", 700_016, text));
    }
    if form.get("client_secret") != Some(&application.client_secret) {
        let text = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client \
             secret ID, for a secret added to app '{client}'."
        );
        return Err((401, "invalid_client", 7_000_215, text));
    }
    if conditions.secret_expired {
        let text = format!(
            "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new keys for your app: \
             https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."
        );
        return Err((401, "invalid_client", 7_000_222, text));
    }
    if !is_resource(resource.trim_end_matches('/')) {
        let text = format!(
            "The resource principal named {resource} was not found in the tenant named {tenant}. {NOT_INSTALLED}"
        );
        return Err((400, "invalid_resource", 500_011, text));
    }
    Ok(())
}

/// The fields of a form body. It has no `Debug`, because it holds the secret.
struct Form(HashMap<String, String>);

impl Form {
    fn read(request: &Request) -> Result<Self, ODataError> {
        let unreadable = |what: &str| ODataError::NotEmulated(format!("a request for a token {what}"));
        let media = request.header("content-type")?.unwrap_or_default();
        if media
            .split(';')
            .next()
            .is_none_or(|media| !media.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
        {
            return Err(unreadable("whose body is not a form"));
        }
        let body = request.body.as_deref().unwrap_or_default();
        let text = std::str::from_utf8(body).map_err(|_| unreadable("that is not UTF-8"))?;
        let mut fields = HashMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| {
                let text = text.replace('+', " ");
                percent_decode_str(&text).decode_utf8().map(String::from).map_err(|_| unreadable("that is not UTF-8"))
            };
            if fields.insert(decode(name)?, decode(value)?).is_some() {
                return Err(unreadable("with one field twice"));
            }
        }
        Ok(Self(fields))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
