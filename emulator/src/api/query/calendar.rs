//! Spans of time that conditions name, for example `last-x-months`.
//!
//! Guess: days begin at midnight UTC and weeks on Sunday, which are the defaults of an organisation. A span that begins or ends now is
//! counted in whole days from midnight, unless its unit is shorter.

use time::{Date, Duration, Month, OffsetDateTime, Time};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// From the first moment up to the second, without it. In milliseconds since 1970.
pub(super) type Span = (i64, i64);

/// The span of an operator without a number. `None`: there is no such operator.
pub(super) fn span(operator: &str, now: i64) -> Option<Span> {
    let today = today(now)?;
    let days = |from: i64, to: i64| (after(today, from), after(today, to));
    let months = |first: Date, from: i32, to: i32| (start(months_after(first, from)), start(months_after(first, to)));
    let month = today.replace_day(1).ok()?;
    let year = month.replace_month(Month::January).ok()?;
    let weekday = i64::from(today.weekday().number_days_from_sunday());
    Some(match operator {
        "yesterday" => days(-1, 0),
        "today" => days(0, 1),
        "tomorrow" => days(1, 2),
        "last-seven-days" => (after(today, -7), now + 1),
        "next-seven-days" => (now, after(today, 8)),
        "last-week" => days(-weekday - 7, -weekday),
        "this-week" => days(-weekday, 7 - weekday),
        "next-week" => days(7 - weekday, 14 - weekday),
        "last-month" => months(month, -1, 0),
        "this-month" => months(month, 0, 1),
        "next-month" => months(month, 1, 2),
        "last-year" => months(year, -12, 0),
        "this-year" => months(year, 0, 12),
        "next-year" => months(year, 12, 24),
        _ => return None,
    })
}

/// The span of an operator with a number.
pub(super) fn counted(operator: &str, number: i32, now: i64) -> Option<Span> {
    let (direction, unit) = operator.split_once("-x-")?;
    let today = today(now)?;
    let number = if direction == "next" { number } else { -number };
    // A span that ends in the future includes its last day.
    let first = if direction == "next" { today.checked_add(Duration::DAY) } else { Some(today) };
    let days = |days: i32| start(first.and_then(|first| first.checked_add(Duration::days(i64::from(days)))));
    let months = |months: i32| start(first.and_then(|first| months_after(first, months)));
    let end = match unit {
        "minutes" if direction == "olderthan" => now + i64::from(number) * MINUTE,
        "hours" => now + i64::from(number) * HOUR,
        "days" => days(number),
        "weeks" => days(number.saturating_mul(7)),
        "months" => months(number),
        "years" => months(number.saturating_mul(12)),
        _ => return None,
    };
    Some(match direction {
        // In the order of a number line, if a date is out of range.
        "last" => (end.min(now), now + 1),
        "next" => (now, if end < now { i64::MAX } else { end }),
        "olderthan" => (i64::MIN, end),
        _ => return None,
    })
}

/// The day that a moment is in.
pub(super) fn day(moment: i64) -> Span {
    let start = moment.div_euclid(DAY).saturating_mul(DAY);
    (start, start.saturating_add(DAY))
}

fn today(now: i64) -> Option<Date> {
    OffsetDateTime::from_unix_timestamp(now.div_euclid(SECOND)).ok().map(OffsetDateTime::date)
}

fn after(date: Date, days: i64) -> i64 {
    start(date.checked_add(Duration::days(days)))
}

/// The same day some months later, or the last one of a shorter month.
fn months_after(date: Date, months: i32) -> Option<Date> {
    let index = date.year() * 12 + i32::from(u8::from(date.month())) - 1 + months;
    let month = Month::try_from(u8::try_from(index.rem_euclid(12) + 1).ok()?).ok()?;
    let year = index.div_euclid(12);
    Date::from_calendar_date(year, month, date.day().min(month.length(year))).ok()
}

/// Midnight of a day; the beginning of time if it is out of range.
fn start(date: Option<Date>) -> i64 {
    date.map_or(i64::MIN, |date| date.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp() * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::kind::{format_time, parse_time};

    /// Spans seen on Wednesday, 31 March 2027, at noon.
    #[test]
    fn spans_begin_and_end_at_midnight_or_now() {
        let now = parse_time("2027-03-31T12:00:00Z").unwrap().unix_timestamp() * SECOND;
        let text = |span: Option<Span>| {
            let (from, to) = span.unwrap();
            [from, to].map(|at| {
                OffsetDateTime::from_unix_timestamp(at / SECOND)
                    .map_or_else(|_| String::new(), format_time)
                    .replace(":00Z", "")
            })
        };
        for (operator, from, to) in [
            ("yesterday", "2027-03-30T00:00", "2027-03-31T00:00"),
            ("tomorrow", "2027-04-01T00:00", "2027-04-02T00:00"),
            ("last-seven-days", "2027-03-24T00:00", "2027-03-31T12:00"),
            ("next-seven-days", "2027-03-31T12:00", "2027-04-08T00:00"),
            ("last-week", "2027-03-21T00:00", "2027-03-28T00:00"),
            ("this-week", "2027-03-28T00:00", "2027-04-04T00:00"),
            ("next-week", "2027-04-04T00:00", "2027-04-11T00:00"),
            ("last-month", "2027-02-01T00:00", "2027-03-01T00:00"),
            ("next-month", "2027-04-01T00:00", "2027-05-01T00:00"),
            ("last-year", "2026-01-01T00:00", "2027-01-01T00:00"),
            ("this-year", "2027-01-01T00:00", "2028-01-01T00:00"),
        ] {
            assert_eq!(text(span(operator, now)), [from, to], "{operator}");
        }
        for (operator, number, from, to) in [
            ("last-x-hours", 2, "2027-03-31T10:00", "2027-03-31T12:00"),
            ("last-x-days", 1, "2027-03-30T00:00", "2027-03-31T12:00"),
            ("last-x-months", 1, "2027-02-28T00:00", "2027-03-31T12:00"),
            ("last-x-years", 3, "2024-03-31T00:00", "2027-03-31T12:00"),
            ("next-x-days", 1, "2027-03-31T12:00", "2027-04-02T00:00"),
            ("next-x-weeks", 1, "2027-03-31T12:00", "2027-04-08T00:00"),
            ("next-x-months", 1, "2027-03-31T12:00", "2027-05-01T00:00"),
            ("olderthan-x-minutes", 30, "", "2027-03-31T11:30"),
            ("olderthan-x-weeks", 1, "", "2027-03-24T00:00"),
        ] {
            assert_eq!(text(counted(operator, number, now)), [from, to], "{operator}");
        }
        assert_eq!(counted("last-x-years", 100_000, now), Some((i64::MIN, now + 1)));
        assert_eq!(counted("next-x-years", 100_000, now), Some((now, i64::MAX)));
        assert_eq!((span("some-day", now), counted("last-x-eons", 1, now)), (None, None));
    }
}
