//! Workers over the ledger: the wrapper round every handler, slots, order and shutdown.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sview_jobs::{
    Backoff, CancelOutcome, Filter, JobId, LedgerSettings, NewJob, Pushed, Record, Registry, State, WorkerSettings,
};
use sview_model::Queue;
use sview_testing::limit;

use crate::lab::{Desk, Does, Event, Lab, both, new_job, pool, pool_of, probe, quick, until};

use Queue::{Aggregation, QuickCache, SlowCache};

fn id(pushed: Pushed) -> JobId {
    match pushed {
        Pushed::Queued(id) | Pushed::Already { id, .. } => id,
    }
}

/// The record of a job once it has ended.
async fn ended(queues: &sview_jobs::Queues, id: JobId) -> Record {
    until("the job has ended", async || {
        queues.ledger().get(id).await.unwrap().is_some_and(|r| !r.state.is_under_way())
    })
    .await;
    queues.ledger().get(id).await.unwrap().unwrap()
}

both! {
    async fn a_job_runs_and_its_record_tells_of_it(lab: Lab) {
        let (desk, mut events) = Desk::new();
        let (workers, stop) = pool(&lab.queues, &desk, &[QuickCache], 1, &quick());
        let id = id(probe(&lab.queues, QuickCache, "k", Does::Succeed).await);
        for event in [Event::Started("k".into()), Event::Ended("k".into()), Event::After("k".into())] {
            assert_eq!(events.next().await, event);
        }
        let record = lab.queues.ledger().get(id).await.unwrap().unwrap();
        assert_eq!((record.state, record.attempts, record.cause.as_str()), (State::Done, 1, "command test"));
        assert_eq!(record.worker.as_deref(), Some(workers.health()[0].worker.name.as_str()));
        stop.cancel();
        workers.stopped().await;
        assert!(lab.queues.ledger().workers().await.unwrap().is_empty());
    }

    async fn a_failing_job_is_tried_again_and_dies_after_its_attempts(lab: Lab) {
        let (desk, _events) = Desk::new();
        let (_workers, _stop) = pool(&lab.queues, &desk, &[QuickCache], 2, &quick());
        let mends = id(probe(&lab.queues, QuickCache, "mends", Does::FailTimes(2)).await);
        let fails = id(probe(&lab.queues, QuickCache, "fails", Does::FailTimes(99)).await);
        let hopeless = id(probe(&lab.queues, QuickCache, "hopeless", Does::FailForGood).await);
        let record = ended(&lab.queues, mends).await;
        assert_eq!((record.state, record.attempts, record.errors.len()), (State::Done, 3, 2));
        let record = ended(&lab.queues, fails).await;
        assert_eq!((record.state, record.attempts, record.errors.len()), (State::Dead, 3, 3));
        assert_eq!(record.errors[2].message, "attempt 3 failed");
        let record = ended(&lab.queues, hopeless).await;
        assert_eq!((record.state, record.attempts), (State::Dead, 1));
        assert!(lab.queues.ledger().standing(&["fails".into()]).await.unwrap()[0].failed_at.is_some());
    }

    async fn a_server_that_is_away_costs_no_attempt(lab: Lab) {
        let (desk, mut events) = Desk::new();
        let (_workers, _stop) = pool(&lab.queues, &desk, &[QuickCache], 1, &quick());
        let id = id(probe(&lab.queues, QuickCache, "k", Does::FindAway(7)).await);
        while events.next().await != Event::After("k".into()) {}
        let record = lab.queues.ledger().get(id).await.unwrap().unwrap();
        assert_eq!((record.state, record.attempts, record.errors.len()), (State::Done, 1, 7));
        assert_eq!(record.errors[6].message, "the server is away");
    }

    async fn a_panic_is_a_failed_attempt_with_its_message(lab: Lab) {
        let (desk, _events) = Desk::new();
        let (_workers, _stop) = pool(&lab.queues, &desk, &[QuickCache], 1, &quick());
        let id = id(probe(&lab.queues, QuickCache, "k", Does::Panic).await);
        let record = ended(&lab.queues, id).await;
        assert_eq!((record.state, record.errors.len()), (State::Dead, 3));
        assert_eq!(record.errors[0].message, "panicked: this probe panics");
    }

    async fn a_job_over_its_time_limit_is_stopped_and_holds_up_nobody(lab: Lab) {
        let (desk, mut events) = Desk::new();
        let settings = WorkerSettings { time_limit: Some(Duration::from_millis(100)), ..quick() };
        let (_workers, _stop) = pool(&lab.queues, &desk, &[QuickCache], 1, &settings);
        let id = id(probe(&lab.queues, QuickCache, "k", Does::Hang).await);
        assert_eq!(events.next().await, Event::Started("k".into()));
        assert_eq!(events.next().await, Event::Dropped("k".into()));
        let record = ended(&lab.queues, id).await;
        assert_eq!(record.state, State::Dead);
        assert_eq!(record.errors[2].message, "took longer than 0.1 s");
        probe(&lab.queues, QuickCache, "next", Does::Succeed).await;
        while events.next().await != Event::Ended("next".into()) {}
    }

    async fn what_no_code_reads_is_left_to_others_until_its_attempts_are_used_up(lab: Lab) {
        let (desk, mut events) = Desk::new();
        let unreadable = id(lab.queues.ledger().push(&new_job(QuickCache, "unreadable")).await.unwrap());
        let unknown = NewJob { name: "of the future".into(), ..new_job(QuickCache, "unknown") };
        let unknown = id(lab.queues.ledger().push(&unknown).await.unwrap());
        let (_workers, _stop) = pool(&lab.queues, &desk, &[QuickCache], 1, &quick());
        let record = ended(&lab.queues, unreadable).await;
        assert_eq!((record.state, record.attempts, record.errors.len()), (State::Dead, 3, 3));
        assert!(record.errors[0].message.starts_with("the payload cannot be read: missing field"), "{:?}", record.errors);
        let record = ended(&lab.queues, unknown).await;
        assert_eq!((record.state, record.attempts, record.errors.len()), (State::Dead, 3, 3));
        assert_eq!(record.errors[2].message, "no code for jobs named of the future");
        assert!(events.none());
    }

    async fn what_an_older_worker_cannot_read_holds_up_nobody_and_is_done_by_a_newer_one(lab: Lab) {
        let (desk, mut events) = Desk::new();
        let backoff = Some(Backoff { first: Duration::from_secs(2), factor: 1, max: Duration::from_secs(2) });
        let settings = WorkerSettings { backoff, ..quick() };
        let (older, stop) = pool_of(&lab.queues, Registry::default(), &[QuickCache], 1, &settings);
        let new = id(probe(&lab.queues, QuickCache, "new", Does::Succeed).await);
        let refused = async || lab.queues.ledger().get(new).await.unwrap().unwrap().state == State::Scheduled;
        until("the older worker puts it off", refused).await;
        // Its one slot is free meanwhile: what comes later has its turn.
        let later = NewJob { max_attempts: 1, ..new_job(QuickCache, "later") };
        let later = id(lab.queues.ledger().push(&later).await.unwrap());
        ended(&lab.queues, later).await;
        let record = lab.queues.ledger().get(new).await.unwrap().unwrap();
        assert_eq!((record.state, record.errors[0].message.as_str()), (State::Scheduled, "no code for jobs named probe"));
        stop.cancel();
        older.stopped().await;
        let (_newer, _stop) = pool(&lab.queues, &desk, &[QuickCache], 1, &quick());
        assert_eq!(events.next().await, Event::Started("new".into()));
        assert_eq!(ended(&lab.queues, new).await.state, State::Done);
    }

    async fn a_worker_serves_its_queues_in_strict_order(lab: Lab) {
        let (desk, mut events) = Desk::new();
        probe(&lab.queues, QuickCache, "blocks", Does::Wait).await;
        let (_workers, _stop) = pool(&lab.queues, &desk, &[Aggregation, QuickCache, SlowCache], 1, &quick());
        assert_eq!(events.next().await, Event::Started("blocks".into()));
        for (queue, key) in [(SlowCache, "s"), (QuickCache, "q1"), (QuickCache, "q2"), (Aggregation, "a1"), (Aggregation, "a2")] {
            probe(&lab.queues, queue, key, Does::Succeed).await;
        }
        desk.go.notify_one();
        let mut order = Vec::new();
        while order.len() < 5 {
            if let Event::Started(key) = events.next().await {
                order.push(key);
            }
        }
        assert_eq!(order, ["a1", "a2", "q1", "q2", "s"]);
    }

    async fn no_more_jobs_run_at_once_than_there_are_slots_and_none_is_taken_before(lab: Lab) {
        let (desk, mut events) = Desk::new();
        for n in 0..6 {
            probe(&lab.queues, QuickCache, &format!("k{n}"), Does::Wait).await;
        }
        let (workers, _stop) = pool(&lab.queues, &desk, &[QuickCache], 3, &quick());
        for _ in 0..3 {
            assert!(matches!(events.next().await, Event::Started(_)));
        }
        tokio::time::sleep(Duration::from_millis(300)).await; // for what must not happen, there is no signal
        assert!(events.none());
        let counts = &lab.queues.ledger().counts().await.unwrap()[1];
        assert_eq!((counts.of(State::Running), counts.of(State::Queued)), (3, 3), "nothing is taken in advance");
        assert_eq!(workers.health()[0].worker.running.len(), 3);
        let mut done = 0;
        while done < 6 {
            desk.go.notify_one();
            if matches!(events.next().await, Event::After(_)) {
                done += 1;
            }
        }
    }

    async fn a_handler_is_stopped_when_its_lease_is_lost(lab: Lab) {
        let (desk, mut events) = Desk::new();
        let id = id(probe(&lab.queues, QuickCache, "k", Does::Hang).await);
        let (_workers, stop) = pool(&lab.queues, &desk, &[QuickCache], 1, &WorkerSettings { care: Duration::from_secs(600), ..quick() });
        assert_eq!(events.next().await, Event::Started("k".into()));
        // Two jumps of the clock before the next renewal: the lease is anybody's.
        for jump in [3_600_000, 7_200_000] {
            lab.shift(jump);
            lab.queues.ledger().rescue().await.unwrap();
        }
        let taken = lab.take(&[QuickCache]).await;
        assert_eq!((taken.record.id, taken.record.attempts), (id, 2));
        assert_eq!(events.next().await, Event::Dropped("k".into()));
        assert_eq!(lab.queues.ledger().get(id).await.unwrap().unwrap().state, State::Running, "and is the other's still");
        stop.cancel();
    }

    async fn a_long_job_keeps_its_lease_even_when_it_blocks_its_thread(lab: Lab) {
        let (desk, mut events) = Desk::new();
        // Long enough for a busy machine to renew in time, and several times shorter than the job.
        let settings = WorkerSettings { lease: Duration::from_millis(1_500), ..quick() };
        let (_workers, _stop) = pool(&lab.queues, &desk, &[QuickCache], 2, &settings);
        probe(&lab.queues, QuickCache, "long", Does::Block(5_000)).await;
        for event in [Event::Started("long".into()), Event::Ended("long".into()), Event::After("long".into())] {
            assert_eq!(events.next().await, event, "once, and to its end");
        }
    }

    async fn a_running_job_is_cancelled(lab: Lab) {
        let (desk, mut events) = Desk::new();
        let (_workers, _stop) = pool(&lab.queues, &desk, &[QuickCache], 1, &WorkerSettings { lease: Duration::from_millis(600), ..quick() });
        let id = id(probe(&lab.queues, QuickCache, "k", Does::Hang).await);
        assert_eq!(events.next().await, Event::Started("k".into()));
        lab.queues.ledger().cancel(id).await.unwrap();
        assert_eq!(events.next().await, Event::Dropped("k".into()));
        assert_eq!(ended(&lab.queues, id).await.state, State::Cancelled);
    }

    async fn a_running_job_that_fails_before_it_hears_of_its_cancelling_is_cancelled_all_the_same(lab: Lab) {
        let (desk, mut events) = Desk::new();
        // Nothing is renewed within this test.
        let settings = WorkerSettings { lease: Duration::from_secs(600), ..quick() };
        let (_workers, _stop) = pool(&lab.queues, &desk, &[QuickCache], 1, &settings);
        let id = id(probe(&lab.queues, QuickCache, "k", Does::WaitAndFail).await);
        assert_eq!(events.next().await, Event::Started("k".into()));
        assert_eq!(lab.queues.ledger().cancel(id).await.unwrap(), CancelOutcome::Asked);
        desk.go.notify_one();
        let record = ended(&lab.queues, id).await;
        assert_eq!((record.state, record.attempts, record.errors.len()), (State::Cancelled, 1, 1));
        assert_eq!(lab.queues.ledger().standing(&["k".into()]).await.unwrap()[0], Default::default());
    }

    async fn a_stopping_worker_takes_nothing_more_and_lets_its_jobs_finish(lab: Lab) {
        let (desk, mut events) = Desk::new();
        let (workers, stop) = pool(&lab.queues, &desk, &[QuickCache], 2, &quick());
        let first = id(probe(&lab.queues, QuickCache, "first", Does::Wait).await);
        assert_eq!(events.next().await, Event::Started("first".into()));
        stop.cancel();
        until("the pool takes no more", async || {
            // The free slot's look-out ends at once; what is pushed after it stays.
            tokio::time::sleep(Duration::from_millis(100)).await;
            true
        }).await;
        let second = id(probe(&lab.queues, QuickCache, "second", Does::Succeed).await);
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let record = lab.queues.ledger().get(second).await.unwrap().unwrap();
            assert_eq!(record.state, State::Queued, "it is another worker's to take, while the first goes on");
        }
        desk.go.notify_one();
        workers.stopped().await;
        assert_eq!(lab.queues.ledger().get(first).await.unwrap().unwrap().state, State::Done);
        assert_eq!(lab.queues.ledger().get(second).await.unwrap().unwrap().state, State::Queued);
    }

    async fn a_worker_can_be_stopped_at_any_moment(lab: Lab) {
        // Also while it is taking a job: what it holds of the ledger meanwhile must not keep the jobs in progress from ending. The grace
        // period is longer than the test waits, so it cannot be what ends them.
        let settings = WorkerSettings { grace: Duration::from_secs(86_400), ..quick() };
        for round in 0..20_u64 {
            let (desk, mut events) = Desk::new();
            let (workers, stop) = pool(&lab.queues, &desk, &[QuickCache], 4, &settings);
            let others = (0..4).map(|other| {
                let (queues, stop) = (lab.queues.clone(), stop.clone());
                tokio::spawn(async move {
                    for n in 0.. {
                        if stop.is_cancelled() {
                            break;
                        }
                        probe(&queues, QuickCache, &format!("{round}.{other}.{n}"), Does::Succeed).await;
                    }
                })
            });
            let others: Vec<_> = others.collect();
            for _ in 0..10 + round {
                events.next().await;
            }
            stop.cancel();
            let stopped = tokio::time::timeout(limit(Duration::from_secs(60)), workers.stopped()).await;
            assert!(stopped.is_ok(), "round {round}");
            for other in others {
                other.await.unwrap();
            }
            let running = lab.queues.ledger().list(&Filter { states: vec![State::Running], ..Default::default() }).await.unwrap();
            assert!(running.is_empty(), "round {round}: {running:?}");
        }
    }

    async fn after_the_grace_period_jobs_are_handed_back(lab: Lab) {
        let (desk, mut events) = Desk::new();
        let settings = WorkerSettings { grace: Duration::from_millis(200), ..quick() };
        let (workers, stop) = pool(&lab.queues, &desk, &[QuickCache], 1, &settings);
        let id = id(probe(&lab.queues, QuickCache, "k", Does::Hang).await);
        assert_eq!(events.next().await, Event::Started("k".into()));
        stop.cancel();
        workers.stopped().await;
        assert_eq!(events.next().await, Event::Dropped("k".into()));
        let record = lab.queues.ledger().get(id).await.unwrap().unwrap();
        assert_eq!((record.state, record.attempts, record.errors.len()), (State::Queued, 0, 0));
    }

    async fn another_process_is_woken_by_a_push(lab: Lab) {
        let (desk, mut events) = Desk::new();
        let settings = WorkerSettings { poll: Duration::from_secs(if lab.server.is_some() { 600 } else { 1 }), ..quick() };
        let (_workers, _stop) = pool(&lab.another().await, &desk, &[QuickCache], 1, &settings);
        tokio::time::sleep(Duration::from_millis(300)).await; // its subscription stands
        probe(&lab.queues, QuickCache, "k", Does::Succeed).await;
        assert_eq!(events.next().await, Event::Started("k".into()));
    }

    async fn two_pools_share_the_work_and_run_everything_once(lab: Lab) {
        let (desk, mut events) = Desk::new();
        let (_one, _stop_one) = pool(&lab.queues, &desk, &[Aggregation, QuickCache], 3, &quick());
        let (_two, _stop_two) = pool(&lab.another().await, &desk, &[QuickCache], 3, &quick());
        for n in 0..200 {
            probe(&lab.queues, if n % 3 == 0 { Aggregation } else { QuickCache }, &format!("k{n}"), Does::Succeed).await;
        }
        let (mut started, mut ended) = (std::collections::HashSet::new(), 0);
        while ended < 200 {
            match events.next().await {
                Event::Started(key) => assert!(started.insert(key), "started twice"),
                Event::After(_) => ended += 1,
                _ => {}
            }
        }
        assert_eq!(started.len(), 200);
        assert!(lab.queues.ledger().list(&Filter { states: vec![State::Dead], ..Default::default() }).await.unwrap().is_empty());
    }
}

/// The runtime has one thread. A job that computed on it would hold up this test, and the pages of a server.
#[tokio::test]
async fn jobs_that_compute_hold_up_nothing_else() {
    let lab = Lab::sqlite(LedgerSettings::default()).await;
    let (desk, mut events) = Desk::new();
    let (workers, stop) = pool(&lab.queues, &desk, &[QuickCache], 2, &quick());
    let mut started = Vec::new();
    for key in ["a", "b"] {
        probe(&lab.queues, QuickCache, key, Does::Compute).await;
        started.push(events.next().await);
    }
    assert_eq!(started, [Event::Started("a".into()), Event::Started("b".into())]);
    assert_eq!(workers.health()[0].worker.running.len(), 2);
    desk.enough.store(true, Ordering::Relaxed);
    while events.next().await != Event::After("b".into()) {}
    stop.cancel();
    workers.stopped().await;
}
