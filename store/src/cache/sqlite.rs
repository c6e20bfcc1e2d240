//! The cache as a file of the embedded default.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row as _;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sview_model::{CacheKey, Clock, Period, shown_key};
use tokio::sync::Semaphore;

use super::{Cache, CacheBounds, Entry, EntryInfo, read_reported, supplement, touching};
use crate::Result;
use crate::engine::migrate_file;
use crate::engine::sqlite_options;
use outage::sqlite::{Probe, pool_options};

/// A cache in an SQLite file. Losing it costs nothing but a recomputation.
#[derive(Clone, Debug)]
pub struct SqliteCache {
    pool: SqlitePool,
    probe: Probe,
    clock: Clock,
    bounds: CacheBounds,
    touching: Arc<Semaphore>,
}

impl SqliteCache {
    /// Opens the file, made when missing. TTLs are measured on `clock`.
    pub async fn open(path: &Path, clock: Clock) -> Result<Self> {
        let pool = pool_options()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(30))
            .connect_lazy_with(sqlite_options(path));
        let migrations = [
            (1, "cache", include_str!("../../../migrations/cache/0001_cache.sql")),
            (2, "bounds", include_str!("../../../migrations/cache/0002_bounds.sql")),
            (3, "reported", include_str!("../../../migrations/cache/0003_reported.sql")),
            (4, "supplement", include_str!("../../../migrations/cache/0004_supplement.sql")),
        ];
        migrate_file(path, &pool, &migrations).await?;
        Ok(Self { pool, probe: Probe::new(path), clock, bounds: CacheBounds::default(), touching: touching() })
    }

    /// The same cache with other bounds.
    #[must_use]
    pub fn bounded(self, bounds: CacheBounds) -> Self {
        Self { bounds, ..self }
    }

    /// Notes the use of values that were not used lately. Nobody waits for it, since the file may be locked for long. Only one such note
    /// runs at a time. A value that is left out loses some of its rank.
    fn touch(&self, used: &[String]) {
        let Ok(permit) = Arc::clone(&self.touching).try_acquire_owned() else { return };
        let sql = "UPDATE cache SET used = (SELECT max(used) + 1 FROM cache WHERE used IS NOT NULL)
             WHERE used IS NOT NULL AND key IN (SELECT value FROM json_each(?1))";
        let (names, pool) = (serde_json::to_string(used).unwrap_or_default(), self.pool.clone());
        tokio::spawn(async move {
            if let Err(error) = sqlx::query(sql).bind(names).execute(&pool).await {
                tracing::debug!(%error, "could not record the use of cached values");
            }
            drop(permit);
        });
    }

    /// Drops values with a parameter beyond the limits.
    async fn bound(&self) -> Result<()> {
        let (values, bytes) =
            [self.bounds.values, self.bounds.bytes].map(|most| i64::try_from(most).unwrap_or(i64::MAX)).into();
        let held = "SELECT count(*), coalesce(sum(bytes), 0) FROM cache WHERE used IS NOT NULL";
        let held: (i64, i64) = sqlx::query_as(held).fetch_one(&self.pool).await?;
        if held.0 <= values && held.1 <= bytes {
            return Ok(());
        }
        sqlx::query(
            "DELETE FROM cache WHERE key IN (
               SELECT key FROM (
                 SELECT key, row_number() OVER newest AS n, sum(bytes) OVER newest AS total FROM cache WHERE used IS NOT NULL
                 WINDOW newest AS (ORDER BY used DESC, key ROWS UNBOUNDED PRECEDING))
               WHERE n > 1 AND (n > ?1 OR total > ?2))",
        )
        .bind(values)
        .bind(bytes)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp_micros()
    }
}

fn moment(row: &SqliteRow, column: &str) -> Result<DateTime<Utc>> {
    Ok(DateTime::from_timestamp_micros(row.try_get(column)?).unwrap_or_default())
}

fn entry(row: &SqliteRow) -> Result<Entry> {
    let computed_at = moment(row, "computed_at")?;
    let stamped: Option<&str> = row.try_get("supplement")?;
    Ok(Entry {
        supplement: stamped.and_then(|stamped| supplement(stamped, computed_at)),
        computed_at,
        json: row.try_get::<String, _>("json")?.into(),
        finish: moment(row, "finish")?,
        complete_to: moment(row, "complete_to")?,
        refresh_at: moment(row, "refresh_at")?,
        revision: row.try_get("revision")?,
        reported: row.try_get::<Option<String>, _>("reported")?.and_then(|text| read_reported(&text)),
    })
}

#[async_trait]
impl Cache for SqliteCache {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>> {
        Ok(self.get_many(std::slice::from_ref(key)).await?.pop().flatten())
    }

