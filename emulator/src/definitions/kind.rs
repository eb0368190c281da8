//! Types of columns: which values they accept, and how those are stored.

use serde_json::Value;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description};
use uuid::Uuid;

/// Type of a column, with the limits of its values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    String {
        max: usize,
        format: Option<String>,
    },
    Memo {
        max: usize,
    },
    Integer(Range),
    BigInt,
    Decimal(Range),
    Double(Range),
    Money(Range),
    Boolean {
        labels: [String; 2],
    },
    Choice(Vec<Choice>),
    /// Several choices, as a string of numbers with commas.
    Choices(Vec<Choice>),
    State(Vec<State>),
    Status(Vec<Status>),
    DateTime(DateFormat),
    Guid,
    /// `kind`: `customer` or `owner`, if it is of such a type.
    Lookup {
        targets: Vec<String>,
        kind: Option<String>,
    },
    /// The number in the `ETag`.
    Version,
    Image,
    File,
    EntityName,
    Managed,
    /// Unknown: a column that only a seed page shows. It takes any single value.
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) precision: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) code: i64,
    pub(crate) label: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) code: i64,
    pub(crate) label: String,
    pub(crate) default_status: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: i64,
    pub(crate) label: String,
    pub(crate) state: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateFormat {
    /// `Edm.DateTimeOffset`
    Time,
    /// `Edm.DateTimeOffset`, shown as a date.
    DateOfTime,
    /// `Edm.Date`
    Date,
}

/// The reason why a column does not accept a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rejected {
    /// Not of this OData type.
    Type(&'static str),
    TooLong(usize),
    OutOfRange(Range),
    /// Not one of the choices, which are listed with commas.
    NotAChoice(String),
    /// A time before 1753, the first that the database can store.
    TooEarly,
    /// The value cannot be stored by the emulator.
    NotEmulated(&'static str),
}

impl Kind {
    /// Name of the OData type.
    pub(crate) fn edm(&self) -> &'static str {
        match self {
            Self::String { .. } | Self::Memo { .. } | Self::Choices(_) | Self::EntityName | Self::Any => "Edm.String",
            Self::Integer(_) | Self::Choice(_) | Self::State(_) | Self::Status(_) => "Edm.Int32",
            Self::BigInt | Self::Version => "Edm.Int64",
            Self::Decimal(_) | Self::Money(_) => "Edm.Decimal",
            Self::Double(_) => "Edm.Double",
            Self::Boolean { .. } | Self::Managed => "Edm.Boolean",
            Self::DateTime(DateFormat::Date) => "Edm.Date",
            Self::DateTime(_) => "Edm.DateTimeOffset",
            Self::Guid | Self::Lookup { .. } => "Edm.Guid",
            Self::Image | Self::File => "Edm.Binary",
        }
    }

    /// The label of a whole number.
    pub(crate) fn label(&self, code: i64) -> Option<&str> {
        match self {
            Self::Choice(choices) | Self::Choices(choices) => {
                choices.iter().find(|choice| choice.code == code).map(|choice| choice.label.as_str())
            }
            Self::State(states) => states.iter().find(|state| state.code == code).map(|state| state.label.as_str()),
            Self::Status(statuses) => {
                statuses.iter().find(|status| status.code == code).map(|status| status.label.as_str())
            }
            Self::Boolean { labels } => {
                usize::try_from(code).ok().and_then(|code| labels.get(code)).map(String::as_str)
            }
            _ => None,
        }
    }

    /// The value as it is stored: times in UTC, GUIDs in lower case. Null is accepted by every type.
    pub(crate) fn accept(&self, value: &Value) -> Result<Value, Rejected> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        let of_type = || Rejected::Type(self.edm());
        match self {
            Self::String { max, .. } | Self::Memo { max } => {
                let text = value.as_str().ok_or_else(of_type)?;
                if text.encode_utf16().count() > *max { Err(Rejected::TooLong(*max)) } else { Ok(value.clone()) }
            }
            Self::Integer(range) => {
                let number = value.as_i64().filter(|number| i32::try_from(*number).is_ok()).ok_or_else(of_type)?;
                #[expect(clippy::cast_precision_loss, reason = "fits 32 bits")]
                range.check(number as f64).map(|()| number.into())
            }
            // Whether a state and a status belong together is decided with the row.
            Self::BigInt | Self::Version | Self::State(_) | Self::Status(_) => {
                value.as_i64().map(Value::from).ok_or_else(of_type)
            }
            Self::Decimal(range) | Self::Money(range) | Self::Double(range) => {
                // Numbers in quotes are what `IEEE754Compatible` clients send.
                let number =
                    value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|number| number.is_finite());
                let number = number.ok_or_else(of_type)?;
                range.check(number)?;
                Ok(if value.is_string() { number.into() } else { value.clone() })
            }
            Self::Boolean { .. } | Self::Managed => value.as_bool().map(Value::from).ok_or_else(of_type),
            Self::Choice(choices) => {
                let number = value.as_i64().filter(|number| i32::try_from(*number).is_ok()).ok_or_else(of_type)?;
                accept_choice(choices, number).map(|()| number.into())
            }
            Self::Choices(choices) => accept_choices(choices, value.as_str().ok_or_else(of_type)?),
            Self::DateTime(format) => {
                let text = value.as_str().ok_or_else(of_type)?;
                accept_time(text, *format).ok_or_else(of_type)?
            }
            Self::Guid | Self::Lookup { .. } => {
                let id = value.as_str().filter(|text| text.len() == 36).and_then(|text| Uuid::try_parse(text).ok());
                id.map(|id| id.to_string().into()).ok_or_else(of_type)
            }
            Self::EntityName => value.as_str().map(Value::from).ok_or_else(of_type),
            Self::Image | Self::File => Err(Rejected::NotEmulated("a file or an image in a column")),
            Self::Any if value.is_object() || value.is_array() => Err(of_type()),
            Self::Any => Ok(value.clone()),
        }
    }
}

