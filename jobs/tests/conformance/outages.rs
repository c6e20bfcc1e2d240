//! Redis losing its keys, or going away and coming back.

use std::time::Duration;

use futures::StreamExt as _;
use sview_jobs::{Cause, LedgerSettings, Outcome, State, Take};
use sview_model::Queue;

use crate::lab::{Desk, Does, Event, Lab, Probe, new_job, pool, probe, quick, until};

use Queue::QuickCache;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_flushall_everything_goes_on() {
    let lab = Lab::redis(LedgerSettings::default()).await;
    let (desk, mut events) = Desk::new();
    let (workers, _stop) = pool(&lab.queues, &desk, &[QuickCache], 2, &quick());
    probe(&lab.queues, QuickCache, "running", Does::Hang).await;
    assert_eq!(events.next().await, Event::Started("running".into()));
    let mut connection = lab.server.as_ref().unwrap().connect().await;
    redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.unwrap();
    // Its record is gone, so its work is void; it stops, and everything can be queued anew.
    assert_eq!(events.next().await, Event::Dropped("running".into()));
    probe(&lab.queues, QuickCache, "running", Does::Succeed).await;
    while events.next().await != Event::After("running".into()) {}
    assert_eq!(workers.health()[0].trouble, None);
    assert_eq!(lab.queues.ledger().workers().await.unwrap().len(), 1, "its signs of life are there again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_is_back_when_redis_is() {
    let mut lab = Lab::redis(LedgerSettings::default()).await;
    let (desk, mut events) = Desk::new();
    let (workers, _stop) = pool(&lab.queues, &desk, &[QuickCache], 1, &quick());
    probe(&lab.queues, QuickCache, "before", Does::Succeed).await;
    while events.next().await != Event::After("before".into()) {}
    lab.server.as_mut().unwrap().kill();
    until("the pool says that it is ill", async || workers.health()[0].trouble.is_some()).await;
    // For longer than the longest pause between two starts.
    until("it was tried for a while", async || workers.health()[0].trouble.as_ref().unwrap().restarts > 7).await;
    lab.server.as_mut().unwrap().restart();
    until("pushing works", async || lab.queues.ledger().ping().await.is_ok()).await;
    probe(&lab.queues, QuickCache, "after", Does::Succeed).await;
    while events.next().await != Event::After("after".into()) {}
    assert_eq!(workers.health()[0].trouble, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_job_is_recorded_when_redis_is_back() {
    let mut lab = Lab::redis(LedgerSettings::default()).await;
    let (desk, mut events) = Desk::new();
    let (_workers, _stop) = pool(&lab.queues, &desk, &[QuickCache], 1, &quick());
    probe(&lab.queues, QuickCache, "k", Does::Wait).await;
    assert_eq!(events.next().await, Event::Started("k".into()));
    // Redis is stopped for a moment, keys and all, not killed: as it is while a host hangs.
    let server = lab.server.as_mut().unwrap();
    server.signal("STOP");
    desk.go.notify_one();
    assert_eq!(events.next().await, Event::Ended("k".into()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.signal("CONT");
    assert_eq!(events.next().await, Event::After("k".into()));
    let records = lab.queues.ledger().list(&Default::default()).await.unwrap();
    assert_eq!((records[0].state, records[0].attempts), (State::Done, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_to_a_stalled_redis_takes_no_job_for_nobody() {
    let lab = Lab::redis(LedgerSettings::default()).await;
    let (desk, mut events) = Desk::new();
    let (workers, _stop) = pool(&lab.queues, &desk, &[QuickCache], 1, &quick());
    probe(&lab.queues, QuickCache, "before", Does::Succeed).await;
    while events.next().await != Event::After("before".into()) {}
    // Comes due while the server stands still, and so lies before takings that nobody waits for any more.
    let job = Probe { key: "due".into(), queue: QuickCache, does: Does::Succeed };
    lab.queues.enqueue_after(&job, &Cause::Command("test"), Duration::from_secs(2)).await.unwrap();
    let server = lab.server.as_ref().unwrap();
    server.signal("STOP");
    until("the pool has given up waiting, twice", async || {
        workers.health()[0].trouble.as_ref().is_some_and(|trouble| trouble.restarts > 1)
    })
    .await;
    server.signal("CONT");
    while events.next().await != Event::After("due".into()) {}
    let records = lab.queues.ledger().list(&Default::default()).await.unwrap();
    assert!(records.iter().all(|record| (record.state, record.attempts) == (State::Done, 1)), "{records:?}");
}

/// A hundred thousand jobs, of which Redis keeps two hundred: what it holds after twenty thousand is all that it ever holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_flat_over_a_hundred_thousand_jobs() {
    let lab = Lab::redis(LedgerSettings { max_ended: 200, ..Default::default() }).await;
    let mut connection = lab.server.as_ref().unwrap().connect().await;
    let (mut keys, mut memory) = (Vec::new(), Vec::new());
    for round in 0..25 {
        let each = (0..4_000).map(|n| {
            let queues = lab.queues.clone();
            async move {
                queues.ledger().push(&new_job(QuickCache, &format!("k{round}-{n}"))).await.unwrap();
                let Take::Job(taken) =
                    queues.ledger().take(&[QuickCache.into()], "w", Duration::from_secs(20)).await.unwrap()
                else {
                    panic!("of as many as were pushed one is there")
                };
                assert!(queues.ledger().finish(&taken.claim, &Outcome::Done).await.unwrap().held());
            }
        });
        futures::stream::iter(each).buffer_unordered(100).collect::<()>().await;
        keys.push(redis::cmd("DBSIZE").query_async::<u64>(&mut connection).await.unwrap());
        let info: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await.unwrap();
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        memory.push(used.trim().parse::<u64>().unwrap());
    }
    assert!(keys.iter().all(|keys| *keys < 220), "{keys:?}");
    let (early, late) = (memory[4], memory[24]);
    println!("{early} bytes after 20,000 jobs, {late} after 100,000");
    assert!(late < early + early / 10, "bytes after every 4,000 jobs: {memory:?}");
}
