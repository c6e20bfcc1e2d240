//! Whether reports arrive, over both stores: counts by hour, the newest of each source, devices and files.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Connection as _;
use sview_model::{Action, Batch, Identity, Incident, Kind, Outline, Password, Precision, Span, Trap};
use sview_store::{FileKey, FirstProgress, LastReport, Progress, Reports, Settings, Step};
use sview_testing::{Backend, Deployment, both};

fn now() -> DateTime<Utc> {
    "2026-03-15T12:34:56Z".parse().unwrap()
}

fn ago(minutes: i64) -> DateTime<Utc> {
    now() - TimeDelta::minutes(minutes)
}

fn incident(time: DateTime<Utc>, trap: Trap, device: &str, raw_count: i64) -> Incident {
    Incident {
        time,
        raw_count,
        identity: Identity { sn: String::new(), device_token: device.repeat(64).parse().unwrap() },
        trap,
        action: Action::Connect,
        ip: "198.51.100.7".parse().unwrap(),
        country: "CZ".parse().ok(),
    }
}

async fn open(deployment: &Deployment) -> Reports {
    let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
    reports.migrate().await.unwrap();
    reports
}

async fn aggregate(reports: &Reports, now: DateTime<Utc>) {
    for precision in Precision::AGGREGATED {
        for kind in Kind::ALL {
            while matches!(reports.rollup().aggregate(*kind, *precision, now).await.unwrap(), Step::Built { .. }) {}
        }
    }
}

/// The counts of a kind by how many hours before the one under way they end.
async fn counts(reports: &Reports, kind: Kind) -> Vec<Option<u64>> {
    let arrivals = reports.arrivals(now()).await.unwrap();
    let (_, hours) = arrivals.hours.into_iter().find(|(of, _)| *of == kind).unwrap();
    assert_eq!((hours.len(), hours[24].end.to_rfc3339().as_str()), (25, "2026-03-15T13:00:00+00:00"));
    hours.into_iter().rev().map(|hour| hour.count).collect()
}

/// Whoever asks does not wait longer, and the next one must find a connection.
#[tokio::test]
async fn what_takes_too_long_is_ended_by_the_server() {
    let deployment = Deployment::new(Backend::Production).await;
    let reports = open(&deployment).await;
    let mut other = sqlx::PgConnection::connect(&deployment.database_url).await.unwrap();
    for sql in ["BEGIN", "LOCK TABLE ports IN ACCESS EXCLUSIVE MODE"] {
        sqlx::query(sql).execute(&mut other).await.unwrap();
    }
    let error = reports.arrivals(now()).await.unwrap_err().to_string();
    assert!(error.contains("statement timeout"), "{error}");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    reports.arrivals(now()).await.unwrap();
}

