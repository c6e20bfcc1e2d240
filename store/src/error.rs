//! What can go wrong in the store, told so that an operator knows what to do.

/// Errors of reports, aggregation, queries and the cache.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or could not be reached.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Redis refused or could not be reached.
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// The address of a database is of no known kind.
    #[error("{what} must begin with {expected}")]
    Address {
        /// Which setting.
        what: &'static str,
        /// What it may begin with.
        expected: &'static str,
    },
    /// Two processes read the same file; only one of them may count it.
    #[error("another process is reading {0}, or has read it; nothing of this batch was counted")]
    ReadElsewhere(String),
    /// A stored value cannot be read.
    #[error("stored value: {0}")]
    Value(String),
}

impl Error {
    /// Whether the server is away or has no room just now, whatever was asked of it.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_)) => true,
            // PostgreSQL's connection exceptions, too_many_connections, and a server that stops or begins.
            Self::Database(sqlx::Error::Database(error)) => error.code().is_some_and(|code| {
                code.starts_with("08") || ["53300", "57P01", "57P02", "57P03"].contains(&code.as_ref())
            }),
            Self::Redis(error) => error.is_io_error() || error.is_timeout() || error.is_connection_dropped(),
            _ => false,
        }
    }

    /// Whether transactions collided, so that the same one may succeed when it is tried again.
    pub(crate) fn is_collision(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        // PostgreSQL's deadlock_detected and serialization_failure.
        error.code().is_some_and(|code| code == "40P01" || code == "40001")
    }
}

/// The store's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;
