//! The world of the demonstration: repeatable, skewed as the real one is, and hostile where it should be.
#![allow(clippy::unwrap_used)] // a panic is the report of a failure, in what the tests share too

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::LazyLock,
};

use chrono::{DateTime, TimeDelta, Utc};
use sview_feed::{HISTORY_DAYS, History, Trickle};
use sview_model::{Batch, Incident, Password, Period, Protocol, Span, Trap};

const ROWS: u64 = 200_000;

fn now() -> DateTime<Utc> {
    "2026-03-15T12:34:56Z".parse().unwrap()
}

/// The whole history, made once for all tests.
fn history() -> &'static [Batch] {
    static DAYS: LazyLock<Vec<Batch>> = LazyLock::new(|| History::new(7, now(), ROWS).collect());
    &DAYS
}

fn incidents(days: &[Batch]) -> impl Iterator<Item = &Incident> {
    days.iter().flat_map(|day| &day.incidents)
}

fn passwords(days: &[Batch]) -> impl Iterator<Item = &Password> {
    days.iter().flat_map(|day| &day.passwords)
}

fn times(batch: &Batch) -> impl Iterator<Item = DateTime<Utc>> {
    let incidents = batch.incidents.iter().map(|r| r.time);
    incidents.chain(batch.passwords.iter().map(|r| r.time)).chain(batch.ports.iter().map(|r| r.time))
}

/// Keys by the sum of their counts, most first.
fn ranking<K: Hash + Eq>(rows: impl Iterator<Item = (K, i64)>) -> Vec<(K, i64)> {
    let mut sums: HashMap<K, i64> = HashMap::new();
    for (key, count) in rows {
        *sums.entry(key).or_default() += count;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, sum)| -sum);
    sums
}

#[test]
fn the_same_seed_and_now_give_the_same_world() {
    let head = |seed, now| History::new(seed, now, ROWS).take(3).collect::<Vec<_>>();
    assert_eq!(head(7, now()), head(7, now()));
    assert_ne!(head(7, now()), head(8, now()));
    let hour = Span::new(now(), now() + TimeDelta::minutes(1));
    assert_eq!(Trickle::new(7, now()).batch(hour), Trickle::new(7, now()).batch(hour));
}

#[test]
fn thirteen_months_newest_day_first() {
    let history = History::new(7, now(), ROWS);
    let span = history.span();
    assert_eq!(span, Span::new(now() - TimeDelta::days(HISTORY_DAYS.into()), now()));
    let promised = history.len();
    let probes = history.probes().to_vec();
    let days = self::history();
    assert_eq!(days.len(), promised);
    assert_eq!(days[0].identities, probes);
    let mut end = span.finish;
    for day in days {
        assert!(!day.is_empty());
        let (first, last) = (times(day).min().unwrap(), times(day).max().unwrap());
        assert!(span.contains(first) && last < end);
        assert_eq!(first.date_naive(), last.date_naive());
        assert!(day.incidents.is_sorted_by_key(|r| r.time));
        end = first;
    }
    assert!(end < span.start + TimeDelta::days(1));
    let rows: usize = days.iter().map(Batch::len).sum();
    assert!((rows as f64 / ROWS as f64 - 1.0).abs() < 0.05, "{rows}");
}

#[test]
fn the_recent_past_is_full_and_sums_are_level() {
    let days = history();
    let hour = Period::Hour.span(now());
    let recent = incidents(days).filter(|i| hour.contains(i.time)).count();
    assert!(recent >= 1500, "{recent}");
    let mut windows = [0; 27];
    for incident in incidents(days) {
        if let Some(window) = Period::Year.windows(now(), false).index(incident.time) {
            windows[window] += incident.raw_count;
        }
    }
    let (least, most) = (windows.iter().min().unwrap(), windows.iter().max().unwrap());
    assert!(*most < 3 * least, "{windows:?}");
}

