//! Jobs: queues, typed jobs, workers, the minute's refresh, the schedule, and the ledger in which all of it is recorded.
//!
//! apalis carries the workers (its [`Backend`](apalis_core::backend::Backend) trait, worker loop and typed handlers) and the cron
//! streams. Where jobs wait and what becomes of them is the [`Ledger`]'s, with one meaning over Redis and SQLite. Around every
//! handler there is one wrapper, in `workers/runner.rs`: attempts, time limit, panics, retries, leases.
//!
//! To add a job, write its file in `job/` and name it in [`Registry::of`]; to have it done by the clock, add a row to
//! [`PRODUCERS`].

mod activity;
mod bell;
mod context;
mod error;
mod exchange;
mod greylist_files;
mod health;
mod idle;
mod job;
mod ledger;
mod machine_time;
pub mod metrics;
mod operator;
mod overview;
mod process;
mod queues;
mod record;
mod refresh;
mod run_times;
mod schedule;
mod throttle;
mod workers;

pub use activity::{Activity, log_activity};
pub use bell::{Bell, Ear};
pub use context::{Context, Statistics};
pub use error::{Error, Result};
pub use exchange::{Cause, Claim, Finished, NewJob, Outcome, Pushed, Renewed, Take, Taken};
pub use health::{Component, Unfailing, forever, health, spawn_forever};
pub use idle::{Worked, Working, work_until_idle, work_until_idle_with};
pub use job::{
    Aggregate, Backoff, CacheGroup, CacheResource, Caching, CountPasswords, Failure, ForgetReports, GreylistSettings,
    Greylisting, JOB_NAMES, Job, MAX_DEVICE_AGE, MakeGreylist, Registry, aggregate, cache_group, cache_resource,
    make_greylist,
};
pub use ledger::{
    Flow, Inspect, KEPT_ACTIONS, Ledger, LedgerSettings, RedisLedger, SqliteLedger, Steer, Upkeep, redis_client,
    redis_connection,
};
pub use machine_time::{ClockShift, machine_now};
pub use operator::{
    Action, Blocker, DeadGroup, Effect, Figures, HourlyEnds, LOOKED_THROUGH, NewAction, Order, RUNS, Reason, RunTimes,
    Search, Steering, Surroundings, dead_groups, error_pattern, matching, search, steer,
};
pub use overview::{CancelOutcome, Ended, Filter, HourCount, LedgerServer, QueueCounts, Rescued, Standing, WorkerInfo};
pub use process::{Disagreement, ProcessInfo, announce, disagreements};
pub use queues::Queues;
pub use record::{AttemptError, JobId, MAX_WORDS, Record, State, in_words};
pub use refresh::{
    Cached, HOLD_OFF, Hold, Outlook, Part, Scope, Situation, Skip, Suggestion, Verdict, Work, after_aggregation,
    consider, consider_all, decide, queue_all, refresh, refresh_part, suggest,
};
pub use run_times::{HourOfRuns, KindOfRuns, RunHour, kinds_of_runs};
pub use schedule::{PRODUCERS, Producer, Scheduler, Ticking, next_tick, run_now, ticking};
pub use throttle::LogThrottle;
pub use workers::{Pool, PoolHealth, Trouble, WorkerSettings, Workers, host};
