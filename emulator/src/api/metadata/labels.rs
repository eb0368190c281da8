//! Labels, which have one language here, and managed properties.

use serde_json::{Value, json};

use crate::definitions::metadata_id;

/// English (United States)
const LANGUAGE: u32 = 1033;

pub(super) fn label(text: &str) -> Value {
    let label = json!({
        "Label": text,
        "LanguageCode": LANGUAGE,
        "IsManaged": true,
        "MetadataId": metadata_id(text),
        "HasChanged": null,
    });
    json!({ "LocalizedLabels": [label], "UserLocalizedLabel": label })
}

/// A label without text.
pub(super) fn none() -> Value {
    json!({ "LocalizedLabels": [], "UserLocalizedLabel": null })
}

/// The value of a managed property.
pub(super) fn managed(value: bool, name: &str) -> Value {
    json!({ "Value": value, "CanBeChanged": false, "ManagedPropertyLogicalName": name })
}
