//! Simulated minutes: ten of them, an hour's jump either way, a host that was suspended.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sview_model::{Clock, Data, Kind, Precision, Request};
use sview_store::{Computed, Coverage, Reports, Settings, SqliteCache, Step};

use super::*;
use crate::job::Registry;
use crate::workers::{Pool, WorkerSettings, Workers};
use crate::{Filter, Greylisting, LedgerSettings, Queues, Statistics, sqlite_ledger};

/// A store whose aggregations are always done in time.
struct Prompt(DateTime<Utc>);

#[async_trait]
impl Statistics for Prompt {
    async fn aggregate(&self, _: Kind, _: Precision, _: DateTime<Utc>) -> sview_store::Result<Step> {
        Ok(Step::Idle)
    }
    async fn coverage(&self) -> sview_store::Result<Vec<Coverage>> {
        let all = Kind::ALL.iter().flat_map(|kind| Precision::AGGREGATED.iter().map(|p| (*kind, *p)));
        let covered = |(kind, precision): (Kind, Precision)| Coverage {
            kind,
            precision,
            watermark: Some(precision.due_to(self.0)),
            pending: 0,
            revision: Some(0),
        };
        Ok(all.map(covered).collect())
    }
    async fn compute(&self, request: &Request, now: DateTime<Utc>) -> sview_store::Result<Computed> {
        let span = request.period().span(now);
        Ok(Computed {
            data: Data::empty(&request.resource()),
            span,
            complete_to: span.finish,
            revision: 0,
            reported: None,
        })
    }
}

/// The jobs that were done, by summary, with their number over all the minutes.
type Done = BTreeMap<String, usize>;

fn start() -> DateTime<Utc> {
    "2026-03-15T12:34:00Z".parse().unwrap()
}

/// Lets a number of schedulers live through these minutes after the start, one after the other. A worker does at once what they queue.
/// After every minute nothing is left to be queued.
async fn live(schedulers: usize, minutes: &[i64]) -> Done {
    let directory = tempfile::tempdir().unwrap();
    let settings = LedgerSettings::default();
    let open = async || {
        let path = directory.path().join("jobs.sqlite");
        Queues::new(sqlite_ledger(&path, settings.clone()).await.unwrap())
    };
    for minute in minutes {
        let at = start() + TimeDelta::minutes(*minute);
        settings.clock.set_millis((at - machine_now()).num_milliseconds());
        let clock = Clock::Frozen(at);
        let mut states = Vec::new();
        for _ in 0..schedulers {
            let cache = SqliteCache::open(&directory.path().join("cache.sqlite"), clock).await.unwrap();
            let reports = Reports::open("sqlite://:memory:", Settings::default()).unwrap(); // never asked
            let context = Context {
                statistics: Arc::new(Prompt(at)),
                cache: Arc::new(cache),
                queues: open().await,
                greylist: Greylisting { reports, settings: Arc::default() },
                clock,
            };
            let busy = tokio::sync::Mutex::default();
            states.push(State { producer: &PRODUCERS[0], context, errors: Arc::default(), busy, heartbeat: None });
        }
        assert_eq!(states[0].producer.name, "refresh");
        futures::future::join_all(states.iter().map(|state| act(state, at, at))).await;
        for state in &states {
            assert_eq!(*state.errors.lock().unwrap(), []);
        }
        let (context, stop) = (&states[0].context, CancellationToken::new());
        let pools = Pool::for_queues(sview_model::Queue::ALL, 4);
        let workers = Workers::start(&context.queues, Registry::of(context), &pools, &WorkerSettings::default(), &stop);
        while context.queues.ledger().counts().await.unwrap().iter().any(|counts| counts.under_way() > 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
        workers.stopped().await;
        let left = refresh(context, at, &Cause::Start, true).await.unwrap();
        assert!(left.iter().all(|suggestion| suggestion.verdict != Verdict::Queue), "minute {minute}: {left:?}");
    }
    let records = open().await.ledger().list(&Filter { limit: usize::MAX, ..Filter::default() }).await.unwrap();
    let mut done = Done::new();
    for record in records {
        assert_eq!((record.state, record.attempts), (crate::State::Done, 1), "{}", record.words);
        *done.entry(record.words).or_default() += 1;
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_schedulers_queue_what_is_due_in_ten_minutes_once() {
    let minutes: Vec<i64> = (0..10).collect();
    let done = live(2, &minutes).await;
    // The values of the last hour are due every minute, those of the longer periods at their own times.
    let incidents: Vec<usize> =
        done.iter().filter(|(words, _)| words.contains("incidents 1h")).map(|(_, n)| *n).collect();
    assert_eq!(incidents, [10], "{done:?}");
    assert!(done.len() == 21 && done.iter().all(|(words, times)| *times <= 1 || words.contains(" 1h")), "{done:?}");
    assert_eq!(done, live(1, &minutes).await, "as one scheduler does");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_an_hour_and_a_suspended_host_neither_lose_nor_double_anything() {
    // An hour ahead, back again, back an hour, and two hours asleep.
    let minutes = [0, 1, 2, 62, 63, 64, 4, 5, -55, -54, 6, 7, 127, 128];
    assert_eq!(live(2, &minutes).await, live(1, &minutes).await);
}
