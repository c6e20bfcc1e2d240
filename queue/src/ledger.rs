//! The ledger of jobs, which is the queue itself. Push, unique key and record are one atomic step. So are taking a job, counting the
//! attempt and leasing. Nothing can get out of step.
//!
//! A job is **leased** to the worker that took it. The ledger's clock measures the lease: the Redis server's, or the machine's for SQLite.
//! Workers renew it every third of its time. Every claim carries a token. A worker that lost the lease can neither renew it nor record how
//! the attempt ended. It stops the handler as soon as it learns of the loss.
//!
//! Two workers can run one job at the same time in one case only. A worker was cut off or suspended for longer than its lease. It notices
//! within a third of a lease after it runs on. Jobs are idempotent for that case. A clock that jumps ahead ends no lease by itself, see
//! [`JobQueue::rescue`].

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::notifier::Waiter;
use crate::wall_clock::ClockShift;
use crate::{
    Action, CancelOutcome, Claim, Ended, Filter, Finished, HourCount, JobId, KeyStatus, LedgerServer, NewAction,
    NewJob, Outcome, ProcessInfo, Pushed, QueueCounts, QueueName, Record, Renewed, Rescued, RunHour, Take, WorkerInfo,
};
use crate::{Error, Result};

/// How a ledger keeps house.
#[derive(Clone, Debug)]
pub struct LedgerSettings {
    /// How many jobs may wait in a queue before pushing is refused. Default 5,000.
    pub bound: u64,
    /// How long ended jobs are kept. Default 7 days.
    pub keep: Duration,
    /// How many ended jobs are kept of each queue and state. Default 5,000.
    pub max_ended: u64,
    /// How many of these may be [on demand](NewJob::on_demand): visitors cause any number of them. Default 500.
    pub max_on_demand: u64,
    /// Returns the words of a stored job as they are shown, from its name, its payload and the words that were stored. For words
    /// that an older program wrote and that nobody may see any more. Default: as stored.
    pub show_words: fn(name: &str, payload: &str, words: String) -> String,
    /// The shift of the clock, for tests.
    pub clock: ClockShift,
}

impl Default for LedgerSettings {
    fn default() -> Self {
        Self {
            bound: 5_000,
            keep: Duration::from_secs(7 * 24 * 60 * 60),
            max_ended: 5_000,
            max_on_demand: 500,
            show_words: |_, _, words| words,
            clock: ClockShift::default(),
        }
    }
}

/// The flow of jobs from producers to workers.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Queues jobs in one round trip, each unless one of its key is under way. Returns the result of each, in their order.
    ///
    /// A job whose queue is full has an error of its own and keeps none of the others from being queued.
    async fn push_all(&self, jobs: &[NewJob]) -> Result<Vec<Result<Pushed>>>;

    /// Queues a job, unless one of its key is under way. An error when the queue is full.
    async fn push(&self, job: &NewJob) -> Result<Pushed> {
        let pushed = self.push_all(std::slice::from_ref(job)).await?.pop();
        pushed.unwrap_or_else(|| Err(Error::Record("the ledger does not say what became of a job".to_owned())))
    }

    /// Takes the next job for a worker: strictly by the order of `queues`, then by when it was to run, then by id.
    async fn take(&self, queues: &[QueueName], worker: &str, lease: Duration) -> Result<Take>;

    /// Makes a lease last `lease` from now.
    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<Renewed>;

    /// Records how an attempt ended. A job that an operator asked to end is not queued again, whatever the outcome.
    async fn finish(&self, claim: &Claim, outcome: &Outcome) -> Result<Finished>;

    /// Reclaims jobs from workers that vanished. The lease must have expired, and half a lease must have passed without a renewal after
    /// that was first noticed. The second condition is for clocks that jump ahead: living workers renew before it is met.
    ///
    /// Also repairs the ledger after the loss of a key, in bounded steps. Repeated calls free every claim without a job. They find every
    /// job that is under way but in no queue.
    async fn rescue(&self) -> Result<Rescued>;

    /// Rings whenever something may be there to take.
    fn listen(&self) -> Waiter;
}

/// Looking at jobs.
#[async_trait]
pub trait Inspection: Send + Sync {
    /// The ledger's queues, most urgent first.
    fn queues(&self) -> &[QueueName];

    /// How the jobs of many unique keys stand, in their order, in one round trip.
    async fn standing(&self, keys: &[String]) -> Result<Vec<KeyStatus>>;

    /// How many jobs there are, a queue each, most urgent first.
    async fn counts(&self) -> Result<Vec<QueueCounts>>;

    /// Returns the job with this id.
    async fn get(&self, id: JobId) -> Result<Option<Record>>;

    /// Jobs, newest first.
    async fn list(&self, filter: &Filter) -> Result<Vec<Record>>;

    /// The workers that were heard of in the last two minutes, with the time of that, ordered by name.
    async fn workers(&self) -> Result<Vec<(WorkerInfo, DateTime<Utc>)>>;

    /// Returns the workers that vanished without a word in the last seven days, latest first, 500 at the most. The time is when each was
    /// last heard of.
    async fn lost_workers(&self) -> Result<Vec<(WorkerInfo, DateTime<Utc>)>>;

    /// Returns the attempts that ended in each hour from the one of `since` on, by kind of job. It covers the last 24 whole hours and the
    /// current one at the most. Attempts that were snoozed or handed back do not count.
    async fn run_hours(&self, since: DateTime<Utc>) -> Result<Vec<RunHour>>;

    /// Returns the jobs that ended since then, newest first. `most` limits them for each queue and way to end. Purged records are missing.
    async fn ended(&self, since: DateTime<Utc>, most: usize) -> Result<Vec<Ended>>;

