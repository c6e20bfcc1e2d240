//! The store's story, told once and run over both engines: reports come in, late ones too, and every precision stays right.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{
    Action, Batch, Data, Identity, Incident, Kind, OpenSession, Parameters, Password, Period, Port, Precision,
    Protocol, Request, Trap,
};
use sview_store::{FileKey, Progress, Reports, Settings, Step};
use sview_testing::{Deployment, both};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn open(deployment: &Deployment) -> Reports {
    let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
    reports.migrate().await.unwrap();
    reports
}

fn incident(time: DateTime<Utc>, count: i64, ip: &str) -> Incident {
    Incident {
        time,
        raw_count: count,
        identity: Identity { sn: String::new(), device_token: "a".repeat(64).parse().unwrap() },
        trap: Trap::Telnet,
        action: Action::Login,
        ip: ip.parse().unwrap(),
        country: "CZ".parse().ok(),
    }
}

fn incidents(rows: &[(DateTime<Utc>, i64, &str)]) -> Batch {
    Batch { incidents: rows.iter().map(|(t, n, ip)| incident(*t, *n, ip)).collect(), ..Batch::default() }
}

/// Aggregates all kinds into all precisions until nothing is left to do.
async fn aggregate_all(reports: &Reports, now: DateTime<Utc>) -> u64 {
    let mut rows_written = 0;
    for precision in Precision::AGGREGATED {
        for kind in Kind::ALL {
            loop {
                match reports.rollup().aggregate(*kind, *precision, now).await.unwrap() {
                    Step::Built { rows, .. } => rows_written += rows,
                    Step::Idle => break,
                    Step::Blocked => panic!("{kind} {precision} is blocked though all finer ones are made"),
                }
            }
        }
    }
    rows_written
}

/// Every precision's sums by bucket, computed from the raw rows, equal what is stored, up to the watermark.
async fn verify(reports: &Reports) {
    for kind in Kind::ALL {
        for precision in Precision::AGGREGATED {
            let differences = reports.rollup().differences(*kind, *precision, None).await.unwrap();
            assert!(differences.is_empty(), "{kind} {precision}: {differences:?}");
            let tallies = reports.rollup().tally_differences(*kind, *precision, None).await.unwrap();
            assert!(tallies.is_empty(), "{kind} {precision}: {tallies:?}");
        }
    }
}

async fn total(reports: &Reports, period: Period, now: DateTime<Utc>) -> u64 {
    let request = Request::plain("all_incidents_graph".parse().unwrap(), period).unwrap();
    match reports.statistics().compute(&request, now).await.unwrap().data {
        Data::Series(points) => points.iter().map(|p| p.count).sum(),
        other => panic!("not a series: {other:?}"),
    }
}

