//! A ledger of jobs that is also their queue, on Redis or SQLite.
//!
//! Pushing a job, claiming its unique key and recording it are one atomic step, and so are taking it, counting the attempt and
//! leasing it. So there is nothing to be out of step, and whatever happened to a job can be looked up afterwards.
//!
//! - [`SqliteLedger`] keeps jobs in a file: for one host.
//! - [`RedisLedger`] keeps them in Redis (6.2 or later) or Valkey: for any number of hosts.
//!
//! Both are a [`Ledger`], which is [`Flow`] (producers and workers), [`Inspect`], [`Steer`] (an operator's actions) and
//! [`Upkeep`]. Queues are [names](QueueName) in an order that is given when a ledger is opened, most urgent first.

#![forbid(unsafe_code)]

mod action;
mod bell;
mod error;
mod exchange;
mod ledger;
mod machine_time;
mod name;
mod overview;
mod record;
#[cfg(feature = "redis")]
mod redis;
mod run_times;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use action::{Action, NewAction};
pub use bell::{Bell, Ear};
pub use error::{Error, Result};
pub use exchange::{Claim, Finished, NewJob, Outcome, Pushed, Renewed, Take, Taken};
pub use ledger::{Flow, Inspect, KEPT_ACTIONS, Ledger, LedgerSettings, Steer, Upkeep};
pub use machine_time::{ClockShift, machine_now};
pub use name::QueueName;
pub use outage::Outage;
pub use overview::{
    CancelOutcome, Ended, Filter, HourCount, LedgerServer, ProcessInfo, QueueCounts, Rescued, Standing, WorkerInfo,
};
pub use record::{AttemptError, JobId, MAX_WORDS, Record, State, in_words};
#[cfg(feature = "redis")]
pub use redis::{RedisLedger, redis_client, redis_connection};
pub use run_times::{HourOfRuns, KindOfRuns, RunHour, kinds_of_runs};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteLedger;
