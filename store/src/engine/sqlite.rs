//! SQLite: one file, one writer at a time, readers that never wait.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use sqlx::query::Query;
use sqlx::query_builder::Separated;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _, Sqlite as Db, Transaction};
use sview_model::{Batch, DeviceToken, Identity, Incident, Kind, Password, Port, Precision};

use super::migrate::migrate_file;
use super::statements::statements;
use super::{Dialect, Engine, Micros, Row, Statements, TEXTS, Tx, Visit, VisitTally, no_connection};
use crate::Result;
use outage::sqlite::{self, Probe, pool_options};

/// A file of reports.
pub(crate) struct Sqlite {
    path: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
    probe: Probe,
}

/// More readers than these read no faster from one file.
const READERS: u32 = 4;

impl Sqlite {
    /// Opens the file when first used.
    pub(crate) fn new(path: &Path, readers: u32) -> Self {
        let writer = pool_options()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(600)) // writers queue here, and each of them is bounded
            .connect_lazy_with(options(path).pragma("cache_size", "-16384")); // aggregation sorts in it
        Self { path: path.to_owned(), writer, readers: pool_of_readers(path, readers), probe: Probe::new(path) }
    }
}

/// Returns a pool that only reads. A caller that waits longer than 60 s for a connection gets an error.
fn pool_of_readers(path: &Path, readers: u32) -> SqlitePool {
    pool_options()
        .max_connections(readers.min(READERS))
        .acquire_timeout(Duration::from_secs(60))
        .connect_lazy_with(options(path))
}

/// How a file of reports or cached values is opened, with the cache of a connection in KiB. The operating system caches the file as
/// well, and for all processes.
pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    sqlite::options(path).pragma("cache_size", "-4096")
}

#[async_trait]
impl Engine for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn migrate(&self) -> Result<()> {
        let migrations = [
            (1, "reports", include_str!("../../../migrations/sqlite/0001_reports.sql")),
            (2, "rollup", include_str!("../../../migrations/sqlite/0002_rollup.sql")),
            (3, "tally", include_str!("../../../migrations/sqlite/0003_tally.sql")),
            (4, "grown", include_str!("../../../migrations/sqlite/0004_grown.sql")),
            (5, "greylist", include_str!("../../../migrations/sqlite/0005_greylist.sql")),
            (6, "passwords", include_str!("../../../migrations/sqlite/0006_passwords.sql")),
            (7, "greylist_took", include_str!("../../../migrations/sqlite/0007_greylist_took.sql")),
            (8, "forgotten", include_str!("../../../migrations/sqlite/0008_forgotten.sql")),
            (9, "ingested_format", include_str!("../../../migrations/sqlite/0009_ingested_format.sql")),
            (10, "session", include_str!("../../../migrations/sqlite/0010_session.sql")),
            (11, "failed", include_str!("../../../migrations/sqlite/0011_failed.sql")),
            (12, "identity_token", include_str!("../../../migrations/sqlite/0012_identity_token.sql")),
            (13, "outline", include_str!("../../../migrations/sqlite/0013_outline.sql")),
            (14, "file_read_at", include_str!("../../../migrations/sqlite/0014_file_read_at.sql")),
        ];
        migrate_file(&self.path, &self.writer, &migrations).await
    }

    async fn exists(&self) -> Result<bool> {
        match tokio::fs::metadata(&self.path).await {
            Ok(found) => Ok(found.len() > 0),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(sqlx::Error::Io(error).into()),
        }
    }

    fn place(&self) -> String {
        std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone()).display().to_string()
    }

    async fn ping(&self) -> Result<()> {
        Ok(self.probe.write().await?)
    }

    fn apart(&self, connections: u32) -> Arc<dyn Engine> {
        Arc::new(Self {
            path: self.path.clone(),
            // One for all of the process: its writers wait here, in turn.
            writer: self.writer.clone(),
            readers: pool_of_readers(&self.path, connections),
            probe: self.probe.clone(),
        })
    }

    async fn begin(&self) -> Result<Box<dyn Tx>> {
        // IMMEDIATE: a transaction that begins as a reader could find itself unable to write.
        let begun = self.writer.begin_with("BEGIN IMMEDIATE").await;
        let tx = begun.map_err(|error| no_connection(&self.writer, error))?;
        Ok(Box::new(SqliteTx { tx }))
    }

    async fn snapshot(&self) -> Result<Box<dyn Tx>> {
        let tx = self.readers.begin().await.map_err(|error| no_connection(&self.readers, error))?;
        Ok(Box::new(SqliteTx { tx }))
    }
}

struct SqliteTx {
    tx: Transaction<'static, Db>,
}

statements!(SqliteTx, Db);

