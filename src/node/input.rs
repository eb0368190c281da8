//! Arguments of calls, parsed before any I/O. An error names the argument.

use std::{fmt, str::FromStr};

use napi::{
    Env, JsValue, ValueType,
    bindgen_prelude::{FromNapiValue, JsObjectValue, Object, Unknown},
    sys,
};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned},
};

use crate::{
    domain::{ConversationId, EntityLogicalName, RecordReference},
    error::{Code, LinkError},
};

/// The record that the first two arguments name.
pub(super) fn record(env: Env, entity: &Unknown<'_>, id: &Unknown<'_>) -> Result<RecordReference, LinkError> {
    Ok(RecordReference { entity: self::entity(env, entity)?, id: parse(env, "recordId", id)? })
}

pub(super) fn entity(env: Env, entity: &Unknown<'_>) -> Result<EntityLogicalName, LinkError> {
    parse(env, "entityLogicalName", entity)
}

pub(super) fn conversation(env: Env, id: &Unknown<'_>) -> Result<ConversationId, LinkError> {
    parse(env, "conversationId", id)
}

/// A conversation, or `None` for null and undefined.
pub(super) fn optional_conversation(env: Env, id: &Unknown<'_>) -> Result<Option<ConversationId>, LinkError> {
    match id.get_type() {
        Ok(ValueType::Null | ValueType::Undefined) => Ok(None),
        _ => conversation(env, id).map(Some),
    }
}

fn parse<T: FromStr<Err: fmt::Display>>(env: Env, argument: &str, value: &Unknown<'_>) -> Result<T, LinkError> {
    let short = ShortString::read(env, value);
    let parsed = match short.as_ref().map(ShortString::as_str) {
        Some(Some(string)) => string.parse().map_err(|error: T::Err| (error, format!("'{}'", string.escape_debug()))),
        Some(None) => "".parse().map_err(|error| (error, "a longer string".to_owned())),
        None => "".parse().map_err(|error| (error, type_name(value).to_owned())),
    };
    parsed.map_err(|(expected, got)| LinkError::invalid_argument(argument, format!("{expected}, got {got}")))
}

/// The type of a value, for messages.
fn type_name(value: &Unknown<'_>) -> &'static str {
    match value.get_type() {
        Ok(ValueType::Undefined) => "undefined",
        Ok(ValueType::Null) => "null",
        Ok(ValueType::Boolean) => "a boolean",
        Ok(ValueType::Number) => "a number",
        Ok(ValueType::String) => "a string",
        Ok(ValueType::Symbol) => "a symbol",
        Ok(ValueType::Object) => "an object",
        Ok(ValueType::Function) => "a function",
        Ok(ValueType::BigInt) => "a bigint",
        _ => "a value of another type",
    }
}

/// Options as an object; null and undefined mean no options.
pub(super) fn options<T: Default + DeserializeOwned>(options: &Unknown<'_>) -> Result<T, LinkError> {
    match options.get_type() {
        Ok(ValueType::Undefined | ValueType::Null) => Ok(T::default()),
        _ => object("options", options),
    }
}

/// An argument that is an object. An error names the property.
pub(super) fn object<T: DeserializeOwned>(argument: &str, value: &Unknown<'_>) -> Result<T, LinkError> {
    let expected = |got| LinkError::invalid_argument(argument, format!("expected an object, got {got}"));
    if !matches!(value.get_type(), Ok(ValueType::Object)) {
        return Err(expected(type_name(value)));
    }
    let object = as_object(value).map_err(|error| LinkError::new(Code::Internal, error.reason.clone()))?;
    if object.is_array().unwrap_or(true) {
        return Err(expected("an array"));
    }
    serde_path_to_error::deserialize(&mut napi::De::new(&object)).map_err(|error| {
        let (path, reason) = (error.path().to_string(), error.inner().reason.replace("a sequence", "an array"));
        let name = if path == "." { argument.to_owned() } else { format!("{argument}.{path}") };
        LinkError::invalid_argument(&name, reason)
    })
}

/// The type of an object's property. serde does not distinguish null from undefined.
pub(super) fn property_type(object: &Unknown<'_>, name: &str) -> Option<ValueType> {
    if !matches!(object.get_type(), Ok(ValueType::Object)) {
        return None;
    }
    as_object(object).and_then(|object| object.get_named_property_unchecked::<Unknown<'_>>(name)?.get_type()).ok()
}

/// A value that was checked to be an object.
fn as_object<'env>(value: &Unknown<'env>) -> napi::Result<Object<'env>> {
    let raw = value.value();
    // SAFETY: the value and its environment belong together.
    unsafe { Object::from_napi_value(raw.env, raw.value) }
}

/// A string option that is parsed.
pub(super) struct Parsed<T>(pub(super) T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let string = String::deserialize(value)?;
        let parsed = string.parse().map(Self);
        parsed.map_err(|error: T::Err| de::Error::custom(format!("{error}, got '{}'", string.escape_debug())))
    }
}

/// A string argument, copied onto the stack by one call into Node. No valid one is longer than a GUID in braces.
struct ShortString {
    bytes: [u8; Self::SIZE],
    length: usize,
}

impl ShortString {
    /// A GUID in braces.
    const LONGEST: usize = 38;
    /// One character more, to notice a longer string (Node copies whole characters of up to four bytes), and a terminating zero.
    const SIZE: usize = Self::LONGEST + 4 + 1;

    fn read(env: Env, value: &Unknown<'_>) -> Option<Self> {
        let mut string = Self { bytes: [0; Self::SIZE], length: 0 };
        let buffer = string.bytes.as_mut_ptr().cast();
        // SAFETY: the buffer has the size that is given, and the length is written only on success.
        let status = unsafe {
            sys::napi_get_value_string_utf8(env.raw(), value.raw(), buffer, Self::SIZE, &raw mut string.length)
        };
        (status == sys::Status::napi_ok).then_some(string)
    }

    /// `None` if the string was longer than fits.
    fn as_str(&self) -> Option<&str> {
        if self.length > Self::LONGEST {
            return None;
        }
        std::str::from_utf8(&self.bytes[..self.length]).ok()
    }
}
