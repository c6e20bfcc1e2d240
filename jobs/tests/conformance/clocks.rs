//! The ledger's clock and this host's are minutes apart: whatever the ledger stamped is judged by its clock.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sview_jobs::{
    CacheGroup, Cause, Context, Greylisting, Outcome, Pushed, Skip, State, Statistics, Surroundings, Verdict, consider,
};
use sview_model::{Clock, Kind, Period, Precision, Queue, Request};
use sview_store::{Computed, Coverage, Error, Reports, Result, Settings, SqliteCache, Step};

use crate::lab::{Desk, Does, Lab, both, pool, probe, quick, until};

const APART: [i64; 3] = [-300_000, 0, 300_000];

/// Everything is aggregated, and nothing can be computed.
struct Nothing;

#[async_trait]
impl Statistics for Nothing {
    async fn aggregate(&self, _: Kind, _: Precision, _: DateTime<Utc>) -> Result<Step> {
        Ok(Step::Idle)
    }

    async fn coverage(&self) -> Result<Vec<Coverage>> {
        let all = Kind::ALL.iter().flat_map(|kind| Precision::AGGREGATED.iter().map(|precision| (*kind, *precision)));
        let aggregated = all.map(|(kind, precision)| Coverage {
            kind,
            precision,
            watermark: Some(precision.due_to(Clock::System.now() + TimeDelta::hours(1))),
            pending: 0,
            revision: Some(0),
        });
        Ok(aggregated.collect())
    }

    async fn compute(&self, _: &Request, _: DateTime<Utc>) -> Result<Computed> {
        Err(Error::Value("nothing can be computed".into()))
    }
}

async fn context(lab: &Lab) -> Context {
    let clock = Clock::System;
    let cache = SqliteCache::open(&lab.file().with_file_name("cache.sqlite"), clock).await.unwrap();
    let reports = Reports::open("sqlite://:memory:", Settings::default()).unwrap();
    let greylist = Greylisting { reports, settings: Arc::default() };
    let queues = lab.queues.clone();
    Context { statistics: Arc::new(Nothing), cache: Arc::new(cache), queues, greylist, clock }
}

both! {
    async fn a_death_is_held_off_for_ten_minutes_of_the_ledgers(lab: Lab) {
        let context = context(&lab).await;
        for (apart, period) in APART.into_iter().zip([Period::Hour, Period::SixHours, Period::Day]) {
            lab.shift(apart);
            let job = CacheGroup { kind: Kind::Ports, period };
            context.queues.enqueue(&job, &Cause::Start).await.unwrap();
            let taken = lab.take(&[Queue::QuickCache]).await;
            lab.queues.ledger().finish(&taken.claim, &Outcome::Dead { error: "e".into() }).await.unwrap();
            let died = lab.queues.ledger().get(taken.claim.id).await.unwrap().unwrap().finished_at.unwrap();
            let request = job.requests().next().unwrap();
            for (minutes, expected) in [(0, Some(died + TimeDelta::minutes(10))), (9, Some(died + TimeDelta::minutes(10))), (10, None)] {
                lab.shift(apart + minutes * 60_000 + 1);
                let verdict = consider(&context, &request, &Cause::Page).await.unwrap().verdict;
                let expected = expected.map_or(Verdict::Queue, |until| Verdict::Skip(Skip::HeldOff { until }));
                assert_eq!(verdict, expected, "{minutes} minutes later, the clocks {apart} ms apart");
            }
        }
    }

    async fn how_long_jobs_wait_and_run_is_told_by_the_ledgers_time(lab: Lab) {
        let context = context(&lab).await;
        for apart in APART {
            lab.shift(apart);
            let before = lab.queues.ledger().time().await.unwrap();
            let around = Surroundings::look(&context).await.unwrap();
            let after = lab.queues.ledger().time().await.unwrap();
            assert!(before <= around.now && around.now <= after, "{before} {} {after}", around.now);
        }
    }

    async fn a_worker_says_since_when_it_works_by_the_ledgers_time(lab: Lab) {
        for apart in APART {
            lab.shift(apart);
            let before = lab.queues.ledger().time().await.unwrap();
            let (desk, _events) = Desk::new();
            let (workers, stop) = pool(&lab.queues, &desk, &[Queue::QuickCache], 1, &quick());
            until("it gives a sign of life", async || !lab.queues.ledger().workers().await.unwrap().is_empty()).await;
            let after = lab.queues.ledger().time().await.unwrap();
            let since = lab.queues.ledger().workers().await.unwrap()[0].0.since;
            // Told in whole milliseconds.
            assert!(before - TimeDelta::seconds(1) <= since && since <= after, "{before} {since} {after}");
            stop.cancel();
            workers.stopped().await;
        }
    }

    async fn an_outage_costs_no_attempt_whatever_this_hosts_clock_says(lab: Lab) {
        // By this host's clock the job is older than any outage that is waited for, or not even queued.
        for hours in [-2, 2] {
            lab.shift(hours * 3_600_000);
            let (desk, _events) = Desk::new();
            let (workers, stop) = pool(&lab.queues, &desk, &[Queue::QuickCache], 1, &quick());
            let Pushed::Queued(id) = probe(&lab.queues, Queue::QuickCache, "k", Does::FindAway(5)).await else { panic!("held") };
            until("it has ended", async || !lab.queues.ledger().get(id).await.unwrap().unwrap().state.is_under_way()).await;
            let record = lab.queues.ledger().get(id).await.unwrap().unwrap();
            assert_eq!((record.state, record.attempts), (State::Done, 1), "{:?}", record.errors);
            stop.cancel();
            workers.stopped().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_died_since_the_beginning_is_told_though_the_ledgers_clock_is_behind() {
    let lab = Lab::sqlite(Default::default()).await;
    lab.shift(-300_000);
    let context = context(&lab).await;
    let settings = sview_jobs::WorkerSettings { time_limit: Some(Duration::from_secs(60)), ..quick() };
    let worked = sview_jobs::work_until_idle(&context, &Cause::Command("refresh"), 4, &settings).await.unwrap();
    assert!(!worked.dead.is_empty(), "what cannot be computed dies");
}