#[async_trait]
impl Tx for SqliteTx {
    async fn put_tallies(&mut self, kind: Kind, precision: Precision, tallies: &[(Micros, Vec<u8>)]) -> Result<()> {
        for (bucket, body) in tallies {
            sqlx::query("INSERT OR REPLACE INTO sview_tally (kind, precision, bucket, body) VALUES (?1, ?2, ?3, ?4)")
                .bind(kind.as_str())
                .bind(precision.as_str())
                .bind(bucket)
                .bind(body.as_slice())
                .execute(&mut *self.tx)
                .await?;
        }
        Ok(())
    }

    async fn insert(&mut self, batch: &Batch) -> Result<()> {
        let devices = self.identify(batch).await?;
        // In the order of time, so that an index page is written once and not once a row.
        let mut incidents: Vec<&Incident> = batch.incidents.iter().collect();
        incidents.sort_unstable_by_key(|r| r.time);
        let head = "INSERT INTO incidents (time, raw_count, identity_id, trap, action, ip, country) ";
        self.many(head, &incidents, |mut row, r| {
            row.push_bind(r.time.timestamp_micros());
            row.push_bind(r.raw_count);
            row.push_bind(devices.get(&r.identity.device_token).copied().unwrap_or_default());
            row.push_bind(r.trap.as_str());
            row.push_bind(r.action.as_str());
            row.push_bind(r.ip.to_string());
            row.push_bind(r.country.map(|c| c.to_string()));
        })
        .await?;
        let mut passwords: Vec<&Password> = batch.passwords.iter().collect();
        passwords.sort_unstable_by_key(|r| r.time);
        self.many("INSERT INTO passwords (time, raw_count, username, password) ", &passwords, |mut row, r| {
            row.push_bind(r.time.timestamp_micros());
            row.push_bind(r.raw_count);
            row.push_bind(r.username.clone());
            row.push_bind(r.password.clone());
        })
        .await?;
        let mut ports: Vec<&Port> = batch.ports.iter().collect();
        ports.sort_unstable_by_key(|r| r.time);
        self.many("INSERT INTO ports (time, raw_count, port, protocol) ", &ports, |mut row, r| {
            row.push_bind(r.time.timestamp_micros());
            row.push_bind(r.raw_count);
            row.push_bind(r.port);
            row.push_bind(r.protocol.as_str());
        })
        .await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        Ok(self.tx.commit().await?)
    }
}

/// Rows in one statement: enough that its making does not count, and below SQLite's bound of 32,766 parameters.
const ROWS: usize = 500;

impl SqliteTx {
    /// Inserts many rows, some hundreds a statement.
    async fn many<R: Copy>(
        &mut self,
        head: &'static str,
        rows: &[R],
        bind: impl Fn(Separated<'_, Db, &'static str>, R),
    ) -> Result<()> {
        for rows in rows.chunks(ROWS) {
            let mut query = QueryBuilder::<Db>::new(head);
            query.push_values(rows, |row, r| bind(row, *r));
            query.build().execute(&mut *self.tx).await?;
        }
        Ok(())
    }

    /// Makes unknown identities known, and gives the row number of each token of the batch.
    async fn identify(&mut self, batch: &Batch) -> Result<HashMap<DeviceToken, i64>> {
        let devices: HashSet<&Identity> =
            batch.incidents.iter().map(|i| &i.identity).chain(&batch.identities).collect();
        if devices.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<_> = devices.iter().map(|i| [i.sn.as_str(), i.device_token.as_str()]).collect();
        let rows = serde_json::to_string(&rows).map_err(|e| crate::Error::Value(e.to_string()))?;
        for sql in [
            // A token that was seen before its serial number was known gets it now. The plus keeps SQLite from looking for all that
            // have no serial number, and holding each of them against all of the batch.
            "UPDATE OR IGNORE identity SET sn = new.sn
             FROM (SELECT value->>0 AS sn, value->>1 AS device_token FROM json_each(?1)) AS new
             WHERE identity.device_token = new.device_token AND +identity.sn = '' AND new.sn <> ''",
            // A token alone is the identity that there is of it already, whatever its serial number.
            "INSERT OR IGNORE INTO identity (sn, device_token)
             SELECT sn, device_token FROM (SELECT value->>0 AS sn, value->>1 AS device_token FROM json_each(?1)) AS new
             WHERE sn <> '' OR NOT EXISTS (SELECT 1 FROM identity AS i WHERE i.device_token = new.device_token)",
        ] {
            sqlx::query(sql).bind(&rows).execute(&mut *self.tx).await?;
        }
        let found = sqlx::query(
            "SELECT device_token, min(id) FROM identity
             WHERE device_token IN (SELECT value->>1 FROM json_each(?1)) GROUP BY 1",
        )
        .bind(&rows)
        .fetch_all(&mut *self.tx)
        .await?;
        let mut all = HashMap::new();
        for row in found {
            if let Ok(token) = row.try_get::<String, _>(0)?.parse() {
                all.insert(token, row.try_get(1)?);
            }
        }
        Ok(all)
    }
}
