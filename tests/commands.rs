//! The commands of an operator, over both ways to deploy: what they print, what they change, how they end.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::fmt::Write as _;
use std::process::Output;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sview::Services;
use sview_jobs::{
    Aggregate, CacheGroup, Cause, ForgetReports, Job, Outcome, PRODUCERS, Queues, State, Take, WorkerSettings, run_now,
    work_until_idle,
};
use sview_model::{Kind, Period, Precision, Queue, Request};
use sview_testing::{Backend, Deployment, both, run, sview, told};

#[path = "shared/places.rs"]
mod places;

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
const NOW: &str = "2026-03-15T12:34:56Z";

/// Text that could do harm in a terminal, in a file or in a key.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[31m\u{9b}2J\u{202e};#:*{x}'\"\n<b>";

fn now() -> DateTime<Utc> {
    NOW.parse().unwrap()
}

fn call(deployment: &Deployment, args: &[&str]) -> Output {
    sview(SVIEW, deployment, args).env("SVIEW_NOW", NOW).output().unwrap()
}

/// Returns the output of a command that ends with this exit code.
fn text(deployment: &Deployment, args: &[&str], code: i32) -> String {
    let out = call(deployment, args);
    assert_eq!(out.status.code(), Some(code), "{args:?}: {}", told(&out));
    assert!(!told(&out).contains("panicked"), "{args:?}: {}", told(&out));
    String::from_utf8(out.stdout).unwrap()
}

/// Returns the output of a successful command with `--json`.
fn json(deployment: &Deployment, args: &[&str]) -> Value {
    json_ending(deployment, args, 0)
}

fn json_ending(deployment: &Deployment, args: &[&str], code: i32) -> Value {
    let text = text(deployment, &[args, &["--json"]].concat(), code);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}: {text}"))
}

fn ingest(deployment: &Deployment) {
    let (mut passwords, mut ports) =
        ("time,raw_count,username,password\n".to_owned(), "time,raw_count,port,protocol\n".to_owned());
    for i in 0..300 {
        let time = (now() - TimeDelta::minutes(10 * i)).to_rfc3339();
        writeln!(passwords, "{time},{},root,secret{}", 1 + i % 3, i % 4).unwrap();
        writeln!(ports, "{time},2,{},TCP", 20 + i % 4).unwrap();
    }
    for (name, rows) in [("passwords.csv", passwords), ("ports.csv", ports)] {
        let path = deployment.data_dir.join(name);
        std::fs::write(&path, rows).unwrap();
        run(sview(SVIEW, deployment, &["ingest", path.to_str().unwrap()]).env("SVIEW_NOW", NOW));
    }
}

/// A deployment in which everything is aggregated and cached.
fn settle(deployment: &Deployment) {
    ingest(deployment);
    let worked = json(deployment, &["refresh", "--wait"]);
    assert_eq!(worked["dead"], Value::Array(vec![]));
    assert!(worked["queued"].as_u64().unwrap() > 0);
}

async fn services(deployment: &Deployment) -> Services {
    places::services(deployment, NOW, &[]).await
}

/// Has a job die.
async fn die<J: Job>(queues: &Queues, job: &J) {
    queues.enqueue(job, &Cause::Operator).await.unwrap();
    let Take::Job(taken) =
        queues.ledger().take(&[job.queue().into()], "w", std::time::Duration::from_secs(60)).await.unwrap()
    else {
        panic!("nothing to take")
    };
    let outcome = Outcome::Dead { error: format!("failed on {HOSTILE}") };
    assert!(queues.ledger().finish(&taken.claim, &outcome).await.unwrap().held());
}

/// All that a dry run must leave as it is.
fn state(deployment: &Deployment) -> [Value; 4] {
    [
        json(deployment, &["view-jobs"]),
        json(deployment, &["view-timeouts"]),
        json(deployment, &["rollup", "verify"]),
        json(deployment, &["view-cache"])["missing"].clone(),
    ]
}

fn length(value: &Value) -> usize {
    value.as_array().unwrap().len()
}

/// A moment as the database's `time`.
fn time(deployment: &Deployment, text: &str) -> String {
    match deployment.backend {
        Backend::Embedded => text.parse::<DateTime<Utc>>().unwrap().timestamp_micros().to_string(),
        Backend::Production => format!("timestamptz '{text}'"),
    }
}