    async fn get_many(&self, keys: &[CacheKey]) -> Result<Vec<Option<Entry>>> {
        let names: Vec<&str> = keys.iter().map(CacheKey::as_str).collect();
        let rows = sqlx::query(
            "SELECT k.key AS position, cache.*, (SELECT max(used) FROM cache WHERE used IS NOT NULL) - used AS since
             FROM json_each(?1) AS k JOIN cache ON cache.key = k.value WHERE expires_at > ?2",
        )
        .bind(serde_json::to_string(&names).unwrap_or_default())
        .bind(self.now())
        .fetch_all(&self.pool)
        .await?;
        let mut entries = vec![None; keys.len()];
        let mut used = Vec::new();
        for row in &rows {
            if row.try_get::<Option<i64>, _>("since")?.is_some_and(|since| since > self.bounds.slack()) {
                used.push(row.try_get("key")?);
            }
            let position: i64 = row.try_get("position")?;
            if let Some(slot) = usize::try_from(position).ok().and_then(|p| entries.get_mut(p)) {
                *slot = Some(entry(row)?);
            }
        }
        if !used.is_empty() {
            self.touch(&used);
        }
        Ok(entries)
    }

    async fn put(&self, key: &CacheKey, entry: &Entry, ttl: Duration, now: DateTime<Utc>) -> Result<bool> {
        let ttl = TimeDelta::from_std(ttl).unwrap_or(TimeDelta::MAX);
        let written = sqlx::query(
            "INSERT INTO cache (key, json, finish, complete_to, computed_at, refresh_at, expires_at, revision, reported, used, bytes, supplement)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?9, ?11,
               CASE WHEN ?10 THEN (SELECT coalesce(max(used), 0) + 1 FROM cache WHERE used IS NOT NULL) END,
               CASE WHEN ?10 THEN length(CAST(?2 AS BLOB)) + length(CAST(?12 AS BLOB)) END, ?12)
             ON CONFLICT (key) DO UPDATE SET json = excluded.json, finish = excluded.finish, complete_to = excluded.complete_to,
               computed_at = excluded.computed_at, refresh_at = excluded.refresh_at, expires_at = excluded.expires_at,
               revision = excluded.revision, reported = excluded.reported, used = excluded.used, bytes = excluded.bytes,
               supplement = excluded.supplement
             WHERE excluded.finish >= cache.finish OR cache.expires_at <= ?8 OR cache.computed_at > ?8",
        )
        .bind(key.as_str())
        .bind(&*entry.json)
        .bind(entry.finish.timestamp_micros())
        .bind(entry.complete_to.timestamp_micros())
        .bind(entry.computed_at.timestamp_micros())
        .bind(entry.refresh_at.timestamp_micros())
        .bind(self.now().saturating_add(ttl.num_microseconds().unwrap_or(i64::MAX)))
        .bind(now.timestamp_micros())
        .bind(entry.revision)
        .bind(key.has_parameter())
        .bind(entry.reported_text())
        .bind(entry.stamped())
        .execute(&self.pool)
        .await?;
        if key.has_parameter() {
            self.bound().await?;
        }
        Ok(written.rows_affected() > 0)
    }

    async fn list(&self) -> Result<Vec<EntryInfo>> {
        let now = self.now();
        let rows = sqlx::query(
            "SELECT key, length(CAST(json AS BLOB)) + coalesce(length(CAST(supplement AS BLOB)), 0) AS bytes, computed_at, refresh_at, expires_at - ?1 AS ttl
             FROM cache WHERE expires_at > ?1 ORDER BY key",
        )
        .bind(now)
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &SqliteRow| {
            Ok(EntryInfo {
                key: shown_key(row.try_get("key")?),
                bytes: u64::try_from(row.try_get::<i64, _>("bytes")?).unwrap_or(0),
                computed_at: moment(row, "computed_at")?,
                refresh_at: moment(row, "refresh_at")?,
                ttl: Duration::from_micros(u64::try_from(row.try_get::<i64, _>("ttl")?).unwrap_or(0)),
            })
        };
        rows.iter().map(read).collect()
    }

    async fn clear(&self) -> Result<u64> {
        Ok(sqlx::query("DELETE FROM cache").execute(&self.pool).await?.rows_affected())
    }

    async fn clear_refresh_times(&self, period: Period) -> Result<u64> {
        // Periods and names hold no character that LIKE or a key's separator could be mistaken for.
        let (whole, with_parameters) = (format!("%:{period}"), format!("%:{period}:%"));
        let done = sqlx::query("UPDATE cache SET refresh_at = 0 WHERE key LIKE ?1 OR key LIKE ?2")
            .bind(whole)
            .bind(with_parameters)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected())
    }

    async fn vacuum(&self) -> Result<u64> {
        let done = sqlx::query("DELETE FROM cache WHERE expires_at <= ?1").bind(self.now()).execute(&self.pool).await?;
        Ok(done.rows_affected())
    }

    async fn ping(&self) -> Result<()> {
        Ok(self.probe.write().await?)
    }
}
