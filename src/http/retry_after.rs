//! How long a server asks to be left alone.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};

/// In milliseconds; the first that is there counts, before the standard one.
const IN_MS: [HeaderName; 2] =
    [HeaderName::from_static("x-ms-retry-after-ms"), HeaderName::from_static("retry-after-ms")];
/// Nobody means more than a day.
const MOST: Duration = Duration::from_secs(86_400);

/// The wish, if there is one that can be read. A date in the past is no time at all.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let in_ms = IN_MS.iter().find_map(|name| text(name)?.parse::<u64>().ok()).map(Duration::from_millis);
    let wish = in_ms.or_else(|| {
        let value = text(&header::RETRY_AFTER)?;
        if let Ok(seconds) = value.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        // Both by the server's clock: ours may be wrong.
        let until = httpdate::parse_http_date(value).ok()?;
        let now = httpdate::parse_http_date(text(&header::DATE)?).ok()?;
        Some(until.duration_since(now).unwrap_or_default())
    })?;
    Some(wish.min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        retry_after(&headers.collect())
    }

    #[test]
    fn seconds_milliseconds_and_dates_are_understood() {
        const DATE: (&str, &str) = ("date", "Sat, 21 Nov 2026 10:00:00 GMT");
        for (headers, expected) in [
            (&[("retry-after", "7")][..], Some(7_000)),
            (&[("retry-after", " 0 ")], Some(0)),
            (&[("retry-after-ms", "1500"), ("retry-after", "7")], Some(1_500)),
            (&[("x-ms-retry-after-ms", "20"), ("retry-after-ms", "1500")], Some(20)),
            (&[("x-ms-retry-after-ms", "soon"), ("retry-after", "7")], Some(7_000)),
            (&[DATE, ("retry-after", "Sat, 21 Nov 2026 10:01:30 GMT")], Some(90_000)),
            (&[DATE, ("retry-after", "Sat, 21 Nov 2026 09:00:00 GMT")], Some(0)),
            (&[("retry-after", "99999999999")], Some(86_400_000)),
            (&[("retry-after", "Sat, 21 Nov 2026 10:01:30 GMT")], None),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "7.5")], None),
            (&[], None),
        ] {
            assert_eq!(wish(headers), expected.map(Duration::from_millis), "{headers:?}");
        }
    }
}
