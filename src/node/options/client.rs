//! Options of clients. Every mistake in them is `INVALID_CONFIGURATION`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use napi::bindgen_prelude::Unknown;
use serde::Deserialize;

use super::{
    super::{
        input::{self, Parsed},
        observer::{LogLevel, TrafficLog},
    },
    credential::{Credential, CredentialFunction, CredentialOption, JsCredential, SecretOption},
    network::{self, Certificates, JsProxy, ProxyFunction, UserAgent},
    numbers::Milliseconds,
    process_env::ProcessEnv,
};
use crate::{
    clock::SharedClock,
    dataverse::{self, Concurrency, DataverseStore, EnvironmentUrl},
    domain::CallerId,
    embedded::DatabasePath,
    error::LinkError,
    http::{
        ClientSecretCredential, NetworkOptions, NetworkService, Observer, Proxy, RetryPolicy, RetryingHttp,
        StaticToken, TokenProvider,
    },
};

/// Default timeout of calls.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// File of a client without configuration.
const DEFAULT_PATH: &str = "omnichannel-link.db";

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct ClientOptions {
    timeout_in_ms: Option<Milliseconds>,
    embedded: Option<EmbeddedOptions>,
    dataverse: Option<RemoteOptions>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EmbeddedOptions {
    path: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct RemoteOptions {
    url: Option<String>,
    credential: Option<CredentialOption>,
    caller_object_id: Option<Parsed<CallerId>>,
    retry_options: Option<RetryOptions>,
    max_concurrency: Option<MaxConcurrency>,
    optimistic_concurrency: Option<bool>,
    proxy: Option<SecretOption>,
    ca_certificates: Option<Certificates>,
    application: Option<UserAgent>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct RetryOptions {
    max_retries: Option<u16>,
    retry_delay_in_ms: Option<Milliseconds>,
    max_retry_delay_in_ms: Option<Milliseconds>,
}

/// The most requests in flight.
#[derive(Deserialize)]
#[serde(try_from = "u16")]
struct MaxConcurrency(usize);

impl TryFrom<u16> for MaxConcurrency {
    type Error = String;

    fn try_from(requests: u16) -> Result<Self, String> {
        let requests = usize::from(requests);
        if (1..=RetryPolicy::MAX_CONCURRENCY).contains(&requests) {
            return Ok(Self(requests));
        }
        Err(format!("expected 1 to {}, because Dataverse rejects more than 52 at once", RetryPolicy::MAX_CONCURRENCY))
    }
}

/// The options of a client, validated.
pub(in crate::node) struct Configuration {
    pub(in crate::node) timeout: Duration,
    pub(in crate::node) store: StoreConfiguration,
    /// Part of every error's hint if the store was not configured: which one is used, and why.
    pub(in crate::node) implicit_store_hint: Option<String>,
}

pub(in crate::node) enum StoreConfiguration {
    Embedded(PathBuf),
    Dataverse(Box<Remote>),
}

/// A Dataverse environment and how to use it.
pub(in crate::node) struct Remote {
    url: EnvironmentUrl,
    credential: Credential,
    options: dataverse::DataverseOptions,
    network: NetworkOptions,
    pub(in crate::node) log: LogLevel,
}

/// Validates the options of a client and completes them from the environment.
pub(in crate::node) fn configuration(
    options: Option<&Unknown<'_>>,
    has_credential_function: bool,
    process_env: &ProcessEnv,
) -> Result<Configuration, LinkError> {
    let ClientOptions { timeout_in_ms, embedded, dataverse } = match options {
        Some(options) => input::options(options).map_err(LinkError::into_misconfigured)?,
        None => ClientOptions::default(),
    };
    let timeout = timeout_in_ms.map_or(DEFAULT_TIMEOUT, |Milliseconds(timeout)| timeout);
    let dataverse = dataverse.or_else(|| {
        let is_implied = embedded.is_none() && process_env.get("DATAVERSE_URL").is_some();
        is_implied.then(RemoteOptions::default)
    });
    let (store, implicit_store_hint) = match (embedded, dataverse) {
        (Some(_), Some(_)) => {
            return Err(LinkError::invalid_option("options", "expected `embedded` or `dataverse`, got both"));
        }
        (Some(EmbeddedOptions { path }), None) => {
            (StoreConfiguration::Embedded(database_path("options.embedded.path", &path)?), None)
        }
        (None, Some(dataverse)) => {
            (StoreConfiguration::Dataverse(Box::new(remote(dataverse, has_credential_function, process_env)?)), None)
        }
        (None, None) if process_env.is_electron => {
            let why = "expected a path, because inside Electron the working directory is arbitrary";
            return Err(LinkError::invalid_option("options.embedded.path", why)
                .hint("Use a file in app.getPath('userData'), or configure `dataverse`."));
        }
        (None, None) => {
            let path = database_path("working directory", DEFAULT_PATH)?;
            let hint = format!(
                "This client uses the embedded store {}, because no store was configured and DATAVERSE_URL is not set.",
                path.display()
            );
            (StoreConfiguration::Embedded(path), Some(hint))
        }
    };
    Ok(Configuration { timeout, store, implicit_store_hint })
}

fn database_path(name: &str, path: &str) -> Result<PathBuf, LinkError> {
    let path: Result<DatabasePath, _> = path.parse();
    path.map(Into::into).map_err(|error| LinkError::invalid_option(name, &error).hint(error.hint()))
}

fn remote(
    options: RemoteOptions,
    has_credential_function: bool,
    process_env: &ProcessEnv,
) -> Result<Remote, LinkError> {
    let (name, url) = match (options.url, process_env.get("DATAVERSE_URL")) {
        (Some(url), _) => ("options.dataverse.url", url),
        (None, Some(url)) => ("DATAVERSE_URL", url),
        (None, None) => {
            return Err(LinkError::invalid_option(
                "options.dataverse.url",
                "expected the URL of an environment, because DATAVERSE_URL is not set",
            ));
        }
    };
    let url: EnvironmentUrl = url.parse().map_err(|error| LinkError::invalid_option(name, error))?;
    let credential = match options.credential {
        Some(given) => given.resolve(&url)?,
        None if has_credential_function => Credential::Function,
        None => Credential::from_environment(process_env, &url)?,
    };
    let concurrency = match options.optimistic_concurrency {
        None | Some(true) => Concurrency::CompareAndSwap,
        Some(false) => Concurrency::ReadCheckWrite,
    };
    let retries = retry_policy(&options.retry_options.unwrap_or_default(), options.max_concurrency);
    let (certificates, application) = (options.ca_certificates, options.application);
    let network = network::options(options.proxy, certificates, application, process_env, url.as_url())?;
    let caller = options.caller_object_id.map(|Parsed(caller)| caller);
    let options = dataverse::DataverseOptions { retries, concurrency, caller };
    let log = LogLevel::parse(process_env.get("OMNICHANNEL_LINK_LOG").as_deref());
    Ok(Remote { url, credential, options, network, log })
}

fn retry_policy(options: &RetryOptions, max_concurrency: Option<MaxConcurrency>) -> RetryPolicy {
    let default = RetryPolicy::default();
    let or = |given: Option<Milliseconds>, default| given.map_or(default, |Milliseconds(given)| given);
    RetryPolicy {
        max_retries: options.max_retries.map_or(default.max_retries, u32::from),
        delay: or(options.retry_delay_in_ms, default.delay),
        max_delay: or(options.max_retry_delay_in_ms, default.max_delay),
        max_concurrency: max_concurrency.map_or(default.max_concurrency, |MaxConcurrency(requests)| requests),
    }
}

impl Remote {
    /// The store that uses this environment. Sends nothing yet.
    pub(in crate::node) fn connect(
        self,
        credential: Option<CredentialFunction<'_>>,
        proxy: Option<ProxyFunction<'_>>,
        clock: &SharedClock,
        traffic: &Arc<TrafficLog>,
    ) -> napi::Result<DataverseStore> {
        let Self { url, options, mut network, .. } = self;
        let observer: Arc<dyn Observer> = traffic.clone();
        if let Some(function) = proxy {
            network.proxy = Proxy::Resolver(Arc::new(JsProxy::new(&function)?));
        }
        let http = Arc::new(NetworkService::new(network, Arc::clone(clock)));
        let tokens: Arc<dyn TokenProvider> = match (self.credential, credential) {
            (Credential::Token(token), _) => Arc::new(StaticToken(token)),
            (Credential::ClientSecret(client), _) => {
                // The authority is another server, so it has its own throttling and retry budget.
                let retries = options.retries;
                let http =
                    RetryingHttp::new(http.clone(), Arc::clone(clock), retries, Arc::default(), Arc::clone(&observer));
                Arc::new(ClientSecretCredential::new(Arc::new(http), client, Arc::clone(clock)))
            }
            (Credential::Function, Some(function)) => Arc::new(JsCredential::new(&function, url.scope())?),
            (Credential::Function, None) => {
                return Err(napi::Error::from_reason("the function of the credential is missing"));
            }
        };
        let store = DataverseStore::new(url, http.clone(), tokens, options, Arc::clone(clock), observer);
        Ok(store.with_inspection(http))
    }
}
