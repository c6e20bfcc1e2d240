//! The suggestions of a refresh, as types and as text.

use std::fmt;

use chrono::{DateTime, Utc};
use sview_model::{Kind, Precision, Queue, Request, counted};

use crate::job::{Aggregate, CacheGroup, CacheResource, Job as _};
use crate::{JobId, State};

/// A job that a refresh thought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// An aggregation.
    Aggregate(Aggregate),
    /// The caching of the precached resources of a kind at a period.
    CacheGroup(CacheGroup),
    /// The caching of a resource that somebody asked for.
    CacheResource(CacheResource),
}

impl Work {
    /// The job that caches a request: its group's when it is precached, else its own.
    #[must_use]
    pub fn caching(request: &Request) -> Self {
        let (kind, period) = (request.resource().kind, request.period());
        if request.resource().precached() {
            Self::CacheGroup(CacheGroup { kind, period })
        } else {
            Self::CacheResource(CacheResource(request.clone()))
        }
    }

    /// Returns the queue that the job waits in.
    #[must_use]
    pub fn queue(&self) -> Queue {
        match self {
            Self::Aggregate(job) => job.queue(),
            Self::CacheGroup(job) => job.queue(),
            Self::CacheResource(job) => job.queue(),
        }
    }

    /// Its unique key.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Aggregate(job) => job.key(),
            Self::CacheGroup(job) => job.key(),
            Self::CacheResource(job) => job.key(),
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Aggregate(job) => job.words(),
            Self::CacheGroup(job) => job.words(),
            Self::CacheResource(job) => job.words(),
        })
    }
}

/// A job, and the verdict on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The suggested job; its `Display` is a summary.
    pub work: Work,
    /// Queue it, or why not.
    pub verdict: Verdict,
}

/// The decision about a suggested job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is due, and is queued (or would be, in a dry run).
    Queue,
    /// It is not queued.
    Skip(Skip),
}

/// The reason why a suggested job is not queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Nothing is to be done before then.
    UpToDate {
        /// The time when it is due again.
        until: DateTime<Utc>,
    },
    /// The same job is under way.
    SameJob {
        /// The id of the job under way.
        id: JobId,
        /// The state of the job under way.
        state: State,
    },
    /// An aggregation that it rests on holds it up.
    Aggregation {
        /// The kind of the aggregated reports.
        kind: Kind,
        /// Into which buckets.
        precision: Precision,
        /// The reason why the aggregation holds it up.
        why: Hold,
    },
    /// The last job of the same key is dead, and not long ago.
    HeldOff {
        /// The time when it is tried again.
        until: DateTime<Utc>,
    },
    /// Too many jobs wait in its queue.
    QueueFull {
        /// The number of waiting jobs.
        waiting: u64,
    },
    /// The database does not say how far the aggregations are that it rests on.
    DatabaseAway,
}

/// The reason why an aggregation holds up what rests on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is due itself; what rests on it follows when it is done.
    Due,
    /// It is under way.
    UnderWay {
        /// The id of the aggregation's job.
        id: JobId,
        /// The state of the aggregation's job.
        state: State,
    },
    /// Its last job is dead, and not long ago.
    Failed {
        /// The time when that job became dead.
        at: DateTime<Utc>,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue => f.write_str("queue"),
            Self::Skip(skip) => write!(f, "skip: {skip}"),
        }
    }
}

const MOMENT: &str = "%Y-%m-%d %H:%M:%S";

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpToDate { until } => write!(f, "up to date until {}", until.format(MOMENT)),
            Self::SameJob { id, state } => write!(f, "the same job is {state} ({id})"),
            Self::Aggregation { kind, precision, why } => {
                write!(f, "built on aggregation {kind}/{precision}, which ")?;
                match why {
                    Hold::Due => f.write_str("is due first"),
                    Hold::UnderWay { id, state } => write!(f, "is {state} ({id})"),
                    Hold::Failed { at } => write!(f, "failed at {}", at.format(MOMENT)),
                }
            }
            Self::HeldOff { until } => write!(f, "failed lately, held off until {}", until.format(MOMENT)),
            Self::QueueFull { waiting } => write!(f, "its queue is full ({} waiting)", counted(*waiting, "job")),
            Self::DatabaseAway => f.write_str("the database is away, so it is unknown whether it is due"),
        }
    }
}
