//! Conversations as JavaScript asks for and sees them. types/conversations.d.ts documents them.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use napi::{
    ValueType,
    bindgen_prelude::{Either, External, Unknown},
};
use napi_derive::napi;
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use super::{
    numbers::{Count, Days, Milliseconds},
    options::{self, Parsed, RecordOption},
};
use crate::{
    dataverse::tables::record_key,
    domain::{
        AgentId, CallOptions, CallerId, ConversationDetails, ConversationQuery, EntityLogicalName, KeyValue, Listing,
        NamedRecord, Order, Property, RecordKey, Status, Traceparent, distinct_statuses,
    },
    error::{Code, LinkError},
};

const DAY: Duration = Duration::from_secs(86_400);
const CRITERIA: [&str; 5] = ["agentId", "statuses", "createdBeforeDays", "orderBy", "top"];

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct QueryOptions {
    timeout_in_ms: Option<Milliseconds>,
    caller_object_id: Option<Parsed<CallerId>>,
    traceparent: Option<Parsed<Traceparent>>,
    agent_id: Option<Parsed<AgentId>>,
    statuses: Option<Vec<Status>>,
    created_before_days: Option<Days>,
    order_by: Option<Vec<OrderOption>>,
    top: Option<Count>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OrderOption {
    property: PropertyOption,
    descending: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum PropertyOption {
    CreatedOn,
    Status,
    Subject,
}

/// What is still to be read, and how; index.js hands it back as it is.
#[derive(Clone)]
pub struct Rest {
    pub(super) listing: Listing,
    pub(super) options: CallOptions,
}

/// Which conversations are asked for; those of a record, if one is named.
pub(super) fn query(record: Option<&Unknown<'_>>, options: &Unknown<'_>, now: SystemTime) -> Result<Rest, LinkError> {
    let linked = record.map(|record| options::parse_object::<RecordOption>("record", record)).transpose()?;
    let given: QueryOptions = options::parse(options)?;
    // One that went missing must not widen the search.
    if let Some(name) = CRITERIA.iter().find(|name| options::type_of(options, name) == Some(ValueType::Null)) {
        let message = format!("`options.{name}`: expected a value, got null; leave it out to ask for all.");
        return Err(LinkError::new(Code::InvalidArgument, message));
    }
    let newest_first = Order { by: Property::CreatedOn, descending: true };
    let order = given.order_by.map_or_else(
        || vec![newest_first],
        |order| {
            let part = |OrderOption { property, descending }| Order {
                by: match property {
                    PropertyOption::CreatedOn => Property::CreatedOn,
                    PropertyOption::Status => Property::Status,
                    PropertyOption::Subject => Property::Subject,
                },
                descending: descending.unwrap_or_default(),
            };
            order.into_iter().map(part).collect()
        },
    );
    if let Some(twice) = (1..order.len()).find(|at| order[..*at].iter().any(|before| before.by == order[*at].by)) {
        let message = format!("`options.orderBy[{twice}]`: expected each property once.");
        return Err(LinkError::new(Code::InvalidArgument, message));
    }
    let query = ConversationQuery {
        linked: linked.map(Into::into),
        agent: given.agent_id.map(|Parsed(agent)| agent),
        statuses: given.statuses.map_or_else(|| Ok(Vec::new()), |given| distinct_statuses(&given))?,
        created_until: given
            .created_before_days
            .map(|Days(days)| now.checked_sub(DAY * days).map_or(UNIX_EPOCH, |then| then.max(UNIX_EPOCH))),
        order,
        ..ConversationQuery::default()
    };
    let options = options::call(given.timeout_in_ms, given.caller_object_id, given.traceparent);
    Ok(Rest { listing: Listing::new(query, given.top.map(|Count(top)| top)), options })
}

/// One value of a key.
enum KeyOption {
    Text(String),
    Number(i64),
    Flag(bool),
}

impl<'de> Deserialize<'de> for KeyOption {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct Scalar;

        impl Visitor<'_> for Scalar {
            type Value = KeyOption;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number, true or false")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<KeyOption, E> {
                Ok(KeyOption::Text(text.to_owned()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<KeyOption, E> {
                Ok(KeyOption::Number(number))
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<KeyOption, E> {
                Ok(KeyOption::Flag(flag))
            }
        }

        value.deserialize_any(Scalar)
    }
}

/// What a record is looked for by.
pub(super) fn key(entity: EntityLogicalName, key: &Unknown<'_>) -> Result<RecordKey, LinkError> {
    let given: BTreeMap<String, KeyOption> = options::parse_object("key", key)?;
    let value = |given| match given {
        KeyOption::Text(text) => KeyValue::Text(text),
        KeyOption::Number(number) => KeyValue::Number(number),
        KeyOption::Flag(flag) => KeyValue::Flag(flag),
    };
    record_key(entity, given.into_iter().map(|(name, given)| (name, value(given))).collect())
}

/// `LinkedRecord`
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct LinkedRecordObject {
    pub entity_logical_name: &'static str,
    pub record_id: String,
    pub name: Option<String>,
}

/// `Conversation`
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct ConversationObject {
    pub conversation_id: String,
    /// A number without a name stays one.
    pub status: Either<&'static str, i32>,
    pub customer: Option<LinkedRecordObject>,
    pub case: Option<LinkedRecordObject>,
    pub subject: Option<String>,
    pub created_on: Option<String>,
    pub agent_id: Option<String>,
}

/// Some conversations, of which index.js makes an iterator, and what is left.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct ConversationPageObject {
    pub conversations: Vec<ConversationObject>,
    pub rest: Option<External<Rest>>,
}

impl ConversationPageObject {
    pub(super) fn new(conversations: Vec<ConversationDetails>, rest: Option<Rest>) -> Self {
        Self { conversations: conversations.into_iter().map(Into::into).collect(), rest: rest.map(External::new) }
    }
}

impl From<NamedRecord> for LinkedRecordObject {
    fn from(NamedRecord { record, name }: NamedRecord) -> Self {
        Self { entity_logical_name: record.entity.as_str(), record_id: record.id.to_string(), name }
    }
}

impl From<ConversationDetails> for ConversationObject {
    fn from(details: ConversationDetails) -> Self {
        let ConversationDetails { conversation, subject, created_on, agent, customer_name, case_name } = details;
        let linked = |record, name| LinkedRecordObject::from(NamedRecord { record, name });
        Self {
            conversation_id: conversation.id.to_string(),
            status: conversation.status.name().map_or(Either::B(conversation.status.code()), Either::A),
            customer: conversation.customer.map(|record| linked(record, customer_name)),
            case: conversation.case.map(|record| linked(record, case_name)),
            subject,
            created_on: created_on.map(|time| humantime::format_rfc3339_seconds(time).to_string()),
            agent_id: agent.map(|agent| agent.to_string()),
        }
    }
}
