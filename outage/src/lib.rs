//! Outages: errors of a server or a disk that no job, request or query caused, and that pass without a change of the program.
//!
//! There is one table for each server. Module `sqlite` opens files that work again after an outage of their
//! disk.

#![forbid(unsafe_code)]

mod private;
#[cfg(feature = "sqlx")]
pub mod sqlite;

pub use private::{private_database, restrict};

use std::fmt;
use std::io;

#[cfg(feature = "redis")]
use redis::RedisError;
#[cfg(feature = "sqlx")]
use sqlx::sqlite::SqliteError;

/// The reason why a server or a file cannot do its work just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// No connection, or no answer in time.
    Unreachable,
    /// The server starts, stops, or changes its role.
    Starting,
    /// A replica, or a filesystem that was remounted read-only.
    ReadOnly,
    /// No space is left on the disk.
    DiskFull,
    /// The disk fails to read or write.
    Disk,
    /// No memory is left, or Redis reached its `maxmemory`.
    Memory,
    /// The server has no connection left for anybody.
    Connections,
    /// Others keep it busy for longer than the limit of a wait.
    Busy,
    /// Another process holds the lock of a file for longer than the limit of a wait.
    Locked,
}

impl Outage {
    /// The reason in a few words: `disk full`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Starting => "starting or stopping",
            Self::ReadOnly => "read-only",
            Self::DiskFull => "disk full",
            Self::Disk => "disk error",
            Self::Memory => "out of memory",
            Self::Connections => "out of connections",
            Self::Busy => "busy",
            Self::Locked => "locked by another process",
        }
    }

    /// Returns the outage behind an error of PostgreSQL or SQLite; `None` when the statement itself is at fault.
    #[cfg(feature = "sqlx")]
    #[must_use]
    pub fn of_sqlx(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::Io(error) => Some(Self::of_io(error)),
            sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut => Some(Self::Unreachable),
            sqlx::Error::Database(error) => {
                if let Some(sqlite) = error.try_downcast_ref::<SqliteError>() {
                    return of_sqlite(sqlite);
                }
                let code = error.code()?;
                of_postgres(&code)
            }
            _ => None,
        }
    }

    /// Returns the outage behind an error of Redis; `None` when the command itself is at fault.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn of_redis(error: &RedisError) -> Option<Self> {
        if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() {
            return Some(Self::Unreachable);
        }
        // In a pipeline or transaction, each error counts.
        let errors = error.clone().into_server_errors()?;
        errors.iter().find_map(|(_, error)| {
            let details = error.details().unwrap_or_default();
            let of = |(code, outage): &(&str, Self)| {
                // Redis before 7 wraps errors of commands in scripts: `ERR Error running script …: -OOM command not allowed …`.
                let wrapped = || error.code() == "ERR" && details.contains(&format!("-{code} "));
                (error.code() == *code || wrapped()).then_some(*outage)
            };
            let full = details.contains("max number of clients reached");
            REDIS.iter().find_map(of).or_else(|| full.then_some(Self::Connections))
        })
    }

    /// Returns the outage behind an error of the operating system.
    #[must_use]
    pub fn of_io(error: &io::Error) -> Self {
        /// The number of EIO, which has no [`io::ErrorKind`], on every Unix.
        const EIO: i32 = 5;
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::OutOfMemory => Self::Memory,
            _ if error.raw_os_error() == Some(EIO) => Self::Disk,
            _ => Self::Unreachable,
        }
    }
}

