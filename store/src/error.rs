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
    /// A stored value cannot be read.
    #[error("stored value: {0}")]
    Value(String),
}

/// The store's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;
