//! The definition of a column.

use serde_json::{Map, Value, json};

use super::labels::{label, managed, none};
use crate::definitions::{
    TableRef,
    kind::{DateFormat, Kind, Range},
    metadata_id,
    table::{Column, Required},
};

/// Names of a type: in `AttributeType`, in `AttributeTypeName`, and of its definition.
fn names(table: &TableRef, column: &Column) -> (&'static str, &'static str, &'static str) {
    match &column.kind {
        _ if column.name == table.key => ("Uniqueidentifier", "UniqueidentifierType", "UniqueIdentifier"),
        Kind::String { .. } | Kind::Any => ("String", "StringType", "String"),
        Kind::Memo { .. } => ("Memo", "MemoType", "Memo"),
        Kind::Integer(_) => ("Integer", "IntegerType", "Integer"),
        Kind::BigInt | Kind::Version => ("BigInt", "BigIntType", "BigInt"),
        Kind::Decimal(_) => ("Decimal", "DecimalType", "Decimal"),
        Kind::Double(_) => ("Double", "DoubleType", "Double"),
        Kind::Money(_) => ("Money", "MoneyType", "Money"),
        Kind::Boolean { .. } => ("Boolean", "BooleanType", "Boolean"),
        Kind::Choice(_) => ("Picklist", "PicklistType", "Picklist"),
        Kind::Choices(_) => ("Virtual", "MultiSelectPicklistType", "MultiSelectPicklist"),
        Kind::State(_) => ("State", "StateType", "State"),
        Kind::Status(_) => ("Status", "StatusType", "Status"),
        Kind::DateTime(_) => ("DateTime", "DateTimeType", "DateTime"),
        Kind::Guid => ("Uniqueidentifier", "UniqueidentifierType", "UniqueIdentifier"),
        Kind::Lookup { kind, .. } => match kind.as_deref() {
            Some("customer") => ("Customer", "CustomerType", "Lookup"),
            Some("owner") => ("Owner", "OwnerType", "Lookup"),
            _ => ("Lookup", "LookupType", "Lookup"),
        },
        Kind::Image => ("Virtual", "ImageType", "Image"),
        Kind::File => ("Virtual", "FileType", "File"),
        Kind::EntityName => ("EntityName", "EntityNameType", "EntityName"),
        Kind::Managed => ("ManagedProperty", "ManagedPropertyType", "ManagedProperty"),
    }
}

/// The type of the definition, as in `@odata.type`.
pub(super) fn cast(column: &Column) -> String {
    // The key has the same as any other GUID.
    let (_, _, name) = names(&TableRef::default(), column);
    format!("#Microsoft.Dynamics.CRM.{name}AttributeMetadata")
}

pub(super) fn id(table: &TableRef, column: &Column) -> String {
    metadata_id(&format!("{}.{}", table.logical_name, column.name)).to_string()
}

pub(super) fn json(table: &TableRef, column: &Column) -> Map<String, Value> {
    let (kind, kind_name, _) = names(table, column);
    let required = match column.required {
        Required::None => "None",
        Required::Recommended => "Recommended",
        Required::Application => "ApplicationRequired",
        Required::System => "SystemRequired",
    };
    let definition = json!({
        "@odata.type": cast(column),
        "MetadataId": id(table, column),
        "HasChanged": null,
        "LogicalName": column.name,
        "SchemaName": column.schema,
        "EntityLogicalName": table.logical_name,
        "AttributeOf": null,
        "AttributeType": kind,
        "AttributeTypeName": { "Value": kind_name },
        "DisplayName": label(&column.label),
        "Description": none(),
        "RequiredLevel": {
            "Value": required, "CanBeChanged": false, "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
        },
        "IsPrimaryId": column.name == table.key,
        "IsPrimaryName": column.name == table.primary_name,
        "IsValidForCreate": column.create,
        "IsValidForRead": column.read,
        "IsValidForUpdate": column.update,
        "IsValidODataAttribute": true,
        "IsCustomAttribute": column.name.contains('_') && table.logical_name != column.name,
        "IsManaged": true,
        "IsLogical": false,
        "IsSecured": false,
        "IsFilterable": false,
        "IsSearchable": false,
        "SourceType": 0,
        "ColumnNumber": table.columns.iter().position(|other| other.name == column.name).map(|index| index + 1),
        "IsCustomizable": managed(true, "iscustomizable"),
        "IsValidForAdvancedFind": managed(true, "canmodifysearchsettings"),
        "IsAuditEnabled": managed(false, "canmodifyauditsettings"),
    });
    let Value::Object(mut definition) = definition else { return Map::new() };
    if let Value::Object(limits) = limits(column) {
        definition.extend(limits);
    }
    definition
}

