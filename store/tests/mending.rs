//! Damage of every sort is found by verifying and mended by rebuilding; what cannot be recounted is neither called damage nor
//! lost.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Connection as _;
use sview_model::{
    Action, Batch, Data, Identity, Incident, Kind, Period, Port, Precision, Protocol, Request, Span, Trap,
};
use sview_store::{Difference, ExpectedDifference, Obstacle, ObstacleCause, Rebuild, Reports, Settings, Step};
use sview_testing::{Deployment, both};

use Kind::{Incidents, Ports};
use Precision::{Daily, Hourly, Quarterly};

const NOW: &str = "2026-03-15T12:34:56Z";

fn now() -> DateTime<Utc> {
    NOW.parse().unwrap()
}

/// Five days of reports, every seven minutes, from three attackers; ports as well.
fn five_days() -> Batch {
    let mut batch = Batch::default();
    for i in 0..1000 {
        let time = now() - TimeDelta::minutes(7 * i);
        batch.incidents.push(Incident {
            time,
            raw_count: 1 + i % 3,
            identity: Identity { sn: String::new(), device_token: "a".repeat(64).parse().unwrap() },
            trap: Trap::Telnet,
            action: Action::Login,
            ip: format!("192.0.2.{}", i % 3).parse().unwrap(),
            country: if i % 2 == 0 { "CZ".parse().ok() } else { None },
        });
        batch.ports.push(Port { time, raw_count: 2, port: 23, protocol: Protocol::Tcp });
    }
    batch
}

async fn open(deployment: &Deployment) -> Reports {
    let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
    reports.migrate().await.unwrap();
    reports
}

async fn aggregate(reports: &Reports) -> u64 {
    let mut written = 0;
    for precision in Precision::AGGREGATED {
        for kind in Kind::ALL {
            while let Step::Built { rows, .. } = reports.rollup().aggregate(*kind, *precision, now()).await.unwrap() {
                written += rows;
            }
        }
    }
    written
}

async fn filled(deployment: &Deployment) -> Reports {
    let reports = open(deployment).await;
    reports.insert(&five_days(), None).await.unwrap();
    aggregate(&reports).await;
    assert_eq!(faults(&reports).await, []);
    reports
}

/// Every unexcused difference of every kind and precision: of rows, and of tallies.
async fn faults(reports: &Reports) -> Vec<(Kind, Precision, &'static str, String)> {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        for precision in Precision::AGGREGATED {
            let rows = reports.rollup().differences(*kind, *precision, None).await.unwrap();
            let rows = rows.iter().filter(|d| d.excuse.is_none()).map(|d| ("rows", d.bucket));
            let tallies = reports.rollup().tally_differences(*kind, *precision, None).await.unwrap();
            let tallies = tallies.iter().filter(|d| d.excuse.is_none()).map(|d| ("tally", d.bucket));
            all.extend(
                rows.chain(tallies).map(|(what, at)| (*kind, *precision, what, at.format("%d %H:%M").to_string())),
            );
        }
    }
    all
}

async fn rebuild(reports: &Reports, kind: Kind, precision: Precision, span: Span, force: bool) -> (u64, Vec<Span>) {
    let (mut rows, mut refused, mut rest) = (0, Vec::new(), span);
    while let Some(step) =
        reports.rollup().rebuild(kind, precision, rest, Rebuild { force, dry_run: false }).await.unwrap()
    {
        rows += step.rows;
        refused.extend(step.refused);
        rest.finish = step.span.start;
    }
    (rows, refused)
}

fn always() -> Span {
    Span::new(DateTime::UNIX_EPOCH, now())
}

/// A moment as the database's `time`.
fn time(deployment: &Deployment, text: &str) -> String {
    match deployment.backend {
        sview_testing::Backend::Embedded => text.parse::<DateTime<Utc>>().unwrap().timestamp_micros().to_string(),
        sview_testing::Backend::Production => format!("timestamptz '{text}'"),
    }
}

