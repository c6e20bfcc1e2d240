#![doc = include_str!("../README.md")]
//!
//! # The parts
//!
//! - [`LedgerStorage`] is a queue of a ledger as a storage of apalis, and [`Group`] the workers that share slots over several.
//!   [`Router`] picks the handler of a job by its name, where one queue has several kinds.
//! - [`SqliteLedger`] keeps jobs in a file, for one host. [`RedisLedger`] keeps them in Redis, for any number of hosts. Both are a
//!   [`Ledger`], which is [`JobQueue`] (producers and workers), [`Inspection`], [`Administration`] (an operator's actions) and [`Maintenance`].

#![forbid(unsafe_code)]

#[cfg(not(any(feature = "redis", feature = "sqlite")))]
compile_error!("apalis-ledger needs a back end: enable its feature `redis` or `sqlite`");

mod action;
mod error;
mod host;
mod job;
mod ledger;
mod name;
mod notifier;
mod record;
#[cfg(feature = "redis")]
mod redis;
mod run_times;
#[cfg(feature = "sqlite")]
mod sqlite;
mod stats;
mod storage;
mod throttle;
mod wall_clock;

pub use action::{Action, NewAction};
pub use error::{Error, Result};
pub use host::{host, instance_name};
pub use job::{Claim, Finished, NewJob, Outcome, Pushed, Renewed, Take, Taken};
pub use ledger::{Administration, Inspection, JobQueue, KEPT_ACTIONS, Ledger, LedgerSettings, Maintenance};
pub use name::QueueName;
pub use notifier::{Notifier, Waiter};
pub use outage::Outage;
pub use record::{AttemptError, JobId, MAX_WORDS, Record, State, sanitise_line};
#[cfg(feature = "redis")]
pub use redis::{RedisAddress, RedisConnection, RedisLedger};
pub use run_times::{HourOfRuns, KindOfRuns, RunHour, kinds_of_runs};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteLedger;
pub use stats::{
    CancelOutcome, Ended, Filter, HourCount, KeyStatus, LedgerServer, ProcessInfo, QueueCounts, Rescued, WorkerInfo,
};
pub use storage::{
    Backoff, DefaultPolicy, Group, Hold, JobMeta, Lease, LeaseLayer, LeaseService, LedgerStorage, Policy, Router,
    SnoozeError, StorageConfig, UnreadableError, outcome_of,
};
pub use throttle::LogThrottle;
pub use wall_clock::{ClockShift, machine_now};
