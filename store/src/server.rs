//! The state of the database's server.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::engine::{Dialect, limit_statements};
use crate::{Error, Reports, Result};

/// How long PostgreSQL may take to answer: the size of a database of many tables is the sum of their files'.
const LIMIT: Duration = Duration::from_secs(3);

/// The server of a database, or the library that reads its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseServer {
    /// `PostgreSQL` or `SQLite`.
    pub kind: &'static str,
    /// Its version, with that of TimescaleDB where it is installed in the database.
    pub version: String,
    /// The size of the database in bytes.
    pub bytes: u64,
    /// The time by its clock, UTC.
    pub now: DateTime<Utc>,
}

impl Reports {
    /// `PostgreSQL` or `SQLite`.
    #[must_use]
    pub fn kind_of_database(&self) -> &'static str {
        match self.engine.dialect() {
            Dialect::Postgres => "PostgreSQL",
            Dialect::Sqlite => "SQLite",
        }
    }

    /// Asks the database's server about itself.
    ///
    /// # Errors
    /// Also when PostgreSQL takes longer than three seconds.
    pub async fn server(&self) -> Result<DatabaseServer> {
        let dialect = self.engine.dialect();
        let (version, bytes) = match dialect {
            Dialect::Postgres => (
                "current_setting('server_version') || coalesce(
                   (SELECT ', TimescaleDB ' || extversion FROM pg_extension WHERE extname = 'timescaledb'), '')",
                "pg_database_size(current_database())",
            ),
            Dialect::Sqlite => {
                ("sqlite_version()", "(SELECT page_count * page_size FROM pragma_page_count, pragma_page_size)")
            }
        };
        let sql = format!("SELECT {version}, {bytes}, {}", dialect.now());
        let mut tx = self.engine.snapshot().await?;
        limit_statements(&mut *tx, dialect, LIMIT).await?;
        let rows = tx.rows(sql, 1, &[]).await?;
        let no_answer = || Error::Value("the database says nothing of itself".to_owned());
        let row = rows.into_iter().next().ok_or_else(no_answer)?;
        let ([bytes, now], Some(Some(version))) = (&row.ints[..], row.texts.into_iter().next()) else {
            return Err(no_answer());
        };
        Ok(DatabaseServer {
            kind: self.kind_of_database(),
            version,
            bytes: u64::try_from(*bytes).unwrap_or(0),
            now: DateTime::from_timestamp_micros(*now).ok_or_else(no_answer)?,
        })
    }
}