/// The members that only definitions of this type have.
fn limits(column: &Column) -> Value {
    let range = |range: &Range| json!({ "MinValue": range.min, "MaxValue": range.max, "Precision": range.precision });
    let format = |name: &str| json!({ "Format": name, "FormatName": { "Value": name } });
    let default = |otherwise: Value| column.default.clone().unwrap_or(otherwise);
    match &column.kind {
        Kind::String { max, format: given } => {
            let name = match given.as_deref() {
                Some("email") => "Email",
                Some("phone") => "Phone",
                Some("url") => "Url",
                Some("text area") => "TextArea",
                Some("ticker symbol") => "TickerSymbol",
                _ => "Text",
            };
            let mut limits = format(name);
            limits["MaxLength"] = (*max).into();
            limits["DatabaseLength"] = (max * 2).into();
            limits
        }
        Kind::Memo { max } => {
            let mut limits = format("TextArea");
            limits["MaxLength"] = (*max).into();
            limits
        }
        #[expect(clippy::cast_possible_truncation, reason = "limits of 32 bits")]
        Kind::Integer(range) => json!({ "MinValue": range.min as i64, "MaxValue": range.max as i64, "Format": "None" }),
        Kind::Decimal(limits) | Kind::Double(limits) | Kind::Money(limits) => range(limits),
        Kind::Boolean { .. } => json!({ "DefaultValue": default(false.into()) }),
        Kind::Choice(_) | Kind::State(_) | Kind::Status(_) | Kind::Choices(_) => {
            json!({ "DefaultFormValue": default((-1).into()) })
        }
        Kind::DateTime(format) => json!({
            "Format": if *format == DateFormat::Time { "DateAndTime" } else { "DateOnly" },
            "DateTimeBehavior": { "Value": if *format == DateFormat::Date { "DateOnly" } else { "UserLocal" } },
        }),
        Kind::Lookup { targets, .. } => json!({ "Targets": targets, "Format": "None" }),
        _ => json!({}),
    }
}

/// The choices of a column. Definitions have them only if they are expanded.
pub(super) fn option_set(table: &TableRef, column: &Column, name: &str) -> Option<Value> {
    if name == "GlobalOptionSet" {
        return Some(Value::Null);
    }
    if name != "OptionSet" {
        return None;
    }
    let option = |code: i64, text: &str| {
        json!({
            "Value": code, "Color": null, "IsManaged": true, "ExternalValue": "", "ParentValues": [], "Tag": null, "IsHidden": false,
            "MetadataId": null, "HasChanged": null, "Label": label(text), "Description": none(),
        })
    };
    let with = |mut option: Value, kind: &str, extra: &[(&str, i64)]| {
        option["@odata.type"] = format!("#Microsoft.Dynamics.CRM.{kind}OptionMetadata").into();
        for (name, value) in extra {
            option[*name] = (*value).into();
        }
        option
    };
    let (kind, choices): (&str, Value) = match &column.kind {
        Kind::Choice(choices) | Kind::Choices(choices) => {
            ("Picklist", choices.iter().map(|choice| option(choice.code, &choice.label)).collect())
        }
        Kind::State(states) => {
            let states = states.iter();
            let one = |state: &crate::definitions::kind::State| {
                with(option(state.code, &state.label), "State", &[("DefaultStatus", state.default_status)])
            };
            ("State", states.map(one).collect())
        }
        Kind::Status(statuses) => {
            let one = |status: &crate::definitions::kind::Status| {
                with(option(status.code, &status.label), "Status", &[("State", status.state)])
            };
            ("Status", statuses.iter().map(one).collect())
        }
        Kind::Boolean { labels } => {
            return Some(json!({
                "@odata.type": "#Microsoft.Dynamics.CRM.BooleanOptionSetMetadata",
                "MetadataId": metadata_id(&format!("{}_{}", table.logical_name, column.name)),
                "Name": format!("{}_{}", table.logical_name, column.name),
                "OptionSetType": "Boolean", "IsGlobal": false,
                "FalseOption": option(0, &labels[0]), "TrueOption": option(1, &labels[1]),
            }));
        }
        _ => return None,
    };
    let name = format!("{}_{}", table.logical_name, column.name);
    Some(json!({
        "MetadataId": metadata_id(&name), "HasChanged": null, "Name": name, "IsGlobal": false, "IsCustomOptionSet": false,
        "IsManaged": true, "OptionSetType": kind, "DisplayName": label(&column.label), "Description": none(), "Options": choices,
    }))
}
