//! Countries that are added later: to reports, to aggregated rows with their reports or without, and to tallies; once, beside anything.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{
    Action, Batch, CountryCode, Data, Identity, Incident, Kind, Parameters, Period, Precision, Request, Span, Trap,
};
use sview_store::{CountryCursor, Reports, Settings, Step};
use sview_testing::{Deployment, both};

fn now() -> DateTime<Utc> {
    "2026-03-15T12:34:56Z".parse().unwrap()
}

/// The country of an address: those of an even last number have one.
fn country(ip: &str) -> Option<CountryCode> {
    let last: u8 = ip.rsplit('.').next()?.parse().ok()?;
    let code = ["CZ", "DE", "US"][usize::from(last) / 2 % 3];
    last.is_multiple_of(2).then(|| code.parse().unwrap())
}

/// An incident, which has a country where `known` says so.
fn incident(time: DateTime<Utc>, ip: u8, known: bool) -> Incident {
    let ip = format!("192.0.2.{ip}");
    let country = country(&ip).filter(|_| known);
    Incident {
        time,
        raw_count: 3,
        identity: Identity { sn: String::new(), device_token: "a".repeat(64).parse().unwrap() },
        trap: Trap::Telnet,
        action: Action::Login,
        ip: ip.parse().unwrap(),
        country,
    }
}

/// Five days of incidents, every seven minutes. In the same buckets some have a country and others of the same address have none.
fn five_days() -> Vec<Incident> {
    (0..1_000).map(|i| incident(now() - TimeDelta::minutes(7 * i), (i / 3 % 8) as u8, i % 3 == 0)).collect()
}

async fn open(deployment: &Deployment) -> Reports {
    let settings = Settings { keep: Some(TimeDelta::days(2)), ..Settings::default() };
    let reports = Reports::open(&deployment.database_url, settings).unwrap();
    reports.migrate().await.unwrap();
    reports
}

async fn insert(reports: &Reports, incidents: Vec<Incident>) {
    reports.insert(&Batch { incidents, ..Batch::default() }, None).await.unwrap();
}

async fn aggregate(reports: &Reports) {
    for precision in Precision::AGGREGATED {
        while let Step::Built { .. } = reports.rollup().aggregate(Kind::Incidents, *precision, now()).await.unwrap() {}
    }
}

/// Adds the countries of all addresses; returns how many reports and buckets have changed.
async fn add_countries(reports: &Reports, dry_run: bool) -> (u64, u64) {
    let (mut cursor, mut changed) = (CountryCursor::default(), (0, 0));
    while let Some(found) = reports.rollup().without_country(&cursor, now() + TimeDelta::days(2)).await.unwrap() {
        let known = |ip: String| Some((country(&ip)?, ip));
        let countries: Vec<_> = found.addresses.into_iter().filter_map(known).map(|(c, ip)| (ip, c)).collect();
        let added = reports.rollup().add_countries(found.day, &countries, dry_run).await.unwrap();
        changed = (changed.0 + added.reports, changed.1 + added.buckets);
        cursor = found.next;
    }
    changed
}

/// The differences of all precisions that are to be mended.
async fn faults(reports: &Reports) -> Vec<String> {
    let mut all = Vec::new();
    for precision in Precision::AGGREGATED {
        let rows = reports.rollup().differences(Kind::Incidents, *precision, None).await.unwrap();
        all.extend(rows.iter().filter(|d| d.excuse.is_none()).map(|d| format!("{precision} {d:?}")));
        let tallies = reports.rollup().tally_differences(Kind::Incidents, *precision, None).await.unwrap();
        all.extend(tallies.iter().filter(|d| d.excuse.is_none()).map(|d| format!("{precision} {d:?}")));
    }
    all
}

/// Incidents by country over a period, as the page shows them, and the span.
async fn by_country(reports: &Reports, period: Period) -> (Span, BTreeMap<String, u64>) {
    let name = "top_countries_by_incidents_list".parse().unwrap();
    let request = Request::new(name, period, Parameters::None).unwrap();
    let computed = reports.statistics().compute(&request, now()).await.unwrap();
    let Data::Ranking(ranking) = computed.data else { panic!() };
    (computed.span, ranking.rows.iter().map(|row| (row.labels[0].clone().unwrap(), row.count)).collect())
}

