//! How long a server asks the client to wait.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, header};

use super::headers::field_lines;

/// Headers in milliseconds. The first that is present counts, before the standard one.
const IN_MS: [HeaderName; 2] =
    [HeaderName::from_static("x-ms-retry-after-ms"), HeaderName::from_static("retry-after-ms")];
/// Longest delay; a longer one is shortened to it.
const MAX_DELAY: Duration = Duration::from_secs(86_400);
/// Numbers from here on are points in time, in seconds since 1970 ...
const UNIX_SECONDS: f64 = 1e9;
/// ... or in milliseconds.
const UNIX_MILLISECONDS: f64 = 1e12;

/// The delay, if there is one that can be read. A date in the past means none; of several delays the longest counts. `now` is this
/// machine's time, used if the response has no `Date`.
#[must_use]
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    // Compared with the server's clock, because ours may be wrong.
    let now =
        field_lines(headers, &header::DATE).find_map(|line| httpdate::parse_http_date(line.trim()).ok()).unwrap_or(now);
    let longest = |name, unit| field_lines(headers, name).filter_map(|line| longest_delay(&line, unit, now)).max();
    IN_MS.iter().find_map(|name| longest(name, 1e-3)).or_else(|| longest(&header::RETRY_AFTER, 1.0))
}

/// The longest delay of a line. A comma separates two delays, or occurs inside a date.
fn longest_delay(line: &str, unit: f64, now: SystemTime) -> Option<Duration> {
    let parts: Vec<_> = line.split(',').collect();
    let dates = parts.windows(2).map(|pair| pair.join(","));
    parts.iter().map(|part| (*part).to_owned()).chain(dates).filter_map(|text| delay(&text, unit, now)).max()
}

/// Parses a number, optionally with a unit, or a date.
fn delay(text: &str, unit: f64, now: SystemTime) -> Option<Duration> {
    let text = text.trim_matches(|character: char| character.is_whitespace() || "\"'".contains(character));
    let (number, unit_name) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let Ok(number) = number.parse::<f64>() else { return date(text).map(|date| until(date, now)) };
    let unit = match unit_name.trim().to_ascii_lowercase().as_str() {
        "" if number >= UNIX_MILLISECONDS => return Some(until_timestamp(number * 1e-3, now)),
        "" if number >= UNIX_SECONDS && unit >= 1.0 => return Some(until_timestamp(number, now)),
        "" => unit,
        "ms" | "msec" | "millisecond" | "milliseconds" => 1e-3,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hour" | "hours" => 3600.0,
        _ => return date(text).map(|date| until(date, now)),
    };
    Some(bounded(number * unit))
}

/// Parses one of the three forms of RFC 9110, also with another name for GMT, or the form of RFC 3339.
fn date(text: &str) -> Option<SystemTime> {
    let other = ["UTC", "UT", "+0000", "-0000"].iter().find_map(|zone| text.strip_suffix(zone));
    let in_gmt = other.map(|date| format!("{date}GMT"));
    let date = httpdate::parse_http_date(in_gmt.as_deref().unwrap_or(text)).ok();
    date.or_else(|| humantime::parse_rfc3339_weak(text).ok())
}

fn until_timestamp(timestamp: f64, now: SystemTime) -> Duration {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    bounded(timestamp - now.as_secs_f64())
}

fn until(date: SystemTime, now: SystemTime) -> Duration {
    date.duration_since(now).unwrap_or_default().min(MAX_DELAY)
}

