//! Ticks and who acts on them.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use sview_model::{Clock, Kind, Precision, Request};
use sview_store::{Computed, Coverage, Reports, Settings, SqliteCache, Step};

use super::*;
use crate::{Greylisting, LedgerSettings, Queues, Statistics, sqlite_ledger};

#[test]
fn every_producer_ticks_at_its_times() {
    let told: Vec<_> = PRODUCERS.iter().map(|producer| (producer.name, producer.schedule.to_string())).collect();
    let told: Vec<_> = told.iter().map(|(name, cron)| (*name, cron.as_str())).collect();
    let expected = [
        ("refresh", "0 * * * * *"),
        ("greylist", "30 4,19,34,49 * * * *"),
        ("vacuum", "30 7 * * * *"),
        ("retention", "20 50 * * * *"),
        ("count-passwords", "0 20 * * * *"),
    ];
    assert_eq!(told, expected);
    assert!(expected.iter().all(|(name, _)| next_tick(name).is_some_and(|tick| tick > machine_now())));
    assert_eq!(next_tick("nobody"), None);
}

struct NoReports;

#[async_trait]
impl Statistics for NoReports {
    async fn aggregate(&self, _: Kind, _: Precision, _: DateTime<Utc>) -> sview_store::Result<Step> {
        Ok(Step::Idle)
    }
    async fn coverage(&self) -> sview_store::Result<Vec<Coverage>> {
        Ok(Vec::new())
    }
    async fn compute(&self, _: &Request, _: DateTime<Utc>) -> sview_store::Result<Computed> {
        Err(sview_store::Error::Value("no reports".into()))
    }
}

async fn state(directory: &tempfile::TempDir, producer: &'static Producer) -> Arc<State> {
    let ledger = sqlite_ledger(&directory.path().join("jobs.sqlite"), LedgerSettings::default()).await.unwrap();
    let cache = SqliteCache::open(&directory.path().join("cache.sqlite"), Clock::System).await.unwrap();
    let reports = Reports::open("sqlite://:memory:", Settings::default()).unwrap();
    let greylist = Greylisting { reports, settings: Arc::default() };
    let context = Context {
        statistics: Arc::new(NoReports),
        cache: Arc::new(cache),
        queues: Queues::new(ledger),
        greylist,
        clock: Clock::System,
    };
    Arc::new(State { producer, context, errors: Arc::default(), busy: tokio::sync::Mutex::default(), heartbeat: None })
}

/// Ticks of ten minutes come to two schedulers, some late and out of order; each has its effect once.
#[tokio::test]
async fn of_two_schedulers_one_acts_on_each_tick_and_on_none_out_of_its_time() {
    static ACTS: AtomicU32 = AtomicU32::new(0);
    static COUNTS: Producer = Producer {
        name: "counts",
        schedule: Schedule::SECONDLY,
        what: "counts",
        effect: |_, _| {
            ACTS.fetch_add(1, Ordering::SeqCst);
            async { Ok(String::new()) }.boxed()
        },
    };
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (state(&directory, &COUNTS).await, state(&directory, &COUNTS).await);
    let now = machine_now();
    let ticks: Vec<_> = (-10..10).map(|seconds| now + TimeDelta::seconds(seconds)).collect();
    futures::join!(
        async {
            for at in &ticks {
                act(&one, *at, now).await;
            }
        },
        async {
            for at in &ticks {
                act(&two, *at, now).await;
            }
        },
    );
    assert_eq!(ACTS.load(Ordering::SeqCst), 20);
    for minutes in [-60, -1, 1, 60] {
        act(&one, now + TimeDelta::minutes(minutes), now).await;
    }
    assert_eq!(ACTS.load(Ordering::SeqCst), 20);
    assert_eq!(
        one.context.queues.ledger().last_tick("counts").await.unwrap().unwrap().timestamp(),
        ticks[19].timestamp()
    );
}

#[tokio::test]
async fn a_tick_that_fails_is_told_until_one_succeeds() {
    static FAILS: AtomicU32 = AtomicU32::new(1);
    static ONCE: Producer = Producer {
        name: "once",
        schedule: Schedule::SECONDLY,
        what: "fails once",
        effect: |_, _| {
            let fails = FAILS.swap(0, Ordering::SeqCst);
            async move { if fails == 1 { Err(crate::Error::Undecided("no".into())) } else { Ok(String::new()) } }
                .boxed()
        },
    };
    let directory = tempfile::tempdir().unwrap();
    let state = state(&directory, &ONCE).await;
    act(&state, machine_now(), machine_now()).await;
    assert_eq!(state.errors.lock().unwrap().len(), 1);
    act(&state, machine_now() + TimeDelta::seconds(1), machine_now()).await;
    assert!(state.errors.lock().unwrap().is_empty());
}

/// The streams themselves: started, they tick by the machine's clock, and stop when cancelled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ticks_and_stops() {
    static TICKED: tokio::sync::Notify = tokio::sync::Notify::const_new();
    static SECONDS: Producer = Producer {
        name: "seconds",
        schedule: Schedule::SECONDLY,
        what: "ticks",
        effect: |_, _| {
            TICKED.notify_one();
            async { Ok(String::new()) }.boxed()
        },
    };
    let directory = tempfile::tempdir().unwrap();
    let (state, stop) = (state(&directory, &SECONDS).await, CancellationToken::new());
    let running = tokio::spawn(supervise(state, stop.clone()));
    for _ in 0..2 {
        tokio::time::timeout(Duration::from_secs(30), TICKED.notified()).await.unwrap();
    }
    stop.cancel();
    running.await.unwrap();
}
