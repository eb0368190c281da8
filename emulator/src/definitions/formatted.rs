//! Formatted values: what an American form shows for a value, as Dataverse annotates it.

use serde_json::Value;
use time::macros::format_description;

use super::kind::{DateFormat, Kind, parse_time};

impl Kind {
    /// The formatted value; `None` for types that have none, such as strings, and for null.
    pub(crate) fn format(&self, value: &Value) -> Option<String> {
        match self {
            Self::Choice(_) | Self::State(_) | Self::Status(_) => self.label(value.as_i64()?).map(str::to_owned),
            Self::Choices(_) => {
                let labels = value.as_str()?.split(',').map(|code| self.label(code.parse().ok()?));
                labels.collect::<Option<Vec<_>>>().map(|labels| labels.join("; "))
            }
            Self::Boolean { labels } => value.as_bool().map(|value| labels[usize::from(value)].clone()),
            Self::Integer(_) | Self::BigInt | Self::Version => {
                value.as_i64().map(|number| with_commas(&number.to_string()))
            }
            Self::Decimal(range) | Self::Double(range) => value.as_f64().map(|number| decimal(number, range.precision)),
            Self::Money(range) => value.as_f64().map(|number| {
                let amount = decimal(number.abs(), range.precision);
                if number < 0.0 { format!("-${amount}") } else { format!("${amount}") }
            }),
            Self::DateTime(format) => {
                let time = parse_time(value.as_str()?)?;
                let date = format_description!("[month padding:none]/[day padding:none]/[year]");
                let clock = format_description!("[hour repr:12 padding:none]:[minute] [period case:upper]");
                let date = time.format(date).ok()?;
                if *format == DateFormat::Time {
                    Some(format!("{date} {}", time.format(clock).ok()?))
                } else {
                    Some(date)
                }
            }
            _ => None,
        }
    }
}

pub(crate) fn decimal(number: f64, precision: u8) -> String {
    let text = format!("{number:.*}", usize::from(precision));
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{}.{fraction}", with_commas(whole)),
        None => with_commas(&text),
    }
}

/// `-1234` becomes `-1,234`.
pub(crate) fn with_commas(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
