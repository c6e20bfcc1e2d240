//! The promises of the greylist's rules, over any history.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use sview_model::greylist::{
    Entry, Form, HALF_LIFE, HORIZON, History, Sighting, Stamp, THRESHOLD, Tag, csv_rows, weight,
};
use sview_model::{Action, Precision, Trap};

fn now() -> DateTime<Utc> {
    "2026-03-15T12:34:56Z".parse().unwrap()
}

fn sighting(hours_ago: i64, trap: Trap, action: Action, probe: i64, count: u64) -> Sighting {
    Sighting { time: now() - TimeDelta::hours(hours_ago), trap, action, probe, count }
}

fn history(sightings: &[Sighting]) -> History {
    History::of(sightings, now())
}

fn any_sighting() -> impl Strategy<Value = Sighting> {
    let (traps, actions) = (prop::sample::select(Trap::ALL), prop::sample::select(Action::ALL));
    (-3_600..20 * 86_400_i64, traps, actions, 0..6_i64, 1..5_000_u64).prop_map(|(ago, trap, action, probe, count)| {
        Sighting { time: now() - TimeDelta::seconds(ago), trap, action, probe, count }
    })
}

fn any_history() -> impl Strategy<Value = Vec<Sighting>> {
    prop::collection::vec(any_sighting(), 1..40)
}

/// The same reports, as they are found once they are aggregated.
fn in_buckets(sightings: &[Sighting], precision: Precision) -> Vec<Sighting> {
    sightings.iter().filter(|s| s.time < now()).map(|s| Sighting { time: precision.floor(s.time), ..*s }).collect()
}

proptest! {
    #[test]
    fn a_score_does_not_depend_on_how_far_aggregation_has_come(sightings in any_history()) {
        let as_reported = history(&sightings);
        for precision in [Precision::Quarterly, Precision::Hourly] {
            prop_assert_eq!(&history(&in_buckets(&sightings, precision)), &as_reported);
        }
        // Days are read for what is older than the times that are kept to the hour.
        let (old, young): (Vec<_>, Vec<_>) = sightings.iter().copied().partition(|s| s.time < History::recent(now()));
        let mut mixed = in_buckets(&old, Precision::Daily);
        mixed.extend(in_buckets(&young, Precision::Hourly));
        prop_assert_eq!(&history(&mixed), &as_reported);
    }

    #[test]
    fn who_does_more_is_never_better_off(sightings in any_history(), more in any_sighting()) {
        let before = history(&sightings);
        let after = history(&[sightings.clone(), vec![more]].concat());
        prop_assert!(after.score(now()) >= before.score(now()) - 1e-9);
        prop_assert!(after.expires(now()) >= before.expires(now()));
    }

    #[test]
    fn who_stops_only_falls_and_is_gone_after_the_horizon(sightings in any_history()) {
        let history = history(&sightings);
        let scores: Vec<f64> = (0..40 * 24).map(|hour| history.score(now() + TimeDelta::hours(hour))).collect();
        prop_assert!(scores.windows(2).all(|pair| pair[1] <= pair[0] + 1e-9), "{scores:?}");
        prop_assert_eq!(history.score(now() + TimeDelta::days(HORIZON + 1)), 0.0);
    }

    #[test]
    fn it_expires_in_the_very_second_in_which_the_score_falls_below_the_threshold(sightings in any_history()) {
        let history = history(&sightings);
        let expires = history.expires(now());
        match Entry::of([1, 1, 1, 1].into(), &history, now()) {
            None => prop_assert_eq!(expires, now()),
            Some(entry) => {
                prop_assert_eq!(entry.expires, expires);
                prop_assert!(history.score(expires) < THRESHOLD);
                prop_assert!(history.score(expires - TimeDelta::seconds(1)) >= THRESHOLD);
                prop_assert!(expires > now() && expires <= now() + TimeDelta::days(HORIZON + 1));
                prop_assert!(entry.score >= THRESHOLD && entry.score <= history.score(now()));
                prop_assert!(entry.first_seen <= entry.last_seen && entry.last_seen < now());
                prop_assert!(!entry.tags.is_empty() && entry.tags.windows(2).all(|pair| pair[0] < pair[1]));
            }
        }
    }

    #[test]
    fn the_order_of_reports_is_nothing(sightings in any_history()) {
        let mut turned = sightings.clone();
        turned.reverse();
        let (one, other) = (history(&sightings), history(&turned));
        prop_assert!((one.score(now()) - other.score(now())).abs() < 1e-9);
        prop_assert_eq!((one.probes, one.evidence.len()), (other.probes, other.evidence.len()));
    }
}

