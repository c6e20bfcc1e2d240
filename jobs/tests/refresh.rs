//! The refresh's decision: what is due, what is skipped and why.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failure

use chrono::{DateTime, TimeDelta, Utc};
use sview_jobs::{
    Aggregate, Cached, Hold, Job as _, JobId, KeyStatus, Scope, Situation, Skip, State, Suggestion, Verdict, Work,
    decide,
};
use sview_model::{Kind, Period, Precision, Request, ResourceName};
use sview_store::Coverage;

use Precision::{Daily, Hourly, Quarterly};

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-03-15T{text}Z").parse().unwrap()
}

fn aggregate(precision: Precision) -> Aggregate {
    Aggregate { kind: Kind::Incidents, precision }
}

fn request(period: Period) -> Request {
    Request::plain("all_incidents_graph".parse::<ResourceName>().unwrap(), period).unwrap()
}

/// Everything is aggregated and cached as far as it is due at `now`; nothing is under way.
fn settled(now: DateTime<Utc>) -> Situation {
    let mut situation = Situation { now, ledger_now: now, ..Situation::default() };
    for kind in Kind::ALL {
        for precision in Precision::AGGREGATED {
            let watermark = Some(precision.due_to(now));
            situation.coverage.push(Coverage {
                kind: *kind,
                precision: *precision,
                watermark,
                pending: 0,
                revision: Some(0),
            });
        }
    }
    for request in Request::precached() {
        let finish = request.period().due_finish(now);
        let refresh_at = request.period().next_due(finish);
        let cached = Cached { finish, complete_to: finish, refresh_at, computed_at: finish, revision: 0 };
        situation.cached.insert(request.key(), cached);
    }
    situation
}

fn coverage(situation: &mut Situation, precision: Precision) -> &mut Coverage {
    situation.coverage.iter_mut().find(|c| c.kind == Kind::Incidents && c.precision == precision).unwrap()
}

fn cached(situation: &mut Situation, period: Period) -> &mut Cached {
    situation.cached.get_mut(&request(period).key()).unwrap()
}

fn under_way(situation: &mut Situation, key: String, state: State) -> JobId {
    let id = JobId::generate();
    situation.standing.insert(key, KeyStatus { under_way: Some((id, state)), failed_at: None });
    id
}

fn all(situation: &Situation) -> Vec<Suggestion> {
    decide(situation, Scope::All, &Request::precached().collect::<Vec<_>>())
}

fn aggregation_verdict(situation: &Situation, precision: Precision) -> Verdict {
    verdict(all(situation), &Work::Aggregate(aggregate(precision)))
}

fn caching_verdict(situation: &Situation, period: Period) -> Verdict {
    verdict(all(situation), &Work::caching(&request(period)))
}

fn verdict(suggestions: Vec<Suggestion>, work: &Work) -> Verdict {
    suggestions.into_iter().find(|s| s.work == *work).unwrap().verdict
}

fn queued(suggestions: &[Suggestion]) -> Vec<String> {
    suggestions.iter().filter(|s| s.verdict == Verdict::Queue).map(|s| s.work.to_string()).collect()
}

fn built_on(precision: Precision, why: Hold) -> Verdict {
    Verdict::Skip(Skip::Aggregation { kind: Kind::Incidents, precision, why })
}

#[test]
fn when_all_is_settled_nothing_is_due_and_everything_is_named() {
    let suggestions = all(&settled(at("12:34:56")));
    assert_eq!(suggestions.len(), 9 + 3 * 7);
    assert_eq!(queued(&suggestions), [""; 0]);
    assert_eq!(suggestions[0].work.to_string(), "aggregation incidents/quarterly");
    assert_eq!(suggestions[0].verdict.to_string(), "skip: up to date until 2026-03-15 12:48:00");
}

#[test]
fn at_the_very_start_the_finest_aggregations_and_the_native_period_are_due() {
    let now = at("12:34:56");
    let mut situation = Situation { now, ledger_now: now, ..Situation::default() };
    for kind in Kind::ALL {
        for precision in Precision::AGGREGATED {
            situation.coverage.push(Coverage {
                kind: *kind,
                precision: *precision,
                watermark: None,
                pending: 0,
                revision: Some(0),
            });
        }
    }
    let suggestions = all(&situation);
    let queued = queued(&suggestions);
    assert_eq!(queued.len(), 3 + 3);
    assert!(queued[..3].iter().all(|words| words.ends_with("/quarterly")), "{queued:?}");
    assert!(queued[3..].iter().all(|words| words.contains(" 1h, all ")), "{queued:?}");
    assert_eq!(aggregation_verdict(&situation, Hourly), built_on(Quarterly, Hold::Due));
    assert_eq!(aggregation_verdict(&situation, Daily), built_on(Hourly, Hold::Due));
    assert_eq!(caching_verdict(&situation, Period::Year), built_on(Quarterly, Hold::Due));
}

