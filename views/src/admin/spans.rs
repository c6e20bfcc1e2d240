//! Spans of time as operators read them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use crate::moment;

/// How long something took, to about two digits: `8 ms`, `3.2 s`, `4 min 5 s`.
#[must_use]
pub fn fine(span: Duration) -> String {
    match span.as_millis() {
        ms @ ..1000 => format!("{ms} ms"),
        1000..10_000 => format!("{:.1} s", span.as_secs_f64()),
        _ => coarse(TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX)),
    }
}

/// A span to the second, then to the minute: `18 s`, `3 min 5 s`, `2 h 7 min`, `3 d 4 h`.
#[must_use]
pub fn coarse(span: TimeDelta) -> String {
    let s = span.num_seconds().max(0);
    match s {
        ..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..172_800 => format!("{} h {} min", s / 3600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3600 % 24),
    }
}

/// A moment seen from now, whichever side it is on: `in 18 s`, `3 minutes ago`.
pub(super) fn seen(time: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    if time > now {
        html! { time datetime=(moment::iso(time)) title=(exact(time)) { "in " (coarse(time - now)) } }
    } else {
        html! { span title=(exact(time)) { (moment::ago(time, now)) } }
    }
}

/// A moment to the second.
pub(super) fn exact(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        assert_eq!(fine(Duration::from_millis(8)), "8 ms");
        assert_eq!(fine(Duration::from_millis(3240)), "3.2 s");
        assert_eq!(fine(Duration::from_secs(245)), "4 min 5 s");
        assert_eq!(coarse(TimeDelta::seconds(7620)), "2 h 7 min");
        assert_eq!(coarse(TimeDelta::days(3) + TimeDelta::hours(4)), "3 d 4 h");
        assert_eq!(coarse(TimeDelta::seconds(-5)), "0 s");
    }
}
