//! Moments and spans of time as text, UTC.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use maud::{Markup, html};
use sview_model::Period;

/// For machines: `2026-03-15T12:30:00Z`.
#[must_use]
pub fn iso(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A moment as seen from `now`: the time alone today, else with its day. A `time` element.
#[must_use]
pub fn at(time: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    let today = time.date_naive() == now.date_naive();
    let text = time.format(if today { "%H:%M UTC" } else { "%-d %b %Y %H:%M UTC" });
    html! { time datetime=(iso(time)) { (text) } }
}

/// A moment with its day, wherever it is read: `15 Mar 2026 12:34 UTC`.
#[must_use]
pub fn on(time: DateTime<Utc>) -> String {
    time.format("%-d %b %Y %H:%M UTC").to_string()
}

/// How long ago it was, as a `time` element whose words the script keeps up to date.
#[must_use]
pub fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! { time datetime=(iso(time)) data-ago { (age(now - time)) } }
}

/// Writes a length of time before now. The script writes the same: change both.
#[must_use]
pub fn age(age: TimeDelta) -> String {
    let some = |n: i64, unit: &str| if n == 1 { format!("1 {unit} ago") } else { format!("{n} {unit}s ago") };
    match age.num_seconds() {
        ..10 => "just now".to_owned(),
        s @ ..60 => some(s, "second"),
        s @ ..3600 => some(s / 60, "minute"),
        s @ ..172_800 => some(s / 3600, "hour"),
        s => some(s / 86_400, "day"),
    }
}

/// Writes the window that ends at `end`: `15 Mar 2026, 09:00–12:00 UTC`, or its days where windows are whole days.
#[must_use]
pub fn window(end: DateTime<Utc>, width: TimeDelta) -> String {
    let start = end - width;
    if width < TimeDelta::days(1) {
        return format!("{}–{} UTC", start.format("%-d %b %Y, %H:%M"), end.format("%H:%M"));
    }
    let last = end - TimeDelta::days(1);
    if start == last { start.format("%-d %b %Y").to_string() } else { days(start, last) }
}

fn days(first: DateTime<Utc>, last: DateTime<Utc>) -> String {
    format!("{} – {}", first.format("%-d %b"), last.format("%-d %b %Y"))
}

/// Writes how far back a period looks: `the last 7 days`.
#[must_use]
pub fn range(of: Period) -> &'static str {
    period(of).split_once(',').map_or(period(of), |(range, _)| range)
}

/// Describes a period: `the last 7 days, in steps of 3 hours`.
#[must_use]
pub fn period(period: Period) -> &'static str {
    match period {
        Period::Hour => "the last hour, minute by minute",
        Period::SixHours => "the last 6 hours, in steps of 15 minutes",
        Period::Day => "the last 24 hours, in steps of 30 minutes",
        Period::Week => "the last 7 days, in steps of 3 hours",
        Period::Month => "the last 30 days, day by day",
        Period::ThreeMonths => "the last 90 days, in steps of 2 days",
        Period::Year => "the last 54 weeks, in steps of 2 weeks",
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    #[test]
    fn ages_and_windows_in_words() {
        assert_eq!(age(TimeDelta::seconds(3)), "just now");
        assert_eq!(age(TimeDelta::seconds(61)), "1 minute ago");
        assert_eq!(age(TimeDelta::hours(47)), "47 hours ago");
        let end = Utc.with_ymd_and_hms(2026, 3, 15, 12, 0, 0).unwrap();
        assert_eq!(window(end, TimeDelta::hours(3)), "15 Mar 2026, 09:00–12:00 UTC");
        let midnight = Utc.with_ymd_and_hms(2026, 3, 15, 0, 0, 0).unwrap();
        assert_eq!(window(midnight, TimeDelta::days(1)), "14 Mar 2026");
        assert_eq!(window(midnight, TimeDelta::days(14)), "1 Mar – 14 Mar 2026");
    }
}
