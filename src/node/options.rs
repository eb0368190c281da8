//! Options of calls, and what options have in common. Unknown ones are refused by name.

use std::{fmt, str::FromStr};

use napi::bindgen_prelude::{FromNapiValue, JsObjectValue, Object, Unknown};
use napi::{JsValue, ValueType};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, Unexpected, Visitor},
};

use super::{
    arguments::{describe, invalid},
    numbers::Milliseconds,
};
use crate::{
    domain::{
        CallOptions, CallerId, EntityLogicalName, IfLinked, LinkPolicy, RecordId, RecordReference, Status, Traceparent,
    },
    error::{Code, LinkError},
};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct LinkOptions {
    timeout_in_ms: Option<Milliseconds>,
    caller_object_id: Option<Parsed<CallerId>>,
    traceparent: Option<Parsed<Traceparent>>,
    linkable_statuses: Option<Vec<Status>>,
    if_linked: Option<IfLinkedOption>,
    #[serde(deserialize_with = "present")]
    #[expect(clippy::option_option, reason = "not given is another thing than nothing expected")]
    expected: Option<Option<RecordOption>>,
    dry_run: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum IfLinkedOption {
    Replace,
    Keep,
    Reject,
}

/// A record as an object, also one that was read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RecordOption {
    entity_logical_name: Parsed<EntityLogicalName>,
    record_id: Parsed<RecordId>,
    #[serde(rename = "name")]
    _name: Option<String>,
}

impl From<RecordOption> for RecordReference {
    fn from(given: RecordOption) -> Self {
        Self { entity: given.entity_logical_name.0, id: given.record_id.0 }
    }
}

/// Tells null from what is not given.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct UnlinkOptions {
    timeout_in_ms: Option<Milliseconds>,
    caller_object_id: Option<Parsed<CallerId>>,
    traceparent: Option<Parsed<Traceparent>>,
    dry_run: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct ReadOptions {
    timeout_in_ms: Option<Milliseconds>,
    caller_object_id: Option<Parsed<CallerId>>,
    traceparent: Option<Parsed<Traceparent>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct ImportOptions {
    timeout_in_ms: Option<Milliseconds>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct DoctorOptions {
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

/// The options of a link.
pub(super) fn link(options: &Unknown<'_>) -> Result<(LinkPolicy, CallOptions), LinkError> {
    let given: LinkOptions = parse(options)?;
    let policy = LinkPolicy {
        linkable_statuses: given.linkable_statuses.unwrap_or_default(),
        if_linked: match given.if_linked {
            None | Some(IfLinkedOption::Replace) => IfLinked::Replace,
            Some(IfLinkedOption::Keep) => IfLinked::Keep,
            Some(IfLinkedOption::Reject) => IfLinked::Reject,
        },
        expected: given
            .expected
            .filter(|_| type_of(options, "expected") != Some(ValueType::Undefined))
            .map(|expected| expected.map(Into::into)),
    };
    let dry_run = given.dry_run.unwrap_or_default();
    Ok((policy, CallOptions { dry_run, ..call(given.timeout_in_ms, given.caller_object_id, given.traceparent) }))
}

/// The options of an unlink.
pub(super) fn unlink(options: &Unknown<'_>) -> Result<CallOptions, LinkError> {
    let UnlinkOptions { timeout_in_ms, caller_object_id, traceparent, dry_run } = parse(options)?;
    let dry_run = dry_run.unwrap_or_default();
    Ok(CallOptions { dry_run, ..call(timeout_in_ms, caller_object_id, traceparent) })
}

/// The options of a look at one conversation.
pub(super) fn read(options: &Unknown<'_>) -> Result<CallOptions, LinkError> {
    let ReadOptions { timeout_in_ms, caller_object_id, traceparent } = parse(options)?;
    Ok(call(timeout_in_ms, caller_object_id, traceparent))
}

/// The options of an import that Rust needs to know. Without a timeout it takes as long as it takes.
pub(super) fn import(options: &Unknown<'_>) -> Result<CallOptions, LinkError> {
    let ImportOptions { timeout_in_ms } = parse(options)?;
    Ok(call(timeout_in_ms, None, None))
}

/// The options of an examination that Rust needs to know.
pub(super) fn doctor(options: &Unknown<'_>) -> Result<CallOptions, LinkError> {
    let DoctorOptions { timeout_in_ms } = parse(options)?;
    Ok(call(timeout_in_ms, None, None))
}

/// What all calls may say.
pub(super) fn call(
    timeout: Option<Milliseconds>,
    caller: Option<Parsed<CallerId>>,
    traceparent: Option<Parsed<Traceparent>>,
) -> CallOptions {
    CallOptions {
        timeout: timeout.map(|Milliseconds(timeout)| timeout),
        caller: caller.map(|Parsed(caller)| caller),
        traceparent: traceparent.map(|Parsed(place)| place),
        dry_run: false,
    }
}

/// The type of an object's property, which serde does not tell when it is null or undefined.
pub(super) fn type_of(object: &Unknown<'_>, name: &str) -> Option<ValueType> {
    if !matches!(object.get_type(), Ok(ValueType::Object)) {
        return None;
    }
    let raw = object.value();
    // SAFETY: an object of this environment.
    let object = unsafe { Object::from_napi_value(raw.env, raw.value) };
    object.and_then(|object| object.get_named_property_unchecked::<Unknown<'_>>(name)?.get_type()).ok()
}

/// Options as an object, or none.
pub(super) fn parse<T: Default + DeserializeOwned>(options: &Unknown<'_>) -> Result<T, LinkError> {
    match options.get_type() {
        Ok(ValueType::Undefined | ValueType::Null) => Ok(T::default()),
        _ => parse_object("options", options),
    }
}

/// An object, which errors call by the name of its argument.
pub(super) fn parse_object<T: DeserializeOwned>(argument: &str, value: &Unknown<'_>) -> Result<T, LinkError> {
    if !matches!(value.get_type(), Ok(ValueType::Object)) {
        return Err(invalid(argument, "expected an object", describe(value)));
    }
    let raw = value.value();
    // SAFETY: checked to be an object of this environment.
    let object = unsafe { Object::from_napi_value(raw.env, raw.value) };
    let object = object.map_err(|error| LinkError::new(Code::Internal, error.reason.clone()))?;
    if object.is_array().unwrap_or(true) {
        return Err(invalid(argument, "expected an object", "an array"));
    }
    serde_path_to_error::deserialize(&mut napi::De::new(&object)).map_err(|error| {
        let (path, reason) = (error.path().to_string(), error.inner().reason.replace("a sequence", "an array"));
        let name = if path == "." { argument.to_owned() } else { format!("{argument}.{path}") };
        LinkError::new(Code::InvalidArgument, format!("`{name}`: {reason}."))
    })
}
