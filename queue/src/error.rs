//! Errors of the ledger and their kinds.

use outage::Outage;

use crate::QueueName;

/// Errors of the ledger.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The ledger's SQLite file refused.
    #[cfg(feature = "sqlite")]
    #[error("ledger of jobs (SQLite): {}", outage::without_noise(.0))]
    Sqlite(sqlx::Error),
    /// Redis refused or could not be reached.
    #[cfg(feature = "redis")]
    #[error("ledger of jobs (Redis): {0}")]
    Redis(#[from] redis::RedisError),
    /// Too many jobs wait already; nothing was queued. The producer tries again at its next occasion.
    #[error("the queue {queue} is full (waiting jobs: {waiting}); are its workers running?")]
    Full {
        /// The full queue.
        queue: QueueName,
        /// How many wait in it.
        waiting: u64,
    },
    /// A record in the ledger cannot be read: it was written by another version, or damaged.
    #[error("record of a job: {0}")]
    Record(String),
    /// A queue's name has other characters than lower-case letters, digits and hyphens, or not 1 to 64 of them.
    #[error("{0:?} is no name for a queue: use 1 to 64 lower-case letters, digits and hyphens")]
    Name(String),
    /// A value cannot be written as JSON for the ledger.
    #[error("payload of a job: {0}")]
    Payload(#[from] serde_json::Error),
    /// The address of Redis has none of the forms that are known.
    #[cfg(feature = "redis")]
    #[error("{0}")]
    Address(String),
    /// A copy of an error of the ledger that another worker got first.
    #[error("{0}")]
    Shared(String),
    /// The file was written by a later version.
    #[error("the ledger of jobs has schema {found}, this program knows up to {known}: use the newer program")]
    Schema {
        /// The file's schema.
        found: i64,
        /// The latest that this program knows.
        known: i64,
    },
}

#[cfg(feature = "sqlite")]
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        outage::sqlite::note(&error);
        Self::Sqlite(error)
    }
}

impl Error {
    /// Whether the server can hold no ledger as it is set up or addressed. Waiting does not help: a Redis Cluster, a sentinel.
    #[must_use]
    pub fn is_unusable(&self) -> bool {
        match self {
            #[cfg(feature = "redis")]
            Self::Redis(error) => error.kind() == redis::ErrorKind::InvalidClientConfig,
            _ => false,
        }
    }

    /// Returns the outage of a server or disk behind the error; `None` if the error is about the request.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        match self {
            // Other writers of the process were first for too long. A file is never unreachable.
            #[cfg(feature = "sqlite")]
            Self::Sqlite(sqlx::Error::PoolTimedOut) => Some(Outage::Busy),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(error) => Outage::of_sqlx(error),
            #[cfg(feature = "redis")]
            Self::Redis(error) => Outage::of_redis(error),
            _ => None,
        }
    }
}

/// The crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;
