//! Properties of the windows of every period at every moment.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use sview_model::{LAG, Period, Precision, floor, label};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Any microsecond from 1999 to 2100, and often one close to a midnight, a month's end or a leap day.
fn moments() -> impl Strategy<Value = DateTime<Utc>> {
    let anywhere = 915_148_800_000_000i64..4_102_444_800_000_000;
    let edges = prop::sample::select(vec![
        at("2024-02-29T00:00:00Z"),
        at("2028-02-29T23:59:59Z"),
        at("2026-03-01T00:00:00Z"),
        at("2025-12-31T23:59:59.999999Z"),
        at("2026-03-15T12:34:56Z"),
        at("2026-03-29T01:00:00Z"), // summer time begins in Europe; not here
        at("2000-01-01T00:00:00Z"),
    ]);
    prop_oneof![
        anywhere.prop_map(|us| DateTime::from_timestamp_micros(us).unwrap()),
        (edges, -1i64..=1).prop_map(|(edge, us)| edge + TimeDelta::microseconds(us)),
    ]
}

fn periods() -> impl Strategy<Value = Period> {
    prop::sample::select(Period::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn windows_are_anchored_complete_and_half_open(now in moments(), period in periods(), lagged: bool) {
        let scale = period.scale();
        let windows = period.windows(now, lagged);
        let all: Vec<_> = windows.iter().collect();

        // Anchored at the start, which is on the grid of the refresh interval and a range before now, rounded down.
        prop_assert_eq!(all[0].start, floor(now - scale.range, scale.refresh));
        // Without gap or overlap, all of one width: half-open windows that touch.
        for pair in all.windows(2) {
            prop_assert_eq!(pair[0].finish, pair[1].start);
        }
        prop_assert!(all.iter().all(|w| w.length() == scale.window));
        // Complete: the last one ends at the finish, which is not after now; or five minutes before it.
        let lag = if lagged && scale.source == Precision::Native { LAG } else { TimeDelta::zero() };
        prop_assert_eq!(all[all.len() - 1].finish, floor(now, scale.refresh) - lag);
        prop_assert!(all[all.len() - 1].finish <= now);
        // As many as the table of periods says.
        let expected = match period {
            Period::Hour if lagged => 55,
            Period::Hour => 60,
            Period::SixHours => 24,
            Period::Day => 48,
            Period::Week => 56,
            Period::Month => 30,
            Period::ThreeMonths => 45,
            Period::Year => 27,
        };
        prop_assert_eq!(all.len(), expected);
        prop_assert_eq!(windows.len(), expected);
    }

    #[test]
    fn a_moment_is_in_the_window_that_its_index_names(now in moments(), period in periods(), back in 0i64..380 * 86_400) {
        let windows = period.windows(now, false);
        let moment = now - TimeDelta::seconds(back);
        let found = windows.iter().position(|w| w.contains(moment));
        prop_assert_eq!(windows.index(moment), found);
        for w in windows.iter() {
            prop_assert_eq!(windows.index(w.start), windows.iter().position(|x| x == w), "a start is in its own window");
            prop_assert_ne!(windows.index(w.finish), windows.index(w.start), "a finish is not");
        }
    }

    #[test]
    fn windows_consist_of_whole_buckets_of_their_source(now in moments(), period in periods()) {
        let source = period.scale().source;
        for w in period.windows(now, true).iter() {
            prop_assert_eq!(source.floor(w.start), w.start);
            prop_assert_eq!(source.floor(w.finish), w.finish);
        }
    }

    #[test]
    fn labels_are_the_ends_of_windows(now in moments(), period in periods()) {
        let windows = period.windows(now, false);
        let ends: Vec<_> = windows.ends().map(label).collect();
        let finishes: Vec<_> = windows.iter().map(|w| w.finish.format("%Y-%m-%d %H:%M").to_string()).collect();
        prop_assert_eq!(ends, finishes);
    }

    #[test]
    fn a_refresh_comes_due_exactly_when_the_next_finish_is_due(now in moments(), period in periods()) {
        let finish = period.span(now).finish;
        let due = period.next_due(finish);
        prop_assert!(due > now - TimeDelta::days(1));
        prop_assert!(period.due_finish(due) > finish, "at that moment there is a newer finish");
        prop_assert!(period.due_finish(due - TimeDelta::microseconds(1)) <= finish, "and not before");
    }

    #[test]
    fn a_bucket_is_due_once_its_delay_is_over(now in moments()) {
        for p in Precision::AGGREGATED {
            let due = p.due_to(now);
            prop_assert_eq!(p.floor(due), due);
            prop_assert!(due + p.delay() <= now && now < due + p.width() + p.delay());
        }
    }
}

#[test]
fn the_table_of_periods_is_that_of_the_original() {
    let now = at("2026-03-15T12:34:56Z");
    let spans: Vec<_> = Period::ALL.iter().map(|p| format!("{p} {}", p.span(now))).collect();
    assert_eq!(
        spans,
        [
            "1h [2026-03-15 11:34, 2026-03-15 12:34)",
            "6h [2026-03-15 06:30, 2026-03-15 12:30)",
            "1d [2026-03-14 12:30, 2026-03-15 12:30)",
            "1w [2026-03-08 12:00, 2026-03-15 12:00)",
            "1m [2026-02-13 00:00, 2026-03-15 00:00)",
            "3m [2025-12-15 00:00, 2026-03-15 00:00)",
            "1y [2025-03-02 00:00, 2026-03-15 00:00)",
        ]
    );
}
