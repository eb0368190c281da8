//! Options of clients, made sense of. Wrong ones are `INVALID_CONFIGURATION`, whatever is wrong with them.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use napi::bindgen_prelude::Unknown;
use napi_derive::napi;
use serde::Deserialize;

use super::{
    credential::{Credential, CredentialOption, SecretOption},
    network::{Certificates, NetworkOption, UserAgent},
    numbers::Milliseconds,
    observer::LogLevel,
    options::{Parsed, parse},
};
use crate::{
    dataverse::{self, Concurrency, EnvironmentUrl},
    domain::CallerId,
    embedded::DatabasePath,
    error::{Code, LinkError},
    http::{NetworkOptions, RetryPolicy},
};

/// How long a call may take unless the client or the call says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The file of a client that nobody configured.
const DEFAULT_PATH: &str = "omnichannel-link.db";

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct ClientOptions {
    timeout_in_ms: Option<Milliseconds>,
    embedded: Option<EmbeddedOptions>,
    dataverse: Option<DataverseOptions>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EmbeddedOptions {
    path: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct DataverseOptions {
    url: Option<String>,
    credential: Option<CredentialOption>,
    caller_object_id: Option<Parsed<CallerId>>,
    max_retries: Option<u16>,
    retry_delay_in_ms: Option<Milliseconds>,
    max_retry_delay_in_ms: Option<Milliseconds>,
    max_concurrency: Option<Concurrent>,
    concurrency: Option<ConcurrencyOption>,
    proxy: Option<SecretOption>,
    ca_certificates: Option<Certificates>,
    application: Option<UserAgent>,
}

/// Requests under way at once.
#[derive(Deserialize)]
#[serde(try_from = "u16")]
struct Concurrent(usize);

impl TryFrom<u16> for Concurrent {
    type Error = String;

    fn try_from(most: u16) -> Result<Self, String> {
        let most = usize::from(most);
        if (1..=RetryPolicy::MAX_CONCURRENCY).contains(&most) {
            return Ok(Self(most));
        }
        Err(format!("expected 1 to {}, because Dataverse refuses more than 52 at once", RetryPolicy::MAX_CONCURRENCY))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum ConcurrencyOption {
    ReadCheckWrite,
}

/// What index.js knows of the process. Not read here: a worker's environment is its own.
#[napi(object, object_to_js = false)]
pub struct Surroundings {
    /// Those variables of the environment that mean something here and are not empty.
    pub variables: HashMap<String, String>,
    /// Whether this is Electron, where the working directory is arbitrary.
    pub in_electron: bool,
}

impl Surroundings {
    /// A variable that is set.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.variables.remove(name)
    }
}

/// A client's options, made sense of.
pub(super) struct Configuration {
    pub(super) timeout: Duration,
    pub(super) store: StoreConfiguration,
    /// Added to every error's hint: where the store came from that nobody configured.
    pub(super) note: Option<String>,
}

pub(super) enum StoreConfiguration {
    Embedded(PathBuf),
    Dataverse(Box<Remote>),
}

/// A Dataverse environment, and how to deal with it.
pub(super) struct Remote {
    pub(super) url: EnvironmentUrl,
    pub(super) credential: Credential,
    pub(super) options: dataverse::DataverseOptions,
    pub(super) network: NetworkOptions,
    pub(super) log: LogLevel,
}

/// The options of a client.
pub(super) fn client(
    options: &Unknown<'_>,
    has_provider: bool,
    surroundings: Surroundings,
) -> Result<Configuration, LinkError> {
    let refused = |error: LinkError| misconfigured(error.message().to_owned());
    let ClientOptions { timeout_in_ms, embedded, dataverse } = parse(options).map_err(refused)?;
    let timeout = timeout_in_ms.map_or(DEFAULT_TIMEOUT, |Milliseconds(timeout)| timeout);
    let has_url = surroundings.variables.contains_key("DATAVERSE_URL");
    let (store, note) = match (embedded, dataverse) {
        (Some(_), Some(_)) => return Err(misconfigured("`options`: expected `embedded` or `dataverse`, got both.")),
        (Some(EmbeddedOptions { path }), None) => {
            (StoreConfiguration::Embedded(database_path("options.embedded.path", &path)?), None)
        }
        (None, Some(dataverse)) => (remote(dataverse, has_provider, surroundings)?, None),
        (None, None) if has_url => (remote(DataverseOptions::default(), has_provider, surroundings)?, None),
        (None, None) if surroundings.in_electron => {
            return Err(misconfigured(
                "Inside Electron the working directory is arbitrary, so `options.embedded.path` must be given.",
            )
            .hint("Use a file in app.getPath('userData'), or configure `dataverse`."));
        }
        (None, None) => {
            let path = database_path("working directory", DEFAULT_PATH)?;
            let note = format!(
                "This client is embedded, on {}, because it was not configured and DATAVERSE_URL is not set.",
                path.display()
            );
            (StoreConfiguration::Embedded(path), Some(note))
        }
    };
    Ok(Configuration { timeout, store, note })
}

fn database_path(name: &str, path: &str) -> Result<PathBuf, LinkError> {
    let path: Result<DatabasePath, _> = path.parse();
    path.map(Into::into).map_err(|error| misconfigured(format!("`{name}`: {error}.")).hint(error.hint()))
}

fn remote(
    options: DataverseOptions,
    has_provider: bool,
    mut surroundings: Surroundings,
) -> Result<StoreConfiguration, LinkError> {
    let (name, url) = match (options.url, surroundings.take("DATAVERSE_URL")) {
        (Some(url), _) => ("options.dataverse.url", url),
        (None, Some(url)) => ("DATAVERSE_URL", url),
        (None, None) => return Err(misconfigured("`options.dataverse.url` is missing, and DATAVERSE_URL is not set.")),
    };
    let url: EnvironmentUrl = url.parse().map_err(|error| misconfigured(format!("`{name}`: {error}.")))?;
    let credential = match options.credential {
        Some(given) => given.understood(&url)?,
        None if has_provider => Credential::Function,
        None => Credential::from_environment(&mut surroundings, &url)?,
    };
    let policy = RetryPolicy::default();
    let or = |given: Option<Milliseconds>, default| given.map_or(default, |Milliseconds(given)| given);
    let retries = RetryPolicy {
        max_retries: options.max_retries.map_or(policy.max_retries, u32::from),
        delay: or(options.retry_delay_in_ms, policy.delay),
        max_delay: or(options.max_retry_delay_in_ms, policy.max_delay),
        max_concurrency: options.max_concurrency.map_or(policy.max_concurrency, |Concurrent(most)| most),
    };
    let concurrency = match options.concurrency {
        None => Concurrency::CompareAndSwap,
        Some(ConcurrencyOption::ReadCheckWrite) => Concurrency::ReadCheckWrite,
    };
    let caller = options.caller_object_id.map(|Parsed(caller)| caller);
    let network = NetworkOption {
        proxy: options.proxy,
        ca_certificates: options.ca_certificates,
        application: options.application,
    };
    let network = network.understood(&mut surroundings, url.as_url())?;
    let options = dataverse::DataverseOptions { retries, concurrency, caller };
    let log = LogLevel::of(surroundings.take("OMNICHANNEL_LINK_LOG").as_deref());
    Ok(StoreConfiguration::Dataverse(Box::new(Remote { url, credential, options, network, log })))
}

pub(super) fn misconfigured(message: impl Into<String>) -> LinkError {
    LinkError::new(Code::InvalidConfiguration, message)
}
