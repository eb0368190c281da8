//! Reads definitions from an answer of `EntityDefinitions`, of any organisation.

use serde_json::Value;

use super::data::{ColumnData, KindName, ManyToMany, OnDelete, OneToMany, Ownership, TableData};

/// The tables and relationships of an answer.
pub(crate) type Declared = (Vec<TableData>, Vec<OneToMany>, Vec<ManyToMany>);

/// Reads a list of definitions, or one.
pub(crate) fn read(answer: &Value) -> Result<Declared, String> {
    let one = std::slice::from_ref(answer);
    let definitions = answer.get("value").and_then(Value::as_array).map_or(one, Vec::as_slice);
    let (mut tables, mut one_to_many, mut many_to_many) = (Vec::new(), Vec::new(), Vec::new());
    for (index, definition) in definitions.iter().enumerate() {
        let at = |problem: String| format!("definition {}: {problem}", index + 1);
        tables.push(table(definition).map_err(at)?);
        for name in ["OneToManyRelationships", "ManyToOneRelationships"] {
            one_to_many.extend(list(definition, name).iter().filter_map(read_one_to_many));
        }
        many_to_many.extend(list(definition, "ManyToManyRelationships").iter().filter_map(read_many_to_many));
    }
    Ok((tables, one_to_many, many_to_many))
}

fn list<'a>(definition: &'a Value, name: &str) -> &'a [Value] {
    definition.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn required(value: &Value, name: &str) -> Result<String, String> {
    text(value, name).ok_or_else(|| format!("no \"{name}\""))
}

fn label(value: &Value) -> Option<String> {
    let first = || value["LocalizedLabels"].as_array()?.first();
    let label = value.get("UserLocalizedLabel").filter(|label| !label.is_null()).or_else(first)?;
    text(label, "Label")
}

fn table(definition: &Value) -> Result<TableData, String> {
    let key = required(definition, "PrimaryIdAttribute")?;
    let primary_name = text(definition, "PrimaryNameAttribute").unwrap_or_default();
    let columns = list(definition, "Attributes").iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let mut columns: Vec<_> = columns.into_iter().flatten().collect();
    // Without its attributes, the table has at least a name.
    if !primary_name.is_empty() && columns.iter().all(|column| column.name != primary_name) {
        columns.push(ColumnData::new(&primary_name, KindName::String));
    }
    let keys = list(definition, "Keys").iter().filter_map(|key| {
        let names = key["KeyAttributes"].as_array()?.iter().filter_map(Value::as_str);
        Some(names.map(|name| read_name(&columns, name)).collect())
    });
    Ok(TableData {
        logical_name: required(definition, "LogicalName")?,
        schema_name: text(definition, "SchemaName").unwrap_or_default(),
        set: required(definition, "EntitySetName")?,
        label: label(&definition["DisplayName"]).unwrap_or_default(),
        collection_label: label(&definition["DisplayCollectionName"]).unwrap_or_default(),
        type_code: definition["ObjectTypeCode"].as_i64().unwrap_or_default(),
        ownership: match definition["OwnershipType"].as_str() {
            Some("UserOwned") => Ownership::User,
            Some("OrganizationOwned") => Ownership::Organization,
            _ => Ownership::None,
        },
        is_activity: definition["IsActivity"].as_bool().unwrap_or_default(),
        change_tracking: definition["ChangeTrackingEnabled"].as_bool().unwrap_or_default(),
        keys: keys.collect(),
        key,
        primary_name,
        columns,
    })
}

/// The name of a column in rows.
fn read_name(columns: &[ColumnData], name: &str) -> String {
    let is_lookup = columns.iter().any(|column| column.name == name && column.kind == KindName::Lookup);
    if is_lookup { format!("_{name}_value") } else { name.to_owned() }
}