#[test]
fn a_few_attackers_and_countries_do_most() {
    let days = history();
    let total: i64 = incidents(days).map(|i| i.raw_count).sum();
    let countries = ranking(incidents(days).map(|i| (i.country, i.raw_count)));
    let share = countries[0].1 as f64 / total as f64;
    assert!((0.10..0.40).contains(&share), "{} {share}", countries[0].1);
    assert!(countries.len() > 40);
    assert!(countries.iter().any(|(country, _)| country.is_none()));
    let attackers = ranking(incidents(days).map(|i| (i.ip, i.raw_count)));
    let top: i64 = attackers.iter().take(100).map(|(_, sum)| sum).sum();
    assert!(attackers.len() > 5_000 && top as f64 > 0.1 * total as f64, "{} {top}", attackers.len());
    let v6 = attackers.iter().filter(|(ip, _)| ip.is_ipv6()).count() as f64 / attackers.len() as f64;
    assert!((0.002..0.03).contains(&v6), "{v6}");
    let traps: HashSet<_> = incidents(days).map(|i| i.trap).collect();
    assert_eq!(traps.len(), Trap::ALL.len());
    assert_eq!(incidents(days).map(|i| &i.identity).collect::<HashSet<_>>().len(), 40);
    let ports = ranking(days.iter().flat_map(|d| &d.ports).map(|p| ((p.protocol, p.port), p.raw_count)));
    assert_eq!(ports[0].0, (Protocol::Tcp, 23));
    assert!(ports.len() > 500);
}

#[test]
fn new_attackers_come_every_day() {
    let days = history();
    let mut known = HashSet::new();
    for day in days.iter().rev() {
        let before = known.len();
        known.extend(day.incidents.iter().map(|i| i.ip));
        assert!(known.len() > before);
    }
}

#[test]
fn hostile_strings_are_where_a_visitor_sees_them() {
    let days = history();
    let week = Period::Week.span(now());
    let markers = ["<script>", "' OR", "{{7*7}}", "onerror", "DROP TABLE", "🔥", "first line\nsecond", "\u{202e}"];
    let recent = || passwords(days).filter(|p| week.contains(p.time));
    for ranked in [
        ranking(recent().map(|p| (p.password.as_str(), p.raw_count))),
        ranking(recent().map(|p| (p.username.as_str(), p.raw_count))),
    ] {
        let seen =
            |n: usize| ranked.iter().take(n).filter(|(text, _)| markers.iter().any(|m| text.contains(m))).count();
        assert!(seen(15) >= 1, "{:?}", &ranked[..15]);
        assert!(seen(30) >= 4, "{:?}", &ranked[..30]);
        for marker in markers {
            assert!(ranked.iter().any(|(text, _)| text.contains(marker)), "{marker}");
        }
        assert!(ranked.iter().any(|(text, _)| text.is_empty()) && ranked.iter().any(|(text, _)| *text == "\n"));
        assert!(ranked.iter().any(|(text, _)| text.chars().count() == 500));
        assert!(ranked.iter().all(|(text, _)| !text.contains('\0')));
    }
}

#[test]
fn a_trickle_is_the_same_however_time_is_cut() {
    let trickle = Trickle::new(7, now());
    let whole = Span::new(now(), now() + TimeDelta::seconds(97));
    let expected = trickle.batch(whole);
    let rows = expected.len();
    assert!((100..900).contains(&rows), "a few rows a second: {rows} in 97 s");
    assert!(times(&expected).all(|t| whole.contains(t)));
    let mut pieces = Batch::default();
    let (mut start, mut step) = (whole.start, 1);
    while start < whole.finish {
        let finish = (start + TimeDelta::milliseconds(step)).min(whole.finish);
        let piece = trickle.batch(Span::new(start, finish));
        pieces.incidents.extend(piece.incidents);
        pieces.passwords.extend(piece.passwords);
        pieces.ports.extend(piece.ports);
        start = finish;
        step = step * 7 % 4999 + 1;
    }
    assert_eq!(pieces, expected);
    assert!(trickle.batch(Span::new(now(), now())).is_empty());
}

#[test]
fn the_trickle_is_as_lively_as_the_last_hour() {
    let last = history().iter().flat_map(times).filter(|t| *t >= now() - TimeDelta::hours(1)).count() as f64;
    let next = Trickle::new(7, now()).batch(Span::new(now(), now() + TimeDelta::hours(1))).len() as f64;
    assert!((0.5..2.0).contains(&(next / last)), "{last} {next}");
}