impl Range {
    fn check(self, number: f64) -> Result<(), Rejected> {
        if (self.min..=self.max).contains(&number) { Ok(()) } else { Err(Rejected::OutOfRange(self)) }
    }
}

fn accept_choice(choices: &[Choice], code: i64) -> Result<(), Rejected> {
    // Without choices, they are not known.
    if choices.is_empty() || choices.iter().any(|choice| choice.code == code) {
        return Ok(());
    }
    let known: Vec<_> = choices.iter().map(|choice| choice.code.to_string()).collect();
    Err(Rejected::NotAChoice(known.join(",")))
}

fn accept_choices(choices: &[Choice], text: &str) -> Result<Value, Rejected> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let codes = text.split(',').map(|code| code.trim().parse::<i64>()).collect::<Result<Vec<_>, _>>();
    let codes = codes.map_err(|_| Rejected::Type("Edm.String"))?;
    for code in &codes {
        accept_choice(choices, *code)?;
    }
    Ok(codes.iter().map(i64::to_string).collect::<Vec<_>>().join(",").into())
}

/// `None` if the text is not a time.
fn accept_time(text: &str, format: DateFormat) -> Option<Result<Value, Rejected>> {
    let time = parse_time(text)?;
    if time.year() < 1753 {
        return Some(Err(Rejected::TooEarly));
    }
    if format == DateFormat::Date {
        // A time of day is no `Edm.Date`.
        return (text.len() == 10).then(|| Ok(Value::from(text)));
    }
    Some(Ok(format_time(time).into()))
}

/// A date, or a time of day with or without its offset, in UTC. Without an offset it is taken for UTC.
pub(crate) fn parse_time(text: &str) -> Option<OffsetDateTime> {
    let rest = match text.len() {
        10 => "T00:00:00Z",
        _ if text.is_ascii() && text.len() > 10 && !text[10..].contains(['Z', 'z', '+', '-']) => "Z",
        _ => "",
    };
    let time = OffsetDateTime::parse(&format!("{text}{rest}"), &Rfc3339).ok()?;
    time.checked_to_offset(UtcOffset::UTC)
}

/// A time as responses show it: in UTC, with whole seconds.
pub(crate) fn format_time(time: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    time.format(format).unwrap_or_default()
}