both! {
    async fn a_forgotten_log_that_has_grown_leaves_no_outline(deployment: Deployment) {
        let reports = open(&deployment).await;
        let key = |digest: &str| FileKey { digest: digest.to_owned(), format: "csv".into() };
        for (digest, from, lines, grown_from) in [("a", 0, 2, None), ("b", 2, 4, Some(key("a")))] {
            let mut outline = Outline::default();
            (0..lines).for_each(|line| outline.push(&[u8::try_from(line).unwrap(); 32], false));
            let first = Some(Arc::new(FirstProgress { outline, as_of: reports.files_turn().await.unwrap() }));
            let progress = Progress { file: key(digest), size: lines, name: "log".into(), from, lines, finished: true, grown_from, first };
            reports.insert(&Batch::default(), Some(&progress)).await.unwrap();
        }
        let left = async || deployment.texts("SELECT DISTINCT outline FROM sview_outline").await.len();
        reports.forget_ingested("a").await.unwrap();
        assert_eq!(left().await, 1, "the longer one needs it");
        reports.forget_ingested("b").await.unwrap();
        assert_eq!(left().await, 0);
    }

    async fn reports_are_counted_by_the_hour_however_far_aggregation_is(deployment: Deployment) {
        let reports = open(&deployment).await;
        let incidents = vec![
            incident(ago(1), Trap::Telnet, "a", 2), incident(ago(30), Trap::Telnet, "a", 3), incident(ago(40), Trap::Http, "a", 5),
            incident(ago(24 * 60), Trap::Http, "b", 7), incident(ago(26 * 60), Trap::Http, "b", 11), incident(ago(-1), Trap::Ftp, "b", 13),
        ];
        let password = Password { time: ago(95), raw_count: 4, username: "u".into(), password: "p".into() };
        reports.insert(&Batch { incidents, passwords: vec![password], ..Batch::default() }, None).await.unwrap();
        // Nothing is aggregated: what would have to be counted one by one for too long is not known.
        let known = counts(&reports, Kind::Incidents).await;
        assert_eq!((known[0], known[1], known[2], known[3], known[24]), (Some(5), Some(5), Some(0), None, None));
        aggregate(&reports, now()).await;
        let known = counts(&reports, Kind::Incidents).await;
        assert_eq!((known[0], known[1], known[2], known[3], known[24]), (Some(5), Some(5), Some(0), Some(0), Some(7)));
        assert_eq!(known.iter().flatten().sum::<u64>(), 17);
        let known = counts(&reports, Kind::Passwords).await;
        assert_eq!((known[2], known.iter().flatten().sum::<u64>()), (Some(4), 4));
    }

    async fn the_newest_report_of_each_source_is_told_without_reading_all(deployment: Deployment) {
        let reports = open(&deployment).await;
        // More of one trap than are looked through, and older ones of others.
        let mut incidents: Vec<_> = (0..10_001).map(|n| incident(ago(10) + TimeDelta::milliseconds(n), Trap::Fwlogs, "a", 1)).collect();
        incidents.extend([
            incident(ago(120), Trap::Telnet, "b", 1), incident(ago(5 * 24 * 60), Trap::Http, "c", 1),
            incident(ago(60 * 24 * 60), Trap::Ftp, "d", 1), incident(ago(-5), Trap::Haas, "e", 1),
        ]);
        reports.insert(&Batch { incidents, ..Batch::default() }, None).await.unwrap();
        aggregate(&reports, now()).await;
        let arrivals = reports.arrivals(now()).await.unwrap();
        let of = |trap| arrivals.traps.iter().find(|(of, _)| *of == trap).unwrap().1;
        let span = |start: &str, finish: &str| LastReport::Within(Span { start: start.parse().unwrap(), finish: finish.parse().unwrap() });
        assert_eq!(of(Trap::Fwlogs), LastReport::At(ago(10) + TimeDelta::seconds(10)));
        assert_eq!(of(Trap::Telnet), span("2026-03-15T10:00:00Z", "2026-03-15T11:00:00Z"));
        assert_eq!(of(Trap::Http), span("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z"));
        assert_eq!([of(Trap::Ftp), of(Trap::Haas), of(Trap::Smtp)], [LastReport::None; 3]);
        assert_eq!(arrivals.kinds, [(Kind::Passwords, LastReport::None), (Kind::Ports, LastReport::None)]);
        assert_eq!(arrivals.devices, 5);
        assert_eq!(arrivals.lately, Some((1, ago(10) + TimeDelta::milliseconds(1))));
        let hash = "a".repeat(64).parse::<sview_model::DeviceToken>().unwrap().hash();
        let heard: Vec<_> = arrivals.heard.iter().map(|device| (device.hash.as_str(), device.last)).collect();
        assert_eq!(heard, [(hash.as_str(), ago(10) + TimeDelta::seconds(10))]);
    }

    async fn files_are_told_by_when_they_were_read_last(deployment: Deployment) {
        let reports = open(&deployment).await;
        let read = async |name: &str, from: u64, lines: u64, finished: bool| {
            let file = FileKey { digest: name.to_owned(), format: "csv".into() };
            let progress = Progress { file, size: 9, name: format!("{name}.csv"), from, lines, finished, grown_from: None, first: None };
            reports.insert(&Batch::default(), Some(&progress)).await.unwrap();
        };
        for n in 0..9 {
            read(&format!("f{n}"), 0, n, true).await;
        }
        read("slow", 0, 5, false).await;
        read("last", 0, 3, true).await;
        read("slow", 5, 8, false).await;
        let files = reports.arrivals(now()).await.unwrap().files;
        let told: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.lines, file.finished)).collect();
        assert_eq!((told.len(), &told[..3]), (8, &[("slow.csv", 8, false), ("last.csv", 3, true), ("f8.csv", 8, true)][..]));
        let server = reports.server().await.unwrap();
        assert!(server.bytes > 0 && !server.version.is_empty() && (server.now - files[0].at).num_seconds() < 3_600, "{server:?}");
    }
}