#[test]
fn what_it_did_weighs_as_documented() {
    use Action::{BigPortScan, Connect, Invalid, Login, Message, SmallPortScan};
    let order = [
        weight(Trap::Fwlogs, SmallPortScan),
        weight(Trap::Telnet, Invalid),
        weight(Trap::Smtp, Message),
        weight(Trap::Ftp, Login),
        weight(Trap::Haas, Login),
        weight(Trap::Haas, Message),
    ];
    assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{order:?}");
    assert!(weight(Trap::Haas, Connect) > weight(Trap::Telnet, Connect));
    assert!(weight(Trap::Fwlogs, BigPortScan) > weight(Trap::Fwlogs, SmallPortScan));
    // 4 × log₂(1 + 7) from one probe; twice that from two.
    assert_eq!(history(&[sighting(1, Trap::Telnet, Login, 1, 7)]).score(now()), 12.0);
    let two = [sighting(1, Trap::Telnet, Login, 1, 3), sighting(2, Trap::Telnet, Login, 2, 4)];
    assert_eq!(history(&two).score(now()), 24.0);
}

#[test]
fn a_day_counts_whole_until_it_is_over_and_then_halves() {
    let history = history(&[sighting(1, Trap::Telnet, Action::Login, 1, 7)]);
    let midnight: DateTime<Utc> = "2026-03-16T00:00:00Z".parse().unwrap();
    assert_eq!((history.score(now()), history.score(midnight)), (12.0, 12.0));
    assert_eq!((history.score(midnight + HALF_LIFE), history.score(midnight + HALF_LIFE * 2)), (6.0, 3.0));
    // 12 points fall to 10 after 3 days × log₂(1.2) = 0.789 days.
    assert_eq!(history.expires(now()), midnight + TimeDelta::seconds(68_179));
}

#[test]
fn one_connection_or_one_attempt_lists_nobody() {
    for (trap, action) in
        [(Trap::Telnet, Action::Connect), (Trap::Http, Action::Login), (Trap::Fwlogs, Action::BigPortScan)]
    {
        assert_eq!(Entry::of([1, 1, 1, 1].into(), &history(&[sighting(1, trap, action, 1, 1)]), now()), None);
    }
}

fn entries() -> Vec<Entry> {
    let telnet = [sighting(1, Trap::Telnet, Action::Login, 1, 7)];
    let both = [sighting(1, Trap::Haas, Action::Message, 1, 70), sighting(90, Trap::Fwlogs, Action::BigPortScan, 2, 9)];
    let of = |ip: &str, sightings: &[Sighting]| Entry::of(ip.parse().unwrap(), &history(sightings), now()).unwrap();
    vec![of("1.2.3.4", &telnet), of("2a00::7", &both)]
}

fn stamp() -> Stamp {
    Stamp { as_of: now(), license: "https://view.example/greylist-data/LICENSE.txt\n\u{1b}[31m".to_owned() }
}

