//! Looking at jobs, and an operator's actions, on SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use sview_model::Queue;

use super::flow::parse_id;
use super::{RECORD, SqliteLedger, note_ending, record};
use crate::Result;
use crate::ledger::{FORGET_WORKER, Inspect, Steer};
use crate::machine_time::{millis, moment};
use crate::{CancelOutcome, Filter, JobId, Pushed, QueueCounts, Record, Standing, State, WorkerInfo};

#[async_trait]
impl Inspect for SqliteLedger {
    async fn standing(&self, keys: &[String]) -> Result<Vec<Standing>> {
        let rows = sqlx::query(
            "SELECT job.id, job.state, failure.at FROM json_each(?1) AS k
             LEFT JOIN job ON job.key = k.value AND job.state IN ('queued', 'scheduled', 'running')
             LEFT JOIN failure ON failure.key = k.value ORDER BY k.key",
        );
        let rows = rows.bind(serde_json::to_string(keys)?).fetch_all(&self.readers).await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in &rows {
            let (id, state): (Option<String>, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
            let under_way = match (id, state) {
                (Some(id), Some(state)) => Some((parse_id(&id)?, state.parse()?)),
                _ => None,
            };
            all.push(Standing { under_way, failed_at: row.try_get::<Option<i64>, _>(2)?.map(moment) });
        }
        Ok(all)
    }

    async fn counts(&self) -> Result<Vec<QueueCounts>> {
        let mut all: Vec<_> = Queue::ALL.iter().map(|q| QueueCounts::new(*q)).collect();
        let rows = sqlx::query(
            // Each by an index of its own, and never by reading payloads.
            "SELECT queue, 'queued', count(*), min(run_at) FROM job WHERE state = 'queued' GROUP BY queue
             UNION ALL SELECT queue, 'scheduled', count(*), 0 FROM job WHERE state = 'scheduled' GROUP BY queue
             UNION ALL SELECT queue, 'running', count(*), 0 FROM job WHERE state = 'running' GROUP BY queue
             UNION ALL SELECT queue, state, count(*), 0 FROM job WHERE finished_at IS NOT NULL GROUP BY queue, state
             UNION ALL SELECT queue, 'paused', 1, 0 FROM paused",
        );
        for row in rows.fetch_all(&self.readers).await? {
            let (queue, state): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let Some(counts) = all.iter_mut().find(|c| c.queue.as_str() == queue) else { continue };
            if state == "paused" {
                counts.paused = true;
                continue;
            }
            let state: State = state.parse()?;
            counts.set(state, u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or(0));
            if state == State::Queued {
                counts.oldest_waiting = Some(moment(row.try_get(3)?));
            }
        }
        Ok(all)
    }

    async fn get(&self, id: JobId) -> Result<Option<Record>> {
        let sql = format!("SELECT {RECORD} FROM job WHERE id = ?1");
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id.to_string()).fetch_optional(&self.readers).await?;
        row.as_ref().map(record).transpose()
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Record>> {
        let sql = format!(
            "SELECT {RECORD} FROM job
             WHERE (?1 = '[]' OR state IN (SELECT value FROM json_each(?1))) AND (?2 IS NULL OR queue = ?2)
               AND (?3 IS NULL OR name = ?3) AND (?4 IS NULL OR instr(lower(words), lower(?4)) > 0)
               AND (?5 IS NULL OR id < ?5)
             ORDER BY id DESC LIMIT ?6"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(serde_json::to_string(&filter.states)?)
            .bind(filter.queue.map(Queue::as_str))
            .bind(&filter.name)
            .bind(&filter.text)
            .bind(filter.before.map(|id| id.to_string()))
            .bind(i64::try_from(filter.limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(record).collect()
    }

    async fn workers(&self) -> Result<Vec<(WorkerInfo, DateTime<Utc>)>> {
        let rows = sqlx::query("SELECT info, seen_at FROM worker WHERE abs(seen_at - ?1) <= ?2 ORDER BY name")
            .bind(self.now())
            .bind(millis(FORGET_WORKER))
            .fetch_all(&self.readers)
            .await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in &rows {
            // What another version wrote and this one cannot read is not shown.
            if let Ok(info) = serde_json::from_str(&row.try_get::<String, _>(0)?) {
                all.push((info, moment(row.try_get(1)?)));
            }
        }
        Ok(all)
    }

    async fn last_tick(&self, producer: &str) -> Result<Option<DateTime<Utc>>> {
        let tick: Option<i64> =
            sqlx::query_scalar("SELECT tick FROM tick WHERE producer = ?1 ORDER BY claimed_at DESC, tick DESC LIMIT 1")
                .bind(producer)
                .fetch_optional(&self.readers)
                .await?;
        Ok(tick.and_then(|seconds| DateTime::from_timestamp(seconds, 0)))
    }

    async fn ping(&self) -> Result<()> {
        self.readers.execute("SELECT 1").await?;
        Ok(())
    }
}

#[async_trait]
impl Steer for SqliteLedger {
    async fn cancel(&self, id: JobId) -> Result<CancelOutcome> {
        let id = id.to_string();
        let mut tx = self.begin().await?;
        let row = sqlx::query_as("SELECT state, key FROM job WHERE id = ?1").bind(&id).fetch_optional(&mut *tx).await?;
        let Some((state, key)): Option<(String, String)> = row else { return Ok(CancelOutcome::Unknown) };
        let outcome = match state.parse()? {
            State::Queued | State::Scheduled => {
                let sql = "UPDATE job SET state = 'cancelled', finished_at = ?2 WHERE id = ?1";
                sqlx::query(sql).bind(&id).bind(self.now()).execute(&mut *tx).await?;
                note_ending(&mut tx, &key, "cancelled", self.now()).await?;
                CancelOutcome::Cancelled
            }
            State::Running => {
                sqlx::query("UPDATE job SET cancel_asked = 1 WHERE id = ?1").bind(&id).execute(&mut *tx).await?;
                CancelOutcome::Asked
            }
            State::Done | State::Dead | State::Cancelled => CancelOutcome::Ended,
        };
        tx.commit().await?;
        Ok(outcome)
    }

    async fn retry(&self, id: JobId) -> Result<Option<Pushed>> {
        let text = id.to_string();
        let mut tx = self.begin().await?;
        let row =
            sqlx::query_as("SELECT state, key FROM job WHERE id = ?1").bind(&text).fetch_optional(&mut *tx).await?;
        let Some((state, key)): Option<(String, String)> = row else { return Ok(None) };
        let state: State = state.parse()?;
        if matches!(state, State::Queued | State::Running) {
            return Ok(Some(Pushed::Already { id, state }));
        }
        let holder = sqlx::query_as(
            "SELECT id, state FROM job WHERE key = ?1 AND id <> ?2 AND state IN ('queued', 'scheduled', 'running')",
        );
        let holder: Option<(String, String)> = holder.bind(&key).bind(&text).fetch_optional(&mut *tx).await?;
        if let Some((other, state)) = holder {
            return Ok(Some(Pushed::Already { id: parse_id(&other)?, state: state.parse()? }));
        }
        let anew = if state == State::Scheduled {
            "UPDATE job SET state = 'queued', run_at = ?2, delay = 0 WHERE id = ?1"
        } else {
            "UPDATE job SET state = 'queued', run_at = ?2, delay = 0, attempts = 0, finished_at = NULL, started_at = NULL,
             worker = NULL WHERE id = ?1"
        };
        sqlx::query(anew).bind(&text).bind(self.now()).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM failure WHERE key = ?1").bind(&key).execute(&mut *tx).await?;
        tx.commit().await?;
        self.bell.ring();
        Ok(Some(Pushed::Queued(id)))
    }

    async fn delete(&self, id: JobId) -> Result<bool> {
        let sql = "DELETE FROM job WHERE id = ?1 AND state <> 'running'";
        Ok(sqlx::query(sql).bind(id.to_string()).execute(&self.writer).await?.rows_affected() > 0)
    }

    async fn forget_failures(&self, keys: &[String]) -> Result<u64> {
        let sql = "DELETE FROM failure WHERE key IN (SELECT value FROM json_each(?1))";
        let done = sqlx::query(sql).bind(serde_json::to_string(keys)?).execute(&self.writer).await?;
        Ok(done.rows_affected())
    }

    async fn pause(&self, queue: Queue, paused: bool) -> Result<()> {
        let sql = if paused {
            "INSERT INTO paused (queue) VALUES (?1) ON CONFLICT (queue) DO NOTHING"
        } else {
            "DELETE FROM paused WHERE queue = ?1"
        };
        sqlx::query(sql).bind(queue.as_str()).execute(&self.writer).await?;
        self.bell.ring();
        Ok(())
    }
}
