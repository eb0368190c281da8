//! Rules of injected faults.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::writer::ConversationChanges;
use crate::conditions::Limit;

/// The set of the rows that a fault can name by `conversation`.
const CONVERSATIONS: &str = "msdyn_ocliveworkitems";

/// The reason why a rule, a random plan or conditions were rejected. The message names the field.
#[derive(Debug)]
pub struct FaultError(pub(crate) String);

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FaultError {}

/// One rule of the plan.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rule {
    #[serde(default)]
    pub(super) on: On,
    #[serde(default)]
    pub(super) times: Times,
    pub(super) fault: Fault,
}

/// The requests that a rule applies to: those that match all given fields.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct On {
    method: Option<String>,
    /// Part of the path and query as sent.
    path: Option<String>,
    conversation: Option<String>,
    /// Applies from the nth matching request on.
    nth: Option<u64>,
    /// Applies to every nth matching request only.
    every: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "`times` must be a whole number or \"always\"")]
pub(super) enum Times {
    Count(u64),
    Word(Always),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Always {
    Always,
}

impl Default for Times {
    fn default() -> Self {
        Times::Count(1)
    }
}

/// An injected fault. `index.d.ts` documents the effect of each.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Fault {
    Status {
        status: u16,
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
        #[serde(default)]
        body: Form,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        commit: bool,
    },
    Redirect {
        location: String,
        #[serde(default = "temporary")]
        status: u16,
    },
    Unauthorized {},
    Throttle {
        limit: Limit,
        #[serde(default = "one")]
        retry_after_in_seconds: u64,
    },
    Drop {
        #[serde(default)]
        commit: bool,
    },
    Hang {
        #[serde(default)]
        commit: bool,
    },
    HangInBody {
        after_bytes: Option<usize>,
    },
    Truncate {
        after_bytes: Option<usize>,
    },
    Trickle {
        #[serde(default = "one_byte")]
        bytes_at_once: usize,
    },
    Endless {},
    ContentType {
        content_type: String,
    },
    Writer {
        when: When,
        #[serde(default)]
        changes: ConversationChanges,
        #[serde(default)]
        delete: bool,
    },
    NotStored {},
}

/// Form of the body of a `status` fault.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Form {
    #[default]
    Json,
    Html,
    Empty,
}

/// When the other writer acts: right before the request is executed, or right after it and before the response is read.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum When {
    Before,
    After,
}

fn temporary() -> u16 {
    307
}

fn one() -> u64 {
    1
}

fn one_byte() -> usize {
    1
}

/// The part of a request that the plan uses.
#[derive(Debug)]
pub(crate) struct RequestView<'a> {
    pub(crate) method: &'a str,
    /// Path and query as sent.
    pub(crate) target: &'a str,
}

impl RequestView<'_> {
    /// The conversation whose row is addressed.
    fn conversation(&self) -> Option<Uuid> {
        let (_, rest) = self.target.split_once(CONVERSATIONS)?;
        Uuid::try_parse(rest.strip_prefix('(')?.split(')').next()?).ok()
    }
}

impl On {
    pub(super) fn check(&self) -> Result<(), FaultError> {
        if let Some(id) = &self.conversation
            && Uuid::try_parse(id).is_err()
        {
            return Err(FaultError(format!("`on.conversation` is not a GUID: '{id}'")));
        }
        match (self.nth, self.every) {
            (Some(0), _) | (_, Some(0)) => Err(FaultError("`on.nth` and `on.every` must be at least 1".to_owned())),
            (Some(_), Some(_)) => Err(FaultError("`on` takes `nth` or `every`, not both".to_owned())),
            _ => Ok(()),
        }
    }

    pub(super) fn fits(&self, view: &RequestView<'_>) -> bool {
        let conversation = self.conversation.as_ref().map(|id| Uuid::try_parse(id).ok());
        self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(view.method))
            && self.path.as_ref().is_none_or(|path| view.target.contains(path.as_str()))
            && conversation.is_none_or(|id| id == view.conversation())
    }

    /// Whether the rule applies to the matching request with this number, counted from 1.
    pub(super) fn counts(&self, number: u64) -> bool {
        self.nth.is_none_or(|nth| number >= nth) && self.every.is_none_or(|every| number.is_multiple_of(every))
    }
}

impl Fault {
    /// The name of the fault in a rule and in the request log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Fault::Status { .. } => "status",
            Fault::Redirect { .. } => "redirect",
            Fault::Unauthorized {} => "unauthorized",
            Fault::Throttle { .. } => "throttle",
            Fault::Drop { .. } => "drop",
            Fault::Hang { .. } => "hang",
            Fault::HangInBody { .. } => "hangInBody",
            Fault::Truncate { .. } => "truncate",
            Fault::Trickle { .. } => "trickle",
            Fault::Endless {} => "endless",
            Fault::ContentType { .. } => "contentType",
            Fault::Writer { .. } => "writer",
            Fault::NotStored {} => "notStored",
        }
    }

    pub(super) fn check(&self) -> Result<(), FaultError> {
        let problem = match self {
            Fault::Status { status, headers, .. } => {
                let odd = headers.iter().find(|(name, value)| !is_header(name, value));
                match odd {
                    _ if !(200..=599).contains(status) => {
                        Some(format!("`status` must be from 200 to 599, not {status}"))
                    }
                    Some((name, _)) => Some(format!("`headers` cannot contain '{name}', or not with this value")),
                    None => None,
                }
            }
            Fault::Redirect { location, status } => match status {
                300..=399 if is_header("location", location) => None,
                300..=399 => Some("`location` is not a valid header value".to_owned()),
                _ => Some(format!("`status` of a redirect must be from 300 to 399, not {status}")),
            },
            Fault::Trickle { bytes_at_once: 0 } => Some("`bytesAtOnce` must be at least 1".to_owned()),
            Fault::ContentType { content_type } if !is_header("content-type", content_type) => {
                Some("`contentType` is not a valid header value".to_owned())
            }
            _ => None,
        };
        problem.map_or(Ok(()), |text| Err(FaultError(text)))
    }

    /// A writer needs a conversation to write to, and `notStored` needs a write.
    pub(super) fn applies_to(&self, view: &RequestView<'_>) -> bool {
        match self {
            Fault::Writer { .. } => view.conversation().is_some(),
            Fault::NotStored {} => view.method == "PATCH",
            _ => true,
        }
    }
}

fn is_header(name: &str, value: &str) -> bool {
    // Headers that define the end of the body. Other faults exist for that.
    let framing = ["content-length", "transfer-encoding"].iter().any(|framing| name.eq_ignore_ascii_case(framing));
    let named =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    named && !framing && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

pub(crate) fn parse<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, FaultError> {
    serde_json::from_value(value).map_err(|error| FaultError(format!("{what}: {error}")))
}
