//! Options of calls, and the other arguments that are objects. Unknown properties are rejected by name.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use napi::{ValueType, bindgen_prelude::Unknown};
use serde::{
    Deserialize, Deserializer,
    de::{self, Unexpected, Visitor},
};

use super::{
    super::input::{self, Parsed},
    numbers::{Count, Days, Milliseconds},
};
use crate::{
    dataverse::tables::record_key,
    domain::{
        AgentId, CallOptions, CallerId, ConversationId, ConversationQuery, EntityLogicalName, ExpectedLink, IfLinked,
        KeyValue, LinkPolicy, Listing, Order, Property, RecordId, RecordKey, RecordReference, Status, Traceparent,
        distinct_statuses,
    },
    error::{LinkError, StoreName},
};

const DAY: Duration = Duration::from_secs(86_400);

/// Declares options that have, besides their own properties, those of every call.
macro_rules! call_options {
    ($(#[$attribute:meta])* struct $name:ident { $($(#[$of_field:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$attribute])*
        #[derive(Default, Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "camelCase")]
        struct $name {
            timeout_in_ms: Option<Milliseconds>,
            caller_object_id: Option<Parsed<CallerId>>,
            traceparent: Option<Parsed<Traceparent>>,
            $($(#[$of_field])* $field: $type,)*
        }

        impl $name {
            fn call(&mut self) -> CallOptions {
                CallOptions {
                    timeout: self.timeout_in_ms.map(|Milliseconds(timeout)| timeout),
                    caller: self.caller_object_id.take().map(|Parsed(caller)| caller),
                    traceparent: self.traceparent.take().map(|Parsed(traceparent)| traceparent),
                    dry_run: false,
                }
            }
        }
    };
}

call_options! {
    struct LinkOptions {
        linkable_statuses: Option<Vec<Status>>,
        if_linked: Option<IfLinkedOption>,
        #[serde(deserialize_with = "nullable")]
        expected: Option<Option<RecordOption>>,
        dry_run: Option<bool>,
    }
}

call_options! { struct UnlinkOptions { dry_run: Option<bool>, } }

call_options! { struct ReadOptions {} }

call_options! {
    struct QueryOptions {
        record: Option<RecordOption>,
        agent_id: Option<Parsed<AgentId>>,
        statuses: Option<Vec<Status>>,
        created_before_days: Option<Days>,
        order_by: Option<Vec<OrderOption>>,
        top: Option<Count>,
    }
}

/// Options of a call without impersonation and tracing.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct LocalOptions {
    timeout_in_ms: Option<Milliseconds>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum IfLinkedOption {
    Replace,
    Keep,
    Reject,
}

/// A record as an object. One that was read has a name, too, which is ignored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RecordOption {
    entity_logical_name: Parsed<EntityLogicalName>,
    record_id: Parsed<RecordId>,
    #[serde(rename = "name")]
    _name: Option<String>,
}

impl From<RecordOption> for RecordReference {
    fn from(record: RecordOption) -> Self {
        Self { entity: record.entity_logical_name.0, id: record.record_id.0 }
    }
}

/// Reads null as `Some(None)`.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// Read by hand: serde's untagged enums buffer their input first, and an object may be nested without end.
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

pub(in crate::node) fn link(options: &Unknown<'_>) -> Result<(LinkPolicy, CallOptions), LinkError> {
    let mut given: LinkOptions = input::options(options)?;
    let call = CallOptions { dry_run: given.dry_run.unwrap_or_default(), ..given.call() };
    let policy = LinkPolicy {
        linkable_statuses: given.linkable_statuses.unwrap_or_default(),
        if_linked: match given.if_linked {
            None | Some(IfLinkedOption::Replace) => IfLinked::Replace,
            Some(IfLinkedOption::Keep) => IfLinked::Keep,
            Some(IfLinkedOption::Reject) => IfLinked::Reject,
        },
        expected: given
            .expected
            .filter(|_| input::property_type(options, "expected") != Some(ValueType::Undefined))
            .map(|expected| expected.map(Into::into)),
    };
    Ok((policy, call))
}

pub(in crate::node) fn unlink(options: &Unknown<'_>) -> Result<CallOptions, LinkError> {
    let mut given: UnlinkOptions = input::options(options)?;
    Ok(CallOptions { dry_run: given.dry_run.unwrap_or_default(), ..given.call() })
}

pub(in crate::node) fn read(options: &Unknown<'_>) -> Result<CallOptions, LinkError> {
    input::options(options).map(|mut given: ReadOptions| given.call())
}

/// Options of an import or a diagnosis, without those that JavaScript keeps. An import without a timeout has no deadline.
pub(in crate::node) fn local(options: &Unknown<'_>) -> Result<CallOptions, LinkError> {
    let LocalOptions { timeout_in_ms } = input::options(options)?;
    Ok(CallOptions { timeout: timeout_in_ms.map(|Milliseconds(timeout)| timeout), ..CallOptions::default() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OrderOption {
    #[serde(with = "PropertyOption")]
    property: Property,
    descending: Option<bool>,
}

#[derive(Deserialize)]
#[serde(remote = "Property", rename_all = "camelCase")]
enum PropertyOption {
    CreatedOn,
    Status,
    Subject,
}

impl From<OrderOption> for Order {
    fn from(OrderOption { property: by, descending }: OrderOption) -> Self {
        Self { by, descending: descending.unwrap_or_default() }
    }
}

/// The query of `getConversations`. `now` is the time that "days ago" counts from.
pub(in crate::node) fn query(options: &Unknown<'_>, now: SystemTime) -> Result<(Listing, CallOptions), LinkError> {
    let mut given: QueryOptions = input::options(options)?;
    let call = given.call();
    let newest_first = Order { by: Property::CreatedOn, descending: true };
    let order: Vec<Order> =
        given.order_by.map_or_else(|| vec![newest_first], |order| order.into_iter().map(Into::into).collect());
    if let Some(twice) = (1..order.len()).find(|at| order[..*at].iter().any(|before| before.by == order[*at].by)) {
        return Err(LinkError::invalid_argument(&format!("options.orderBy[{twice}]"), "expected each property once"));
    }
    let query = ConversationQuery {
        linked: given.record.map(Into::into),
        agent: given.agent_id.map(|Parsed(agent)| agent),
        statuses: given.statuses.map_or_else(|| Ok(Vec::new()), |given| distinct_statuses(&given))?,
        created_until: given
            .created_before_days
            .map(|Days(days)| now.checked_sub(DAY * days).map_or(UNIX_EPOCH, |then| then.max(UNIX_EPOCH))),
        order,
        ..ConversationQuery::default()
    };
    Ok((Listing::new(query, given.top.map(|Count(top)| top)), call))
}

/// One value of a record's key.
struct KeyOption(KeyValue);

impl<'de> Deserialize<'de> for KeyOption {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct Scalar;

        impl Visitor<'_> for Scalar {
            type Value = KeyOption;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a whole number, true or false")
            }

            fn visit_str<E: de::Error>(self, string: &str) -> Result<KeyOption, E> {
                Ok(KeyOption(KeyValue::Text(string.to_owned())))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<KeyOption, E> {
                Ok(KeyOption(KeyValue::Number(number)))
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<KeyOption, E> {
                Ok(KeyOption(KeyValue::Flag(flag)))
            }
        }

        value.deserialize_any(Scalar)
    }
}

/// The key of `findRecord`.
pub(in crate::node) fn key(entity: EntityLogicalName, key: &Unknown<'_>) -> Result<RecordKey, LinkError> {
    let given: BTreeMap<String, KeyOption> = input::object("key", key)?;
    record_key(entity, given.into_iter().map(|(name, KeyOption(value))| (name, value)).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OutcomeOption {
    status: StatusOption,
    conversation_id: Parsed<ConversationId>,
    record: RecordOption,
    current: Option<RecordOption>,
    #[serde(with = "StoreOption")]
    store: StoreName,
    dry_run: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum StatusOption {
    Linked,
    Replaced,
    AlreadyLinked,
    Kept,
    Unlinked,
}

#[derive(Deserialize)]
#[serde(remote = "StoreName", rename_all = "camelCase")]
enum StoreOption {
    Dataverse,
    Embedded,
}

/// The outcome that `verify` compares with `store`.
pub(in crate::node) fn outcome(outcome: &Unknown<'_>, store: StoreName) -> Result<ExpectedLink, LinkError> {
    let given: OutcomeOption = input::object("outcome", outcome)?;
    if given.dry_run == Some(true) {
        return Err(LinkError::invalid_argument("outcome", "a dry run wrote nothing, so there is nothing to verify"));
    }
    if given.store != store {
        let why = "it is from the other store; verify it with a client of that store";
        return Err(LinkError::invalid_argument("outcome.store", why));
    }
    // `kept` left another record in the slot: that one is expected there.
    let record = match (&given.status, given.current) {
        (StatusOption::Kept, None) => {
            return Err(LinkError::invalid_argument("outcome.current", "expected the record that was kept"));
        }
        (StatusOption::Kept, Some(kept)) => kept,
        _ => given.record,
    };
    let is_linked = !matches!(given.status, StatusOption::Unlinked);
    Ok(ExpectedLink { conversation_id: given.conversation_id.0, record: record.into(), is_linked })
}