both! {
    async fn a_dry_run_tells_and_changes_nothing(deployment: Deployment) {
        ingest(&deployment);
        let before = state(&deployment);
        for (args, queued) in [
            (&["refresh", "-d"][..], 6), (&["aggregate-period", "quarterly", "-d"], 3), (&["aggregate-period", "daily", "-d"], 0),
            (&["cache-period", "1h", "-d"], 3), (&["cache-period", "1y", "-d"], 0),
            (&["cache-resource", "all_ports_by_scans_graph", "1h", "-d"], 1),
            (&["cache-resource", "selected_attacker_incidents_graph", "1h", "--ip", "192.0.2.1", "-d"], 1),
            (&["migrate-period", "quarterly", "-d"], 3),
        ] {
            let told = json(&deployment, args);
            assert_eq!((told["dry_run"].clone(), told["queued"].clone()), (Value::Bool(true), queued.into()), "{args:?}: {told}");
            for job in told["jobs"].as_array().unwrap() {
                assert!(job["verdict"] == "queue" || (job["why"].is_string() && job["reason"].is_string()), "{job}");
            }
        }
        assert_eq!(state(&deployment), before);

        settle(&deployment);
        die(&services(&deployment).await.jobs.queues, &Aggregate { kind: Kind::Ports, precision: Precision::Daily }).await;
        let before = state(&deployment);
        assert_eq!(length(&before[3]), 0, "all is cached");
        let told = json(&deployment, &["clear-cache", "-d"]);
        assert_eq!((told["cleared"].clone(), length(&told["keys"])), (161.into(), 161));
        let told = json(&deployment, &["clear-timeouts", "resource", "1w", "-d"]);
        assert_eq!((told["values"].clone(), told["failures"].clone()), (23.into(), 0.into()));
        let told = json(&deployment, &["clear-timeouts", "aggregation", "daily", "-d"]);
        assert_eq!((told["failures"].clone(), told["keys"][0].clone()), (1.into(), "aggregate:ports:daily".into()));
        let told = json(&deployment, &["migrate-period", "hourly", "-d"]);
        assert_eq!(told["queued"], 2, "there are no incidents: {told}");
        let told = json(&deployment, &["rollup", "rebuild", "-d"]);
        assert!(told["rebuilt"].as_array().unwrap().iter().any(|a| a["rows"].as_u64() > Some(0)), "{told}");
        assert_eq!(state(&deployment), before);
    }

    async fn suggestions_are_queued_once_and_shown_as_jobs(deployment: Deployment) {
        ingest(&deployment);
        assert_eq!(json(&deployment, &["aggregate-period", "quarterly"])["queued"], 3);
        let again = json(&deployment, &["aggregate-period", "quarterly"]);
        assert_eq!((again["queued"].clone(), again["jobs"][0]["reason"].clone()), (0.into(), "same-job".into()));
        let coarser = json(&deployment, &["aggregate-period", "hourly"]);
        assert_eq!(coarser["jobs"][0]["reason"], "built-on", "{coarser}");
        assert_eq!(json(&deployment, &["cache-period", "1h"])["queued"], 3);
        let password = ["cache-resource", "selected_password_by_usages_graph", "1y", "--password", "secret1"];
        assert_eq!(json(&deployment, &password)["queued"], 1);
        assert_eq!(json(&deployment, &password)["jobs"][0]["reason"], "same-job");

        let jobs = |args: &[&str]| length(&json(&deployment, &[&["view-jobs"], args].concat())["jobs"]);
        assert_eq!(jobs(&[]), 7);
        assert_eq!(jobs(&["--queue", "aggregation"]), 3);
        assert_eq!(jobs(&["--state", "running,done"]), 0);
        assert_eq!(jobs(&["--state", "queued", "--name", "cache-group"]), 3);
        assert_eq!(jobs(&["--text", "SELECTED_PASSWORD"]), 1);
        assert_eq!(jobs(&["--text", "SECRET1"]), 0, "jobs name what visitors may look up by a hash");
        assert_eq!(jobs(&["--limit", "2"]), 2);
        let job = json(&deployment, &["view-jobs", "--queue", "aggregation", "--limit", "1"])["jobs"][0].clone();
        for field in ["id", "name", "queue", "state", "job", "cause", "attempts", "max_attempts", "created_at", "run_at",
            "started_at", "finished_at", "worker", "cancel_asked", "waited_seconds", "ran_seconds", "errors"] {
            assert!(job.get(field).is_some(), "{field}");
        }
        assert_eq!((job["cause"].clone(), job["state"].clone()), ("command aggregate-period".into(), "queued".into()));
        assert!(text(&deployment, &["view-jobs"], 0).contains("7 jobs"));
    }

    async fn the_cache_is_shown_cleared_and_made_again(deployment: Deployment) {
        ingest(&deployment);
        let empty = json(&deployment, &["view-cache"]);
        assert_eq!((length(&empty["cached"]), length(&empty["missing"]), empty["bytes"].clone()), (0, 161, 0.into()));
        assert!(text(&deployment, &["view-cache"], 0).contains("161 of 161 precached values are missing"));
        run(sview(SVIEW, &deployment, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
        let full = json(&deployment, &["view-redis-cache"]);
        assert_eq!((length(&full["cached"]), length(&full["missing"])), (161, 0));
        for value in full["cached"].as_array().unwrap() {
            assert!(value["bytes"].as_u64() > Some(1) && value["ttl_seconds"].as_u64() > Some(60), "{value}");
            assert_eq!((value["age_seconds"].clone(), value["stale"].clone()), (0.into(), Value::Bool(false)), "{value}");
        }
        assert_eq!(json(&deployment, &["clear-redis-cache"])["cleared"], 161);
        assert_eq!(length(&json(&deployment, &["view-cache"])["cached"]), 0);
        assert!(text(&deployment, &["clear-cache"], 0).contains("0 cached values deleted"));
        let timeouts = json(&deployment, &["view-timeouts"]);
        let missing = &timeouts["values"][0];
        assert_eq!((missing["cached"].clone(), missing["overdue"].clone()), (Value::Bool(false), Value::Bool(true)));
        assert_eq!(json(&deployment, &["refresh"])["queued"], 21, "a job for each kind and period");
    }

    async fn timeouts_tell_what_is_due_and_are_cleared(deployment: Deployment) {
        settle(&deployment);
        let timeouts = json(&deployment, &["view-timeouts"]);
        assert_eq!((length(&timeouts["aggregations"]), length(&timeouts["values"])), (9, 161));
        assert_eq!(timeouts["aggregations"][0]["due_at"], "2026-03-15T12:48:00Z");
        assert_eq!(timeouts["aggregations"][0]["aggregated_to"], "2026-03-15T12:30:00Z");
        let overdue = json(&deployment, &["view-timeouts", "--overdue"]);
        assert_eq!((length(&overdue["aggregations"]), length(&overdue["values"])), (0, 0));
        assert!(text(&deployment, &["view-timeouts"], 0).contains("0 aggregations and 0 values are due"));

        assert_eq!(json(&deployment, &["cache-period", "1w"])["queued"], 0);
        assert_eq!(json(&deployment, &["clear-timeouts", "resource", "1w"])["values"], 23);
        let overdue = json(&deployment, &["view-timeouts", "--overdue"]);
        assert_eq!((length(&overdue["aggregations"]), length(&overdue["values"])), (0, 23));
        assert_eq!(json(&deployment, &["view-cache"])["missing"], Value::Array(vec![]), "the values are there still");
        assert_eq!(json(&deployment, &["cache-period", "1w", "-d"])["queued"], 3);

        // Failures hold off until they are forgotten: of values by their period, of aggregations by their precision.
        let queues = services(&deployment).await.jobs.queues;
        die(&queues, &CacheGroup { kind: Kind::Ports, period: Period::Week }).await;
        die(&queues, &Aggregate { kind: Kind::Ports, precision: Precision::Hourly }).await;
        assert_eq!(json(&deployment, &["cache-period", "1w", "-d"])["queued"], 2);
        assert_eq!(json(&deployment, &["clear-timeouts", "resource", "1w"])["failures"], 1);
        assert_eq!(json(&deployment, &["cache-period", "1w", "-d"])["queued"], 3);
        run(sview(SVIEW, &deployment, &["migrate-period", "hourly"]).env("SVIEW_NOW", NOW));
        let held = json(&deployment, &["aggregate-period", "hourly"]);
        let reasons: Vec<_> = held["jobs"].as_array().unwrap().iter().map(|j| j["reason"].clone()).collect();
        assert_eq!(reasons, ["up-to-date", "same-job", "held-off"]);
        assert_eq!(json(&deployment, &["clear-timeouts", "aggregation", "quarterly"])["failures"], 0);
        assert_eq!(json(&deployment, &["clear-timeouts", "aggregation", "hourly"])["failures"], 1);
        assert_eq!(json(&deployment, &["aggregate-period", "hourly"])["queued"], 1);
    }

    async fn damage_is_found_and_mended(deployment: Deployment) {
        settle(&deployment);
        let verified = json(&deployment, &["rollup", "verify"]);
        assert_eq!((length(&verified["verified"]), length(&verified["differences"])), (9, 0));
        assert!(text(&deployment, &["rollup", "verify"], 0).contains("no differences"));

        let (hour, day) = (time(&deployment, "2026-03-15T08:00:00Z"), time(&deployment, "2026-03-14T00:00:00Z"));
        assert!(deployment.sql(&format!("DELETE FROM passwords_hourly WHERE time = {hour} AND password = 'secret1'")).await > 0);
        assert!(deployment.sql(&format!("INSERT INTO ports_daily SELECT * FROM ports_daily WHERE time = {day}")).await > 0);
        let found = json_ending(&deployment, &["rollup", "verify"], 1);
        let found: Vec<_> = found["differences"].as_array().unwrap().iter().map(|d| {
            assert!(d["expected"].is_u64() && d["found"].is_u64(), "{d}");
            ["kind", "precision", "what", "problem", "bucket"].map(|field| d[field].as_str().unwrap().to_owned())
        }).collect();
        let damage = [
            ["passwords", "hourly", "rows", "too-little", "2026-03-15T08:00:00Z"],
            ["passwords", "hourly", "tally", "too-much", "2026-03-15T08:00:00Z"],
            ["ports", "daily", "rows", "too-much", "2026-03-14T00:00:00Z"],
            ["ports", "daily", "tally", "too-little", "2026-03-14T00:00:00Z"],
        ];
        assert_eq!(found, damage);
        assert!(text(&deployment, &["rollup", "verify"], 1).contains("4 differences"));
        let narrowed = |args: &[&str], code| {
            length(&json_ending(&deployment, &[&["rollup", "verify"], args].concat(), code)["differences"])
        };
        assert_eq!(narrowed(&["--kind", "ports"], 1), 2);
        assert_eq!(narrowed(&["--precision", "quarterly"], 0), 0);
        assert_eq!(narrowed(&["--from", "2026-03-15"], 1), 2);
        assert_eq!(narrowed(&["--from", "2026-03-15T08:30:00Z", "--to", "2026-03-15T08:31:00Z", "--kind", "passwords"], 1), 2);
        assert_eq!(narrowed(&["--to", "2026-03-14"], 0), 0);

        let rebuilt = json(&deployment, &["rollup", "rebuild", "--from", "2026-03-14", "--to", "2026-03-16"]);
        assert_eq!(length(&rebuilt["rebuilt"]), 9);
        assert!(rebuilt["rebuilt"].as_array().unwrap().iter().all(|a| length(&a["refused"]) == 0), "{rebuilt}");
        // The aggregations look at marked buckets, and find nothing to do.
        run(sview(SVIEW, &deployment, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
        assert_eq!(json(&deployment, &["rollup", "verify"])["pending"], 0);
    }

    async fn what_was_deleted_is_not_lost_by_rebuilding_unless_that_is_meant(deployment: Deployment) {
        settle(&deployment);
        let day = time(&deployment, "2026-03-15T00:00:00Z");
        assert!(deployment.sql(&format!("DELETE FROM passwords WHERE time < {day}")).await > 0);
        let verified = json(&deployment, &["rollup", "verify"]);
        assert!(verified["gone"].as_u64() > Some(0), "{verified}");
        let of_passwords = ["rollup", "rebuild", "--kind", "passwords"];
        let refused = json_ending(&deployment, &of_passwords, 1);
        let refused: Vec<_> = refused["rebuilt"].as_array().unwrap().iter().map(|a| length(&a["refused"]) > 0).collect();
        assert_eq!(refused, [true, false, false], "hours are made from quarters, which are there");
        assert!(text(&deployment, &of_passwords, 1).contains("refused"));
        assert_eq!(json(&deployment, &["rollup", "verify"])["gone"], verified["gone"], "nothing is lost");
        text(&deployment, &[&of_passwords[..], &["--force"]].concat(), 2);
        let forced = [&of_passwords[..], &["--force", "--from", "2026-03-01", "--to", "2026-03-16"]].concat();
        text(&deployment, &forced, 0);
        assert_eq!(json(&deployment, &["rollup", "verify"])["gone"], 0);
    }

    async fn history_is_migrated_any_number_of_times_and_counted_once(deployment: Deployment) {
        ingest(&deployment);
        let told = text(&deployment, &["migrate-period", "quarterly"], 0);
        assert!(told.contains("the first aggregation covers all of history") && told.contains("3 queued"), "{told}");
        run(sview(SVIEW, &deployment, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
        let hour = time(&deployment, "2026-03-15T08:00:00Z");
        assert!(deployment.sql(&format!("DELETE FROM passwords_hourly WHERE time = {hour}")).await > 0);
        for queued in [2, 2] {
            assert_eq!(json(&deployment, &["migrate-period", "hourly"])["queued"], queued);
            run(sview(SVIEW, &deployment, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
            let verified = json(&deployment, &["rollup", "verify"]);
            assert_eq!((length(&verified["differences"]), verified["pending"].clone()), (0, 0.into()));
        }
    }

    async fn as_many_jobs_are_remembered_as_told(deployment: Deployment) {
        settle(&deployment);
        let done = async |services: &Services| {
            let counts = services.jobs.queues.ledger().counts().await.unwrap();
            counts.iter().map(|counts| counts.of(State::Done)).collect::<Vec<_>>()
        };
        let by_default = services(&deployment).await;
        by_default.jobs.queues.ledger().vacuum().await.unwrap();
        let before = done(&by_default).await;
        assert!(before.iter().all(|n| *n > 3), "{before:?}");
        let few = places::services(&deployment, NOW, &["--keep-jobs", "3"]).await;
        few.jobs.queues.ledger().vacuum().await.unwrap();
        assert_eq!(done(&few).await, [3, 3, 3]);
    }

    async fn old_reports_are_deleted_where_that_is_asked_for_and_their_numbers_stay(deployment: Deployment) {
        settle(&deployment);
        let rows = async || deployment.sql("UPDATE ports SET raw_count = raw_count").await;
        let retention = PRODUCERS.iter().find(|producer| producer.name == "retention").unwrap();
        let run = async |services: &Services| {
            let told = run_now(&services.jobs, retention, Cause::Operator).await.unwrap();
            let worked = work_until_idle(&services.jobs, &Cause::Operator, 1, &WorkerSettings::default()).await.unwrap();
            assert!(worked.dead.is_empty(), "{:?}", worked.dead);
            told
        };
        assert_eq!(run(&services(&deployment).await).await, "reports are kept for good");
        // A worker that was not told refuses what a scheduler that was wants.
        let by_default = services(&deployment).await;
        by_default.jobs.queues.enqueue(&ForgetReports {}, &Cause::Operator).await.unwrap();
        let worked = work_until_idle(&by_default.jobs, &Cause::Operator, 1, &WorkerSettings::default()).await.unwrap();
        assert!(format!("{:?}", worked.dead).contains("say the same SVIEW_KEEP_REPORTS_DAYS"), "{:?}", worked.dead);
        assert_eq!(rows().await, 300);
        let values = async || {
            let (services, mut all) = (services(&deployment).await, Vec::new());
            for period in Period::ALL {
                let request = Request::plain("top_ports_by_scans_list_long".parse().unwrap(), *period).unwrap();
                all.push(services.reports.statistics().compute(&request, now()).await.unwrap().data);
            }
            all
        };
        let before = values().await;
        assert!(run(&places::services(&deployment, NOW, &["--keep-reports-days", "1"]).await).await.contains("1 job queued"));
        // On the 13th and before nothing is left: ten minutes apart, from 12:34 on the 15th back.
        assert_eq!(rows().await, 6 * (24 + 12) + 4);
        text(&deployment, &["rollup", "verify"], 0);
        assert_eq!(values().await, before);
    }

    async fn no_control_character_reaches_a_terminal(deployment: Deployment) {
        ingest(&deployment);
        let password = ["cache-resource", "selected_password_by_usages_graph", "1h", "--password", HOSTILE];
        let mut all = vec![call(&deployment, &[&password[..], &["-d"]].concat()), call(&deployment, &password)];
        die(&services(&deployment).await.jobs.queues, &CacheGroup { kind: Kind::Ports, period: Period::Month }).await;
        for args in [
            &["view-jobs"][..], &["view-jobs", "--json"], &["view-cache"], &["view-timeouts"], &["refresh", "-d", "--all"], &["status"],
            &["status", "--json"],
        ] {
            all.push(sview(SVIEW, &deployment, args).env("SVIEW_NOW", NOW).env("CLICOLOR_FORCE", "1").output().unwrap());
        }
        assert!(told(&all[2]).contains("owned") && told(&all[3]).contains("owned"), "{}", told(&all[2]));
        assert!(told(&all[2]).contains("\u{1b}[1m"), "colours, where they are wanted: {}", told(&all[2]));
        for output in all {
            let mut text = String::from_utf8(output.stdout).unwrap();
            for colour in ["0", "1", "2", "31", "32", "33"] {
                text = text.replace(&format!("\u{1b}[{colour}m"), "");
            }
            let control = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(control), "{text:?}");
        }
        assert!(!told(&call(&deployment, &["view-jobs"])).contains('\u{1b}'), "no colours where there is no terminal");
    }

    async fn exit_codes_tell_how_it_went(deployment: Deployment) {
        for args in [
            &["aggregate-period", "native"][..], &["cache-period", "2h"], &["migrate-period", "1h"], &["view-jobs", "--state", "asleep"],
            &["clear-timeouts"], &["clear-timeouts", "resource", "daily"], &["rollup", "verify", "--from", "yesterday"],
            &["cache-resource", "nonsense", "1h"], &["rollup", "rebuild", "--force", "--from", "2026-01-01"],
        ] {
            assert!(text(&deployment, args, 2).is_empty(), "{args:?}");
        }
        // Resources about devices are for their owners.
        text(&deployment, &["cache-resource", "my_all_incidents_graph", "1h"], 1);
        text(&deployment, &["cache-resource", "all_incidents_graph", "1h", "--ip", "192.0.2.1"], 1);
        text(&deployment, &["rollup", "verify", "--from", "2026-03-02", "--to", "2026-03-01"], 2);
        text(&deployment, &["rollup", "rebuild", "--from", "2026-03-02", "--to", "2026-03-01"], 1);
        let away = ["--database-url", "postgres://nobody@127.0.0.1:1/none"];
        text(&deployment, &[&["rollup", "verify"][..], &away].concat(), 2);
        text(&deployment, &[&["view-timeouts"][..], &away].concat(), 1);
    }

    async fn a_full_queue_is_an_error_that_says_so(deployment: Deployment) {
        let queues = services(&deployment).await.jobs.queues;
        let mut job = sview_jobs::NewJob {
            id: None,
            name: "probe".into(), queue: Queue::QuickCache.into(), key: String::new(), payload: "{}".into(), words: "probe".into(),
            cause: "test".into(), max_attempts: 1, delay: std::time::Duration::ZERO,
            room: u64::MAX, on_demand: false,
        };
        for i in 0..5_000 {
            job.key = format!("probe:{i}");
            queues.ledger().push(&job).await.unwrap();
        }
        let told = json_ending(&deployment, &["cache-period", "1h"], 1);
        assert_eq!(told["jobs"][0]["reason"], "queue-full", "{told}");
    }
}

#[test]
fn every_command_names_its_aliases_and_exit_codes() {
    let help = run(std::process::Command::new(SVIEW).arg("--help"));
    for name in ["view-redis-cache", "clear-redis-cache", "rollup", "clear-timeouts"] {
        assert!(help.contains(name), "{name}");
    }
    for args in [
        &["aggregate-period"][..],
        &["cache-period"],
        &["cache-resource"],
        &["refresh"],
        &["migrate-period"],
        &["status"],
        &["view-jobs"],
        &["view-timeouts"],
        &["view-redis-cache"],
        &["clear-redis-cache"],
        &["clear-timeouts", "aggregation"],
        &["clear-timeouts", "resource"],
        &["rollup", "verify"],
        &["rollup", "rebuild"],
        &["geoip"],
    ] {
        let help = run(std::process::Command::new(SVIEW).args(args).arg("--help"));
        assert!(help.contains("Exit code: 0") && help.contains("JSON") && help.contains("Example"), "{args:?}: {help}");
    }
}
