//! Errors of the store. Their texts say what an operator can do.

use sqlx::migrate::MigrateError;

use crate::Outage;
use crate::engine::note_postgres;
use outage::{sqlite, without_noise};

/// Errors of reports, aggregation, queries and the cache.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or could not be reached.
    #[error("database: {}", without_noise(.0))]
    Database(sqlx::Error),
    /// No connection to PostgreSQL could be made.
    #[error("no connection to {place}: {}{}", without_noise(error), advice(error))]
    NoConnection {
        /// The server and the database.
        place: String,
        /// The reason from the driver.
        error: sqlx::Error,
    },
    /// All connections that this process may open are in use, and none became free in time. The server is not at fault.
    #[error(
        "database: all {0} connections of this process are in use; SVIEW_DATABASE_CONNECTIONS sets how many there are"
    )]
    Busy(u32),
    /// PostgreSQL's disk refused a statement of this process a short time ago, and no write has succeeded since.
    #[error("database: {error}")]
    Refused {
        /// The reason why the disk refused it.
        outage: Outage,
        /// The error of the statement.
        error: String,
    },
    /// The schema could not be brought up to date.
    #[error("migration: {}", of_migration(.0))]
    Migration(MigrateError),
    /// Redis refused or could not be reached.
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// The address of a database is of no known kind.
    #[error("{what} must begin with {expected}")]
    Address {
        /// The name of the setting.
        what: &'static str,
        /// The allowed beginnings of its value.
        expected: &'static str,
    },
    /// The address of a database names several servers.
    #[error(
        "the database's address names several servers; name one address that leads to the primary server, such as HAProxy, PgBouncer or \
         a virtual IP address"
    )]
    SeveralServers,
    /// Another session holds a lock, and waiting for it took too long; nothing was changed.
    #[error("{what} waits for a lock: {holder}")]
    Locked {
        /// The operation that needs the lock.
        what: String,
        /// The session that holds it, for people.
        holder: String,
    },
    /// Two processes read the same file; only one of them may count it.
    #[error("another process is reading {0}, or has read it; nothing of this batch was counted")]
    ReadElsewhere(String),
    /// Another process has begun meanwhile with a file of which this one may be a part, or the reverse; nothing was changed.
    #[error("another process has begun to read a file that begins like {0}; nothing of this batch was counted")]
    ReadBeside(String),
    /// A stored value cannot be read.
    #[error("stored value: {0}")]
    Value(String),
}

impl From<MigrateError> for Error {
    fn from(error: MigrateError) -> Self {
        Self::Migration(error)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        sqlite::note(&error);
        note_postgres(&error);
        Self::Database(error)
    }
}

impl Error {
    /// Returns the outage of a server or disk behind the error; `None` if the error is about the request.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        match self {
            Self::Database(error)
            | Self::Migration(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
                Outage::of_sqlx(error)
            }
            Self::NoConnection { error, .. } => Outage::of_sqlx(error),
            Self::Redis(error) => Outage::of_redis(error),
            Self::Refused { outage, .. } => Some(*outage),
            _ => None,
        }
    }

    /// PostgreSQL's code of an error, five characters, or SQLite's primary one.
    fn code(&self) -> Option<String> {
        let Self::Database(sqlx::Error::Database(error)) = self else { return None };
        let code = error.code()?;
        Some(match code.parse::<u32>() {
            Ok(extended) if code.len() < 5 => (extended & 0xff).to_string(),
            _ => code.into_owned(),
        })
    }

    /// Whether transactions collided, so that the same one may succeed when it is tried again.
    pub(crate) fn is_collision(&self) -> bool {
        // PostgreSQL's deadlock_detected and serialization_failure.
        self.code().is_some_and(|code| ["40P01", "40001"].contains(&code.as_str())) || self.is_lock_timeout()
    }

    /// Whether another session held a lock for longer than it is waited for.
    pub(crate) fn is_lock_timeout(&self) -> bool {
        self.code().is_some_and(|code| code == "55P03")
    }

    /// Whether the rows that were read or written may be at fault, so that it would go well without them.
    pub(crate) fn is_of_rows(&self) -> bool {
        // PostgreSQL: cardinality, data, integrity, triggers, limits of the program, damage; and TimescaleDB's limits.
        const CLASSES: [&str; 9] = ["21", "22", "23", "27", "38", "39", "54", "P0", "XX"];
        // SQLite: an error of the statement, damage, too big, constraint, mismatch.
        const CODES: [&str; 5] = ["1", "11", "18", "19", "20"];
        match self {
            Self::Value(_) | Self::Database(sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => true,
            _ => self.code().is_some_and(|code| {
                code == "53400" || CODES.contains(&code.as_str()) || code.len() == 5 && CLASSES.contains(&&code[..2])
            }),
        }
    }
}

/// Returns what to do about an error whose text does not say it.
fn advice(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Database(error) if error.message().starts_with("unsupported startup parameter") => {
            "; this is PgBouncer: take options out of the address, or add options to its ignore_startup_parameters"
        }
        _ => "",
    }
}

fn of_migration(error: &MigrateError) -> String {
    match error {
        MigrateError::Execute(error) => without_noise(error),
        MigrateError::ExecuteMigration(error, version) => format!("step {version}: {}", without_noise(error)),
        error => error.to_string(),
    }
}

/// The store's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_cannot_be_read_is_of_rows_and_a_lost_connection_is_not() {
        assert!(Error::Value("of a tally".into()).is_of_rows());
        assert!(!Error::Database(sqlx::Error::PoolTimedOut).is_of_rows());
        assert!(!Error::Locked { what: String::new(), holder: String::new() }.is_of_rows());
    }
}