/// Has the database refuse rows of a table, of one moment or of any.
async fn refuse(deployment: &Deployment, table: &str, at: Option<&str>) {
    let when = at.map_or(String::new(), |at| format!("WHEN (NEW.time = {})", time(deployment, at)));
    let sql = match deployment.backend {
        sview_testing::Backend::Embedded => {
            format!("CREATE TRIGGER refuse BEFORE INSERT ON {table} {when} BEGIN SELECT RAISE(ABORT, 'not this row'); END")
        }
        sview_testing::Backend::Production => format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this row'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW {when} EXECUTE FUNCTION refuse()"
        ),
    };
    deployment.sql(&sql).await;
}

async fn accept(deployment: &Deployment, table: &str) {
    let on = if deployment.redis_url.is_some() { format!(" ON {table}") } else { String::new() };
    deployment.sql(&format!("DROP TRIGGER refuse{on}")).await;
    let minutes: i64 = 11 * 60 * 1_000_000;
    deployment
        .sql(&format!("UPDATE sview_pending SET failed_at = failed_at - {minutes} WHERE failed_at IS NOT NULL"))
        .await;
}

/// The buckets that could not be made, and why not.
async fn failed(reports: &Reports) -> Vec<(Kind, Precision, String, String)> {
    let bucket = |obstacle: Obstacle| match obstacle.cause {
        ObstacleCause::Bucket { span, error, failed_at, again_at } => {
            assert_eq!(again_at - failed_at, TimeDelta::minutes(10));
            (obstacle.kind, obstacle.precision, span.to_string(), error)
        }
        ObstacleCause::Lock { holder, .. } => panic!("{holder}"),
    };
    reports.rollup().obstacles(std::time::Duration::ZERO).await.unwrap().into_iter().map(bucket).collect()
}

async fn scans(reports: &Reports, period: Period) -> u64 {
    let request = Request::plain("all_ports_by_scans_graph".parse().unwrap(), period).unwrap();
    match reports.statistics().compute(&request, now()).await.unwrap().data {
        Data::Series(points) => points.iter().map(|point| point.count).sum(),
        other => panic!("not a series: {other:?}"),
    }
}

/// With a session that holds the lock of an aggregation, aggregating says who holds it, and changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_the_lock_of_an_aggregation_is_said() {
    let deployment = Deployment::new(sview_testing::Backend::Production).await;
    open(&deployment).await.insert(&five_days(), None).await.unwrap();
    let mut other = sqlx::PgConnection::connect(&deployment.database_url).await.unwrap();
    sqlx::query("BEGIN").execute(&mut other).await.unwrap();
    let lock = "SELECT 1 FROM sview_rollup WHERE kind = 'ports' AND precision = 'quarterly' FOR UPDATE";
    sqlx::query(lock).execute(&mut other).await.unwrap();

    // The address may set limits of its own.
    let url = format!("{}&options=-c%20lock_timeout%3D200ms", deployment.database_url);
    let settings = Settings { keep: Some(TimeDelta::days(2)), ..Settings::default() };
    let reports = Reports::open(&url, settings).unwrap();
    let told = |error: sview_store::Error| {
        assert!(matches!(error, sview_store::Error::Locked { .. }), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("aggregation ports/quarterly waits for a lock: session "), "{text}");
        assert!(text.contains(", idle in transaction for ") && text.contains(" at 127.0.0.1"), "{text}");
    };
    told(reports.rollup().aggregate(Ports, Quarterly, now()).await.unwrap_err());
    told(reports.rollup().rebuild(Ports, Quarterly, always(), Rebuild::default()).await.unwrap_err());
    told(reports.rollup().forget_reports(now()).await.unwrap_err());
    let obstacles = reports.rollup().obstacles(std::time::Duration::ZERO).await.unwrap();
    let [Obstacle { kind: Ports, precision: Quarterly, cause: ObstacleCause::Lock { holder, .. } }] = &obstacles[..]
    else {
        panic!("{obstacles:?}")
    };
    assert!(holder.contains("idle in transaction"), "{holder}");
    assert_eq!(reports.rollup().obstacles(std::time::Duration::from_secs(3_600)).await.unwrap(), []);
    // Other aggregations go on.
    assert!(matches!(reports.rollup().aggregate(Incidents, Quarterly, now()).await.unwrap(), Step::Built { .. }));

    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    aggregate(&reports).await;
    assert_eq!((faults(&reports).await, failed(&reports).await), (vec![], vec![]));
}