/// Returns an error of a database in its own words. The libraries' text adds a line of the server's source, and repeats the context.
#[cfg(feature = "sqlx")]
#[must_use]
pub fn without_noise(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::PoolTimedOut => "no answer in time".to_owned(),
        error => error.to_string(),
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Classes and codes of PostgreSQL (appendix A of its manual), each matched as a prefix.
#[cfg(feature = "sqlx")]
const POSTGRES: [(&str, Outage); 13] = [
    ("08", Outage::Unreachable),    // connection exceptions
    ("25P03", Outage::Unreachable), // idle_in_transaction_session_timeout
    ("25006", Outage::ReadOnly),    // read_only_sql_transaction: a replica, or default_transaction_read_only
    ("53100", Outage::DiskFull),    // disk_full
    ("53200", Outage::Memory),      // out_of_memory
    ("53300", Outage::Connections), // too_many_connections
    ("55P03", Outage::Busy),        // lock_not_available: a lock_timeout
    ("57P01", Outage::Starting),    // admin_shutdown
    ("57P02", Outage::Starting),    // crash_shutdown
    ("57P03", Outage::Starting),    // cannot_connect_now
    ("57P05", Outage::Unreachable), // idle_session_timeout
    ("58000", Outage::Disk),        // system_error
    ("58030", Outage::Disk),        // io_error
];

/// Primary result codes of SQLite (<https://sqlite.org/rescode.html>).
#[cfg(feature = "sqlx")]
const SQLITE: [(i32, Outage); 7] = [
    (5, Outage::Locked),    // SQLITE_BUSY
    (7, Outage::Memory),    // SQLITE_NOMEM
    (8, Outage::ReadOnly),  // SQLITE_READONLY
    (10, Outage::Disk),     // SQLITE_IOERR
    (13, Outage::DiskFull), // SQLITE_FULL
    (14, Outage::Disk),     // SQLITE_CANTOPEN
    (15, Outage::Busy),     // SQLITE_PROTOCOL: the lock of the write-ahead log
];

/// Codes of Redis and Valkey: the first word of an error.
#[cfg(feature = "redis")]
const REDIS: [(&str, Outage); 11] = [
    ("LOADING", Outage::Starting),
    ("READONLY", Outage::ReadOnly),
    ("NOREPLICAS", Outage::ReadOnly),
    ("MASTERDOWN", Outage::Unreachable),
    ("CLUSTERDOWN", Outage::Unreachable),
    ("MOVED", Outage::Starting),
    ("ASK", Outage::Starting),
    ("TRYAGAIN", Outage::Starting),
    ("OOM", Outage::Memory),
    ("MISCONF", Outage::DiskFull), // it cannot save, and so refuses writes
    ("BUSY", Outage::Busy),        // a script that takes too long
];

/// Returns the outage behind a code of PostgreSQL.
#[cfg(feature = "sqlx")]
fn of_postgres(code: &str) -> Option<Outage> {
    POSTGRES.iter().find(|(prefix, _)| code.starts_with(prefix)).map(|(_, outage)| *outage)
}

/// Returns the outage behind an error of SQLite.
#[cfg(feature = "sqlx")]
fn of_sqlite(error: &SqliteError) -> Option<Outage> {
    use sqlx::error::DatabaseError as _;
    // The lowest byte of an extended code is the primary one.
    let primary = error.code()?.parse::<i32>().ok()? & 0xff;
    SQLITE.iter().find(|(code, _)| *code == primary).map(|(_, outage)| *outage)
}

#[cfg(all(test, feature = "redis", feature = "sqlx"))]
mod tests {
    use super::*;

    /// Returns a Redis server's answer, as the client reads it.
    fn redis_error(answer: &str) -> RedisError {
        let value = redis::parse_redis_value(answer.as_bytes()).and_then(redis::Value::extract_error);
        value.expect_err("the answer is an error")
    }

    #[test]
    fn answers_of_redis_that_are_outages() {
        for (answer, outage) in [
            ("-LOADING Redis is loading the dataset in memory\r\n", Some(Outage::Starting)),
            ("-READONLY You can't write against a read only replica.\r\n", Some(Outage::ReadOnly)),
            ("-MASTERDOWN Link with MASTER is down\r\n", Some(Outage::Unreachable)),
            ("-MOVED 3999 127.0.0.1:6381\r\n", Some(Outage::Starting)),
            ("-CLUSTERDOWN The cluster is down\r\n", Some(Outage::Unreachable)),
            ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", Some(Outage::Memory)),
            (
                "-ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed\r\n",
                Some(Outage::Memory),
            ),
            ("-MISCONF Redis is configured to save RDB snapshots\r\n", Some(Outage::DiskFull)),
            ("-ERR max number of clients reached\r\n", Some(Outage::Connections)),
            ("-ERR unknown command 'X'\r\n", None),
            ("-WRONGTYPE Operation against a key\r\n", None),
            ("-NOSCRIPT No matching script\r\n", None),
        ] {
            assert_eq!(Outage::of_redis(&redis_error(answer)), outage, "{answer}");
        }
    }

    #[test]
    fn codes_of_postgresql_that_are_outages() {
        for (code, outage) in [
            ("08006", Some(Outage::Unreachable)),
            ("25P03", Some(Outage::Unreachable)),
            ("55P03", Some(Outage::Busy)),
            ("25P02", None), // in_failed_sql_transaction
            ("40P01", None),
            ("23505", None),
        ] {
            assert_eq!(of_postgres(code), outage, "{code}");
        }
    }

    #[test]
    fn errors_of_files_that_are_outages() {
        for (errno, outage) in
            [(28, Outage::DiskFull), (122, Outage::DiskFull), (30, Outage::ReadOnly), (5, Outage::Disk)]
        {
            let error = sqlx::Error::Io(io::Error::from_raw_os_error(errno));
            assert_eq!(Outage::of_sqlx(&error), Some(outage), "{errno}");
        }
        assert_eq!(Outage::of_sqlx(&sqlx::Error::RowNotFound), None);
    }
}
