//! Housekeeping on SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sview_model::Queue;

use super::SqliteLedger;
use crate::Result;
use crate::ledger::{FORGET_WORKER, HOUR, HOURS, MAX_FAILURES, TICK_WINDOW, Upkeep};
use crate::machine_time::millis;
use crate::{State, WorkerInfo};

#[async_trait]
impl Upkeep for SqliteLedger {
    async fn vacuum(&self) -> Result<u64> {
        let before = self.now() - millis(self.settings.keep);
        let newest = i64::try_from(self.settings.max_ended).unwrap_or(i64::MAX);
        let mut gone = 0;
        for queue in Queue::ALL {
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
        sqlx::query("DELETE FROM ended_hour WHERE hour < ?1").bind(hour).execute(&self.writer).await?;
        sqlx::query("DELETE FROM worker WHERE abs(seen_at - ?1) > ?2")
            .bind(self.now())
            .bind(millis(FORGET_WORKER))
            .execute(&self.writer)
            .await?;
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
        sqlx::query(
            "INSERT INTO worker (name, info, seen_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET info = excluded.info, seen_at = excluded.seen_at",
        )
        .bind(&worker.name)
        .bind(serde_json::to_string(worker)?)
        .bind(self.now())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn gone(&self, worker: &str) -> Result<()> {
        sqlx::query("DELETE FROM worker WHERE name = ?1").bind(worker).execute(&self.writer).await?;
        Ok(())
    }
}