    /// Returns the number of jobs that ended in each hour from the one of `since` on. It covers the last 24 whole hours and the current one
    /// at the most. Jobs are counted as they end, so purged ones count as well.
    async fn ended_hourly(&self, since: DateTime<Utc>) -> Result<Vec<HourCount>>;

    /// Returns the time by the ledger's clock, which also sets the times in records. It may differ from this host's.
    async fn time(&self) -> Result<DateTime<Utc>>;

    /// Returns operators' actions, newest first. The ledger keeps the last [`KEPT_ACTIONS`].
    async fn actions(&self, most: usize) -> Result<Vec<Action>>;

    /// The last tick that was claimed of a producer.
    async fn last_tick(&self, producer: &str) -> Result<Option<DateTime<Utc>>>;

    /// Returns the ledger's location, for people: a file, or a server without the password.
    fn place(&self) -> String;

    /// An error when the ledger cannot be reached, or takes no writes.
    async fn ping(&self) -> Result<()>;

    /// The processes that were heard of in the last two minutes, with the time of that, ordered by name.
    async fn processes(&self) -> Result<Vec<(ProcessInfo, DateTime<Utc>)>>;

    /// Asks the ledger's server about itself.
    async fn server(&self) -> Result<LedgerServer>;

    /// Returns one sentence about a setting of the ledger's server that an operator should change. `None` when all is well.
    async fn advice(&self) -> Result<Option<String>> {
        Ok(None)
    }
}

/// An operator's actions.
#[async_trait]
pub trait Administration: Send + Sync {
    /// Ends a job: at once when it waits, at its worker's next renewal when it runs, or when its attempt ends before that.
    async fn cancel(&self, id: JobId) -> Result<CancelOutcome>;

    /// Queues an ended job again with all its attempts before it, or a scheduled one at once; `None` when there is no such job.
    async fn retry(&self, id: JobId) -> Result<Option<Pushed>>;

    /// Has a job that is queued or scheduled run after this long; whether it waited.
    async fn reschedule(&self, id: JobId, after: Duration) -> Result<bool>;

    /// Deletes a job that does not run. Returns whether there was one.
    async fn delete(&self, id: JobId) -> Result<bool>;

    /// Deletes the notes that the last jobs of these unique keys are dead, so they are suggested again at once. Returns the number of
    /// deleted notes.
    async fn forget_failures(&self, keys: &[String]) -> Result<u64>;

    /// Takes nothing more from a queue until it is resumed, or takes from it again. Jobs can be pushed all the while.
    async fn pause(&self, queue: QueueName, paused: bool) -> Result<()>;

    /// Writes an operator's action to the log, before it is done.
    async fn note_action(&self, action: &NewAction) -> Result<()>;
}

/// Maintenance of the ledger.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Purges ended jobs and notes of dead ones by [`LedgerSettings`]. Returns the number of jobs.
    async fn vacuum(&self) -> Result<u64>;

    /// Claims a tick (a whole second) of a periodic job. Returns `true` to the one process that may act on it. A claim holds for five
    /// minutes around the moment it is made, by the ledger's clock. After a clock is set back, the same wall time is another tick.
    async fn claim_tick(&self, producer: &str, tick: DateTime<Utc>) -> Result<bool>;

    /// Notes that a worker lives, with its announcement.
    async fn beat(&self, worker: &WorkerInfo) -> Result<()>;

    /// Notes that a worker has ended.
    async fn gone(&self, worker: &str) -> Result<()>;

    /// Notes that a process lives, and how it is set.
    async fn announce(&self, process: &ProcessInfo) -> Result<()>;

    /// Notes that a process has ended.
    async fn withdraw(&self, process: &str) -> Result<()>;
}

/// A ledger of jobs.
pub trait Ledger: JobQueue + Inspection + Administration + Maintenance + Debug + 'static {}

impl<T: JobQueue + Inspection + Administration + Maintenance + Debug + 'static> Ledger for T {}

/// How many actions of operators the ledger remembers.
pub const KEPT_ACTIONS: usize = 1_000;

/// How long a worker or process that is not heard of is taken for one that lives.
pub(crate) const FORGET_WORKER: Duration = Duration::from_secs(120);

/// How long a worker that vanished is remembered.
pub(crate) const KEEP_LOST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How many workers, and how many processes, are remembered. The ledger's Lua has the same number.
#[cfg(feature = "sqlite")]
pub(crate) const MOST_HEARD: i64 = 500;

/// For how long around its making the claim of a tick holds.
#[cfg(feature = "sqlite")]
pub(crate) const TICK_WINDOW: Duration = Duration::from_secs(300);

/// For how many hours it is known how many jobs ended: 24 whole ones and the one under way.
pub(crate) const HOURS: i64 = 25;

/// The number of unique keys with a note that their last job is dead. The oldest are purged first.
#[cfg(feature = "sqlite")]
pub(crate) const MAX_FAILURES: i64 = 10_000;

/// An hour in milliseconds.
pub(crate) const HOUR: i64 = 60 * 60 * 1000;

/// An id for a job: of one process, in the order of making, whatever the clock does.
pub(crate) fn new_id() -> JobId {
    static LAST: std::sync::Mutex<JobId> = std::sync::Mutex::new(JobId::nil());
    let mut last = LAST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let fresh = JobId::generate();
    *last = if fresh > *last { fresh } else { last.increment().unwrap_or(fresh) };
    *last
}

/// Returns a random token that identifies an attempt.
pub(crate) fn new_token() -> String {
    JobId::generate().to_string()
}
