//! What can go wrong between producers, the ledger and workers.

use outage::{Outage, sqlite, without_noise};
use sview_model::Queue;

/// Errors of the ledger and of what stands on it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger's SQLite file refused.
    #[error("ledger of jobs (SQLite): {}", without_noise(.0))]
    Sqlite(sqlx::Error),
    /// Redis refused or could not be reached.
    #[error("ledger of jobs (Redis): {0}")]
    Redis(#[from] redis::RedisError),
    /// Too many jobs wait already; nothing was queued. The producer tries again at its next occasion.
    #[error("the queue {queue} is full: {waiting} jobs wait; are its workers running?")]
    Full {
        /// Which queue.
        queue: Queue,
        /// How many wait in it.
        waiting: u64,
    },
    /// A record in the ledger cannot be read: it was written by another version, or damaged.
    #[error("record of a job: {0}")]
    Record(String),
    /// A job cannot be written as JSON.
    #[error("payload of a job: {0}")]
    Payload(#[from] serde_json::Error),
    /// The store refused while it was asked what is due.
    #[error(transparent)]
    Store(#[from] sview_store::Error),
    /// The file was written by a later version.
    #[error("the ledger of jobs has schema {found}, this program knows up to {known}: use the newer program")]
    Schema {
        /// The file's schema.
        found: i64,
        /// The latest that this program knows.
        known: i64,
    },
    /// A producer that was run by hand came to no end.
    #[error("{producer} took longer than {seconds} s")]
    Slow {
        /// Its name.
        producer: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Working until idle came to no end.
    #[error("the queues do not come to rest: {0} was queued again and again; see its record")]
    Restless(String),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        sqlite::note(&error);
        Self::Sqlite(error)
    }
}

impl Error {
    /// The outage of a server or disk that the error tells of; `None` when it is about what was asked.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        match self {
            // Other writers of the process were first for too long. A file is never unreachable.
            Self::Sqlite(sqlx::Error::PoolTimedOut) => Some(Outage::Busy),
            Self::Sqlite(error) => Outage::of_sqlx(error),
            Self::Redis(error) => Outage::of_redis(error),
            Self::Store(error) => error.outage(),
            _ => None,
        }
    }
}

/// The crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;
