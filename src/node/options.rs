//! Options of calls, and what options have in common. Unknown ones are refused by name, numbers are not bent into shape.

use std::{fmt, str::FromStr, time::Duration};

use napi::bindgen_prelude::{FromNapiValue, Object, Unknown};
use napi::{JsValue, ValueType};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, Unexpected, Visitor},
};

use super::arguments::{describe, invalid};
use crate::{
    domain::{CallOptions, CallerId, LinkPolicy, Status, Traceparent},
    error::{Code, LinkError},
};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct LinkOptions {
    timeout_in_ms: Option<Milliseconds>,
    caller_object_id: Option<Parsed<CallerId>>,
    traceparent: Option<Parsed<Traceparent>>,
    linkable_statuses: Option<Vec<Status>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct UnlinkOptions {
    timeout_in_ms: Option<Milliseconds>,
    caller_object_id: Option<Parsed<CallerId>>,
    traceparent: Option<Parsed<Traceparent>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct ImportOptions {
    timeout_in_ms: Option<Milliseconds>,
}

/// A text that means something.
pub(super) struct Parsed<T>(pub(super) T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        String::deserialize(value)?.parse().map(Self).map_err(de::Error::custom)
    }
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
pub(super) struct Milliseconds(pub(super) Duration);

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

/// The options of a link.
pub(super) fn link(options: &Unknown<'_>) -> Result<(LinkPolicy, CallOptions), LinkError> {
    let LinkOptions { timeout_in_ms, caller_object_id, traceparent, linkable_statuses } = parse(options)?;
    let policy = LinkPolicy { linkable_statuses: linkable_statuses.unwrap_or_default() };
    Ok((policy, call(timeout_in_ms, caller_object_id, traceparent)))
}

/// The options of an unlink.
pub(super) fn unlink(options: &Unknown<'_>) -> Result<CallOptions, LinkError> {
    let UnlinkOptions { timeout_in_ms, caller_object_id, traceparent } = parse(options)?;
    Ok(call(timeout_in_ms, caller_object_id, traceparent))
}

/// The options of an import that Rust needs to know. Without a timeout it takes as long as it takes.
pub(super) fn import(options: &Unknown<'_>) -> Result<CallOptions, LinkError> {
    let ImportOptions { timeout_in_ms } = parse(options)?;
    Ok(call(timeout_in_ms, None, None))
}

fn call(
    timeout: Option<Milliseconds>,
    caller: Option<Parsed<CallerId>>,
    traceparent: Option<Parsed<Traceparent>>,
) -> CallOptions {
    CallOptions {
        timeout: timeout.map(|Milliseconds(timeout)| timeout),
        caller: caller.map(|Parsed(caller)| caller),
        traceparent: traceparent.map(|Parsed(place)| place),
    }
}

/// Options as an object, or none.
pub(super) fn parse<T: Default + DeserializeOwned>(options: &Unknown<'_>) -> Result<T, LinkError> {
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
