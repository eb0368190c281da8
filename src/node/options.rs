//! Options of calls and of clients. Unknown ones are refused by name, numbers are not bent into shape.

use std::{fmt, path::PathBuf, time::Duration};

use napi::bindgen_prelude::{FromNapiValue, Object, Unknown};
use napi::{JsValue, ValueType};
use napi_derive::napi;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, Unexpected, Visitor},
};

use super::arguments::{describe, invalid};
use crate::{
    dataverse::{self, Concurrency, EnvironmentUrl},
    domain::{CallOptions, LinkPolicy, Status},
    error::{Code, LinkError},
    http::RetryPolicy,
};

/// How long a call may take unless the client or the call says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The file of a client that nobody configured.
const DEFAULT_PATH: &str = "omnichannel-link.db";

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct LinkOptions {
    timeout_in_ms: Option<Milliseconds>,
    linkable_statuses: Option<Vec<Status>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct DeadlineOptions {
    timeout_in_ms: Option<Milliseconds>,
}

/// Read by hand: serde's untagged enums buffer whatever is there first, and an object may be nested without end.
impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct NameOrCode;

        impl Visitor<'_> for NameOrCode {
            type Value = Status;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "one of {}, or a status code", Status::names().collect::<Vec<_>>().join(", "))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Status, E> {
                Status::from_name(name).ok_or_else(|| E::invalid_value(Unexpected::Str(name), &self))
            }

            fn visit_i64<E: de::Error>(self, code: i64) -> Result<Status, E> {
                i32::try_from(code).map(Status::from).map_err(|_| E::invalid_value(Unexpected::Signed(code), &self))
            }
        }

        value.deserialize_any(NameOrCode)
    }
}

/// Up to what a JavaScript timer can wait, about 24 days. A `BigInt` is no number of milliseconds.
#[derive(Clone, Copy)]
struct Milliseconds(Duration);

impl<'de> Deserialize<'de> for Milliseconds {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Milliseconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of milliseconds, more than 0 and at most 2147483647")
            }

            fn visit_f64<E: de::Error>(self, ms: f64) -> Result<Milliseconds, E> {
                if ms > 0.0 && ms <= f64::from(i32::MAX) {
                    return Ok(Milliseconds(Duration::from_secs_f64(ms / 1e3)));
                }
                Err(E::invalid_value(Unexpected::Float(ms), &self))
            }

            fn visit_i64<E: de::Error>(self, ms: i64) -> Result<Milliseconds, E> {
                match u32::try_from(ms) {
                    Ok(ms) => self.visit_f64(f64::from(ms)),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(ms), &self)),
                }
            }
        }

        value.deserialize_any(Number)
    }
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

/// The options of a link.
pub(super) fn link(options: &Unknown<'_>) -> Result<(LinkPolicy, CallOptions), LinkError> {
    let LinkOptions { timeout_in_ms, linkable_statuses } = parse(options)?;
    Ok((LinkPolicy { linkable_statuses: linkable_statuses.unwrap_or_default() }, deadline(timeout_in_ms)))
}

/// The options of an unlink.
pub(super) fn unlink(options: &Unknown<'_>) -> Result<CallOptions, LinkError> {
    let DeadlineOptions { timeout_in_ms } = parse(options)?;
    Ok(deadline(timeout_in_ms))
}

fn deadline(timeout: Option<Milliseconds>) -> CallOptions {
    CallOptions { timeout: timeout.map(|Milliseconds(timeout)| timeout) }
}

/// The options of an import that Rust needs to know. Without a timeout it takes as long as it takes.
pub(super) fn import(options: &Unknown<'_>) -> Result<CallOptions, LinkError> {
    unlink(options)
}

fn parse<T: Default + DeserializeOwned>(options: &Unknown<'_>) -> Result<T, LinkError> {
    match options.get_type() {
        Ok(ValueType::Undefined | ValueType::Null) => Ok(T::default()),
        Ok(ValueType::Object) => {
            let value = options.value();
            // SAFETY: checked to be an object of this environment.
            let object = unsafe { Object::from_napi_value(value.env, value.value) };
            let object = object.map_err(|error| LinkError::new(Code::Internal, error.reason.clone()))?;
            if object.is_array().unwrap_or(true) {
                return Err(invalid("options", "expected an object", "an array"));
            }
            serde_path_to_error::deserialize(&mut napi::De::new(&object)).map_err(|error| {
                let (path, reason) = (error.path().to_string(), error.inner().reason.replace("a sequence", "an array"));
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
    credential: Option<String>,
    max_retries: Option<u16>,
    retry_delay_in_ms: Option<Milliseconds>,
    max_retry_delay_in_ms: Option<Milliseconds>,
    max_concurrency: Option<Concurrent>,
    concurrency: Option<ConcurrencyOption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum ConcurrencyOption {
    ReadCheckWrite,
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
    Dataverse(EnvironmentUrl, Option<String>, dataverse::DataverseOptions),
}

/// The options of a client. Wrong ones are `INVALID_CONFIGURATION`, whatever is wrong with them.
pub(super) fn client(
    options: &Unknown<'_>,
    has_provider: bool,
    surroundings: Surroundings,
) -> Result<Configuration, LinkError> {
    let refused = |error: LinkError| misconfigured(error.message().to_owned());
    let ClientOptions { timeout_in_ms, embedded, dataverse } = parse(options).map_err(refused)?;
    let timeout = timeout_in_ms.map_or(DEFAULT_TIMEOUT, |Milliseconds(timeout)| timeout);
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
    let refused = |why: &str| misconfigured(format!("`{name}`: expected a path to a file ({why})."));
    if path.contains('\0') {
        return Err(refused("it holds a zero byte"));
    }
    std::path::absolute(path).map_err(|error| refused(&error.to_string()))
}

fn remote(
    options: DataverseOptions,
    has_provider: bool,
    default_url: Option<String>,
) -> Result<StoreConfiguration, LinkError> {
    let DataverseOptions {
        url,
        credential,
        max_retries,
        retry_delay_in_ms,
        max_retry_delay_in_ms,
        max_concurrency,
        concurrency,
    } = options;
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
    let policy = RetryPolicy::default();
    let or = |given: Option<Milliseconds>, default| given.map_or(default, |Milliseconds(given)| given);
    let retries = RetryPolicy {
        max_retries: max_retries.map_or(policy.max_retries, u32::from),
        delay: or(retry_delay_in_ms, policy.delay),
        max_delay: or(max_retry_delay_in_ms, policy.max_delay),
        max_concurrency: max_concurrency.map_or(policy.max_concurrency, |Concurrent(most)| most),
    };
    let concurrency = match concurrency {
        None => Concurrency::CompareAndSwap,
        Some(ConcurrencyOption::ReadCheckWrite) => Concurrency::ReadCheckWrite,
    };
    Ok(StoreConfiguration::Dataverse(url, credential, dataverse::DataverseOptions { retries, concurrency }))
}

pub(super) fn misconfigured(message: impl Into<String>) -> LinkError {
    LinkError::new(Code::InvalidConfiguration, message)
}