fn bounded(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.clamp(0.0, MAX_DELAY.as_secs_f64())).unwrap_or(MAX_DELAY)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const DATE: (&str, &str) = ("date", "Sat, 21 Nov 2026 10:00:00 GMT");
    const RETRY_AFTER: &str = "retry-after";

    /// `is_clock_right`: this machine's clock shows [`DATE`].
    fn parse(headers: &[(&'static str, &str)], is_clock_right: bool) -> Option<Duration> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap()));
        let now = if is_clock_right { "2026-11-21T10:00:00Z" } else { "2031-01-01T00:00:00Z" };
        retry_after(&headers.collect(), humantime::parse_rfc3339(now).unwrap())
    }

    #[test]
    fn seconds_milliseconds_and_dates_are_supported() {
        for (headers, expected) in [
            (&[(RETRY_AFTER, "7")][..], Some(7_000)),
            (&[(RETRY_AFTER, " 0 ")], Some(0)),
            (&[("retry-after-ms", "1500"), (RETRY_AFTER, "7")], Some(1_500)),
            (&[("x-ms-retry-after-ms", "20"), ("retry-after-ms", "1500")], Some(20)),
            (&[("x-ms-retry-after-ms", "soon"), (RETRY_AFTER, "7")], Some(7_000)),
            (&[("x-ms-retry-after-ms", "-5"), ("retry-after-ms", "20.5")], Some(20)),
            (&[("x-ms-retry-after-ms", ""), ("x-ms-retry-after-ms", "2 s")], Some(2_000)),
            (&[DATE, (RETRY_AFTER, "Sat, 21 Nov 2026 10:01:30 GMT")], Some(90_000)),
            (&[DATE, (RETRY_AFTER, "Sat, 21 Nov 2026 09:00:00 GMT")], Some(0)),
            (&[("date", "soon"), DATE, (RETRY_AFTER, "Sat, 21 Nov 2026 10:01:30 GMT")], Some(90_000)),
            (&[(RETRY_AFTER, "99999999999")], Some(86_400_000)),
            (&[(RETRY_AFTER, "-1")], None),
            (&[], None),
        ] {
            let delay = parse(headers, false).map(|delay| delay.as_millis());
            assert_eq!(delay, expected, "{headers:?}");
        }
    }

    #[test]
    fn every_form_that_servers_send_is_supported() {
        for (value, expected) in [
            ("7.5", Some(7_500)),
            ("7.", Some(7_000)),
            (".5", Some(500)),
            ("0.2", Some(200)),
            ("007", Some(7_000)),
            ("\"7\"", Some(7_000)),
            ("'7'", Some(7_000)),
            ("\" 7 \"", Some(7_000)),
            ("7s", Some(7_000)),
            ("7 Seconds", Some(7_000)),
            ("700ms", Some(700)),
            ("2 min", Some(120_000)),
            ("1 hour", Some(3_600_000)),
            ("48h", Some(86_400_000)),
            ("7, 9", Some(9_000)),
            ("9,7,", Some(9_000)),
            ("soon, 7", Some(7_000)),
            ("99999999999999999999999999999999999999", Some(86_400_000)),
            ("Sat, 21 Nov 2026 10:01:30 GMT", Some(90_000)),
            ("\"Sat, 21 Nov 2026 10:01:30 GMT\"", Some(90_000)),
            ("Sat, 21 Nov 2026 10:01:30 UTC", Some(90_000)),
            ("Sat, 21 Nov 2026 10:01:30 +0000", Some(90_000)),
            ("Saturday, 21-Nov-26 10:01:30 GMT", Some(90_000)),
            ("Sat Nov 21 10:01:30 2026", Some(90_000)),
            ("2026-11-21T10:01:30Z", Some(90_000)),
            ("2026-11-21T10:01:30.250Z", Some(90_250)),
            ("Sat, 21 Nov 2026 09:00:00 GMT", Some(0)),
            ("Sat, 21 Nov 2026 10:01:30 GMT, Sat, 21 Nov 2026 10:01:31 GMT", Some(91_000)),
            ("7, Sat, 21 Nov 2026 10:01:30 GMT", Some(90_000)),
            ("Sun, 21 Nov 9999 10:01:30 GMT", Some(86_400_000)),
            ("1795255290", Some(90_000)),
            ("1795255290000", Some(90_000)),
            ("1600000000", Some(0)),
            ("", None),
            (",", None),
            ("\"\"", None),
            ("-1", None),
            ("-7.5", None),
            ("soon", None),
            ("NaN", None),
            ("inf", None),
            ("Infinity", None),
            ("1e3", None),
            ("7.5.1", None),
            ("7 apples", None),
            ("0x10", None),
            ("caf\u{e9}", None),
            ("Sat, 21 Nov", None),
        ] {
            let delay = parse(&[(RETRY_AFTER, value)], true).map(|delay| delay.as_millis());
            assert_eq!(delay, expected, "{value}");
        }
    }

    #[test]
    fn of_several_lines_the_longest_delay_counts() {
        for (lines, expected) in
            [(["7", "9"], 9_000), (["9", "7"], 9_000), (["soon", "7"], 7_000), (["7", "caf\u{e9}"], 7_000)]
        {
            let headers = lines.map(|line| (RETRY_AFTER, line));
            assert_eq!(parse(&headers, true), Some(Duration::from_millis(expected)), "{lines:?}");
        }
    }
}