both! {
    async fn a_bucket_that_cannot_be_made_holds_up_only_what_needs_it(deployment: Deployment) {
        let reports = open(&deployment).await;
        refuse(&deployment, "ports_hourly", Some("2026-03-13T10:00:00Z")).await;
        reports.insert(&five_days(), None).await.unwrap();
        aggregate(&reports).await;
        let expected = |failed: &[(Kind, Precision, String, String)]| {
            let [(Ports, Hourly, span, error)] = failed else { panic!("{failed:?}") };
            assert!(span.contains("2026-03-13 10:00") && error.contains("not this row"), "{span}: {error}");
        };
        expected(&failed(&reports).await);
        assert_eq!(reports.rollup().coverage().await.unwrap().iter().filter(|c| c.precision == Hourly).map(|c| c.pending).sum::<u64>(), 0);
        // All other hours, and all other days.
        let ports = five_days().ports;
        let missing = |start: &str, length: TimeDelta, until: DateTime<Utc>| {
            let start: DateTime<Utc> = start.parse().unwrap();
            let made = ports.iter().filter(|p| p.time < until && !(p.time >= start && p.time < start + length));
            made.map(|p| p.raw_count).sum::<i64>()
        };
        let sum = async |precision| reports.bucket_sums(Ports, precision).await.unwrap().iter().sum::<i64>();
        assert_eq!(sum(Hourly).await, missing("2026-03-13T10:00:00Z", TimeDelta::hours(1), Hourly.due_to(now())));
        assert_eq!(sum(Daily).await, missing("2026-03-13T00:00:00Z", TimeDelta::days(1), Daily.due_to(now())));
        // Values have all of it: they read finer rows.
        let all = ports.iter().filter(|p| p.time < Period::Week.span(now()).finish).map(|p| p.raw_count as u64).sum::<u64>();
        assert_eq!(scans(&reports, Period::Week).await, all);

        // A late report for it does not have it tried before its time.
        let late = Port { time: "2026-03-13T10:20:00Z".parse().unwrap(), ..ports[0] };
        reports.insert(&Batch { ports: vec![late], ..Batch::default() }, None).await.unwrap();
        let before = reports.rollup().obstacles(std::time::Duration::ZERO).await.unwrap();
        aggregate(&reports).await;
        assert_eq!(reports.rollup().obstacles(std::time::Duration::ZERO).await.unwrap(), before);
        assert_eq!(scans(&reports, Period::Week).await, all + 2);

        accept(&deployment, "ports_hourly").await;
        aggregate(&reports).await;
        assert_eq!((failed(&reports).await, faults(&reports).await), (vec![], vec![]));
        assert_eq!(sum(Daily).await, 2 + missing("2026-01-01T00:00:00Z", TimeDelta::zero(), Daily.due_to(now())));
    }

    async fn a_database_that_takes_no_bucket_at_all_is_an_error(deployment: Deployment) {
        let reports = open(&deployment).await;
        refuse(&deployment, "ports_quarterly", None).await;
        reports.insert(&five_days(), None).await.unwrap();
        let error = loop {
            match reports.rollup().aggregate(Ports, Quarterly, now()).await {
                Ok(Step::Built { .. }) => {}
                Ok(step) => panic!("{step:?}"),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("not this row"), "{error}");
        assert_eq!(failed(&reports).await.len(), 20);
        accept(&deployment, "ports_quarterly").await;
        aggregate(&reports).await;
        assert_eq!((failed(&reports).await, faults(&reports).await), (vec![], vec![]));
    }

    async fn a_sum_that_is_too_large_holds_up_no_later_quarter(deployment: Deployment) {
        let reports = filled(&deployment).await;
        let due = Quarterly.due_to(now());
        let large = Port { time: due - TimeDelta::hours(3), raw_count: i64::MAX, port: 23, protocol: Protocol::Tcp };
        // Another program writes it, so that it is found by summing the last day again.
        reports.insert_unmarked(&Batch { ports: vec![large.clone(), large.clone()], ..Batch::default() }).await.unwrap();
        let later = now() + TimeDelta::hours(1);
        reports.insert(&Batch { ports: vec![Port { time: now(), ..five_days().ports[0] }], ..Batch::default() }, None).await.unwrap();
        while matches!(reports.rollup().aggregate(Ports, Quarterly, later).await.unwrap(), Step::Built { .. }) {}
        let [(Ports, Quarterly, span, _)] = &failed(&reports).await[..] else { panic!("{:?}", failed(&reports).await) };
        assert!(span.contains(&large.time.format("%Y-%m-%d %H:%M").to_string()), "{span}");
        assert_eq!(reports.bucket_sums(Ports, Quarterly).await.unwrap().iter().sum::<i64>(), 2 * 1_001);
    }

    async fn missing_and_doubled_rows_are_found_and_mended(deployment: Deployment) {
        let reports = filled(&deployment).await;
        let (hour, day) = (time(&deployment, "2026-03-14T10:00:00Z"), time(&deployment, "2026-03-13T00:00:00Z"));
        assert!(deployment.sql(&format!("DELETE FROM incidents_hourly WHERE time = {hour} AND country IS NULL")).await > 0);
        assert!(deployment.sql(&format!("INSERT INTO ports_daily SELECT * FROM ports_daily WHERE time = {day}")).await > 0);
        let expected = [
            (Incidents, Hourly, "rows", "14 10:00".to_owned()), (Incidents, Hourly, "tally", "14 10:00".to_owned()),
            (Ports, Daily, "rows", "13 00:00".to_owned()), (Ports, Daily, "tally", "13 00:00".to_owned()),
        ];
        assert_eq!(faults(&reports).await, expected);
        let Difference { reports: counted, aggregated, .. } = reports.rollup().differences(Ports, Daily, None).await.unwrap()[0];
        assert_eq!(aggregated, 2 * counted);

        let dry = Rebuild { dry_run: true, ..Rebuild::default() };
        assert!(reports.rollup().rebuild(Ports, Daily, always(), dry).await.unwrap().unwrap().rows > 0);
        assert_eq!(faults(&reports).await, expected, "a dry run changes nothing");
        // A span beside the damage mends nothing; the right one does, and nothing is refused.
        let aside = Span::new("2026-03-14T11:00:00Z".parse().unwrap(), now());
        rebuild(&reports, Incidents, Hourly, aside, false).await;
        assert_eq!(faults(&reports).await, expected);
        let within = Span::new("2026-03-14T10:30:00Z".parse().unwrap(), "2026-03-14T10:31:00Z".parse().unwrap());
        assert_eq!(rebuild(&reports, Incidents, Hourly, within, false).await.1, []);
        assert_eq!(rebuild(&reports, Ports, Daily, always(), false).await.1, []);
        aggregate(&reports).await;
        assert_eq!(faults(&reports).await, []);
    }

    async fn a_tally_that_is_not_its_rows_is_found_and_mended(deployment: Deployment) {
        let reports = filled(&deployment).await;
        let of = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp_micros();
        let (gone, wrong, torn) =
            (of("2026-03-14T10:00:00Z"), of("2026-03-14T11:00:00Z"), of("2026-03-14T12:00:00Z"));
        deployment.sql(&format!("DELETE FROM sview_tally WHERE kind = 'ports' AND precision = 'hourly' AND bucket = {gone}")).await;
        // The same sum, of other attackers.
        deployment.sql(&format!(
            "UPDATE sview_tally SET body = (SELECT body FROM sview_tally WHERE kind = 'incidents' AND precision = 'hourly' AND bucket = {torn})
             WHERE kind = 'incidents' AND precision = 'hourly' AND bucket = {wrong}"
        )).await;
        let body = if deployment.redis_url.is_some() { r"'\x01ffff'" } else { "x'01ffff'" };
        deployment.sql(&format!("UPDATE sview_tally SET body = {body} WHERE kind = 'ports' AND precision = 'hourly' AND bucket = {torn}")).await;
        let tally = |kind, hour: &str| (kind, Hourly, "tally", hour.to_owned());
        assert_eq!(faults(&reports).await, [tally(Incidents, "14 11:00"), tally(Ports, "14 10:00"), tally(Ports, "14 12:00")]);
        for kind in [Incidents, Ports] {
            rebuild(&reports, kind, Hourly, always(), false).await;
        }
        assert_eq!(faults(&reports).await, []);
    }

    async fn what_was_deleted_cannot_be_recounted_and_is_kept(deployment: Deployment) {
        let reports = filled(&deployment).await;
        // In the middle of a day, and of a quarter.
        let cut = "2026-03-13T10:07:00Z".parse().unwrap();
        reports.delete_native(Incidents, cut).await.unwrap();
        let differences = reports.rollup().differences(Incidents, Quarterly, None).await.unwrap();
        let (gone, open): (Vec<&Difference>, Vec<&Difference>) = differences.iter().partition(|d| d.excuse == Some(ExpectedDifference::ReportsGone));
        assert!(gone.len() > 100 && gone.iter().all(|d| d.reports == 0), "{gone:?}");
        assert!(open.iter().all(|d| d.bucket == "2026-03-13T10:00:00Z".parse::<DateTime<Utc>>().unwrap()), "{open:?}");
        let before = sums(&reports).await;
        let (_, refused) = rebuild(&reports, Incidents, Quarterly, always(), false).await;
        assert!(refused.iter().all(|s| s.start < cut), "{refused:?}");
        assert!(!refused.is_empty());
        // The hours rest on quarters, which are all there.
        assert_eq!(rebuild(&reports, Incidents, Hourly, always(), false).await.1, []);
        assert_eq!(sums(&reports).await, before, "nothing is lost");
        let (_, refused) = rebuild(&reports, Incidents, Quarterly, always(), true).await;
        assert_eq!(refused, []);
        assert!(reports.rollup().differences(Incidents, Quarterly, None).await.unwrap().is_empty(), "made from what is left");
    }

    async fn reports_are_kept_as_long_as_told_and_until_they_are_aggregated(deployment: Deployment) {
        let settings = Settings { keep: Some(TimeDelta::days(2)), ..Settings::default() };
        let reports = Reports::open(&deployment.database_url, settings).unwrap();
        reports.migrate().await.unwrap();
        let batch = five_days();
        reports.insert(&batch, None).await.unwrap();
        assert_eq!(reports.rollup().forget_reports(now()).await.unwrap().rows, 0, "nothing is aggregated yet");
        aggregate(&reports).await;
        let before = sums(&reports).await;
        // On the 12th there is a late report that is not aggregated yet.
        let late = Incident { time: now() - TimeDelta::days(3), raw_count: 1, ..batch.incidents[0].clone() };
        reports.insert(&Batch { incidents: vec![late], ..Batch::default() }, None).await.unwrap();

        let midnight = |day: u32| format!("2026-03-{day}T00:00:00Z").parse::<DateTime<Utc>>().unwrap();
        let incidents = |day| batch.incidents.iter().filter(|i| i.time < midnight(day)).count() as u64;
        let ports = batch.ports.iter().filter(|p| p.time < midnight(13)).count() as u64;
        assert!(incidents(12) > 200 && incidents(13) > incidents(12) + 200);
        assert_eq!(reports.rollup().forget_reports(now()).await.unwrap().rows, ports + incidents(12));
        assert!(aggregate(&reports).await > 0, "the late one counts");
        assert_eq!(reports.rollup().forget_reports(now()).await.unwrap().rows, incidents(13) - incidents(12) + 1);
        assert_eq!(reports.rollup().forget_reports(now()).await.unwrap().rows, 0);
        assert_eq!(deployment.sql("UPDATE incidents SET raw_count = raw_count").await, 1_000 - incidents(13));

        // The aggregates of the deleted reports stay.
        let total = |sums: &[Vec<i64>]| sums.iter().map(|sums| sums.iter().sum::<i64>()).collect::<Vec<_>>();
        assert_eq!(total(&sums(&reports).await), total(&before).iter().map(|sum| sum + 1).collect::<Vec<_>>());
        assert_eq!(faults(&reports).await, []);

        // Later reports for that time do not count, and do no harm. That holds where a bucket has less of the same, where there is none,
        // and for a probe that is years behind. The gap between two reports of the 11th is as good as any.
        let before = sums(&reports).await;
        let port = batch.ports.iter().find(|port| port.time < midnight(12)).unwrap();
        let too_late = [
            Port { raw_count: 1_000, ..*port },
            Port { time: midnight(1), ..*port },
            Port { time: "2001-01-01T00:00:00Z".parse().unwrap(), ..*port },
        ];
        let too_late = Batch { ports: too_late.to_vec(), ..Batch::default() };
        for aggregated_first in [true, false] {
            reports.insert(&too_late, None).await.unwrap();
            if aggregated_first {
                assert_eq!(aggregate(&reports).await, 0);
                assert_eq!(faults(&reports).await, []);
                rebuild(&reports, Ports, Quarterly, always(), false).await;
                assert_eq!(sums(&reports).await, before);
            }
            assert_eq!(reports.rollup().forget_reports(now()).await.unwrap().rows, 3);
            aggregate(&reports).await;
            assert_eq!((sums(&reports).await, faults(&reports).await), (before.clone(), vec![]));
        }
    }

    async fn reports_of_no_valid_time_harm_nothing_and_are_deleted(deployment: Deployment) {
        let settings = Settings { keep: Some(TimeDelta::days(2)), ..Settings::default() };
        let reports = Reports::open(&deployment.database_url, settings).unwrap();
        reports.migrate().await.unwrap();
        let (past, future): (&[&str], &[&str]) = match deployment.backend {
            sview_testing::Backend::Embedded => (&["-9223372036854775808", "-1"], &["9223372036854775807", "'infinity'"]),
            sview_testing::Backend::Production => (
                &["'-infinity'", "'4713-01-01 00:00:00+00 BC'", "'1969-12-31 23:59:59+00'"],
                &["'infinity'", "'294276-12-31 00:00:00+00'"],
            ),
        };
        // Where nothing else is, too.
        for valid in [false, true] {
            for table in ["ports", "ports_quarterly", "ports_hourly", "ports_daily"] {
                for time in past.iter().chain(future) {
                    deployment.sql(&format!("INSERT INTO {table} (time, raw_count, port, protocol) VALUES ({time}, 1, 23, 'TCP')")).await;
                }
            }
            if valid {
                reports.insert(&five_days(), None).await.unwrap();
            }
            aggregate(&reports).await;
            assert_eq!(faults(&reports).await, []);
            for precision in Precision::AGGREGATED {
                let span = reports.rollup().mark_history(Ports, *precision).await.unwrap();
                assert_eq!(span.is_some(), valid, "{span:?}");
                assert_eq!(rebuild(&reports, Ports, *precision, always(), false).await.1, []);
            }
            assert_eq!(aggregate(&reports).await, 0);
            assert_eq!(faults(&reports).await, []);
        }
        let old = five_days().ports.iter().filter(|port| port.time < Daily.floor(now() - TimeDelta::days(2))).count();
        assert_eq!(reports.rollup().forget_reports(now()).await.unwrap().rows, 2 * (old + past.len()) as u64);
        assert_eq!(faults(&reports).await, []);
    }

    async fn history_is_looked_at_again_and_counted_once(deployment: Deployment) {
        let reports = open(&deployment).await;
        assert_eq!(reports.rollup().mark_history(Incidents, Hourly).await.unwrap(), None, "aggregation has not begun");
        reports.insert(&five_days(), None).await.unwrap();
        aggregate(&reports).await;
        let before = sums(&reports).await;
        let hour = time(&deployment, "2026-03-12T10:00:00Z");
        deployment.sql(&format!("DELETE FROM incidents_hourly WHERE time = {hour}")).await;
        assert_eq!(aggregate(&reports).await, 0, "nobody has told of it");
        let span = reports.rollup().mark_history(Incidents, Hourly).await.unwrap().unwrap();
        assert_eq!(span.finish, Hourly.due_to(now()));
        let pending = reports.rollup().differences(Incidents, Hourly, None).await.unwrap();
        assert_eq!(pending.iter().map(|d| d.excuse).collect::<Vec<_>>(), [Some(ExpectedDifference::Pending)]);
        // Differences that aggregation does not repair are wrong, whether it looks at them again or not.
        let doubled = time(&deployment, "2026-03-12T11:00:00Z");
        let double = format!("INSERT INTO incidents_hourly SELECT * FROM incidents_hourly WHERE time = {doubled}");
        assert!(deployment.sql(&double).await > 0);
        let found = faults(&reports).await;
        assert_eq!(found.iter().map(|(.., what, at)| (*what, at.as_str())).collect::<Vec<_>>(), [
            ("rows", "12 11:00"), ("tally", "12 10:00"), ("tally", "12 11:00")
        ]);
        let hour = Span::new("2026-03-12T11:00:00Z".parse().unwrap(), "2026-03-12T12:00:00Z".parse().unwrap());
        rebuild(&reports, Incidents, Hourly, hour, false).await;
        assert!(aggregate(&reports).await > 0);
        assert_eq!(sums(&reports).await, before);
        for _ in 0..3 {
            for precision in Precision::AGGREGATED {
                reports.rollup().mark_history(Incidents, *precision).await.unwrap();
            }
            assert_eq!(aggregate(&reports).await, 0, "nothing is counted twice");
        }
        assert_eq!(faults(&reports).await, []);
    }

    async fn values_are_due_again_when_buckets_of_an_older_program_have_tallies(deployment: Deployment) {
        let reports = filled(&deployment).await;
        let revisions = async || reports.rollup().coverage().await.unwrap().iter().filter_map(|c| c.revision).sum::<i64>();
        let (before, hour) = (revisions().await, "2026-03-12T10:00:00Z".parse::<DateTime<Utc>>().unwrap().timestamp_micros());
        deployment.sql(&format!("DELETE FROM sview_tally WHERE kind = 'ports' AND precision = 'hourly' AND bucket = {hour}")).await;
        reports.rollup().mark_history(Ports, Hourly).await.unwrap();
        assert_eq!(aggregate(&reports).await, 0, "the rows are there");
        assert_eq!((faults(&reports).await, revisions().await), (vec![], before + 1));
        reports.rollup().mark_history(Ports, Hourly).await.unwrap();
        aggregate(&reports).await;
        assert_eq!(revisions().await, before + 1, "nothing was made");
    }

    async fn what_a_clock_that_ran_ahead_forgot_counts_when_it_comes(deployment: Deployment) {
        let settings = Settings { keep: Some(TimeDelta::days(1)), ..Settings::default() };
        let reports = Reports::open(&deployment.database_url, settings).unwrap();
        reports.migrate().await.unwrap();
        reports.insert(&five_days(), None).await.unwrap();
        let ahead = now() + TimeDelta::days(400);
        while matches!(reports.rollup().aggregate(Ports, Quarterly, ahead).await.unwrap(), Step::Built { .. }) {}
        assert_eq!(reports.rollup().forget_reports(ahead).await.unwrap().rows, 1_000, "they are aggregated, and old by that clock");
        // It is set right; five hours later there are reports of the hours between.
        aggregate(&reports).await;
        let later = now() + TimeDelta::hours(5);
        let ports = (1..5).map(|hour| Port { time: now() + TimeDelta::hours(hour), ..five_days().ports[0] }).collect();
        reports.insert(&Batch { ports, ..Batch::default() }, None).await.unwrap();
        while matches!(reports.rollup().aggregate(Ports, Quarterly, later).await.unwrap(), Step::Built { .. }) {}
        assert_eq!(reports.bucket_sums(Ports, Quarterly).await.unwrap().iter().sum::<i64>(), 2 * (1_000 + 4));
    }

    async fn no_report_is_deleted_before_it_counts(deployment: Deployment) {
        let settings = Settings { keep: Some(TimeDelta::days(1)), reread: TimeDelta::zero(), ..Settings::default() };
        let reports = Reports::open(&deployment.database_url, settings).unwrap();
        reports.migrate().await.unwrap();
        aggregate(&reports).await;
        // Whoever forgets knows of the day that is being fed, so that nothing comes too late; all before it is to go at once.
        let fed = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(0));
        let (a, b, day) = (reports.clone(), reports.clone(), fed.clone());
        let feeding = tokio::spawn(async move {
            let mut all = five_days().ports;
            all.reverse();
            for ports in all.chunks(10) {
                day.store(ports[0].time.timestamp(), std::sync::atomic::Ordering::SeqCst);
                a.insert(&Batch { ports: ports.to_vec(), ..Batch::default() }, None).await.unwrap();
            }
            day.store(i64::MAX, std::sync::atomic::Ordering::SeqCst);
        });
        let forgetting = tokio::spawn(async move {
            let mut rows = 0;
            loop {
                let at = fed.load(std::sync::atomic::Ordering::SeqCst);
                let Some(at) = DateTime::from_timestamp(at, 0) else { return rows };
                rows += b.rollup().forget_reports(at + TimeDelta::days(1)).await.unwrap().rows;
                tokio::task::yield_now().await;
            }
        });
        while !feeding.is_finished() {
            aggregate(&reports).await;
        }
        feeding.await.unwrap();
        let deleted = forgetting.await.unwrap();
        aggregate(&reports).await;
        assert!(deleted + reports.rollup().forget_reports(now()).await.unwrap().rows > 500);
        // Two of each, but for those of the quarter that is not over.
        let sums = reports.bucket_sums(Ports, Quarterly).await.unwrap();
        let open = five_days().ports.iter().filter(|port| port.time >= Quarterly.due_to(now())).count();
        assert_eq!(sums.iter().sum::<i64>(), 2 * (1_000 - i64::try_from(open).unwrap()));
    }

    async fn rebuilding_beside_aggregation_and_late_reports_counts_once(deployment: Deployment) {
        let reports = filled(&deployment).await;
        let (a, b, c) = (reports.clone(), reports.clone(), reports.clone());
        let feeding = tokio::spawn(async move {
            for chunk in five_days().incidents.chunks(50) {
                a.insert(&Batch { incidents: chunk.to_vec(), ..Batch::default() }, None).await.unwrap();
            }
        });
        let aggregating = tokio::spawn(async move {
            for _ in 0..5 {
                aggregate(&b).await;
            }
        });
        for _ in 0..3 {
            for precision in Precision::AGGREGATED {
                assert_eq!(rebuild(&c, Incidents, *precision, always(), false).await.1, []);
            }
        }
        feeding.await.unwrap();
        aggregating.await.unwrap();
        aggregate(&reports).await;
        assert_eq!(faults(&reports).await, []);
    }
}

/// The sums of the buckets of incidents in every precision.
async fn sums(reports: &Reports) -> Vec<Vec<i64>> {
    let mut all = Vec::new();
    for precision in Precision::AGGREGATED {
        all.push(reports.bucket_sums(Incidents, *precision).await.unwrap());
    }
    all
}
