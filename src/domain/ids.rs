//! Types for ids. A value of such a type is always valid.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de, de::Visitor};
use uuid::Uuid;

use crate::error::CurrentRecord;

/// Error of a string that is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a GUID of 8-4-4-4-12 hexadecimal digits, with or without braces")]
pub struct MalformedGuid;

/// Accepts upper and lower case, with or without a pair of braces. Everything else is rejected, so that a typing error never becomes
/// another id.
fn parse_guid(text: &str) -> Result<Uuid, MalformedGuid> {
    let bare = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}').ok_or(MalformedGuid)?,
        None => text,
    };
    // Of the forms that `Uuid` parses, only the hyphenated one has this length.
    if bare.len() != uuid::fmt::Hyphenated::LENGTH {
        return Err(MalformedGuid);
    }
    Uuid::try_parse(bare).map_err(|_| MalformedGuid)
}

struct GuidVisitor;

impl Visitor<'_> for GuidVisitor {
    type Value = Uuid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a GUID")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Uuid, E> {
        parse_guid(text).map_err(E::custom)
    }
}

macro_rules! guid_id {
    ($(#[$doc:meta])+ $name:ident) => {
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// The 16 bytes, in the order of the string.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The string, in lower case and without braces, without an allocation.
            #[must_use]
            pub fn encode<'b>(&self, buffer: &'b mut [u8; Self::LENGTH]) -> &'b str {
                self.0.as_hyphenated().encode_lower(buffer)
            }

            /// Length of the string.
            pub const LENGTH: usize = uuid::fmt::Hyphenated::LENGTH;
        }

        impl From<[u8; 16]> for $name {
            fn from(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl FromStr for $name {
            type Err = MalformedGuid;

            fn from_str(text: &str) -> Result<Self, MalformedGuid> {
                parse_guid(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            /// Lower case, without braces.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(GuidVisitor).map(Self)
            }
        }
    };
}

guid_id! {
    /// The `activityid` of a conversation.
    ConversationId
}

guid_id! {
    /// The id of a system user.
    AgentId
}

guid_id! {
    /// The Entra object id of an impersonated user.
    CallerId
}

guid_id! {
    /// The id of a call or of a response, as logs show it.
    RequestId
}

guid_id! {
    /// The id of an account, a contact or an incident.
    RecordId
}

/// The tables whose records can be linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntityLogicalName {
    /// A company, in the customer slot.
    Account,
    /// A person, in the customer slot.
    Contact,
    /// A case, in the case slot.
    Incident,
}

/// Error of a string that is not one of the three logical names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 'account', 'contact' or 'incident'")]
pub struct UnknownEntity;

impl EntityLogicalName {
    pub const ALL: [Self; 3] = [Self::Account, Self::Contact, Self::Incident];

    /// The name as Dataverse spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Contact => "contact",
            Self::Incident => "incident",
        }
    }
}

impl FromStr for EntityLogicalName {
    type Err = UnknownEntity;

    fn from_str(text: &str) -> Result<Self, UnknownEntity> {
        Self::ALL.into_iter().find(|entity| entity.as_str() == text).ok_or(UnknownEntity)
    }
}

impl fmt::Display for EntityLogicalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordReference {
    pub entity: EntityLogicalName,
    pub id: RecordId,
}

impl fmt::Display for RecordReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.entity, self.id)
    }
}

impl From<RecordReference> for CurrentRecord {
    fn from(record: RecordReference) -> Self {
        Self { entity_logical_name: record.entity.as_str(), record_id: record.id.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "6b726d86-d37c-43b8-b3a4-c4056ddd2e07";

    #[test]
    fn either_case_and_braces_become_one_form() {
        for form in
            [TEXT.to_owned(), TEXT.to_uppercase(), format!("{{{TEXT}}}"), format!("{{{}}}", TEXT.to_uppercase())]
        {
            assert_eq!(form.parse::<RecordId>().unwrap().to_string(), TEXT, "{form}");
        }
    }

    #[test]
    fn everything_else_is_rejected() {
        let simple = TEXT.replace('-', "");
        let urn = format!("urn:uuid:{TEXT}");
        for wrong in [
            "",
            " ",
            "{}",
            simple.as_str(),
            urn.as_str(),
            &format!("{{{TEXT}"),
            &format!("{TEXT}}}"),
            &format!("{{{{{TEXT}}}}}"),
            &format!(" {TEXT}"),
            &format!("{TEXT}\0"),
            &TEXT.replace('6', "g"),
            &TEXT[..35],
            "6b726d86d-37c-43b8-b3a4-c4056ddd2e07",
            "6b726d86–d37c–43b8–b3a4–c4056ddd2e07",
        ] {
            assert_eq!(wrong.parse::<ConversationId>(), Err(MalformedGuid), "{wrong:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_printed_id_parses_to_itself(bytes: [u8; 16]) {
            let id = RecordId::from(bytes);
            proptest::prop_assert_eq!(id.to_string().parse::<RecordId>(), Ok(id));
            proptest::prop_assert_eq!(id.as_bytes(), &bytes);
        }

        #[test]
        fn no_string_makes_it_panic(text: String) {
            let _ = text.parse::<RecordId>();
        }
    }

    #[test]
    fn logical_names_are_case_sensitive() {
        assert_eq!("incident".parse(), Ok(EntityLogicalName::Incident));
        for wrong in ["Incident", "lead", "", "accounts", "case"] {
            assert_eq!(wrong.parse::<EntityLogicalName>(), Err(UnknownEntity));
        }
    }
}
