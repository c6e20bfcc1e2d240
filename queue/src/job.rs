//! The values that producers, the ledger and workers exchange.

use std::time::Duration;

use crate::QueueName;
use crate::record::{JobId, MAX_WORDS, Record, State, sanitise_line};

/// A job to be queued.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its id; `None`: the ledger gives it one. One that was given before is a job of its own, and nothing is queued.
    pub id: Option<JobId>,
    /// The kind of the job. It tells the program how to read the payload.
    pub name: String,
    /// The queue that the job waits in.
    pub queue: QueueName,
    /// Its unique key: at most one job of a key is queued, scheduled or running. ASCII and bounded.
    pub key: String,
    /// The job as JSON.
    pub payload: String,
    /// A summary of the job, for people. Escaped and cut here, whatever it holds.
    pub words: String,
    /// The reason why the job is queued, for people.
    pub cause: String,
    /// The number of failed attempts after which the job is dead; at least 1.
    pub max_attempts: u32,
    /// How long it waits before it may run.
    pub delay: Duration,
    /// How many jobs may wait in its queue already for this one to be queued too, besides the ledger's own bound.
    pub room: u64,
    /// Whether a visitor causes it. There may be any number of these, so fewer of them are kept when they have ended: see
    /// [`crate::LedgerSettings::max_on_demand`].
    pub on_demand: bool,
}

/// The result of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Queued under this id.
    Queued(JobId),
    /// Nothing was queued: a job of the same key is under way.
    Already {
        /// The id of the job under way.
        id: JobId,
        /// The state of the job under way.
        state: State,
    },
}

/// The right to run a job's attempt and to say how it went. A claim whose lease was lost can do neither.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The id of the leased job.
    pub id: JobId,
    /// A random token that identifies this attempt.
    pub(crate) token: String,
}

/// A job that a worker took, and its lease.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The job, already counted as being attempted once more.
    pub record: Record,
    /// The right to it.
    pub claim: Claim,
}

/// The answer to a worker that looks for a job.
#[derive(Clone, Debug)]
pub enum Take {
    /// The job that was taken.
    Job(Box<Taken>),
    /// Nothing is ready.
    Nothing {
        /// The time until the next scheduled job is due.
        next_in: Option<Duration>,
    },
}

/// The answer to a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// The lease goes on.
    Held,
    /// The lease goes on, but an operator asks for the job to end.
    CancelAsked,
    /// The lease is another's, or the job is gone: whatever the handler does is void, and it must stop.
    Lost,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The job succeeded.
    Done,
    /// The attempt failed, and the job is retried.
    Retry {
        /// After this long.
        after: Duration,
        /// The reason of the failure.
        error: String,
    },
    /// A server that the job needs is away. The job is snoozed, and the attempt does not count.
    Snoozed {
        /// For this long.
        after: Duration,
        /// The failure of the server.
        error: String,
    },
    /// The attempt failed, and the job is dead.
    Dead {
        /// The reason of the failure.
        error: String,
    },
    /// Handed back unfinished, as if it had never been taken.
    Released,
    /// Ended by an operator.
    Cancelled,
}

/// What the ledger recorded at the end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// The outcome that the worker reported.
    AsSaid,
    /// An operator had asked for the job to end, so it was not queued again.
    Cancelled,
    /// Nothing: the lease was lost.
    Lost,
}

impl Finished {
    /// Whether the lease was still held, and the attempt's end counts.
    #[must_use]
    pub const fn held(self) -> bool {
        !matches!(self, Self::Lost)
    }
}

impl Outcome {
    /// Whether the job is queued again by it.
    pub(crate) const fn is_again(&self) -> bool {
        matches!(self, Self::Retry { .. } | Self::Snoozed { .. } | Self::Released)
    }

    /// Its one spelling, in records and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.parts().0
    }

    /// The word by which ledgers know it, its error and its delay.
    pub(crate) fn parts(&self) -> (&'static str, String, Duration) {
        match self {
            Self::Done => ("done", String::new(), Duration::ZERO),
            Self::Retry { after, error } => ("retry", sanitise_line(error, MAX_WORDS), *after),
            Self::Snoozed { after, error } => ("snoozed", sanitise_line(error, MAX_WORDS), *after),
            Self::Dead { error } => ("dead", sanitise_line(error, MAX_WORDS), Duration::ZERO),
            Self::Released => ("release", String::new(), Duration::ZERO),
            Self::Cancelled => ("cancelled", String::new(), Duration::ZERO),
        }
    }
}
