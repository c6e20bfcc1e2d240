//! The values of a report's fields: each is parsed once, here, and trusted afterwards.

use std::{borrow::Cow, net::IpAddr, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{CountryCode, DeviceToken, MAX_TEXT};

use super::fault::Fault;
use super::notes::Notes;

/// The times that a report may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    latest: DateTime<Utc>,
}

/// 2000-01-01T00:00:00Z: an older time comes from a probe whose clock was never set.
const EARLIEST: DateTime<Utc> = DateTime::from_timestamp_nanos(946_684_800_000_000_000);

impl Times {
    /// From 2000-01-01 to one day after `now`: clocks of probes go wrong, and a report of next year would never go away.
    pub(super) fn up_to_a_day_after(now: DateTime<Utc>) -> Self {
        Self { latest: now.checked_add_signed(TimeDelta::days(1)).unwrap_or(now) }
    }

    /// Reads a time as RFC 3339 has it, or as PostgreSQL, SQLite, pandas and logging libraries write it. These forms differ: a space for
    /// the `T`, a comma before the fraction, an offset of hours alone or without a colon. No zone means UTC, which is noted. A date alone
    /// means its midnight. A number is seconds, milliseconds, microseconds or nanoseconds since 1970. The result is in UTC, cut to
    /// microseconds.
    pub(super) fn read(&self, text: &str, notes: &mut Notes) -> Result<DateTime<Utc>, Fault> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return self.check(time.to_utc());
        }
        if let Some(time) = since_1970(text) {
            return self.check(time);
        }
        let (text, zone) = as_rfc3339(text).ok_or(Fault::Time)?;
        let time = DateTime::parse_from_rfc3339(&text).map_err(|_| Fault::Time)?;
        let time = self.check(time.to_utc())?;
        notes.times_without_zone += u64::from(!zone);
        Ok(time)
    }

    fn check(&self, time: DateTime<Utc>) -> Result<DateTime<Utc>, Fault> {
        // By way of microseconds since the epoch a leap second becomes the second after it: databases have no other place for it.
        let time = DateTime::from_timestamp_micros(time.timestamp_micros()).ok_or(Fault::TimeRange)?;
        if time < EARLIEST || time > self.latest { Err(Fault::TimeRange) } else { Ok(time) }
    }
}

/// Reads a number since 1970, perhaps with a fraction. Its size shows the unit: in only one unit it lies between 1973 and 5138.
fn since_1970(text: &str) -> Option<DateTime<Utc>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if whole.len() > 19 || fraction.is_empty() || !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let number: i128 = whole.parse().ok()?;
    let millionths: i128 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let a_second = match number {
        ..100_000_000_000 => 1,
        100_000_000_000..100_000_000_000_000 => 1_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000_000,
        _ => 1_000_000_000,
    };
    DateTime::from_timestamp_micros(i64::try_from((number * 1_000_000 + millionths) / a_second).ok()?)
}

/// The time as RFC 3339 would have it, and whether it has a zone.
fn as_rfc3339(text: &str) -> Option<(String, bool)> {
    let Some((moment, rest)) = text.split_at_checked("2026-03-15T12:34:56".len()) else {
        return (text.len() == "2026-03-15".len()).then(|| (format!("{text}T00:00:00Z"), false));
    };
    let digits = rest.strip_prefix(['.', ',']).unwrap_or_default();
    let digits = &digits[..digits.bytes().take_while(u8::is_ascii_digit).count()];
    let (fraction, zone) = if digits.is_empty() { ("0", rest) } else { (digits, &rest[1 + digits.len()..]) };
    let zone = zone.strip_prefix(' ').unwrap_or(zone);
    let offset = match (zone.as_bytes(), zone) {
        ([], _) | (_, "UTC" | "GMT" | "Z" | "z") => "Z".to_owned(),
        ([b'+' | b'-', _, _], _) => format!("{zone}:00"),
        ([b'+' | b'-', _, _, _, _], _) => format!("{}:{}", zone.get(..3)?, zone.get(3..)?),
        _ => zone.to_owned(),
    };
    let fraction = &fraction[..fraction.len().min(9)];
    Some((format!("{moment}.{fraction}{offset}"), !zone.is_empty()))
}