#[test]
fn aggregations_become_due_after_their_delays() {
    let situation = settled(at("12:59:00"));
    for (time, due) in [("13:02:59", vec![]), ("13:03:00", vec![Quarterly]), ("13:03:09", vec![Quarterly])] {
        let later = Situation { now: at(time), ..situation.clone() };
        let queued: Vec<_> = Precision::AGGREGATED
            .iter()
            .copied()
            .filter(|p| aggregation_verdict(&later, *p) == Verdict::Queue)
            .collect();
        assert_eq!(queued, due, "{time}");
    }
    let mut later = Situation { now: at("13:03:10"), ..situation };
    coverage(&mut later, Quarterly).watermark = Some(at("13:00:00"));
    assert_eq!(aggregation_verdict(&later, Hourly), Verdict::Queue);
    // The finer one has not come so far, and is not about to: it failed.
    coverage(&mut later, Quarterly).watermark = Some(at("12:45:00"));
    let failed_at = Some(at("13:03:05"));
    later.ledger_now = later.now;
    later.standing.insert(aggregate(Quarterly).key(), KeyStatus { under_way: None, failed_at });
    assert_eq!(aggregation_verdict(&later, Quarterly), Verdict::Skip(Skip::HeldOff { until: at("13:13:05") }));
    assert_eq!(aggregation_verdict(&later, Hourly), built_on(Quarterly, Hold::Failed { at: at("13:03:05") }));
}

#[test]
fn late_reports_make_aggregations_due() {
    let mut situation = settled(at("12:34:56"));
    coverage(&mut situation, Quarterly).pending = 1;
    assert_eq!(queued(&all(&situation)), ["aggregation incidents/quarterly"]);
    coverage(&mut situation, Quarterly).pending = 0;
    coverage(&mut situation, Daily).pending = 2;
    assert_eq!(queued(&all(&situation)), ["aggregation incidents/daily"]);
}

#[test]
fn a_resource_is_due_when_its_interval_rolls_over_and_the_delays_have_passed() {
    let base = settled(at("12:29:00"));
    for (period, not_yet, due) in [
        (Period::Hour, "12:29:59", "12:30:00"),
        (Period::SixHours, "12:33:04", "12:33:05"),
        (Period::Day, "12:33:04", "12:33:05"),
        (Period::Week, "15:03:14", "15:03:15"),
    ] {
        for (time, is_due) in [(not_yet, false), (due, true)] {
            let mut situation = Situation { now: at(time), ..base.clone() };
            for coverage in &mut situation.coverage {
                coverage.watermark = Some(coverage.precision.due_to(situation.now));
            }
            assert_eq!(caching_verdict(&situation, period) == Verdict::Queue, is_due, "{period} at {time}");
        }
    }
}

#[test]
fn a_resource_is_due_when_it_is_not_cached_or_its_refresh_time_has_come() {
    let mut situation = settled(at("12:34:56"));
    situation.cached.remove(&request(Period::Week).key());
    cached(&mut situation, Period::Month).refresh_at = situation.now;
    assert_eq!(
        queued(&all(&situation)),
        ["caching incidents 1w, all 14 resources", "caching incidents 1m, all 14 resources"]
    );
    let until = cached(&mut situation, Period::Year).refresh_at;
    assert_eq!(caching_verdict(&situation, Period::Year), Verdict::Skip(Skip::UpToDate { until }));
}

#[test]
fn an_incomplete_value_is_due_once_nothing_is_left_to_be_aggregated() {
    let mut situation = settled(at("12:34:56"));
    cached(&mut situation, Period::Week).complete_to -= TimeDelta::hours(3);
    assert_eq!(caching_verdict(&situation, Period::Week), Verdict::Queue);
    coverage(&mut situation, Quarterly).pending = 1;
    assert!(matches!(caching_verdict(&situation, Period::Week), Verdict::Skip(Skip::UpToDate { .. })));
}

#[test]
fn what_is_under_way_is_not_queued_again() {
    let mut situation = settled(at("12:34:56"));
    situation.cached.clear();
    let key = Work::caching(&request(Period::Week)).key();
    let id = under_way(&mut situation, key, State::Scheduled);
    let verdict = caching_verdict(&situation, Period::Week);
    assert_eq!(verdict, Verdict::Skip(Skip::SameJob { id, state: State::Scheduled }));
    assert_eq!(verdict.to_string(), format!("skip: the same job is scheduled ({id})"));
}

#[test]
fn resources_wait_for_the_aggregations_that_they_are_built_on_and_only_for_those() {
    let mut situation = settled(at("12:34:56"));
    situation.cached.clear();
    let id = under_way(&mut situation, aggregate(Hourly).key(), State::Running);
    for period in Period::ALL {
        let expected = match period {
            Period::Hour | Period::SixHours | Period::Day => Verdict::Queue,
            _ => built_on(Hourly, Hold::UnderWay { id, state: State::Running }),
        };
        assert_eq!(caching_verdict(&situation, *period), expected, "{period}");
    }
    let passwords = "top_passwords_by_usages_list".parse().unwrap();
    let other = Work::caching(&Request::plain(passwords, Period::Week).unwrap());
    assert_eq!(verdict(all(&situation), &other), Verdict::Queue, "another kind's aggregation holds up nothing");
    let words = caching_verdict(&situation, Period::Week).to_string();
    assert_eq!(words, format!("skip: built on aggregation incidents/hourly, which is running ({id})"));
}

