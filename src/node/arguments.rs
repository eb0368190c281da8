//! The arguments of a call, parsed before any I/O. Every refusal names the argument.

use std::{fmt, str::FromStr};

use napi::{Env, JsValue, ValueType, bindgen_prelude::Unknown, sys};

use crate::{
    domain::{ConversationId, EntityLogicalName, RecordReference},
    error::{Code, LinkError},
};

/// The record named by the first two arguments.
pub(super) fn record(env: Env, entity: &Unknown<'_>, id: &Unknown<'_>) -> Result<RecordReference, LinkError> {
    Ok(RecordReference { entity: text(env, "entityLogicalName", entity)?, id: text(env, "recordId", id)? })
}

/// The table.
pub(super) fn entity(env: Env, entity: &Unknown<'_>) -> Result<EntityLogicalName, LinkError> {
    text(env, "entityLogicalName", entity)
}

/// The conversation, if one is named: null and undefined mean the focused one.
pub(super) fn optional_conversation(env: Env, id: &Unknown<'_>) -> Result<Option<ConversationId>, LinkError> {
    match id.get_type() {
        Ok(ValueType::Null | ValueType::Undefined) => Ok(None),
        _ => conversation(env, id).map(Some),
    }
}

/// The conversation.
pub(super) fn conversation(env: Env, id: &Unknown<'_>) -> Result<ConversationId, LinkError> {
    text(env, "conversationId", id)
}

/// A refusal that names the argument.
pub(super) fn invalid(argument: &str, expected: impl fmt::Display, got: impl fmt::Display) -> LinkError {
    LinkError::new(Code::InvalidArgument, format!("`{argument}`: {expected}, got {got}."))
}

fn text<T: FromStr<Err: fmt::Display>>(env: Env, argument: &str, value: &Unknown<'_>) -> Result<T, LinkError> {
    let short = ShortText::read(env, value);
    let parsed = match short.as_ref().map(ShortText::as_str) {
        Some(Some(text)) => text.parse().map_err(|error: T::Err| (error, format!("'{}'", text.escape_debug()))),
        Some(None) => "".parse().map_err(|error| (error, "a longer text".to_owned())),
        None => "".parse().map_err(|error| (error, describe(value).to_owned())),
    };
    parsed.map_err(|(expected, got)| invalid(argument, expected, got))
}

/// What a value is, for people.
pub(super) fn describe(value: &Unknown<'_>) -> &'static str {
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
        _ => "something else",
    }
}

/// No argument that is right is longer than a GUID in braces, so texts are copied onto the stack with one call into Node.
struct ShortText {
    bytes: [u8; Self::SIZE],
    length: usize,
}

impl ShortText {
    /// A GUID in braces.
    const LONGEST: usize = 38;
    /// One character more, to see that a text is longer (Node copies whole ones, up to four bytes), and a terminating zero.
    const SIZE: usize = Self::LONGEST + 4 + 1;

    fn read(env: Env, value: &Unknown<'_>) -> Option<Self> {
        let mut text = Self { bytes: [0; Self::SIZE], length: 0 };
        let buffer = text.bytes.as_mut_ptr().cast();
        // SAFETY: the buffer has the size that is given, and the length is written only on success.
        let status = unsafe {
            sys::napi_get_value_string_utf8(env.raw(), value.raw(), buffer, Self::SIZE, &raw mut text.length)
        };
        (status == sys::Status::napi_ok).then_some(text)
    }

    /// `None` if the text was longer than fits.
    fn as_str(&self) -> Option<&str> {
        if self.length > Self::LONGEST {
            return None;
        }
        std::str::from_utf8(&self.bytes[..self.length]).ok()
    }
}
