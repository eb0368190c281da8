//! Numeric options. Out-of-range numbers are rejected, never clamped; the message states the range. A `BigInt` is rejected.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{self, Unexpected, Visitor},
};

/// Milliseconds, up to the longest that a JavaScript timer can wait: about 24 days.
#[derive(Clone, Copy)]
pub(in crate::node) struct Milliseconds(pub(in crate::node) Duration);

/// A number of items, at least 1.
#[derive(Clone, Copy)]
pub(in crate::node) struct Count(pub(in crate::node) u32);

/// A number of days.
#[derive(Clone, Copy)]
pub(in crate::node) struct Days(pub(in crate::node) u32);

/// A number within limits.
struct Number {
    expected: &'static str,
    least: f64,
    most: f64,
    is_whole: bool,
}

impl Visitor<'_> for Number {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<f64, E> {
        let fits = (self.least..=self.most).contains(&number) && (!self.is_whole || number.fract() == 0.0);
        // Infinity is written as JavaScript writes it.
        let written =
            if number.is_infinite() { format!("{number}inity").replace("inf", "Inf") } else { number.to_string() };
        if fits { Ok(number) } else { Err(E::invalid_value(Unexpected::Other(&written), &self)) }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<f64, E> {
        #[expect(clippy::cast_precision_loss, reason = "it was a JavaScript number, so nothing is lost")]
        self.visit_f64(number as f64)
    }
}

impl<'de> Deserialize<'de> for Milliseconds {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        let expected = "a number of milliseconds, more than 0 and at most 2147483647";
        let number = Number { expected, least: f64::MIN_POSITIVE, most: i32::MAX.into(), is_whole: false };
        value.deserialize_any(number).map(|ms| Self(Duration::from_secs_f64(ms / 1e3)))
    }
}

/// A whole number that fits into `u32`, which the visitor has checked.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the limits are those of u32")]
fn whole<'de, D: Deserializer<'de>>(value: D, expected: &'static str, least: f64) -> Result<u32, D::Error> {
    value.deserialize_any(Number { expected, least, most: u32::MAX.into(), is_whole: true }).map(|number| number as u32)
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        whole(value, "a whole number from 1 to 4294967295", 1.0).map(Self)
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        whole(value, "a whole number of days from 0 to 4294967295", 0.0).map(Self)
    }
}
