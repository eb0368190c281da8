//! Times as the Web API writes them.

use std::time::{Duration, SystemTime};

/// Parses a time such as `2026-11-21T10:00:00Z`, or with an offset instead of the `Z`.
#[must_use]
pub fn parse(text: &str) -> Option<SystemTime> {
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (is_ahead, offset) = match (offset.strip_prefix('+'), offset.strip_prefix('-')) {
        (Some(ahead), _) => (true, ahead),
        (_, Some(behind)) => (false, behind),
        _ => return humantime::parse_rfc3339(text).ok(),
    };
    let (hours, minutes) = offset.split_once(':')?;
    let number = |digits: &str, below: u64| -> Option<u64> {
        let is_two_digits = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number| is_two_digits && *number < below)
    };
    let offset = Duration::from_secs(number(hours, 24)? * 3600 + number(minutes, 60)? * 60);
    let local = humantime::parse_rfc3339(&format!("{local}Z")).ok().filter(|_| !local.ends_with('Z'))?;
    if is_ahead { local.checked_sub(offset) } else { local.checked_add(offset) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_subtracted() {
        let utc = humantime::parse_rfc3339("2026-11-21T10:00:00Z").unwrap();
        for text in [
            "2026-11-21T10:00:00Z",
            "2026-11-21T12:00:00+02:00",
            "2026-11-21T04:30:00-05:30",
            "2026-11-21T10:00:00.000-00:00",
        ] {
            assert_eq!(parse(text), Some(utc), "{text}");
        }
    }

    #[test]
    fn everything_else_is_rejected() {
        for text in [
            "",
            "Z",
            "yesterday",
            "2026-11-21",
            "2026-11-21T10:00:00",
            "2026-11-21T10:00:00+0200",
            "2026-11-21T10:00:00+2:00",
            "2026-11-21T10:00:00+24:00",
            "2026-11-21T10:00:00+01:60",
            "2026-11-21T10:00:00Z+01:00",
            "+02:00",
            "2026-11-21T10:00:00+\u{e9}1:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