#[test]
fn every_form_of_a_list_says_the_same() {
    let write = |form: Form| form.write(&stamp(), &entries());
    assert_eq!(entries()[1].tags, [Tag::Haas, Tag::PortScan]);
    assert_eq!(
        write(Form::Csv),
        "# For the terms of use see https://view.example/greylist-data/LICENSE.txt[31m\nAddress,Tags\n\
         1.2.3.4,telnet\n2a00::7,\"haas,port_scan\"\n"
    );
    assert_eq!(write(Form::Text), "1.2.3.4\n2a00::7\n");
    assert_eq!((write(Form::Ipv4), write(Form::Ipv6)), ("1.2.3.4\n".to_owned(), "2a00::7\n".to_owned()));
    for form in Form::ARCHIVED {
        assert_eq!(form.write_day(&stamp(), &csv_rows(&entries())).unwrap(), write(form), "{form}");
    }
    assert_eq!(Form::Ipset.write_day(&stamp(), ""), None);
    let lines: Vec<serde_json::Value> =
        write(Form::JsonLines).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[1]["tags"], serde_json::json!(["haas", "port_scan"]));
    assert_eq!(
        (&lines[0]["ip"], &lines[0]["score"], &lines[0]["probes"]),
        (&"1.2.3.4".into(), &12.0.into(), &1.into())
    );
    assert_eq!(lines[0]["expires"], "2026-03-16T18:56:19Z");
    assert_eq!(
        (&lines[1]["first_seen"], &lines[1]["last_seen"]),
        (&"2026-03-11T00:00:00Z".into(), &"2026-03-15T11:00:00Z".into())
    );
    let life = 11 * 3600 + 25 * 60 + 4 + 68_179;
    assert!(write(Form::Ipset).contains(&format!("add sview-greylist4-new 1.2.3.4 timeout {life}\n")));
    assert!(write(Form::Nft).contains(&format!("add element inet sview greylist4 {{ 1.2.3.4 timeout {life}s }}\n")));
    assert!(
        write(Form::Ipset).contains("add sview-greylist6-new 2a00::7 ")
            && write(Form::Nft).contains("greylist6 { 2a00::7 ")
    );
}

#[test]
fn tags_are_in_alphabetical_order() {
    let words: Vec<&str> = Tag::ALL.iter().map(|tag| tag.as_str()).collect();
    assert_eq!(words, ["ftp", "haas", "http", "port_scan", "smtp", "telnet"]);
    let seen = [sighting(1, Trap::Telnet, Action::Login, 1, 70), sighting(1, Trap::Fwlogs, Action::BigPortScan, 1, 9)];
    let entry = Entry::of([1, 2, 3, 4].into(), &history(&seen), now()).unwrap();
    assert_eq!(csv_rows(&[entry]), "1.2.3.4,\"port_scan,telnet\"\n");
}

#[test]
fn a_small_port_scan_alone_weighs_nothing() {
    let scans: Vec<_> = (0..50).map(|probe| sighting(1, Trap::Fwlogs, Action::SmallPortScan, probe, 500)).collect();
    assert_eq!(history(&scans).score(now()), 0.0);
    assert_eq!(Entry::of([1, 2, 3, 4].into(), &history(&scans), now()), None);
    // A connection on another day says nothing of who sent this day's packets.
    let before = sighting(30, Trap::Telnet, Action::Connect, 1, 1);
    assert!(history(&[scans.clone(), vec![before]].concat()).score(now()) < 1.0);
    let connected = sighting(1, Trap::Telnet, Action::Connect, 1, 1);
    assert!(history(&[scans, vec![connected]].concat()).score(now()) > THRESHOLD);
}

#[test]
fn an_empty_list_empties_the_sets_and_is_still_a_file() {
    assert!(Form::Csv.write(&stamp(), &[]).ends_with("\nAddress,Tags\n"));
    assert!(
        Form::Nft.write(&stamp(), &[]).ends_with("add set inet sview greylist6 { type ipv6_addr; flags timeout; }\n")
    );
    assert!(Form::Ipset.write(&stamp(), &[]).contains("swap sview-greylist6-next sview-greylist6\n"));
    assert_eq!(Form::Ipv6.write(&stamp(), &[]), "");
}
