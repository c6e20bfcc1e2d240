//! What a refresh suggests, in types and in words.

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

    /// Where it waits.
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

/// A job, and what is to become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// Which job; its `Display` is in words.
    pub work: Work,
    /// Queue it, or why not.
    pub verdict: Verdict,
}

/// What is to become of a suggested job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is due, and is queued (or would be, in a dry run).
    Queue,
    /// It is not queued.
    Skip(Skip),
}

/// Why a suggested job is not queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Nothing is to be done before then.
    UpToDate {
        /// When it is due again.
        until: DateTime<Utc>,
    },
    /// The same job is under way.
    SameJob {
        /// That job.
        id: JobId,
        /// Its state.
        state: State,
    },
    /// An aggregation that it rests on holds it up.
    Aggregation {
        /// Of which reports.
        kind: Kind,
        /// Into which buckets.
        precision: Precision,
        /// What is with it.
        why: Hold,
    },
    /// The same job died lately.
    HeldOff {
        /// When it is tried again.
        until: DateTime<Utc>,
    },
    /// Too many jobs wait in its queue.
    QueueFull {
        /// How many.
        waiting: u64,
    },
    /// The database does not say how far the aggregations are that it rests on.
    DatabaseAway,
}

/// Why an aggregation holds up what rests on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is due itself; what rests on it follows when it is done.
    Due,
    /// It is under way.
    UnderWay {
        /// Its job.
        id: JobId,
        /// That job's state.
        state: State,
    },
    /// It died lately.
    Failed {
        /// When.
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