/// `None` for a column that rows do not have.
fn column(attribute: &Value) -> Result<Option<ColumnData>, String> {
    let name = required(attribute, "LogicalName")?;
    if text(attribute, "AttributeOf").is_some() || attribute["IsValidODataAttribute"] == false {
        return Ok(None);
    }
    let kind = text(&attribute["AttributeTypeName"], "Value").map(|kind| kind.trim_end_matches("Type").to_owned());
    let kind = kind.or_else(|| text(attribute, "AttributeType")).unwrap_or_default();
    let mut lookup_kind = None;
    let kind = match kind.as_str() {
        "String" => KindName::String,
        "Memo" => KindName::Memo,
        "Integer" => KindName::Integer,
        "BigInt" if name == "versionnumber" => KindName::Version,
        "BigInt" => KindName::Bigint,
        "Decimal" => KindName::Decimal,
        "Double" => KindName::Double,
        "Money" => KindName::Money,
        "Boolean" => KindName::Boolean,
        "Picklist" => KindName::Choice,
        "MultiSelectPicklist" => KindName::Choices,
        "State" => KindName::State,
        "Status" => KindName::Status,
        "DateTime" => KindName::Datetime,
        "Uniqueidentifier" => KindName::Guid,
        "Lookup" | "Customer" | "Owner" => {
            lookup_kind = (kind != "Lookup").then(|| kind.to_lowercase());
            KindName::Lookup
        }
        "Image" => KindName::Image,
        "File" => KindName::File,
        "EntityName" => KindName::Entityname,
        "ManagedProperty" => KindName::Managed,
        "Virtual" | "CalendarRules" | "PartyList" => return Ok(None),
        _ => KindName::Any,
    };
    let flag = |name: &str| attribute[name].as_bool().unwrap_or(true);
    let required = attribute["RequiredLevel"]["Value"].as_str().unwrap_or_default();
    let targets = list(attribute, "Targets").iter().filter_map(Value::as_str).map(str::to_owned);
    Ok(Some(ColumnData {
        schema: text(attribute, "SchemaName").unwrap_or_default(),
        label: label(&attribute["DisplayName"]).unwrap_or_default(),
        max: attribute["MaxLength"].as_f64().or_else(|| attribute["MaxValue"].as_f64()),
        min: attribute["MinValue"].as_f64(),
        precision: attribute["Precision"].as_u64().and_then(|precision| u8::try_from(precision).ok()),
        format: text(attribute, "Format").map(|format| format.to_lowercase()),
        behavior: text(&attribute["DateTimeBehavior"], "Value").map(|behavior| behavior.to_lowercase()),
        options: options(attribute),
        default: None,
        targets: targets.collect(),
        required: match required {
            "SystemRequired" => Some("system".to_owned()),
            "ApplicationRequired" => Some("application".to_owned()),
            "Recommended" => Some("recommended".to_owned()),
            _ => None,
        },
        create: flag("IsValidForCreate"),
        update: flag("IsValidForUpdate"),
        read: flag("IsValidForRead"),
        lookup_kind,
        name,
        kind,
    }))
}

fn options(attribute: &Value) -> Vec<Vec<Value>> {
    let own = attribute.get("OptionSet").filter(|set| !set.is_null());
    let Some(set) = own.or_else(|| attribute.get("GlobalOptionSet")) else { return Vec::new() };
    let truths =
        [(0, "FalseOption"), (1, "TrueOption")].into_iter().filter_map(|(code, name)| Some((code, set.get(name)?)));
    let of_boolean =
        truths.map(|(code, option)| vec![Value::from(code), label(&option["Label"]).unwrap_or_default().into()]);
    let of_list = list(set, "Options").iter().map(|option| {
        let third = ["DefaultStatus", "State"].into_iter().find_map(|name| option.get(name).cloned());
        let pair = [option["Value"].clone(), label(&option["Label"]).unwrap_or_default().into()];
        pair.into_iter().chain(third).collect()
    });
    of_boolean.chain(of_list).collect()
}

fn read_one_to_many(known: &Value) -> Option<OneToMany> {
    let cascade = &known["CascadeConfiguration"];
    Some(OneToMany {
        name: text(known, "SchemaName")?,
        one: text(known, "ReferencedEntity")?,
        many: text(known, "ReferencingEntity")?,
        column: text(known, "ReferencingAttribute")?,
        navigation: text(known, "ReferencingEntityNavigationPropertyName")?,
        collection: text(known, "ReferencedEntityNavigationPropertyName").unwrap_or_default(),
        delete: match cascade["Delete"].as_str() {
            Some("Cascade") => OnDelete::Cascade,
            Some("RemoveLink") => OnDelete::RemoveLink,
            Some("Restrict") => OnDelete::Restrict,
            _ => OnDelete::NoCascade,
        },
        merge: cascade["Merge"] == "Cascade",
    })
}

fn read_many_to_many(known: &Value) -> Option<ManyToMany> {
    Some(ManyToMany {
        name: text(known, "SchemaName")?,
        intersect: text(known, "IntersectEntityName")?,
        one: text(known, "Entity1LogicalName")?,
        two: text(known, "Entity2LogicalName")?,
        one_navigation: text(known, "Entity1NavigationPropertyName")?,
        two_navigation: text(known, "Entity2NavigationPropertyName")?,
    })
}
