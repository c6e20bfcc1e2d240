//! Tests of inspection and administration of jobs.

use std::time::Duration;

use apalis_ledger::{
    CancelOutcome, Filter, JobId, KEPT_ACTIONS, NewAction, NewJob, Outcome, ProcessInfo, Pushed, Renewed, State,
    WorkerInfo, kinds_of_runs, machine_now,
};
use chrono::{DateTime, Utc};

use crate::lab::{QUEUES, QUICK, SLOW, URGENT, both, new_job};

both! {
    async fn records_tell_everything_and_are_listed_newest_first(lab: Lab) {
        let hostile = NewJob {
            words: "caching of \u{1b}[31m<b>\n".into(), payload: r#"{"p":"ž\u0000'\""}"#.into(), ..new_job(SLOW, "h")
        };
        for job in [new_job(QUICK, "a"), hostile, new_job(QUICK, "b"), new_job(URGENT, "c")] {
            lab.queues.push(&job).await.unwrap();
        }
        let keys = |records: Vec<apalis_ledger::Record>| records.into_iter().map(|r| r.key).collect::<Vec<_>>();
        let list = async |filter: Filter| keys(lab.queues.list(&filter).await.unwrap());
        assert_eq!(list(Filter::default()).await, ["c", "b", "h", "a"]);
        assert_eq!(list(Filter { queue: Some(QUICK), ..Default::default() }).await, ["b", "a"]);
        assert_eq!(list(Filter { text: Some("PROBE B".into()), ..Default::default() }).await, ["b"]);
        assert_eq!(list(Filter { states: vec![State::Done, State::Dead], ..Default::default() }).await, [""; 0]);
        assert_eq!(list(Filter { name: Some("other".into()), ..Default::default() }).await, [""; 0]);
        let page = lab.queues.list(&Filter { limit: 2, ..Default::default() }).await.unwrap();
        assert_eq!(list(Filter { before: Some(page[1].id), ..Default::default() }).await, ["h", "a"]);
        let record = lab.queues.list(&Filter { queue: Some(SLOW), ..Default::default() }).await.unwrap().remove(0);
        assert_eq!(record.words, "caching of \\u{1b}[31m<b>\\n");
        assert_eq!(record.payload, r#"{"p":"ž\u0000'\""}"#);
        assert_eq!((record.cause.as_str(), record.state, record.attempts), ("test", State::Queued, 0));
        assert_eq!(lab.queues.get(JobId::generate()).await.unwrap().map(|r| r.key), None);
    }

    async fn counts_tell_of_every_queue_and_the_oldest_that_waits(lab: Lab) {
        let before = machine_now();
        lab.queues.push(&new_job(QUICK, "a")).await.unwrap();
        lab.queues.push(&new_job(QUICK, "b")).await.unwrap();
        lab.queues.push(&NewJob { delay: Duration::from_secs(9), ..new_job(QUICK, "c") }).await.unwrap();
        lab.take(&[QUICK]).await;
        let counts = lab.queues.counts().await.unwrap();
        assert_eq!(counts.iter().map(|c| c.queue).collect::<Vec<_>>(), QUEUES);
        let quick = &counts[1];
        assert_eq!(
            [State::Queued, State::Scheduled, State::Running, State::Done].map(|state| quick.of(state)), [1, 1, 1, 0]
        );
        assert_eq!((quick.under_way(), counts[0].under_way(), quick.paused), (3, 0, false));
        let oldest = quick.oldest_waiting.unwrap();
        assert!((oldest - before).num_seconds().abs() < 5, "{oldest}");
    }

    async fn a_waiting_job_is_cancelled_and_a_running_one_is_asked_to_end(lab: Lab) {
        let Pushed::Queued(id) = lab.queues.push(&new_job(QUICK, "k")).await.unwrap() else { panic!("held") };
        assert_eq!(lab.queues.cancel(id).await.unwrap(), CancelOutcome::Cancelled);
        assert_eq!(lab.queues.cancel(id).await.unwrap(), CancelOutcome::Ended);
        assert!(lab.nothing(&[QUICK]).await);
        lab.queues.push(&new_job(QUICK, "k")).await.unwrap();
        let taken = lab.take(&[QUICK]).await;
        assert_eq!(lab.queues.cancel(taken.record.id).await.unwrap(), CancelOutcome::Asked);
        assert_eq!(lab.queues.renew(&taken.claim, Duration::from_secs(9)).await.unwrap(), Renewed::CancelAsked);
        assert_eq!(lab.queues.cancel(JobId::generate()).await.unwrap(), CancelOutcome::Unknown);
    }

    async fn a_dead_job_is_retried_with_all_attempts_unless_its_key_is_held(lab: Lab) {
        lab.queues.push(&new_job(QUICK, "k")).await.unwrap();
        let taken = lab.take(&[QUICK]).await;
        let id = taken.record.id;
        lab.queues.finish(&taken.claim, &Outcome::Dead { error: "e".into() }).await.unwrap();
        let Pushed::Queued(newer) = lab.queues.push(&new_job(QUICK, "k")).await.unwrap() else { panic!("held") };
        let held = Pushed::Already { id: newer, state: State::Queued };
        assert_eq!(lab.queues.retry(id).await.unwrap(), Some(held));
        lab.queues.cancel(newer).await.unwrap();
        assert_eq!(lab.queues.retry(id).await.unwrap(), Some(Pushed::Queued(id)));
        assert_eq!(lab.queues.standing(&["k".into()]).await.unwrap()[0].failed_at, None);
        assert!(matches!(lab.queues.push(&new_job(QUICK, "k")).await.unwrap(), Pushed::Already { .. }));
        let taken = lab.take(&[QUICK]).await;
        assert_eq!((taken.record.id, taken.record.attempts, taken.record.errors.len()), (id, 1, 1));
        assert_eq!(lab.queues.retry(JobId::generate()).await.unwrap(), None);
    }

    async fn a_scheduled_job_is_run_now(lab: Lab) {
        let later = NewJob { delay: Duration::from_secs(900), ..new_job(QUICK, "k") };
        let Pushed::Queued(id) = lab.queues.push(&later).await.unwrap() else { panic!("held") };
        assert_eq!(lab.queues.retry(id).await.unwrap(), Some(Pushed::Queued(id)));
        assert_eq!(lab.take(&[QUICK]).await.record.id, id);
    }

    async fn a_failure_is_forgotten_for_the_keys_that_are_named_and_no_others(lab: Lab) {
        for key in ["a", "b"] {
            lab.queues.push(&new_job(QUICK, key)).await.unwrap();
            let taken = lab.take(&[QUICK]).await;
            lab.queues.finish(&taken.claim, &Outcome::Dead { error: "e".into() }).await.unwrap();
        }
        assert_eq!(lab.queues.forget_failures(&[]).await.unwrap(), 0);
        assert_eq!(lab.queues.forget_failures(&["a".into(), "never".into()]).await.unwrap(), 1);
        let standing = lab.queues.standing(&["a".into(), "b".into()]).await.unwrap();
        assert_eq!(standing[0].failed_at, None);
        assert!(standing[1].failed_at.is_some(), "it holds off what it is of");
        assert_eq!(lab.queues.forget_failures(&["a".into()]).await.unwrap(), 0);
    }

    async fn what_runs_is_not_deleted(lab: Lab) {
        lab.queues.push(&new_job(QUICK, "k")).await.unwrap();
        let taken = lab.take(&[QUICK]).await;
        assert!(!lab.queues.delete(taken.record.id).await.unwrap());
        lab.queues.finish(&taken.claim, &Outcome::Done).await.unwrap();
        assert!(lab.queues.delete(taken.record.id).await.unwrap());
        assert!(!lab.queues.delete(taken.record.id).await.unwrap());
        let Pushed::Queued(id) = lab.queues.push(&new_job(QUICK, "k")).await.unwrap() else { panic!("held") };
        assert!(lab.queues.delete(id).await.unwrap());
        assert!(matches!(lab.queues.push(&new_job(QUICK, "k")).await.unwrap(), Pushed::Queued(_)));
    }

    async fn nothing_is_taken_from_a_paused_queue(lab: Lab) {
        lab.queues.pause(URGENT, true).await.unwrap();
        lab.queues.push(&new_job(URGENT, "a")).await.unwrap();
        lab.queues.push(&new_job(QUICK, "q")).await.unwrap();
        assert!(lab.queues.counts().await.unwrap()[0].paused);
        assert_eq!(lab.take(&[URGENT, QUICK]).await.record.key, "q");
        assert!(lab.nothing(&[URGENT, QUICK]).await);
        lab.queues.pause(URGENT, false).await.unwrap();
        assert_eq!(lab.take(&[URGENT, QUICK]).await.record.key, "a");
    }

    async fn workers_are_shown_while_they_live(lab: Lab) {
        let worker = WorkerInfo {
            name: "w1".into(), host: "h".into(), pid: 7, queues: vec![URGENT, QUICK], slots: 2,
            since: machine_now(), running: vec![(JobId::generate(), "caching".into())],
        };
        lab.queues.beat(&worker).await.unwrap();
        lab.queues.beat(&WorkerInfo { name: "w0".into(), ..worker.clone() }).await.unwrap();
        let names = async || {
            lab.queues.workers().await.unwrap().into_iter().map(|(w, _)| w.name).collect::<Vec<_>>()
        };
        assert_eq!(names().await, ["w0", "w1"]);
        assert_eq!(lab.queues.workers().await.unwrap()[1].0, worker);
        lab.queues.gone("w0").await.unwrap();
        assert_eq!(names().await, ["w1"]);
        lab.shift(121_000);
        assert_eq!(names().await, [""; 0]);
    }

    async fn a_worker_that_vanished_is_remembered_for_a_week(lab: Lab) {
        let job = (JobId::generate(), "caching".to_owned());
        let worker = WorkerInfo {
            name: "w1".into(), host: "h".into(), pid: 7, queues: vec![QUICK], slots: 2, since: machine_now(),
            running: vec![job],
        };
        let lost = async || lab.queues.lost_workers().await.unwrap();
        lab.queues.beat(&worker).await.unwrap();
        lab.queues.beat(&WorkerInfo { name: "w2".into(), ..worker.clone() }).await.unwrap();
        assert_eq!(lost().await.len(), 0);
        lab.queues.gone("w2").await.unwrap();
        lab.shift(121_000);
        lab.queues.beat(&WorkerInfo { name: "w3".into(), ..worker.clone() }).await.unwrap();
        lab.queues.vacuum().await.unwrap();
        assert_eq!(lab.queues.workers().await.unwrap().len(), 1);
        let remembered = lost().await;
        assert_eq!((remembered.len(), &remembered[0].0), (1, &worker), "whoever said goodbye is not lost");
        let silent = machine_now() - remembered[0].1;
        assert!(silent.num_seconds().abs() < 60, "{silent}");
        lab.shift(250_000);
        let names: Vec<_> = lost().await.into_iter().map(|(worker, _)| worker.name).collect();
        assert_eq!(names, ["w3", "w1"], "the latest first");
        lab.queues.beat(&worker).await.unwrap();
        assert_eq!(lost().await.len(), 1, "whoever comes back lives");
        lab.shift(250_000 + 7 * 24 * 60 * 60 * 1000 + 1_000);
        lab.queues.vacuum().await.unwrap();
        assert_eq!(lost().await.len(), 0);
    }

    async fn only_the_last_workers_are_remembered(lab: Lab) {
        let worker = WorkerInfo {
            name: String::new(), host: "h".into(), pid: 7, queues: vec![QUICK], slots: 2, since: machine_now(), running: Vec::new(),
        };
        for n in 0..503_i64 {
            lab.shift(n);
            lab.queues.beat(&WorkerInfo { name: format!("w{n}"), ..worker.clone() }).await.unwrap();
        }
        lab.shift(130_000);
        let lost = lab.queues.lost_workers().await.unwrap();
        assert_eq!(lost.len(), 500);
        assert!(!lost.iter().any(|(worker, _)| ["w0", "w1"].contains(&worker.name.as_str())));
    }

    async fn run_times_are_counted_by_kind_and_hour(lab: Lab) {
        let hour = |time: DateTime<Utc>| time.timestamp() / 3600;
        // In the middle of an hour, whenever this runs.
        let middle = 1_800_000 - machine_now().timestamp_millis() % 3_600_000;
        let other = NewJob { name: "other".into(), ..new_job(QUICK, "o") };
        let outcomes = [
            (new_job(QUICK, "a"), 250, Outcome::Done),
            (new_job(QUICK, "b"), 4_000, Outcome::Done),
            (new_job(QUICK, "c"), 60_000, Outcome::Dead { error: "e".into() }),
            (new_job(SLOW, "d"), 500, Outcome::Retry { error: "e".into(), after: Duration::from_secs(900) }),
            (new_job(SLOW, "e"), 500, Outcome::Snoozed { error: "e".into(), after: Duration::from_secs(900) }),
            (new_job(SLOW, "f"), 500, Outcome::Cancelled),
            (other, 3, Outcome::Done),
        ];
        lab.shift(middle);
        let first = lab.queues.time().await.unwrap();
        let mut at = middle;
        for (job, ran, outcome) in outcomes {
            lab.queues.push(&job).await.unwrap();
            let taken = lab.take(&[QUICK, SLOW]).await;
            at += ran;
            lab.shift(at);
            lab.queues.finish(&taken.claim, &outcome).await.unwrap();
        }
        lab.shift(middle + 3_600_000);
        lab.queues.push(&new_job(QUICK, "g")).await.unwrap();
        let taken = lab.take(&[QUICK]).await;
        lab.queues.finish(&taken.claim, &Outcome::Done).await.unwrap();

        let hours = lab.queues.run_hours(first).await.unwrap();
        let told: Vec<_> = hours.iter().map(|h| (hour(h.start) - hour(first), h.name.as_str(), h.done, h.failed)).collect();
        assert_eq!(told, [(0, "other", 1, 0), (0, "probe", 2, 2), (1, "probe", 1, 0)]);
        let kinds = kinds_of_runs(&*lab.queues).await.unwrap();
        let [other, probe] = &kinds[..] else { panic!("{kinds:?}") };
        assert_eq!((probe.name.as_str(), probe.done, probe.failed, probe.hours.len()), ("probe", 3, 2, 25));
        let millis = |time: Option<Duration>| time.unwrap().as_millis();
        // The machine takes its time as well.
        assert!(millis(probe.p50) >= 500 && millis(probe.p50) < 60_000, "{probe:?}");
        assert!(millis(probe.max) >= 60_000 && millis(probe.p95) >= 60_000 && probe.p95 <= probe.max, "{probe:?}");
        assert!(millis(other.max) >= 3, "{other:?}");
        lab.shift(middle + 27 * 3_600_000);
        lab.queues.vacuum().await.unwrap();
        assert_eq!(kinds_of_runs(&*lab.queues).await.unwrap(), []);
    }

    async fn the_attempt_of_a_vanished_worker_has_failed(lab: Lab) {
        lab.queues.push(&new_job(QUICK, "a")).await.unwrap();
        lab.take(&[QUICK]).await;
        for shift in [3_600_000, 7_200_000] {
            lab.shift(shift);
            lab.queues.rescue().await.unwrap();
        }
        let kinds = kinds_of_runs(&*lab.queues).await.unwrap();
        assert_eq!((kinds[0].failed, kinds[0].done, kinds[0].max), (1, 0, None), "{kinds:?}");
    }

    async fn processes_are_shown_while_they_live(lab: Lab) {
        let settings = [("KEEP".to_owned(), "7".to_owned())].into();
        let process = ProcessInfo {
            name: "p1".into(), role: "worker".into(), host: "h".into(), pid: 7, version: "1.0".into(), since: machine_now(), settings,
        };
        lab.queues.announce(&process).await.unwrap();
        lab.queues.announce(&ProcessInfo { name: "p0".into(), ..process.clone() }).await.unwrap();
        let names = async || {
            lab.queues.processes().await.unwrap().into_iter().map(|(p, _)| p.name).collect::<Vec<_>>()
        };
        assert_eq!(names().await, ["p0", "p1"]);
        assert_eq!(lab.queues.processes().await.unwrap()[1].0, process);
        lab.queues.withdraw("p0").await.unwrap();
        assert_eq!(names().await, ["p1"]);
        lab.shift(121_000);
        assert_eq!(names().await, [""; 0]);
        lab.queues.withdraw("p1").await.unwrap();
        lab.queues.announce(&ProcessInfo { name: "p2".into(), ..process }).await.unwrap();
        lab.shift(0);
        assert_eq!(names().await, [""; 0], "whoever comes from the future is silent as well");
    }

    async fn the_ledger_tells_of_its_server(lab: Lab) {
        let server = lab.queues.server().await.unwrap();
        assert!(server.bytes > 0 && server.version.starts_with(|c: char| c.is_ascii_digit()), "{server:?}");
        assert_eq!(server.policy.is_some(), server.kind != "SQLite");
        assert!((server.now - machine_now()).abs() < chrono::TimeDelta::minutes(5), "{server:?}");
    }

    async fn records_are_found_by_the_time_of_their_queueing(lab: Lab) {
        lab.queues.push(&new_job(QUICK, "early")).await.unwrap();
        lab.shift(3_600_000);
        lab.queues.push(&new_job(QUICK, "late")).await.unwrap();
        let middle = machine_now() + Duration::from_secs(1_800);
        let list = async |filter: Filter| {
            lab.queues.list(&filter).await.unwrap().into_iter().map(|r| r.key).collect::<Vec<_>>()
        };
        assert_eq!(list(Filter { from: Some(middle), ..Default::default() }).await, ["late"]);
        assert_eq!(list(Filter { until: Some(middle), ..Default::default() }).await, ["early"]);
    }

    async fn what_ended_is_told_newest_first_with_its_run_time(lab: Lab) {
        let begun = machine_now() - Duration::from_secs(1);
        for (n, outcome) in [Outcome::Done, Outcome::Dead { error: "e".into() }].iter().enumerate() {
            lab.queues.push(&new_job(QUICK, &n.to_string())).await.unwrap();
            let taken = lab.take(&[QUICK]).await;
            lab.shift(lab_shift(n) + 250);
            lab.queues.finish(&taken.claim, outcome).await.unwrap();
            lab.shift(lab_shift(n + 1));
        }
        let Pushed::Queued(id) = lab.queues.push(&new_job(SLOW, "c")).await.unwrap() else { panic!("held") };
        lab.queues.cancel(id).await.unwrap();
        let ended = lab.queues.ended(begun, 10).await.unwrap();
        let told: Vec<_> = ended.iter().map(|e| (e.queue, e.state, e.name.as_str())).collect();
        let all = [
            (SLOW, State::Cancelled, "probe"), (QUICK, State::Dead, "probe"), (QUICK, State::Done, "probe"),
        ];
        assert_eq!(told, all);
        assert_eq!(ended[0].ran, None);
        let ran = ended[1].ran.unwrap();
        assert!((Duration::from_millis(250)..Duration::from_secs(1_800)).contains(&ran), "{ran:?}");
        let later = ended[1].finished_at;
        assert_eq!(lab.queues.ended(later, 10).await.unwrap().len(), 2);
        assert_eq!(lab.queues.ended(begun, 0).await.unwrap().len(), 0);
    }

    async fn the_ledgers_time_is_the_one_that_records_tell(lab: Lab) {
        for shift in [0, 600_000, -600_000] {
            lab.shift(shift);
            let before = lab.queues.time().await.unwrap();
            let Pushed::Queued(id) = lab.queues.push(&new_job(QUICK, &shift.to_string())).await.unwrap() else { panic!("held") };
            let after = lab.queues.time().await.unwrap();
            let created = lab.queues.get(id).await.unwrap().unwrap().created_at;
            assert!(before <= created && created <= after && (after - before).num_seconds() < 60, "{before} {created} {after}");
        }
    }

    async fn actions_are_remembered_newest_first_escaped_and_within_bounds(lab: Lab) {
        let action = |what: String| NewAction { who: "full token".into(), peer: "192.0.2.1".into(), what };
        for n in 0..=KEPT_ACTIONS {
            lab.queues.note_action(&action(format!("delete {n}"))).await.unwrap();
        }
        lab.queues.note_action(&action("\u{1b}[31m\n<b>".into())).await.unwrap();
        let all = lab.queues.actions(usize::MAX).await.unwrap();
        assert_eq!(all.len(), KEPT_ACTIONS);
        assert_eq!(all[0].what, "\\u{1b}[31m\\n<b>");
        assert_eq!((all[1].what.as_str(), all[1].who.as_str()), ("delete 1000", "full token"));
        assert!((machine_now() - all[0].at).num_seconds().abs() < 30);
        assert_eq!(lab.queues.actions(2).await.unwrap(), all[..2]);
        assert_eq!(lab.queues.actions(0).await.unwrap(), []);
    }
}

/// How far the clock is set ahead before job `n` of a test.
fn lab_shift(n: usize) -> i64 {
    i64::try_from(n).unwrap() * 60_000
}
