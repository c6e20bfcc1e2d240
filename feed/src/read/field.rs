//! The values of a report's fields: each is parsed once, here, and trusted afterwards.

use std::{borrow::Cow, net::IpAddr, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{CountryCode, DeviceToken, MAX_TEXT};

use super::fault::Fault;

/// The times that a report may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    latest: DateTime<Utc>,
}

/// 2000-01-01T00:00:00Z: what is older comes from a probe whose clock was never set.
const EARLIEST: DateTime<Utc> = DateTime::from_timestamp_nanos(946_684_800_000_000_000);

impl Times {
    /// From 2000-01-01 to one day after `now`: clocks of probes go wrong, and a report of next year would never go away.
    pub(super) fn up_to_a_day_after(now: DateTime<Utc>) -> Self {
        Self { latest: now.checked_add_signed(TimeDelta::days(1)).unwrap_or(now) }
    }

    /// An RFC 3339 time, with or without a fraction, in any zone: in UTC, cut to microseconds.
    pub(super) fn read(&self, text: &str) -> Result<DateTime<Utc>, Fault> {
        self.check(DateTime::parse_from_rfc3339(text).map_err(|_| Fault::Time)?.to_utc())
    }

    /// As [`Times::read`], and also with an offset without a colon (`+0000`), which logging libraries write.
    pub(super) fn read_loosely(&self, text: &str) -> Result<DateTime<Utc>, Fault> {
        match DateTime::parse_from_rfc3339(text) {
            Ok(time) => self.check(time.to_utc()),
            Err(_) => {
                self.check(DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").map_err(|_| Fault::Time)?.to_utc())
            }
        }
    }

    fn check(&self, time: DateTime<Utc>) -> Result<DateTime<Utc>, Fault> {
        // By way of microseconds since the epoch a leap second becomes the second after it: databases have no other place for it.
        let time = DateTime::from_timestamp_micros(time.timestamp_micros()).ok_or(Fault::TimeRange)?;
        if time < EARLIEST || time > self.latest { Err(Fault::TimeRange) } else { Ok(time) }
    }
}

/// Digits only: Rust's own parsers also take a plus sign.
fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// How many alike a row stands for: 1 to `i32::MAX`. More in one row is no count but an attack on the sums.
pub(super) fn raw_count(text: &str) -> Result<i64, Fault> {
    let count = digits(text).and_then(|n| i32::try_from(n).ok()).ok_or(Fault::RawCount)?;
    if count >= 1 { Ok(i64::from(count)) } else { Err(Fault::RawCount) }
}

/// 0 to 65535.
pub(super) fn port(text: &str) -> Result<u16, Fault> {
    digits(text).and_then(|n| u16::try_from(n).ok()).ok_or(Fault::Port)
}

/// IPv4 or IPv6; an IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) is the IPv4 address.
pub(super) fn ip(text: &str) -> Result<IpAddr, Fault> {
    IpAddr::from_str(text).map(|ip| ip.to_canonical()).map_err(|_| Fault::Ip)
}

/// Two letters; empty is unknown.
pub(super) fn country(text: &str) -> Result<Option<CountryCode>, Fault> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| Fault::Country) }
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
    fn times_are_rfc_3339_in_utc_to_the_microsecond() {
        let read = |t| times().read(t).map(|t| t.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
        assert_eq!(read("2026-03-15T12:34:56Z").unwrap(), "2026-03-15T12:34:56Z");
        assert_eq!(read("2026-03-15T14:34:56.1234567+02:00").unwrap(), "2026-03-15T12:34:56.123456Z");
        assert_eq!(read("2016-12-31T23:59:60.5Z").unwrap(), "2017-01-01T00:00:00.500Z", "a leap second");
        for bad in
            ["", "2026-03-15", "2026-03-15T12:34:56", "2026-03-15T12:34:56+0000", "1773578096", "2026-02-30T00:00:00Z"]
        {
            assert_eq!(read(bad), Err(Fault::Time), "{bad:?}");
        }
        assert!(times().read_loosely("2018-05-01T00:00:01.5+0000").is_ok());
        assert_eq!(times().read_loosely("2018-05-01T00:00:01"), Err(Fault::Time));
    }

    #[test]
    fn times_lie_between_2000_and_tomorrow() {
        assert!(times().read("2000-01-01T00:00:00Z").is_ok());
        assert_eq!(times().read("1999-12-31T23:59:59.999999Z"), Err(Fault::TimeRange));
        assert!(times().read("2026-03-16T12:34:56Z").is_ok());
        assert_eq!(times().read("2026-03-16T12:34:56.000001Z"), Err(Fault::TimeRange));
        assert_eq!(times().read("9999-12-31T23:59:59Z"), Err(Fault::TimeRange));
    }

    #[test]
    fn numbers_have_bounds_and_no_signs() {
        assert_eq!(raw_count("1"), Ok(1));
        assert_eq!(raw_count("2147483647"), Ok(2_147_483_647));
        for bad in ["0", "-1", "+1", "", "1.0", "2147483648", "99999999999999999999999", "١"] {
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
        assert_eq!(country(""), Ok(None));
        assert_eq!(country("CZE"), Err(Fault::Country));
    }
}
