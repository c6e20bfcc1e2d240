use std::time::Duration;

use sview_model::Queue;

use super::*;

const NOW: &str = "2026-03-15T12:00:00Z";

fn now() -> DateTime<Utc> {
    NOW.parse().unwrap()
}

fn id(n: u128) -> JobId {
    JobId::from(n)
}

fn record(n: u128, queue: Queue, state: State) -> Record {
    Record {
        id: id(n),
        name: "aggregate".into(),
        queue: queue.into(),
        key: format!("k{n}"),
        payload: "{}".into(),
        words: format!("job {n}"),
        cause: "test".into(),
        state,
        attempts: 0,
        max_attempts: 5,
        created_at: now(),
        run_at: now(),
        started_at: None,
        finished_at: None,
        worker: None,
        errors: Vec::new(),
        cancel_asked: false,
    }
}

fn worker(name: &str, queues: &[Queue], slots: usize) -> (WorkerInfo, DateTime<Utc>) {
    let info = WorkerInfo {
        name: name.into(),
        host: "h".into(),
        pid: 1,
        queues: queues.iter().map(|queue| (*queue).into()).collect(),
        slots,
        since: now(),
        running: Vec::new(),
    };
    (info, now())
}

fn around(workers: Vec<(WorkerInfo, DateTime<Utc>)>, running: Vec<Record>) -> Surroundings {
    Surroundings {
        now: now(),
        counts: Queue::ALL.iter().map(|queue| QueueCounts::new((*queue).into())).collect(),
        workers,
        running: running.into_iter().map(|record| (record.id, record)).collect(),
    }
}

fn running(n: u128, queue: Queue, on: &str, seconds: u64) -> Record {
    let started_at = Some(now() - Duration::from_secs(seconds));
    Record { worker: Some(on.into()), started_at, attempts: 1, ..record(n, queue, State::Running) }
}

fn said(surroundings: &Surroundings, record: &Record) -> Vec<String> {
    surroundings.reasons(record).iter().map(ToString::to_string).collect()
}

#[test]
fn a_paused_queue_and_missing_workers_are_said() {
    let mut around = around(Vec::new(), Vec::new());
    around.counts[1].paused = true;
    let waits = record(1, Queue::QuickCache, State::Queued);
    assert_eq!(said(&around, &waits), ["its queue quick-cache is paused", "no worker serves quick-cache"]);
}

#[test]
fn a_scheduled_job_says_when_and_which_attempt() {
    let around = around(vec![worker("w", &[Queue::SlowCache], 1)], Vec::new());
    let later = record(1, Queue::SlowCache, State::Scheduled);
    let later = Record { run_at: now() + TimeDelta::seconds(18), ..later };
    assert_eq!(said(&around, &later), ["scheduled: runs in 18 s"]);
    let held = "aggregation incidents/quarterly waits for a lock: session 7";
    let errors = vec![crate::AttemptError::new(1, 0, held)];
    let snoozed = Record { errors: errors.clone(), ..later.clone() };
    assert_eq!(said(&around, &snoozed), [format!("snoozed: runs again in 18 s, since {held}")]);
    let failed = Record { errors, attempts: 1, ..later.clone() };
    assert_eq!(said(&around, &failed), ["scheduled: next attempt (2 of 5) in 18 s"]);
    let again = Record { attempts: 2, run_at: now() + TimeDelta::seconds(185), ..later };
    assert_eq!(said(&around, &again), ["scheduled: next attempt (3 of 5) in 3 min 5 s"]);
}

#[test]
fn busy_slots_are_told_with_what_is_in_them() {
    let queues = [Queue::Aggregation, Queue::QuickCache];
    let busy = vec![running(7, Queue::Aggregation, "w3", 12), running(8, Queue::QuickCache, "w3", 3)];
    let mut around = around(vec![worker("w3", &queues, 2)], busy);
    let waits = record(9, Queue::QuickCache, State::Queued);
    let reasons = around.reasons(&waits);
    assert_eq!(reasons[0].to_string(), "all 2 slots of aggregation, quick-cache are busy");
    let Reason::Busy { blockers, .. } = &reasons[0] else { panic!("{reasons:?}") };
    assert_eq!(blockers[0].told(now()), "job 7, running for 12 s on worker w3");
    around.running.remove(&id(8));
    assert_eq!(said(&around, &waits), ["nothing holds it up; a worker takes it in a moment"]);
    around.counts[0].set(State::Queued, 2);
    assert_eq!(said(&around, &waits), ["2 jobs of the more urgent queue aggregation go first"]);
    // A worker that serves nothing more urgent takes it all the same.
    around.workers.push(worker("w4", &[Queue::QuickCache], 1));
    assert_eq!(said(&around, &waits), ["nothing holds it up; a worker takes it in a moment"]);
}

#[test]
fn what_does_not_wait_has_no_reason() {
    let around = around(Vec::new(), Vec::new());
    for state in [State::Running, State::Done, State::Dead, State::Cancelled] {
        assert_eq!(said(&around, &record(1, Queue::SlowCache, state)), [""; 0]);
    }
    let asked = Record { cancel_asked: true, ..record(1, Queue::SlowCache, State::Running) };
    assert_eq!(around.reasons(&asked), [Reason::Ending]);
}
