//! Options of calls and of clients. Unknown ones are refused by name, numbers are not bent into shape.

use std::{path::PathBuf, time::Duration};

use napi::bindgen_prelude::{FromNapiValue, Object, Unknown};
use napi::{JsValue, ValueType};
use napi_derive::napi;
use serde::{Deserialize, de::DeserializeOwned};

use super::arguments::{describe, invalid};
use crate::{
    dataverse::EnvironmentUrl,
    domain::{CallOptions, LinkPolicy, Status},
    error::{Code, LinkError},
};

/// How long a call may take unless the client or the call says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The file of a client that nobody configured.
const DEFAULT_PATH: &str = "omnichannel-link.db";

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct LinkOptions {
    timeout_in_ms: Option<f64>,
    linkable_statuses: Option<Vec<StatusOption>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct DeadlineOptions {
    timeout_in_ms: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum StatusOption {
    Code(i32),
    Name(String),
}

/// The options of a link.
pub(super) fn link(options: &Unknown<'_>) -> Result<(LinkPolicy, CallOptions), LinkError> {
    let LinkOptions { timeout_in_ms, linkable_statuses } = parse(options)?;
    let linkable_statuses =
        linkable_statuses.unwrap_or_default().into_iter().map(status).collect::<Result<_, LinkError>>()?;
    Ok((LinkPolicy { linkable_statuses }, CallOptions { timeout: timeout(timeout_in_ms)? }))
}

/// The options of an unlink.
pub(super) fn unlink(options: &Unknown<'_>) -> Result<CallOptions, LinkError> {
    let DeadlineOptions { timeout_in_ms } = parse(options)?;
    Ok(CallOptions { timeout: timeout(timeout_in_ms)? })
}

/// The options of an import that Rust needs to know. Without a timeout it takes as long as it takes.
pub(super) fn import(options: &Unknown<'_>) -> Result<CallOptions, LinkError> {
    unlink(options)
}

fn status(option: StatusOption) -> Result<Status, LinkError> {
    match option {
        StatusOption::Code(code) => Ok(code.into()),
        StatusOption::Name(name) => Status::from_name(&name).ok_or_else(|| {
            let names = Status::names().collect::<Vec<_>>().join(", ");
            invalid(
                "options.linkableStatuses",
                format!("expected names out of {names}, or status codes"),
                format!("'{name}'"),
            )
        }),
    }
}

/// Up to what a JavaScript timer can wait, about 24 days.
fn timeout(in_ms: Option<f64>) -> Result<Option<Duration>, LinkError> {
    match in_ms {
        None => Ok(None),
        Some(ms) if ms > 0.0 && ms <= f64::from(i32::MAX) => Ok(Some(Duration::from_secs_f64(ms / 1e3))),
        Some(ms) => Err(invalid("options.timeoutInMs", "expected milliseconds between 0 and 2147483647", ms)),
    }
}

fn parse<T: Default + DeserializeOwned>(options: &Unknown<'_>) -> Result<T, LinkError> {
    match options.get_type() {
        Ok(ValueType::Undefined | ValueType::Null) => Ok(T::default()),
        Ok(ValueType::Object) => {
            let value = options.value();
            // SAFETY: checked to be an object of this environment.
            let object = unsafe { Object::from_napi_value(value.env, value.value) };
            let object = object.map_err(|error| LinkError::new(Code::Internal, error.reason.clone()))?;
            serde_path_to_error::deserialize(&mut napi::De::new(&object)).map_err(|error| {
                let (path, reason) = (error.path().to_string(), error.inner().reason.clone());
                let name = if path == "." { "options".to_owned() } else { format!("options.{path}") };
                LinkError::new(Code::InvalidArgument, format!("`{name}`: {reason}."))
            })
        }
        _ => Err(invalid("options", "expected an object", describe(options))),
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct ClientOptions {
    timeout_in_ms: Option<f64>,
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
    credential: Option<String>,
}

/// What index.js knows of the process. Not read here: a worker's environment is its own.
#[napi(object, object_to_js = false)]
pub struct Surroundings {
    /// `process.env.DATAVERSE_URL`
    pub dataverse_url: Option<String>,
    /// Whether this is Electron, where the working directory is arbitrary.
    pub in_electron: bool,
}

/// A client's options, made sense of.
#[derive(Debug)]
pub(super) struct Configuration {
    pub(super) timeout: Duration,
    pub(super) store: StoreConfiguration,
    /// Added to every error's hint: where the store came from that nobody configured.
    pub(super) note: Option<String>,
}

#[derive(Debug)]
pub(super) enum StoreConfiguration {
    Embedded(PathBuf),
    /// Without a token there is a credential function.
    Dataverse(EnvironmentUrl, Option<String>),
}

/// The options of a client. Wrong ones are `INVALID_CONFIGURATION`, whatever is wrong with them.
pub(super) fn client(
    options: &Unknown<'_>,
    has_provider: bool,
    surroundings: Surroundings,
) -> Result<Configuration, LinkError> {
    let refused = |error: LinkError| misconfigured(error.message().to_owned());
    let ClientOptions { timeout_in_ms, embedded, dataverse } = parse(options).map_err(refused)?;
    let timeout = timeout(timeout_in_ms).map_err(refused)?.unwrap_or(DEFAULT_TIMEOUT);
    let (store, note) = match (embedded, dataverse) {
        (Some(_), Some(_)) => return Err(misconfigured("`options`: expected `embedded` or `dataverse`, got both.")),
        (Some(EmbeddedOptions { path }), None) => {
            (StoreConfiguration::Embedded(absolute("options.embedded.path", &path)?), None)
        }
        (None, Some(dataverse)) => (remote(dataverse, has_provider, surroundings.dataverse_url)?, None),
        (None, None) if surroundings.dataverse_url.is_some() => {
            (remote(DataverseOptions::default(), has_provider, surroundings.dataverse_url)?, None)
        }
        (None, None) if surroundings.in_electron => {
            return Err(misconfigured(
                "Inside Electron the working directory is arbitrary, so `options.embedded.path` must be given.",
            )
            .hint("Use a file in app.getPath('userData'), or configure `dataverse`."));
        }
        (None, None) => {
            let path = absolute("working directory", DEFAULT_PATH)?;
            let note = format!(
                "This client is embedded, on {}, because it was not configured and DATAVERSE_URL is not set.",
                path.display()
            );
            (StoreConfiguration::Embedded(path), Some(note))
        }
    };
    Ok(Configuration { timeout, store, note })
}

/// Fixed now: a later change of the working directory must not change the file.
fn absolute(name: &str, path: &str) -> Result<PathBuf, LinkError> {
    std::path::absolute(path).map_err(|error| misconfigured(format!("`{name}`: expected a path to a file ({error}).")))
}

fn remote(
    DataverseOptions { url, credential }: DataverseOptions,
    has_provider: bool,
    default_url: Option<String>,
) -> Result<StoreConfiguration, LinkError> {
    let (name, url) = match (url, default_url) {
        (Some(url), _) => ("options.dataverse.url", url),
        (None, Some(url)) => ("DATAVERSE_URL", url),
        (None, None) => return Err(misconfigured("`options.dataverse.url` is missing, and DATAVERSE_URL is not set.")),
    };
    let url = url.parse().map_err(|error| misconfigured(format!("`{name}`: {error}.")))?;
    if credential.is_none() && !has_provider {
        return Err(misconfigured("A Dataverse client needs `options.dataverse.credential`.")
            .hint("Give an access token, or an async function that returns one. The embedded store is used only when neither `dataverse` nor DATAVERSE_URL is set."));
    }
    Ok(StoreConfiguration::Dataverse(url, credential))
}

pub(super) fn misconfigured(message: impl Into<String>) -> LinkError {
    LinkError::new(Code::InvalidConfiguration, message)
}
