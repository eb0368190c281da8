//! The discovery documents of the token authority, and its error responses.

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    error::ODataError,
    message::{ApiResponse, Request, decode},
};

/// The tenant in the challenge of a 401. Its authority is the emulator itself, so clients that follow it stay on this machine.
pub(crate) const TENANT: &str = "6f1c2a52-5d0e-4f7a-9a43-0c1de8b7e5f1";

/// An error of the token authority: status, OAuth error, number, message.
pub(super) type TokenError = (u16, &'static str, u32, String);

const CONFIGURATION: &str = "/v2.0/.well-known/openid-configuration";
const INSTANCES: &str = "/common/discovery/instance";

/// Audiences instead of tenants. Their documents contain a pattern instead of an issuer.
const AUDIENCES: [&str; 3] = ["common", "organizations", "consumers"];

/// The clouds with their host names: the first is the preferred network, the second the preferred cache.
const CLOUDS: [&[&str]; 3] = [
    &["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"],
    &["login.partner.microsoftonline.cn", "login.partner.microsoftonline.cn", "login.chinacloudapi.cn"],
    &["login.microsoftonline.us", "login.microsoftonline.us", "login.usgovcloudapi.net"],
];

/// Responds to a `GET` of one of the two documents. `None` for any other request.
pub(crate) fn respond(request: &Request, origin: &str) -> Option<Result<ApiResponse, ODataError>> {
    if request.method != Method::GET {
        return None;
    }
    if request.path == INSTANCES {
        return Some(instance(request, origin));
    }
    let tenant = request.path.strip_prefix('/')?.strip_suffix(CONFIGURATION)?;
    (!tenant.is_empty() && !tenant.contains('/')).then(|| Ok(configuration(tenant, origin)))
}

fn configuration(tenant: &str, origin: &str) -> ApiResponse {
    let issuer = match tenant {
        _ if AUDIENCES.contains(&tenant) => "{tenantid}",
        _ if tenant.eq_ignore_ascii_case(TENANT) => TENANT,
        _ => return error_response(&no_tenant("invalid_tenant", tenant)),
    };
    let base = format!("{origin}/{tenant}");
    found(json!({
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": format!("{origin}/{issuer}/v2.0"),
        "request_uri_parameter_supported": false,
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "end_session_endpoint": format!("{base}/oauth2/v2.0/logout"),
        "cloud_instance_name": "microsoftonline.com",
    }))
}

/// Instance discovery: the cloud of an authority. Like the real one, it knows only Microsoft's clouds, so not the emulator itself.
fn instance(request: &Request, origin: &str) -> Result<ApiResponse, ODataError> {
    let mut endpoint = None;
    let mut version = None;
    for pair in request.query.as_deref().unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "authorization_endpoint" => endpoint = Some(decode(value)?),
            "api-version" => version = Some(decode(value)?),
            _ => return Err(ODataError::NotEmulated(format!("'{name}' of instance discovery"))),
        }
    }
    let (Some(endpoint), Some("1.1")) = (endpoint, version.as_deref()) else {
        return Err(ODataError::NotEmulated(
            "instance discovery other than api-version 1.1 with an endpoint".to_owned(),
        ));
    };
    let authority = endpoint.strip_prefix("https://").and_then(|rest| rest.strip_suffix("/oauth2/v2.0/authorize"));
    let Some((host, tenant)) = authority.and_then(|authority| authority.split_once('/')) else {
        return Err(ODataError::NotEmulated(format!("instance discovery of '{endpoint}'")));
    };
    if !CLOUDS.iter().any(|names| names.contains(&host)) {
        return Ok(error_response(&(400, "invalid_instance", 50049, "Unknown or invalid instance.".to_owned())));
    }
    let clouds = CLOUDS.map(|names| {
        // The second name is an alias too, unless it repeats the first.
        let mut aliases = names.to_vec();
        aliases.dedup();
        json!({ "preferred_network": names[0], "preferred_cache": names[1], "aliases": aliases })
    });
    Ok(found(json!({
        "tenant_discovery_endpoint": format!("{origin}/{tenant}{CONFIGURATION}"),
        "api-version": "1.1",
        "metadata": clouds,
    })))
}

pub(crate) fn no_tenant(error: &'static str, tenant: &str) -> TokenError {
    let text = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check \
         with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
    );
    (400, error, 90002, text)
}

pub(crate) fn found(body: Value) -> ApiResponse {
    ApiResponse { status: 200, body: Some(body.into()), is_foreign: true, ..ApiResponse::default() }
}

pub(crate) fn error_response((status, error, number, text): &TokenError) -> ApiResponse {
    let (trace, correlation) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
    // A fixed date, because the emulator has none.
    let timestamp = "2026-01-01 00:00:00Z";
    let description = format!(
        "AADSTS{number}: {text}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {timestamp}"
    );
    let body = json!({
        "error": error,
        "error_description": description,
        "error_codes": [number],
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": correlation,
    });
    ApiResponse { status: *status, ..found(body) }
}
