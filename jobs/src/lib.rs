//! Jobs: typed jobs, workers, the minute's refresh and the schedule.
//!
//! apalis carries the workers (its [`Backend`](apalis_core::backend::Backend) trait, worker loop and typed handlers) and the cron
//! streams. Where jobs wait and what becomes of them is the [`Ledger`]'s, a crate of its own. Around every
//! handler there is one wrapper, in `workers/runner.rs`: attempts, time limit, panics, retries, leases.
//!
//! To add a job, write its file in `job/` and name it in [`Registry::of`]; to have it done by the clock, add a row to
//! [`PRODUCERS`].

mod activity;
mod cause;
mod context;
mod error;
mod greylist_files;
mod health;
mod idle;
mod job;
pub mod metrics;
mod operator;
mod process;
mod queues;
mod refresh;
mod schedule;
mod shown;
mod throttle;
mod workers;

pub use activity::{Activity, log_activity};
pub use apalis_ledger::{
    Action, AttemptError, CancelOutcome, Claim, ClockShift, Ended, Error as LedgerError, Filter, Finished, HourCount,
    HourOfRuns, JobId, KEPT_ACTIONS, KindOfRuns, Ledger, LedgerServer, LedgerSettings, MAX_WORDS, NewAction, NewJob,
    Outcome, ProcessInfo, Pushed, QueueCounts, QueueName, Record, Renewed, Rescued, RunHour, Standing, State, Take,
    Taken, WorkerInfo, in_words, kinds_of_runs, machine_now, redis_client, redis_connection,
};
pub use cause::Cause;
pub use context::{Context, Statistics};
pub use error::{Error, Result};
pub use health::{Component, Unfailing, forever, health, spawn_forever};
pub use idle::{Worked, Working, work_until_idle, work_until_idle_with};
pub use job::{
    Aggregate, Backoff, CacheGroup, CacheResource, Caching, CountPasswords, Failure, ForgetReports, GreylistSettings,
    Greylisting, JOB_NAMES, Job, MAX_DEVICE_AGE, MakeGreylist, Registry, aggregate, cache_group, cache_resource,
    make_greylist,
};
pub use operator::{
    Blocker, DeadGroup, Effect, Figures, HourlyEnds, LOOKED_THROUGH, Order, RUNS, Reason, RunTimes, Search, Steering,
    Surroundings, dead_groups, error_pattern, matching, search, steer,
};
pub use process::{Disagreement, announce, disagreements, this_process};
pub use queues::{Queues, redis_ledger, sqlite_ledger};
pub use refresh::{
    Cached, HOLD_OFF, Hold, Outlook, Part, Scope, Situation, Skip, Suggestion, Verdict, Work, after_aggregation,
    consider, consider_all, decide, queue_all, refresh, refresh_part, suggest,
};
pub use schedule::{PRODUCERS, Producer, Scheduler, Ticking, next_tick, run_now, ticking};
pub use shown::{shown_key, shown_payload};
pub use throttle::LogThrottle;
pub use workers::{Pool, PoolHealth, Trouble, WorkerSettings, Workers, host};