/// Whether all these incidents count for their countries.
async fn all_count(reports: &Reports, incidents: &[Incident], period: Period) -> bool {
    let (span, shown) = by_country(reports, period).await;
    let mut counts = BTreeMap::new();
    for incident in incidents.iter().filter(|i| span.contains(i.time)) {
        if let Some(country) = country(&incident.ip.to_string()) {
            *counts.entry(country.to_string()).or_default() += incident.raw_count as u64;
        }
    }
    assert!(counts.len() > 1, "{period}: {counts:?}");
    shown == counts
}

both! {
    async fn countries_are_added_once_to_reports_and_all_that_was_made_of_them(deployment: Deployment) {
        let reports = open(&deployment).await;
        let mut all = five_days();
        insert(&reports, all.clone()).await;
        aggregate(&reports).await;
        assert!(reports.rollup().forget_reports(now()).await.unwrap().rows > 300, "of the first days aggregates are left");
        let before = by_country(&reports, Period::Month).await;
        assert!(!all_count(&reports, &all, Period::Hour).await);
        // One came late, in a bucket that there is, and is not aggregated yet.
        let late = incident(now() - TimeDelta::hours(20), 2, false);
        insert(&reports, vec![late.clone()]).await;
        all.push(late);

        let would = add_countries(&reports, true).await;
        assert_eq!(by_country(&reports, Period::Month).await, before, "a dry run changes nothing");
        let revisions = |coverage: Vec<sview_store::Coverage>| coverage.iter().filter(|c| c.kind == Kind::Incidents).map(|c| c.revision).collect::<Vec<_>>();
        let old = revisions(reports.rollup().coverage().await.unwrap());
        let changed = add_countries(&reports, false).await;
        assert_eq!(would, changed);
        assert!(changed.0 > 100 && changed.1 > 300, "{changed:?}");
        assert!(revisions(reports.rollup().coverage().await.unwrap()).iter().zip(old).all(|(new, old)| *new > old), "values are due");
        assert!(all_count(&reports, &all, Period::Hour).await);
        aggregate(&reports).await;
        assert_eq!(faults(&reports).await, Vec::<String>::new());
        assert_eq!(add_countries(&reports, false).await, (0, 0));
        assert!(all_count(&reports, &all, Period::Month).await);
        let unknown = all.iter().filter(|i| country(&i.ip.to_string()).is_none()).count();
        assert!(unknown > 300, "the rows of addresses that are not known stay: {unknown}");

        // Late reports count, with a country or without.
        let late = [true, false].map(|known| incident(now() - TimeDelta::hours(30), 4, known)).to_vec();
        insert(&reports, late.clone()).await;
        all.extend(late);
        aggregate(&reports).await;
        assert_eq!(faults(&reports).await, Vec::<String>::new());
        assert_eq!(add_countries(&reports, false).await, (1, 3));
        assert!(all_count(&reports, &all, Period::Month).await);
        assert_eq!(faults(&reports).await, Vec::<String>::new());
    }

    async fn countries_are_added_beside_aggregation_and_through_kills(deployment: Deployment) {
        let reports = open(&deployment).await;
        let mut all = five_days();
        insert(&reports, all.clone()).await;
        let late: Vec<Incident> = (0..300).map(|i| incident(now() - TimeDelta::minutes(i * 9), (i % 8) as u8, i % 2 == 0)).collect();
        all.extend(late.clone());
        let beside = {
            let reports = open(&deployment).await;
            tokio::spawn(async move {
                for incident in late {
                    insert(&reports, vec![incident]).await;
                    aggregate(&reports).await;
                }
            })
        };
        // A process that is dropped in the middle of a transaction, with its connections, is as good as killed.
        let mut delay = 1;
        while !beside.is_finished() {
            delay = delay * 7 % 97 + 1;
            let killed = open(&deployment).await;
            let _ = tokio::time::timeout(std::time::Duration::from_millis(delay), add_countries(&killed, false)).await;
        }
        beside.await.unwrap();
        aggregate(&reports).await;
        add_countries(&reports, false).await;
        assert_eq!(faults(&reports).await, Vec::<String>::new());
        assert!(all_count(&reports, &all, Period::Month).await);
        assert_eq!(add_countries(&reports, false).await, (0, 0));
    }
}
