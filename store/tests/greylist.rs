//! The greylist over both stores: made from reports wherever they are, kept whole, a list a day.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::greylist::{Entry, History, MOST, Rules, Sighting};
use sview_model::{Action, Batch, Data, Identity, Incident, Kind, Parameters, Period, Precision, Request, Trap};
use sview_store::{Reports, Settings, Step};
use sview_testing::{Deployment, both};

fn now() -> DateTime<Utc> {
    "2026-03-15T12:34:56Z".parse().unwrap()
}

fn probe(number: u8) -> Identity {
    let letter = char::from(b'a' + number);
    Identity { sn: format!("{number:016}"), device_token: letter.to_string().repeat(64).parse().unwrap() }
}

/// Reports of twelve addresses over forty days, with every trap and action, by three probes, up to now and after it.
fn incidents() -> Vec<Incident> {
    let mut all = Vec::new();
    for i in 0..1_500_u32 {
        let ip: IpAddr = match i % 12 {
            0 => "2a00::7".parse().unwrap(),
            1 => "10.0.0.1".parse().unwrap(),
            2 => "203.0.113.9".parse().unwrap(),
            n => IpAddr::from([8, 8, 4, u8::try_from(n).unwrap()]),
        };
        let ago = i64::from(i) * i64::from(i) * 1_600 / 1_000 - 3_000;
        let trap = Trap::ALL[i as usize * 7 % Trap::ALL.len()];
        let action = Action::ALL[i as usize * 5 % Action::ALL.len()];
        let identity = probe(u8::try_from(i % 3).unwrap());
        let time = now() - TimeDelta::seconds(ago);
        all.push(Incident { time, raw_count: i64::from(i % 4 + 1), identity, trap, action, ip, country: None });
    }
    all
}

async fn open(deployment: &Deployment, incidents: Vec<Incident>) -> Reports {
    let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
    reports.migrate().await.unwrap();
    reports.insert(&Batch { incidents, ..Batch::default() }, None).await.unwrap();
    reports
}

async fn aggregate(reports: &Reports, precisions: &[Precision], now: DateTime<Utc>) {
    for precision in precisions {
        while matches!(reports.rollup().aggregate(Kind::Incidents, *precision, now).await.unwrap(), Step::Built { .. })
        {
        }
    }
}

/// Returns the list that the rules make of the reports themselves, without any database.
fn expected(incidents: &[Incident], rules: &Rules, now: DateTime<Utc>) -> Vec<Entry> {
    let mut ips: Vec<IpAddr> = incidents.iter().map(|i| i.ip).filter(|ip| rules.never(*ip).is_none()).collect();
    ips.sort_unstable();
    ips.dedup();
    let sightings = |ip: IpAddr| {
        incidents.iter().filter(move |i| i.ip == ip).map(|i| Sighting {
            time: i.time,
            trap: i.trap,
            action: i.action,
            probe: i64::from(i.identity.device_token.as_str().as_bytes()[0]),
            count: u64::try_from(i.raw_count).unwrap(),
        })
    };
    let entry = |ip: IpAddr| Entry::of(ip, &History::of(&sightings(ip).collect::<Vec<_>>(), now), now);
    ips.into_iter().filter_map(entry).collect()
}

