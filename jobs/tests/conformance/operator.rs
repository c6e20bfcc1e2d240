//! Looking at jobs and steering them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sview_jobs::{
    CancelOutcome, Effect, Figures, Filter, JobId, KEPT_ACTIONS, NewAction, NewJob, Outcome, Pushed, Renewed, State,
    Steering, WorkerInfo, machine_now, matching, steer,
};
use sview_model::Queue;

use crate::lab::{both, new_job};

use Queue::{Aggregation, QuickCache, SlowCache};

both! {
    async fn records_tell_everything_and_are_listed_newest_first(lab: Lab) {
        let hostile = NewJob {
            words: "caching of \u{1b}[31m<b>\n".into(), payload: r#"{"p":"ž\u0000'\""}"#.into(), ..new_job(SlowCache, "h")
        };
        for job in [new_job(QuickCache, "a"), hostile, new_job(QuickCache, "b"), new_job(Aggregation, "c")] {
            lab.queues.push(&job).await.unwrap();
        }
        let keys = |records: Vec<sview_jobs::Record>| records.into_iter().map(|r| r.key).collect::<Vec<_>>();
        let list = async |filter: Filter| keys(lab.queues.list(&filter).await.unwrap());
        assert_eq!(list(Filter::default()).await, ["c", "b", "h", "a"]);
        assert_eq!(list(Filter { queue: Some(QuickCache), ..Default::default() }).await, ["b", "a"]);
        assert_eq!(list(Filter { text: Some("PROBE B".into()), ..Default::default() }).await, ["b"]);
        assert_eq!(list(Filter { states: vec![State::Done, State::Dead], ..Default::default() }).await, [""; 0]);
        assert_eq!(list(Filter { name: Some("other".into()), ..Default::default() }).await, [""; 0]);
        let page = lab.queues.list(&Filter { limit: 2, ..Default::default() }).await.unwrap();
        assert_eq!(list(Filter { before: Some(page[1].id), ..Default::default() }).await, ["h", "a"]);
        let record = lab.queues.list(&Filter { queue: Some(SlowCache), ..Default::default() }).await.unwrap().remove(0);
        assert_eq!(record.words, "caching of \\u{1b}[31m<b>\\n");
        assert_eq!(record.payload, r#"{"p":"ž\u0000'\""}"#);
        assert_eq!((record.cause.as_str(), record.state, record.attempts), ("test", State::Queued, 0));
        assert_eq!(lab.queues.get(JobId::generate()).await.unwrap().map(|r| r.key), None);
    }

    async fn counts_tell_of_every_queue_and_the_oldest_that_waits(lab: Lab) {
        let before = machine_now();
        lab.queues.push(&new_job(QuickCache, "a")).await.unwrap();
        lab.queues.push(&new_job(QuickCache, "b")).await.unwrap();
        lab.queues.push(&NewJob { delay: Duration::from_secs(9), ..new_job(QuickCache, "c") }).await.unwrap();
        lab.take(&[QuickCache]).await;
        let counts = lab.queues.counts().await.unwrap();
        assert_eq!(counts.iter().map(|c| c.queue).collect::<Vec<_>>(), Queue::ALL);
        let quick = &counts[1];
        assert_eq!(
            [State::Queued, State::Scheduled, State::Running, State::Done].map(|state| quick.of(state)), [1, 1, 1, 0]
        );
        assert_eq!((quick.under_way(), counts[0].under_way(), quick.paused), (3, 0, false));
        let oldest = quick.oldest_waiting.unwrap();
        assert!((oldest - before).num_seconds().abs() < 5, "{oldest}");
    }

    async fn a_waiting_job_is_cancelled_and_a_running_one_is_asked_to_end(lab: Lab) {
        let Pushed::Queued(id) = lab.queues.push(&new_job(QuickCache, "k")).await.unwrap() else { panic!("held") };
        assert_eq!(lab.queues.cancel(id).await.unwrap(), CancelOutcome::Cancelled);
        assert_eq!(lab.queues.cancel(id).await.unwrap(), CancelOutcome::Ended);
        assert!(lab.nothing(&[QuickCache]).await);
        lab.queues.push(&new_job(QuickCache, "k")).await.unwrap();
        let taken = lab.take(&[QuickCache]).await;
        assert_eq!(lab.queues.cancel(taken.record.id).await.unwrap(), CancelOutcome::Asked);
        assert_eq!(lab.queues.renew(&taken.claim, Duration::from_secs(9)).await.unwrap(), Renewed::CancelAsked);
        assert_eq!(lab.queues.cancel(JobId::generate()).await.unwrap(), CancelOutcome::Unknown);
    }

    async fn a_dead_job_is_retried_with_all_attempts_unless_its_key_is_held(lab: Lab) {
        lab.queues.push(&new_job(QuickCache, "k")).await.unwrap();
        let taken = lab.take(&[QuickCache]).await;
        let id = taken.record.id;
        lab.queues.finish(&taken.claim, &Outcome::Dead { error: "e".into() }).await.unwrap();
        let Pushed::Queued(newer) = lab.queues.push(&new_job(QuickCache, "k")).await.unwrap() else { panic!("held") };
        let held = Pushed::Already { id: newer, state: State::Queued };
        assert_eq!(lab.queues.retry(id).await.unwrap(), Some(held));
        lab.queues.cancel(newer).await.unwrap();
        assert_eq!(lab.queues.retry(id).await.unwrap(), Some(Pushed::Queued(id)));
        assert_eq!(lab.queues.standing(&["k".into()]).await.unwrap()[0].failed_at, None);
        assert!(matches!(lab.queues.push(&new_job(QuickCache, "k")).await.unwrap(), Pushed::Already { .. }));
        let taken = lab.take(&[QuickCache]).await;
        assert_eq!((taken.record.id, taken.record.attempts, taken.record.errors.len()), (id, 1, 1));
        assert_eq!(lab.queues.retry(JobId::generate()).await.unwrap(), None);
    }

    async fn a_scheduled_job_is_run_now(lab: Lab) {
        let later = NewJob { delay: Duration::from_secs(900), ..new_job(QuickCache, "k") };
        let Pushed::Queued(id) = lab.queues.push(&later).await.unwrap() else { panic!("held") };
        assert_eq!(lab.queues.retry(id).await.unwrap(), Some(Pushed::Queued(id)));
        assert_eq!(lab.take(&[QuickCache]).await.record.id, id);
    }

    async fn a_failure_is_forgotten_for_the_keys_that_are_named_and_no_others(lab: Lab) {
        for key in ["a", "b"] {
            lab.queues.push(&new_job(QuickCache, key)).await.unwrap();
            let taken = lab.take(&[QuickCache]).await;
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
        lab.queues.push(&new_job(QuickCache, "k")).await.unwrap();
        let taken = lab.take(&[QuickCache]).await;
        assert!(!lab.queues.delete(taken.record.id).await.unwrap());
        lab.queues.finish(&taken.claim, &Outcome::Done).await.unwrap();
        assert!(lab.queues.delete(taken.record.id).await.unwrap());
        assert!(!lab.queues.delete(taken.record.id).await.unwrap());
        let Pushed::Queued(id) = lab.queues.push(&new_job(QuickCache, "k")).await.unwrap() else { panic!("held") };
        assert!(lab.queues.delete(id).await.unwrap());
        assert!(matches!(lab.queues.push(&new_job(QuickCache, "k")).await.unwrap(), Pushed::Queued(_)));
    }

    async fn nothing_is_taken_from_a_paused_queue(lab: Lab) {
        lab.queues.pause(Aggregation, true).await.unwrap();
        lab.queues.push(&new_job(Aggregation, "a")).await.unwrap();
        lab.queues.push(&new_job(QuickCache, "q")).await.unwrap();
        assert!(lab.queues.counts().await.unwrap()[0].paused);
        assert_eq!(lab.take(&[Aggregation, QuickCache]).await.record.key, "q");
        assert!(lab.nothing(&[Aggregation, QuickCache]).await);
        lab.queues.pause(Aggregation, false).await.unwrap();
        assert_eq!(lab.take(&[Aggregation, QuickCache]).await.record.key, "a");
    }

    async fn workers_are_shown_while_they_live(lab: Lab) {
        let worker = WorkerInfo {
            name: "w1".into(), host: "h".into(), pid: 7, queues: vec![Aggregation, QuickCache], slots: 2,
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

    async fn records_are_found_by_the_time_of_their_queueing(lab: Lab) {
        lab.queues.push(&new_job(QuickCache, "early")).await.unwrap();
        lab.shift(3_600_000);
        lab.queues.push(&new_job(QuickCache, "late")).await.unwrap();
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
            lab.queues.push(&new_job(QuickCache, &n.to_string())).await.unwrap();
            let taken = lab.take(&[QuickCache]).await;
            lab.shift(lab_shift(n) + 250);
            lab.queues.finish(&taken.claim, outcome).await.unwrap();
            lab.shift(lab_shift(n + 1));
        }
        let Pushed::Queued(id) = lab.queues.push(&new_job(SlowCache, "c")).await.unwrap() else { panic!("held") };
        lab.queues.cancel(id).await.unwrap();
        let ended = lab.queues.ended(begun, 10).await.unwrap();
        let told: Vec<_> = ended.iter().map(|e| (e.queue, e.state, e.name.as_str())).collect();
        let all = [
            (SlowCache, State::Cancelled, "probe"), (QuickCache, State::Dead, "probe"), (QuickCache, State::Done, "probe"),
        ];
        assert_eq!(told, all);
        assert_eq!(ended[0].ran, None);
        let ran = ended[1].ran.unwrap();
        assert!((Duration::from_millis(250)..Duration::from_secs(1_800)).contains(&ran), "{ran:?}");
        let later = ended[1].finished_at;
        assert_eq!(lab.queues.ended(later, 10).await.unwrap().len(), 2);
        assert_eq!(lab.queues.ended(begun, 0).await.unwrap().len(), 0);
    }

    async fn what_ended_is_counted_by_the_hour_though_its_records_are_gone(lab: Lab) {
        let hour = |time: DateTime<Utc>| time.timestamp() / 3600;
        // In the middle of an hour, whenever this runs.
        let middle = 1_800_000 - machine_now().timestamp_millis() % 3_600_000;
        lab.shift(middle);
        let begun = lab.queues.time().await.unwrap();
        for n in 0..3 {
            lab.queues.push(&new_job(QuickCache, &n.to_string())).await.unwrap();
            let taken = lab.take(&[QuickCache]).await;
            let outcome = if n == 1 { Outcome::Dead { error: "e".into() } } else { Outcome::Done };
            lab.queues.finish(&taken.claim, &outcome).await.unwrap();
            assert!(lab.queues.delete(taken.claim.id).await.unwrap());
            lab.shift(middle + 3_600_000 * (n + 1));
        }
        let Pushed::Queued(id) = lab.queues.push(&new_job(SlowCache, "c")).await.unwrap() else { panic!("held") };
        lab.queues.cancel(id).await.unwrap();
        let mut counts = lab.queues.ended_hourly(begun).await.unwrap();
        counts.sort_by_key(|c| c.start);
        let told: Vec<_> = counts.iter().map(|c| (hour(c.start) - hour(begun), c.queue, c.state, c.count)).collect();
        let all = [(0, QuickCache, State::Done, 1), (1, QuickCache, State::Dead, 1), (2, QuickCache, State::Done, 1), (3, SlowCache, State::Cancelled, 1)];
        assert_eq!(told, all);
        let figures = Figures::gather(&lab.queues).await.unwrap();
        let quick = figures.iter().find(|f| f.queue == QuickCache).unwrap();
        assert_eq!((quick.done, quick.dead, quick.run_times), (2, 1, None));
        assert_eq!(quick.hours.iter().rev().map(|h| (h.done, h.dead)).take(5).collect::<Vec<_>>(), [(0, 0), (1, 0), (0, 1), (1, 0), (0, 0)]);
        // A day later they are of no interest, and take no room.
        lab.shift(3_600_000 * 48);
        lab.queues.vacuum().await.unwrap();
        if lab.server.is_none() {
            assert!(lab.queues.ended_hourly(begun).await.unwrap().is_empty());
        }
        assert!(Figures::gather(&lab.queues).await.unwrap().iter().all(|f| f.failure_rate().is_none()));
    }

    async fn the_ledgers_time_is_the_one_that_records_tell(lab: Lab) {
        for shift in [0, 600_000, -600_000] {
            lab.shift(shift);
            let before = lab.queues.time().await.unwrap();
            let Pushed::Queued(id) = lab.queues.push(&new_job(QuickCache, &shift.to_string())).await.unwrap() else { panic!("held") };
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

    async fn an_action_is_done_to_all_that_match(lab: Lab) {
        for key in ["a", "b", "c"] {
            lab.queues.push(&new_job(QuickCache, key)).await.unwrap();
        }
        let taken = lab.take(&[QuickCache]).await;
        let found = async |steering, filter: &Filter| -> Vec<JobId> {
            matching(&lab.queues, steering, filter).await.unwrap().iter().map(|record| record.id).collect()
        };
        let ids = found(Steering::Cancel, &Filter::default()).await;
        assert_eq!(ids.len(), 3);
        let effect = steer(&lab.queues, Steering::Cancel, &ids).await.unwrap();
        assert_eq!(effect, Effect { changed: 2, asked: 1, unchanged: 0 });
        assert_eq!(lab.queues.renew(&taken.claim, Duration::from_secs(9)).await.unwrap(), Renewed::CancelAsked);
        let ended = Filter { states: vec![State::Cancelled, State::Running], ..Default::default() };
        let ids = found(Steering::Delete, &ended).await;
        assert_eq!(ids.len(), 2, "what runs is not deleted");
        let unknown = [ids[0], ids[1], JobId::generate()];
        let effect = steer(&lab.queues, Steering::Retry, &unknown).await.unwrap();
        assert_eq!(effect, Effect { changed: 2, asked: 0, unchanged: 1 });
        let effect = steer(&lab.queues, Steering::Delete, &unknown).await.unwrap();
        assert_eq!(effect, Effect { changed: 2, asked: 0, unchanged: 1 });
        let nothing = Filter { states: vec![State::Running], ..Default::default() };
        assert_eq!(found(Steering::Delete, &nothing).await, []);
    }
}

/// How far the clock is set ahead before job `n` of a test.
fn lab_shift(n: usize) -> i64 {
    i64::try_from(n).unwrap() * 60_000
}
