//! The part of a Node process that configures clients.

use std::collections::HashMap;

use napi::{
    Env, JsValue, ValueType,
    bindgen_prelude::{FromNapiValue, JsObjectValue, Object, Unknown},
};

/// The variables that clients read.
const VARIABLES: [&str; 13] = [
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_TENANT_ID",
    "DATAVERSE_URL",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "OMNICHANNEL_LINK_LOG",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// `process.env` and `process.versions` of the calling environment. A worker has its own `process.env`, so the variables of the
/// operating system are not used.
pub struct ProcessEnv {
    variables: HashMap<&'static str, String>,
    /// In Electron the working directory is arbitrary.
    pub(super) is_electron: bool,
}

impl ProcessEnv {
    /// Reads `process`, or the global one. Properties of a changed `Object.prototype` do not count.
    pub(in crate::node) fn read(env: Env, process: Option<Object<'_>>) -> napi::Result<Self> {
        let process = match process {
            Some(process) => Some(process),
            None => property(&env.get_global()?.get_named_property_unchecked::<Object<'_>>("globalThis")?, "process")?,
        };
        let part = |name| process.as_ref().map_or(Ok(None), |process| property(process, name));
        let (variables, versions) = (part("env")?, part("versions")?);
        let mut found = HashMap::new();
        for name in VARIABLES {
            if let Some(variables) = variables.as_ref().filter(|variables| has(variables, name))
                && let value = variables.get_named_property_unchecked::<Unknown<'_>>(name)?
                && matches!(value.get_type(), Ok(ValueType::String))
            {
                // SAFETY: checked to be a string of this environment.
                let value = unsafe { String::from_napi_value(env.raw(), value.raw()) }?;
                if !value.is_empty() {
                    found.insert(name, value);
                }
            }
        }
        Ok(Self { variables: found, is_electron: versions.is_some_and(|versions| has(&versions, "electron")) })
    }

    /// The value of a variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

fn has(object: &Object<'_>, name: &str) -> bool {
    object.has_own_property(name).unwrap_or(false)
}

/// A property that is an object.
fn property<'env>(object: &Object<'env>, name: &str) -> napi::Result<Option<Object<'env>>> {
    let value = object.get_named_property_unchecked::<Unknown<'env>>(name)?;
    if !matches!(value.get_type(), Ok(ValueType::Object)) {
        return Ok(None);
    }
    // SAFETY: checked to be an object, of the environment that the outer one is of.
    unsafe { Object::from_napi_value(object.value().env, value.raw()) }.map(Some)
}