both! {
    async fn the_list_is_what_the_rules_say_of_the_reports_however_far_aggregation_is(deployment: Deployment) {
        let incidents = incidents();
        let rules = Rules { allow: "8.8.4.11".parse().unwrap(), ..Rules::default() };
        let listed = expected(&incidents, &rules, now());
        assert!(listed.len() >= 8 && listed.iter().any(|e| e.ip.is_ipv6()), "{}", listed.len());
        let reports = open(&deployment, incidents.clone()).await;
        let made = async || reports.greylist().weigh(&rules, now()).await.unwrap();
        assert_eq!(made().await, listed, "from the reports");
        let history = reports.greylist().history("8.8.4.5".parse().unwrap(), now()).await.unwrap();
        let entry = Entry::of("8.8.4.5".parse().unwrap(), &history, now()).unwrap();
        assert!(listed.contains(&entry));
        assert_eq!(reports.greylist().history("9.9.9.9".parse().unwrap(), now()).await.unwrap().score(now()), 0.0);

        aggregate(&reports, &[Precision::Quarterly], now()).await;
        assert_eq!(made().await, listed, "with quarters");
        aggregate(&reports, &[Precision::Hourly], now()).await;
        assert_eq!(made().await, listed, "with hours");
        aggregate(&reports, &[Precision::Daily], now() - TimeDelta::days(5)).await;
        assert_eq!(made().await, listed, "with days up to some days ago");
        aggregate(&reports, Precision::AGGREGATED, now()).await;
        assert_eq!(made().await, listed, "with days");

        // Late reports count once they are aggregated, like everywhere.
        let late: Vec<Incident> = incidents.iter().take(900).map(|i| Incident { time: i.time - TimeDelta::hours(30), ..i.clone() }).collect();
        reports.insert(&Batch { incidents: late.clone(), ..Batch::default() }, None).await.unwrap();
        let listed = expected(&[incidents.clone(), late].concat(), &rules, now());
        aggregate(&reports, Precision::AGGREGATED, now()).await;
        assert_eq!(made().await, listed, "with late reports, aggregated");

        // Retention takes the reports; the list is made of what is aggregated, up to the last day's own.
        let before = expected(&incidents, &Rules::default(), now() - TimeDelta::days(9));
        let earlier = reports.greylist().weigh(&Rules::default(), now() - TimeDelta::days(9)).await.unwrap();
        assert!(!before.is_empty() && earlier.len() >= before.len(), "a list as of an earlier day");
        reports.delete_native(Kind::Incidents, Precision::Daily.floor(now())).await.unwrap();
        assert_eq!(made().await, listed, "after retention");
    }

    async fn an_attacker_by_an_ipv4_mapped_ipv6_address_is_the_same_attacker(deployment: Deployment) {
        let mut incidents = incidents();
        let expected = expected(&incidents, &Rules::default(), now());
        for (i, incident) in incidents.iter_mut().enumerate() {
            // The feeds undress addresses; other programs that write reports may not.
            if let (IpAddr::V4(ip), 0 | 1) = (incident.ip, i % 5) {
                incident.ip = ip.to_ipv6_mapped().into();
            }
        }
        let reports = open(&deployment, incidents).await;
        let made = async || reports.greylist().weigh(&Rules::default(), now()).await.unwrap();
        assert_eq!(made().await, expected);
        aggregate(&reports, Precision::AGGREGATED, now()).await;
        assert_eq!(made().await, expected);
        let entry = expected.iter().find(|entry| entry.ip.is_ipv4()).unwrap();
        let IpAddr::V4(ip) = entry.ip else { panic!() };
        for ip in [entry.ip, ip.to_ipv6_mapped().into()] {
            let history = reports.greylist().history(ip, now()).await.unwrap();
            assert_eq!(Entry::of(ip, &history, now()).as_ref(), Some(entry));
        }
        // The statistics know it as one, too.
        let value = async |name: &str, of: Parameters| {
            let request = Request::new(name.parse().unwrap(), Period::Year, of).unwrap();
            reports.statistics().compute(&request, now()).await.unwrap().data
        };
        let Data::Ranking(ranking) = value("top_attackers_by_incidents_list_long", Parameters::None).await else { panic!() };
        let labels: Vec<_> = ranking.rows.iter().filter_map(|row| row.labels[0].as_deref()).collect();
        assert!(labels.len() == 12 && labels.iter().all(|label| !label.contains("ffff")), "{labels:?}");
        let row = ranking.rows.iter().find(|row| row.labels[0] == Some(ip.to_string())).unwrap();
        let Data::Series(series) = value("selected_attacker_incidents_graph", Parameters::Ip(ip.into())).await else { panic!() };
        assert_eq!(series.iter().map(|point| point.count).sum::<u64>(), row.count);
    }

    async fn a_full_list_says_what_its_lowest_score_is(deployment: Deployment) {
        let reports = open(&deployment, incidents()).await;
        assert_eq!(reports.greylist().least().await.unwrap(), None, "not made yet");
        let some = reports.greylist().weigh(&Rules::default(), now()).await.unwrap();
        let took = Duration::from_millis(5);
        assert!(reports.greylist().keep(now(), took, &some).await.unwrap());
        assert_eq!(reports.greylist().least().await.unwrap(), None, "there is room");
        let numbered = |n: u32| IpAddr::V4((0x0800_0000 + n).into());
        let full: Vec<Entry> = (0..u32::try_from(MOST).unwrap())
            .map(|n| Entry { ip: numbered(n), score: 12.5 + f64::from(n % 7), evidence: vec![], ..some[0].clone() })
            .collect();
        assert!(reports.greylist().keep(now() + TimeDelta::minutes(15), took, &full).await.unwrap());
        assert_eq!(reports.greylist().least().await.unwrap(), Some(12.5));
    }

    async fn a_list_is_kept_whole_and_an_older_one_never_takes_its_place(deployment: Deployment) {
        let incidents = incidents();
        let reports = open(&deployment, Vec::new()).await;
        assert_eq!(reports.greylist().standing().await.unwrap(), None);
        let empty = reports.greylist().listed().await.unwrap();
        assert!(empty.standing.is_none() && empty.entries.is_empty());

        let listed = expected(&incidents, &Rules::default(), now());
        assert_eq!(reports.greylist().summary().await.unwrap(), None);
        assert!(reports.greylist().keep(now(), Duration::from_micros(1234), &listed).await.unwrap());
        let kept = reports.greylist().listed().await.unwrap();
        assert_eq!(kept.entries, listed);
        let standing = kept.standing.unwrap();
        let summary = reports.greylist().summary().await.unwrap().unwrap();
        let ipv6 = listed.iter().filter(|entry| entry.ip.is_ipv6()).count() as u64;
        assert_eq!((summary.standing, summary.took), (standing, Some(TimeDelta::microseconds(1234))));
        assert_eq!((summary.ipv4 + summary.ipv6, summary.ipv6), (listed.len() as u64, ipv6));
        assert!(ipv6 > 0 && summary.ipv4 > 0);
        let (of, mut expiries) = reports.greylist().expiries().await.unwrap();
        expiries.sort();
        assert_eq!((of, expiries), (Some(standing), listed.iter().map(|entry| (entry.ip, entry.expires)).collect()));
        assert_eq!((standing.as_of, standing.generation), (now(), 1));
        let one = reports.greylist().entry(listed[3].ip).await.unwrap();
        assert_eq!(one.entries, [listed[3].clone()]);
        assert_eq!(reports.greylist().entry("::ffff:8.8.4.5".parse().unwrap()).await.unwrap().entries.len(), 1);
        assert_eq!(reports.greylist().entry("9.9.9.9".parse().unwrap()).await.unwrap().entries, []);

        // A worker that was held up; then a clock that was set back.
        assert!(!reports.greylist().keep(now() - TimeDelta::minutes(10), Duration::ZERO, &[]).await.unwrap());
        assert_eq!(reports.greylist().listed().await.unwrap(), kept);
        assert!(reports.greylist().keep(now() - TimeDelta::days(10), Duration::ZERO, &[]).await.unwrap());
        assert_eq!(reports.greylist().standing().await.unwrap().unwrap().generation, 2);

        // An older sview makes a list without telling how long it took.
        deployment.sql("UPDATE sview_greylist_state SET generation = generation + 1").await;
        assert_eq!(reports.greylist().summary().await.unwrap().unwrap().took, None);

        // More than one statement can carry.
        let many: Vec<Entry> = (0..12_345_u32).map(|i| Entry { ip: IpAddr::from((0x0800_0000 + i).to_be_bytes()), ..listed[0].clone() }).collect();
        let (one, other) = futures::join!(reports.greylist().keep(now(), Duration::ZERO, &many), reports.greylist().keep(now(), Duration::ZERO, &many));
        assert!(one.unwrap() && other.unwrap());
        assert_eq!(reports.greylist().listed().await.unwrap().entries, many);
    }

    async fn a_day_is_kept_once_and_forgotten_in_time(deployment: Deployment) {
        let reports = open(&deployment, Vec::new()).await;
        let day = |n: i64| now().date_naive() - TimeDelta::days(n);
        for n in [3, 0, 40] {
            assert!(reports.greylist().keep_day(day(n), 2, "1.2.3.4,haas\n", now()).await.unwrap());
        }
        assert!(!reports.greylist().keep_day(day(3), 1, "other", now()).await.unwrap());
        assert_eq!(reports.greylist().day(day(3)).await.unwrap().unwrap(), "1.2.3.4,haas\n");
        assert_eq!(reports.greylist().day(day(2)).await.unwrap(), None);
        assert_eq!(reports.greylist().days().await.unwrap(), [(day(0), 2), (day(3), 2), (day(40), 2)]);
        assert_eq!(reports.greylist().forget_days(3, now()).await.unwrap(), 1);
        assert_eq!(reports.greylist().days().await.unwrap(), [(day(0), 2), (day(3), 2)]);
    }
}
