//! The part of a Node process that configures clients.

use std::collections::HashMap;

use napi::{
    Env, JsValue, ValueType,
    bindgen_prelude::{FromNapiValue, JsObjectValue, Object, Unknown},
    sys,
};

use crate::error::LinkError;

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
    /// Reads `process`, or the global one. Properties that `Object.prototype` has, too, count only if they are own ones.
    pub(in crate::node) fn read(env: Env, process: Option<Object<'_>>) -> Result<Self, LinkError> {
        Self::try_read(env, process).map_err(|error| {
            let mut exception = std::ptr::null_mut();
            // SAFETY: the environment is the current one. The exception of a getter or a trap must not stay pending.
            unsafe { sys::napi_get_and_clear_last_exception(env.raw(), &raw mut exception) };
            LinkError::invalid_option("process.env", "cannot be read").caused_by(error.reason.clone())
        })
    }

    fn try_read(env: Env, process: Option<Object<'_>>) -> napi::Result<Self> {
        // SAFETY: the global object of the current environment.
        let global = unsafe { Object::from_napi_value(env.raw(), env.get_global()?.raw()) }?;
        let root = property(&global, "Object")?.map_or(Ok(None), |object| property(&object, "prototype"))?;
        let is_shared = |name| root.as_ref().map_or(Ok(false), |root| root.has_own_property(name));
        let process = process.map_or_else(|| property(&global, "process"), |process| Ok(Some(process)))?;
        let part = |name| process.as_ref().map_or(Ok(None), |process| property(process, name));
        let mut found = HashMap::new();
        if let Some(variables) = part("env")? {
            for name in VARIABLES {
                if let Some(value) = string(env, &variables, name)?
                    && !value.is_empty()
                    && (!is_shared(name)? || variables.has_own_property(name)?)
                {
                    found.insert(name, value);
                }
            }
        }
        let is_electron = match part("versions")? {
            Some(versions) if is_shared("electron")? => versions.has_own_property("electron")?,
            Some(versions) => string(env, &versions, "electron")?.is_some(),
            None => false,
        };
        Ok(Self { variables: found, is_electron })
    }

    /// The value of a variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

/// A property that is an object.
fn property<'env>(object: &Object<'env>, name: &str) -> napi::Result<Option<Object<'env>>> {
    let value = object.get_named_property_unchecked::<Unknown<'env>>(name)?;
    if !matches!(value.get_type(), Ok(ValueType::Object | ValueType::Function)) {
        return Ok(None);
    }
    // SAFETY: checked to be an object, of the environment that the outer one is of.
    unsafe { Object::from_napi_value(object.value().env, value.raw()) }.map(Some)
}

/// A property that is a string.
fn string(env: Env, object: &Object<'_>, name: &str) -> napi::Result<Option<String>> {
    let value = object.get_named_property_unchecked::<Unknown<'_>>(name)?;
    if !matches!(value.get_type(), Ok(ValueType::String)) {
        return Ok(None);
    }
    // SAFETY: checked to be a string of this environment.
    unsafe { String::from_napi_value(env.raw(), value.raw()) }.map(Some)
}