/// Digits only: Rust's own parsers also take a plus sign. `.0` may follow, as pandas writes numbers of a column that has gaps.
fn digits(text: &str) -> Option<u64> {
    let text = text.strip_suffix(".0").unwrap_or(text);
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// How many alike a row stands for: 1 to `i32::MAX`. More in one row is no count but an attack on the sums.
pub(super) fn raw_count(text: &str) -> Result<i64, Fault> {
    let count = digits(text).and_then(|n| i32::try_from(n).ok()).ok_or(Fault::RawCount)?;
    if count >= 1 { Ok(i64::from(count)) } else { Err(Fault::RawCount) }
}

/// Reads a port, 0 to 65535.
pub(super) fn port(text: &str) -> Result<u16, Fault> {
    digits(text).and_then(|n| u16::try_from(n).ok()).ok_or(Fault::Port)
}

/// IPv4 or IPv6; an IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is the IPv4 address.
pub(super) fn ip(text: &str) -> Result<IpAddr, Fault> {
    IpAddr::from_str(text).map(|ip| ip.to_canonical()).map_err(|_| Fault::Ip)
}

/// Two letters; empty, `-`, `ZZ` and their like ([`CountryCode::UNKNOWN`]) are unknown.
pub(super) fn country(text: &str) -> Result<Option<CountryCode>, Fault> {
    CountryCode::known(text).map_err(|_| Fault::Country)
}

/// A probe's secret.
pub(super) fn device_token(text: &str) -> Result<DeviceToken, Fault> {
    text.parse().map_err(|_| Fault::DeviceToken)
}

/// A probe's serial number: what `varchar(16)` holds.
pub(super) fn serial(text: &str) -> Result<String, Fault> {
    if text.len() > 16 && text.chars().count() > 16 { Err(Fault::Serial) } else { Ok(without_nul(text.into())) }
}

/// A user name or password, at most [`MAX_TEXT`] bytes after [`without_nul`].
pub(super) fn text(name: &'static str, text: Cow<'_, str>) -> Result<String, Fault> {
    let text = without_nul(text);
    if text.len() > MAX_TEXT { Err(Fault::Text(name)) } else { Ok(text) }
}

/// The text with every NUL character as U+2400 `␀`: PostgreSQL's `text` cannot hold a NUL, and a report is worth more
/// than the difference.
pub(super) fn without_nul(text: Cow<'_, str>) -> String {
    if text.contains('\0') { text.replace('\0', "\u{2400}") } else { text.into_owned() }
}

/// A word of an enumeration.
pub(super) fn word<T: FromStr>(what: &'static str, text: &str, allowed: impl Fn() -> String) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::Word { what, allowed: allowed() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Times {
        Times::up_to_a_day_after("2026-03-15T12:34:56Z".parse().unwrap())
    }

    #[test]
    fn times_are_in_utc_to_the_microsecond() {
        let read =
            |t| times().read(t, &mut Notes::default()).map(|t| t.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
        assert_eq!(read("2026-03-15T12:34:56Z").unwrap(), "2026-03-15T12:34:56Z");
        assert_eq!(read("2026-03-15T14:34:56.1234567+02:00").unwrap(), "2026-03-15T12:34:56.123456Z");
        assert_eq!(read("2016-12-31T23:59:60.5Z").unwrap(), "2017-01-01T00:00:00.500Z", "a leap second");
        for bad in [
            "",
            "yesterday",
            "2026-02-30T00:00:00Z",
            "2026-02-30 00:00:00",
            "2026-02-30",
            "2026-3-15",
            "15.03.2026 12:34:56",
            "03/15/2026 12:34:56",
            "2026-03-15 12:34",
            "2026-03-15 12:34:56 CET",
            "2026-03-15 12:34:56.",
            "2026-03-15 12:34:56+",
            "2026-03-15 12:34:56+1",
            "2026-03-15 12:34:56+žž",
            "2026-03-15 12:34:56 +00 BC",
            "infinity",
            "-infinity",
            "1773578096.",
            ".5",
            "-1773578096",
            "+1773578096",
            "1.773e9",
            "99999999999999999999",
            "2026-03-15žž:34:56ž",
        ] {
            assert_eq!(read(bad), Err(Fault::Time), "{bad:?}");
        }
    }

    #[test]
    fn times_are_read_as_databases_and_pandas_write_them() {
        for (text, moment, zone) in [
            ("2025-03-01 10:00:00+00", "2025-03-01T10:00:00Z", true), // PostgreSQL
            ("2025-03-01 10:00:00.25+01", "2025-03-01T09:00:00.250Z", true), // PostgreSQL
            ("2025-03-01 15:30:00.5+05:30", "2025-03-01T10:00:00.500Z", true), // PostgreSQL
            ("2025-03-01T10:00:00.123456+00:00", "2025-03-01T10:00:00.123456Z", true), // PostgreSQL, row_to_json
            ("2025-03-01 10:00:00", "2025-03-01T10:00:00Z", false),   // SQLite, timestamp of PostgreSQL
            ("2025-03-01 10:00:00.123", "2025-03-01T10:00:00.123Z", false), // SQLite
            ("2025-03-01T10:00:00.000001", "2025-03-01T10:00:00.000001Z", false), // Python
            ("2025-03-01 10:00:00.123456789+00:00", "2025-03-01T10:00:00.123456Z", true), // pandas
            ("2025-03-01 10:00:00.1234567890123", "2025-03-01T10:00:00.123456Z", false),
            ("2025-03-01", "2025-03-01T00:00:00Z", false), // pandas, all of a column at midnight
            ("2025-03-01T10:00:00,5+0000", "2025-03-01T10:00:00.500Z", true), // logging libraries
            ("2025-03-01 10:00:00-0130", "2025-03-01T11:30:00Z", true),
            ("2025-03-01 10:00:00 +00:00", "2025-03-01T10:00:00Z", true),
            ("2025-03-01 10:00:00 UTC", "2025-03-01T10:00:00Z", true), // BigQuery
            ("2025-03-01 10:00:00Z", "2025-03-01T10:00:00Z", true),
            ("1740823200", "2025-03-01T10:00:00Z", true),
            ("1740823200.0", "2025-03-01T10:00:00Z", true),
            ("1740823200.25", "2025-03-01T10:00:00.250Z", true),
            ("1740823200123", "2025-03-01T10:00:00.123Z", true), // pandas, to_json
            ("1740823200123.4567", "2025-03-01T10:00:00.123456Z", true),
            ("1740823200123456", "2025-03-01T10:00:00.123456Z", true), // our own SQLite
            ("1740823200123456789", "2025-03-01T10:00:00.123456Z", true), // pandas, int64
        ] {
            let mut notes = Notes::default();
            let time = times().read(text, &mut notes).map(|t| t.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
            assert_eq!(time.as_deref(), Ok(moment), "{text}");
            assert_eq!(notes.times_without_zone, u64::from(!zone), "{text}");
        }
        for never in ["0", "20250301", "20250301100000", "9999999999999999999"] {
            assert_eq!(times().read(never, &mut Notes::default()), Err(Fault::TimeRange), "{never}");
        }
    }

    #[test]
    fn times_lie_between_2000_and_tomorrow() {
        let read = |text| times().read(text, &mut Notes::default());
        assert!(read("2000-01-01T00:00:00Z").is_ok());
        assert_eq!(read("1999-12-31T23:59:59.999999Z"), Err(Fault::TimeRange));
        assert!(read("2026-03-16T12:34:56Z").is_ok());
        assert_eq!(read("2026-03-16T12:34:56.000001Z"), Err(Fault::TimeRange));
        assert_eq!(read("9999-12-31T23:59:59Z"), Err(Fault::TimeRange));
    }

    #[test]
    fn numbers_have_bounds_and_no_signs() {
        assert_eq!(raw_count("1"), Ok(1));
        assert_eq!(raw_count("2147483647"), Ok(2_147_483_647));
        assert_eq!(raw_count("2.0"), Ok(2));
        for bad in ["0", "-1", "+1", "", "1.5", ".0", "1.00", "2147483648", "99999999999999999999999", "١"] {
            assert_eq!(raw_count(bad), Err(Fault::RawCount), "{bad:?}");
        }
        assert_eq!(port("0"), Ok(0));
        assert_eq!(port("65535"), Ok(65535));
        assert_eq!(port("65536"), Err(Fault::Port));
    }

    #[test]
    fn addresses_are_canonical() {
        assert_eq!(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
        assert!(ip("2001:DB8::1").is_ok());
        for bad in ["", "192.0.2.256", "192.0.2.1/32", "fe80::1%eth0", "localhost", " 192.0.2.1"] {
            assert_eq!(ip(bad), Err(Fault::Ip), "{bad:?}");
        }
    }

    #[test]
    fn texts_are_bounded_and_free_of_nul() {
        assert_eq!(text("password", "a\0b".into()).unwrap(), "a␀b");
        assert!(text("password", "x".repeat(MAX_TEXT).into()).is_ok());
        assert_eq!(text("password", "x".repeat(MAX_TEXT + 1).into()), Err(Fault::Text("password")));
        assert_eq!(serial("žluťoučký kůň 00").unwrap().chars().count(), 16);
        assert_eq!(serial("žluťoučký kůň 000"), Err(Fault::Serial));
        assert_eq!(country("cz").unwrap().unwrap().as_str(), "CZ");
        for unknown in ["", "-", "ZZ", "zz", "T1", "XX"] {
            assert_eq!(country(unknown), Ok(None), "{unknown}");
        }
        assert_eq!(country("XK").unwrap().unwrap().as_str(), "XK");
        assert_eq!(country("CZE"), Err(Fault::Country));
    }
}
