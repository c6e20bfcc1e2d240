//! Housekeeping on SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::SqliteLedger;
use crate::Result;
use crate::ledger::{FORGET_WORKER, HOUR, HOURS, KEEP_LOST, MAX_FAILURES, MOST_HEARD, Maintenance, TICK_WINDOW};
use crate::wall_clock::millis;
use crate::{ProcessInfo, State, WorkerInfo};

#[async_trait]
impl Maintenance for SqliteLedger {
    async fn vacuum(&self) -> Result<u64> {
        let before = self.now() - millis(self.settings.keep);
        let newest = i64::try_from(self.settings.max_ended).unwrap_or(i64::MAX);
        let mut gone = 0;
        for queue in self.reader.queues.iter() {
            for state in State::ALL.iter().filter(|s| !s.is_under_way()) {
                let done = sqlx::query(
                    "DELETE FROM job WHERE id IN (
                       SELECT id FROM job WHERE queue = ?1 AND state = ?2 AND finished_at < ?3
                       UNION ALL
                       SELECT id FROM (SELECT id FROM job WHERE queue = ?1 AND state = ?2 AND finished_at IS NOT NULL
                         ORDER BY finished_at DESC, id DESC LIMIT -1 OFFSET ?4))",
                );
                let done = done.bind(queue.as_str()).bind(state.as_str()).bind(before).bind(newest);
                gone += done.execute(&self.writer).await?.rows_affected();
                let done = sqlx::query(
                    "DELETE FROM job WHERE id IN (
                       SELECT id FROM job WHERE queue = ?1 AND state = ?2 AND finished_at IS NOT NULL AND on_demand = 1
                       ORDER BY finished_at DESC, id DESC LIMIT -1 OFFSET ?3)",
                );
                let most = i64::try_from(self.settings.max_on_demand).unwrap_or(i64::MAX);
                let done = done.bind(queue.as_str()).bind(state.as_str()).bind(most);
                gone += done.execute(&self.writer).await?.rows_affected();
            }
        }
        sqlx::query(
            "DELETE FROM failure WHERE at < ?1 OR key IN (SELECT key FROM failure ORDER BY at DESC LIMIT -1 OFFSET ?2)",
        )
        .bind(before)
        .bind(MAX_FAILURES)
        .execute(&self.writer)
        .await?;
        let hour = self.now().div_euclid(HOUR) - HOURS;
        for sql in ["DELETE FROM ended_hour WHERE hour < ?1", "DELETE FROM run_hour WHERE hour < ?1"] {
            sqlx::query(sql).bind(hour).execute(&self.writer).await?;
        }
        for (sql, keep) in [
            ("DELETE FROM worker WHERE abs(seen_at - ?1) > ?2", KEEP_LOST),
            ("DELETE FROM process WHERE abs(seen_at - ?1) > ?2", FORGET_WORKER),
        ] {
            sqlx::query(sql).bind(self.now()).bind(millis(keep)).execute(&self.writer).await?;
        }
        Ok(gone)
    }

    async fn claim_tick(&self, producer: &str, tick: DateTime<Utc>) -> Result<bool> {
        let mut tx = self.begin().await?;
        let (now, window) = (self.now(), millis(TICK_WINDOW));
        // Claims that hold no longer go first; so the one that is left, if any, holds.
        sqlx::query("DELETE FROM tick WHERE producer = ?1 AND abs(claimed_at - ?2) >= ?3")
            .bind(producer)
            .bind(now)
            .bind(window)
            .execute(&mut *tx)
            .await?;
        let claimed = sqlx::query(
            "INSERT INTO tick (producer, tick, claimed_at) VALUES (?1, ?2, ?3) ON CONFLICT (producer, tick) DO NOTHING",
        );
        let claimed = claimed.bind(producer).bind(tick.timestamp()).bind(now).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(claimed.rows_affected() > 0)
    }

    async fn beat(&self, worker: &WorkerInfo) -> Result<()> {
        self.hear("worker", &worker.name, serde_json::to_string(worker)?).await
    }

    async fn announce(&self, process: &ProcessInfo) -> Result<()> {
        self.hear("process", &process.name, serde_json::to_string(process)?).await
    }

    async fn withdraw(&self, process: &str) -> Result<()> {
        sqlx::query("DELETE FROM process WHERE name = ?1").bind(process).execute(&self.writer).await?;
        Ok(())
    }

    async fn gone(&self, worker: &str) -> Result<()> {
        sqlx::query("DELETE FROM worker WHERE name = ?1").bind(worker).execute(&self.writer).await?;
        Ok(())
    }
}

impl SqliteLedger {
    /// Notes an announcement in its table. The table keeps the [`MOST_HEARD`] latest.
    async fn hear(&self, table: &'static str, name: &str, info: String) -> Result<()> {
        let mut tx = self.begin().await?;
        let noted = format!(
            "INSERT INTO {table} (name, info, seen_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET info = excluded.info, seen_at = excluded.seen_at"
        );
        sqlx::query(AssertSqlSafe(noted)).bind(name).bind(info).bind(self.now()).execute(&mut *tx).await?;
        let surplus = format!(
            "DELETE FROM {table} WHERE name IN (SELECT name FROM {table} ORDER BY seen_at DESC, name LIMIT -1 OFFSET ?1)"
        );
        sqlx::query(AssertSqlSafe(surplus)).bind(MOST_HEARD).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }
}