#[test]
fn a_failed_aggregation_holds_up_what_rests_on_it_until_it_is_tried_again() {
    let mut situation = settled(at("12:34:56"));
    coverage(&mut situation, Quarterly).pending = 1;
    situation.cached.clear();
    let failed_at = Some(at("12:30:00"));
    situation.standing.insert(aggregate(Quarterly).key(), KeyStatus { under_way: None, failed_at });
    assert_eq!(aggregation_verdict(&situation, Quarterly), Verdict::Skip(Skip::HeldOff { until: at("12:40:00") }));
    let failed = Hold::Failed { at: at("12:30:00") };
    assert_eq!(caching_verdict(&situation, Period::Day), built_on(Quarterly, failed));
    situation.ledger_now = at("12:40:00");
    assert_eq!(aggregation_verdict(&situation, Quarterly), Verdict::Queue);
    assert_eq!(caching_verdict(&situation, Period::Day), built_on(Quarterly, Hold::Due));
}

#[test]
fn a_caching_that_failed_is_held_off_by_the_ledgers_time_even_when_the_clock_stands_still() {
    let mut situation = settled(at("12:34:56"));
    situation.cached.clear();
    situation.ledger_now = situation.now + TimeDelta::days(100);
    let failed_at = Some(situation.ledger_now - TimeDelta::minutes(9));
    let key = Work::caching(&request(Period::Hour)).key();
    situation.standing.insert(key, KeyStatus { under_way: None, failed_at });
    assert!(matches!(caching_verdict(&situation, Period::Hour), Verdict::Skip(Skip::HeldOff { .. })));
    situation.ledger_now += TimeDelta::minutes(1);
    assert_eq!(caching_verdict(&situation, Period::Hour), Verdict::Queue);
}

#[test]
fn after_an_aggregation_what_rests_on_it_is_due_though_more_reports_keep_coming() {
    let mut situation = settled(at("13:03:30"));
    coverage(&mut situation, Quarterly).pending = 1; // came while the job ended
    coverage(&mut situation, Hourly).pending = 1;
    cached(&mut situation, Period::SixHours).refresh_at = situation.now;
    cached(&mut situation, Period::Week).refresh_at = situation.now;
    cached(&mut situation, Period::Hour).refresh_at = situation.now;
    let scope = Scope::After(aggregate(Quarterly));
    let requests: Vec<_> = Request::precached().filter(|r| scope.includes(r)).collect();
    assert!(requests.iter().all(|r| r.resource().kind == Kind::Incidents && r.period() != Period::Hour));
    let suggestions = decide(&situation, scope, &requests);
    assert_eq!(queued(&suggestions), ["aggregation incidents/hourly", "caching incidents 6h, all 14 resources"]);
    let week = Work::caching(&request(Period::Week));
    assert_eq!(verdict(suggestions, &week), built_on(Hourly, Hold::Due));
}

#[test]
fn late_reports_make_values_due_long_periods_after_a_while_or_when_somebody_waits() {
    let mut situation = settled(at("12:34:56"));
    for cached in situation.cached.values_mut() {
        cached.computed_at = at("12:30:00");
    }
    let coverage = situation.coverage.iter_mut().find(|c| c.kind == Kind::Incidents && c.precision == Daily).unwrap();
    coverage.revision = Some(1);
    assert_eq!(queued(&all(&situation)), [""; 0], "the month's values are five minutes old");
    situation.eager = true;
    let names = ["1m", "3m", "1y"].map(|period| format!("caching incidents {period}, all 14 resources"));
    assert_eq!(queued(&all(&situation)), names);
    situation.eager = false;
    situation.now = at("12:45:30");
    let later = queued(&all(&situation)).into_iter().filter(|words| names.contains(words)).count();
    assert_eq!(later, 3, "a quarter of an hour is over");
}

#[test]
fn values_of_any_revision_are_fresh_while_the_current_one_is_not_known() {
    let mut situation = settled(at("12:34:56"));
    let settled = queued(&all(&situation));
    situation.eager = true;
    // The hour rests on no aggregate.
    for request in Request::precached().filter(|request| request.period() != Period::Hour) {
        situation.cached.get_mut(&request.key()).unwrap().revision = 1 << 32;
    }
    assert_ne!(queued(&all(&situation)), settled, "the values are of another timeline");
    for coverage in &mut situation.coverage {
        coverage.revision = None;
    }
    assert_eq!(queued(&all(&situation)), settled);
}

#[test]
fn values_of_a_time_to_come_are_due_once_the_clock_was_set_back() {
    let mut situation = settled(at("12:34:56"));
    situation.now -= chrono::TimeDelta::days(300);
    assert_eq!(queued(&all(&situation)).iter().filter(|words| words.starts_with("caching")).count(), 21);
}
