//! Jobs: typed jobs, workers, the minute's refresh and the schedule.
//!
//! apalis carries the workers and the cron streams. They work over the storage of [`apalis_ledger`], where jobs wait and their ends are
//! recorded.
//!
//! To add a job, write its file in `job/`, with its handler, and name both in the table `jobs!`. To run it by the clock, add a row to
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
mod workers;

pub use activity::{Activity, log_activity};
pub use apalis_ledger::{
    Action, AttemptError, Backoff, CancelOutcome, Claim, ClockShift, Ended, Error as LedgerError, Filter, Finished,
    HourCount, HourOfRuns, JobId, KEPT_ACTIONS, KeyStatus, KindOfRuns, Ledger, LedgerServer, LedgerSettings,
    LogThrottle, MAX_WORDS, NewAction, NewJob, Outcome, ProcessInfo, Pushed, QueueCounts, QueueName, Record,
    RedisAddress, RedisConnection, Renewed, Rescued, RunHour, State, Take, Taken, WorkerInfo, host, kinds_of_runs,
    machine_now, sanitise_line,
};
pub use cause::Cause;
pub use context::{Context, Statistics};
pub use error::{Error, Result};
pub use health::{Component, Unfailing, forever, health, spawn_forever};
pub use idle::{Worked, Working, work_until_idle, work_until_idle_with};
pub use job::{
    Aggregate, CacheGroup, CacheResource, Caching, CountPasswords, ForgetReports, GreylistSettings, Greylisting,
    JOB_NAMES, Job, JobError, MAX_DEVICE_AGE, MakeGreylist, Registry, aggregate, cache_group, cache_resource,
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
pub use schedule::{PRODUCERS, Producer, Schedule, Scheduler, Ticking, next_tick, run_now, ticking};
pub use shown::{shown_key, shown_payload};
pub use workers::{Pool, PoolHealth, Trouble, WorkerSettings, Workers};