both! {
    async fn reports_are_counted_once_in_every_precision_however_late(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T12:34:56Z");
        let (early, late) = (at("2026-01-10T03:04:05.678901Z"), at("2026-03-15T11:59:59.999999Z"));
        reports.insert(&incidents(&[(early, 3, "192.0.2.1"), (late, 4, "192.0.2.2"), (now, 1, "192.0.2.3")]), None).await.unwrap();
        aggregate_all(&reports, now).await;
        verify(&reports).await;
        assert_eq!(total(&reports, Period::Year, now).await, 3);
        assert_eq!(total(&reports, Period::SixHours, now).await, 4);

        // Nothing new: nothing is written again.
        assert_eq!(aggregate_all(&reports, now).await, 0);

        // A report that is two months late: its buckets are made anew, in every precision.
        reports.insert(&incidents(&[(early + TimeDelta::seconds(1), 10, "192.0.2.9")]), None).await.unwrap();
        assert!(reports.rollup().coverage().await.unwrap().iter().any(|c| c.pending > 0));
        aggregate_all(&reports, now).await;
        verify(&reports).await;
        assert_eq!(total(&reports, Period::Year, now).await, 13);

        // Ten days were missed: all of them are caught up with.
        let later = now + TimeDelta::days(10);
        let missed: Vec<_> = (0..240).map(|h| (now + TimeDelta::hours(h), 1, "198.51.100.7")).collect();
        reports.insert(&incidents(&missed), None).await.unwrap();
        aggregate_all(&reports, later).await;
        verify(&reports).await;
        // The month begins at midnight, 30 days back: all but the first report, and the days that are over.
        let days_over = missed.iter().filter(|(t, ..)| *t < at("2026-03-25T00:00:00Z")).count() as u64;
        assert_eq!(total(&reports, Period::Month, later).await, days_over + 4 + 1);
    }

    async fn what_is_not_aggregated_yet_is_read_from_finer_rows(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T00:00:00Z");
        reports.insert(&incidents(&[(now - TimeDelta::seconds(1), 5, "192.0.2.1"), (now, 7, "192.0.2.1")]), None).await.unwrap();
        for period in [Period::SixHours, Period::Day, Period::Week, Period::Month, Period::ThreeMonths, Period::Year] {
            assert_eq!(total(&reports, period, now).await, 5, "{period}, before any aggregation");
        }
        aggregate_all(&reports, now).await; // at midnight sharp the last quarter is not due yet
        for period in [Period::SixHours, Period::Day, Period::Week, Period::Month, Period::ThreeMonths, Period::Year] {
            assert_eq!(total(&reports, period, now).await, 5, "{period}, after aggregation");
        }
    }

    async fn rows_that_another_program_writes_are_found(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T12:34:56Z");
        reports.insert(&incidents(&[(now - TimeDelta::hours(5), 1, "192.0.2.1")]), None).await.unwrap();
        aggregate_all(&reports, now).await;
        let behind = now - TimeDelta::hours(3);
        reports.insert_unmarked(&incidents(&[(behind, 2, "192.0.2.2")])).await.unwrap();
        assert_eq!(total(&reports, Period::SixHours, now).await, 1, "nobody has told of it");
        let next = now + TimeDelta::minutes(15);
        aggregate_all(&reports, next).await;
        verify(&reports).await;
        assert_eq!(total(&reports, Period::SixHours, next).await, 3);
    }

    async fn the_hour_shows_late_reports_at_once_whoever_wrote_them(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T12:34:56Z");
        let ago = |minutes| now - TimeDelta::minutes(minutes);
        reports.insert(&incidents(&[(ago(40), 2, "192.0.2.1"), (ago(10), 1, "192.0.2.1")]), None).await.unwrap();
        assert_eq!(total(&reports, Period::Hour, now).await, 3);
        assert_eq!(total(&reports, Period::Hour, now).await, 3, "from what is remembered");
        reports.insert_unmarked(&incidents(&[(ago(40), 4, "192.0.2.2"), (ago(39), 8, "192.0.2.2")])).await.unwrap();
        assert_eq!(total(&reports, Period::Hour, now).await, 15);
        reports.insert(&incidents(&[(ago(10), 16, "192.0.2.1")]), None).await.unwrap();
        assert_eq!(total(&reports, Period::Hour, now + TimeDelta::minutes(1)).await, 31);
        reports.delete_native(Kind::Incidents, ago(30)).await.unwrap();
        assert_eq!(total(&reports, Period::Hour, now).await, 17, "what is deleted is not remembered");
    }

    async fn the_hour_survives_counts_whose_sum_no_database_can_say(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T12:34:56Z");
        let within = now - TimeDelta::minutes(10);
        let (largest, other) = (i64::MAX, within + TimeDelta::seconds(1));
        reports.insert(&incidents(&[(within, largest, "192.0.2.1"), (other, largest, "192.0.2.2")]), None).await.unwrap();
        for _ in 0..2 {
            assert_eq!(total(&reports, Period::Hour, now).await, 2 * largest.unsigned_abs());
        }
        reports.insert_unmarked(&incidents(&[(within, 1, "192.0.2.3")])).await.unwrap();
        assert_eq!(total(&reports, Period::Hour, now).await, 2 * largest.unsigned_abs() + 1, "a late report is noticed");
    }

    async fn buckets_whose_reports_were_deleted_are_kept(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T12:34:56Z");
        let old = now - TimeDelta::days(200);
        reports.insert(&incidents(&[(old, 8, "192.0.2.1")]), None).await.unwrap();
        aggregate_all(&reports, now).await;
        reports.delete_native(Kind::Incidents, now).await.unwrap();
        reports.insert(&incidents(&[(old, 1, "192.0.2.1")]), None).await.unwrap();
        aggregate_all(&reports, now).await;
        assert_eq!(total(&reports, Period::Year, now).await, 8, "the history is not lost to a late report");
    }

    async fn two_that_aggregate_at_once_do_not_count_twice(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T12:34:56Z");
        let rows: Vec<_> = (0..2000).map(|i| (now - TimeDelta::minutes(7 * i), 1, "192.0.2.1")).collect();
        let (a, b, c) = (reports.clone(), reports.clone(), reports.clone());
        let feeding = tokio::spawn(async move {
            for chunk in rows.chunks(100) {
                a.insert(&incidents(chunk), None).await.unwrap();
            }
        });
        let run = |reports: Reports| tokio::spawn(async move {
            for _ in 0..40 {
                for precision in Precision::AGGREGATED {
                    reports.rollup().aggregate(Kind::Incidents, *precision, now).await.unwrap();
                }
            }
        });
        let (x, y) = (run(b), run(c));
        feeding.await.unwrap();
        x.await.unwrap();
        y.await.unwrap();
        aggregate_all(&reports, now).await;
        verify(&reports).await;
        // The week that ends at 15:00 begins 9,934 minutes before `now`: a report each seven of them.
        assert_eq!(total(&reports, Period::Week, now + TimeDelta::hours(3)).await, 9_934 / 7 + 1);
    }

    async fn hostile_strings_come_back_as_they_went_in(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T12:34:56Z");
        let texts = ["<script>alert(1)</script>", "tab\there", "back\\slash", "new\nline\r", "\\N", "\\.", "quote'\"", "密码",
            "'; DROP TABLE passwords;--", "\u{202e}bidi", "{{7*7}}", "%00", " ", "a;b#c/d%e"];
        let rows = texts.iter().enumerate().map(|(i, text)| Password {
            time: now - TimeDelta::hours(2), raw_count: 100 - i as i64, username: text.to_string(), password: text.to_string(),
        });
        reports.insert(&Batch { passwords: rows.collect(), ..Batch::default() }, None).await.unwrap();
        aggregate_all(&reports, now).await;
        let request = Request::plain("top_combinations_by_usages_list_long".parse().unwrap(), Period::SixHours).unwrap();
        let Data::Ranking(ranking) = reports.statistics().compute(&request, now).await.unwrap().data else { panic!() };
        let got: Vec<_> = ranking.rows.iter().map(|r| r.labels[0].clone().unwrap()).collect();
        assert_eq!(got, texts);
        for text in texts {
            let parameters = Parameters::Password(text.to_owned());
            let request = Request::new("logins_of_password_by_usages_list".parse().unwrap(), Period::SixHours, parameters).unwrap();
            let Data::Ranking(ranking) = reports.statistics().compute(&request, now).await.unwrap().data else { panic!() };
            assert_eq!(ranking.rows.len(), 1, "{text:?}");
        }
    }

    async fn a_file_read_before_is_known(deployment: Deployment) {
        let reports = open(&deployment).await;
        let file = FileKey { digest: "ab".repeat(32), format: "csv".into() };
        let progress = Progress { file: file.clone(), size: 70, name: "o'brien.csv".into(), from: 0, lines: 7, finished: false, grown_from: None, first: None };
        assert_eq!(reports.ingested(&file.digest).await.unwrap(), []);
        reports.insert(&Batch::default(), Some(&progress)).await.unwrap();
        assert_eq!(reports.ingested(&file.digest).await.unwrap(), std::slice::from_ref(&progress));
        let done = Progress { from: 7, lines: 9, finished: true, ..progress.clone() };
        reports.insert(&Batch::default(), Some(&done)).await.unwrap();
        let kept = Progress { from: 0, ..done.clone() };
        assert_eq!(reports.ingested(&file.digest).await.unwrap(), std::slice::from_ref(&kept));
        // Another format finds other reports in it.
        let other = Progress { file: FileKey { format: "cowrie".into(), ..file.clone() }, lines: 3, ..progress.clone() };
        reports.insert(&Batch::default(), Some(&other)).await.unwrap();
        let mut both = reports.ingested(&file.digest).await.unwrap();
        both.sort_by_key(|progress| progress.lines);
        assert_eq!(both, [other, kept]);
        // Another process that reads the same file finds that it is not the only one, and counts nothing.
        let row = (at("2026-03-15T12:00:00Z"), 1, "192.0.2.1");
        assert!(reports.insert(&incidents(&[row]), Some(&progress)).await.is_err());
        assert_eq!(total(&reports, Period::SixHours, at("2026-03-15T12:34:56Z")).await, 0);
        reports.forget_ingested(&file.digest).await.unwrap();
        assert_eq!(reports.ingested(&file.digest).await.unwrap(), []);
    }

    async fn open_sessions_are_kept_up_to_a_number(deployment: Deployment) {
        let reports = open(&deployment).await;
        let session = |i: usize, trap| OpenSession { id: format!("'{i:06}"), trap, ip: [192, 0, 2, 1].into() };
        let sessions = |range: std::ops::Range<usize>| range.map(|i| session(i, Trap::Telnet)).collect::<Vec<_>>();
        let most = OpenSession::MOST;
        reports.finish(None, &sessions(0..2)).await.unwrap();
        reports.finish(None, &sessions(2..3)).await.unwrap();
        assert_eq!(reports.open_sessions().await.unwrap(), sessions(0..3));
        // A known session keeps its turn, and a changed one is stored again.
        reports.finish(None, &[session(1, Trap::Telnet), session(0, Trap::Haas)]).await.unwrap();
        let kept = reports.open_sessions().await.unwrap();
        assert_eq!(kept, [session(1, Trap::Telnet), session(2, Trap::Telnet), session(0, Trap::Haas)]);
        reports.finish(None, &sessions(3..most + 1)).await.unwrap();
        let kept = reports.open_sessions().await.unwrap();
        assert_eq!((kept.len(), &kept[..2]), (most, &[session(2, Trap::Telnet), session(0, Trap::Haas)][..]));
        // Together with the progress, or not at all.
        let file = FileKey { digest: "cd".repeat(32), format: "cowrie".into() };
        let done = Progress { file, size: 9, name: "log".into(), from: 0, lines: 1, finished: true, grown_from: None, first: None };
        reports.finish(Some(&done), &[session(7_000_000, Trap::Haas)]).await.unwrap();
        assert!(reports.finish(Some(&done), &[session(8_000_000, Trap::Haas)]).await.is_err());
        let kept = reports.open_sessions().await.unwrap();
        assert_eq!(kept.last(), Some(&session(7_000_000, Trap::Haas)));
    }

    async fn a_device_is_one_identity_before_and_after_its_serial_number_is_known(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T12:34:56Z");
        let known = Identity { sn: "0000000B00000001".into(), device_token: "a".repeat(64).parse().unwrap() };
        reports.insert(&incidents(&[(now - TimeDelta::hours(1), 1, "192.0.2.1")]), None).await.unwrap();
        reports.insert(&Batch { identities: vec![known.clone()], ..Batch::default() }, None).await.unwrap();
        reports.insert(&incidents(&[(now - TimeDelta::hours(2), 1, "192.0.2.1")]), None).await.unwrap();
        let other = open(&deployment).await; // another process, which has seen nothing of it
        other.insert(&incidents(&[(now - TimeDelta::hours(3), 1, "192.0.2.1")]), None).await.unwrap();
        assert_eq!(reports.identities().await.unwrap(), [known]);
    }

    async fn many_devices_are_told_apart_in_linear_time(deployment: Deployment) {
        let reports = open(&deployment).await;
        let devices = |numbers: std::ops::Range<u32>| Batch {
            incidents: numbers.map(|n| Incident {
                identity: Identity { sn: String::new(), device_token: format!("{n:064}").parse().unwrap() },
                ..incident(at("2026-03-15T10:01:00Z"), 1, "192.0.2.1")
            }).collect(),
            ..Batch::default()
        };
        // Without an index this takes an hour on SQLite.
        let storing = async {
            for start in [0, 50_000, 100_000, 150_000, 0] {
                reports.insert(&devices(start..start + 50_000), None).await.unwrap();
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(900), storing).await.unwrap();
        assert_eq!(reports.identities().await.unwrap().len(), 200_000);
    }

    async fn ports_are_labelled_by_protocol_and_number(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T12:34:56Z");
        let rows = [(23, Protocol::Tcp, 3), (53, Protocol::Udp, 2), (0, Protocol::Other, 1)];
        let rows = rows.map(|(port, protocol, raw_count)| Port { time: now - TimeDelta::hours(1), raw_count, port, protocol });
        reports.insert(&Batch { ports: rows.to_vec(), ..Batch::default() }, None).await.unwrap();
        let request = Request::plain("top_ports_by_scans_list_long".parse().unwrap(), Period::Day).unwrap();
        let Data::Ranking(ranking) = reports.statistics().compute(&request, now).await.unwrap().data else { panic!() };
        let rows: BTreeMap<_, _> = ranking.rows.iter().map(|r| (r.labels[0].clone().unwrap(), r.count)).collect();
        assert_eq!(rows, [("TCP/23".to_owned(), 3), ("UDP/53".to_owned(), 2), ("other/0".to_owned(), 1)].into());
    }

    async fn a_value_is_complete_while_aggregation_waits_for_a_late_report(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T00:10:00Z");
        let day: Vec<_> = (0..240).map(|i| (at("2026-03-14T00:00:00Z") + TimeDelta::minutes(6 * i), 1, "192.0.2.1")).collect();
        reports.insert(&incidents(&day), None).await.unwrap();
        while matches!(reports.rollup().aggregate(Kind::Incidents, Precision::Quarterly, now).await.unwrap(), Step::Built { .. }) {}
        reports.insert(&incidents(&[(at("2026-03-14T23:40:00Z"), 1, "192.0.2.2")]), None).await.unwrap();
        for precision in [Precision::Hourly, Precision::Daily] {
            while matches!(reports.rollup().aggregate(Kind::Incidents, precision, now).await.unwrap(), Step::Built { .. }) {}
        }
        for period in [Period::Week, Period::Month, Period::Year] {
            assert_eq!(total(&reports, period, now).await, 241, "{period}");
        }
    }

    async fn late_reports_raise_the_revision_and_others_do_not(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T12:34:56Z");
        let revisions = async |reports: &Reports| -> i64 { reports.rollup().coverage().await.unwrap().iter().filter_map(|c| c.revision).sum() };
        reports.insert(&incidents(&[(at("2026-03-01T00:00:00Z"), 1, "192.0.2.1")]), None).await.unwrap();
        aggregate_all(&reports, now).await;
        assert_eq!(revisions(&reports).await, 0);
        let next = now + TimeDelta::minutes(15);
        reports.insert(&incidents(&[(now, 1, "192.0.2.1")]), None).await.unwrap();
        aggregate_all(&reports, next).await;
        assert_eq!(revisions(&reports).await, 0, "a quarter that has just ended is not late");
        reports.insert(&incidents(&[(at("2026-03-05T00:00:00Z"), 1, "192.0.2.1")]), None).await.unwrap();
        aggregate_all(&reports, next).await;
        assert_eq!(revisions(&reports).await, 3, "one for each precision");
    }

    async fn late_reports_replace_no_history_whose_reports_are_deleted(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T12:34:56Z");
        let old = now - TimeDelta::days(200);
        reports.insert(&incidents(&[(old, 1000, "192.0.2.1")]), None).await.unwrap();
        aggregate_all(&reports, now).await;
        reports.delete_native(Kind::Incidents, now).await.unwrap();
        reports.insert(&incidents(&[(old, 2000, "198.51.100.9")]), None).await.unwrap();
        aggregate_all(&reports, now).await;
        assert_eq!(total(&reports, Period::Year, now).await, 1000, "more reports by others do not make up for those");
    }

    async fn what_others_write_is_found_after_the_clock_was_set_back(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T12:34:56Z");
        reports.insert(&incidents(&[(now - TimeDelta::hours(5), 1, "192.0.2.1")]), None).await.unwrap();
        aggregate_all(&reports, now + TimeDelta::days(3)).await; // the clock was ahead
        aggregate_all(&reports, now).await;
        reports.insert_unmarked(&incidents(&[(now + TimeDelta::hours(1), 2, "192.0.2.2")])).await.unwrap();
        let later = now + TimeDelta::days(5);
        aggregate_all(&reports, later).await;
        verify(&reports).await;
        assert_eq!(total(&reports, Period::Month, later).await, 3);
    }

    async fn many_scattered_late_reports_share_a_step(deployment: Deployment) {
        let reports = open(&deployment).await;
        let now = at("2026-03-15T12:34:56Z");
        aggregate_all(&reports, now).await;
        let rows: Vec<_> = (1..1500).map(|i| (now - TimeDelta::hours(5 * i), 1, "192.0.2.1")).collect();
        reports.insert(&incidents(&rows), None).await.unwrap();
        let mut steps = 0;
        while matches!(reports.rollup().aggregate(Kind::Incidents, Precision::Quarterly, now).await.unwrap(), Step::Built { .. }) {
            steps += 1;
        }
        assert!(steps < 150, "{steps} steps for 1,499 spans");
        aggregate_all(&reports, now).await;
        verify(&reports).await;
    }
}
